"""CKA: whether two encoders arrange the same rows in the same way."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

SOURCE = "Kornblith et al. 2019 (1905.00414), section 3: CKA with a linear kernel"


def linear(one: NDArray, two: NDArray) -> float:
    """Centred kernel alignment with a linear kernel, from 0 to 1 (the same up to rotation, scale).

    Kornblith et al. 2019: ||Y'X||² / (||X'X|| ||Y'Y||), Frobenius norms, columns centred.

    Args:
        one, two: states of the same rows ``[n, D]``, ``[n, E]``.
    """
    x = one.astype(np.float64) - one.mean(axis=0, dtype=np.float64)
    y = two.astype(np.float64) - two.mean(axis=0, dtype=np.float64)
    own = float(np.linalg.norm(x.T @ x) * np.linalg.norm(y.T @ y))
    return float(np.linalg.norm(y.T @ x) ** 2) / own if own else 0.0

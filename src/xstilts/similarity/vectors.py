"""Features that are one vector a task, compared by their angle: mean texts and mean gradients."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from xstilts.identity import stream_seed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

TEXT_SOURCE = "Vu et al. 2020 (2005.00770), section 4.1: TextEmb"
GRADIENT_SOURCE = "Du et al. 2018 (1812.02224), section 3: cosine similarity of gradients"
BUCKETS = 2**16


def cosine(one: NDArray, two: NDArray) -> float:
    """The cosine of the angle between two vectors ``[D]``; 0 where one of them is 0.

    As text embedding (Vu et al. 2020): of the means over a task's texts of the last layer's states.
    As gradient cosine (Du et al. 2018): of the gradients of two tasks' mean losses at the same
    weights.
    """
    lengths = float(np.linalg.norm(one.astype(np.float64)) * np.linalg.norm(two.astype(np.float64)))
    return float(one.astype(np.float64) @ two.astype(np.float64)) / lengths if lengths else 0.0


def sketch(parts: Iterable[tuple[str, NDArray]], buckets: int = BUCKETS) -> NDArray[np.float64]:
    """A vector of many parts in few numbers, such that inner products stay the same on average.

    Every entry is added, with a random sign, to a random bucket (count sketch, Charikar et al.
    2002); cosines are off by about 1 / sqrt(buckets).

    Args:
        parts: named arrays of any shape, one at a time: the whole need never be there at once.
        buckets: length of the result.
    """
    found = np.zeros(buckets)
    for name, part in parts:
        stream = np.random.default_rng(stream_seed("sketch", name))
        flat = np.asarray(part, np.float64).ravel()
        drawn = stream.integers(0, 2 * buckets, len(flat))
        signed = np.where(drawn < buckets, flat, -flat)
        found += np.bincount(drawn % buckets, signed, buckets)
    return found

"""Task embedding: which weights of the encoder a task's labels are sensitive to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xstilts.similarity.vectors import cosine

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SOURCE = "Achille et al. 2019 (1902.03545), Task2Vec; on text Vu et al. 2020 (2005.00770), TaskEmb"


def by_unit(squares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Squared gradients of one weight as its embedding: a mean for every unit it leads to.

    Achille et al. 2019, section 2: the entries of one filter are averaged; a row of a linear layer
    is its filter.

    Args:
        squares: the diagonal of the Fisher information, ``[out, in]`` or ``[out]``.
    """
    return squares.reshape(len(squares), -1).mean(axis=1)


def similarity(one: NDArray[np.float64], two: NDArray[np.float64]) -> float:
    """The cosine of two task embeddings, each entry over the sum of both.

    Achille et al. 2019, section 3.2: the symmetric distance, 1 minus this. The division makes it
    a matter of which task is the more sensitive one, not of which layer has large gradients.

    Args:
        one, two: diagonals of the empirical Fisher information ``[P]``, none below 0. Entries that
            are 0 in both say nothing and are left out.
    """
    both = one + two
    there = both > 0
    return cosine(one[there] / both[there], two[there] / both[there])

"""Vocabulary: how alike the distributions of two tasks' tokens are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

SOURCE = "Lin 1991, Divergence measures based on the Shannon entropy, eq. 3.1"


def divergence(one: NDArray[np.float64], two: NDArray[np.float64]) -> float:
    """The Jensen-Shannon divergence of two distributions, in bits: 0 the same, 1 nothing shared.

    Source: Lin 1991, with equal weights; as a measure of task similarity, Ruder and Plank 2017.

    Args:
        one, two: counts of tokens ``[V]``, at least one of each.
    """
    p, q = one / one.sum(), two / two.sum()
    middle = (p + q) / 2

    def bits(distribution: NDArray[np.float64]) -> float:
        there = distribution > 0
        ratio = distribution[there] / middle[there]
        return float((distribution[there] * np.log2(ratio)).sum())

    return (bits(p) + bits(q)) / 2


def similarity(one: NDArray[np.float64], two: NDArray[np.float64]) -> float:
    """1 minus the divergence."""
    return 1.0 - divergence(one, two)

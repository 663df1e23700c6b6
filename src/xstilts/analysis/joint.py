"""Several quantities at once: what they could all truly be, for questions about the largest."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from xstilts.analysis.draws import Draws, common_seeds
from xstilts.analysis.estimate import variance_of
from xstilts.identity import stream_seed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

JOINT = 4000


def joint(draws: Sequence[Draws], stream: str) -> NDArray[np.float64]:
    """Joint draws of the true values of several quantities, ``[JOINT, quantities]``.

    Seeds are drawn together for all of them, as a multivariate t with the seeds' degrees of
    freedom (a percentile bootstrap of two or three seeds would be far too narrow); items likewise,
    as the resamples have them. A single seed varies over items only.

    Args:
        draws: of the quantities.
        stream: names the random stream.
    """
    rng = np.random.default_rng(stream_seed("joint", stream))
    seeds = common_seeds(draws)
    rows = np.stack([d.values if seeds is None else d.of(seeds) for d in draws], axis=2)
    observed = rows[:, 0].mean(axis=0)
    resampled = rows[:, 1:].mean(axis=0) - observed
    items = resampled[rng.integers(0, len(resampled), JOINT)]
    if len(rows) == 1:
        return observed + items
    # What is different for each seed and item varies between the seeds already.
    shared = np.array([_shared(one, seeds) for one in draws])
    between = rng.standard_normal((JOINT, len(rows))) @ (rows[:, 0] - observed)
    scale = np.sqrt(len(rows) * rng.chisquare(len(rows) - 1, (JOINT, 1)))
    return observed + items * shared + between / scale


def _shared(one: Draws, seeds: tuple[int, ...] | None) -> float:
    """The share of the standard deviation over items that is the same for all seeds."""
    parts = variance_of(Draws(one.of(seeds or ()), seeds, one.groups))
    whole = parts.item + parts.rest
    return float(np.sqrt(parts.item / whole)) if whole else 0.0

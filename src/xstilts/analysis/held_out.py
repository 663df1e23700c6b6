"""The best of several paths, judged on seeds that had no say in choosing it.

To pick the best of many on the very seeds that it is judged on is to report their luck (the
winner's curse). Here seeds are split in halves, all ways: the best is picked on one half and
judged on the other. With an odd number of seeds the half that picks is the larger one. Test items
are the same on both sides: luck with them is not taken away.
"""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from xstilts.analysis.draws import Draws, common_seeds

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray


FEWEST_SEEDS = 4  # two that pick, two that judge


def splits(seeds: int) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    """All ways to cut seeds in a half that picks and one that judges, as places; none of one."""
    size = (seeds + 1) // 2
    return [
        (picks, tuple(place for place in range(seeds) if place not in picks))
        for picks in combinations(range(seeds), size)
        if size < seeds
    ]


def aligned(draws: Sequence[Draws]) -> tuple[NDArray[np.float64], tuple[int, ...]]:
    """Draws on their common seeds: ``[paths, seeds, 1 + resamples]``, and the seeds."""
    seeds = common_seeds(draws) or ()
    return np.stack([one.of(seeds) for one in draws]), seeds


def once(draws: Mapping[str, Draws]) -> Draws | None:
    """The value of the path that the first half of the seeds picks, in the others.

    They had no say in the pick, so that a test on them errs as seldom as it says. None with fewer
    than four seeds, as one judge is none.
    """
    values, seeds = aligned(list(draws.values()))
    if len(seeds) < FEWEST_SEEDS:
        return None
    half = (len(seeds) + 1) // 2
    chosen = int(values[:, :half, 0].mean(axis=1).argmax())
    return Draws(values[chosen, half:], seeds[half:], min(one.groups for one in draws.values()))


def best(draws: Mapping[str, Draws]) -> Draws | None:
    """The value of the best path in every seed, whichever path the seed's counterparts pick.

    A seed's row is the mean over all splits in which it judges, so no run judges its own pick; but
    what it is compared with picked others, so that rows are not independent: of two best ones that
    are equal an interval covers 83 to 88 % (simulated), and a test is made on `once`. None with
    fewer than two seeds.

    Args:
        draws: path -> a quantity of which more is better.
    """
    values, seeds = aligned(list(draws.values()))
    ways = splits(len(seeds))
    if not ways:
        return None
    sums, times = np.zeros(values.shape[1:]), np.zeros(len(seeds))
    for picks, judges in ways:
        chosen = int(values[:, picks, 0].mean(axis=1).argmax())
        sums[list(judges)] += values[chosen, list(judges)]
        times[list(judges)] += 1
    return Draws(sums / times[:, None], seeds, min(one.groups for one in draws.values()))


def picked_by_all(draws: Mapping[str, Draws]) -> Draws:
    """The path that is best on all seeds, judged on the same: too good by the winner's curse."""
    values, seeds = aligned(list(draws.values()))
    chosen = int(values[:, :, 0].mean(axis=1).argmax())
    return Draws(values[chosen], seeds, min(one.groups for one in draws.values()))

"""From draws to an estimate with an interval and, for declared tests, a p-value.

The model, for one seed s and one group of items i of a paired difference (docs/statistics.md):

    d_si = difference + seed_s + item_i + rest_si

Seeds and groups are crossed and both are samples: the question is what another training run, on
another test set of this kind, would show. With one seed, only the items are a sample.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from xstilts.analysis.draws import Draws

Covers = Literal[
    "training and items",
    "items only: one seed",
    "items: nothing is trained",
    "training only: one group of items",
    "nothing: one seed, one group of items",
]

LEVEL = 0.95  # of intervals
ALPHA = 0.05  # of tests, and of families of tests
POWER = 0.8
POINT = 0.01  # scores are shares
_NOTHING = 1e-20  # a variance that is one of rounding
# What keeps Satterthwaite's degrees of freedom from running away on one or two degrees of freedom;
# found by simulation (docs/statistics.md), as a share of seeds' degrees of freedom.
_DAMPING = 12.0


@dataclass(frozen=True)
class Variance:
    """The variance of a mean over seeds and items, in its parts.

    Attributes:
        seed: variance between the seeds' values, over the number of seeds; it holds the part that
            is different for each seed and item (``rest``) too.
        item: what the choice of items adds that is the same for all seeds.
        rest: the part of ``seed`` that a larger test set would take away.
        seed_df: degrees of freedom of ``seed``; 0 with one seed.
        item_df: of the rest.
    """

    seed: float
    item: float
    rest: float
    seed_df: int
    item_df: int

    @property
    def total(self) -> float:
        """The variance of the mean."""
        return self.seed + self.item

    @property
    def agrees(self) -> bool:
        """Whether the seeds agree, by chance or by ties, far better than their items let them.

        ``df`` would then go to 0 and the interval to infinity, or, where seeds tie, to nothing.
        """
        return bool(self.seed_df) and (self.item + self.rest) > self.total * self.item_df**0.5

    @property
    def df(self) -> float:
        """Degrees of freedom of ``total``: Satterthwaite's, damped where seeds are few."""
        if not self.total or not self.seed:
            return float(self.item_df)
        share = self.seed / self.total
        ratio = (1 - share) / share
        damping = self.seed_df / (self.seed_df + _DAMPING)
        damped = self.seed_df * (1 + ratio * (2 + ratio) * damping)
        item = ((self.item + self.rest) / self.total) ** 2 / self.item_df
        return 1 / (1 / damped + item)


@dataclass(frozen=True)
class Estimate:
    """A number with its uncertainty; shares, not points.

    Attributes:
        value: the mean over seeds.
        low, high: the 95 % interval.
        seeds: how many runs of each condition; 0 where nothing is trained.
        groups: how many groups of items, the fewest of any target.
        covers: what is a sample in it: what the interval claims to cover.
        variance: in its parts.
        collapsed: seeds of which a run did not learn. They are in the value and the interval, which
            then covers nothing for sure: a handful of seeds cannot tell how often that happens.
        learnt: without those seeds: what tests are made on. None where no run collapsed, or all.
    """

    value: float
    low: float
    high: float
    seeds: int
    groups: int
    covers: Covers
    variance: Variance
    collapsed: tuple[int, ...] = ()
    learnt: Estimate | None = None

    @property
    def tested(self) -> Estimate:
        """What tests are made on: the seeds of which every run learnt."""
        return self.learnt or self


def variance_of(draws: Draws) -> Variance:
    """The variance of the mean over seeds, from differences between seeds and between resamples."""
    items = np.atleast_2d(np.cov(draws.values[:, 1:]))  # [S, S]: of the seeds' values over items
    seeds, item_df = len(items), max(draws.groups - 1, 1)
    if seeds == 1:
        return Variance(0.0, float(items[0, 0]), 0.0, 0, item_df)
    shared = (items.sum() - np.trace(items)) / (seeds * (seeds - 1))
    item = max(float(shared), 0.0)
    rest = max(float(np.trace(items)) / seeds - item, 0.0) / seeds
    between = float(np.var(draws.values[:, 0], ddof=1)) / seeds
    return Variance(between, item, rest, seeds - 1, item_df)


def estimate(draws: Draws, collapsed: tuple[int, ...] = ()) -> Estimate:
    """The mean over seeds with its 95 % interval; with one seed, over items only.

    Args:
        draws: of the quantity.
        collapsed: seeds of which a run did not learn; those that are not in the draws do not count.
    """
    from scipy import stats

    value, variance = float(draws.values[:, 0].mean()), variance_of(draws)
    df, total = variance.df, variance.total
    if variance.agrees:
        df, total = variance.item_df, variance.item + variance.rest
    half = float(stats.t.ppf(0.5 + LEVEL / 2, df)) * total**0.5
    covers: Covers = "training and items" if variance.seed_df else "items only: one seed"
    if draws.seeds is None:
        covers = "items: nothing is trained"
    if draws.groups < 2:
        covers = "nothing: one seed, one group of items"
        if variance.seed_df:
            covers = "training only: one group of items"
    seeds = 0 if draws.seeds is None else len(draws.seeds)
    collapsed = tuple(seed for seed in collapsed if seed in (draws.seeds or ()))
    left = draws.without(collapsed)
    learnt = estimate(left) if collapsed and len(left.values) else None
    interval = (value - half, value + half)
    return Estimate(value, *interval, seeds, draws.groups, covers, variance, collapsed, learnt)


def may_test(found: Estimate) -> bool:
    """Whether a p-value may be given."""
    return not untested(found)


def untested(found: Estimate) -> str:
    """Why no p-value may be given; "" where one may.

    One seed that learnt, or none, says nothing of training; one group of items nothing of items;
    and where nothing varies, as where all runs always say the same, nothing is known of chance.
    """
    if found.collapsed and found.learnt is None:
        return "no seed of which every run learnt"
    tested = found.tested
    if tested.groups < 2:
        return "one group of items"
    if tested.seeds == 1:
        return "one seed of which every run learnt" if found.collapsed else "one seed"
    return "nothing varies" if tested.variance.total < _NOTHING else ""


def is_chance(scores: Draws, chance: float | None) -> bool:
    """Whether scores may be those of guessing; of retrieval nobody says what that is."""
    return chance is not None and estimate(scores).low <= chance


def needed_distance(parts: Variance, level: float) -> float:
    """How far from its null a value must be for a two-sided test at that level.

    With two or three seeds no interval covers exactly 95 % for every share of seed variance; a test
    must not exceed its level, so it takes the root of the sum of squares of each part's own t
    interval, which never covers less than it says (Banerjee 1960).
    """
    from scipy import stats

    by_item = stats.t.isf(level / 2, parts.item_df) ** 2
    squared = by_item * parts.item
    if parts.seed_df:  # seeds that tie do not do away with what the items leave open
        by_seed = stats.t.isf(level / 2, parts.seed_df) ** 2
        squared += max(by_seed * parts.seed, by_item * parts.rest)
    return float(np.sqrt(squared))


def p_value(found: Estimate, null: float = 0.0) -> float:
    """Two-sided, for "the value is ``null``": the level at which `needed_distance` reaches it."""
    from scipy import optimize

    found, lowest = found.tested, np.log(1e-12)
    distance = abs(found.value - null)
    if not needed_distance(found.variance, 0.5):
        return float(distance == 0)

    def excess(log_level: float) -> float:
        return needed_distance(found.variance, float(np.exp(log_level))) - distance

    if excess(lowest) < 0:
        return 1e-12
    return float(np.exp(optimize.brentq(excess, lowest, 0.0)))


def equivalence_p(found: Estimate, margin: float) -> float:
    """TOST: for "the value is outside ± ``margin``" (Schuirmann 1987).

    Args:
        found: of the difference.
        margin: declared beforehand; in the difference's unit.
    """
    found = found.tested
    if abs(found.value) >= margin:
        return 1.0 - p_value(found, np.copysign(margin, found.value)) / 2
    return max(p_value(found, margin), p_value(found, -margin)) / 2


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """P-values adjusted for their whole family (Holm 1979): any false positive is as rare as said.

    Args:
        p_values: all of the family's, by name.
    """
    ordered = sorted(p_values, key=lambda name: p_values[name])
    adjusted, so_far = {}, 0.0
    for rank, name in enumerate(ordered):
        so_far = max(so_far, min(1.0, (len(ordered) - rank) * p_values[name]))
        adjusted[name] = so_far
    return {name: adjusted[name] for name in p_values}


def family_p(found: Sequence[Estimate | None]) -> list[float | None]:
    """The p-values of a family of tests, by Holm; None for those that may not be made.

    Args:
        found: all of the family; None where there is nothing to test.
    """
    raw = {
        str(place): p_value(one)
        for place, one in enumerate(found)
        if one is not None and may_test(one)
    }
    adjusted = holm(raw)
    return [adjusted.get(str(place)) for place in range(len(found))]


def detectable(parts: Variance, level: float = ALPHA) -> float:
    """The smallest true difference that the test finds in four of five studies (`POWER`).

    Seeds are few, so that their variance as estimated goes up and down with them: the power is the
    mean over its chi-squared distribution. Of the items the variance is as good as known.

    Args:
        parts: what the variance truly is.
        level: of the test; a family's is divided by its size where Holm must hold for any of it.
    """
    from scipy import optimize, stats

    error = parts.total**0.5
    if not error:
        return 0.0
    needed = np.atleast_1d(stats.t.isf(level / 2, parts.item_df) ** 2 * parts.item)
    if parts.seed_df:
        shares = (np.arange(1000) + 0.5) / 1000
        seen = parts.seed * stats.chi2.ppf(shares, parts.seed_df) / parts.seed_df
        needed = needed + stats.t.isf(level / 2, parts.seed_df) ** 2 * seen
    distances = np.sqrt(needed)

    def short(distance: float) -> float:
        return POWER - float(stats.norm.sf((distances - distance) / error).mean())

    return float(optimize.brentq(short, 0.0, distances.max() + 10 * error))

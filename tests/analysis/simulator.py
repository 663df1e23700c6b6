"""Studies whose truth is known: single differences for coverage, whole studies for verdicts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from xstilts.analysis.draws import Draws
from xstilts.analysis.estimate import (
    equivalence_p,
    estimate,
    holm,
    needed_distance,
    p_value,
)
from xstilts.analysis.joint import joint
from xstilts.analysis.outcomes import Outcome, Outcomes
from xstilts.analysis.resample import Counts, Items

GROUPS = 40
ITEM_VARIANCE = 1.0  # of the mean over all groups; what seed variance is measured by


def difference(rng, seeds, seed_variance, rest_variance=0.5, collapse=0.0):
    """A paired difference whose true value is 0 for runs that learn.

    Columns stand for resamples: their covariance over columns is the groups' covariance of the
    mean, which is what more and more resamples come to.

    Args:
        seed_variance: between runs, by the variance of the mean over items.
        collapse: the share of runs that lose 40 standard deviations.

    Returns:
        Draws, and which runs collapsed.
    """
    item = rng.normal(0, np.sqrt(ITEM_VARIANCE * GROUPS), GROUPS)
    rest = rng.normal(0, np.sqrt(rest_variance * GROUPS), (seeds, GROUPS))
    fell = rng.random(seeds) < collapse
    run = rng.normal(0, np.sqrt(seed_variance), seeds) - 40 * fell
    each = item + rest + run[:, None]
    observed = each.mean(axis=1, keepdims=True)
    columns = observed + (each - observed) / np.sqrt(GROUPS)
    return Draws(np.hstack([observed, columns]), tuple(range(seeds)), GROUPS), fell


def coverage(seeds, seed_variance, studies, stream=0):
    """How often the interval holds the truth, and how often a test finds what is not there."""
    rng = np.random.default_rng([stream, seeds, int(10 * seed_variance)])
    held = false = 0
    for _ in range(studies):
        found = estimate(difference(rng, seeds, seed_variance)[0])
        held += found.low < 0 < found.high
        false += abs(found.value) > needed_distance(found.variance, 0.05)
    return held / studies, false / studies


def family(rng, seeds, seed_variance, tests=9):
    """Differences of so many conditions to one baseline, which they share; all are truly 0."""

    def condition():
        item = rng.normal(0, np.sqrt(ITEM_VARIANCE * GROUPS / 2), GROUPS)
        rest = rng.normal(0, np.sqrt(ITEM_VARIANCE * GROUPS / 4), (seeds, GROUPS))
        return item + rest + rng.normal(0, np.sqrt(seed_variance / 2), (seeds, 1))

    base = condition()
    found = []
    for each in (condition() - base for _ in range(tests)):
        observed = each.mean(axis=1, keepdims=True)
        columns = observed + (each - observed) / np.sqrt(GROUPS)
        found.append(Draws(np.hstack([observed, columns]), tuple(range(seeds)), GROUPS))
    return found


def families(seeds, seed_variance, studies, stream=0):
    """How often what is not there is found, as shares of studies.

    Returns:
        Studies in which Holm over nine null differences lets any through; differences at the margin
        that are called equivalent; pairs of equal gains of which the first is called the largest.
    """
    rng = np.random.default_rng([stream, seeds, int(10 * seed_variance), 9])
    margin = 2 * np.sqrt(seed_variance / seeds + ITEM_VARIANCE)
    any_found = equivalent = larger = 0
    for number in range(studies):
        draws = family(rng, seeds, seed_variance)
        found = {str(n): estimate(one) for n, one in enumerate(draws)}
        any_found += min(holm({n: p_value(one) for n, one in found.items()}).values()) < 0.05
        at_margin = Draws(draws[0].values + margin, draws[0].seeds, GROUPS)
        equivalent += equivalence_p(estimate(at_margin), margin) < 0.05
        drawn = joint(draws[1:3], f"{seeds} {seed_variance} {number}")
        larger += (drawn[:, 0] > drawn[:, 1]).mean() >= 0.95
    return any_found / studies, equivalent / studies, larger / studies


@dataclass
class Collapses:
    """Shares of studies."""

    with_all: float  # intervals over all runs that hold the mean over all runs
    seen: float  # of studies with a collapsed run
    unseen: float  # of studies without: they hold the mean of runs that learn
    apart: float  # intervals over the runs that learnt, where two or more did
    false: float  # tests that find a difference between runs that learn, in studies without


def collapses(seeds, seed_variance, studies, rate=0.1, stream=0):
    rng = np.random.default_rng([stream, seeds, int(10 * seed_variance)])
    held, seen, unseen, apart, false = [], [], [], [], []
    for _ in range(studies):
        draws, fell = difference(rng, seeds, seed_variance, collapse=rate)
        found = estimate(draws)
        held.append(found.low < -40 * rate < found.high)
        seen.append(fell.any())
        if not fell.any():
            unseen.append(found.low < 0 < found.high)
            false.append(abs(found.value) > needed_distance(found.variance, 0.05))
        if (~fell).sum() > 1:
            left = estimate(draws.without(np.flatnonzero(fell).tolist()))
            apart.append(left.low < 0 < left.high)
    return Collapses(*(float(np.mean(one)) for one in (held, seen, unseen, apart, false)))


TARGETS = {
    "xnli": ("mnli", "en de sw"),
    "pawsx": ("pawsx", "en de zh"),
    "udpos": ("udpos", "en de hi sw"),
    "panx": ("panx", "en de hi"),
    "xquad": ("squad_v1", "en de zh"),
    "mlqa": ("squad_v1", "en de"),
    "tydiqa": ("tydiqa", "en sw"),
    "bucc2018": (None, "de zh"),
    "tatoeba": (None, "de hi sw"),
}


def study(
    gains,
    seeds=(1, 2, 3),
    model="xlm-roberta-large",
    targets=TARGETS,
    seed_sd=0.002,
    item_sd=0.002,
    split="dev",
    collapsed=(),
    selected=None,
    resamples=99,
    number=5,
):
    """The outcomes of a study in which every intermediate gains what is said.

    Args:
        gains: intermediate -> points on every target, or target -> points.
        seed_sd: of a run's score, as a share.
        item_sd: of a score over test sets.
        collapsed: (intermediate, target, seed) of runs that score as if guessing.
        selected: intermediate -> English selection score; None: nothing is selected.
        number: of the study.
    """
    rng = np.random.default_rng(number)
    found = []
    for target, (trained_on, codes) in targets.items():
        languages = tuple(codes.split())
        items = rng.normal(0, item_sd, (1, len(languages), resamples))
        for before, points in {"": 0.0, **gains}.items():
            gain = points.get(target, 0.0) if isinstance(points, dict) else points
            constant = trained_on is None and not before
            rows = 1 if constant else len(seeds)
            level = 0.5 + gain / 100 - 0.02 * np.arange(len(languages))
            run = rng.normal(0, 0 if constant else seed_sd, (rows, 1))
            observed = (level + run)[:, :, None]
            # Items that matter to a difference: each condition is hit in its own way.
            own = items + rng.normal(0, item_sd / 2, (1, 1, resamples))
            values = np.concatenate([observed, observed + own], axis=2)
            for place, seed in enumerate(seeds[:rows]):
                if (before, target, seed) in collapsed:
                    values[place] -= observed[place] - 0.01
            found.append(
                Outcome(
                    model=model,
                    path=f"{before} > {target}" if before else target,
                    target=target,
                    trained_on=trained_on,
                    split=split,
                    seeds=None if constant else tuple(seeds),
                    languages=languages,
                    values=values,
                    groups=500,
                    chance=None if trained_on is None else 0.0,
                    selected=None
                    if selected is None or trained_on is None
                    else (selected[before],) * rows,
                )
            )
    return Outcomes(found)


def counted(rng, seeds, metric, groups=150, in_group=3):
    """The difference of two conditions on the same items, from counts; its true value.

    An item is right where difficulty of its group + run + noise is above a threshold. Under F1, one
    answer in ten is not given: 2 found / (predicted + gold) is then 1.8 / 1.9 of the share right.
    """
    spread = np.sqrt(1 + 1 + 0.15**2)
    group = rng.normal(0, 1, (groups, 1, 1))
    sums, truth = [], []
    for level in (0.3, 0.2):
        latent = group + rng.normal(0, 0.15, (1, seeds, 1))
        right = level + latent + rng.normal(0, 1, (groups, seeds, in_group)) > 0
        share, things = stats.norm.cdf(level / spread), np.full((groups, seeds), float(in_group))
        if metric.name == "seqeval_f1":
            given = rng.random((groups, 1, in_group)) < 0.9
            parts = [(right & given).sum(2), np.repeat(given.sum(2), seeds, axis=1), things]
            truth.append(1.8 / 1.9 * share)
        else:
            parts = [right.sum(2), things]
            truth.append(share)
        sums.append(np.stack(parts, axis=2).astype(float))
    hashes = np.arange(groups, dtype=np.int64)
    items = Items("simulated", {"en": hashes}, shared=False, resamples=199)
    one, two = (
        Draws(items.values(metric, "en", Counts(hashes, each)), tuple(range(seeds)), groups)
        for each in sums
    )
    return one - two, truth[0] - truth[1]

"""Question 4: how what an intermediate task brings changes with the size of the model.

A ladder is one kind of model in several sizes. The gain (intermediate minus baseline) is laid over
the logarithm of the parameters used, and its slope is what changes when the model doubles: per
target, per group of languages, and for the mean, in points, as a share of the baseline's errors and
on the logit scale. Points alone cannot tell a gain that diminishes from scores that near a ceiling.

Seed s of every size is one draw, and a resample of a target's items is the same one for all sizes,
so that the slope is formed within each and has the interval of any other difference. It covers
training runs and items for these checkpoints; another pretraining of the same size is not in it.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from xstilts import languages
from xstilts.analysis.draws import (
    Draws,
    common_seeds,
    error_reduction,
    logit,
    mean,
    slope,
    weighted,
)
from xstilts.analysis.estimate import (
    ALPHA,
    POINT,
    Estimate,
    equivalence_p,
    estimate,
    holm,
    is_chance,
    may_test,
    p_value,
)
from xstilts.analysis.rates import chosen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from xstilts.analysis.gains import Gains
    from xstilts.analysis.rates import Size

Scale = Literal["points", "error reduction", "logit"]
Over = Literal["mean", "target", "languages"]
Verdict = Literal["constant", "diminishes", "grows", "undetermined", "too few sizes"]
LADDER = "ladder"  # among a study's analyses
MARGIN = "doubling"  # among a study's margins: points that a doubling may change
FEWEST_SIZES, FEWEST_SEEDS = 3, 3
ENGLISH = "English"
# After an intermediate task and before it.
SCALES: Mapping[Scale, Callable[[Draws, Draws], Draws]] = {
    "points": lambda after, before: after - before,
    "error reduction": error_reduction,
    "logit": lambda after, before: logit(after) - logit(before),
}


@dataclass(frozen=True)
class Trend:
    """One gain over the sizes of a ladder.

    Attributes:
        ladder, intermediate: which.
        over: ``mean`` over targets, one ``target``, or a group of ``languages`` (English; others by
            family), the mean over the targets that have some.
        name: of the target or the group; "" for the mean.
        scale: what a gain is measured in.
        targets: which are in it: those that count at every size.
        gains: of every size, in their order.
        slope: the change of the gain when the model doubles.
        bend: the change of the slope, so that a line through gains that rise and fall is seen.
        margin: within which the slope counts as none; None where the study declares none. Declared
            in points; on the other scales it is what so many points are at the mean baseline.
        indicative: fewer than three seeds.
        at_chance: at some size a target is no better than guessing with or without the intermediate
            task, so that its gain of nothing says nothing.
        p, equivalence_p: of the slope, by Holm over all of the ladders' trends of this kind; None
            where nothing may be tested.
        verdict: what is said of these sizes.
    """

    ladder: str
    intermediate: str
    over: Over
    name: str
    scale: Scale
    targets: tuple[str, ...]
    gains: tuple[Estimate, ...]
    slope: Estimate
    bend: Estimate | None
    margin: float | None
    indicative: bool
    at_chance: bool
    p: float | None = None
    equivalence_p: float | None = None
    verdict: Verdict = "undetermined"

    @property
    def bent(self) -> bool:
        """Whether the gains are not on a line, as those that rise and fall; by itself, at 5 %."""
        return self.bend is not None and may_test(self.bend) and p_value(self.bend) < ALPHA

    def row(self) -> dict[str, Any]:
        """As a flat row of a table."""
        found = asdict(self)
        slope_, bend = found.pop("slope"), found.pop("bend")
        found["gains"] = [[one.value, one.low, one.high] for one in self.gains]
        found["slope"] = [slope_[name] for name in ("value", "low", "high")]
        found["bend"] = bend and [bend[name] for name in ("value", "low", "high")]
        about = {name: slope_[name] for name in ("seeds", "groups", "covers", "collapsed")}
        return {**found, **about, "bent": self.bent}


@dataclass(frozen=True)
class Ladder:
    """One kind of model in several sizes.

    Attributes:
        name: as the study has it.
        sizes: those with finished scores, the smallest first.
        missing: model -> why it is not among them.
        trends: what their gains do.
    """

    name: str
    sizes: tuple[Size, ...]
    missing: Mapping[str, str]
    trends: tuple[Trend, ...]

    @property
    def count(self) -> int:
        """How many different sizes there are."""
        return _different(self.sizes)

    @property
    def seen(self) -> str:
        """The sizes that anything is said of."""
        if not self.sizes:
            return "no size is finished"
        first, last = self.sizes[0].parameters, self.sizes[-1].parameters
        if self.count == 1:
            return f"one size, {millions(first)} parameters used"
        return (
            f"{self.count} sizes from {millions(first)} to {millions(last)} parameters used "
            f"({np.log2(last / first):.1f} doublings); nothing is said of others"
        )

    def document(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "ladder": self.name,
            "seen": self.seen,
            "sizes": [asdict(one) for one in self.sizes],
            "missing": dict(self.missing),
            "trends": [one.row() for one in self.trends],
        }


def _different(sizes: Sequence[Size]) -> int:
    return len({size.parameters for size in sizes})


def millions(parameters: int) -> str:
    """A number of parameters for people."""
    return f"{parameters / 1e6:,.1f} M" if parameters < 1e8 else f"{parameters / 1e6:,.0f} M"


def ladders(gains: Gains) -> list[Ladder]:
    """Every ladder of a study, in its order.

    Args:
        gains: at every learning rate that was tried.
    """
    found = []
    for name in dict.fromkeys(rung.ladder for rung in gains.outcomes.rungs):
        sizes, missing = chosen(gains.outcomes, name)
        trends = list(_trends(gains, name, sizes)) if _different(sizes) > 1 else []
        found.append((name, sizes, missing, trends))
    judged = iter(_judged([trend for *_, trends in found for trend in trends], found))
    return [
        Ladder(name, sizes, missing, tuple(next(judged) for _ in trends))
        for name, sizes, missing, trends in found
    ]


def _trends(gains: Gains, ladder: str, sizes: tuple[Size, ...]) -> Iterator[Trend]:
    for before in gains.intermediates:
        counted = [
            target
            for target in gains.targets
            if all(_counts(gains, size.name, target, before) for size in sizes)
        ]
        kinds: list[tuple[Over, str, dict[str, tuple[str, ...]]]] = [
            ("mean", "", dict.fromkeys(counted, ()))
        ]
        kinds += [("target", target, {target: ()}) for target in counted]
        kinds += [("languages", g, m) for g, m in _groups(gains, sizes[0], before, counted)]
        for over, name, members in kinds:
            for scale in SCALES if members else ():
                made = _trend(gains, sizes, before, members, scale)
                if made is not None:
                    yield Trend(ladder, before, over, name, scale, tuple(members), *made)


def _counts(gains: Gains, name: str, target: str, before: str) -> bool:
    one = gains.outcome(name, target, before)
    return one is not None and gains.counts(one) and gains.outcome(name, target, "") is not None


def _groups(
    gains: Gains, size: Size, before: str, targets: Sequence[str]
) -> Iterator[tuple[str, dict[str, tuple[str, ...]]]]:
    """English, and the other languages by family: target -> its languages of that group."""
    found: dict[str, dict[str, tuple[str, ...]]] = defaultdict(dict)
    for target in targets:
        one = gains.outcome(size.name, target, before)
        for code in one.languages if one is not None else ():
            group = ENGLISH if code == "en" else languages.get(code).family
            found[group][target] = (*found[group].get(target, ()), code)
    yield from found.items()


def _trend(
    gains: Gains,
    sizes: tuple[Size, ...],
    before: str,
    members: Mapping[str, tuple[str, ...]],
    scale: Scale,
) -> tuple[tuple[Estimate, ...], Estimate, Estimate | None, float | None, bool, bool] | None:
    """The gain at every size, its slope and bend, the margin; few seeds, scores at chance."""
    draws, levels, fell, at_chance = [], [], set[int](), False
    for size in sizes:
        own = []
        for target, codes in members.items():
            after, base = (gains.outcome(size.name, target, b) for b in (before, ""))
            assert after is not None and base is not None  # noqa: PT018
            pair = after.over(codes), base.over(codes)
            if common_seeds(pair) == ():
                return None
            own.append(SCALES[scale](*pair))
            at_chance |= all(is_chance(one, after.chance) for one in pair)
            levels.append(float(pair[1].values[:, 0].mean()))
        if common_seeds(own) == ():
            return None
        draws.append(mean(own))
        fell |= set(gains.collapsed(size.name, members, before, ""))
    if common_seeds(draws) == ():
        return None
    places = [float(np.log2(size.parameters)) for size in sizes]
    collapsed = tuple(sorted(fell))
    slopes = estimate(slope(draws, places), collapsed)
    bend = None
    if _different(sizes) >= FEWEST_SIZES:
        bend = estimate(weighted(draws, _bending(np.array(places))), collapsed)
    seeds = slopes.tested.seeds
    return (
        tuple(estimate(one, collapsed) for one in draws),
        slopes,
        bend,
        _margin(gains.outcomes.margins.get(MARGIN), scale, float(np.mean(levels))),
        0 < seeds < FEWEST_SEEDS,
        at_chance,
    )


def _bending(places: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights of the coefficient of the square: what is left of it beside a line, ``[sizes]``."""
    x = places - places.mean()
    line = np.stack([np.ones_like(x), x], axis=1)
    left = x**2 - line @ np.linalg.lstsq(line, x**2, rcond=None)[0]
    return left / (left @ left)


def _margin(points: float | None, scale: Scale, level: float) -> float | None:
    """The margin on a scale: what so many points are at that score, by the scale's derivative."""
    if points is None:
        return None
    stretch = {"points": 1.0, "error reduction": 1 - level, "logit": level * (1 - level)}[scale]
    return points * POINT / max(stretch, POINT)


def _judged(trends: Sequence[Trend], found: Sequence[tuple[Any, ...]]) -> list[Trend]:
    """With p-values, by Holm over the trends of one kind and scale, and verdicts."""
    enough = {name: _different(sizes) >= FEWEST_SIZES for name, sizes, *_ in found}
    kinds: dict[tuple[str, str], list[int]] = defaultdict(list)
    for place, one in enumerate(trends):
        if enough[one.ladder] and may_test(one.slope):
            kinds[one.over, one.scale].append(place)
    judged = list(trends)
    for places in kinds.values():
        p = holm({str(n): p_value(trends[n].slope) for n in places})
        alike = holm(
            {
                str(n): equivalence_p(trends[n].slope, margin)
                for n in places
                if (margin := trends[n].margin) is not None
            }
        )
        for n in places:
            judged[n] = replace(trends[n], p=p[str(n)], equivalence_p=alike.get(str(n)))
    return [
        replace(one, verdict=_verdict(one) if enough[one.ladder] else "too few sizes")
        for one in judged
    ]


def _verdict(one: Trend) -> Verdict:
    """What the tests say of the sizes seen."""
    if one.p is None:
        return "undetermined"
    alike = one.equivalence_p is not None and one.equivalence_p < ALPHA
    if alike and not one.bent and not one.at_chance:
        return "constant"
    if one.p < ALPHA:
        return "grows" if one.slope.tested.value > 0 else "diminishes"
    return "undetermined"

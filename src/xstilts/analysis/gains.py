"""What an intermediate task brings: differences to the baseline and to controls, and their means.

A mean over targets is the suite's: unweighted over tasks, each unweighted over its languages. Cells
where the intermediate and the target train on the same data are marked. Targets with such a cell
are left out of every intermediate's mean, so that means are over the same targets and can be
compared; a second mean has them all.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import asdict, dataclass, replace
from math import log10
from typing import TYPE_CHECKING, Any

from xstilts import languages, suites
from xstilts.analysis import routes
from xstilts.analysis.draws import Draws, common_seeds, mean, slope
from xstilts.analysis.estimate import (
    ALPHA,
    POINT,
    Estimate,
    detectable,
    equivalence_p,
    estimate,
    family_p,
    holm,
    is_chance,
    may_test,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from xstilts.analysis.outcomes import Outcome, Outcomes

RETRIEVAL = frozenset(
    task for suite in suites.BENCHMARKS.values() for task in suite.groups["retrieval"]
)
BASELINE = "baseline"
SAME_DATA = "mean with same data"
# How targets are taken together.
MEANS: dict[str, dict[str, bool]] = {
    "mean": {},
    "mean without retrieval": {"retrieval": False},
    SAME_DATA: {"same_data": True},
}
# Families of tests that a study may declare in "analyses", and which gains each one tests.
FAMILIES: dict[str, Callable[[Gain], bool]] = {
    "gains": lambda one: (one.over, one.versus) == ("mean", BASELINE),
    "controls": lambda one: one.over == "mean" and one.versus in routes.CONTROLS,
    "targets": lambda one: (one.over, one.versus) == ("target", BASELINE) and not one.flag,
}


@dataclass(frozen=True)
class Gain:
    """One difference.

    Attributes:
        model, intermediate: which.
        versus: ``baseline`` (no intermediate task), a control, or a simpler intermediate.
        over: ``target``, ``mean``, ``mean without retrieval``, ``mean with same data`` (where
            targets were left out of the others), ``language``, ``family``, ``script``, or
            ``tenfold pretraining text`` (the slope of the gain per language).
        name: of the target, language, family or script; "" for means.
        targets: which targets are in it.
        flag: ``repeat`` or ``same data``; see `routes.flag`.
        estimate: of the difference, in the unit of the scores.
        family: the declared family of tests it belongs to; "" for an exploratory one.
        p: adjusted by Holm within the family; None outside families and with one seed.
        margin: the points within which the study calls the gain none; None where it does not say.
        equivalence_p: for "the gain is not within the margin", by Holm over all that have one.
        tests: how many there are in its family; 1 outside families.
    """

    model: str
    intermediate: str
    versus: str
    over: str
    name: str
    targets: tuple[str, ...]
    flag: routes.Flag
    estimate: Estimate
    family: str = ""
    p: float | None = None
    margin: float | None = None
    equivalence_p: float | None = None
    tests: int = 1

    @property
    def detectable(self) -> float | None:
        """The smallest true difference that a test of this one finds in four of five studies.

        Of a declared family at Holm's first level, at which any of its tests must be found. None
        where there is nothing to test, or not over a mean.
        """
        if not self.over.startswith("mean") or not may_test(self.estimate):
            return None
        return detectable(self.estimate.tested.variance, ALPHA / self.tests)

    def row(self) -> dict[str, Any]:
        """As a flat row of a table."""
        found = asdict(self)
        inner, learnt = found.pop("estimate"), self.estimate.learnt
        variance = inner.pop("variance")
        inner["learnt"] = None if learnt is None else [learnt.value, learnt.low, learnt.high]
        parts = {f"{name}_variance": variance[name] for name in ("seed", "item")}
        shown = {"gain": inner.pop("value"), **inner, "collapsed": list(inner["collapsed"])}
        more = {"detectable": self.detectable, "targets": list(found["targets"])}
        return {**found, **shown, **parts, **more}


class Gains:
    """All differences of a study.

    Attributes:
        outcomes: where they come from.
        intermediates: in the order of the study, controls left out.
        targets: what means are over.
    """

    def __init__(self, outcomes: Outcomes, *, same_data: bool = False) -> None:
        """Pair the outcomes.

        Args:
            outcomes: of a study.
            same_data: whether targets with cells flagged ``repeat`` or ``same data`` count in
                means.
        """
        self.outcomes, self._same_data = outcomes, same_data
        self._by: dict[tuple[str, str, str, str], Outcome] = {}
        lasts: dict[str, list[str]] = defaultdict(list)
        befores: dict[str, None] = {}
        for one in outcomes:
            found = routes.route(one, one.baseline)
            self._by[one.model, one.target, found.last, found.before] = one
            lasts[one.target].append(found.last)
            befores |= {found.before: None}
        self._last = {name: name if name in own else own[0] for name, own in lasts.items()}
        declared = outcomes.targets or tuple(self._last)
        self.targets = tuple(name for name in self._last if name in declared)
        self.intermediates = tuple(b for b in befores if b and not routes.is_control(b))
        marked = {one.target for one in outcomes if routes.flag(one)}
        # Where each target is some intermediate's own data, each has a mean of its own.
        self._marked = marked if set(self.targets) - marked else set()

    def outcome(self, model: str, target: str, before: str) -> Outcome | None:
        """The outcome of a target after some intermediate; "" is the baseline."""
        return self._by.get((model, target, self._last.get(target, ""), before))

    def difference(
        self, model: str, target: str, before: str, other: str = "", codes: tuple[str, ...] = ()
    ) -> Draws | None:
        """After one intermediate minus after another, mean over languages; None if it is not there.

        Args:
            before, other: intermediates; "" is the baseline.
            codes: of the languages; all of the target's if empty.
        """
        one, two = self.outcome(model, target, before), self.outcome(model, target, other)
        if one is None or two is None:
            return None
        codes = tuple(code for code in one.languages if code in (codes or two.languages))
        draws = [each.over(codes) for each in (one, two)]
        return None if not codes or common_seeds(draws) == () else draws[0] - draws[1]

    def set_aside(self) -> dict[str, str]:
        """Paths whose target's stage is not the one that is compared -> the one that is."""
        return {
            one.path: self._last[target]
            for (_, target, last, _), one in self._by.items()
            if last != self._last[target]
        }

    def unpaired(self) -> dict[str, str]:
        """The paths that have no finished baseline beside them: path -> the baseline's path."""
        found = {}
        for (model, target, last, before), one in self._by.items():
            if before and (model, target, last, "") not in self._by:
                trained = one.trained_on is not None or last == one.baseline
                found[one.path] = last if trained else f"| {last}"
        return found

    def gap(self, model: str, target: str, before: str) -> Estimate | None:
        """English minus the mean of the other languages; None where there is no such pair."""
        one = self.outcome(model, target, before)
        others = tuple(code for code in one.languages if code != "en") if one else ()
        if one is None or not others or "en" not in one.languages:
            return None
        return estimate(one.over(("en",)) - one.over(others), self.outcomes.collapsed(one))

    def counts(self, one: Outcome) -> bool:
        """Whether an outcome counts in means."""
        return self._same_data or not (routes.flag(one) or one.target in self._marked)

    def tokens(self, model: str, before: str) -> float | None:
        """What an intermediate trained on; None where no run says."""
        every = (self.outcome(model, target, before) for target in self.targets)
        return next((one.tokens for one in every if one is not None and one.tokens), None)

    def counted(
        self, model: str, before: str, other: str = "", *, same_data: bool = False
    ) -> dict[str, Draws]:
        """The differences that count in means: target -> draws.

        Args:
            model, before, other: as in `difference`.
            same_data: flagged cells too, as where the whole of the gains was made so.
        """
        found = {}
        for target in self.targets:
            one = self.outcome(model, target, before)
            if one is not None and (same_data or self.counts(one)):
                draws = self.difference(model, target, before, other)
                if draws is not None:
                    found[target] = draws
        return found

    def mean(
        self,
        model: str,
        before: str,
        other: str = "",
        *,
        retrieval: bool = True,
        same_data: bool = False,
    ) -> tuple[Draws, tuple[str, ...]] | None:
        """The mean over targets and what is in it; None where nothing is, or no seed has all."""
        counted = self.counted(model, before, other, same_data=same_data)
        mine = {name: d for name, d in counted.items() if retrieval or name not in RETRIEVAL}
        if not mine or common_seeds(list(mine.values())) == ():
            return None
        return mean(list(mine.values())), tuple(mine)

    def collapsed(self, model: str, targets: Iterable[str], *befores: str) -> tuple[int, ...]:
        """Seeds of which a run of these targets did not learn."""
        runs = (self.outcome(model, target, b) for target in targets for b in befores)
        return tuple(sorted({s for one in runs if one for s in self.outcomes.collapsed(one)}))

    def at_chance(self, model: str, targets: Iterable[str], *befores: str) -> bool:
        """Whether a target is no better than guessing after all of these: then it tells nothing."""
        for target in targets:
            runs = [one for b in befores if (one := self.outcome(model, target, b)) is not None]
            if runs and all(is_chance(one.over(), one.chance) for one in runs):
                return True
        return False

    def all(self) -> list[Gain]:
        """Every difference; those of the families that the study declared with p-values."""
        found = [
            gain
            for model in self.outcomes.models
            for before in self.intermediates
            for gain in self._of(model, before)
        ]
        for family in (name for name in FAMILIES if name in self.outcomes.analyses):
            found = _tested(found, family)
        return _equivalent(found, self.outcomes.margins, self.at_chance)

    def _of(self, model: str, before: str) -> Iterator[Gain]:
        for target in self.targets:
            draws, one = self.difference(model, target, before), self.outcome(model, target, before)
            if draws is not None and one is not None:
                collapsed = self.collapsed(model, [target], before, "")
                yield Gain(
                    *(model, before, BASELINE, "target", target, (target,), routes.flag(one)),
                    estimate(draws, collapsed),
                )
        others = routes.control_of(before) | self.simpler(before)
        for versus, other in {BASELINE: "", **others}.items():
            usual: tuple[str, ...] = ()
            for over, how in MEANS.items():
                whole = self.mean(model, before, other, **how)
                if whole is not None and not (over == SAME_DATA and whole[1] == usual):
                    usual = usual or whole[1]
                    collapsed = self.collapsed(model, whole[1], before, other)
                    found = estimate(whole[0], collapsed)
                    yield Gain(model, before, versus, over, "", whole[1], "", found)
        yield from self._by_language(model, before)

    def simpler(self, before: str) -> dict[str, str]:
        """What a variant is compared with; rows in other languages, by who wrote them."""
        found = routes.simpler(before)
        if (english := found.pop("other languages", None)) is not None:
            task = routes.task_of(before)
            translated = task in self.outcomes.translated
            found["translated" if translated else "other languages"] = english
        return found

    def _by_language(self, model: str, before: str) -> Iterator[Gain]:
        """Per language, the mean over the targets that have it; then per family and script."""
        by_code: dict[str, dict[str, Draws]] = defaultdict(dict)
        for target in self.counted(model, before):
            one = self.outcome(model, target, before)
            for code in one.languages if one else ():
                draws = self.difference(model, target, before, codes=(code,))
                if draws is not None:
                    by_code[code][target] = draws
        every = [draws for mine in by_code.values() for draws in mine.values()]
        if not every or common_seeds(every) == ():
            return
        gains = {code: mean(list(mine.values())) for code, mine in by_code.items()}

        def gain(over: str, name: str, codes: Iterable[str], draws: Draws) -> Gain:
            targets = tuple(dict.fromkeys(target for code in codes for target in by_code[code]))
            found = estimate(draws, self.collapsed(model, targets, before, ""))
            return Gain(model, before, BASELINE, over, name, targets, "", found)

        for code, draws in gains.items():
            yield gain("language", code, [code], draws)
        for over in ("family", "script"):
            kinds: dict[str, list[str]] = defaultdict(list)
            for code in gains:
                kinds[getattr(languages.get(code), over)].append(code)
            for name, codes in kinds.items():
                yield gain(over, name, codes, mean([gains[code] for code in codes]))
        by_size = slope_by_size(gains)
        if by_size is not None:
            yield gain("tenfold pretraining text", "", gains, by_size)


def slope_by_size(gains: dict[str, Draws]) -> Draws | None:
    """Least squares of the gain per language on log10 of XLM-R's pretraining tokens.

    None with fewer than three languages of known size. Other encoders saw other amounts.
    """
    sizes = {code: languages.get(code).xlmr_tokens_m for code in gains}
    known = {code: log10(size) for code, size in sizes.items() if size}
    if len(known) < 3:
        return None
    return slope([gains[code] for code in known], list(known.values()))


def _tested(gains: list[Gain], family: str) -> list[Gain]:
    """The gains with p-values for those of the family that may be tested."""
    ps = family_p([one.estimate for one in gains if FAMILIES[family](one)])
    tests, left = max(sum(p is not None for p in ps), 1), iter(ps)
    return [
        replace(one, family=family, p=next(left), tests=tests) if FAMILIES[family](one) else one
        for one in gains
    ]


def _equivalent(
    gains: list[Gain], margins: Mapping[str, float], at_chance: Callable[..., bool]
) -> list[Gain]:
    """The gains with p-values for equivalence where the study declared a margin.

    Two scores at chance are alike, and say nothing of whether the intermediate task matters.
    """

    def margin(one: Gain) -> float | None:
        if one.versus != BASELINE or one.flag or one.over not in ("target", "mean"):
            return None
        return margins.get(one.name or one.over)

    mine = {place: found for place, one in enumerate(gains) if (found := margin(one)) is not None}
    tested = {
        str(place): equivalence_p(gains[place].estimate, points * POINT)
        for place, points in mine.items()
        if may_test(gains[place].estimate)
        and not at_chance(gains[place].model, gains[place].targets, gains[place].intermediate, "")
    }
    adjusted = holm(tested)
    return [
        replace(one, margin=mine[place], equivalence_p=adjusted.get(str(place)))
        if place in mine
        else one
        for place, one in enumerate(gains)
    ]

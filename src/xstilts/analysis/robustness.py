"""Does noise cost a model with an intermediate task more, or less, than the baseline?

The *drop* is the clean score minus the perturbed one, of the same run on the same items. The
*interaction* is the drop after an intermediate task minus the baseline's: above 0, the intermediate
task makes it more fragile. In three ways: in points; on the logit scale, where a point near chance
and one near the top are not the same; and on the items that both get right clean.

A cell (target, perturbation, language) counts in means only where labels hold for sure and where
both have something to lose: where the interval of a clean score holds chance, it has no headroom.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from xstilts import languages
from xstilts.analysis.draws import Draws, common_seeds, logit, mean
from xstilts.analysis.estimate import ALPHA, Estimate, estimate, family_p, untested
from xstilts.analysis.gains import Gains
from xstilts.analysis.resample import Items
from xstilts.analysis.right import FEWEST, Rights, by_group, ratio, shares
from xstilts.analysis.routes import flag
from xstilts.path import parse_noise

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from xstilts.analysis.outcomes import Outcome, Outcomes
    from xstilts.analysis.routes import Flag
    from xstilts.plan import Plan
    from xstilts.store import Store
    from xstilts.tasks import Catalogue

    Fell = Callable[[Iterable[str]], tuple[int, ...]]  # targets -> seeds that did not learn

Over = Literal["mean", "target", "perturbation", "script", "language"]
WORST = 10  # languages listed
_BOTH = ratio("both right", lambda sums: sums[1] - sums[2])


@dataclass(frozen=True)
class Cell:
    """One intermediate against the baseline, on one target, in one language, with one noise.

    Attributes:
        model, intermediate, target, perturbation, language: which.
        labels: ``preserving`` or ``possibly changing``.
        flag: what is odd about the pair, see `routes.flag`; it is in no mean then.
        headroom: whether both clean scores are above chance by more than their interval.
        changed_subwords: the share of sub-words that the noise changed.
        baseline, own: the drops.
        logit: the interaction on the logit scale.
        both_right: the interaction on items that both get right clean; None where they are few.
    """

    model: str
    intermediate: str
    target: str
    perturbation: str
    language: str
    labels: str
    flag: Flag
    headroom: bool
    changed_subwords: float
    baseline: Draws
    own: Draws
    logit: Draws
    both_right: Draws | None


@dataclass(frozen=True)
class Interaction:
    """One line of the answer.

    Attributes:
        model, intermediate: which.
        over: what it is about: ``mean`` of all, a ``target``, a ``perturbation``, a perturbation in
            a ``script``, a ``language``.
        name: of that; "" for the mean.
        perturbation: with its severity, where it is about one.
        labels: ``preserving``, or ``possibly changing``, which is in no mean.
        baseline, own: the drops, shares; None without headroom.
        points, logit, both_right: the interaction; None without headroom, or with few such items.
        changed_subwords: a share.
        cells, without_headroom: how many are in it, and how many were left out.
        p: of the interaction in points, of means alone: by Holm over a model's intermediates; None
            with one seed.
    """

    model: str
    intermediate: str
    over: Over
    name: str
    perturbation: str
    labels: str
    baseline: Estimate | None
    own: Estimate | None
    points: Estimate | None
    logit: Estimate | None
    both_right: Estimate | None
    changed_subwords: float
    cells: int
    without_headroom: int
    p: float | None = None

    def row(self) -> dict[str, Any]:
        """As a flat row of a table."""
        flat: dict[str, Any] = {
            "model": self.model,
            "intermediate": self.intermediate,
            "over": self.over,
            "name": self.name,
            "perturbation": self.perturbation,
            "labels": self.labels,
            "changed_subwords": self.changed_subwords,
            "cells": self.cells,
            "without_headroom": self.without_headroom,
            "p": self.p,
            "verdict": self.verdict,
        }
        for name in ("baseline", "own", "points", "logit", "both_right"):
            found = getattr(self, name)
            for part in ("value", "low", "high"):
                flat[f"{name}_{part}"] = None if found is None else getattr(found, part)
        flat["seeds"] = None if self.points is None else self.points.seeds
        flat["covers"] = None if self.points is None else self.points.covers
        return flat

    @property
    def verdict(self) -> str:
        """Of a mean, in words; of all else nothing but whether there is no headroom."""
        if self.points is None:
            return "no headroom"
        if self.over != "mean":
            return ""
        if self.p is None:
            return f"not judged: {untested(self.points)}"
        if self.p >= ALPHA:
            return "not told apart"
        return "more fragile" if self.points.tested.value > 0 else "more robust"


class Robustness:
    """The interactions of a study.

    Attributes:
        outcomes: clean and perturbed.
        gains: what is compared with what.
        perturbations: in the order of the study.
    """

    def __init__(self, outcomes: Outcomes, plan: Plan, store: Store, catalogue: Catalogue) -> None:
        """Pair clean with perturbed, and every intermediate with the baseline.

        Args:
            outcomes: loaded with ``perturbed=True``.
            plan, store: where predictions lie.
            catalogue: the tasks.
        """
        self.outcomes, self.gains = outcomes, Gains(outcomes)
        self._plan, self._store, self._catalogue = plan, store, catalogue
        self._noisy = {(o.model, o.path, o.target, o.perturbation): o for o in outcomes.perturbed}
        self.perturbations = tuple(dict.fromkeys(o.perturbation for o in outcomes.perturbed))
        self._rights, self._items = Rights(store), dict[tuple[str, str], Items | None]()
        self._steps: dict[tuple[str, ...], dict[int | None, str]] = defaultdict(dict)
        self._labels: dict[tuple[str, ...], str] = {}
        for cell in [*plan.cells, *plan.perturbed]:
            place = (cell.model, cell.path, cell.target, cell.perturbation, cell.language)
            self._steps[place][cell.seed] = plan.steps[cell.score].parent
            self._labels[place[2:]] = cell.labels

    @cached_property
    def cells(self) -> list[Cell]:
        """Every cell that is finished."""
        return [
            cell
            for model in self.outcomes.models
            for before in self.gains.intermediates
            for target in self.gains.targets
            for noise in self.perturbations
            for cell in self._of(model, before, target, noise)
        ]

    def _of(self, model: str, before: str, target: str, noise: str) -> Iterator[Cell]:
        own, base = (self.gains.outcome(model, target, one) for one in (before, ""))
        if own is None or base is None:
            return
        noisy = [self._noisy.get((model, one.path, target, noise)) for one in (own, base)]
        if noisy[0] is None or noisy[1] is None:
            return
        for code in noisy[0].languages:
            if code not in own.languages or code not in noisy[1].languages:
                continue
            four = [one.over((code,)) for one in (own, noisy[0], base, noisy[1])]
            seeds = common_seeds(four)
            if seeds == ():
                continue
            yield Cell(
                *(model, before, target, noise, code),
                labels=self._labels[target, noise, code],
                flag=flag(own),
                headroom=_headroom(own, code) and _headroom(base, code),
                changed_subwords=self._changed((model, base.path, target, noise, code), seeds),
                baseline=four[2] - four[3],
                own=four[0] - four[1],
                logit=_interaction([logit(one) for one in four]),
                both_right=self._both_right(model, (own, base), target, noise, code, seeds),
            )

    def _changed(self, place: tuple[str, ...], seeds: tuple[int, ...] | None) -> float:
        step = self._step(place, seeds[0] if seeds else None)
        return float(self._store.record(step)["result"]["changed_subwords"])

    def _both_right(
        self,
        model: str,
        pair: tuple[Outcome, Outcome],
        target: str,
        noise: str,
        code: str,
        seeds: tuple[int, ...] | None,
    ) -> Draws | None:
        """The interaction on the items that both get right clean, seed by seed."""
        items, task = self._groups(model, target), self._catalogue.get(target)
        if items is None:
            return None
        runs, order = [], items.groups_of(code)
        for seed in seeds or (None,):
            read = [
                self._rights.of(self._step((model, one.path, target, n, code), seed), task, code)
                for n in ("", noise)
                for one in pair
            ]
            if any(one is None for one in read):
                return None
            groups, right = read[0][0], [one[1] for one in read if one is not None]  # type: ignore[index]
            both = right[0] & right[1]
            runs.append(by_group(groups, order, both, both & right[3], both & right[2]))
        if any(run[:, 0].sum() < FEWEST for run in runs):
            return None
        return shares(items, code, runs, _BOTH, seeds)

    def _step(self, place: tuple[str, ...], seed: int | None) -> str:
        steps = self._steps[place]
        return steps[seed] if seed in steps else steps[None]

    def _groups(self, model: str, target: str) -> Items | None:
        """The groups of a target's items, drawn for all of its languages at once."""
        if (model, target) not in self._items:
            task, base = self._catalogue.get(target), self.gains.outcome(model, target, "")
            assert base is not None
            seed = None if base.seeds is None else base.seeds[0]
            found: dict[str, NDArray[np.int64]] = {}
            for code in base.languages:
                read = self._rights.of(
                    self._step((model, base.path, target, "", code), seed), task, code
                )
                if read is not None:
                    found[code] = np.unique(read[0])
            whole = len(found) == len(base.languages)
            self._items[model, target] = Items.of(task, found) if whole else None
        return self._items[model, target]

    def drops(self) -> dict[tuple[str, str], Draws]:
        """(Model, intermediate) -> what noise costs after it, for curves over intermediates.

        Over the cells that count for every intermediate of the model, so that they can be compared.
        """
        found: dict[tuple[str, str], Draws] = {}
        for model in self.outcomes.models:
            mine: dict[str, dict[tuple[str, str, str], Cell]] = {}
            for cell in self.cells:
                if cell.model == model and cell.labels == "preserving" and cell.headroom:
                    place = (cell.target, cell.perturbation, cell.language)
                    mine.setdefault(cell.intermediate, {})[place] = cell
            flagged = {cell.target for cell in self.cells if cell.model == model and cell.flag}
            shared = set.intersection(*map(set, mine.values())) if mine else set()
            for before, cells in mine.items():
                able = [c for place, c in cells.items() if place in shared]
                drop = _nested([(c, c.own) for c in able if c.target not in flagged])
                if drop is not None:
                    found[model, before] = drop
        return found

    def _fell(self, model: str, before: str, targets: Iterable[str]) -> tuple[int, ...]:
        """Seeds of which a run of these targets did not learn, after a task or without it."""
        return self.gains.collapsed(model, targets, before, "")

    def all(self) -> list[Interaction]:
        """Every line: means, targets, perturbations, perturbations in scripts, languages."""
        found: list[Interaction] = []
        for model in self.outcomes.models:
            for before in self.gains.intermediates:
                mine = [c for c in self.cells if (c.model, c.intermediate) == (model, before)]
                if mine:
                    fell = partial(self._fell, model, before)
                    found += _lines(model, before, mine, fell)
            found = _tested(found, model)
        return found


def _tested(lines: list[Interaction], model: str) -> list[Interaction]:
    """The lines with p-values for a model's means."""
    mine = [(line.over, line.model) == ("mean", model) for line in lines]
    ps = iter(family_p([line.points for line, is_mine in zip(lines, mine, strict=True) if is_mine]))
    return [
        replace(line, p=next(ps)) if is_mine else line
        for line, is_mine in zip(lines, mine, strict=True)
    ]


def _lines(model: str, before: str, cells: Sequence[Cell], fell: Fell) -> Iterator[Interaction]:
    place = (model, before, fell)
    sure = [cell for cell in cells if cell.labels == "preserving" and not cell.flag]
    if sure:
        yield _line(*place, "mean", "", sure)
    safe = [cell for cell in cells if cell.labels == "preserving"]
    for target, mine in _by(safe, lambda cell: cell.target).items():
        yield _line(*place, "target", target, mine)
    even = [cell for cell in cells if not cell.flag]
    # Severities compare within one perturbation and one script only.
    for (noise, labels), mine in _by(even, lambda c: (c.perturbation, c.labels)).items():
        yield _line(*place, "perturbation", parse_noise(noise).name, mine, noise, labels)
    for (noise, labels, script), mine in _by(
        even, lambda c: (c.perturbation, c.labels, languages.get(c.language).script)
    ).items():
        yield _line(*place, "script", script, mine, noise, labels)
    for code, mine in _by(sure, lambda cell: cell.language).items():
        yield _line(*place, "language", code, mine)


def _by(cells: Sequence[Cell], key: Callable[[Cell], Any]) -> Mapping[Any, list[Cell]]:
    found: dict[Any, list[Cell]] = defaultdict(list)
    for cell in cells:
        found[key(cell)].append(cell)
    return found


def _line(
    model: str,
    before: str,
    fell: Fell,
    over: Over,
    name: str,
    cells: Sequence[Cell],
    noise: str = "",
    labels: str = "preserving",
) -> Interaction:
    able = [cell for cell in cells if cell.headroom]
    collapsed = fell(dict.fromkeys(cell.target for cell in able))

    def made(pick: Callable[[Cell], Draws | None]) -> Estimate | None:
        draws = _nested([(cell, one) for cell in able if (one := pick(cell)) is not None])
        return None if draws is None else estimate(draws, collapsed)

    return Interaction(
        *(model, before, over, name, noise, labels),
        baseline=made(lambda cell: cell.baseline),
        own=made(lambda cell: cell.own),
        points=made(lambda cell: cell.own - cell.baseline),
        logit=made(lambda cell: cell.logit),
        both_right=made(lambda cell: cell.both_right),
        changed_subwords=float(np.mean([cell.changed_subwords for cell in cells])),
        cells=len(able),
        without_headroom=len(cells) - len(able),
    )


def _nested(pairs: Sequence[tuple[Cell, Draws]]) -> Draws | None:
    """The unweighted mean over targets, each over its perturbations, each over its languages."""
    by_target: dict[str, dict[str, list[Draws]]] = defaultdict(lambda: defaultdict(list))
    for cell, draws in pairs:
        by_target[cell.target][cell.perturbation].append(draws)
    if not pairs or common_seeds([draws for _, draws in pairs]) == ():
        return None
    return mean([mean([mean(one) for one in noises.values()]) for noises in by_target.values()])


def _headroom(one: Outcome, code: str) -> bool:
    """Whether a clean score is above chance by more than its interval."""
    return estimate(one.over((code,))).low > (one.chance or 0.0)


def _interaction(four: Sequence[Draws]) -> Draws:
    """Of the intermediate clean and noisy, and the baseline clean and noisy."""
    own, own_noisy, base, base_noisy = four
    return (own - own_noisy) - (base - base_noisy)


def worst(lines: Sequence[Interaction]) -> list[Interaction]:
    """The languages in which noise costs a model most, with or without an intermediate task."""
    costs: dict[str, float] = {}
    for line in lines:
        if line.baseline is not None and line.own is not None:
            here = max(line.baseline.value, line.own.value)
            costs[line.name] = max(here, costs.get(line.name, here))
    kept = sorted(costs, key=lambda code: -costs[code])[:WORST]
    return [line for code in kept for line in lines if line.name == code]

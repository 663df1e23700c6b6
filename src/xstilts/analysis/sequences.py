"""Question 5: what the order of intermediate tasks changes.

A *set* is the stages that sequences share, whatever their order; its control is all of them in one
stage, which takes as many optimiser steps. Values are mean scores over the targets that every
sequence of the set has, formed within each seed.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from xstilts.analysis import components, held_out
from xstilts.analysis.draws import Draws, common_seeds, mean, shared
from xstilts.analysis.estimate import Estimate, estimate, family_p
from xstilts.path import parse

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from xstilts.analysis.components import Component
    from xstilts.analysis.gains import Gains

Versus = Literal["random order", "multi-task", "best single task"]
Place = Literal["first", "last"]


@dataclass(frozen=True)
class Group:
    """One set of stages.

    Attributes:
        stages: as text, as the first of its sequences has them.
        orders: its sequences, as intermediates.
        together: all in one stage; "" where the study has no such control.
        singles: each stage alone, those that the study has.
    """

    stages: tuple[str, ...]
    orders: tuple[str, ...]
    together: str
    singles: tuple[str, ...]

    @property
    def name(self) -> str:
        """For people."""
        return ", ".join(self.stages)


@dataclass(frozen=True)
class Best:
    """The best order of a set, picked on one half of the seeds and judged on the other.

    Attributes:
        target: "" for the mean over targets.
        estimate: the best order minus what it is compared with, over all ways to halve the seeds;
            None with one seed.
        held_out: the same of one such way, whose judges are independent of the pick: what is
            tested. None with fewer than four seeds.
        cursed: the same for the order that is best on all seeds, judged on the same seeds.
        order: that order.
        p: of `held_out`, adjusted by Holm over all of them; None with too few seeds.
    """

    model: str
    group: str
    target: str
    versus: Versus
    estimate: Estimate | None
    held_out: Estimate | None
    cursed: float
    order: str
    p: float | None = None


@dataclass(frozen=True)
class Edge:
    """What it does to have a task first, or last, against the mean of its sets' orders."""

    model: str
    task: str
    place: Place
    estimate: Estimate
    p: float | None = None


@dataclass(frozen=True)
class Variances:
    """Components of all sets of one size.

    Attributes:
        size: stages of a sequence.
        sets, orders, seeds: how many.
        parts: by source.
    """

    model: str
    size: int
    sets: int
    orders: int
    seeds: int
    targets: tuple[str, ...]
    parts: tuple[Component, ...]


@dataclass(frozen=True)
class Sequences:
    """All that a study says of orders."""

    variances: tuple[Variances, ...]
    best: tuple[Best, ...]
    edges: tuple[Edge, ...]

    def document(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "variances": [asdict(one) for one in self.variances],
            "best": [asdict(one) for one in self.best],
            "edges": [asdict(one) for one in self.edges],
        }


def groups(gains: Gains, model: str) -> list[Group]:
    """The sets of a study that have two orders or more, the smallest first."""
    have = [
        b for b in gains.intermediates if any(_there(gains, model, t, b) for t in gains.targets)
    ]
    by_set: dict[frozenset[str], list[str]] = defaultdict(list)
    together: dict[frozenset[str], str] = {}
    for before in have:
        stages = tuple(map(str, parse(before).stages))
        if len(stages) > 1 and len(set(stages)) == len(stages):
            by_set[frozenset(stages)].append(before)
        elif len(stages) == 1:
            together[frozenset(map(str, parse(before).stages[0].items))] = before
    found = []
    for members, orders in sorted(by_set.items(), key=lambda one: len(one[0])):
        if len(orders) > 1:
            stages = tuple(map(str, parse(orders[0]).stages))
            singles = tuple(stage for stage in stages if stage in have)
            mixed = frozenset(str(i) for stage in parse(orders[0]).stages for i in stage.items)
            other = together.get(mixed, "") if len(mixed) == len(members) else ""
            found.append(Group(stages, tuple(orders), other, singles))
    return found


def _there(gains: Gains, model: str, target: str, before: str) -> bool:
    return gains.outcome(model, target, before) is not None


def values(gains: Gains, model: str, befores: Sequence[str], target: str = "") -> list[Draws]:
    """Scores after each intermediate: of one target, or the mean over those that all have.

    On the seeds that all share; empty where there is none.
    """
    have = [t for t in gains.targets if all(_there(gains, model, t, b) for b in befores)]
    chosen = [t for t in have if target in ("", t)]
    found = []
    for before in befores:
        outcomes = [gains.outcome(model, one, before) for one in chosen]
        draws = [one.over() for one in outcomes if one is not None]
        if draws:
            found.append(mean(draws))
    # Halves of seeds are made of these: whoever is compared is to have the same ones.
    return shared(found) if found else []


def analyse(gains: Gains) -> Sequences:
    """Everything, for every model."""
    variances: list[Variances] = []
    best: list[Best] = []
    edges: list[Edge] = []
    for model in gains.outcomes.models:
        every = groups(gains, model)
        for size in sorted({len(one.stages) for one in every}):
            mine = [one for one in every if len(one.stages) == size]
            variances += _variances(gains, model, mine)
            edges += _edges(gains, model, mine)
        for group in every:
            for target in ("", *gains.targets):
                best += _best(gains, model, group, target)
    return Sequences(tuple(variances), tuple(_tested(best)), tuple(_tested(edges)))


def _variances(gains: Gains, model: str, mine: Sequence[Group]) -> Iterator[Variances]:
    most = max(len(one.orders) for one in mine)
    whole = [one for one in mine if len(one.orders) == most]  # balanced, as the estimates need it
    befores = [before for one in whole for before in one.orders]
    draws = values(gains, model, befores)
    seeds = common_seeds(draws) if draws else ()
    if not draws or not seeds or len(seeds) < 2:
        return
    scores = np.stack([one.of(seeds)[:, 0] for one in draws])
    sets = [number for number, one in enumerate(whole) for _ in one.orders]
    orders = [tuple(map(str, parse(before).stages)) for before in befores]
    parts = tuple(components.components(scores, sets, orders))
    targets = tuple(t for t in gains.targets if all(_there(gains, model, t, b) for b in befores))
    yield Variances(model, len(orders[0]), len(whole), len(befores), len(seeds), targets, parts)


def _best(gains: Gains, model: str, group: Group, target: str) -> Iterator[Best]:
    compared: dict[Versus, tuple[str, ...]] = {"random order": group.orders}
    if group.together:
        compared["multi-task"] = (group.together,)
    if group.singles:
        compared["best single task"] = group.singles
    for versus, others in compared.items():
        draws = values(gains, model, (*group.orders, *others), target)
        if not draws:
            continue
        orders = dict(zip(group.orders, draws, strict=False))
        other = draws[len(orders) :]
        picked, cursed = held_out.best(orders), held_out.picked_by_all(orders)
        single_pick, single = held_out.once(orders), None
        if versus == "best single task":
            singles = dict(zip(others, other, strict=True))
            against, single = held_out.best(singles), held_out.once(singles)
            too_good = held_out.picked_by_all(singles)
        else:
            against = too_good = single = mean(other)
        fell = gains.collapsed(
            model, (target,) if target else gains.targets, *group.orders, *others
        )
        found = estimate(picked - against, fell) if picked and against else None
        tested = estimate(single_pick - single, fell) if single_pick and single else None
        difference = float((cursed - too_good).values[:, 0].mean())
        top = max(orders, key=lambda before: float(orders[before].values[:, 0].mean()))
        yield Best(model, group.name, target, versus, found, tested, difference, top)


def _edges(gains: Gains, model: str, mine: Sequence[Group]) -> Iterator[Edge]:
    """Within each set, orders with a task at one end minus all of its orders; then over sets."""
    places: tuple[Place, ...] = ("first", "last")
    for place in places:
        at = 0 if place == "first" else -1
        found: dict[str, list[Draws]] = defaultdict(list)
        for group in mine:
            draws = dict(zip(group.orders, values(gains, model, group.orders), strict=False))
            for task in group.stages if draws else ():
                there = [d for b, d in draws.items() if str(parse(b).stages[at]) == task]
                if there:
                    found[task].append(mean(there) - mean(list(draws.values())))
        for task, differences in found.items():
            if common_seeds(differences) == ():
                continue
            orders = [before for group in mine for before in group.orders]
            fell = gains.collapsed(model, gains.targets, *orders)
            yield Edge(model, task, place, estimate(mean(differences), fell))


def _tested(found: Sequence[Any]) -> list[Any]:
    """With p-values, adjusted over all of them."""
    ps = family_p([one.held_out if isinstance(one, Best) else one.estimate for one in found])
    return [replace(one, p=p) for one, p in zip(found, ps, strict=True)]

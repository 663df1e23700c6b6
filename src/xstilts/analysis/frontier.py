"""The frontier of quality against latency: ways to answer, with what each costs and saves."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from xstilts.analysis import outcomes, speed
from xstilts.analysis.estimate import Estimate, estimate
from xstilts.scenario import FIRST, SECOND

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from xstilts.analysis.draws import Draws
    from xstilts.analysis.latency import Ratio
    from xstilts.analysis.outcomes import Outcome
    from xstilts.measures import Measured, Variant
    from xstilts.plan import Cell, Plan
    from xstilts.store import Store
    from xstilts.tasks import Catalogue


@dataclass(frozen=True)
class Point:
    """One way to answer on the frontier.

    Attributes:
        variant: which.
        score: the mean over languages.
        loss: the change of that mean against the base, with its interval over items; None of the
            base itself.
        by_language: language -> the change of its score.
        time: how much longer it takes than the base; None of the base itself, or not measured.
        same: the base against itself, in the same run.
        memory: of the base's; None where not measured.
        efficient: whether no other point is both as good and faster, or better and as fast.
    """

    variant: Variant
    score: float
    loss: Estimate | None
    by_language: Mapping[str, float]
    time: Ratio | None
    same: Ratio | None
    memory: float | None
    efficient: bool = False

    @property
    def relative_time(self) -> float | None:
        """Of the base's time per query; None where not measured."""
        if self.variant.serve == self.variant.base:
            return 1.0
        return None if self.time is None else self.time.value

    @property
    def quiet(self) -> bool:
        """Whether the machine was quiet enough to say anything."""
        return self.same is None or self.same.answer == "equal"

    def row(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self) | {"relative_time": self.relative_time, "quiet": self.quiet}


def frontier(plan: Plan, store: Store, catalogue: Catalogue) -> list[Point]:
    """Quality against latency, of every variant that is scored, target by target."""
    found: list[Point] = []
    groups = dict.fromkeys((one.model, one.path, one.target) for one in plan.frontier)
    for group in groups:
        mine = [one for one in plan.frontier if (one.model, one.path, one.target) == group]
        points = list(_points(mine, plan, store, catalogue))
        found += [replace(one, efficient=_efficient(one, points)) for one in points]
    return found


def _points(
    variants: Sequence[Variant], plan: Plan, store: Store, catalogue: Catalogue
) -> Iterator[Point]:
    cells = [cell for one in variants for cell in _cells(one, plan)]
    if not outcomes.any_whole(cells, store):
        return
    within = replace(plan, cells=cells)
    scored = {one.path: one for one in outcomes.load(within, store, catalogue, every_rate=True)}
    base = scored.get(variants[0].base)
    there = speed.finished(plan, store, [one.step for one in variants if one.step])
    for one in variants:
        mine = scored.get(one.serve)
        if mine is None:
            continue
        steps = there.get(one.step, [])
        measured = speed.read(store, _as_measured(one, steps[0])) if steps else None
        memory = measured.memory_bytes if measured else {}
        against = None if base is None else _difference(mine, base)
        yield Point(
            variant=one,
            score=float(mine.over().values[:, 0].mean()),
            loss=estimate(against[""]) if against and one.serve != one.base else None,
            by_language={
                code: float(draws.values[:, 0].mean())
                for code, draws in (against or {}).items()
                if code
            },
            time=measured.other if measured else None,
            same=measured.same if measured else None,
            memory=memory[SECOND] / memory[FIRST] if {FIRST, SECOND} <= memory.keys() else None,
        )


def _difference(one: Outcome, base: Outcome) -> dict[str, Draws]:
    """What one changes, by language, and in the mean over them ("")."""
    languages = {code: one.over([code]) - base.over([code]) for code in one.languages}
    return {"": one.over() - base.over(), **languages}


def _cells(one: Variant, plan: Plan) -> Iterator[Cell]:
    """A variant's scores as cells whose path is the variant."""
    usual = next(
        cell
        for cell in plan.cells
        if (cell.model, cell.path, cell.target) == (one.model, one.path, one.target)
    )
    for language, score in one.scores.items():
        yield replace(usual, path=one.serve, language=language, score=score)


def _as_measured(one: Variant, step: str) -> Measured:
    from xstilts.measures import Measured

    return Measured(one.model, one.path, one.target, one.path, "singlestream", one.serve, step)


def _efficient(one: Point, points: Sequence[Point]) -> bool:
    mine = one.relative_time
    if mine is None:
        return False
    others = [(p.relative_time, p.score) for p in points if p.relative_time is not None]
    return not any(
        (time <= mine and score > one.score) or (time < mine and score >= one.score)
        for time, score in others
    )

"""How many seeds it takes to see a difference, and what they cost.

The variance is that of a pilot where the store has one: the mean gains of its intermediates,
pooled. Else it is assumed, and the answer says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from xstilts import counting
from xstilts.analysis import outcomes
from xstilts.analysis.estimate import ALPHA, Variance, detectable, variance_of
from xstilts.analysis.gains import Gains
from xstilts.analysis.routes import is_control, route
from xstilts.errors import UserError

if TYPE_CHECKING:
    from xstilts.plan import Plan
    from xstilts.store import Store
    from xstilts.tasks import Catalogue

MOST_SEEDS = 100


@dataclass(frozen=True)
class Spread:
    """What makes a mean gain vary, as variances in the unit of the scores.

    Attributes:
        run: between the seeds of a study on the same items.
        item: what the choice of items adds; more seeds do not make it smaller.
        groups: how many groups of items.
        basis: where these numbers are from.
    """

    run: float
    item: float
    groups: int
    basis: str


# Standard deviations of 1.0 point between seeds and 0.4 over items: assumed, not measured.
ASSUMED = Spread(0.010**2, 0.004**2, 500, "assumed: 1.0 point between seeds, 0.4 over items")


@dataclass(frozen=True)
class Needed:
    """What it takes.

    Attributes:
        seeds: None where even `MOST_SEEDS` are too few: the test sets are too small.
        points: what that many seeds can see.
        tests: in a family of how many tests, all of them by Holm.
        device_hours: of all of the study's conditions with that many seeds; None where no step of
            the kind has been timed.
        basis: where the variance is from.
    """

    seeds: int | None
    points: float
    tests: int
    device_hours: float | None
    basis: str

    def __str__(self) -> str:
        family = f" in any of {self.tests} intermediates, by Holm" if self.tests > 1 else ""
        seen = f"see a mean gain of {self.points:.1f} points{family}, in four of five studies"
        if self.seeds is None:
            why = "the test sets are too small for less"
            return f"{MOST_SEEDS} seeds {seen}: {why} ({self.basis})"
        cost = "" if self.device_hours is None else f"; {self.device_hours:.1f} device-hours"
        return f"{self.seeds} seeds {seen}{cost} ({self.basis})"


def detect(points: float, plan: Plan, store: Store, catalogue: Catalogue) -> Needed:
    """The seeds that a study needs to see a mean gain of so many points, and what they cost.

    Raises:
        UserError: if no difference was asked for, or the store is damaged.
    """
    if points <= 0:
        raise UserError(f"--detect {points:g}: a difference in points above 0, as in 1.0")
    spread = None
    if outcomes.any_whole(plan.cells, store):
        spread = pilot(Gains(outcomes.load(plan, store, catalogue)))
    models = {rung.name: rung.model for rung in plan.rungs}  # at one learning rate each
    befores = {
        (
            models.get(cell.model, cell.model),
            route(cell, plan.baselines.get(cell.target, "")).before,
        )
        for cell in plan.cells
    }
    tests = len([before for _, before in befores if before and not is_control(before)])
    family = max(tests, 1) if "gains" in plan.analyses else 1
    return needed(points, spread or ASSUMED, seconds_per_seed(plan, store), family)


def needed(
    points: float, spread: Spread, seconds_per_seed: float | None = None, tests: int = 1
) -> Needed:
    """The fewest seeds, at least 2, with which a test finds a difference in four of five studies.

    Args:
        points: the difference, 1.0 is one point.
        spread: of a mean gain.
        seconds_per_seed: what one more seed of the whole study costs.
        tests: how many there are in the family; each must hold at Holm's first level.
    """

    def seen(seeds: int) -> float:
        return 100 * detectable(_of(spread, seeds), ALPHA / tests)

    for seeds in range(2, MOST_SEEDS + 1):
        if (least := seen(seeds)) <= points:
            hours = None if seconds_per_seed is None else seeds * seconds_per_seed / 3600
            return Needed(seeds, least, tests, hours, spread.basis)
    return Needed(None, seen(MOST_SEEDS), tests, None, spread.basis)


def _of(spread: Spread, seeds: int) -> Variance:
    return Variance(spread.run / seeds, spread.item, 0.0, seeds - 1, max(spread.groups - 1, 1))


def pilot(gains: Gains) -> Spread | None:
    """The spread of the mean gains in what is finished; None without two seeds of anything.

    Seeds of which a run did not learn are left out, as tests leave them out.
    """
    draws = [
        whole[0].without(gains.collapsed(model, whole[1], before, ""))
        for model in gains.outcomes.models
        for before in gains.intermediates
        if (whole := gains.mean(model, before)) is not None
    ]
    parts = [(one, variance_of(one)) for one in draws if one.seeds and len(one.seeds) > 1]
    if not parts:
        return None
    # Pooled over intermediates, by degrees of freedom.
    freedom = sum(variance.seed_df for _, variance in parts)
    run = sum(v.seed * (v.seed_df + 1) * v.seed_df for _, v in parts) / freedom
    item = sum(v.item for _, v in parts) / len(parts)
    seeds = sorted({len(one.seeds or ()) for one, _ in parts})
    basis = f"{len(parts)} finished intermediates with {' or '.join(map(str, seeds))} seeds"
    return Spread(run, item, min(one.groups for one, _ in parts), basis)


def seconds_per_seed(plan: Plan, store: Store) -> float | None:
    """What one seed of a plan takes, from the steps that were timed.

    A step that is not finished is taken to last as long as those of its kind do on average; None
    where none of a kind was timed.
    """
    jobs: dict[str, set[str]] = {}
    for step in plan.steps.values():
        if step.kind not in ("score", "measure") and "imported" not in step.inputs:
            jobs.setdefault(step.kind, set()).add(step.together)
    clocks = counting.clocks(plan.steps.values(), store)
    timed = {
        kind: times
        for kind, mine in jobs.items()
        if (times := [clocks[name] for name in mine if name in clocks])
    }
    seeds = {cell.seed for cell in plan.cells if cell.seed is not None}
    if timed.keys() != jobs.keys() or not seeds:
        return None
    all_seeds = sum(len(jobs[kind]) * sum(times) / len(times) for kind, times in timed.items())
    return all_seeds / len(seeds)

"""A study's candidates, probes and scores together: to rank, and to judge rankings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from xstilts import probing
from xstilts.analysis import ranking, regret, routes
from xstilts.path import parse
from xstilts.similarity import SHORT_RUN
from xstilts.tasks import counts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from xstilts.analysis.draws import Draws
    from xstilts.analysis.features import Features
    from xstilts.analysis.gains import Gains
    from xstilts.analysis.ranking import Described, Learnt, Ranked
    from xstilts.analysis.regret import Judged
    from xstilts.models import Model
    from xstilts.plan import Plan
    from xstilts.probing import Probing
    from xstilts.recipes import Recipe
    from xstilts.sources import Sources
    from xstilts.store import Store
    from xstilts.study import Study
    from xstilts.tasks import Catalogue

# The cheap ones first: what a small budget leaves out is the last. The last three share short runs.
BY_COST = ("vocabulary", "text_embedding", "task_embedding", "gradient", "cka", "logme", SHORT_RUN)


@dataclass(frozen=True)
class Cost:
    """What looking costs, beside training the whole grid.

    Attributes:
        share: of the grid's forward passes over rows (a training pass counts three).
        features: that fitted the budget.
        seconds, grid_seconds: measured, of what is finished; 0 where nothing is.
    """

    share: float
    features: tuple[str, ...]
    seconds: float
    grid_seconds: float


@dataclass
class Choice:
    """All that a choice among candidates is made of.

    Attributes:
        study, recipe, model, catalogue, sources, store: as for a plan.
        grid: the plan of all candidates before all targets.
        candidates: intermediates as text.
        targets: target -> its stage as text.
    """

    study: Study
    recipe: Recipe
    model: Model
    catalogue: Catalogue
    sources: Sources
    store: Store
    grid: Plan
    candidates: tuple[str, ...]
    targets: Mapping[str, str]

    def within(self, budget: float) -> tuple[Probing, tuple[str, ...], float]:
        """The probes that a budget allows: their plan, their features, and what share they are.

        Args:
            budget: of the grid's cost, as a share.
        """
        whole = probing.passes(self.grid, self.store)
        best, features, share = self._probes(()), tuple[str, ...](), 0.0
        for name in BY_COST:
            tried = self._probes((*features, name))
            cost = probing.passes(tried.plan, self.store) / whole if whole else 0.0
            if cost <= budget:
                best, features, share = tried, (*features, name), cost
        return best, features, share

    def _probes(self, features: Sequence[str]) -> Probing:
        stages = dict.fromkeys(t for c in self.candidates for t in probing.single_tasks(c))
        return probing.build(
            *(self.study, self.recipe, self.model, self.catalogue, self.sources),
            tuple(stages),
            tuple(dict.fromkeys(self.targets.values())),
            features,
        )

    def cost(self, found: Probing, features: tuple[str, ...], share: float) -> Cost:
        """What the probes cost."""
        spent = probing.seconds(found.plan.steps.values(), self.store)
        grid = probing.seconds(self.grid.steps.values(), self.store)
        return Cost(share, features, spent, grid)

    def described(self, alike: Features, features: Sequence[str]) -> dict[str, Described]:
        """Every target's candidates."""
        return {
            name: ranking.describe(stage, self.candidates, alike.value, self.rows, features)
            for name, stage in self.targets.items()
        }

    def rows(self, stage: str) -> float:
        """The training rows of a single-task stage."""
        item = parse(stage).stages[0].items[0]
        there = counts.rows(item.task, self.study.source, "train").get("en", 0)
        return float(min(item.rows or there, there or item.rows or 1))


def stages_of(gains: Gains, model: str) -> dict[str, str]:
    """Target -> its stage as text, of the targets that have a head trained for them by name."""
    found: dict[str, str] = {}
    for one in gains.outcomes:
        last = routes.route(one, one.baseline).last
        if one.model == model and one.trained_on is not None and "|" not in last:
            found.setdefault(one.target, last)
    return {name: found[name] for name in gains.targets if name in found}


def grids(gains: Gains, model: str, candidates: Sequence[str]) -> dict[str, dict[str, Draws]]:
    """Target -> candidate -> scores, of targets that have them all."""
    found: dict[str, dict[str, Draws]] = {}
    for target in stages_of(gains, model):
        outcomes = {one: gains.outcome(model, target, one) for one in candidates}
        draws = {name: one.over() for name, one in outcomes.items() if one is not None}
        if len(draws) == len(candidates):
            found[target] = draws
    return found


def families(choice: Choice, gains: Gains) -> dict[str, str]:
    """Target -> its family: of the study's, and of what a path is chosen for."""
    model = choice.model.name
    own = {o.target: o.trained_on for o in gains.outcomes if o.model == model and o.trained_on}
    own |= {cell.target: cell.trained_on for cell in choice.grid.cells if cell.trained_on}
    return routes.families(own)


def judge(choice: Choice, gains: Gains, alike: Features, features: Sequence[str]) -> list[Judged]:
    """Every way to rank, judged on the grid that the study has run."""
    model = choice.model.name
    grid = grids(gains, model, choice.candidates)
    family = families(choice, gains)
    described = {t: d for t, d in choice.described(alike, features).items() if t in grid}
    grid = {target: grid[target] for target in described}
    scores = {t: _scores(grid[t]) for t in described}
    learnt = ranking.leave_out(described, scores, family)
    ways: dict[str, dict[str, NDArray[np.float64]]] = {
        "learnt from other families": {
            t: ranking.merits(one, described[t]) for t, one in learnt.items()
        },
        "mean rank of features": {t: ranking.fused(one) for t, one in described.items()},
        **{
            name: merits for name in features if (merits := _by_feature(described, f"{name}, mean"))
        },
        "size": {t: one.table[:, one.names.index(ranking.SIZE)] for t, one in described.items()},
        "published averages": {
            t: ranking.published_merits(one.candidates) for t, one in described.items()
        },
        "always MNLI": {
            t: ranking.inference_merits(one.candidates) for t, one in described.items()
        },
    }
    found = [regret.judge(way, merits, grid, family) for way, merits in ways.items() if merits]
    found.append(regret.noise_floor(grid, family))
    return [one for one in found if one is not None]


def _by_feature(described: Mapping[str, Described], column: str) -> dict[str, NDArray[np.float64]]:
    return {
        t: one.table[:, one.names.index(column)]
        for t, one in described.items()
        if column in one.names
    }


def _scores(grid: Mapping[str, Draws]) -> NDArray[np.float64]:
    return np.array([float(one.values[:, 0].mean()) for one in grid.values()])


def rank(
    choice: Choice, alike: Features, features: Sequence[str], target: str, gains: Gains | None
) -> tuple[list[Ranked], Learnt | None]:
    """The candidates of one target, and what was learnt from targets of other families.

    Args:
        choice: with the target among its targets.
        alike: the features.
        features: those that fitted the budget.
        target: its name.
        gains: of the study's finished scores; None: nothing is learnt.
    """
    stage = choice.targets[target]
    mine = ranking.describe(stage, choice.candidates, alike.value, choice.rows, features)
    learnt = None
    if gains is not None:
        model = choice.model.name
        grid, family = grids(gains, model, choice.candidates), families(choice, gains)
        others = {t: d for t, d in choice.described(alike, features).items() if t in grid}
        scores = {t: _scores(grid[t]) for t in others}
        apart = [t for t in others if family[t] != family[target]]
        if apart:
            learnt = ranking.learn([others[t] for t in apart], [scores[t] for t in apart])
            error = next(
                (one.error for one in ranking.leave_out(others, scores, family).values()), None
            )
            learnt = ranking.Learnt(learnt.names, learnt.weights, error)
    merit = ranking.fused(mine) if learnt is None else ranking.merits(learnt, mine)
    return ranking.ranked(mine, merit, learnt), learnt

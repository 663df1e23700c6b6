"""What a report shows, gathered once: differences, verdicts, curves, costs, and where they lie."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from xstilts import counting, forecast
from xstilts.analysis import best, claims, exchange, outcomes, scaling, verdicts
from xstilts.analysis.attacked import attacked
from xstilts.analysis.gains import Gains
from xstilts.analysis.ladder import LADDER, ladders
from xstilts.analysis.rates import counted
from xstilts.analysis.robustness import Robustness
from xstilts.path import parse
from xstilts.report.rows import score_rows
from xstilts.report.runs import runs
from xstilts.suites import MIXTURES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from xstilts.analysis.attacked import Attacked
    from xstilts.analysis.best import Best
    from xstilts.analysis.claims import Claim
    from xstilts.analysis.exchange import Exchange
    from xstilts.analysis.gains import Gain
    from xstilts.analysis.ladder import Ladder
    from xstilts.analysis.outcomes import Outcomes
    from xstilts.analysis.robustness import Interaction
    from xstilts.analysis.scaling import Curve
    from xstilts.analysis.verdicts import Verdict
    from xstilts.plan import Plan, Step
    from xstilts.report.runs import Run
    from xstilts.store import Store
    from xstilts.tasks import Catalogue
    from xstilts.tasks.base import Task


@dataclass(frozen=True)
class Cost:
    """What one kind of step took, and will take.

    Attributes:
        kind: of step.
        finished, left: how many there are.
        seconds: of all that is finished; all languages of a task that ran in one go count once.
        seconds_left: what is left, if it takes as long as the finished do on average; None where
            nothing of the kind was timed.
    """

    kind: str
    finished: int
    left: int
    seconds: float
    seconds_left: float | None


@dataclass(frozen=True)
class Findings:
    """All that is known of a study.

    Attributes:
        name, about: of the study; what it asks.
        outcomes: its scores.
        gains: what is compared with what; where learning rates were tried, at the chosen ones.
        all: every difference.
        best: per model and protocol.
        verdicts: on published claims.
        curves, exchanges: over sizes of intermediate data.
        ladders: over sizes of the model, where the study asks.
        interactions, attacked: what noise and attacks cost with and without an intermediate task.
        rows: of `score_rows`; empty for outcomes that come from no store.
        costs: by kind of step.
        tasks: those that were trained on or evaluated, by name.
        notes: path -> what to know of its meaning in the source.
        setting: what all runs share, as (name, value) for people.
        commands: that make the study and its answers again.
        forecast: of the whole study, if one was made before anything ran.
        plan, store: where it comes from; None for outcomes that come from no store.
    """

    name: str
    outcomes: Outcomes
    gains: Gains
    all: tuple[Gain, ...]
    best: tuple[Best, ...]
    verdicts: tuple[Verdict, ...]
    curves: tuple[Curve, ...]
    exchanges: tuple[Exchange, ...]
    tasks: Mapping[str, Task]
    interactions: tuple[Interaction, ...] = ()
    attacked: tuple[Attacked, ...] = ()
    ladders: tuple[Ladder, ...] = ()
    about: str = ""
    rows: Sequence[dict[str, Any]] = ()
    costs: tuple[Cost, ...] = ()
    notes: Mapping[str, str] = field(default_factory=dict)
    setting: tuple[tuple[str, str], ...] = ()
    commands: tuple[str, ...] = ()
    forecast: forecast.Forecast | None = None
    plan: Plan | None = None
    store: Store | None = None

    @cached_property
    def runs(self) -> dict[tuple[str, str, str], Run]:
        """Every run by (model, path, target), in the order of the study."""
        return runs(self)

    @property
    def models(self) -> tuple[str, ...]:
        """The models to show: where learning rates were tried, each at the chosen one."""
        return self.gains.outcomes.models

    @property
    def sources(self) -> list[str]:
        """Where the rows that were scored come from."""
        return list(dict.fromkeys(row["source"] for row in self.rows))

    def titled(self, title: str, model: str) -> str:
        """The title of what is shown for each model."""
        return f"{title} ({model})" if len(self.models) > 1 else title

    def means(self, model: str, versus: str = "baseline") -> list[Gain]:
        """The mean gains of a model, the largest first."""
        mine = [g for g in self.all if (g.model, g.over, g.versus) == (model, "mean", versus)]
        return sorted(mine, key=lambda gain: -gain.estimate.value)


def of(
    name: str,
    found: Outcomes,
    catalogue: Catalogue,
    own: Iterable[Claim] = (),
    noisy: Robustness | None = None,
    **more: Any,
) -> Findings:
    """What follows from outcomes alone.

    Args:
        name: of the study.
        found: its outcomes.
        catalogue: the tasks.
        own: claims of the user's, judged beside the built-in ones.
        noisy: its scores on perturbed rows.
        **more: what only a plan and a store know: fields of `Findings`.
    """
    shown = counted(found)
    gains = Gains(shown)
    known = [*claims.built_in(), *own]
    chosen = [best.best(gains, m, p) for m in shown.models for p in best.PROTOCOLS]
    return Findings(
        name=name,
        outcomes=found,
        gains=gains,
        all=tuple(gains.all()),
        best=tuple(one for one in chosen if one is not None),
        verdicts=tuple(verdicts.judge(known, Gains(shown, same_data=True), catalogue)),
        curves=tuple(scaling.curves(gains, noisy.drops() if noisy else {})),
        exchanges=tuple(exchange.exchanges(gains)),
        interactions=tuple(noisy.all() if noisy else ()),
        ladders=tuple(ladders(Gains(found)) if LADDER in found.analyses else ()),
        tasks=_tasks(found, catalogue),
        **more,
    )


def collect(
    name: str,
    plan: Plan,
    store: Store,
    catalogue: Catalogue,
    own: Iterable[Claim] = (),
    *,
    about: str = "",
    commands: Iterable[str] = (),
) -> Findings:
    """All that is finished of a plan.

    Args:
        name, about: of the study.
        plan, store, catalogue: where its scores are.
        own: claims of the user's.
        commands: that make the study and its answers again.

    Raises:
        UserError: if nothing is, or the store is damaged.
    """
    rows = score_rows(plan, store)
    found = outcomes.load(plan, store, catalogue, perturbed=True, every_rate=True)
    noisy = Robustness(counted(found), plan, store, catalogue) if found.perturbed else None
    return of(
        name,
        found,
        catalogue,
        own,
        noisy=noisy,
        attacked=tuple(attacked(plan, store, catalogue)),
        about=about,
        rows=rows,
        costs=tuple(costs(plan, store)),
        notes=plan.notes,
        setting=tuple(_setting(plan, rows)),
        commands=tuple(commands),
        forecast=forecast.kept(plan.steps.values(), store.root),
        plan=plan,
        store=store,
    )


def costs(plan: Plan, store: Store) -> list[Cost]:
    """What every kind of step took, from the steps that were timed."""
    kinds: dict[str, list[Step]] = defaultdict(list)
    for step in plan.steps.values():
        kinds[step.kind].append(step)
    found = []
    for kind, steps in kinds.items():
        done = [step for step in steps if store.has(step.id)]
        timed = list(counting.clocks(done, store).values())
        waiting = {step.together for step in steps if not store.has(step.id)}
        left = len(steps) - len(done)
        usual = sum(timed) / len(timed) if timed else None
        later = 0.0 if not left else None if usual is None else usual * len(waiting)
        found.append(Cost(kind, len(done), left, sum(timed), later))
    return found


def _tasks(found: Outcomes, catalogue: Catalogue) -> dict[str, Task]:
    """The tasks of a study: evaluated, trained on, and in any stage."""
    names: dict[str, None] = {}
    for one in found:
        stages = [item.task for stage in parse(one.path).stages for item in stage.items]
        members = [task for name in stages for task in MIXTURES.get(name, (name,))]
        names |= dict.fromkeys([one.target, one.trained_on or one.target, *members])
    known = {task.name: task for task in catalogue}
    return {name: known[name] for name in names if name in known}


def _setting(plan: Plan, rows: Sequence[dict[str, Any]]) -> Iterable[tuple[str, str]]:
    """What all runs share, and what of it differs between them."""
    for fingerprint, model in plan.models.items():
        revision = f", revision {model.revision}" if model.revision else ""
        yield "model", f"{model.name}, fingerprint {fingerprint}{revision}"
    yield "data", ", ".join(dict.fromkeys(row["source"] for row in rows))
    seeds = dict.fromkeys(row["seed"] for row in rows if row["seed"] is not None)
    yield "seeds", ", ".join(map(str, seeds)) or "none: nothing is trained"
    trained = [step.inputs for step in plan.steps.values() if step.kind == "train"]
    options: dict[str, dict[str, None]] = {}
    for name, value in (pair for one in trained for pair in one.get("options", {}).items()):
        shown = f"{value:g}" if isinstance(value, float) else str(value)
        options.setdefault(name, {})[shown] = None
    for name, values in options.items():
        yield name.replace("_", " "), ", ".join(values)
    machines = Counter((row["device"], row["threads"]) for row in rows)
    yield "devices", ", ".join(f"{device} ({n} threads)" for device, n in machines)
    versions = dict.fromkeys(f"{k} {v}" for row in rows for k, v in row["versions"].items())
    yield "versions", ", ".join(versions)

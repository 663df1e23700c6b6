"""``xstilts rank``: which intermediate path to run, before any is run."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from xstilts.cli import asked, output
from xstilts.cli.options import (
    STORE,
    Device,
    Json,
    Paths,
    StoreFolder,
    TaskFiles,
    Threads,
    about_a_study,
)
from xstilts.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from rich.table import Table

    from xstilts.analysis.choosing import Choice, Cost
    from xstilts.analysis.gains import Gains
    from xstilts.analysis.ranking import Ranked
    from xstilts.analysis.regret import Judged
    from xstilts.analysis.rules import Followed
    from xstilts.tasks import Catalogue

Target = Annotated[
    str, typer.Option("--target", metavar="STAGE", help="What to choose a path for, as in xnli.")
]
Candidates = Annotated[
    list[str] | None,
    typer.Option(
        "--candidates",
        metavar="PATH",
        help='Intermediates, as in "mnli", "mnli + csqa" or "order(mnli, csqa)". Repeatable.',
    ),
]
Budget = Annotated[
    str, typer.Option("--budget", metavar="SHARE", help="What looking may cost, of the whole grid.")
]


@about_a_study
def rank(
    context: typer.Context,
    paths: Paths = None,
    target: Target = "",
    candidates: Candidates = None,
    budget: Budget = "5%",
    task: TaskFiles = None,
    store: StoreFolder = STORE,
    device: Device = "auto",
    threads: Threads = 0,
    json_: Json = False,
) -> int:
    """Rank intermediate paths for a target by what a look at its English rows costs and tells.

    With a study, its finished scores of other targets teach the ranking; without --target the
    rankings themselves are judged on the study, each target by what the other families taught.
    """
    from xstilts.analysis import choosing
    from xstilts.analysis import rules as following
    from xstilts.analysis.features import Features

    share = _share(budget)
    catalogue = asked.catalogue(task)
    choice, gains = _choice(context, paths or [], target, candidates or [], catalogue, store)
    probing, features, cost = choice.within(share)
    if not features:
        raise UserError(f"--budget {budget}: even counting words costs more; give a larger one")
    _look(choice, probing.plan, device, threads)
    alike = Features(probing, choice.store)
    spent = choice.cost(probing, features, cost)
    document: dict[str, Any] = {"cost": asdict(spent), "features": list(features)}
    judged = [] if gains is None else choosing.judge(choice, gains, alike, features)
    document["judged"] = [asdict(one) for one in judged]
    ranked: list[Ranked] = []
    rules: list[Followed] = []
    name = ""
    if target:
        name = _task(target)
        ranked, learnt = choosing.rank(choice, alike, features, name, gains)
        document |= {"ranked": [asdict(one) for one in ranked], "learnt": learnt is not None}
    else:
        assert gains is not None
        rules = following.followed(gains, alike.value, choice.targets)
        document["rules"] = [one.row() for one in rules]
    if json_:
        output.put(document)
        return 0
    from xstilts.report.screen import show

    if ranked:
        _show_ranked(choice, name, ranked)
    if judged:
        show("how good each way to rank is on this study, in points", _judged(judged), "")
    elif ranked:
        show(
            "no scores of other targets are at hand: candidates stand by their mean rank over the "
            "features, and nothing here says how far to trust that (docs/order.md)"
        )
    if rules:
        show("orders picked by a rule, in points", _rules(rules), "")
    show(_looked(spent), f"features: {', '.join(features)}")
    return 0


def _show_ranked(choice: Choice, name: str, ranked: Sequence[Ranked]) -> None:
    from xstilts.report.screen import show

    same = _same_data(choice, name, ranked)
    show(f"for {choice.targets[name]}, the best first", _ranked(ranked, same), "")
    if same:
        show("(s) has rows that the target is trained on: more of the same data, no transfer")


def _looked(spent: Cost) -> str:
    """What looking cost, in a line."""
    measured = ""
    if spent.seconds and spent.grid_seconds:
        part = 100 * spent.seconds / spent.grid_seconds
        measured = (
            f"; {spent.seconds:.0f} s where the grid took {spent.grid_seconds:.0f} ({part:.1f} %)"
        )
    return f"looking cost {100 * spent.share:.1f} % of the grid's passes over rows{measured}"


def _share(text: str) -> float:
    number = text.strip().removesuffix("%")
    try:
        share = float(number) / (100 if text.strip().endswith("%") else 1)
    except ValueError:
        share = 0.0
    if not share > 0 or ("%" not in text and share > 1):
        raise UserError(f'--budget "{text}" is not a share of the grid above 0, as in 5% or 0.05')
    return share


def _choice(
    context: typer.Context,
    paths: list[str],
    target: str,
    candidates: list[str],
    catalogue: Catalogue,
    store: Path,
) -> tuple[Choice, Gains | None]:
    """What is to be chosen among, and the scores that a study has of it; None without a study."""
    from xstilts import models, recipes
    from xstilts import plan as planning
    from xstilts.analysis import choosing, outcomes
    from xstilts.analysis.choosing import Choice
    from xstilts.analysis.gains import Gains
    from xstilts.sources import Sources
    from xstilts.store import Store

    if not paths and not target:
        raise UserError(
            'name a target, as in "xstilts rank --target xnli", or a study to learn from'
        )
    kept, sources = Store(store), Sources.from_environment()
    gains, targets, own = None, dict[str, str](), _spelled(candidates)
    if paths:
        _, study = asked.declared(context, paths, catalogue)
        plan = asked.plan(context, paths, catalogue)
        gains = Gains(outcomes.load(plan, kept, catalogue), same_data=True)
        model = gains.outcomes.models[0]
        own = own or gains.intermediates
        targets = choosing.stages_of(gains, model)
    else:
        # The source is one, before its tasks are listed.
        asked.declared(context, [target], catalogue)
        own = own or _usual(context.params["source"], target, catalogue)
        _, study = asked.declared(context, [f"{one} > {target}" for one in own], catalogue)
    if not own:
        raise UserError("no candidates: give --candidates, as in --candidates mnli")
    if target and _task(target) not in targets:
        targets = {_task(target): target} | targets
    model_ = models.find(study.models[0])
    recipe = recipes.of(study)
    seeds = study.seeds[:1] if gains is None else study.seeds
    asked_for = [targets[_task(target)]] if target else list(targets.values())
    grid = planning.build(
        study.model_copy(
            update={
                "paths": tuple(f"{one} > {stage}" for stage in asked_for for one in own),
                "targets": (),
                "intermediate": ("none",),
                "controls": (),
                "analyses": (),
                "seeds": seeds,
            }
        ),
        recipe,
        [model_],
        catalogue,
        sources,
    )
    if not grid.cells:
        path, reason = next(iter(grid.absent.items()))
        raise UserError(f"{path}: {reason}")
    if target and grid.cells[0].trained_on is None:
        raise UserError(
            f'"{target}" is evaluated without training of its own: there are no English rows of it '
            "to compare with; name a target that is trained, such as xnli"
        )
    return Choice(study, recipe, model_, catalogue, sources, kept, grid, own, targets), gains


def _spelled(candidates: Sequence[str]) -> tuple[str, ...]:
    from xstilts import orders

    return tuple(dict.fromkeys(str(one) for text in candidates for one in orders.paths(text)))


def _task(stage: str) -> str:
    from xstilts.path import parse

    stages = parse(stage).stages
    if not stages:
        raise UserError(
            f'--target "{stage}" is evaluated without training of its own: name a target that is '
            "trained, such as xnli"
        )
    return stages[0].items[0].task


def _usual(source: str, target: str, catalogue: Catalogue) -> tuple[str, ...]:
    """Every task of a source with English training rows that is no target of a suite."""
    from xstilts.similarity import LABELLED
    from xstilts.suites import BENCHMARKS

    targets = {name for suite in BENCHMARKS.values() for name in suite.tasks}
    return tuple(
        one.name
        for one in catalogue
        if source in one.sources
        and one.sources[source].train is not None  # type: ignore[index]
        and one.format in LABELLED
        and one.name not in {*targets, _task(target)}
    )


def _look(choice: Choice, plan: Any, device: str, threads: int) -> None:
    """Run the probes that are not finished."""
    from xstilts.engines.groups import grouped, remaining

    if not (steps := remaining(plan, choice.store)):
        return
    from xstilts.engines.local import LocalEngine
    from xstilts.preflight import check
    from xstilts.report.watch import watcher

    bench = asked.bench(choice.store.root, choice.catalogue, device, threads)
    with watcher() as watch:
        for line in (f"{len(grouped(steps))} looks to take", *check(plan, steps, bench)):
            watch.say(line)
        outcome = LocalEngine().run(plan, bench, watch)
    for reason in outcome.failures.values():
        raise UserError(f"{len(outcome.failures)} probes failed, the first because: {reason}")


def _same_data(choice: Choice, target: str, found: Sequence[Ranked]) -> set[str]:
    """The candidates that have rows that the target is trained on."""
    from xstilts.analysis.routes import has_rows_of

    trained = {cell.trained_on for cell in choice.grid.cells if cell.target == target}
    return {one.candidate for one in found for t in trained if t and has_rows_of(one.candidate, t)}


def _ranked(found: Sequence[Ranked], same: set[str]) -> Table:
    from xstilts.report.screen import grid

    learnt = found[0].error is not None
    unit = ">points over the mean" if learnt else ">mean rank, -1 to 1"
    table = grid(">", "candidate", unit, ">ahead of the next", "because of")
    for number, one in enumerate(found, start=1):
        scale = 100 if learnt else 1
        error = "" if one.error is None else f" sd {100 * one.error:.1f}"
        ahead = "" if one.ahead is None else f"{100 * one.ahead:.0f} %"
        why = ", ".join(f"{name} {scale * value:+.1f}" for name, value in one.reasons)
        name = one.candidate + " (s)" * (one.candidate in same)
        table.add_row(str(number), name, f"{scale * one.merit:+.2f}{error}", ahead, why)
    return table


def _judged(found: Sequence[Judged]) -> Table:
    from xstilts.report.screen import grid

    table = grid("ranked by", ">tau", ">regret at 1", ">regret at 3", ">targets")
    for one in found:
        tau = f"{one.tau.value:+.2f} [{one.tau.low:+.2f}, {one.tau.high:+.2f}]"
        regrets = (output.interval(r) for r in (one.regret_at_1, one.regret_at_3))
        table.add_row(one.way, tau, *regrets, str(len(one.targets)))
    return table


def _rules(found: Sequence[Followed]) -> Table:
    from xstilts.report.cells import p_text
    from xstilts.report.screen import grid

    table = grid("rule", "by", "versus", ">difference", ">p", ">sets")
    for one in found:
        table.add_row(
            one.rule,
            one.feature,
            one.versus,
            output.interval(one.estimate),
            p_text(one.p),
            str(one.sets),
        )
    return table

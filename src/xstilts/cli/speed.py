"""``xstilts bench`` and ``xstilts speed``: what inference costs, and whether two cost the same."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from xstilts.cli import asked, output
from xstilts.cli.options import (
    STORE,
    Device,
    Json,
    Paths,
    RecipeName,
    SourceName,
    StoreFolder,
    TaskFiles,
    about_a_study,
)
from xstilts.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xstilts.models import Model
    from xstilts.plan import Plan
    from xstilts.scenario import Measure
    from xstilts.store import Finished, Store
    from xstilts.tasks import Catalogue

_HOW, _WHAT = "How to measure", "What to run"
What = Annotated[
    str,
    typer.Argument(
        metavar="PATH|CHECKPOINT",
        help="A path in quotes, a step's id, or a Hugging Face folder.",
    ),
]
Against = Annotated[
    str,
    typer.Option("--against", metavar="OTHER", help="Another one.", rich_help_panel=_WHAT),
]
On = Annotated[
    str,
    typer.Option(
        "--on", metavar="TASK", help="Whose rows a checkpoint answers.", rich_help_panel=_WHAT
    ),
]
Scenarios = Annotated[
    list[str] | None,
    typer.Option(
        "--scenario",
        metavar="NAME",
        help="singlestream, offline or server. Repeatable. Default: the first two.",
        rich_help_panel=_HOW,
    ),
]
Serve = Annotated[
    str,
    typer.Option(
        "--serve",
        metavar="HOW",
        help="torch, compiled or onnxruntime; +bf16, +int8, +drop=2, +vocabulary, +max_length=64.",
        rich_help_panel=_HOW,
    ),
]
Variants = Annotated[
    list[str] | None,
    typer.Option(
        "--variant",
        metavar="HOW",
        help="Another way to answer: its time, and its scores by language. Repeatable.",
        rich_help_panel=_HOW,
    ),
]
Queries = Annotated[
    int,
    typer.Option("--queries", min=1, help="Of each checkpoint, at least.", rich_help_panel=_HOW),
]
Seconds = Annotated[
    float, typer.Option("--seconds", min=0.001, help="At least.", rich_help_panel=_HOW)
]
Batch = Annotated[
    int,
    typer.Option("--batch", min=1, help="Examples at once, in offline.", rich_help_panel=_HOW),
]
Bound = Annotated[
    float,
    typer.Option(
        "--bound-ms", min=0.001, help="Of 99 % of queries, in server.", rich_help_panel=_HOW
    ),
]
OneThread = Annotated[
    int,
    typer.Option("--threads", min=1, help="CPU threads.", rich_help_panel=_HOW),
]
Again = Annotated[
    bool,
    typer.Option("--again", help="Measure anew what was measured.", rich_help_panel=_HOW),
]


@about_a_study
def bench(
    context: typer.Context,
    what: What,
    against: Against = "",
    on: On = "",
    scenario: Scenarios = None,
    serve: Serve = "torch",
    variant: Variants = None,
    queries: Queries = 1024,
    seconds: Seconds = 60.0,
    batch: Batch = 32,
    bound_ms: Bound = 100.0,
    threads: OneThread = 1,
    again: Again = False,
    source: SourceName = "hub",
    recipe: RecipeName = "mini",
    task: TaskFiles = None,
    store: StoreFolder = STORE,
    device: Device = "auto",
    json_: Json = False,
) -> int:
    """Measure latency, throughput and memory of a checkpoint, or of two in turn."""
    from xstilts.store import Store

    catalogue = asked.catalogue(task)
    measure = _measure(
        scenarios=tuple(scenario or ("singlestream", "offline")),
        serve=serve,
        variants=tuple(variant or ()),
        queries=queries,
        seconds=seconds,
        batch=batch,
        bound_ms=bound_ms,
        threads=threads,
    )
    kept = Store(store)
    found = [one for one in (what, against) if one]
    checkpoints = [_is_checkpoint(one, kept) for one in found]
    if len(set(checkpoints)) > 1:
        raise UserError(f'bench "{what}" --against "{against}": give two paths or two checkpoints')
    if checkpoints[0]:
        if not on:
            raise UserError(
                f'"{what}" is a checkpoint: --on TASK says whose rows it is to answer, as in '
                "--on xnli"
            )
        if variant:
            raise UserError("--variant is scored along a path: give the path instead of its end")
        rows = context.params["max_eval_rows"] or None
        plan = _of_checkpoints(
            found, on, measure, catalogue, kept, source, recipe, device=device, rows=rows
        )
    else:
        plan = asked.plan(context, found, catalogue, measure)
    return _measured(plan, kept, catalogue, device, again=again, json_=json_)


def _measure(**fields: Any) -> Measure:
    from pydantic import ValidationError

    from xstilts.scenario import Measure

    try:
        return Measure(**fields)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        option = {"scenarios": "scenario", "variants": "variant"}.get(name, name.replace("_", "-"))
        raise UserError(f"--{option} {first['input']}: {first['msg']}") from None


def _is_checkpoint(text: str, store: Store) -> bool:
    """A folder, one of our encoders, or how the id of a stage begins; anything else is a path."""
    from xstilts import models

    if text in models.shipped() or Path(text).expanduser().is_dir():
        return True
    is_hex = len(text) >= 6 and not set(text) - set("0123456789abcdef")
    return is_hex and any(one.id.startswith(text) for one in store.ls())


def _of_checkpoints(
    names: Sequence[str],
    on: str,
    measure: Measure,
    catalogue: Catalogue,
    store: Store,
    source: Any,
    recipe: str,
    *,
    device: str,
    rows: int | None,
) -> Plan:
    from xstilts import hardware, measures, models, recipes
    from xstilts.cli.store import chosen
    from xstilts.sources import Sources

    found: list[Model | Finished] = []
    for name in names:
        if name in models.shipped() or Path(name).expanduser().is_dir():
            found.append(models.find(name))
        else:
            found.append(store.open(chosen(store, [name])[0]))
    return measures.of_checkpoints(
        dict(zip(names, found, strict=True)),
        on,
        measure,
        catalogue,
        Sources.from_environment(),
        source,
        recipes.get(recipe),
        device=hardware.device(device),
        rows=rows,
    )


def _measured(
    plan: Plan, store: Store, catalogue: Catalogue, device: str, *, again: bool, json_: bool
) -> int:
    """Measure what is not yet, and print all of it."""
    from xstilts.engines.groups import remaining

    for step in plan.steps.values():
        if again and step.kind == "measure":
            store.discard(step.id)
    failures: dict[str, str] = {}
    if steps := remaining(plan, store):
        from xstilts.engines.local import LocalEngine
        from xstilts.preflight import check
        from xstilts.report.watch import watcher

        place = asked.bench(store.root, catalogue, device, 0)
        with watcher() as watch:
            for line in check(plan, steps, place):
                watch.say(line)
            failures = LocalEngine().run(plan, place, watch).failures
    _show(plan, store, catalogue, json_=json_)
    for reason in dict.fromkeys(failures.values()):
        sys.stderr.write(f"xstilts: {reason}\n")
    return 2 if failures else 0


@about_a_study
def speed(
    context: typer.Context,
    paths: Paths = None,
    task: TaskFiles = None,
    store: StoreFolder = STORE,
    json_: Json = False,
) -> int:
    """Print what a study measured: two checkpoints compared, wall time, quality against latency."""
    from xstilts.analysis import speed as analysis
    from xstilts.store import Store

    catalogue = asked.catalogue(task)
    plan = asked.plan(context, paths or [], catalogue)
    if not (plan.measured or plan.frontier or analysis.suite(plan, Store(store))):
        raise UserError(
            'the study measures nothing, and nothing of it is finished: add the key "measure", as '
            '"xstilts studies speed" has it, or measure by itself: xstilts bench "xnli" '
            '--against "csqa > xnli"'
        )
    _show(plan, Store(store), catalogue, json_=json_)
    return 0


def _show(plan: Plan, store: Store, catalogue: Catalogue, *, json_: bool) -> None:
    from xstilts.analysis import frontier
    from xstilts.analysis import speed as analysis

    measured = analysis.measurements(plan, store)
    points = frontier.frontier(plan, store, catalogue)
    evaluated = analysis.suite(plan, store)
    if json_:
        document = {
            "measurements": [one.row() for one in measured],
            "frontier": [one.row() for one in points],
            "evaluations": [one.row() for one in evaluated],
        }
        output.put(document)
        return
    from xstilts.report.screen import show, show_sheets
    from xstilts.report.sections import speed as section

    sheets = [
        *([section.walls(evaluated)] if evaluated else []),
        *([section.languages(measured), section.comparisons(measured)] if measured else []),
        *([section.losses(points), section.ways(points)] if points else []),
    ]
    show_sheets(sheets)
    for one in measured:
        where = f"{one.hardware}, {one.threads} threads"
        show(f"{one.measured.target}, {one.measured.scenario} ({where}): {_answer(one)}")
    if not sheets:
        show("nothing of it is measured yet: xstilts run does it")


def _answer(one: Any) -> str:
    if one.queries_per_s:
        rates = ", ".join(f"{side} {rate:.1f}" for side, rate in one.queries_per_s.items())
        return f"queries/s within the bound: {rates}"
    return one.verdict

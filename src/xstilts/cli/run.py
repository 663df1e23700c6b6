"""``xstilts run`` and ``xstilts plan``: one path, several, or a study file."""

from __future__ import annotations

import shlex
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import typer  # noqa: TC002 (typer reads annotations at run time)

from xstilts.cli import asked, output
from xstilts.cli.options import (
    STORE,
    Address,
    Detect,
    Device,
    Devices,
    EngineName,
    Forecast,
    GpuMemory,
    Json,
    Keep,
    Paths,
    Slurm,
    StoreFolder,
    TaskFiles,
    Threads,
    Track,
    about_a_study,
)
from xstilts.plain import plain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xstilts.engines import Bench, Outcome
    from xstilts.forecast import Forecast as Predicted
    from xstilts.plan import Plan, Step
    from xstilts.store import Store
    from xstilts.tasks import Catalogue


@about_a_study
def run(
    context: typer.Context,
    paths: Paths = None,
    task: TaskFiles = None,
    store: StoreFolder = STORE,
    keep: Keep = "all",  # noqa: ARG001
    device: Device = "auto",
    threads: Threads = 0,
    engine: EngineName = "local",
    address: Address = "",
    slurm: Slurm = None,
    devices: Devices = 1,
    track: Track = "",
    json_: Json = False,
) -> int:
    """Train and evaluate; print zero-shot scores per language. What is finished is not redone.

    Beside a study file, options stand in place of what the file says.
    """
    from xstilts.engines import Outcome
    from xstilts.engines.groups import evict, grouped, remaining
    from xstilts.store import Store

    catalogue = asked.catalogue(task)
    found = asked.plan(context, paths or [], catalogue)
    steps = remaining(found, Store(store))
    about = f"{len(found.steps)} steps, {len(found.steps) - len(steps)} finished before"
    about += f" (store {store})"
    if steps:
        about += f"; {len(grouped(steps))} jobs to do"  # which progress is counted in
    if not steps:  # and nothing heavy is imported
        sys.stderr.write(about + "\n")
        evict(found, Store(store), found.steps.values())  # a run may have died before it did
        outcome = Outcome(kept=list(found.steps))
        for line in _notes(found):
            sys.stderr.write(f"{line}\n")
    else:
        from xstilts import counting, forecast
        from xstilts.preflight import check
        from xstilts.report.watch import watcher

        chosen = asked.engine(engine, address, slurm or [])
        bench = asked.bench(store, catalogue, device, threads, track, devices or 1)
        beside = forecast.Hindsight(steps, store)
        with watcher() as watch:
            notes = check(found, steps, bench, elsewhere=engine != "local")
            for line in (about, *_notes(found), *notes):
                watch.say(line)
            outcome = chosen.run(found, bench, watch)
        if told := beside.line(counting.total_steps(steps, Store(store))):
            sys.stderr.write(told + "\n")
    again = shlex.join(["xstilts", *(context.obj or ["run", *(paths or [])])])
    return _show(found, Store(store), catalogue, outcome, json_, again)


@about_a_study
def plan(
    context: typer.Context,
    paths: Paths = None,
    task: TaskFiles = None,
    store: StoreFolder = STORE,
    keep: Keep = "all",  # noqa: ARG001
    detect: Detect = None,
    forecast: Forecast = False,
    gpu_memory: GpuMemory = None,
    device: Device = "auto",
    threads: Threads = 0,
    json_: Json = False,
) -> int:
    """Print the graph of steps: what is finished, what is to do. Nothing is run."""
    from xstilts import cost as prices
    from xstilts import datafiles, leakage
    from xstilts.engines.groups import remaining
    from xstilts.report import graph, price
    from xstilts.store import Store

    catalogue = asked.catalogue(task)
    found, note = asked.plan_to_look_at(context, paths or [], catalogue)
    costs = prices.cost(found, catalogue, gpu_memory)
    document: dict[str, Any] = {}
    told: list[str] = []
    if detect is not None:
        from xstilts.analysis import power

        needed = power.detect(detect, found, Store(store), catalogue)
        document["detect"] = asdict(needed)
        told.append(str(needed))
    if forecast and (steps := remaining(found, Store(store))):
        predicted = _forecast(found, steps, asked.bench(store, catalogue, device, threads))
        document["forecast"] = asdict(predicted)
        told.append(f"predicted: {predicted}")
    leaks, unknown = leakage.known(found, catalogue, Store(store).root)
    changed = datafiles.changed(found.contents, Store(store).root)
    if json_:
        document["changed"] = changed
        document["leaks"] = {"found": leakage.told(leaks), "not_compared": unknown}
        if costs:
            document["cost"] = [asdict(one) for one in costs]
        document = graph.document(found, Store(store)) | document
        output.put(document)
    else:
        graph.show(found, Store(store))
        for line in (*changed, *leakage.told(leaks)):
            sys.stdout.write(f"{plain(line)}\n")
        if unknown and remaining(found, Store(store)):  # where all is done, no run does it
            pairs = f"{unknown:,} pair{'s' * (unknown > 1)} of training and evaluation rows"
            sys.stdout.write(f"not compared yet, a run does it first: {pairs}\n")
        for one in costs:
            price.show(one, found.keep)
        sys.stdout.write("".join(f"{line}\n" for line in told))
    if note:
        sys.stderr.write(f"note: {note}\n")
    return 0


def _forecast(plan: Plan, steps: list[Step], bench: Bench) -> Predicted:
    """What the steps will take; kept until they are run."""
    from xstilts import forecast
    from xstilts.report.watch import watcher

    with watcher() as watch:
        found = forecast.forecast(plan, steps, bench, watch)
    forecast.keep(found, steps, bench.store.root)
    return found


def _show(
    plan: Plan, store: Store, catalogue: Catalogue, outcome: Outcome, json_: bool, again: str
) -> int:
    from xstilts.report.rows import score_rows
    from xstilts.report.screen import show
    from xstilts.report.tables import summary, tables

    rows = score_rows(plan, store)
    if json_:
        document = {
            "scores": rows,
            "perturbed": score_rows(plan, store, plan.perturbed),
            "refused": plan.refused,
            "absent": plan.absent,
            "notes": plan.notes,
            "failed": outcome.failures,
            "steps": {"done": len(outcome.done), "kept": len(outcome.kept)},
        }
        output.put(document)
    else:
        for part in (*tables(rows, catalogue), summary(rows, catalogue)):
            if part is not None:
                show(*part, "")
    for path, reason in plan.absent.items():
        sys.stderr.write(f"not run: {path}: {plain(reason)}\n")
    for what, reason in plan.refused.items():
        sys.stderr.write(f"not run: {what}: {reason}\n")
    if outcome.failures:
        sys.stderr.write("".join(f"{plain(line)}\n" for line in _failed(plan, outcome, again)))
        return 2
    return 0


def _notes(plan: Plan) -> list[str]:
    """What to know before it begins."""
    return [f"note: {what}: {plain(note)}" for what, note in plan.notes.items()]


def _failed(plan: Plan, outcome: Outcome, again: str) -> Iterator[str]:
    """What failed and why, and how to go on."""
    reasons: dict[str, list[str]] = {}
    for step_id, reason in outcome.failures.items():
        reasons.setdefault(" ".join(reason.split()), []).append(plan.steps[step_id].label)
    for reason, labels in reasons.items():
        more = f" and {len(labels) - 3} more" if len(labels) > 3 else ""
        yield f"failed: {', '.join(labels[:3])}{more}: {reason}"
    yield (
        f"xstilts: failed steps: {len(outcome.failures)}; not run, as they need those: "
        f"{len(outcome.skipped)}; put the cause right, then go on with: {again}"
    )

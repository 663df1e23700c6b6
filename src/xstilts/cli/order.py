"""``xstilts order``: what the order of intermediate tasks changed in a study."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import typer  # noqa: TC002 (typer reads annotations at run time)

from xstilts.cli import asked, output
from xstilts.cli.options import STORE, Json, Paths, StoreFolder, TaskFiles, about_a_study
from xstilts.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

    from xstilts.analysis.retention import Retained
    from xstilts.analysis.sequences import Best, Edge, Variances


@about_a_study
def order(
    context: typer.Context,
    paths: Paths = None,
    task: TaskFiles = None,
    store: StoreFolder = STORE,
    json_: Json = False,
) -> int:
    """Print what the order of intermediate tasks changes, and what sequences forget."""
    from xstilts import counting
    from xstilts.analysis import outcomes, retention, sequences
    from xstilts.analysis.gains import Gains
    from xstilts.store import Store

    catalogue, kept = asked.catalogue(task), Store(store)
    plan = asked.plan(context, paths or [], catalogue)
    saved = counting.saving(plan, kept)
    if saved is None:
        raise UserError(
            'there is no sequence in it: write one, as in "order(csqa, squad_v1) > xnli"'
        )
    loaded = outcomes.load(plan, kept, catalogue)
    found = sequences.analyse(Gains(loaded, same_data=True))
    held = retention.retained(plan, kept)
    if json_:
        document = {
            **found.document(),
            "retained": [asdict(one) for one in held],
            "saving": asdict(saved),
            **output.state(loaded),
        }
        output.put(document)
        return 0
    from xstilts.report.screen import show

    show(str(saved), "")
    for one in found.variances:
        about = f"{one.orders} orders of {one.size} in {one.sets} sets, {one.seeds} seeds"
        show(f"{one.model}: standard deviations in points ({about})", _variances(one), "")
    if found.best:
        show("the best order, picked on half of the seeds and judged on the other, in points")
        show(_best(found.best), "")
    if found.edges:
        show("a task at one end of the sequence minus the mean of its sets' orders, in points")
        show(_edges(found.edges), "")
    if held:
        show("what is kept as stages follow, in points (raw text: loss in nats)", _held(held), "")
    show(*output.left(loaded))
    return 0


def _variances(one: Variances) -> Table:
    from xstilts.report.screen import grid

    table = grid("source", ">deviation", ">95 % interval", ">df")
    for part in one.parts:
        there = part.df > 0
        table.add_row(
            part.name,
            f"{100 * part.deviation:.2f}" if there else "not told apart",
            f"[{100 * part.low**0.5:.2f}, {100 * part.high**0.5:.2f}]" if there else "",
            str(part.df),
        )
    return table


def _best(found: Sequence[Best]) -> Table:
    from xstilts.report.cells import p_text
    from xstilts.report.screen import grid

    table = grid("set", "target", "versus", ">held out", ">p", ">same seeds", "best on all seeds")
    for one in found:
        table.add_row(
            one.group,
            one.target or "mean",
            one.versus,
            "one seed" if one.estimate is None else output.interval(one.estimate),
            p_text(one.p),
            f"{100 * one.cursed:+.1f}",
            one.order,
        )
    return table


def _edges(found: Sequence[Edge]) -> Table:
    from xstilts.report.cells import p_text
    from xstilts.report.screen import grid

    table = grid("task", "place", ">difference", ">p")
    for one in found:
        table.add_row(one.task, one.place, output.interval(one.estimate), p_text(one.p))
    return table


def _held(found: Sequence[Retained]) -> Table:
    from xstilts.report.screen import grid

    table = grid("of", ">stages since", ">value", ">change", ">beginnings", ">seeds")
    for one in found:
        raw = one.is_loss
        scale, digits = (1, 2) if raw else (100, 1)
        half = "" if one.half is None else f" ± {scale * one.half:.{digits}f}"
        change = f"{scale * one.change:+.{digits}f}{half}" if one.since else ""
        name = f"loss of {one.task}" if raw else one.task
        value = f"{scale * one.value:.{digits}f}"
        table.add_row(name, str(one.since), value, change, str(one.sequences), str(one.seeds))
    return table

"""``xstilts order``: what the order of intermediate tasks changed in a study."""

from __future__ import annotations

from dataclasses import asdict

import typer  # noqa: TC002 (typer reads annotations at run time)

from xstilts.cli import asked, output
from xstilts.cli.options import STORE, Json, Paths, StoreFolder, TaskFiles, about_a_study
from xstilts.errors import UserError


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
    from xstilts.report.screen import show, show_sheets
    from xstilts.report.sections.order import sheets

    show(str(saved), "")
    show_sheets(sheets(found, held))
    show(*output.left(loaded))
    return 0

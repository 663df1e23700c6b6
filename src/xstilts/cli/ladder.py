"""``xstilts ladder``: whether what an intermediate task brings shrinks as the model grows."""

from __future__ import annotations

import typer  # noqa: TC002 (typer reads annotations at run time)

from xstilts.cli import asked, output
from xstilts.cli.options import STORE, Json, Paths, StoreFolder, TaskFiles, about_a_study
from xstilts.errors import UserError


@about_a_study
def ladder(
    context: typer.Context,
    paths: Paths = None,
    task: TaskFiles = None,
    store: StoreFolder = STORE,
    json_: Json = False,
) -> int:
    """Print how gains change with the size of the model, from a study of several sizes."""
    from xstilts.analysis import ladder as analysis
    from xstilts.analysis import outcomes
    from xstilts.analysis.gains import Gains
    from xstilts.store import Store

    catalogue = asked.catalogue(task)
    plan = asked.plan(context, paths or [], catalogue)
    if len(plan.models) < 2:
        raise UserError(
            f"{(paths or [''])[0]}: there is one model in it, and a ladder is one kind in several "
            'sizes: write them as "models" in a study file, or see "xstilts studies ladder"'
        )
    loaded = outcomes.load(plan, Store(store), catalogue, every_rate=True)
    found = analysis.ladders(Gains(loaded))
    if json_:
        document = {"ladders": [one.document() for one in found], **output.state(loaded)}
        output.put(document)
        return 0
    from xstilts.report.screen import show, show_sheets
    from xstilts.report.sections.ladder import sentences, sheets

    show_sheets(sheet for one in found for sheet in sheets(one, ""))
    show(*sentences(found))
    show(*output.left(loaded))
    return 0

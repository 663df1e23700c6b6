"""``xstilts studies``: the ready-made ones. Offline and instant."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from xstilts.cli import output
from xstilts.cli.options import Json
from xstilts.errors import UserError, suggest

if TYPE_CHECKING:
    from xstilts.study import Study

NEXT = (
    "`xstilts plan NAME` shows the steps, `xstilts run NAME` does them; "
    "`xstilts studies NAME > mine.yaml` makes a file to change"
)


def studies(
    name: Annotated[str, typer.Argument(help="One study in full, as its YAML file.")] = "",
    json_: Json = False,
) -> int:
    """List the ready-made studies, or print one as a file to change."""
    from xstilts import study

    ready = study.ready_made()
    if name and name not in ready:
        raise UserError(f'no ready-made study is called "{name}":{suggest(name, ready)}')
    if name and not json_:
        sys.stdout.write(ready[name].read_text(encoding="utf-8"))
        return 0
    shown = [study.load(file) for one, file in ready.items() if name in ("", one)]
    if json_:
        documents = [one.model_dump() | {"size": _size(one)} for one in shown]
        output.put(documents)
        return 0
    from xstilts.report import screen

    table = screen.grid("study", "source", ">paths", ">seeds", "asks")
    for one in shown:
        size = _size(one)
        table.add_row(one.name, one.source, f"{size['paths']}", f"{size['seeds']}", one.about)
    screen.show(table, "", NEXT)
    return 0


def _size(one: Study) -> dict[str, Any]:
    """How many paths and seeds; a path may share stages with others."""
    from xstilts.suites import suite

    targets = suite(one.targets) if isinstance(one.targets, str) else one.targets
    models = len(one.models) * max(len(one.learning_rates), 1)
    return {"paths": models * len(one.expand(targets)), "seeds": len(one.seeds)}

"""``xstilts leaks``: evaluation text among the rows that paths train on or select with."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from xstilts.cli import asked, output
from xstilts.cli.options import Json, SourceName, TaskFiles
from xstilts.report import screen

if TYPE_CHECKING:
    from xstilts.sources.leaks import Compared


def leaks(
    paths: Annotated[
        list[str], typer.Argument(metavar="PATH", help='Paths in quotes, as in "mnli > xnli".')
    ],
    source: SourceName = "hub",
    task: TaskFiles = None,
    json_: Json = False,
) -> int:
    """Look for evaluation text in the rows that paths train on or select with."""
    from xstilts.path import parse
    from xstilts.resolve import resolve
    from xstilts.sources import Sources
    from xstilts.sources.leaks import compare

    known = asked.source(source)
    catalogue, rows = asked.catalogue(task), Sources.from_environment()
    resolved = [resolve(parse(path), known, catalogue) for path in paths]
    found = compare(resolved, known, catalogue, rows)
    ranked = sorted(found, key=lambda one: (-one.leak.shared_sentences, one.seen, one.split))
    if json_:
        output.put([asdict(one) for one in ranked])
    else:
        _table(ranked)
    return 0


def _table(found: list[Compared]) -> None:
    table = screen.grid("rows of", "split", "evaluated", "in", ">paragraphs", ">sentences")
    for one in found:
        leak = one.leak
        table.add_row(
            one.seen,
            one.split,
            one.target,
            " ".join(one.languages[:3]) + " ..." * (len(one.languages) > 3),
            f"{leak.shared_paragraphs:,} of {leak.paragraphs:,}",
            f"{leak.shared_sentences:,} of {leak.sentences:,}",
        )
    shared = [one for one in found if one.leak]
    lines = [f"{one.seen} and {one.target} share: {one.leak.example[:160]}" for one in shared[:3]]
    screen.show(table, *lines)

"""``xstilts export submission``: a finished study as a leaderboard's folder."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from xstilts.cli import asked
from xstilts.cli.options import (
    STORE,
    Paths,
    StoreFolder,
    TaskFiles,
    about_a_study,
)
from xstilts.errors import UserError, suggest


@about_a_study
def submission(
    context: typer.Context,
    paths: Paths = None,
    suite: Annotated[str, typer.Option(help="xtreme or xtreme-r.")] = "xtreme",
    out: Annotated[Path | None, typer.Option(help="A new folder. Default: the suite.")] = None,
    task: TaskFiles = None,
    store: StoreFolder = STORE,
) -> int:
    """Write a suite's predictions as its leaderboard takes them: all of them, or none."""
    from xstilts import submitting
    from xstilts.store import Store
    from xstilts.suites import BENCHMARKS

    official = [name for name, one in BENCHMARKS.items() if one.languages]
    if suite not in official:
        raise UserError(f'--suite "{suite}" has no leaderboard:{suggest(suite, official)}')
    catalogue = asked.catalogue(task)
    found = asked.plan(context, paths or [], catalogue)
    entries = submitting.entries(found, Store(store), catalogue, suite)
    folder = out or Path(suite)
    submitting.write(entries, folder)
    sys.stderr.write(f"{len(entries)} files; read back, they give the stored scores\n")
    sys.stdout.write(f"{folder}\n")
    return 0

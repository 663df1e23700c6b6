"""``xstilts store``: look at finished work, check it, clear leftovers away, carry it elsewhere."""

from __future__ import annotations

import sys
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from xstilts.cli import asked, output
from xstilts.cli.options import STORE, Json, StoreFolder, TaskFiles
from xstilts.errors import UserError
from xstilts.plain import plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from xstilts.store import Store

app = typer.Typer(
    help="Finished work: list it, verify it, clear leftovers away, carry it elsewhere.",
    no_args_is_help=True,
)


@app.command("ls")
def ls(
    store: StoreFolder = STORE,
    json_: Json = False,
) -> int:
    """List every finished step, the newest last: what it is, its size, when it was finished."""
    found = opened(store)
    steps = sorted(found.ls(), key=lambda one: (one.created, one.id))
    if json_:
        output.put([one._asdict() for one in steps])
        return 0
    for one in steps:
        what = "predictions" if one.kind == "predict" else "weights"
        gone = f", {what} evicted" if one.evicted else ""
        line = f"{one.id}  {one.kind:8} {one.bytes:>14,} bytes  {one.created[:19]}  {one.about}"
        sys.stdout.write(f"{plain(line)}{gone}\n")
    kinds = Counter(one.kind for one in steps)
    told = ", ".join(f"{number:,} {kind}" for kind, number in kinds.items())
    size = sum(one.bytes for one in steps)
    sys.stderr.write(f"{_counted(len(steps), 'step')} ({told}), {size:,} bytes in {found.root}\n")
    return 0


@app.command("verify")
def verify(
    store: StoreFolder = STORE,
    discard: Annotated[
        bool,
        typer.Option("--discard", help="Remove damaged steps, so that the next run redoes them."),
    ] = False,
) -> int:
    """Read every byte of every finished step and compare it with its checksum."""
    from xstilts.store.upkeep import verify_step

    found = opened(store)
    steps = list(found.ls())
    faults, done, total = [], 0, sum(one.bytes for one in steps)
    with _bar("verifying") as told:
        for one in steps:
            faults += verify_step(found.folder(one.id))
            done += one.bytes
            told(done, total)
    for fault in faults:
        sys.stdout.write(f"{plain(fault.problem)}\n")
    sys.stderr.write(f"{_counted(len(steps), 'step')} read, {_counted(len(faults), 'fault')}")
    damaged = dict.fromkeys(fault.step_id for fault in faults)
    if discard:
        gone = sum(found.discard_damaged(step_id) for step_id in damaged)
        hint = ": run their study again" * bool(gone)
        sys.stderr.write(f", {_counted(gone, 'step')} removed{hint}\n")
        return 0
    hint = ": --discard removes these steps, and their study, run again, redoes them"
    sys.stderr.write(f"{hint * bool(faults)}\n")
    return 2 if faults else 0


@app.command("gc")
def gc(
    store: StoreFolder = STORE,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
) -> int:
    """Remove what dead processes left behind and the resume points of finished steps."""
    freed = opened(store).gc(dry_run=dry_run)
    for path in freed.paths:
        sys.stdout.write(f"{plain(str(path))}\n")
    word = "would be freed" if dry_run else "freed"
    sys.stderr.write(f"{freed.bytes:,} bytes {word}\n")
    return 0


@app.command("pack")
def pack(
    context: typer.Context,
    out: Annotated[Path, typer.Argument(metavar="OUT.tar.zst", help="A file not there yet.")],
    steps: Annotated[
        list[str] | None, typer.Argument(metavar="STEP", help="Ids, or how they begin.")
    ] = None,
    study: Annotated[
        Path | None, typer.Option("--study", metavar="FILE", help="The steps of this study.")
    ] = None,
    task: TaskFiles = None,
    weights: Annotated[
        bool, typer.Option("--weights/--no-weights", help="With the models, or results alone.")
    ] = True,
    scores: Annotated[
        bool, typer.Option("--scores", help="Without predictions too, which hold text of datasets.")
    ] = False,
    store: StoreFolder = STORE,
) -> int:
    """Write finished steps into one file, to merge elsewhere: all, those given, or a study's."""
    from xstilts.store import packing

    found = opened(store)
    if study and steps:
        raise UserError("store pack takes steps or --study, not both")
    if study:
        plan = asked.plan(context, [str(study)], asked.catalogue(task))
        picked = [step_id for step_id in plan.steps if found.has(step_id)]
    else:
        picked = chosen(found, steps or [])
    if not picked:
        raise UserError(f'nothing to pack: no step of it is finished in "{found.root}"')
    left_out = ("train", "predict") if scores else () if weights else ("train",)
    with _bar("packing") as told:
        number = packing.pack(found, out, picked, told, left_out)
    size = out.stat().st_size
    sys.stderr.write(f"{_counted(number, 'step')}, {size:,} bytes: merge them elsewhere by\n")
    sys.stdout.write(f"xstilts store merge {out}\n")
    return 0


@app.command("merge")
def merge(
    source: Annotated[
        Path, typer.Argument(metavar="FILE|FOLDER", help="A pack, or another store's folder.")
    ],
    store: StoreFolder = STORE,
) -> int:
    """Bring the finished steps of a pack, or of another store, into this one."""
    from xstilts.store import Store, merging

    with _bar("merging") as told:
        merged = merging.merge(Store(store), source, told)
    for step_id, why in merged.refused.items():
        sys.stdout.write(f"refused: {step_id}: {plain(why)}\n")
    sys.stderr.write(
        f"{_counted(len(merged.added), 'step')} added, {len(merged.kept)} here before, "
        f"{len(merged.restored)} had their weights brought back, {len(merged.refused)} refused\n"
    )
    return 2 if merged.refused else 0


def chosen(store: Store, asked_for: list[str]) -> list[str]:
    """The steps that the beginnings of their ids stand for; all without any.

    Raises:
        UserError: if one stands for no step, or for several.
    """
    ids = [one.id for one in store.ls()]
    if not asked_for:
        return ids
    found: dict[str, None] = {}
    for beginning in asked_for:
        matches = [one for one in ids if one.startswith(beginning)]
        if not matches:
            raise UserError(
                f'no step of "{store.root}" begins with "{beginning}" (xstilts store ls shows them)'
            )
        if len(matches) > 1:
            raise UserError(
                f'{len(matches)} steps of "{store.root}" begin with "{beginning}": give more of '
                "one id (xstilts store ls shows them)"
            )
        found[matches[0]] = None
    return list(found)


@contextmanager
def _bar(label: str) -> Iterator[Callable[[int, int], object]]:
    """A bar of bytes on a terminal; nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda _done, _total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TransferSpeedColumn

    columns = (BarColumn(20), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(label, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def opened(folder: Path) -> Store:
    """The store in a folder; not one that the first write would make."""
    from xstilts.store import Store

    store = Store(folder)
    if not store.root.is_dir():
        raise UserError(f'store: no folder "{folder}": give --store FOLDER, or run something first')
    return store


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"

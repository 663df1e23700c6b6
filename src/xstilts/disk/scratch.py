"""Scratch: where everything is written before it exists, and where everything unwanted ends.

A scratch folder lies in ``<root>/tmp``, on the store's own file system, so what was written in it
reaches its place by one rename, and what is unwanted leaves its place by one rename. Hence there
is one kind of stray, in one place. Its name, ``<step id>.<mark>.<random>``, tells whose it is, so
that anyone may sweep the scratch of the dead and nobody that of the living.
"""

from __future__ import annotations

import os
import secrets
import shutil
import stat
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from xstilts.disk import leases, owners
from xstilts.disk.files import make_folder, sync
from xstilts.failpoints import failpoint

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

_UNWANTED = "gone"


def alone(root: Path) -> AbstractContextManager[object]:
    """Alone among all processes in putting finished steps in their place and changing them."""
    return leases.held(root, "store")


@contextmanager
def scratch(root: Path, step_id: str) -> Iterator[Path]:
    """A fresh folder to write in, gone afterwards; first sweeps what died before for this step."""
    make_folder(root / "tmp")
    sweep(root, step_id)
    folder = root / "tmp" / f"{step_id}.{owners.mark()}.{secrets.token_hex(8)}"
    folder.mkdir()
    owners.hold(folder)
    try:
        failpoint("scratch.created")
        yield folder
    finally:
        owners.drop(folder)
        shutil.rmtree(folder, ignore_errors=True)


def remove(path: Path, root: Path, step_id: str) -> None:
    """Make what stands at `path`, if anything, vanish at once; then free its space.

    It moves among the scratch of the dead first, so a kill leaves the rest of it to `sweep`.
    """
    if path.is_dir() and not path.is_symlink():
        make_folder(root / "tmp")
        aside = root / "tmp" / f"{step_id}.{_UNWANTED}.{secrets.token_hex(8)}"
        try:
            path.rename(aside)
        except FileNotFoundError:  # another process was faster
            return
        failpoint("aside.moved")
        try:
            sync(path.parent)
        finally:
            shutil.rmtree(aside, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def sweep(root: Path, step_id: str = "*", *, dry_run: bool = False) -> list[tuple[Path, int]]:
    """Remove the scratch of the dead; return each folder (that would be) removed and its bytes."""
    swept = []
    for folder in sorted((root / "tmp").glob(f"{step_id}.*")):
        size = tree_bytes(folder)
        if _sweep(folder, dry_run=dry_run):
            swept.append((folder, size))
    return swept


def _sweep(folder: Path, *, dry_run: bool) -> bool:
    owner = folder.name.split(".")[1]
    ours = owners.is_mark(owner) or owner == _UNWANTED  # else no scratch, leave it alone
    if not ours or owners.lives(owner, folder):
        return False
    if not dry_run:
        shutil.rmtree(folder, ignore_errors=True)
    return dry_run or not folder.exists()


def tree_bytes(folder: Path) -> int:
    """The bytes of all plain files under a folder; what vanishes meanwhile counts nothing."""
    return sum(_bytes(Path(parent, name)) for parent, _, names in os.walk(folder) for name in names)


def _bytes(path: Path) -> int:
    try:
        entry = path.lstat()
    except FileNotFoundError:
        return 0
    return entry.st_size if stat.S_ISREG(entry.st_mode) else 0

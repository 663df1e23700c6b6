"""Files that people ask for appear whole or not at all; what stood in their place stays so long."""

from __future__ import annotations

import errno
import glob
import os
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

from xstilts.disk import owners
from xstilts.errors import UserError
from xstilts.failpoints import failpoint

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def check_free(folder: Path) -> None:
    """Refuse a folder that holds something, or a file in its place.

    Raises:
        UserError: naming it.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{folder}: is in use; give --out another name, or remove it")


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Where to write a file or folder: it takes its place when the block ends well, or is gone.

    Folders above it are made. A folder replaces an empty folder only; a pipe or device is written
    as it is. What processes that died left of the same name is removed.

    Raises:
        IsADirectoryError: if a file was written and a folder stands in its place.
    """
    if path.exists() and not (path.is_file() or path.is_dir()):
        yield path
        return
    place = path.resolve()  # a link stays one
    place.parent.mkdir(parents=True, exist_ok=True)
    for left in place.parent.glob(f".{glob.escape(place.name)}.*.part"):
        owner = left.name.rsplit(".", 2)[1]
        if owners.is_mark(owner) and not owners.lives(owner, left):
            _remove(left)
    part = place.with_name(f".{place.name}.{owners.mark()}.part")
    try:
        yield part
        if place.is_dir() and not part.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        if part.is_file():
            with part.open("rb") as file:
                os.fsync(file.fileno())
        failpoint("whole.rename")
        part.replace(place)
    finally:
        _remove(part)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)

"""What processes are doing, for whoever looks from another terminal.

``<root>/status/<mark>.json`` is one process's: a small file replaced at most once a second, and
touched while its owner lives. It is a view, not a record: nothing is computed from it. A process
that ends with failures leaves its file, so that they can be read until the next one begins.
"""

from __future__ import annotations

import json
import os
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from xstilts import jsontext
from xstilts.disk import owners
from xstilts.disk.files import make_folder
from xstilts.failpoints import failpoint

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FOLDER = "status"
EVERY_S = 1.0


class Seen(NamedTuple):
    """What a process last said of itself.

    Attributes:
        host: its machine.
        pid: its number there.
        state: ``running``, ``ended``, or ``died`` where it ended without a word.
        silent_seconds: how long ago it was last heard of.
        about: ``label``, ``number`` of ``total`` groups, ``since`` (seconds of the group),
            ``done`` of ``of`` steps or batches at ``tokens_per_second`` with ``seconds_left``
            (each None where unknown), ``failed``: label -> reason.
    """

    host: str
    pid: int
    state: str
    silent_seconds: float
    about: dict[str, Any]


class Status:
    """This process's file."""

    def __init__(self, root: Path) -> None:
        self._path = root / FOLDER / f"{owners.mark()}.json"
        self._written = float("-inf")
        make_folder(self._path.parent)
        with suppress(OSError):  # another person's
            sweep(root, dry_run=False)

    def write(self, about: dict[str, Any], *, now: bool) -> None:
        """Say how it stands; dropped where the last time was a moment ago, unless it is ``now``.

        A disk that is full or away stops no work: then there is nothing to see.
        """
        if not now and time.monotonic() - self._written < EVERY_S:
            return
        self._written = time.monotonic()
        body = {"host": os.uname().nodename, **about}
        temporary = self._path.with_suffix(".part")
        with suppress(OSError):
            temporary.write_text(json.dumps(body, ensure_ascii=False), encoding="utf-8")
            failpoint("status.written")
            temporary.replace(self._path)
            owners.hold(self._path)

    def close(self, *, keep: bool) -> None:
        """The process has ended its work; keep what it said last, or not."""
        owners.drop(self._path)
        if not keep:
            with suppress(OSError):
                self._path.unlink()


def read(root: Path) -> Iterator[Seen]:
    """What all processes said last; what cannot be read is left out."""
    for path in sorted((root / FOLDER).glob("*.json")):
        try:
            about = jsontext.parse(path.read_text(encoding="utf-8"))
            silent = owners.silent_seconds(path)
            host, state = str(about.pop("host")), str(about.pop("state"))
        except (OSError, ValueError, KeyError, AttributeError, TypeError):
            continue
        if owners.is_mark(path.stem):
            if state == "running" and not owners.lives(path.stem, path):
                state = "died"
            yield Seen(host, owners.pid_of(path.stem), state, silent, about)


def sweep(root: Path, *, dry_run: bool) -> list[Path]:
    """Remove what the dead said last; return those that are (or would be) removed."""
    swept = []
    for path in sorted((root / FOLDER).glob("*.*")):
        if not owners.lives(path.stem, path):
            swept.append(path)
            if not dry_run:
                path.unlink(missing_ok=True)
    return swept

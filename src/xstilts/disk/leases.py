"""Leases: a file says who is doing something, so that no two processes do it at once.

Its name, ``<root>/leases/<name>.<mark>.<random>``, tells whose it is from the moment it exists,
and is never used again, so that whoever removes it removes no other. A process makes its own file
and only then lists all of that name: it holds the lease if no other of them is of a living
process. Of two that make theirs at once, at least the one that lists later sees the other; if both
do, both give way and try again. It asks of the file system no lock, which many network file
systems have not to be relied on, and no more than that a file that exists is listed.

A process that was taken for dead and wakes up finds that its lease no longer `stands`. Even then
nothing is damaged, as the first to finish a step wins; only work is done twice.
"""

from __future__ import annotations

import os
import random
import secrets
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from xstilts.disk import owners
from xstilts.disk.files import make_folder
from xstilts.failpoints import failpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

FOLDER = "leases"


_given_back: set[Path] = set()  # by this process, and its disk would not remove the file


@dataclass(frozen=True)
class Lease:
    """What this process may do alone until it releases it.

    Attributes:
        path: its file.
    """

    path: Path

    def stands(self) -> bool:
        """Whether it is still in force: nobody took this process for dead."""
        return self.path.exists()

    def release(self) -> None:
        """Give it back; where its file cannot be removed, it is nobody's."""
        owners.drop(self.path)
        try:
            self.path.unlink(missing_ok=True)
        except OSError:
            _given_back.add(self.path)


def all_stand(leases: Sequence[Lease]) -> bool:
    """Whether all of some leases of one store are still in force; their folder is read once."""
    if not leases:
        return True
    there = set(leases[0].path.parent.iterdir())
    return all(lease.path in there for lease in leases)


class Holder(NamedTuple):
    """A living process that holds a lease: its machine's name and its number there."""

    host: str
    pid: int


def take(root: Path, name: str) -> Lease | None:
    """The lease of that name; None while a living process, or this one, holds it."""
    folder = root / FOLDER
    make_folder(folder)
    while not any(map(_living, _files(root, name))):
        if (lease := _make(root, name)) is not None:
            return lease
        time.sleep(random.uniform(0, 0.01))  # noqa: S311 (two that met should not meet again)
    return None


def _make(root: Path, name: str) -> Lease | None:
    """A lease, unless another process is about to have it too; those of the dead go."""
    path = root / FOLDER / f"{name}.{owners.mark()}.{secrets.token_hex(8)}"
    try:
        path.write_text(os.uname().nodename, encoding="utf-8")
        failpoint("lease.created")
        others = [other for other in _files(root, name) if other != path]
        if not any(map(_living, others)):
            for other in others:
                other.unlink(missing_ok=True)
            owners.hold(path)
            return Lease(path)
    except BaseException:  # an interruption too: this process may live on
        Lease(path).release()
        raise
    Lease(path).release()
    return None


def holder(root: Path, name: str) -> Holder | None:
    """Who holds a lease; None if no living process does."""
    for path in _files(root, name):
        if _living(path):
            with suppress(FileNotFoundError):  # released meanwhile
                host = path.read_text(encoding="utf-8", errors="replace")
                return Holder(host, owners.pid_of(_mark(path)))
    return None


def outlived(root: Path, name: str, pause: Callable[[], object]) -> bool:
    """Whether a lease was given up or its holder turned out to be dead before a sign of life.

    Of a process on another machine that has just died only its silence tells.

    Args:
        root: of the leases.
        name: the lease's.
        pause: called again and again meanwhile.

    Returns:
        False as soon as its holder is known to live: by the kernel, or by its next heartbeat.
    """
    for path in _files(root, name):
        try:
            touched = path.lstat().st_mtime
            while _living(path):
                if owners.here(_mark(path)) or path.lstat().st_mtime != touched:
                    return False
                pause()
        except FileNotFoundError:  # given up
            continue
    return True


@contextmanager
def held(root: Path, name: str) -> Iterator[Lease]:
    """Wait for a lease that is never held for long, and hold it."""
    pause = 0.001
    while (lease := take(root, name)) is None:
        time.sleep(pause)
        pause = min(2 * pause, 0.1)
    try:
        yield lease
    finally:
        lease.release()


def sweep(root: Path, *, dry_run: bool) -> list[Path]:
    """Remove the leases of the dead; return those that are (or would be) removed."""
    dead = [path for path in _files(root) if not _living(path)]
    if not dry_run:
        for path in dead:
            path.unlink(missing_ok=True)
    return dead


def _files(root: Path, name: str = "") -> list[Path]:
    """The leases of a name; all without one. A listing that fails is not one without any."""
    try:
        there = sorted(os.listdir(root / FOLDER))  # noqa: PTH208 (glob passes over errors)
    except FileNotFoundError:
        return []
    return [root / FOLDER / one for one in there if one.startswith(name and f"{name}.")]


def _mark(path: Path) -> str:
    """The mark of a file's owner."""
    return path.name.partition(".")[2].partition(".")[0]


def _living(path: Path) -> bool:
    return path not in _given_back and owners.lives(_mark(path), path)

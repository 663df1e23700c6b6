"""Leases: a file says who is doing something, so that no two processes do it at once.

``<root>/leases/<name>.<n>`` is made by ``O_EXCL`` and holds its owner's mark; the highest ``n`` is
in force. The lease of a dead process is taken over by making ``n + 1``, which only one can make;
it is never removed by its name alone, which another may have taken since. The new holder removes
the dead ones when it is done. No lock of the operating system is involved, as many network file
systems have none that can be relied on.

A process that was taken for dead and wakes up finds that its lease no longer `stands`. Even then
nothing is damaged, as the first to finish a step wins; only work is done twice.
"""

from __future__ import annotations

import os
import random
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from xstilts.disk import owners
from xstilts.disk.files import make_folder
from xstilts.failpoints import failpoint

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

FOLDER = "leases"


@dataclass(frozen=True)
class Lease:
    """What this process may do alone until it releases it.

    Attributes:
        name: a step's id, or another name without a dot.
        folder: of all leases.
        number: its own.
        made: what tells its file from another of the same name.
    """

    name: str
    folder: Path
    number: int
    made: os.stat_result

    def stands(self, listed: Mapping[str, list[int]] | None = None) -> bool:
        """Whether it is still in force: nobody took this process for dead.

        Args:
            listed: name -> numbers of all leases a moment ago, where many are looked at together.
        """
        there = _numbers(self.folder, self.name) if listed is None else listed.get(self.name, [])
        if max(there, default=0) != self.number:
            return False
        try:  # after the list was read, so that a file removed meanwhile is seen to be gone
            return os.path.samestat(self._path(self.number).stat(), self.made)
        except FileNotFoundError:
            return False

    def release(self) -> None:
        """Give it back; the leases of the dead below it go first."""
        if self.stands():
            for number in _numbers(self.folder, self.name):
                if number < self.number:
                    self._path(number).unlink(missing_ok=True)
        self.remove()
        owners.drop(self._path(self.number))

    def remove(self) -> None:
        """Remove its file, unless another process has made one of the same name since."""
        path = self._path(self.number)
        with suppress(FileNotFoundError):
            if os.path.samestat(path.stat(), self.made):
                path.unlink()

    def _path(self, number: int) -> Path:
        return self.folder / f"{self.name}.{number}"


def all_stand(leases: Sequence[Lease]) -> bool:
    """Whether all of some leases of one store are still in force; their folder is read once."""
    if not leases:
        return True
    listed: dict[str, list[int]] = {}
    for entry in os.scandir(leases[0].folder):
        name, _, number = entry.name.partition(".")
        if number.isascii() and number.isdigit():
            listed.setdefault(name, []).append(int(number))
    return all(lease.stands(listed) for lease in leases)


class Holder(NamedTuple):
    """A living process that holds a lease: its machine's name and its number there."""

    host: str
    pid: int


def take(root: Path, name: str) -> Lease | None:
    """The lease of that name; None while a living process, or this one, holds it."""
    folder = root / FOLDER
    make_folder(folder)
    while True:
        top = max(_numbers(folder, name), default=0)
        if top and _living(folder / f"{name}.{top}"):
            return None
        if (lease := _make(folder, name, top + 1)) is not None:
            owners.hold(folder / f"{name}.{top + 1}")
            return lease
        time.sleep(random.uniform(0, 0.01))  # noqa: S311 (two that met should not meet again)


def _make(folder: Path, name: str, number: int) -> Lease | None:
    """Lease ``number``, unless another process is faster."""
    path = folder / f"{name}.{number}"
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    except FileExistsError:
        return None
    try:
        failpoint("lease.created")
        os.write(descriptor, f"{owners.mark()} {os.uname().nodename}\n".encode())
        lease = Lease(name, folder, number, os.fstat(descriptor))
    except OSError:
        path.unlink(missing_ok=True)
        raise
    finally:
        os.close(descriptor)
    # Its content is written a moment after it is made: who judged an empty one to be nobody's may
    # have been too fast. So it counts only if all below are dead now, when it can be seen itself.
    below = (folder / f"{name}.{n}" for n in _numbers(folder, name) if n < number)
    if lease.stands() and not any(map(_living, below)):
        return lease
    lease.remove()
    return None


def holder(root: Path, name: str) -> Holder | None:
    """Who holds a lease; None if no living process does."""
    number = max(_numbers(root / FOLDER, name), default=0)
    path = root / FOLDER / f"{name}.{number}"
    if not number or not _living(path):
        return None
    owner, host = _content(path)
    return Holder(host, owners.pid_of(owner)) if owners.is_mark(owner) else None


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
    swept = []
    for path in sorted((root / FOLDER).glob("*.*")):
        name = path.name.partition(".")[0]
        if not path.exists() or holder(root, name):
            continue
        swept.append(path)
        if not dry_run and (lease := take(root, name)) is not None:
            lease.release()
    return swept


def _numbers(folder: Path, name: str) -> list[int]:
    found = (path.name.partition(".")[2] for path in folder.glob(f"{name}.*"))
    return [int(number) for number in found if number.isascii() and number.isdigit()]


def _content(path: Path) -> tuple[str, str]:
    """Mark and host of an owner; empty while it is being written, or gone."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        text = ""
    owner, _, host = text.strip().partition(" ")
    return owner, host


def _living(path: Path) -> bool:
    return owners.lives(_content(path)[0], path)

"""Who writes in the store, and whether they still live.

What is under way carries its owner's mark: machine, process, and when that process began. On the
same machine the kernel says whether the process lives. Of other machines only a heartbeat tells:
one thread of every process touches all that the process holds, and what has not been touched for
a while belongs to the dead. Times are compared with the file server's clock, not with ours.
"""

from __future__ import annotations

import os
import platform
import re
import secrets
import tempfile
import threading
from contextlib import suppress
from functools import cache
from pathlib import Path

from xstilts.identity import fingerprint

BEAT_SECONDS = 15.0
# Without a heartbeat for so long, a process of another machine is dead. Network file systems may
# show times that are a minute old.
LIMIT_SECONDS = 180.0
_MARK = re.compile(r"([0-9a-f]{12})-([0-9]+)-([0-9]+)")


@cache
def _machine() -> str:
    """This machine as its processes see it: host, boot, and where process numbers are counted."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii")
        numbers = str(Path("/proc/self/ns/pid").readlink())
        Path("/proc/self/stat").read_bytes()
    except OSError:  # no such kernel: its processes judge each other by heartbeats alone
        boot, numbers = "", secrets.token_hex()
    return fingerprint([platform.node(), boot, numbers])[:12]


def _began(pid: int) -> str | None:
    """When a process began, in the kernel's ticks; None if it lives no more."""
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return None
    except PermissionError:  # another person's
        pass
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:  # it may be hidden from us
        return ""
    fields = stat.rpartition(")")[2].split()  # the name before it may hold anything
    return None if fields[0] in "ZX" else fields[19]


def mark() -> str:
    """The mark of this process: file-safe text without a dot."""
    return f"{_machine()}-{os.getpid()}-{_began(os.getpid()) or 0}"


def is_mark(text: str) -> bool:
    """Whether a text has the form of a mark."""
    return _MARK.fullmatch(text) is not None


def pid_of(owner: str) -> int:
    """The number of a mark's process on its machine."""
    match = _MARK.fullmatch(owner)
    assert match, owner
    return int(match[2])


def here(owner: str) -> bool:
    """Whether a mark is of a process of this machine, so that the kernel knows whether it lives."""
    return owner.partition("-")[0] == _machine()


def lives(owner: str, held: Path) -> bool:
    """Whether the process with that mark lives, as far as what it holds can tell.

    Args:
        owner: a mark; what is none belongs to nobody.
        held: a file or folder that its owner touches while it lives.
    """
    if (match := _MARK.fullmatch(owner)) is None:
        return False
    _, pid, began = match.groups()
    if here(owner):
        return _began(int(pid)) in (began, "")
    return silent_seconds(held) < LIMIT_SECONDS


def silent_seconds(held: Path) -> float:
    """How long ago its owner last touched it; for ever if it is gone."""
    try:
        touched = held.lstat().st_mtime
        with tempfile.TemporaryFile(dir=held.parent) as probe:  # the file server's present
            return os.fstat(probe.fileno()).st_mtime - touched
    except FileNotFoundError:
        return float("inf")


class _Heart:
    """Touches all that this process holds, every ``BEAT_SECONDS``, from one thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: set[Path] = set()
        self._beating = False

    def hold(self, path: Path) -> None:
        with self._lock:
            self._held.add(path)
            if not self._beating:
                self._beating = True
                threading.Thread(target=self._beat, name="xstilts heartbeat", daemon=True).start()

    def drop(self, path: Path) -> None:
        with self._lock:
            self._held.discard(path)

    def _beat(self) -> None:
        pause = threading.Event()
        while not pause.wait(BEAT_SECONDS):
            with self._lock:
                held = list(self._held)
            for path in held:
                with suppress(OSError):  # gone, or the disk is away for a moment
                    os.utime(path)


_heart = _Heart()
# A forked child holds nothing of its parent's, and has no thread of its own yet.
os.register_at_fork(after_in_child=_heart.__init__)  # type: ignore[misc]


def hold(path: Path) -> None:
    """Touch a file or folder from now on, for as long as this process lives."""
    _heart.hold(path)


def drop(path: Path) -> None:
    """Touch it no more."""
    _heart.drop(path)

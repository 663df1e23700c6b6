"""One finished step as it lies in the store: its record and its files, verified on read."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from xstilts.disk.files import damage, disk_errors, read_marker, seal_file, sync
from xstilts.errors import UserError, suggest
from xstilts.identity import ID_HEX_DIGITS
from xstilts.plain import plain

MARKER = "step.json"
_KIND, _CREATED = re.compile(r"[a-z_]{1,40}"), re.compile(r"[-+:.0-9TZ]{0,40}")
_ID = re.compile(rf"[0-9a-f]{{{ID_HEX_DIGITS}}}")


class Corrupt(UserError):  # noqa: N818 (it reads as what it says)
    """A file of a finished step is not what was written.

    Attributes:
        step_id: the step.
        name: the file, relative to the step's folder.
    """

    def __init__(self, folder: Path, name: str, problem: str) -> None:
        super().__init__(folder, name, problem)  # its arguments: it travels between processes
        self.step_id = folder.name
        self.name = name

    @property
    def problem(self) -> str:
        """Which file has what, without what to do."""
        return f'file "{self.name}" of step {self.step_id} {self.args[2]}'

    def __str__(self) -> str:
        root = self.args[0].parent.parent.parent
        return (
            f'store: {self.problem}; next: "xstilts store verify --discard --store {root}" removes '
            "the step, and its study, run again, redoes it"
        )


class Evicted(UserError):  # noqa: N818
    """A file of a finished step was removed to free its space; its record stays."""


@dataclass(frozen=True)
class Finished:
    """One finished step.

    Attributes:
        id: its identity.
        folder: where its files are.
        record: ``step.json``: id, kind, inputs, provenance, result, created (UTC, ISO 8601), files
            (name -> bytes, sha256), evictable and evicted (names of files).
    """

    id: str
    folder: Path
    record: dict[str, Any]
    _verified: set[tuple[Path, int, int]] = field(repr=False, compare=False)

    def path(self, name: str) -> Path:
        """The path of a file, its checksum verified when this process first reads it.

        Raises:
            Corrupt: if the file is missing or its bytes are not those written.
            Evicted: if it was evicted.
            UserError: if the step has no such file, or it cannot be read.
        """
        files = self.record["files"]
        if name not in files:
            raise UserError(f'store: step {self.id} has no file "{name}";{suggest(name, files)}')
        if name in self.record["evicted"]:
            raise Evicted(
                f'store: file "{name}" of step {self.id} ({self.record["kind"]}) was evicted to '
                "free its space, or came in a pack without it; next: merge a pack that holds it"
                f"{', or run that step again' * (self.record['kind'] != 'predict')}"
            )
        with disk_errors(f'reading file "{name}" of step {self.id}', self.folder):
            path = self.folder / name
            try:
                entry = path.lstat()
            except (FileNotFoundError, NotADirectoryError):
                raise Corrupt(self.folder, name, "is missing") from None
            state = (path, entry.st_ino, entry.st_mtime_ns)  # changes when it is rewritten
            if state not in self._verified and (problem := damage(self.folder, name, files[name])):
                raise Corrupt(self.folder, name, problem)
            self._verified.add(state)
        return path


def is_id(text: str) -> bool:
    """Whether a text has the form of a step's identity."""
    return _ID.fullmatch(text) is not None


def checked_id(step_id: str) -> str:
    """The id itself, if it is one: nothing else ever becomes part of a path.

    Raises:
        UserError: if it is not.
    """
    if not is_id(step_id):
        raise UserError(
            f'store: "{step_id}" is no step id; allowed: {ID_HEX_DIGITS} digits 0-9 a-f; '
            "next: `xstilts store ls` shows those there are"
        )
    return step_id


def _inside(name: str) -> bool:
    """Whether a file name from a record stays in its step's folder."""
    path = PurePosixPath(name)
    as_it_is = str(path) == plain(name) == name and "\\" not in name
    inside = not path.is_absolute() and ".." not in path.parts
    return as_it_is and inside and name not in {".", MARKER}


def plain_files(folder: Path) -> dict[str, Path]:
    """Everything under a step's folder that is no folder: name -> path, in order of the names."""
    found = [path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir()]
    return {path.relative_to(folder).as_posix(): path for path in sorted(found)}


def seal_step(folder: Path) -> dict[str, dict[str, Any]]:
    """Force all of a new step's files to the disk; return what its marker says of each."""
    files = plain_files(folder)
    for name, path in files.items():
        assert _inside(name), name
        assert path.is_file(), path
        assert not path.is_symlink(), path
    sealed = {name: seal_file(path) for name, path in files.items()}
    for path in folder.rglob("*"):
        if path.is_dir():
            sync(path)
    return sealed


def read_record(folder: Path) -> dict[str, Any]:
    """The record in a step's folder, its own checksum verified.

    Raises:
        Corrupt: if the marker is missing or not as written, is another step's, or names files
            outside the folder.
        OSError: if it is there but cannot be read.
    """
    try:
        body = read_marker(folder / MARKER)
    except ValueError as error:
        raise Corrupt(folder, MARKER, str(error)) from None
    if problem := record_problem(body, folder.name):
        raise Corrupt(folder, MARKER, problem)
    return body


_PARTS = {
    "id": str,
    "kind": str,
    "created": str,
    "inputs": dict,
    "provenance": dict,
    "files": dict,
    "evictable": list,
    "evicted": list,
}


def record_problem(body: dict[str, Any], step_id: str) -> str | None:
    """What is wrong with a record although its checksum holds; None if nothing is.

    It may come from another store: nothing in it may lead out of this one.
    """
    if body.get("id") != step_id:
        return f"belongs to step {body.get('id')}"
    if wrong := [part for part, kind in _PARTS.items() if not isinstance(body.get(part), kind)]:
        return f'has no valid "{wrong[0]}"'
    if not _KIND.fullmatch(body["kind"]) or not _CREATED.fullmatch(body["created"]):
        return "is of no kind or time"  # they are shown to people
    for name in (*body["files"], *body["evictable"], *body["evicted"]):
        if not isinstance(name, str) or not _inside(name) or name not in body["files"]:
            return f'names "{name}", which is not a file of the step'
    for name, sealed in body["files"].items():
        if not isinstance(sealed, dict) or sealed.keys() != {"bytes", "sha256"}:
            return f'has no checksum of "{name}"'
    return None

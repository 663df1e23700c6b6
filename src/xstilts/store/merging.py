"""Steps of another store come into this one, from a pack or from its folder.

Merging trusts nothing in a pack: every name is checked, every byte is compared with its checksum,
and each step appears whole or not at all. To merge twice does nothing.
"""

from __future__ import annotations

import json
import os
import tarfile
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import groupby
from typing import IO, TYPE_CHECKING, Any, NamedTuple

from xstilts.disk.files import read_marker
from xstilts.errors import UserError
from xstilts.failpoints import failpoint
from xstilts.store.packing import CONTENTS, Tally, made_from, parents_first, payload_bytes, present
from xstilts.store.records import MARKER, Corrupt, is_id, record_problem
from xstilts.store.upkeep import step_folders

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from xstilts.store import Store
    from xstilts.store.packing import Told

_CHUNK_BYTES = 1 << 20
_MOST_RECORD_BYTES = 1 << 26


@dataclass
class Merged:
    """What a merge did, each a list of step ids.

    Attributes:
        added: were not here.
        restored: were here, and their evicted files came back.
        kept: were here.
        refused: id -> why it was not merged.
    """

    added: list[str] = field(default_factory=list)
    restored: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)


class _Entry(NamedTuple):
    """One file on its way."""

    step_id: str
    name: str
    size: int
    file: IO[bytes]


class _Load(NamedTuple):
    """What there is to merge."""

    steps: list[str]
    size: int
    entries: Iterator[_Entry]


def merge(store: Store, source: Path, told: Told) -> Merged:
    """Bring the steps of a pack, or of another store's folder, into a store.

    A step that cannot be merged is refused by itself, with those that were made from it.

    Args:
        store: what they come into.
        source: a file that `pack` wrote, or the folder of a store.
        told: how far it is.

    Raises:
        UserError: if the source is neither, or cannot be read to its end; the steps before stay
            merged. Also where the disk is full.
    """
    merged = Merged()
    try:
        with _folder(source.resolve()) if source.is_dir() else _file(source) as load:
            tally = Tally(told, load.size)
            for step_id, entries in groupby(load.entries, key=lambda entry: entry.step_id):
                try:
                    getattr(merged, _merge(store, step_id, entries, merged, tally)).append(step_id)
                except _Refused as why:
                    merged.refused[step_id] = str(why)
            here = {*merged.added, *merged.restored, *merged.kept, *merged.refused}
            for lost in load.steps:
                if lost not in here:
                    merged.refused[lost] = f"is not in {source}, which should hold it"
    except (OSError, EOFError, tarfile.TarError) as error:
        whole = len(merged.added) + len(merged.restored) + len(merged.kept)
        raise UserError(
            f'"{source}" cannot be read to its end ({error!s:.100}): {whole} of its steps are '
            "here, whole; next: copy the file again and merge it again"
        ) from None
    return merged


class _Refused(Exception):  # noqa: N818
    """A step that cannot be merged; the others can."""


@contextmanager
def _file(path: Path) -> Iterator[_Load]:
    """A pack."""
    import pyarrow as pa

    if not path.is_file():
        raise UserError(f'no file or folder "{path}": give a pack, or the folder of a store')
    try:
        with (
            path.open("rb") as raw,
            pa.CompressedInputStream(raw, "zstd") as plain,
            tarfile.open(fileobj=plain, mode="r|") as tar,
        ):
            members = ((member, tar) for member in tar)
            contents = _contents(next(members, None))
            yield _Load(contents["steps"], contents["bytes"], _entries(members))
    except tarfile.ReadError as error:
        raise tarfile.ReadError(f"{error}: no pack, or a damaged one") from None


def _contents(first: tuple[tarfile.TarInfo, tarfile.TarFile] | None) -> dict[str, Any]:
    if first is not None and first[0].name == CONTENTS and first[0].size <= _MOST_RECORD_BYTES:
        try:
            found = json.loads(_opened(*first).read())
            kinds = [type(found[key]) for key in ("format", "steps", "bytes")]
            if kinds == [int, list, int] and all(map(is_id, found["steps"])):
                return found
        except (ValueError, KeyError, TypeError):
            pass
    raise tarfile.ReadError("it does not begin with what it holds")


def _opened(member: tarfile.TarInfo, tar: tarfile.TarFile) -> IO[bytes]:
    file = tar.extractfile(member) if member.isreg() else None
    if file is None:
        raise tarfile.ReadError(f'"{member.name}" is not a plain file')
    return file


def _entries(members: Iterator[tuple[tarfile.TarInfo, tarfile.TarFile]]) -> Iterator[_Entry]:
    for member, tar in members:
        folder, _, rest = member.name.partition("/")
        step_id, _, name = rest.partition("/")
        if folder != "steps" or not is_id(step_id):
            raise tarfile.ReadError(f'"{member.name}" is no name in a pack')
        yield _Entry(step_id, name, member.size, _opened(member, tar))


@contextmanager
def _folder(root: Path) -> Iterator[_Load]:
    """The folder of a store, whose damaged steps are refused."""
    folders = {folder.name: folder for folder in step_folders(root)}
    if not folders:
        raise UserError(f'no finished step in "{root}": give a pack, or the folder of a store')
    records: dict[str, dict[str, Any]] = {}
    for one, folder in folders.items():
        try:
            body = read_marker(folder / MARKER)
            if not record_problem(body, one):
                records[one] = body
        except (ValueError, OSError):
            continue
    total = sum(map(payload_bytes, records.values()))

    def entries() -> Iterator[_Entry]:
        for one, record in parents_first(records).items():
            # What is missing is not read; its step is refused when it is to be adopted.
            there = [name for name in present(record) if (folders[one] / name).is_file()]
            for name in (MARKER, *there):
                with (folders[one] / name).open("rb") as file:
                    yield _Entry(one, name, os.fstat(file.fileno()).st_size, file)

    yield _Load(list(folders), total, entries())


def _merge(
    store: Store, step_id: str, entries: Iterator[_Entry], merged: Merged, tally: Tally
) -> str:
    """Merge one step; returns what became of it.

    Raises:
        _Refused: if it cannot be merged.
        UserError: if the disk is full.
    """
    with store.writing(step_id) as folder:
        record = _record(next(entries), folder.parent / "record", step_id)
        for parent in made_from(record):
            if parent in merged.refused:
                raise _Refused(f"was made from step {parent}, which was refused")
        try:
            outcome = store.would_adopt(record)
        except UserError as error:
            raise _Refused(str(error)) from None
        if outcome == "kept":
            tally.add(payload_bytes(record))
            return outcome
        missing = set(present(record))
        for entry in entries:
            if entry.name not in missing or entry.size != record["files"][entry.name]["bytes"]:
                raise _Refused(f'"{entry.name}" is not the file that its {MARKER} names')
            missing.remove(entry.name)
            place = folder / entry.name
            place.parent.mkdir(parents=True, exist_ok=True)
            with place.open("xb") as file:
                failpoint("merge.file")
                while chunk := entry.file.read(_CHUNK_BYTES):
                    file.write(chunk)
                    tally.add(len(chunk))
        try:
            return store.adopt(folder, record)
        except Corrupt as fault:
            raise _Refused(f'file "{fault.name}" {fault.args[2]}') from None


def _record(entry: _Entry, place: Path, step_id: str) -> dict[str, Any]:
    if entry.name != MARKER or entry.size > _MOST_RECORD_BYTES:
        raise _Refused(f"does not begin with its {MARKER}")
    place.write_bytes(entry.file.read())
    try:
        body = read_marker(place)
        problem = record_problem(body, step_id)
    except ValueError as error:
        problem = str(error)
    if problem:
        raise _Refused(f"{MARKER} {problem}")
    return body

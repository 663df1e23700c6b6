"""Finished steps travel between machines: many of them in one file.

A pack is a tar compressed with zstd: ``pack.json``, which says what follows, then for every step
``steps/<id>/step.json`` and its files, steps after those they were made from. ``tar --zstd -t``
lists it. `store.merging` reads it.
"""

from __future__ import annotations

import io
import json
import os
import tarfile
from contextlib import suppress
from graphlib import CycleError, TopologicalSorter
from typing import IO, TYPE_CHECKING, Any, TypeAlias

from xstilts.disk.files import disk_errors, sealed_text
from xstilts.disk.whole import whole
from xstilts.errors import UserError
from xstilts.failpoints import failpoint
from xstilts.steps import PREDICTIONS
from xstilts.store.records import MARKER, is_id

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
    from pathlib import Path

    from xstilts.store import Store

    Told: TypeAlias = Callable[[int, int], object]  # bytes done, bytes in all

CONTENTS = "pack.json"
# Whatever a record says of what may be evicted. Nothing that holds text of a dataset is to travel,
# and a tokenizer, which every stage has a copy of, is of no use without weights.
_LEFT_OUT = {"predict": (PREDICTIONS,), "train": ("tokenizer.json",)}


class Tally:
    """Counts the bytes that are done, and tells them."""

    def __init__(self, told: Told, total: int) -> None:
        self._told, self._done, self._total = told, 0, total

    def add(self, size: int) -> None:
        """So many more."""
        self._done += size
        self._told(self._done, self._total)


class _Counted:
    """A file that tells how many bytes were read of it."""

    def __init__(self, file: IO[bytes], tally: Tally) -> None:
        self._file, self._tally = file, tally

    def read(self, size: int = -1) -> bytes:
        chunk = self._file.read(size)
        self._tally.add(len(chunk))
        return chunk


def pack(
    store: Store,
    out: Path,
    step_ids: Iterable[str],
    told: Told,
    left_out: Collection[str] = (),
) -> int:
    """Write finished steps into one file, which appears when it is complete.

    Args:
        store: where they are.
        out: a file that is not there yet.
        step_ids: which steps.
        told: how far it is.
        left_out: kinds of step that travel as if their evictable files had been evicted:
            ``train`` without weights, ``predict`` without predictions.

    Returns:
        How many steps it holds.

    Raises:
        Corrupt: if a file of a step is damaged; nothing is written then.
        UserError: if `out` is there, a step is not, or the disk is full.
    """
    import pyarrow as pa

    if os.path.lexists(out):
        raise UserError(f'"{out}" is there already: give another name, or remove it first')
    records = parents_first({one: _travelling(store.record(one), left_out) for one in step_ids})
    total = sum(map(payload_bytes, records.values()))
    contents = {"format": 1, "steps": list(records), "bytes": total}
    tally = Tally(told, total)
    with (
        disk_errors(f'packing "{out.name}"', out.resolve().parent),
        whole(out) as part,
        part.open("xb") as raw,
        pa.CompressedOutputStream(raw, "zstd") as packed,
        tarfile.open(fileobj=packed, mode="w|") as tar,
    ):
        _add(tar, CONTENTS, json.dumps(contents).encode())
        for one, record in records.items():
            _add(tar, f"steps/{one}/{MARKER}", sealed_text(record))
            finished = store.open(one)
            for name in present(record):
                with finished.path(name).open("rb") as file:
                    about = tarfile.TarInfo(f"steps/{one}/{name}")
                    about.size = record["files"][name]["bytes"]
                    tar.addfile(about, _Counted(file, tally))
                    failpoint("pack.member")
    return len(records)


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    about = tarfile.TarInfo(name)
    about.size = len(data)
    tar.addfile(about, io.BytesIO(data))


def _travelling(record: dict[str, Any], left_out: Collection[str]) -> dict[str, Any]:
    if record["kind"] not in left_out:
        return record
    bare = [name for name in _LEFT_OUT.get(record["kind"], ()) if name in record["files"]]
    evictable = list(dict.fromkeys([*record["evictable"], *bare]))
    return {**record, "evictable": evictable, "evicted": evictable}


def present(record: Mapping[str, Any]) -> list[str]:
    """The files of a step that are not evicted."""
    return [name for name in record["files"] if name not in record["evicted"]]


def payload_bytes(record: Mapping[str, Any]) -> int:
    """Their bytes."""
    return sum(record["files"][name]["bytes"] for name in present(record))


def made_from(record: Mapping[str, Any]) -> list[str]:
    """The steps whose names a step was made from; pretrained models look alike."""

    def ids(value: Any) -> Iterator[str]:
        if isinstance(value, str) and is_id(value):
            yield value
        elif isinstance(value, dict | list):
            for inner in value.values() if isinstance(value, dict) else value:
                yield from ids(inner)

    return list(dict.fromkeys(ids(record["inputs"])))


def parents_first(records: Mapping[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Records by id, each after those of the steps it was made from."""
    before = {one: {*made_from(records[one])} & records.keys() for one in sorted(records)}
    with suppress(CycleError):  # only a forged record can be made from itself
        return {one: records[one] for one in TopologicalSorter(before).static_order()}
    return dict(records)

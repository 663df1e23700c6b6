"""Encoded training rows in files: tokenised once for every stage that reads them, never held whole.

``<cache>/<key>/`` holds each array of an ``Encoded`` as raw numbers, and ``index.json`` with their
types, shapes and checksums, written last and verified on read. A key names all that the numbers
depend on, so files are never changed; whoever needs them first makes them in the scratch
folder beside the cache and renames. They may be deleted at any time.
"""

from __future__ import annotations

import errno
import hashlib
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from xstilts import formats
from xstilts.disk.files import damage, make_folder, read_marker, seal_file, write_marker
from xstilts.disk.scratch import remove, scratch
from xstilts.failpoints import failpoint
from xstilts.formats.encoded import Encoded
from xstilts.identity import fingerprint
from xstilts.steps.desk import no_note

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray
    from tokenizers import Tokenizer

    from xstilts.formats import Limits
    from xstilts.formats.examples import Example
    from xstilts.tasks.base import Task

CHUNK = 10_000  # examples tokenised together
INDEX = "index.json"
VERSION = 4  # of the files, and of how words become tokens


def encoded(
    cache: Path | None,
    identity: Any,
    task: Task,
    rows: Callable[[], Iterable[Example]],
    tokenizer: Tokenizer,
    limits: Limits,
    note: Callable[[str], object] = no_note,
) -> Encoded:
    """The rows encoded, memory-mapped where there is a cache.

    Args:
        cache: a folder in a store; None: the arrays are made in memory.
        identity: JSON that names the rows.
        task: how they are encoded.
        rows: reads them, where they have to be encoded.
        tokenizer: of the encoder.
        limits: how long sequences may be.
        note: told of files that are damaged.
    """
    if cache is None:
        return formats.encode(task, list(rows()), tokenizer, limits)
    told = hashlib.sha256(tokenizer.to_str().encode()).hexdigest()
    labels = [task.format, list(task.labels)]
    key = fingerprint([VERSION, identity, labels, told, vars(limits)])
    folder = cache / key
    while (found := _open(folder, note)) is None:
        _write(folder, _chunks(task, rows(), tokenizer, limits))
    return found


def _chunks(
    task: Task, rows: Iterable[Example], tokenizer: Tokenizer, limits: Limits
) -> Iterator[tuple[int, Encoded]]:
    """The number of each portion's first example, and the portion."""
    stream, first = iter(rows), 0
    while portion := list(islice(stream, CHUNK)):
        yield first, formats.encode(task, portion, tokenizer, limits)
        first += len(portion)


def _write(folder: Path, portions: Iterator[tuple[int, Encoded]]) -> None:
    root = folder.parent.parent
    index: dict[str, tuple[str, list[int]]] = {}
    seen = np.zeros(0, bool)
    tokens = sequences = 0
    with scratch(root, folder.name) as box:
        beside = box / "encoded"
        beside.mkdir()

        def append(name: str, array: NDArray[Any]) -> None:
            with (beside / name).open("ab") as file:
                file.write(np.ascontiguousarray(array).tobytes())
            failpoint("encoded.array")
            before = index[name][1][0] if name in index else 0
            index[name] = str(array.dtype), [before + len(array), *array.shape[1:]]

        for first, one in portions:
            start = 0 if not first else 1  # the 0 at the front stands once
            append("ids", one.ids)
            append("types", one.types)
            append("offsets", (one.offsets + tokens)[start:])
            append("units", (one.units + sequences)[start:])
            append("owner", one.owner + first)
            for name, array in one.targets.items():
                append(f"targets.{name}", array)
            size = max(len(seen), int(one.ids.max(initial=-1)) + 1)
            seen = np.pad(seen, (0, size - len(seen)))
            seen[one.ids] = True
            tokens, sequences = tokens + len(one.ids), sequences + len(one.lengths)
        append("kinds", np.flatnonzero(seen).astype(np.int32))
        files = {name: seal_file(beside / name) for name in index}
        write_marker(beside / INDEX, {"arrays": index, "files": files}, box)
        make_folder(folder.parent)
        try:
            beside.rename(folder)
        except OSError as error:
            if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
                raise  # else another process was first


def _open(folder: Path, note: Callable[[str], object]) -> Encoded | None:
    """The arrays, every byte verified; None where they are to be made (again)."""
    if not folder.exists():
        return None
    try:
        body = read_marker(folder / INDEX)
        problem = next(filter(None, _problems(folder, body["files"])), None)
    except ValueError as error:
        problem = f"{INDEX} {error}"
    if problem:
        note(f'encoded rows "{folder.name}": {problem}; they are made again')
        remove(folder, folder.parent.parent, folder.name)
        return None
    arrays: dict[str, NDArray[Any]] = {}
    for name, (dtype, shape) in body["arrays"].items():
        empty = not all(shape)  # nothing can be mapped
        arrays[name] = (
            np.zeros(shape, dtype)
            if empty
            else np.memmap(folder / name, dtype, "r", shape=tuple(shape))
        )
    targets = {n.partition(".")[2]: a for n, a in arrays.items() if n.startswith("targets.")}
    own = ("ids", "types", "offsets", "units", "owner", "kinds")
    return Encoded(**{name: arrays[name] for name in own}, targets=targets)


def _problems(folder: Path, files: dict[str, dict[str, Any]]) -> Iterator[str]:
    for name, sealed in files.items():
        if problem := damage(folder, name, sealed):
            yield f"{name} {problem}"

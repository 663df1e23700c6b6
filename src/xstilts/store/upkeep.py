"""Upkeep of the store: what is there, is it whole, and what can go."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from xstilts.disk import leases
from xstilts.disk.files import damage, is_plain
from xstilts.disk.scratch import alone, remove, sweep, tree_bytes
from xstilts.failpoints import failpoint
from xstilts.store import statuses
from xstilts.store.records import MARKER, Corrupt, is_id, plain_files, read_record

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Listed(NamedTuple):
    """One finished step.

    Attributes:
        id: its identity.
        kind: what it is; ``damaged`` where its record cannot be read.
        bytes: on the disk.
        created: UTC, ISO 8601; empty for a damaged step.
        about: what it was made of, for people.
        evicted: whether its weights were removed to free their space.
    """

    id: str
    kind: str
    bytes: int
    created: str
    about: str
    evicted: bool


class Freed(NamedTuple):
    """What `gc` removed, or would remove."""

    bytes: int
    paths: tuple[Path, ...]


def step_folders(root: Path) -> Iterator[Path]:
    """The folders of all finished steps, damaged ones too, by id."""
    for folder in sorted((root / "steps").glob("??/*")):
        if is_id(folder.name) and folder.parent.name == folder.name[:2]:
            yield folder


def ls(root: Path) -> Iterator[Listed]:
    """See `Store.ls`."""
    records = {folder: _readable(folder) for folder in step_folders(root)}
    inputs = {folder.name: record["inputs"] for folder, record in records.items()}
    for folder, record in records.items():
        yield Listed(
            folder.name,
            record["kind"],
            tree_bytes(folder),
            record["created"],
            _about(inputs, folder.name),
            bool(record["evicted"]),
        )


def _readable(folder: Path) -> dict[str, Any]:
    try:
        return read_record(folder)
    except (Corrupt, OSError):
        return {"kind": "damaged", "created": "", "inputs": {}, "evicted": []}


def _about(inputs: dict[str, dict[str, Any]], step_id: str) -> str:
    """What a step was made of, in a few words; a score is of what its predictions are of."""
    mine = inputs[step_id]
    if isinstance(mine.get("predictions"), str):
        mine = inputs.get(mine["predictions"], {}) | {"language": mine.get("language")}
    items, config = mine.get("items"), mine.get("config")
    words: list[Any] = []
    if "imported" in mine:
        words.append(f"imported({mine['imported']})")
    if isinstance(items, list):
        words.append(" + ".join(str(one.get("task")) for one in items if isinstance(one, dict)))
    if isinstance(config, dict):
        words.append(config.get("name"))
    words += [mine.get("task"), mine.get("language")]
    noise, attack = mine.get("perturbation"), mine.get("attack")
    if isinstance(noise, dict):
        words.append(f"~{noise.get('noise')}")
    if isinstance(attack, dict):
        words.append(f"{'transfer' if 'found_on' in mine else 'attack'} {attack.get('search')}")
    if isinstance(mine.get("seed"), int) and "task" not in mine:
        words.append(f"(seed {mine['seed']})")
    return " ".join(str(word) for word in words if word)


def verify(root: Path) -> list[Corrupt]:
    """See `Store.verify`. What cannot be read is reported too, and the rest still verified."""
    return [fault for folder in step_folders(root) for fault in verify_step(folder)]


def verify_step(folder: Path) -> list[Corrupt]:
    """What is wrong with one step."""
    return list(_verify(folder))


def _verify(folder: Path) -> Iterator[Corrupt]:
    try:
        record = read_record(folder)
    except Corrupt as fault:
        yield fault
        return
    except OSError as error:
        yield Corrupt(folder, MARKER, f"cannot be read ({error.strerror})")
        return
    for name, sealed in record["files"].items():
        if name not in record["evicted"] and (problem := _problem(folder, name, sealed)):
            yield Corrupt(folder, name, problem)
    for name in plain_files(folder).keys() - record["files"].keys() - {MARKER}:
        yield Corrupt(folder, name, f"is not listed in {MARKER}")


def _problem(folder: Path, name: str, sealed: dict[str, Any]) -> str | None:
    try:
        return damage(folder, name, sealed)
    except OSError as error:
        return f"cannot be read ({error.strerror})"


def _is_over(area: Path, folder: Path) -> bool:
    """Whether a step was finished after its resume points: those after an eviction are of use."""
    try:
        evicted = read_record(folder)["evicted"]
        newer = area.lstat().st_mtime_ns >= (folder / MARKER).lstat().st_mtime_ns
    except (Corrupt, OSError):
        return False
    return not (evicted and newer)


def gc(root: Path, *, dry_run: bool) -> Freed:
    """See `Store.gc`."""
    if not root.exists():
        return Freed(0, ())
    freed = sweep(root, dry_run=dry_run)
    freed += [(path, 0) for path in leases.sweep(root, dry_run=dry_run)]
    freed += [(path, 0) for path in statuses.sweep(root, dry_run=dry_run)]
    for area in sorted((root / "work").glob("*")):
        folder = root / "steps" / area.name[:2] / area.name
        if not is_id(area.name) or not _is_over(area, folder):
            continue
        if dry_run:
            if not leases.holder(root, area.name):
                freed.append((area, tree_bytes(area)))
        elif (lease := leases.take(root, area.name)) is not None:
            freed.append((area, tree_bytes(area)))
            remove(area, root, area.name)
            lease.release()
    with alone(root):
        for folder in step_folders(root):
            freed += _finish_eviction(folder, dry_run=dry_run)
    return Freed(sum(size for _, size in freed), tuple(path for path, _ in freed))


def _finish_eviction(folder: Path, *, dry_run: bool) -> list[tuple[Path, int]]:
    """Remove what a process that died while evicting had marked and not removed."""
    try:
        record = read_record(folder)
    except (Corrupt, OSError):  # `verify` tells
        return []
    return drop_evicted(folder, record, dry_run=dry_run)


def drop_evicted(
    folder: Path, record: dict[str, Any], *, dry_run: bool = False
) -> list[tuple[Path, int]]:
    """Remove the files that a step's record calls evicted; return those there were, with bytes."""
    dropped = []
    for name in record["evicted"]:
        path = folder / name
        if is_plain(path) and path.is_file():
            dropped.append((path, path.stat().st_size))
            if not dry_run:
                path.unlink()
                failpoint("evict.removed")
    return dropped

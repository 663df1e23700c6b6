"""`store verify` finds every one of 200 injected faults, names it, and blames nothing else.

So does a merge of the damaged store into an empty one: nothing wrong arrives.
"""

from __future__ import annotations

import os
import random

from store.steps import finish, flip
from xstilts.disk.files import write_marker
from xstilts.store import Store
from xstilts.store.merging import merge

STEPS, FAULTS = 10, 200
FILES = ("model.safetensors", "predictions/sw.parquet", "step.json")


def flipped(folder, name, chance):
    flip(folder / name, chance.randrange((folder / name).stat().st_size))


def truncated(folder, name, chance):
    os.truncate(folder / name, chance.randrange((folder / name).stat().st_size))


def missing(folder, name, chance):
    (folder / name).unlink()


def of_another_step(folder, name, chance):
    """A marker that is whole, and belongs to another step."""
    other = folder.parent / ("f" * 20)
    finish(Store(folder.parents[2]), other.name, {"x": b""}, evictable=[])
    (folder.parents[2] / "steps" / "ff" / other.name / "step.json").replace(folder / "step.json")
    Store(folder.parents[2]).discard(other.name)


def that_names_other_files(folder, name, chance):
    """A marker whose checksum holds, and that lists a file that is not there."""
    body = Store(folder.parents[2]).record(folder.name)
    body["files"]["more"] = {"bytes": 1, "sha256": "0" * 64}
    write_marker(folder / "step.json", body, folder)


KINDS = [flipped, truncated, missing]
WRONG_MARKERS = [of_another_step, that_names_other_files]


def check_merge(store, damaged, other):
    """The other steps arrive, that one is refused."""
    into = Store(other)
    merged = merge(into, store.root, lambda *_: None)
    assert list(merged.refused) == [damaged]
    assert len(merged.added) == STEPS - 1
    assert into.verify() == []


def test_200_of_200_faults_are_found(tmp_path):
    chance = random.Random(8)
    store = Store(tmp_path / "store")
    ids = [f"{number:020x}" for number in range(STEPS)]
    content = {name: chance.randbytes(400) for name in FILES[:2]}
    for one in ids:
        finish(store, one, content)
    assert store.verify() == []
    found = []
    for number in range(FAULTS):
        step, name = ids[number % STEPS], FILES[number % len(FILES)]
        if number % 4 == 1:  # the weights of every fourth went before
            store.evict(step)
            name = name if name != FILES[0] else FILES[1]
        if number % 10 == 9:
            kind, name = WRONG_MARKERS[number // 10 % 2], "step.json"
        else:
            kind = KINDS[number // len(FILES) % len(KINDS)]
        kind(store.folder(step), name, chance)
        faults = store.verify()
        assert {fault.step_id for fault in faults} == {step}, (kind, name)
        expected = "more" if kind is that_names_other_files else name
        if {fault.name for fault in faults} == {expected}:
            found.append(number)
        if number % 20 < 3:
            check_merge(store, step, tmp_path / f"other{number}")
        assert store.discard_damaged(step)
        finish(store, step, content)
    assert len(found) == FAULTS
    assert store.verify() == []

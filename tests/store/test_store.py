"""Steps come back as they were written; eviction, resume points and gc."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import pytest

from store.steps import CONTENT, DAMAGE, WEIGHTS, A, B, finish, flip, record, strays, tensors_at
from xstilts.disk import files
from xstilts.disk.scratch import remove
from xstilts.errors import UserError
from xstilts.store import Corrupt, Store

# --- finished steps -----------------------------------------------------------------------------


def test_a_step_comes_back_as_it_was_written(store):
    finished = finish(store, A)
    assert store.has(A)
    assert finished.record | record() == finished.record
    assert finished.record["files"]["empty.txt"] == {
        "bytes": 0,  # the SHA-256 of nothing, from FIPS 180-4 test vectors
        "sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    }
    for name, data in CONTENT.items():
        assert Store(store.root).open(A).path(name).read_bytes() == data
    on_disk = json.loads((finished.folder / "step.json").read_text())
    assert on_disk["id"] == A
    (listed,) = store.ls()
    assert listed[:2] == (A, "train")
    assert listed[4:] == ("", False)
    assert listed.bytes == 999 + 100 + (finished.folder / "step.json").stat().st_size
    assert listed.created == finished.record["created"]


def test_nothing_is_made_before_the_first_write(store):
    assert not store.has(A)
    assert list(store.ls()) == []
    assert store.verify() == []
    assert store.gc() == (0, ())
    store.discard(A)
    store.work(A).clear()
    assert not store.root.exists()
    with pytest.raises(UserError, match=f"step {A} is not finished in"):
        store.open(A)


def test_what_is_not_finished_is_gone(store):
    with store.writing(A) as folder:
        (folder / WEIGHTS).write_bytes(b"w")
    assert not store.has(A)
    assert strays(store) == []


def test_all_is_forced_to_disk_before_it_exists(store, monkeypatch):
    synced, before = set(), {}
    fsync, rename = os.fsync, os.rename

    def spy_fsync(descriptor):
        synced.add(os.fstat(descriptor).st_ino)
        fsync(descriptor)

    def spy_rename(source, target):
        before[Path(target)] = synced.copy()
        rename(source, target)

    monkeypatch.setattr(os, "fsync", spy_fsync)
    monkeypatch.setattr(os, "rename", spy_rename)
    place = finish(store, A).folder
    written = {path.stat().st_ino for path in (place, *place.rglob("*"))}
    assert len(written) == len(CONTENT) + 3  # the step, its sub-folder and its marker
    assert written <= before[place]
    assert {path.stat().st_ino for path in (place.parent, store.root)} <= synced


def test_files_get_the_rights_of_their_folder(store):
    with store.writing(A) as folder:
        folder.chmod(0o750)
        (folder / WEIGHTS).write_bytes(b"w")
        (folder / WEIGHTS).chmod(0o600)  # as safetensors leaves them
        path = store.finish(A, folder, record()).path(WEIGHTS)
    assert path.stat().st_mode & 0o777 == 0o640


def test_a_checksum_is_verified_once_and_again_after_a_change(store, monkeypatch):
    finish(store, A)
    hashed = []
    real = files.file_sha256
    monkeypatch.setattr(files, "file_sha256", lambda path: hashed.append(path) or real(path))
    for _ in range(3):
        path = store.open(A).path(WEIGHTS)
    assert hashed == [path]
    path.write_bytes(b"v" * 999)
    os.utime(path, ns=(0, 0))
    with pytest.raises(Corrupt):
        store.open(A).path(WEIGHTS)


def test_discard(store):
    finish(store, A)
    store.discard(A)
    assert not store.has(A)
    assert strays(store) == []


def test_what_is_discarded_vanishes_before_its_space_is_freed(store, monkeypatch):
    finish(store, A)
    monkeypatch.setattr("shutil.rmtree", lambda *_, **__: None)
    store.discard(A)
    assert not store.folder(A).exists()


def test_unknown_file_is_suggested(store):
    with pytest.raises(UserError, match=r'did you mean "empty\.txt"'):
        finish(store, A).path("emty.txt")


# --- eviction -----------------------------------------------------------------------------------


def test_evicted_weights_are_gone_and_the_record_stays(store):
    before = finish(store, A).record
    assert store.whole(A)
    assert store.evict(A) == 999
    assert store.evict(A) == 0
    assert not store.whole(A)
    assert store.has(A)
    assert store.record(A) == before | {"evicted": [WEIGHTS]}
    assert store.verify() == []
    assert sorted(p.name for p in store.folder(A).iterdir()) == [
        "empty.txt",
        "predictions",
        "step.json",
    ]
    with pytest.raises(UserError, match=f"{WEIGHTS}.*train.*evicted.*next: .*run that step again"):
        store.open(A).path(WEIGHTS)


def test_a_redone_step_brings_evicted_weights_back(store):
    before = finish(store, A).record
    store.evict(A)
    other = CONTENT | {WEIGHTS: b"elsewhere", "empty.txt": b"not empty"}
    after = finish(store, A, other, provenance={"host": "there"}, result={"loss": 9.0})
    assert after.path(WEIGHTS).read_bytes() == b"elsewhere"
    assert after.path("empty.txt").read_bytes() == b""
    assert after.record["result"] == before["result"]
    assert after.record["restored"]["provenance"] == {"host": "there"}
    assert store.verify() == []
    assert strays(store) == []


# --- resume points ------------------------------------------------------------------------------


def test_resume_points_rotate(store):
    work = store.work(A)
    assert work.load() is None
    for step in (10, 20, 30):
        work.save(step, tensors_at(step), {"step": step})
    assert sorted(path.name for path in work.folder.iterdir()) == ["point-2", "point-3"]
    tensors, state, step = work.load()
    assert (state, step) == ({"step": 30}, 30)
    assert tensors["weight"].shape == (2, 3)
    assert tensors["moment"] == 30
    work.clear()
    assert work.load() is None
    assert strays(store) == []


@pytest.mark.parametrize("how", DAMAGE)
@pytest.mark.parametrize("name", ["point.json", "tensors.safetensors"])
def test_a_damaged_resume_point_gives_way_to_the_older(store, name, how):
    work = store.work(A)
    for step in (10, 20):
        work.save(step, tensors_at(step), {})
    DAMAGE[how](work.folder / "point-2" / name)
    said = []
    assert work.load(said.append)[2] == 10
    assert len(said) == 1
    assert name in said[0]
    assert "point-2" in said[0]
    work.save(15, tensors_at(15), {})  # the newest, though its step is lower than the lost one's
    assert work.load(pytest.fail)[2] == 15
    assert len(list(work.folder.iterdir())) == 2


def test_all_resume_points_damaged_is_none_left(store):
    work = store.work(A)
    work.save(1, tensors_at(1), {})
    flip(work.folder / "point-1" / "point.json", 5)
    with pytest.warns(UserWarning, match=r"point-1.*point.json has other bytes"):
        assert work.load() is None


def test_gc_clears_the_work_area_of_a_finished_step_only(store):
    for step_id in (A, B):
        store.work(step_id).save(1, tensors_at(1), {})
    finish(store, A)
    dry = store.gc(dry_run=True)
    assert dry.paths == (store.work(A).folder,)
    assert store.work(A).load()
    assert store.gc() == dry
    assert store.work(A).load() is None
    assert store.work(B).load()


def test_gc_keeps_the_resume_point_of_what_was_evicted_and_is_made_again(store):
    finish(store, A)
    store.evict(A)
    store.work(A).save(1, tensors_at(1), {})
    assert store.gc() == (0, ())
    assert store.work(A).load()
    finish(store, A)
    assert store.gc().paths == (store.work(A).folder,)


def test_gc_clears_what_was_left_before_an_eviction(store):
    """By who was killed when the step was in its place, and its resume points not yet gone."""
    store.work(A).save(1, tensors_at(1), {})
    os.utime(store.work(A).folder, (1, 1))
    finish(store, A)
    store.evict(A)
    assert store.gc().paths == (store.work(A).folder,)


def test_gc_leaves_what_another_holds(store):
    finish(store, A)
    store.work(A).save(1, tensors_at(1), {})
    lease = store.lease(A)
    assert store.gc() == store.gc(dry_run=True) == (0, ())
    lease.release()
    assert store.gc().paths == (store.work(A).folder,)


def test_who_was_away_while_another_finished_removes_nothing(store, monkeypatch):
    """Taken for dead between its look and its rename."""
    look = Store._intact

    def away(self, step_id):
        monkeypatch.undo()
        assert look(self, step_id) is None
        with monkeypatch.context() as alone:
            alone.setattr("xstilts.store.alone", lambda _root: nullcontext())
            finish(store, A, {WEIGHTS: b"theirs"})

    with store.writing(A) as folder:
        (folder / WEIGHTS).write_bytes(b"ours")
        monkeypatch.setattr(Store, "_intact", away)
        done = store.finish(A, folder, record())
    assert done.path(WEIGHTS).read_bytes() == b"theirs"
    assert strays(store) == []


def test_a_step_is_looked_for_anew_under_its_lease(store, monkeypatch):
    """A network file system may remember for a minute that it is not there."""
    asked = []
    monkeypatch.setattr("xstilts.store.ask_anew", asked.append)
    store.lease(A).release()
    assert asked == [store.folder(A).parent]
    finish(store, A)
    store.lease(A).release()
    assert len(asked) == 1


def test_two_remove_the_same(store):
    finish(store, A)
    remove(store.folder(A), store.root, A)
    remove(store.folder(A), store.root, A)
    assert strays(store) == []


def test_the_store_needs_no_torch():
    code = "import sys, xstilts.store; sys.exit('torch' in sys.modules)"
    env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    assert subprocess.run([sys.executable, "-c", code], env=env, check=False).returncode == 0

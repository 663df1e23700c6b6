"""The store survives kills, damage, full disks and company.

Run as a program, this file is the victim: `python test_store.py kill FOLDER` forks a child for
every passage of every failpoint, lets it be killed there, and leaves its store for the tests.
"""

from __future__ import annotations

import errno
import json
import os
import pickle
import re
import resource
import signal
import subprocess
import sys
import threading
import traceback
from contextlib import contextmanager, nullcontext
from itertools import count
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xstilts import failpoints
from xstilts.disk import files
from xstilts.disk.files import disk_errors, read_marker, write_marker
from xstilts.disk.scratch import alone, remove
from xstilts.errors import UserError
from xstilts.store import Corrupt, Store
from xstilts.store.records import _inside

A, B, C = "a" * 20, "b" * 20, "0123456789abcdef0123"
WEIGHTS = "model.safetensors"
CONTENT = {WEIGHTS: b"w" * 999, "predictions/sw.parquet": b"p" * 100, "empty.txt": b""}
# The places of the store itself; tests/test_failpoints.py goes through all there are.
OWN = re.compile("(scratch|lease|marker|seal|finish|restore|evict|aside|work)[.]")
FAILPOINTS = [name for name in failpoints.PLACES if OWN.match(name)]


def record(**change):
    whole = {
        "kind": "train",
        "inputs": {"parent": None, "rate": 1e-5},
        "provenance": {"host": "here"},
        "result": {"loss": 0.25},
        "evictable": [WEIGHTS],
    }
    return whole | change


def finish(store, step_id, content=CONTENT, **change):
    with store.writing(step_id) as folder:
        for name, data in content.items():
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_bytes(data)
        return store.finish(step_id, folder, record(**change))


def strays(store):
    return sorted(store.root.glob("tmp/*"))


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


# --- what victims do: each part can be done again after a kill ---------------------------------


def store_life(root, done):
    """Finish, evict, bring back, lose a marker, replace, discard."""
    store = Store(root)
    if not store.has(A):
        finish(store, A)
    done("A finished")
    store.evict(A)
    done("A evicted")
    if not store.whole(A):
        finish(store, A)
    done("A restored")
    if not store.has(B):
        finish(store, B)
    done("B loses its marker")
    (store.folder(B) / "step.json").unlink()
    finish(store, B)
    done("B replaced")
    store.discard(B)


def tensors_at(step):
    import torch

    return {"weight": torch.full((3, 2), float(step)).t(), "moment": torch.tensor(step)}


def work_life(root, done):
    """Save three resume points, so that one is dropped, then clear."""
    work = Store(root).work(A)
    loaded = work.load()
    for step in range(loaded[2] + 1 if loaded else 1, 4):
        work.save(step, tensors_at(step), {"step": step, "rng": [2**63, None]})
        done(f"saved {step}")
    done("clearing")
    work.clear()


LIVES = {"store": store_life, "work": work_life}


def kill_everywhere(base):
    """Fork, arm and kill; print for each life and failpoint how many passages were fatal."""
    import torch  # noqa: F401 (once, not in every child)

    kills = {life: {} for life in LIVES}
    for life, run in LIVES.items():
        for name in FAILPOINTS:
            for passage in count(1):
                root = base / life / name / str(passage)
                root.parent.mkdir(parents=True, exist_ok=True)
                if not killed(run, root, f"{name}:{passage}"):
                    break
                kills[life][name] = passage
    say(json.dumps(kills))


def killed(run, root, armed):
    if pid := os.fork():
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        assert status in {0, -signal.SIGKILL}, (status, root)
        return status != 0
    try:
        os.environ["XSTILTS_FAILPOINT"] = armed
        with root.with_suffix(".log").open("a", buffering=1) as log:
            run(root, lambda line: log.write(f"{line}\n"))
        os._exit(0)
    except BaseException:  # noqa: BLE001 (never back into the parent's code)
        traceback.print_exc()
        os._exit(1)


def race(root):
    """Four processes finish the same ten steps at once, each with its own bytes."""
    wait, go = os.pipe()
    children = []
    for number in range(4):
        if pid := os.fork():
            children.append(pid)
            continue
        try:
            os.close(go)
            os.read(wait, 1)  # until the parent closes its end
            store = Store(root)
            for step in range(10):
                mine = {name: data + b"%d" % number for name, data in CONTENT.items()}
                theirs = finish(store, f"{step:020x}", mine)
                theirs.path(WEIGHTS)
                say(json.dumps(theirs.record["files"]))
            os._exit(0)
        except BaseException:  # noqa: BLE001 (never back into the parent's code)
            traceback.print_exc()
            os._exit(1)
    os.close(go)
    assert [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children] == [0] * 4


def hold(root):
    """Write for ever."""
    with Store(root).writing(A) as folder:
        (folder / WEIGHTS).write_bytes(b"half")
        say(folder)
        signal.pause()


def victim(what, folder, **options):
    command = [sys.executable, __file__, what, str(folder)]
    env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env, **options)


def say(line):
    """One line, in one piece, whoever else writes to the same pipe."""
    os.write(1, f"{line}\n".encode())


# --- kills --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def kills(tmp_path_factory):
    base = tmp_path_factory.mktemp("kills")
    with victim("kill", base) as process:
        output = process.stdout.read()
    assert process.returncode == 0
    return base, json.loads(output)


def after_kill(kills, life, name):
    base, fatal = kills
    for passage in range(1, fatal[life].get(name, 0) + 1):
        root = base / life / name / str(passage)
        yield root, root.with_suffix(".log").read_text().splitlines()


def check_whole(store, step_id):
    finished = store.open(step_id)
    for name, data in CONTENT.items():
        if name not in finished.record["evicted"]:
            assert finished.path(name).read_bytes() == data


@pytest.mark.parametrize("name", FAILPOINTS)
def test_killed_anywhere_the_store_is_valid_and_goes_on(kills, name):
    for root, log in after_kill(kills, "store", name):
        store = Store(root)
        marker_lost = log[-1:] == ["B loses its marker"] and not store.has(B)
        assert marker_lost or store.verify() == []
        assert store.has(A) or not log
        for step_id in (A, B):
            if store.has(step_id):
                check_whole(store, step_id)
        assert "A restored" not in log or store.whole(A)
        freed = store.gc()
        assert strays(store) == []
        assert not any(path.exists() for path in freed.paths)
        if store.has(A) and not store.whole(A):
            assert not (store.folder(A) / WEIGHTS).exists()
        store_life(root, lambda _: None)
        assert store.verify() == []
        assert [entry.id for entry in store.ls()] == [A]
        assert store.whole(A)
        check_whole(store, A)
        assert store.gc() == (0, ())


@pytest.mark.parametrize("name", FAILPOINTS)
def test_killed_anywhere_a_resume_point_is_the_old_or_the_new(kills, name):
    for root, log in after_kill(kills, "work", name):
        saved = [int(line.split()[1]) for line in log if line.startswith("saved")]
        last = saved[-1] if saved else 0
        loaded = Store(root).work(A).load(warn=pytest.fail)
        if log[-1:] != ["clearing"]:
            assert (loaded[2] if loaded else 0) in {last, last + 1}
        if loaded:
            tensors, state, step = loaded
            assert state == {"step": step, "rng": [2**63, None]}
            assert all((tensors[k] == v).all() for k, v in tensors_at(step).items())
        store = Store(root)
        store.gc()
        assert strays(store) == []
        assert len(list(root.glob("work/*/*"))) <= 3
        work_life(root, lambda _: None)
        assert not (root / "work" / A).exists()


def test_every_place_of_the_store_killed(kills):
    assert {name for fatal in kills[1].values() for name in fatal} == set(FAILPOINTS)


# --- company ------------------------------------------------------------------------------------


def test_of_those_who_finish_the_same_step_one_wins(tmp_path):
    with victim("race", tmp_path / "store") as process:
        returned = process.stdout.read().splitlines()
    assert process.returncode == 0
    store = Store(tmp_path / "store")
    assert store.verify() == []
    assert strays(store) == []
    won = [json.dumps(store.record(f"{step:020x}")["files"]) for step in range(10)]
    assert sorted(returned) == sorted(won * 4)  # everyone was given the winner's


def test_the_second_to_finish_is_given_the_first(store):
    first = finish(store, A)
    second = finish(store, A, CONTENT | {WEIGHTS: b"other"}, result={"loss": 9.0})
    assert second.record == first.record == store.record(A)
    assert second.path(WEIGHTS).read_bytes() == CONTENT[WEIGHTS]


def test_gc_leaves_the_living_alone_and_sweeps_the_dead(store):
    with victim("hold", store.root) as process:
        folder = Path(process.stdout.readline().strip())
        assert store.gc() == (0, ())
        with store.writing(A):  # the same step, by us: does not disturb the other either
            assert folder.exists()
        process.kill()
    dry = store.gc(dry_run=True)
    assert dry == (4, (folder.parent,))
    assert folder.exists()
    assert store.gc() == dry
    assert strays(store) == []


def test_the_next_to_write_a_step_sweeps_what_died_for_it(store):
    with victim("hold", store.root) as process:
        folder = Path(process.stdout.readline().strip())
        process.kill()
    with store.writing(B):
        assert folder.exists()
    with store.writing(A):
        assert not folder.exists()


def test_finished_steps_change_one_at_a_time(store):
    finish(store, A)
    other = threading.Thread(target=finish, args=(store, B))
    with alone(store.root):
        other.start()
        other.join(timeout=0.2)
        assert not store.has(B)
    other.join()
    assert store.has(B)


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


# --- damage -------------------------------------------------------------------------------------


def flip(path, at):
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def replace_by_link(path):
    twin = path.parent.parent.parent / "twin"
    path.rename(twin)
    path.symlink_to(twin)


DAMAGE = {
    "first byte": lambda path: flip(path, 0),
    "a byte inside": lambda path: flip(path, path.stat().st_size // 2),
    "last byte": lambda path: flip(path, -1),
    "cut by one": lambda path: os.truncate(path, path.stat().st_size - 1),
    "empty": lambda path: os.truncate(path, 0),
    "longer": lambda path: path.write_bytes(path.read_bytes() + b"\n"),
    "deleted": Path.unlink,
    "a link to the same bytes": replace_by_link,
    "a folder": lambda path: (path.unlink(), path.mkdir(), (path / "x").touch()),
}


NEEDS_BYTES = {"first byte", "a byte inside", "last byte", "cut by one", "empty"}


@pytest.mark.parametrize(
    ("name", "how"),
    [
        (name, how)
        for name in ("step.json", *CONTENT)
        for how in DAMAGE
        if CONTENT.get(name) != b"" or how not in NEEDS_BYTES
    ],
)
def test_damage_is_found_and_named(store, name, how):
    finish(store, A)
    finish(store, B)
    DAMAGE[how](store.folder(A) / name)
    assert (A, name) in {(fault.step_id, fault.name) for fault in store.verify()}
    assert {fault.step_id for fault in store.verify()} == {A}
    assert [entry.kind for entry in store.ls()] == [
        "damaged" if name == "step.json" else "train",
        "train",
    ]
    with pytest.raises(UserError) as caught:
        store.open(A).path(name)
    assert name in str(caught.value)
    assert A in str(caught.value)
    assert "next: " in str(caught.value)
    assert "\n" not in str(caught.value)
    store.discard(A)
    check_whole(store, finish(store, A).id)
    assert store.verify() == []


def test_every_flipped_byte_of_a_marker_is_found(store):
    marker = finish(store, A).folder / "step.json"
    whole = marker.read_bytes()
    for at in range(len(whole)):
        for mask in (1, 32, 128):  # 32 turns upper case into lower: a JSON reader may not mind
            marker.write_bytes(whole[:at] + bytes([whole[at] ^ mask]) + whole[at + 1 :])
            with pytest.raises(ValueError, match="has other bytes than were written"):
                read_marker(marker)
    marker.write_bytes(whole)
    assert store.verify() == []


def test_a_step_whose_record_is_damaged_is_replaced(store):
    marker = finish(store, A).folder / "step.json"
    flip(marker, 100)
    finish(store, A, CONTENT | {WEIGHTS: b"new"})
    assert store.open(A).path(WEIGHTS).read_bytes() == b"new"
    assert store.verify() == []


def test_a_strange_file_in_a_step_is_reported(store):
    (finish(store, A).folder / "notes.txt").write_text("mine")
    (fault,) = store.verify()
    assert "notes.txt" in str(fault)
    assert "is not listed in step.json" in str(fault)


def test_a_step_in_another_ones_place_is_reported(store):
    store.folder(B).parent.mkdir(parents=True)
    finish(store, A).folder.rename(store.folder(B))
    with pytest.raises(Corrupt, match=f"belongs to step {A}"):
        store.open(B)


def test_what_cannot_be_read_is_reported_and_the_rest_verified(store, monkeypatch):
    finish(store, A)
    flip(finish(store, B).path(WEIGHTS), 0)
    bad = store.folder(A) / WEIGHTS

    def failing(path):
        if path == bad:
            raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))
        return real(path)

    real = files.file_sha256
    monkeypatch.setattr(files, "file_sha256", failing)
    first, second = store.verify()
    assert "cannot be read (Input/output error)" in str(first)
    assert (second.step_id, second.name) == (B, WEIGHTS)
    with pytest.raises(UserError, match=r"Input/output error.*next: check the disk"):
        Store(store.root).open(A).path(WEIGHTS)


def test_damage_travels_between_processes(store):
    fault = Corrupt(store.folder(A), WEIGHTS, "is missing")
    again = pickle.loads(pickle.dumps(fault))
    assert (str(again), again.step_id, again.name) == (str(fault), A, WEIGHTS)


# --- names never leave the store ----------------------------------------------------------------


@given(st.text() | st.from_regex(r"[./a-z0-9\\-]{1,25}"))
def test_only_ids_are_ids(text):
    if not re.fullmatch("[0-9a-f]{20}", text):
        with pytest.raises(UserError, match="no step id"):
            Store(Path("nowhere")).has(text)


@given(st.text(max_size=8) | st.from_regex(r"[./a\\]{1,8}", fullmatch=True))
def test_accepted_names_stay_inside(name):
    if _inside(name):
        assert os.path.normpath(f"/store/{name}") == f"/store/{name}"
        assert name != "step.json"


@pytest.mark.parametrize("name", ["../x", "/x", "a/../../x", "", ".", "a//b", "a\\b", "step.json"])
def test_names_that_leave_are_refused(name):
    assert not _inside(name)


@pytest.mark.parametrize("field", ["files", "evictable", "evicted"])
def test_a_forged_record_cannot_name_outside_files(store, tmp_path, field):
    outside = tmp_path / "precious"
    outside.write_bytes(b"p")
    body = finish(store, A).record
    name = "../../../../precious"
    assert (store.folder(A) / name).samefile(outside)
    sealed = {"bytes": 1, "sha256": files.file_sha256(outside)}
    body[field] = body[field] | {name: sealed} if field == "files" else [name]
    write_marker(store.folder(A) / "step.json", body, tmp_path)
    for attempt in (store.open, store.evict):
        with pytest.raises(Corrupt, match="not a file of the step"):
            attempt(A)
    store.gc()
    assert outside.exists()
    assert len(store.verify()) == 1


def test_links_planted_in_a_step_are_not_followed(store, tmp_path):
    finish(store, A, {"sub/w": b"w"}, evictable=["sub/w"])
    sub = store.folder(A) / "sub"
    sub.rename(tmp_path / "elsewhere")
    sub.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Corrupt, match="not a plain file"):
        store.open(A).path("sub/w")
    assert store.evict(A) == 0
    assert (tmp_path / "elsewhere" / "w").exists()
    with pytest.raises(Corrupt, match="not a plain file"):
        finish(store, A, {"sub/w": b"v"}, evictable=["sub/w"])
    assert (tmp_path / "elsewhere" / "w").read_bytes() == b"w"


def test_links_are_not_accepted_as_files(store, tmp_path):
    with store.writing(A) as folder:
        (folder / "link").symlink_to(tmp_path)
        with pytest.raises(AssertionError):
            store.finish(A, folder, record(evictable=[]))


# --- markers ------------------------------------------------------------------------------------

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    # lone surrogates are not text: UTF-8 has no bytes for them
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.integers() | st.just("x"), inner),
    max_leaves=8,
)  # fmt: skip


@settings(deadline=None)
@given(value=JSON, data=st.data())
def test_a_marker_is_read_as_written_or_not_at_all(tmp_path_factory, value, data):
    folder = tmp_path_factory.mktemp("marker")
    try:
        write_marker(folder / "m.json", {"value": value}, folder)
    except TypeError:  # keys of several types have no order
        return
    assert read_marker(folder / "m.json") == json.loads(json.dumps({"value": value}))
    flip(folder / "m.json", data.draw(st.integers(0, (folder / "m.json").stat().st_size - 1)))
    with pytest.raises(ValueError, match="other bytes"):
        read_marker(folder / "m.json")


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


# --- full and forbidden disks -------------------------------------------------------------------


@contextmanager
def failing_at(call, number):
    """The call-th of the system calls that write fails with the given error."""
    passed = count(1)

    def wrapped(real):
        def fake(*args, **options):
            if real is originals["mkdir"] and Path(args[0]).is_dir():
                return real(*args, **options)  # a folder that stands takes no space
            if next(passed) == call:
                name = () if real is originals["fsync"] else (os.fspath(args[0]),)
                raise OSError(number, os.strerror(number), *name)
            return real(*args, **options)

        return fake

    originals = {name: getattr(os, name) for name in ("fsync", "mkdir", "rename", "replace")}
    with pytest.MonkeyPatch.context() as patch:
        for name, real in originals.items():
            patch.setattr(os, name, wrapped(real))
        yield lambda: next(passed) > call


def complaint(act, store):
    try:
        act(store)
    except UserError as error:
        return str(error)
    return ""


def finish_b(store):
    finish(store, B)


def evict_a(store):
    store.evict(A)


def restore_c(store):
    finish(store, C)


def save_point(store):
    store.work(B).save(3, tensors_at(3), {})


@pytest.mark.parametrize("act", [finish_b, evict_a, restore_c, save_point])
def test_a_disk_that_fills_up_at_any_call_loses_nothing(tmp_path, act):
    for call in count(1):
        store = Store(tmp_path / str(call))
        finish(store, A)
        finish(store, C)
        store.evict(C)
        for step in (1, 2):
            store.work(B).save(step, tensors_at(step), {})
        with failing_at(call, errno.ENOSPC) as failed:
            said = complaint(act, store)
            if not failed():
                break
        expected = (
            f'No space left on device, at "{store.root}.*nothing finished was lost; next: free'
        )
        assert re.search(expected, said)
        assert "\n" not in said
        assert strays(store) == []
        assert store.verify() == []
        assert store.has(A)
        assert store.has(C)
        assert store.work(B).load(pytest.fail)[2] in {2, 3}
        act(store)
        assert store.verify() == []
    assert call > 4


@contextmanager
def largest_file(size):
    """The kernel itself refuses to write beyond `size` bytes into any file."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_the_kernel_refuses_a_payload(store):
    with largest_file(500), pytest.raises(UserError, match=f"writing step {A}: File too large"):
        finish(store, A)
    assert strays(store) == []


def test_the_kernel_refuses_a_marker(store):
    with largest_file(100), pytest.raises(UserError, match=f"finishing step {A}: File too large"):
        finish(store, A, {"w": b""}, evictable=["w"])
    assert strays(store) == []


def test_the_kernel_refuses_a_resume_point(store):
    with largest_file(100), pytest.raises(UserError, match="optimiser step 7: File too large"):
        store.work(A).save(7, tensors_at(7), {})
    assert store.work(A).load() is None
    assert strays(store) == []


def test_a_file_where_the_store_should_be(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r'file" is a file; allowed: a folder.*next: move'):
        Store(tmp_path / "file")
    with pytest.raises(UserError, match=r"Not a directory.*next: a file stands"):
        finish(Store(tmp_path / "file" / "below"), A)


ACTS = {
    "finish": lambda store: finish(store, A),
    "save": lambda store: store.work(A).save(1, tensors_at(1), {}),
    "load": lambda store: store.work(A).load(),
    "clear": lambda store: store.work(A).clear(),
    "evict": lambda store: store.evict(B),
    "discard": lambda store: store.discard(B),
    "gc": lambda store: store.gc(),
}


@pytest.mark.parametrize(
    ("place", "refused"),
    [
        ("tmp", {"finish", "save", "evict", "discard", "gc"}),
        ("work", {"save", "clear"}),
        (f"work/{A}", {"save", "load"}),
        ("steps", {"finish", "evict"}),
        (f"steps/{A[:2]}", {"finish"}),
        ("leases", {"finish", "evict", "discard", "gc"}),
    ],
)
def test_what_stands_in_the_way_is_named_in_one_line(tmp_path, place, refused):
    for name, act in ACTS.items():
        store = Store(tmp_path / name)
        finish(store, B)
        store.work(B).save(1, tensors_at(1), {})  # for gc to remove
        path = store.root / place
        if path.is_dir():
            path.rename(tmp_path / f"{name} moved away")
        path.unlink(missing_ok=True)
        path.parent.mkdir(exist_ok=True)
        path.touch()
        said = complaint(act, store)
        assert bool(said) == (name in refused), (name, said)
        assert "\n" not in said
        if said and "is not finished" not in said:
            assert "needed; move it or choose another folder" in said


def test_a_folder_made_twice_is_a_mistake_of_the_program(store):
    with pytest.raises(FileExistsError), store.writing(A) as folder:
        folder.mkdir()


def test_a_store_that_may_not_be_written(tmp_path):
    store = Store(tmp_path / "none" / "store")
    with failing_at(1, errno.EACCES), pytest.raises(UserError, match=r"Permission denied.*make it"):
        finish(store, A)


@pytest.mark.parametrize(
    "error",
    [
        PermissionError(errno.EACCES, "no", "/elsewhere/file"),
        PermissionError(errno.EPERM, "no"),
        FileNotFoundError(errno.ENOENT, "no", "/store/file"),
        ValueError("could not read (os error 13)"),
        ValueError("other"),
    ],
)
def test_errors_that_are_not_the_stores_pass_through(error):
    with pytest.raises(type(error)) as caught, disk_errors("x", Path("/store")):
        raise error
    assert caught.value is error


def test_the_store_needs_no_torch():
    code = "import sys, xstilts.store; sys.exit('torch' in sys.modules)"
    env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    assert subprocess.run([sys.executable, "-c", code], env=env, check=False).returncode == 0


if __name__ == "__main__":
    {"kill": kill_everywhere, "race": race, "hold": hold}[sys.argv[1]](Path(sys.argv[2]))

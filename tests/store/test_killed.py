"""Whoever is killed at whatever place, and whoever else is there, the store stays valid."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from store.steps import CONTENT, WEIGHTS, A, B, check_whole, finish, strays, tensors_at
from store.victims import FAILPOINTS, store_life, victim, work_life
from xstilts.disk.scratch import alone
from xstilts.store import Store


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

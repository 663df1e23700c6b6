"""A changed file is named before it costs anything."""

from __future__ import annotations

import shutil

import small_tasks
from xstilts import datafiles, preflight
from xstilts.engines.groups import remaining
from xstilts.store import Store


def test_a_changed_file_is_named_by_plan_and_run(small, tiny, tmp_path):
    there, store = shutil.copytree(small, tmp_path / "there"), tmp_path / "store"
    plan = small_tasks.plan(there, tiny, "s_nli > s_tags")
    assert str((there / "nli.train.en.tsv").resolve()) in plan.contents
    assert datafiles.changed(plan.contents, store) == []  # nothing is known yet
    preflight.check(plan, remaining(plan, Store(store)), small_tasks.bench(there, store))
    assert datafiles.changed(plan.contents, store) == []

    path = there / "nli.train.en.tsv"
    path.write_text(path.read_text() + path.read_text().splitlines()[-1] + "\n")
    after = small_tasks.plan(there, tiny, "s_nli > s_tags")
    (line,) = datafiles.changed(after.contents, store)
    assert line.startswith(f"changed: {path.resolve()} is not what this store last read (")
    told = preflight.check(after, remaining(after, Store(store)), small_tasks.bench(there, store))
    assert line in told
    assert datafiles.changed(after.contents, store) == []  # told once
    assert datafiles.changed(plan.contents, store) != []  # and back is a change again


def test_a_dataset_of_the_hub_is_known_by_its_commit(tmp_path):
    datafiles.remember({"dataset a/b": "1" * 40, "dataset c/d": "2" * 40}, tmp_path)
    (line,) = datafiles.changed({"dataset a/b": "3" * 40, "dataset c/d": "2" * 40}, tmp_path)
    assert "dataset a/b" in line
    assert "111111111111, now 333333333333" in line


def test_what_is_broken_is_as_if_nothing_were_known(tmp_path):
    for text in ("{", "[]"):
        (tmp_path / datafiles.FILE).write_text(text)
        assert datafiles.changed({"a": "b"}, tmp_path) == []
        datafiles.remember({"a": "c"}, tmp_path)
        assert datafiles.changed({"a": "b"}, tmp_path) != []

"""Damage is found and named, names never leave the store, markers are read whole or not at all."""

from __future__ import annotations

import errno
import json
import os
import pickle
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from store.steps import CONTENT, DAMAGE, WEIGHTS, A, B, check_whole, finish, flip, record
from xstilts.disk import files
from xstilts.disk.files import read_marker, write_marker
from xstilts.errors import UserError
from xstilts.store import Corrupt, Store
from xstilts.store.records import _inside

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

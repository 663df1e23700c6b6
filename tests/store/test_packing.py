"""Steps travel in one file, arrive whole or not at all, and nothing in a pack leads out of it."""

from __future__ import annotations

import errno
import io
import json
import os
import re
import shutil
import tarfile
from itertools import count
from pathlib import Path

import pyarrow as pa
import pytest

from store.disks import complaint, failing_at, largest_file
from store.steps import CONTENT, WEIGHTS, A, B, C, finish, flip, strays
from xstilts.disk import files
from xstilts.errors import UserError
from xstilts.identity import canonical_json
from xstilts.store import Corrupt, Store
from xstilts.store.merging import merge
from xstilts.store.packing import CONTENTS, pack


def silent(done, total):
    assert 0 <= done <= total


@pytest.fixture
def here(tmp_path):
    """A trained stage, predictions made from it, and shards of some size."""
    store = Store(tmp_path / "here")
    finish(store, B)
    finish(store, A, {"p.parquet": b"rows"}, kind="predict", inputs={"weights": B}, evictable=[])
    finish(store, C, {"ids.npy": os.urandom(300_000)}, kind="shards", inputs={}, evictable=[])
    return store


@pytest.fixture
def there(tmp_path):
    return Store(tmp_path / "there")


def same(store, other, *ids):
    for one in ids:
        assert store.record(one) == other.record(one)
        for name in store.record(one)["files"]:
            mine, theirs = store.open(one).path(name), other.open(one).path(name)
            assert mine.read_bytes() == theirs.read_bytes()
    assert other.verify() == []
    assert strays(other) == []


def test_a_pack_arrives_as_it_was_and_twice_does_nothing(here, there, tmp_path):
    told = []
    out = tmp_path / "all.tar.zst"
    assert pack(here, out, [A, B, C], lambda *one: told.append(one)) == 3
    total = sum(map(len, CONTENT.values())) + 4 + 300_000
    assert told[-1] == (total, total)
    assert sorted(told) == told
    assert [path.name for path in tmp_path.glob("*all*")] == ["all.tar.zst"]
    merged = merge(there, out, silent)
    # Stages come before what was made from them, whatever their ids are.
    assert (merged.added, merged.kept, merged.refused) == ([C, B, A], [], {})
    same(here, there, A, B, C)
    merged = merge(there, out, silent)
    assert (merged.added, merged.kept, merged.refused) == ([], [C, B, A], {})


def test_it_is_a_plain_tar(here, tmp_path):
    out = tmp_path / "x.tar.zst"
    pack(here, out, [A], silent)
    with tarfile.open(fileobj=io.BytesIO(plain(out))) as tar:
        names = [CONTENTS, f"steps/{A}/step.json", f"steps/{A}/p.parquet"]
        assert tar.getnames() == names
        assert tar.extractfile(names[1]).read() == (here.folder(A) / "step.json").read_bytes()


def test_a_folder_is_merged_wherever_it_is_named_from(here, there, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link").symlink_to(here.root)
    for place in (Path("here"), tmp_path / "link"):
        merged = merge(there, place, silent)
        assert len(merged.added + merged.kept) == 3
        assert merged.refused == {}


def test_a_folder_is_merged_like_a_pack(here, there):
    assert merge(there, here.root, silent).added == [C, B, A]
    same(here, there, A, B, C)
    assert merge(there, here.root, silent).kept == [C, B, A]


def test_without_weights_a_stage_arrives_as_if_they_had_been_evicted(here, there, tmp_path):
    light, whole = tmp_path / "light", tmp_path / "whole"
    pack(here, light, [A, B], silent, left_out=["train"])
    pack(here, whole, [B], silent)
    assert merge(there, light, silent).added == [B, A]
    assert there.record(B) == here.record(B) | {"evicted": [WEIGHTS]}
    assert not there.whole(B)
    assert merge(there, whole, silent).restored == [B]  # the weights come back
    assert there.open(B).path(WEIGHTS).read_bytes() == CONTENT[WEIGHTS]
    assert merge(there, light, silent).kept == [B, A]  # and stay
    assert there.whole(B)
    assert there.verify() == []


def test_other_content_of_the_same_name_is_refused_with_what_was_made_from_it(
    here, there, tmp_path
):
    finish(there, B, CONTENT | {WEIGHTS: b"trained on another machine"})
    before = there.record(B)
    pack(here, tmp_path / "p", [A, B, C], silent)
    for source in (tmp_path / "p", here.root):
        merged = merge(there, source, silent)
        assert merged.added + merged.kept == [C]
        assert list(merged.refused) == [B, A]
        assert f'step {B} (train) is there already with another "{WEIGHTS}"' in merged.refused[B]
        assert merged.refused[A] == f"was made from step {B}, which was refused"
    assert there.record(B) == before
    assert not there.has(A)
    assert there.verify() == []


def test_a_step_damaged_here_is_replaced_by_a_merge(here, there):
    finish(there, A, {"p.parquet": b"rows"}, evictable=[])
    flip(there.folder(A) / "step.json", 9)
    assert A in merge(there, here.root, silent).added
    same(here, there, A, B, C)


def test_what_is_damaged_is_not_packed(here, tmp_path):
    flip(here.folder(B) / WEIGHTS, 5)
    with pytest.raises(Corrupt, match=WEIGHTS):
        pack(here, tmp_path / "p", [A, B], silent)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["here"]


def test_what_is_damaged_in_a_folder_is_refused_and_the_rest_merged(here, there):
    flip(here.folder(C) / "ids.npy", 5)
    merged = merge(there, here.root, silent)
    assert merged.added == [B, A]
    assert merged.refused == {C: 'file "ids.npy" is missing or has other bytes than were written'}
    flip(here.folder(B) / "step.json", 5)
    merged = merge(Store(there.root.parent / "third"), here.root, silent)
    assert set(merged.refused) == {B, C}
    assert "should hold it" in merged.refused[B]


def test_nothing_is_overwritten(here, tmp_path):
    out = tmp_path / "p"
    out.write_text("precious")
    with pytest.raises(UserError, match="is there already"):
        pack(here, out, [A], silent)
    assert out.read_text() == "precious"


# --- what a pack may hold -----------------------------------------------------------------------


def plain(path):
    return pa.CompressedInputStream(path.open("rb"), "zstd").read()


def packed(path, members):
    """A pack of (TarInfo or name, bytes)."""
    with (
        pa.CompressedOutputStream(path.open("wb"), "zstd") as stream,
        tarfile.open(fileobj=stream, mode="w|") as tar,
    ):
        for about, data in members:
            info = about if isinstance(about, tarfile.TarInfo) else tarfile.TarInfo(about)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data) if info.isreg() else None)
    return path


def contents(*ids):
    return CONTENTS, canonical_json({"format": 1, "steps": ids, "bytes": 9}).encode()


def forged(**change):
    """A record with a checksum that holds."""
    sealed = {"bytes": 1, "sha256": "2" * 64}
    body = {
        "id": A,
        "kind": "score",
        "created": "",
        "inputs": {},
        "provenance": {},
        "result": [],
        "files": {"x": sealed},
        "evictable": [],
        "evicted": [],
        **change,
    }
    return f"steps/{A}/step.json", files.sealed_text(body)


OUTSIDE = ("../precious", "/tmp/precious", "a/../../precious", "..", "a\\b", "step.json", "", 7)


@pytest.mark.parametrize("name", OUTSIDE)
def test_names_that_lead_out_are_refused(there, tmp_path, name):
    sealed = {"bytes": 1, "sha256": "2" * 64}
    for change in ({"files": {str(name): sealed}}, {"evicted": [name]}, {"evictable": [name]}):
        members = [contents(A), forged(**change), (f"steps/{A}/{name}", b"x")]
        merged = merge(there, packed(tmp_path / "p", members), lambda *_: None)
        assert list(merged.refused) == [A]
    assert [path for path in tmp_path.rglob("*") if "precious" in path.name] == []
    assert strays(there) == []


@pytest.mark.parametrize(
    "name", ["../x", "/x", f"steps/../{A}/x", f"steps/{A[:-1]}/x", "x", "steps"]
)
def test_members_in_other_places_are_no_pack(there, tmp_path, name):
    with pytest.raises(UserError, match="is no name in a pack"):
        merge(there, packed(tmp_path / "p", [contents(A), (name, b"x")]), silent)


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE]
)
def test_links_and_devices_are_refused(there, tmp_path, kind):
    link = tarfile.TarInfo(f"steps/{A}/x")
    link.type, link.linkname = kind, "/etc/passwd"
    with pytest.raises(UserError, match="is not a plain file"):
        merge(there, packed(tmp_path / "p", [contents(A), forged(), (link, b"")]), silent)
    assert not there.has(A)


@pytest.mark.parametrize(
    ("members", "why"),
    [
        ([(f"steps/{A}/x", b"x")], "does not begin with its step.json"),
        ([forged(), (f"steps/{A}/x", b"xx")], '"x" is not the file that its step.json names'),
        ([forged(), (f"steps/{A}/y", b"y")], '"y" is not the file that its step.json names'),
        ([forged(), (f"steps/{A}/x", b"x")], '"x" is missing or has other bytes'),
        ([forged()], '"x" is missing or has other bytes'),
        ([(f"steps/{A}/step.json", b"{}")], "step.json has other bytes than were written"),
        ([forged(id=B)], f"step.json belongs to step {B}"),
        ([forged(files=[])], 'step.json has no valid "files"'),
        ([forged(files={"x": 1})], 'step.json has no checksum of "x"'),
        ([], "should hold it"),
    ],
)
def test_a_step_that_is_not_as_it_says_is_refused(there, tmp_path, members, why):
    merged = merge(there, packed(tmp_path / "p", [contents(A), *members]), lambda *_: None)
    assert why in merged.refused[A]
    assert not there.has(A)
    assert strays(there) == []


def test_a_pack_cut_anywhere_keeps_what_arrived_whole(here, there, tmp_path):
    out = tmp_path / "p"
    pack(here, out, [A, B, C], silent)
    whole = out.read_bytes()
    seen = set()
    for at in range(0, len(whole), len(whole) // 23):
        out.write_bytes(whole[:at])
        with pytest.raises(UserError, match="cannot be read to its end") as caught:
            merge(there, out, silent)
        assert "\n" not in str(caught.value)
        assert there.verify() == []
        assert strays(there) == []
        seen.add(len(list(there.ls())))
    assert 0 in seen
    out.write_bytes(whole)
    merge(there, out, silent)
    same(here, there, A, B, C)


def test_a_pack_with_a_flipped_byte_brings_nothing_wrong(here, tmp_path):
    out = tmp_path / "p"
    pack(here, out, [A, B], silent)
    whole, said = out.read_bytes(), []
    for at in range(0, len(whole), max(1, len(whole) // 60)):
        out.write_bytes(whole[:at] + bytes([whole[at] ^ 4]) + whole[at + 1 :])
        store = Store(tmp_path / "other")
        try:
            merge(store, out, lambda *_: None)
        except UserError as error:
            said.append(str(error))
        for one in store.ls():
            same(here, store, one.id)
        shutil.rmtree(store.root, ignore_errors=True)
    assert said
    assert "\n" not in "".join(said)


@pytest.mark.parametrize("what", [b"", b"not a pack", b"PK\x03\x04", os.urandom(999)])
def test_other_files_are_no_packs(there, tmp_path, what):
    (tmp_path / "p").write_bytes(what)
    with pytest.raises(UserError, match="cannot be read to its end"):
        merge(there, tmp_path / "p", silent)


def test_nothing_there(there, tmp_path):
    with pytest.raises(UserError, match="no file or folder"):
        merge(there, tmp_path / "none", silent)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="no finished step"):
        merge(there, tmp_path / "empty", silent)


# --- full disks ---------------------------------------------------------------------------------


def test_a_disk_that_fills_up_during_a_merge_loses_nothing(here, tmp_path):
    pack(here, tmp_path / "p", [A, B], silent)
    for call in count(1):
        store = Store(tmp_path / "there" / str(call))
        finish(store, C)
        with failing_at(call, errno.ENOSPC) as failed:
            said = complaint(lambda store: merge(store, tmp_path / "p", silent), store)
            if not failed():
                break
        assert re.search("No space left on device.*nothing finished was lost; next: free", said)
        assert store.verify() == []
        assert strays(store) == []
        assert merge(store, tmp_path / "p", silent).refused == {}
        same(here, store, A, B)
    assert call > 8


def test_a_disk_that_fills_up_during_packing_leaves_nothing(here, tmp_path):
    out = tmp_path / "p"
    with largest_file(5000), pytest.raises(UserError, match='packing "p": File too large'):
        pack(here, out, [C], silent)
    with failing_at(1, errno.ENOSPC), pytest.raises(UserError, match='packing "p": No space'):
        pack(here, out, [A, B], silent)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["here"]
    assert pack(here, out, [A, B], silent) == 2


def test_without_predictions_whatever_their_record_says(here, there, tmp_path):
    """Imported ones cannot be made again, and are text of a dataset all the same."""
    out, name = tmp_path / "scores", "predictions.parquet"
    with here.writing("d" * 20) as folder:
        (folder / name).write_text("text of a dataset")
        record = {"kind": "predict", "inputs": {}, "provenance": {}, "result": {}, "evictable": []}
        here.finish("d" * 20, folder, record)
    pack(here, out, ["d" * 20], silent, left_out=["predict"])
    assert b"text of a dataset" not in plain(out)
    assert merge(there, out, silent).added == ["d" * 20]
    assert there.record("d" * 20)["evicted"] == [name]
    with pytest.raises(UserError, match=r"merge a pack that holds it$"):
        there.open("d" * 20).path(name)
    # Made again with other bytes they are not those that scores were made of.
    with there.writing("d" * 20) as folder:
        (folder / name).write_text("other text")
        with pytest.raises(UserError, match="made again with other bytes"):
            there.finish("d" * 20, folder, record)
    assert merge(there, here.root, silent).restored == ["d" * 20]


def test_a_stage_without_weights_has_no_tokenizer_either(here, there, tmp_path):
    """Which would make a pack of scores ten times as large."""
    out, files = tmp_path / "scores", {"model.safetensors": b"weights", "tokenizer.json": b"words"}
    finish(here, "e" * 20, files, evictable=["model.safetensors"])
    pack(here, out, ["e" * 20], silent, left_out=["train"])
    assert merge(there, out, silent).added == ["e" * 20]
    assert there.record("e" * 20)["evicted"] == ["model.safetensors", "tokenizer.json"]
    assert merge(there, here.root, silent).restored == ["e" * 20]
    same(here, there, A, B, C)
    assert there.open("e" * 20).path("tokenizer.json").read_bytes() == b"words"


@pytest.mark.parametrize("steps", [[[]], ["\x1b[2J"], [7]])
def test_names_in_a_forged_pack_are_checked(there, tmp_path, steps):
    data, out = json.dumps({"format": 1, "steps": steps, "bytes": 0}).encode(), tmp_path / "forged"
    with pa.CompressedOutputStream(str(out), "zstd") as raw, tarfile.open(None, "w|", raw) as tar:
        about = tarfile.TarInfo(CONTENTS)
        about.size = len(data)
        tar.addfile(about, io.BytesIO(data))
    with pytest.raises(UserError, match="no pack, or a damaged one"):
        merge(there, out, silent)

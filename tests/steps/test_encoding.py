"""Encoded rows in files are what they are in memory, made once, and named by all they depend on."""

from __future__ import annotations

import os
import shutil

import numpy as np
import pytest

import small_tasks
from steps.runs import begun, trained
from store.steps import flip
from xstilts import formats
from xstilts.formats import Limits
from xstilts.model import tokenizer
from xstilts.sources import Sources
from xstilts.steps import encoding
from xstilts.tasks import Catalogue

ARRAYS = ("ids", "types", "offsets", "units", "owner")
LIMITS = Limits(40, max_query_length=8, doc_stride=8)


@pytest.fixture(scope="module")
def loaded(tiny):
    return tokenizer.load(tiny).backend


@pytest.fixture
def rows(small):
    catalogue = Catalogue(small_tasks.tasks(small))

    def read(name):
        task = catalogue.get(name)
        return task, Sources().examples(task, catalogue.data(name, "files"), "train", "en")

    return read


@pytest.mark.parametrize("chunk", [7, 1000])
@pytest.mark.parametrize("name", ["s_nli", "s_choice", "s_tags", "s_squad", "s_text"])
def test_in_files_they_are_what_they_are_in_memory(
    rows, loaded, tmp_path, monkeypatch, name, chunk
):
    monkeypatch.setattr(encoding, "CHUNK", chunk)
    task, examples = rows(name)
    expected = formats.encode(task, examples, loaded, LIMITS)
    found = encoding.encoded(tmp_path, name, task, lambda: examples, loaded, LIMITS)
    assert isinstance(found.ids, np.memmap)
    for array in ARRAYS:
        one, other = getattr(found, array), getattr(expected, array)
        assert one.dtype == other.dtype
        assert np.array_equal(one, other), array
    assert found.targets.keys() == expected.targets.keys()
    for key, array in expected.targets.items():
        assert found.targets[key].dtype == array.dtype
        assert np.array_equal(found.targets[key], array), key
    assert np.array_equal(found.kinds, np.unique(expected.ids))


def test_they_are_read_and_tokenised_once(rows, loaded, tmp_path):
    task, examples = rows("s_nli")
    reads = []

    def read():
        reads.append(1)
        return examples

    def asked(identity="rows", limits=LIMITS):
        return encoding.encoded(tmp_path, identity, task, read, loaded, limits)

    first, again = asked(), asked()
    assert np.array_equal(first.ids, again.ids)
    assert len(reads) == 1
    asked("other rows")
    asked(limits=Limits(20, max_query_length=8, doc_stride=8))
    assert len(reads) == 3
    assert len(list(tmp_path.iterdir())) == 3


def test_what_was_broken_off_is_made_again_and_what_another_made_is_kept(rows, loaded, tmp_path):
    task, examples = rows("s_nli")

    def asked(read):
        return encoding.encoded(tmp_path, "rows", task, read, loaded, LIMITS)

    def broken():
        yield examples[0]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        asked(broken)

    def meanwhile():
        asked(lambda: examples)  # another process is faster
        return examples

    found = asked(meanwhile)
    assert np.array_equal(found.ids, formats.encode(task, examples, loaded, LIMITS).ids)
    assert len([one for one in tmp_path.iterdir() if "." not in one.name]) == 1


@pytest.mark.parametrize("how", ["flipped", "cut", "missing"])
@pytest.mark.parametrize("name", ["ids", "targets.label", "index.json"])
def test_damage_is_named_and_made_good(rows, loaded, tmp_path, name, how):
    """A byte of the numbers that a stage trains on cannot change unseen."""
    task, examples = rows("s_nli")
    told = []

    def asked():
        cache = tmp_path / "encoded"
        return encoding.encoded(cache, "rows", task, lambda: examples, loaded, LIMITS, told.append)

    asked()
    (path,) = (tmp_path / "encoded").glob(f"*/{name}")
    if how == "flipped":
        flip(path, path.stat().st_size // 2)
    elif how == "cut":
        os.truncate(path, path.stat().st_size - 1)
    else:
        path.unlink()
    assert np.array_equal(asked().ids, formats.encode(task, examples, loaded, LIMITS).ids)
    (line,) = told
    assert name in line
    assert line.endswith("they are made again")
    asked()
    assert len(told) == 1
    assert list((tmp_path / "tmp").iterdir()) == []


def test_a_stage_from_files_is_the_same_to_the_byte(small, tiny, tmp_path):
    path = "s_nli + s_choice + s_squad + s_text@0.2 | s_tatoeba"
    inputs = small_tasks.train_inputs(small, tiny, path) | {"max_steps": 6}
    _, memory = trained(small, tiny, tmp_path / "memory", inputs)
    for name in ("first", "second"):
        _, out = trained(small, tiny, tmp_path / name, inputs, encoded=tmp_path / "cache")
        for file in ("model.safetensors", "heads.safetensors"):
            assert (out / file).read_bytes() == (memory / file).read_bytes()
    assert len(list((tmp_path / "cache").iterdir())) == 4


@pytest.mark.parametrize(
    ("path", "other", "shared"),
    [
        ("s_nli", "s_nli", True),
        ("s_nli", "s_nli + s_tags", True),
        ("s_nli", "s_nli[10]", False),
        ("s_nli", "s_nli:de", False),
        ("s_nli", "shuffled(s_nli)", False),
        ("s_nli", "text(s_nli)", False),
    ],
)
def test_stages_share_rows_that_are_the_same(small, tiny, tmp_path, path, other, shared):
    def names(path):
        shutil.rmtree(tmp_path, ignore_errors=True)
        inputs = small_tasks.train_inputs(small, tiny, f"{path} | s_tatoeba")
        begun(small, tiny, inputs, encoded=tmp_path)
        return {one.name for one in tmp_path.iterdir()}

    assert bool(names(path) & names(other)) is shared


def test_labels_shuffled_with_another_seed_are_other_rows(small, tiny, tmp_path):
    for seed in (1, 2):
        inputs = small_tasks.train_inputs(small, tiny, "shuffled(s_nli) | s_tatoeba", seeds=(seed,))
        begun(small, tiny, inputs, encoded=tmp_path)
    assert len(list(tmp_path.iterdir())) == 2

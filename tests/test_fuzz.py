"""Whatever stands in a file or on the command line: an answer, or one line for the user.

500 inputs for every parser and reader; ``make fuzz`` tries 10,000 (``XSTILTS_FUZZ``).
"""

from __future__ import annotations

import json
import os
import re
from contextlib import suppress

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import small_tasks
from test_store import A, finish
from xstilts import path, pretraining, store_merge, store_pack, study
from xstilts.errors import UserError
from xstilts.formats.examples import Pair, Tagged
from xstilts.sources import own
from xstilts.sources.readers import read
from xstilts.sources.taskfile import TaskFile
from xstilts.steps import given_predictions
from xstilts.store import Store
from xstilts.store_step import record_problem
from xstilts.tasks import Files

INPUTS = int(os.environ.get("XSTILTS_FUZZ", "500"))
fuzz = settings(
    max_examples=INPUTS,
    derandomize=INPUTS <= 500,
    suppress_health_check=list(HealthCheck),
    database=None,
)

STUDY = b"""name: s
models: [m]
intermediate: [none, mnli, "mnli[10k] > squad_v1"]
targets: [xnli, udpos]
seeds: [1, 2]
controls: [shuffled]
source: mirror
options: {max_steps: 5}
"""
TASK = b"""name: mine
format: classification
labels: [yes, no]
fields: {text_a: a, text_b: b, label: c}
train: train.tsv
evaluate: {en: test.tsv}
"""
PRETRAINING = b"name: p\nlanguages: [en]\nsteps: 5\ntokenizer: {vocabulary: 99}\n"
PATHS = (
    "mnli[10k] + mlm@0.2 > xnli",
    "mnli:de/ru > squad_v1 | xquad:en, tatoeba",
    "shuffled(mnli) > xnli",
    "imported(mine) | xnli",
)
SQUAD = {
    "data": [
        {
            "title": "t",
            "paragraphs": [
                {
                    "context": "a b c",
                    "qas": [
                        {"id": "1", "question": "q", "answers": [{"text": "b", "answer_start": 2}]}
                    ],
                }
            ],
        }
    ]
}
READERS = {
    "csv": b'a,b\n"x, ""y""\nz",2\n',
    "tsv": "a\tb\nä\t日本\n".encode(),
    "jsonl": b'{"a": [1], "b": "\\u00e9"}\n{"a": null}\n',
    "conll": b"# c\nRain\tNOUN\nfalls\tVERB\n\n",
    "squad": json.dumps(SQUAD).encode(),
    "parallel": b"one\ntwo\n",
    "lines": b"one\n\n two\n",
}
ALIENS = (
    "\x00",
    "\x1b[2J",
    "\u202e",
    "\ufeff",
    "\u2028",
    "١",
    "&a *a",
    "!!python/object:os.system",
)
ALIENS += (
    "- " * 50,
    "[" * 500,
    "{" * 500,
    "1e999",
    "-0",
    "NaN",
    "null",
    "\\",
    "\n\n",
    "\t",
    "'",
    '"',
)


def spoilt(whole: bytes) -> st.SearchStrategy[bytes]:
    """A file with a few places cut, doubled or overwritten; or anything at all."""
    at = st.integers(0, len(whole))
    new = st.binary(max_size=8) | st.sampled_from([one.encode() for one in ALIENS])

    def change(edits: list[tuple[int, int, bytes]]) -> bytes:
        data = whole
        for start, length, piece in edits:
            data = data[:start] + piece + data[start + length :]
        return data

    return st.lists(st.tuples(at, st.integers(0, 9), new), max_size=4).map(change) | st.binary()


def answered(act, *arguments) -> None:
    """It answers, or says one line."""
    try:
        act(*arguments)
    except UserError as error:
        said = str(error)
    else:
        return
    assert said
    assert "Traceback" not in said


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("fuzz")


def written(place, name, data):
    file = place / name
    file.write_bytes(data)
    return file


# --- what a person writes -----------------------------------------------------------------------

MARKS = st.lists(
    st.sampled_from(
        [*"><|+,:/[]()@.0123 \t→", "mnli", "xnli", "10k", "de", "imported", "same_steps"]
    )
    | st.text(max_size=3)
).map("".join)


@fuzz
@given(MARKS | st.text() | st.sampled_from(PATHS).flatmap(lambda one: spoilt(one.encode())))
def test_paths(given_text):
    text = given_text if isinstance(given_text, str) else given_text.decode(errors="replace")
    answered(path.parse, text)
    with suppress(UserError):
        found = path.parse(text)
        assert path.parse(str(found)) == found
        assert re.fullmatch(r"[A-Za-z0-9.,][A-Za-z0-9_.+=,-]*", found.slug)


@fuzz
@given(spoilt(STUDY))
def test_studies(place, data):
    answered(study.load, written(place, "study.yaml", data))


@fuzz
@given(spoilt(TASK))
def test_task_files(place, data):
    written(place, "train.tsv", b"a\tb\tc\nx\ty\tyes\n")
    file = written(place, "task.yaml", data)
    answered(TaskFile.read, file)
    answered(own.load, file)


@fuzz
@given(spoilt(PRETRAINING))
def test_pretraining_files(place, data):
    answered(pretraining.load, written(place, "pretraining.yaml", data))


# --- what files hold ----------------------------------------------------------------------------


@pytest.mark.parametrize("reader", READERS)
def test_readers(place, reader):
    @fuzz
    @given(spoilt(READERS[reader]), st.booleans())
    def check(data, header):
        file = written(place, "rows.x", data)
        (place / "rows.eng").write_bytes(READERS["parallel"])
        files = Files(path=str(file), reader=reader, header=header)
        answered(lambda: list(read(files, file)))

    check()


PAIRS = [Pair(str(n), "g", "a", "b", "yes") for n in range(2)]
TAGGED = [Tagged(str(n), "g", ("a", "b"), ("A", "B")) for n in range(2)]


@pytest.mark.parametrize(
    ("task", "rows", "name", "whole"),
    [
        ("s_xnli", PAIRS, "p.txt", b"yes\nno\n"),
        ("s_xnli", PAIRS, "p.json", b'{"0": "yes", "1": "no"}'),
        ("s_xnli", PAIRS, "p.jsonl", b'{"id": 0, "prediction": "yes"}\n{"id": "1"}\n'),
        ("s_tags", TAGGED, "p.txt", b"A\nB\n\nB\nA\n"),
        ("s_tags", TAGGED, "p.json", b'{"0": ["A", "B"], "1": ["A", "A"]}'),
    ],
)
def test_predictions(place, task, rows, name, whole):
    (found,) = (one for one in small_tasks.tasks(place) if one.name == task)

    @fuzz
    @given(spoilt(whole))
    def check(data):
        answered(given_predictions.align, written(place, name, data), found, rows)

    check()


# --- what a store holds -------------------------------------------------------------------------


@fuzz
@given(data=st.data())
def test_packs(tmp_path_factory, data):
    """A pack changed before it was compressed, so that no checksum of zstd guards it."""
    folder = tmp_path_factory.mktemp("pack")
    whole = plain_pack(tmp_path_factory)
    file = folder / "p"
    with pa.CompressedOutputStream(file.open("wb"), "zstd") as stream:
        stream.write(data.draw(spoilt(whole)))
    store = Store(folder / "store")
    answered(store_merge.merge, store, file, lambda *_: None)
    for one in store.ls():
        assert store.verify() == []
        assert store.open(one.id).path("x").read_bytes() == b"x" * 700
    assert {entry.name for entry in folder.iterdir()} <= {"p", "store"}


_PACK: list[bytes] = []


def plain_pack(tmp_path_factory) -> bytes:
    if not _PACK:
        folder = tmp_path_factory.mktemp("whole")
        store = Store(folder / "store")
        finish(store, A, {"x": b"x" * 700}, evictable=[])
        store_pack.pack(store, folder / "p", [A], lambda *_: None)
        _PACK.append(pa.CompressedInputStream((folder / "p").open("rb"), "zstd").read())
    return _PACK[0]


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.just(A),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)
PARTS = ("id", "kind", "created", "inputs", "provenance", "files", "evictable", "evicted")


@fuzz
@given(st.dictionaries(st.sampled_from(PARTS), VALUES))
def test_records(body):
    said = record_problem({"id": A, **body}, A)
    assert said is None or said

"""Whatever stands in a file or on the command line: an answer, or one line for the user.

500 inputs for every parser and reader; ``make fuzz`` tries 10,000 (``XSTILTS_FUZZ``).
"""

from __future__ import annotations

import io
import json
import os
import re
from contextlib import redirect_stderr, redirect_stdout, suppress

import pyarrow as pa
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import small_tasks
from corpus.mirror import PLACES, declaration, plant
from store.steps import A, finish
from xstilts import (
    path,
    pretraining,
    study,
)
from xstilts.analysis import claims
from xstilts.cli import main, status
from xstilts.corpus import cleaned, evaluation
from xstilts.corpus import read as raw
from xstilts.disk import owners
from xstilts.disk.files import read_marker
from xstilts.errors import UserError
from xstilts.formats.examples import BadRowError, Pair, Tagged, example
from xstilts.metrics import leaderboard
from xstilts.perturb import audit, lexicons
from xstilts.sources import own
from xstilts.sources.readers import read
from xstilts.sources.taskfile import TaskFile
from xstilts.steps import given_predictions
from xstilts.store import Store, merging, packing, statuses, upkeep
from xstilts.store.records import record_problem
from xstilts.tasks import Catalogue, Files

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
    "mnli[1k as 10k] + mnli ~keyboard@0.1 > xnli",
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
    "1" * 5000,
    "\\ud83d",
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
        [*"><|+,:/[]()@~.0123 \t→", "mnli", "xnli", "10k", "de", "imported", "keyboard"]
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


GOLD = {
    "xnli": (b"neutral\nentailment\n", b"neutral\ncontradiction\n"),
    "udpos": (b"NOUN\nVERB\n\nADJ\n", b"NOUN\nADP\n\nADJ\n"),
    "panx": (b"B-PER\nI-PER\n\nO\n", b"B-PER\nO\n\nO\n"),
    "xquad": (b'{"1": "b"}', json.dumps(SQUAD).encode()),
    "tatoeba": (b"0\n1\n", b"1\n0\n"),
    "bucc2018": (b"de-1\ten-1\n", b"de-1\ten-2\n"),
    "lareqa": (b'{"q": ["a", "b"]}', b'{"q": ["b"]}'),
}


@pytest.mark.parametrize("name", GOLD)
def test_leaderboard_files(place, name):
    task, (predictions, gold) = Catalogue().get(name), GOLD[name]

    @fuzz
    @given(spoilt(predictions), spoilt(gold))
    def check(first, second):
        files = written(place, "predictions", first), written(place, "gold", second)
        answered(leaderboard.score_file, task, *files, "de")

    check()


CLAIMS = b"""- id: mine
  text: t
  source: s
  status: unverified
  model: m
  suite: xtreme
  split: dev
  aggregation: a
  rule: mean_gain
  intermediate: [squad_v1]
  expected: 8.2
"""
SHEET = b"task,language,noise,seed,id,label,before,after,label_holds\nt,de,n@0.1,1,a,b,c,d,yes\n"


@fuzz
@given(spoilt(CLAIMS))
def test_claims(place, data):
    answered(claims.load, written(place, "claims.yaml", data))


@fuzz
@given(spoilt(SHEET))
def test_audit_sheets(place, data):
    answered(audit.read, written(place, "audit.csv", data))


@fuzz
@given(spoilt(b"Haus\thouse\nBaum\ttree\n"))
def test_lexicons(place, data):
    answered(lexicons.find, "de", None, written(place, "words.tsv", data))


@fuzz
@given(spoilt(b'{"en": "a", "de": "b", "source": "s"}\n{"en": "c"}\n'))
def test_cleaned_corpora(place, data):
    written(place, "parallel.jsonl", data)
    answered(lambda: list(cleaned.parallel_rows(place)))
    answered(cleaned.lines, place / "parallel.jsonl")


@pytest.mark.parametrize("name", PLACES)
def test_evaluation_files_of_the_mirror(tmp_path, name):
    plant(tmp_path, name, "Twelve grey geese flew over the quiet harbour.")
    path = tmp_path / PLACES[name][0]

    @settings(fuzz, max_examples=max(INPUTS // 10, 50))  # 18 readers of a few kinds
    @given(spoilt(path.read_bytes()))
    def check(data):
        path.write_bytes(data)
        answered(lambda: list(evaluation.texts(tmp_path, name)))

    check()


RAW = {
    "gnome_user_docs/parallel.tsv": b"id\ten\tde\n1\tSave.\tSpeichern.\n",
    "raw_text/bible-corpus/Wolof-NT.xml": b'<cesDoc><seg id="b.1" type="verse">\n\tx\n</seg>',
    "raw_text/nltk_udhr2/udhr2.zip": b"",
    "ntrex128/newstest2019-ref.deu.txt": b"Eins.\nZwei.\n",
    "raw_text/ud_panx_train_detok/tr.txt": b"Bir ev.\n",
}


@pytest.mark.parametrize("name", RAW)
def test_raw_corpora(tmp_path, name):
    folders = tmp_path / "corpus", tmp_path / "mirror"
    declaration(folders[1], {"eng": [["Article 1", "All are born free."]] * 30})
    (tmp_path / "mirror/ntrex128").mkdir()
    (tmp_path / "mirror/ntrex128/newstest2019-src.eng.txt").write_text("One.\nTwo.\n")
    path = folders[0 if name.startswith("gnome") else 1] / name
    path.parent.mkdir(parents=True, exist_ok=True)
    folders[0].mkdir(exist_ok=True)
    whole = RAW[name] or path.read_bytes()

    def read_all():
        for _, _, lines in raw.text(*folders):
            list(lines)
        for _, rows in raw.parallel(*folders):
            list(rows)

    @fuzz
    @given(spoilt(whole))
    def check(data):
        path.write_bytes(data)
        answered(read_all)

    check()


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.just(A),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)
ANSWERS = st.fixed_dictionaries(
    {"text": st.lists(st.text(max_size=3)), "answer_start": st.lists(st.integers(-1, 5))}
)
FIELDS = {
    "s_xnli": {"text_a": "a", "text_b": "b", "label": "yes"},
    "s_choice": {"prompt": "a", "choices": ["b", "c"], "label": "1"},
    "s_tags": {"words": ["a", "b"], "tags": ["A", "B"]},
    "s_xquad": {"context": "a", "question": "b", "answers": {"text": ["a"], "answer_start": [0]}},
    "s_tatoeba": {"text": "a", "english": "b", "query": "c", "answers": ["d"], "right": ["e"]},
    "s_text": {"text": "a"},
}


@pytest.mark.parametrize("name", FIELDS)
def test_rows(place, name):
    """Whatever columns hold, as rows of the hub may: an example, or why it is none."""
    (task,) = (one for one in small_tasks.tasks(place) if one.name == name)
    keys = st.sampled_from([*FIELDS[name], "group"])

    @fuzz
    @given(st.dictionaries(keys, VALUES | ANSWERS), st.sets(keys))
    def check(changed, gone):
        fields = {k: v for k, v in (FIELDS[name] | changed).items() if k not in gone}
        with suppress(BadRowError):  # whoever reads the file adds its line
            assert example(task, fields, "row 1").id == "row 1"

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
    answered(merging.merge, store, file, lambda *_: None)
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
        packing.pack(store, folder / "p", [A], lambda *_: None)
        _PACK.append(pa.CompressedInputStream((folder / "p").open("rb"), "zstd").read())
    return _PACK[0]


@fuzz
@given(st.binary(max_size=40) | spoilt(b'{"a": 1, "sha256_of_the_rest": "0"}'))
def test_markers_and_small_files(place, data):
    """Markers, leases, statuses: read, or said to be damaged, or passed over."""
    path = written(place, "step.json", data)
    with pytest.raises(ValueError, match="other bytes"):
        read_marker(path.resolve())
    store = Store(place / "little")
    for folder, name in (("leases", f"{A}.{owners.mark()}.0"), ("status", f"{owners.mark()}.json")):
        (store.root / folder).mkdir(parents=True, exist_ok=True)
        (store.root / folder / name).write_bytes(data)
    answered(store.holder, A)
    answered(lambda: status.lines(statuses.read(store.root)))


def test_resume_points(tmp_path):
    work = Store(tmp_path).work(A)
    work.save(1, {"x": torch.zeros(3)}, {"step": 1})
    point = work.folder / "point-1"
    whole = {name: (point / name).read_bytes() for name in ("point.json", "tensors.safetensors")}

    @fuzz
    @given(
        st.sampled_from(sorted(whole)).flatmap(lambda n: st.tuples(st.just(n), spoilt(whole[n])))
    )
    def check(change):
        point.mkdir(parents=True, exist_ok=True)
        for name, data in (*whole.items(), change):
            (point / name).write_bytes(data)
        found = work.load(str)
        assert found is None or found[1:] == ({"step": 1}, 1)

    check()


PARTS = ("id", "kind", "created", "inputs", "provenance", "files", "evictable", "evicted")


@fuzz
@given(st.dictionaries(st.sampled_from(PARTS), VALUES))
def test_records(body):
    said = record_problem({"id": A, **body}, A)
    assert said is None or said


@fuzz
@given(st.dictionaries(st.sampled_from(("items", "config", "task", "predictions", "seed")), VALUES))
def test_what_listings_say_of_records(inputs):
    assert isinstance(upkeep._about({A: inputs}, A), str)


# --- the command line ---------------------------------------------------------------------------

WORDS = MARKS | st.text(max_size=12) | st.sampled_from(["xnli", "taxinli > xnli", "demo", A, "-1"])
COMMANDS = (
    ("plan", "", "--source", "microworld"),
    ("plan", "taxinli > xnli", "--source", "microworld", "--seeds", ""),
    ("plan", "taxinli > xnli", "--source", "microworld", "--recipe", ""),
    ("plan", "taxinli > xnli", "--source", ""),
    ("tasks", ""),
    ("languages", ""),
    ("studies", ""),
    ("store", "pack", "out", ""),
    ("store", "ls", "--store", ""),
    ("perturb", "xnli", "--with", "", "--source", "microworld"),
    ("export", "hub", ""),
)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_command_lines(tmp_path, monkeypatch, command):
    """Whatever stands in one place of a command line: an answer, or one line and exit code 2."""
    monkeypatch.chdir(tmp_path)
    Store(tmp_path / ".xstilts").root.mkdir()

    @settings(fuzz, max_examples=INPUTS // 25)  # each is a command of its own
    @given(WORDS)
    def check(word):
        said = io.StringIO()
        with (
            redirect_stdout(io.StringIO()),
            redirect_stderr(said),
            pytest.raises(SystemExit) as end,
        ):
            main([one or word for one in command])
        assert end.value.code in (0, 2), said.getvalue()
        assert "Traceback" not in said.getvalue()

    check()

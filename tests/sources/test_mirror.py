"""The mirror's real files: how many rows, which rows, and that no row serves twice.

Counts are those of the mirror's own description (its manifest, and the datasets' papers).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

import pytest

from xstilts import languages
from xstilts.identity import fingerprint
from xstilts.sources import Sources
from xstilts.suites import SUITES
from xstilts.tasks import TASKS, HoldOut, counts

if TYPE_CHECKING:
    from xstilts.formats.examples import Example
    from xstilts.sources import Split

pytestmark = [pytest.mark.mirror, pytest.mark.usefixtures("mirror")]

# Declared by the published format of their files, which this mirror has not.
ABSENT = {"mnli", "squad_v1", "squad_whole", "ccg", "mewslix", "bucc2018"}
HELD_OUT = [
    name
    for name, task in TASKS.items()
    if "mirror" in task.sources
    and isinstance(task.sources["mirror"].select, HoldOut)
    and name not in ABSENT
]
TAGGED = ("udpos", "wikineural")


@cache
def _sources() -> Sources:
    return Sources.from_environment()


@cache
def read(name: str, split: Split, code: str = "en") -> tuple[Example, ...]:
    """The rows of a split; read once for all tests."""
    task = TASKS[name]
    return tuple(_sources().examples(task, task.sources["mirror"], split, code))


@cache
def everything(name: str) -> tuple[Example, ...]:
    """All training rows, those held out for selection among them."""
    task = TASKS[name]
    whole = replace(task.sources["mirror"], select=None)
    return tuple(_sources().examples(task, whole, "train", "en"))


def evaluated(name: str) -> dict[str, int]:
    """Language -> how many rows are scored."""
    task = TASKS[name]
    codes = task.sources["mirror"].languages or task.languages
    return {code: len(read(name, "evaluate", code)) for code in codes}


# counts


def test_training_rows():
    expected = {
        "taxinli": 10_071,
        "pawsx": 2_000,
        "csqa": 9_741,
        "hellaswag": 1_000,
        "codah": 1_665,
        "cosmos_qa": 2_985,
        "social_iqa": 2_224,
        "copa": 400,
        "udpos": 21_787,
        "wikineural": 11_590,
        "squad_dev": 9_380,
        "squad_v2": 10_174,  # as the hub's, of 11,873
        "tydiqa": 3_696,
    }
    assert {name: len(everything(name)) for name in expected} == expected


def test_every_task_that_trains_is_counted_here():
    trained = {n for n, t in TASKS.items() if "mirror" in t.sources and t.sources["mirror"].train}
    held_out_or_not = {*HELD_OUT, "csqa", "codah", "copa", "udpos", "mlm"}
    assert trained == held_out_or_not | ABSENT - {"bucc2018"}


def test_lareqa_has_its_published_questions_and_candidates():
    """The manifest: 1,190 questions in each language, 852 to 1,276 sentences; 13,014 in all."""
    listed = (
        "ar:1222 de:1276 el:1234 en:1180 es:1215 hi:1244 ru:1219 th:852 tr:1167 vi:1209 zh:1196"
    )
    counts = {code: int(n) for code, n in (one.split(":") for one in listed.split())}
    assert {code: len(read("lareqa", "pool", code)) for code in counts} == counts
    assert sum(counts.values()) == 13_014
    assert evaluated("lareqa") == dict.fromkeys(TASKS["lareqa"].languages, 1_190)
    for code in counts:  # every question has its answer in every language
        asked = {one.id for one in read("lareqa", "evaluate", code)}
        assert asked == {name for one in read("lareqa", "pool", code) for name in one.answers}


def test_counted_rows_are_those_that_are_read():
    """``row_counts.csv``, for some tasks of every format; scripts/count_rows.py writes it."""
    for name in (
        "taxinli",
        "csqa",
        "copa",
        "squad_v2",
        "tydiqa",
        "xquad",
        "mlqa",
        "lareqa",
        "tatoeba",
    ):
        task, data = TASKS[name], TASKS[name].sources["mirror"]
        for split, codes in (
            ("train", ("en",) if data.train else ()),
            ("select", ("en",) if data.select else ()),
            ("evaluate", (data.languages or task.languages) if data.evaluate else ()),
        ):
            told = counts.rows(name, "mirror", split)
            for code in codes:
                assert told[code] == len(read(name, split, code)), (name, split, code)


def test_selection_rows_that_have_their_own_file():
    assert len(read("csqa", "select")) == 1_221
    assert len(read("codah", "select")) == 556
    assert len(read("copa", "select")) == 100
    assert len(read("udpos", "select")) == 3_974


def test_classification_and_choice():
    assert evaluated("xnli") == dict.fromkeys(TASKS["xnli"].languages, 5_010)
    assert len(TASKS["xnli"].languages) == 15
    assert evaluated("pawsx") == {"de": 2_000, "zh": 2_000}
    assert evaluated("csqa") == {"en": 1_221}
    assert evaluated("social_iqa") == {"en": 1_954}
    assert evaluated("copa") == {"en": 100}
    assert evaluated("xcopa") == dict.fromkeys(TASKS["xcopa"].languages, 500)
    assert len(TASKS["xcopa"].languages) == 11
    assert evaluated("codah") == {"en": 555}  # fold 0: 1,665 + 556 + 555 are all 2,776


def test_part_of_speech():
    listed = (
        "af:425 ar:1680 bg:1116 el:456 en:5440 es:3147 et:4127 eu:1799 fa:2055 fi:6544 fr:5013 "
        "he:491 hi:2684 hu:449 id:1931 it:3518 ja:2365 kk:1047 ko:4276 mr:47 nl:1471 pt:2680 "
        "ru:8973 ta:654 te:146 th:1000 tl:222 tr:5842 uk:892 ur:535 vi:800 yo:318 zh:3455"
    )
    counts = {code: int(n) for code, n in (one.split(":") for one in listed.split())}
    assert evaluated("udpos") == counts


def test_entities():
    assert evaluated("wikineural") == {
        "en": 11_597,
        "de": 12_372,
        "es": 9_618,
        "fr": 12_678,
        "it": 11_069,
        "nl": 10_547,
        "pl": 13_585,
        "pt": 10_160,
        "ru": 11_580,
    }


def test_questions():
    assert evaluated("xquad") == dict.fromkeys(TASKS["xquad"].languages, 1_190)
    assert len(TASKS["xquad"].languages) == 12
    assert evaluated("mlqa") == {
        "en": 1_148,
        "ar": 517,
        "de": 512,
        "es": 500,
        "hi": 507,
        "vi": 511,
        "zh": 504,
    }
    assert evaluated("tydiqa") == {"ko": 1_625, "sw": 2_755}


def test_translations():
    fewer = {
        "jv": 205,
        "ka": 746,
        "kk": 575,
        "ml": 687,
        "sw": 390,
        "ta": 307,
        "te": 234,
        "th": 548,
    }
    counts = evaluated("tatoeba")
    assert counts == dict.fromkeys(TASKS["tatoeba"].languages, 1_000) | fewer
    assert len(counts) == 41


def test_all_112_pairs_of_tatoeba_can_be_read(mirror):
    """88,877 sentence pairs with English, whether the catalogue lists the language or not."""
    files = [one for one in (mirror / "tatoeba").glob("tatoeba.*-eng.*") if one.suffix != ".eng"]
    known = {row.tatoeba: row.code for row in languages.table().values() if row.tatoeba}
    codes = [known[one.suffix[1:]] for one in files]
    assert len(codes) == 112
    task = TASKS["tatoeba"]
    data = task.sources["mirror"]
    assert sum(len(_sources().examples(task, data, "evaluate", c)) for c in codes) == 88_877


def test_raw_text_has_every_language_it_lists(mirror):
    folder = mirror / "raw_text/ud_panx_train_detok"
    listed = TASKS["mlm"].sources["mirror"].train_languages
    assert set(listed) == {one.stem for one in folder.glob("*.txt")}
    for code in listed:
        lines = (folder / f"{code}.txt").read_text(encoding="utf-8").split("\n")
        assert len(read("mlm", "train", code)) == sum(bool(line.strip()) for line in lines)


# what the rows hold


@pytest.mark.parametrize("name", ["taxinli", "pawsx", "udpos", "wikineural"])
def test_every_label_is_used_and_no_other(name):
    rows = everything(name)
    used = {tag for row in rows for tag in (row.tags if name in TAGGED else (row.label,))}
    assert used == set(TASKS[name].labels)


def test_labels_are_as_often_as_published():
    assert Counter(row.label for row in everything("taxinli")) == {
        "entailment": 3_495,
        "contradiction": 3_375,
        "neutral": 3_201,
    }
    for code in TASKS["xnli"].languages:
        found = Counter(row.label for row in read("xnli", "evaluate", code))
        assert found == dict.fromkeys(TASKS["xnli"].labels, 1_670)


def test_unanswerable_questions(mirror):
    """5,945 of SQuAD v2.0's 11,873 development questions; none anywhere else."""
    task, data = TASKS["squad_v2"], TASKS["squad_v2"].sources["mirror"]
    whole = replace(data, select=None, train=replace(data.train, adapt=None))
    rows = Sources(mirror).examples(task, whole, "train", "en")
    assert (sum(not row.answers for row in rows), len(rows)) == (5_945, 11_873)
    assert any(not row.answers for row in everything("squad_v2"))
    assert all(row.answers for name in ("squad_dev", "tydiqa") for row in everything(name))
    for name in ("xquad", "mlqa", "tydiqa"):
        for code in evaluated(name):
            assert all(row.answers for row in read(name, "evaluate", code))


@pytest.mark.parametrize("name", ["squad_dev", "squad_v2", "tydiqa", "xquad", "mlqa"])
def test_answers_stand_where_they_are_said_to(name):
    rows = list(everything(name)) if TASKS[name].sources["mirror"].train else []
    for code in evaluated(name) if TASKS[name].sources["mirror"].evaluate else ():
        rows += read(name, "evaluate", code)
    for row in rows:
        for text, start in zip(row.answers, row.starts, strict=True):
            assert row.context[start : start + len(text)] == text


def test_ids_are_unique_and_the_same_in_every_language_of_a_parallel_task():
    for name in SUITES["mirror"]:
        ids = {code: [row.id for row in read(name, "evaluate", code)] for code in evaluated(name)}
        assert all(len(set(one)) == len(one) for one in ids.values())
        if name == "mlqa":  # a question is in English and in some of the others
            assert all(set(one) <= set(ids["en"]) for one in ids.values())
        elif TASKS[name].parallel:
            assert len({tuple(one) for one in ids.values()}) == 1


def test_xcopa_asks_the_same_everywhere():
    """The same 500 items in every language, half of the answers first."""
    labels = {
        tuple(row.label for row in read("xcopa", "evaluate", code))
        for code in TASKS["xcopa"].languages
    }
    assert len(labels) == 1
    assert Counter(labels.pop()) == {0: 250, 1: 250}


def test_parallel_rows_have_parallel_labels():
    first, *others = (
        [row.label for row in read("xnli", "evaluate", code)] for code in TASKS["xnli"].languages
    )
    assert all(one == first for one in others)


# hold-outs and leaks


@pytest.mark.parametrize("name", HELD_OUT)
def test_hold_outs_are_disjoint_and_nothing_is_lost(name):
    train, select, whole = read(name, "train"), read(name, "select"), everything(name)
    assert not {row.group for row in train} & {row.group for row in select}
    assert Counter(row.id for row in train + select) == Counter(row.id for row in whole)
    kept = {row.id for row in train}
    assert [row for row in whole if row.id in kept] == list(train)  # in the order of the file


@pytest.mark.parametrize("name", HELD_OUT)
def test_hold_outs_are_about_as_large_as_declared(name):
    """Within four standard deviations of the binomial number of groups."""
    share = TASKS[name].sources["mirror"].select.share
    groups = len({row.group for row in everything(name)})
    held = len({row.group for row in read(name, "select")})
    assert abs(held - share * groups) <= 4 * (share * (1 - share) * groups) ** 0.5
    assert held > 0


def test_hold_outs_are_the_same_in_another_process():
    program = (
        "import json, sys\n"
        "from xstilts.identity import fingerprint\n"
        "from xstilts.sources import Sources\n"
        "from xstilts.tasks import TASKS\n"
        "sources = Sources.from_environment()\n"
        "rows = {n: sources.examples(TASKS[n], TASKS[n].sources['mirror'], 'select', 'en')\n"
        "        for n in json.loads(sys.argv[1])}\n"
        "print(json.dumps({n: fingerprint([row.id for row in rows[n]]) for n in rows}))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program, json.dumps(HELD_OUT)],
        check=True,
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONHASHSEED": "12345"},
    )
    here = {name: fingerprint([row.id for row in read(name, "select")]) for name in HELD_OUT}
    assert json.loads(answer.stdout) == here


def test_pawsx_is_scored_in_languages_that_have_test_labels_only():
    assert set(evaluated("pawsx")) == {"de", "zh"}
    train = {(row.text_a, row.text_b) for row in everything("pawsx")}
    for code in evaluated("pawsx"):
        assert not train & {(r.text_a, r.text_b) for r in read("pawsx", "evaluate", code)}


def test_squad_dev_has_none_of_xquads_paragraphs():
    xquad = read("xquad", "evaluate", "en")
    trained = everything("squad_dev")
    assert len({row.context for row in xquad}) == 240
    assert not {row.context for row in trained} & {row.context for row in xquad}
    assert not {row.id for row in trained} & {row.id for row in xquad}


def test_squad_v2_leaves_out_as_many_of_xquads_paragraphs_as_its_note_says(mirror):
    task, data = TASKS["squad_v2"], TASKS["squad_v2"].sources["mirror"]
    whole = replace(data, select=None, train=replace(data.train, adapt=None))
    xquad = {row.context for row in read("xquad", "evaluate", "en")}
    there = {row.context for row in Sources(mirror).examples(task, whole, "train", "en")}
    assert f"without the {len(there & xquad)} of XQuAD's" in " ".join(data.note.split())
    assert not {row.context for row in everything("squad_v2")} & xquad


def test_taxinli_has_none_of_xnlis_hypotheses():
    trained = {row.text_b.strip() for row in everything("taxinli")}
    assert not trained & {row.text_b.strip() for row in read("xnli", "evaluate", "en")}


def test_tydiqa_trains_on_english_alone():
    """The leak of the authors' toolkit (trap 2): its English file held all nine languages."""
    rows = everything("tydiqa")
    assert len(rows) == 3_696
    assert len(read("tydiqa", "train")) + len(read("tydiqa", "select")) == 3_696
    assert sum(row.question.isascii() for row in rows) > 0.97 * len(rows)
    others = {r.context for code in ("ko", "sw") for r in read("tydiqa", "evaluate", code)}
    assert not {row.context for row in rows} & others


def test_every_task_of_the_mirror_suite_is_there():
    for name in SUITES["mirror"]:
        assert TASKS[name].sources["mirror"].evaluate is not None
        assert min(evaluated(name).values()) > 0

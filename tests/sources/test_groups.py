"""Groups are the same in every language of a translated test set, and no text is in two."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from xstilts.formats.examples import Pair
from xstilts.sources import Sources, groups, hub
from xstilts.tasks import TASKS, Data, Files, HoldOut, Task

if TYPE_CHECKING:
    from pathlib import Path

PAIRS = Files(path="{lang}.tsv", reader="tsv")
DATA = Data(train=PAIRS, evaluate=PAIRS)
TOY = Task(
    name="toy",
    about="",
    format="classification",
    metrics=(),
    sources={},
    labels=("no", "yes"),
    languages=("en", "de"),
    parallel=True,
)


def pair(name: str, a: str, b: str) -> Pair:
    return Pair(name, name, a, b, "no")


def write(folder: Path, language: str, *rows: str) -> None:
    """Rows of id, group, text_a, text_b."""
    lines = ["id group text_a text_b label", *(f"{row} no" for row in rows)]
    text = "\n".join(lines).replace(" ", "\t")
    (folder / f"{language}.tsv").write_text(text + "\n", encoding="utf-8")


def found(folder: Path, language: str, split="evaluate", task=TOY) -> dict[str, str]:
    return {one.id: one.group for one in Sources(folder).examples(task, DATA, split, language)}


def identity(folder: Path, language: str, split="evaluate", task=TOY) -> str:
    return Sources(folder).fingerprint(task, DATA, split, language)


# pairs that share a sentence


def test_pairs_that_share_a_text_are_one_group():
    rows = [
        pair("0", "a", "b"),
        pair("1", "c", "d"),
        pair("2", "e", "f"),
        pair("3", "d", "b"),  # ties 0 and 1, and is last
        pair("4", "g", "e"),  # ties with 2, the other way round
        pair("5", "h", "h"),
    ]
    tied = groups.tied(rows, ("text_a", "text_b"))
    assert [one.group for one in tied] == ["0", "0", "2", "0", "2", "5"]
    assert [replace(one, group=one.id) for one in tied] == rows
    alone = groups.tied(rows, ("text_a",))
    assert [one.group for one in alone] == ["0", "1", "2", "3", "4", "5"]


def test_a_chain_is_one_group_from_whichever_end_it_is_read():
    rows = [pair(str(n), str(n), str(n + 1)) for n in range(50)]
    assert {one.group for one in groups.tied(rows, ("text_a", "text_b"))} == {"0"}
    back = groups.tied(rows[::-1], ("text_a", "text_b"))
    assert {one.group for one in back} == {"49"}


def test_a_sentence_that_was_not_translated_ties_nothing():
    """PAWS-X has such rows, which have nothing to do with each other."""
    rows = [Pair(str(n), str(n), "NS", f"sentence {n // 2}", "0") for n in range(4)]
    assert [one.group for one in groups.tied(rows, ("text_a", "text_b"))] == ["0", "0", "2", "2"]


def test_a_hold_out_parts_no_tie(tmp_path):
    # 200 pairs of rows that share a sentence and say different groups
    write(tmp_path, "en", *(f"{n} {n} s{n // 2} t{n}" for n in range(400)))
    task, data = replace(TOY, tied_by=("text_a",)), replace(DATA, select=HoldOut(share=0.3))
    train, select = (
        Sources(tmp_path).examples(task, data, split, "en") for split in ("train", "select")
    )
    assert len(train) + len(select) == 400
    assert len(select) > 60
    assert not {one.text_a for one in train} & {one.text_a for one in select}
    untied = Sources(tmp_path).examples(TOY, data, "select", "en")
    assert len({one.text_a for one in untied}) > len(untied) / 2  # it had to be said


def test_what_ties_is_part_of_the_identity(tmp_path):
    write(tmp_path, "en", "0 g a b")
    assert identity(tmp_path, "en", task=replace(TOY, tied_by=("text_a",))) != identity(
        tmp_path, "en"
    )


# translated test sets


def test_a_translated_row_is_in_the_group_of_its_english_one(tmp_path):
    write(tmp_path, "en", "1 boats a b", "2 boats c d", "3 trains e f")
    write(tmp_path, "de", "2 Boote g h", "3 Züge i j", "9 Autos k l")
    assert found(tmp_path, "en") == {"1": "boats", "2": "boats", "3": "trains"}
    assert found(tmp_path, "de") == {"2": "boats", "3": "trains", "9": "9"}
    # training rows, and tests that were not translated, speak for themselves
    own = {"2": "Boote", "3": "Züge", "9": "Autos"}
    assert found(tmp_path, "de", "train") == own
    assert found(tmp_path, "de", task=replace(TOY, parallel=False)) == own


def test_the_first_language_of_the_source_names_the_groups(tmp_path):
    write(tmp_path, "de", "1 Boote a b")
    write(tmp_path, "zh", "1 船 c d")
    data = replace(DATA, languages=("de", "zh"))
    (row,) = Sources(tmp_path).examples(TOY, data, "evaluate", "zh")
    assert row.group == "Boote"


def test_english_groups_are_part_of_the_identity_of_other_languages(tmp_path):
    write(tmp_path, "en", "1 boats a b")
    write(tmp_path, "de", "1 Boote c d")
    before = {code: identity(tmp_path, code) for code in ("en", "de")}
    trained = identity(tmp_path, "de", "train")
    write(tmp_path, "en", "1 ships a b")
    assert identity(tmp_path, "de") != before["de"]
    assert identity(tmp_path, "de", "train") == trained
    english = identity(tmp_path, "en")
    write(tmp_path, "de", "1 Schiffe c d")
    assert identity(tmp_path, "en") == english


def test_groups_are_read_once_and_again_after_a_change(tmp_path, monkeypatch):
    write(tmp_path, "en", "1 boats a b")
    write(tmp_path, "de", "1 Boote c d")
    sources, asked = Sources(tmp_path), []
    original = Sources._examples
    monkeypatch.setattr(
        Sources, "_examples", lambda self, *rest: asked.append(rest[2]) or original(self, *rest)
    )
    for _ in range(2):
        (row,) = sources.examples(TOY, DATA, "evaluate", "de")
        assert row.group == "boats"
    assert asked == ["de", "en"]
    write(tmp_path, "en", "1 ships-and-boats a b")
    (row,) = sources.examples(TOY, DATA, "evaluate", "de")
    assert row.group == "ships-and-boats"


@pytest.mark.parametrize(("name", "group"), [("mlqa", "Boats"), ("xquad", "the big red boat")])
def test_on_the_hub_too(name, group, monkeypatch):
    said = {"en": ("Boats", "the big red boat"), "de": ("Boote", "das große rote Boot")}

    def rows(_place, language):
        title, context = said[language]
        answers = {"text": [context[4:]], "answer_start": [4]}
        return iter(
            [{"id": "q", "title": title, "context": context, "question": "?", "answers": answers}]
        )

    monkeypatch.setattr(hub, "rows", rows)
    monkeypatch.setattr(hub, "resolve", lambda _place, language: {"revision": language})
    task = TASKS[name]
    (row,) = Sources().examples(task, task.sources["hub"], "evaluate", "de")
    assert row.group == group


# the real files


def _parallel() -> list[str]:
    return [
        name
        for name, task in TASKS.items()
        if task.parallel and "mirror" in task.sources and task.sources["mirror"].evaluate
    ]


@pytest.mark.mirror
@pytest.mark.parametrize("name", _parallel())
def test_real_translations_are_in_the_same_groups(name, mirror):
    task, sources = TASKS[name], Sources(mirror)
    data = task.sources["mirror"]
    first, *others = data.languages or task.languages
    names = {one.id: one.group for one in sources.examples(task, data, "evaluate", first)}
    for code in others:
        rows = sources.examples(task, data, "evaluate", code)
        assert {one.id: one.group for one in rows}.items() <= names.items()


@pytest.mark.mirror
@pytest.mark.parametrize(
    ("name", "split", "count", "largest"),
    [
        ("xnli", "evaluate", 1_670, 3),  # three hypotheses a premise (Conneau et al. 2018)
        ("xquad", "evaluate", 48, 74),  # SQuAD's development set has 48 articles
        ("mlqa", "evaluate", 520, 20),
        ("pawsx", "train", 1_201, 7),  # 2,000 pairs of 3,135 different sentences
        ("codah", "evaluate", 548, 2),
        ("cosmos_qa", "train", 2_445, 4),
        ("taxinli", "train", 7_044, 5),
        ("squad_v2", "train", 35, 466),  # of 35 articles (Rajpurkar et al. 2018)
    ],
)
def test_real_groups(name, split, count, largest, mirror):
    task = TASKS[name]
    data = replace(task.sources["mirror"], select=None)
    rows = Sources(mirror).examples(task, data, split, "en")
    sizes = Counter(one.group for one in rows)
    assert (len(sizes), max(sizes.values())) == (count, largest)


@pytest.mark.mirror
def test_a_sentence_of_tatoeba_is_one_group_in_every_language(mirror):
    """Every language has its own sentences; an English one in nine stands in more than one."""
    task = TASKS["tatoeba"]
    found = [
        one
        for code in task.languages
        for one in Sources(mirror).examples(task, task.sources["mirror"], "evaluate", code)
    ]
    groups_of = {one.english: one.group for one in found}
    assert all(one.group == groups_of[one.english] for one in found)
    assert len(set(groups_of.values())) == len(groups_of) < 0.9 * len(found)

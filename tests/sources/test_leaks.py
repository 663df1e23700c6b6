"""Evaluation text among training rows: what counts as the same, and the overlaps that are known."""

from __future__ import annotations

from dataclasses import replace

import pytest

import mirror_files
from xstilts.formats.examples import Bitext, Pair, Question
from xstilts.path import parse
from xstilts.resolve import resolve
from xstilts.sources import Sources
from xstilts.sources.leaks import Leak, Texts, compare
from xstilts.tasks import TASKS, Catalogue

HARBOUR = "The harbour of the old town was built by seven masons in one summer."
GULLS = "Nobody had ever counted the gulls that slept under its lanterns at night."


def pair(first: str, second: str = "") -> Pair:
    return Pair("0", "0", first, second, "neutral")


def question(context: str) -> Question:
    return Question("0", "0", context, "Who built the harbour of the old town?", (), ())


def shared(seen: list, evaluated: list) -> Leak:
    return Texts.of(seen).shared_with(Texts.of(evaluated))


def test_a_paragraph_and_its_sentences():
    found = shared([question(f"{HARBOUR} {GULLS}")], [question(f"{HARBOUR} {GULLS}")])
    # The question is a sentence, no paragraph.
    assert found == Leak(1, 1, 3, 3, GULLS)


def test_a_sentence_in_another_paragraph():
    found = shared([question(f"{GULLS} It rained.")], [pair(f"{HARBOUR} {GULLS}", "Who knows?")])
    assert (found.shared_paragraphs, found.shared_sentences, found.example) == (0, 1, GULLS)
    assert (found.paragraphs, found.sentences) == (1, 2)  # "Who knows?" is too short to mean much


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (HARBOUR, HARBOUR.upper().replace(" ", "  ")),
        (HARBOUR, HARBOUR.replace(".", " ! ")),
        ("北京大学创立于一八九八年。", "北京大学 创立于一八九八年"),
        ("แม่น้ำเจ้าพระยาไหลผ่านกรุงเทพ", "แม่น้ำ เจ้าพระยา ไหลผ่าน กรุงเทพ"),
    ],
)
def test_case_spacing_and_punctuation_do_not_matter(one, other):
    assert shared([pair(one)], [pair(other)]).shared_sentences == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (HARBOUR, HARBOUR.replace("seven", "eight")),
        ("It rained all day.", "It rained all day."),  # short: alike by chance
        ("北京大学。", "北京大学。"),
        # vowel signs are letters too
        ("कमल का फूल तालाब में सुबह जल्दी खिलता है", "कमल की फूल तालाब में सुबह जल्दी खिलती है"),
    ],
)
def test_what_is_not_the_same(one, other):
    assert not shared([pair(one)], [pair(other)])


def test_both_sides_of_a_translation_count():
    assert shared([pair(HARBOUR)], [Bitext("0", "0", "Der Hafen.", HARBOUR)])


def test_paths_are_compared_split_by_split(tmp_path, monkeypatch):
    """Our SQuAD v2.0 file and our XQuAD file have the same paragraph, all of it in training."""
    for location, codes in (
        ("squad/dev-v2.0.reconstructed.json", ("en",)),
        ("squad/dev-v1.1.minus_xquad_paragraphs.json", ("en",)),
        ("xquad/xquad.{lang}.json", TASKS["xquad"].languages),
    ):
        mirror_files.write(tmp_path, location, codes)
    whole = [
        replace(
            TASKS[name], sources={"mirror": replace(TASKS[name].sources["mirror"], select=None)}
        )
        for name in ("squad_v2", "squad_dev")
    ]
    catalogue = Catalogue()
    catalogue._tasks |= {task.name: task for task in whole}
    resolved = resolve(parse("squad_v2 > xquad"), "mirror", catalogue)
    sources, read = Sources(tmp_path), []
    real = Sources.examples

    def examples(self, task, data, split, code):
        read.extend([(task.name, split, code)] * (split != "select"))  # there are none
        return real(self, task, data, split, code)

    monkeypatch.setattr(Sources, "examples", examples)
    found = compare([resolved, resolved], "mirror", catalogue, sources)
    assert len(read) == len(set(read))  # the rows that both paths use are read once
    assert [(one.seen, one.split, one.target, one.languages) for one in found] == [
        ("squad_dev", "train", "xquad", ("en",)),
        ("squad_v2", "train", "xquad", ("en",)),
    ]
    assert all(one.leak.shared_paragraphs == one.leak.paragraphs == 1 for one in found)


@pytest.mark.mirror
@pytest.mark.parametrize(
    ("path", "paragraphs"),
    [
        ("squad/dev-v1.1.reconstructed.json", 240),
        ("squad/dev-v2.0.reconstructed.json", 173),
        ("squad/dev-v1.1.minus_xquad_paragraphs.json", 0),
    ],
)
def test_paragraphs_that_squad_shares_with_xquad(mirror, path, paragraphs):
    """XQuAD is 240 paragraphs of SQuAD v1.1's development set; v2.0's has 173 of them."""
    xquad, sources = TASKS["xquad"], Sources(mirror)
    data = TASKS["squad_v2"].sources["mirror"]
    moved = replace(data, train=replace(data.train, path=path, adapt=None), select=None)
    seen = Texts.of(sources.examples(TASKS["squad_v2"], moved, "train", "en"))
    there = sources.examples(xquad, xquad.sources["mirror"], "evaluate", "en")
    found = seen.shared_with(Texts.of(there))
    assert (found.shared_paragraphs, found.paragraphs) == (paragraphs, 240)


@pytest.mark.mirror
@pytest.mark.parametrize("name", ["squad_dev", "squad_v2"])
def test_training_on_stand_ins_of_squad_sees_no_paragraph_of_xquad(mirror, name):
    xquad, sources = TASKS["xquad"], Sources(mirror)
    seen = Texts.of(sources.examples(TASKS[name], TASKS[name].sources["mirror"], "train", "en"))
    there = sources.examples(xquad, xquad.sources["mirror"], "evaluate", "en")
    assert seen.shared_with(Texts.of(there)).shared_paragraphs == 0

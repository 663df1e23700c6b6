"""Text to text: wordings by hand, outputs read back, what is illegal and what is translated."""

from __future__ import annotations

from dataclasses import replace

import pytest

from xstilts import metrics
from xstilts.errors import UserError
from xstilts.formats import Limits, decode, encode, text2text
from xstilts.formats.examples import Choice, Pair, Question, Tagged
from xstilts.tasks import TASKS

NLI, PAWSX, QQP = (TASKS[name] for name in ("xnli", "pawsx", "qqp"))
SQUAD, SQUAD_V2, NER = (TASKS[name] for name in ("xquad", "squad_v2", "panx"))
CHOICE = TASKS["xcopa"]

PAIR = Pair("1", "1", "A man eats.", "Nobody eats.", "contradiction")
PARAPHRASE = Pair("1", "1", "One.", "Two.", "1")
ASKED = Choice("1", "1", "It rained.", ("I got wet", "I slept"), 1)
QUESTION = Question("1", "1", "Rom liegt am Tiber (Italien).", "Wo?", ("am Tiber",), (10,))
NAMES = Tagged(
    "1",
    "1",
    ("Rick", "Sanchez", "and", "Morty", "left", "New", "York"),
    ("B-PER", "I-PER", "O", "B-PER", "O", "B-LOC", "I-LOC"),
)


def as_text(task, trained=None):
    return text2text.of(task, trained or task)


def words_of(encoded, tokenizer, sequence):
    ids = encoded.ids[encoded.offsets[sequence] : encoded.offsets[sequence + 1]]
    return tokenizer.decode(ids.tolist(), skip_special_tokens=True)


@pytest.mark.parametrize(
    ("task", "example", "asked", "answer"),
    [
        (NLI, PAIR, "xnli: premise: A man eats. hypothesis: Nobody eats.", "contradiction"),
        (PAWSX, PARAPHRASE, "pawsx: sentence1: One. sentence2: Two.", "paraphrase"),
        (QQP, PARAPHRASE, "qqp: sentence1: One. sentence2: Two.", "duplicate"),
        (
            *(CHOICE, ASKED),
            "xcopa: choice1: I got wet choice2: I slept prompt: It rained.",
            "choice2",
        ),
        (SQUAD, QUESTION, "question: Wo? context: Rom liegt am Tiber (Italien).", "am Tiber"),
        (
            *(SQUAD_V2, replace(QUESTION, answers=(), starts=())),
            "question: Wo? context: Rom liegt am Tiber (Italien).",
            "unanswerable",
        ),
        (
            *(NER, NAMES),
            "tag: Rick Sanchez and Morty left New York",
            "PER: Rick Sanchez $$ PER: Morty $$ LOC: New York",
        ),
    ],
)
def test_wordings(task, example, asked, answer):
    first, second = text2text._asked(as_text(task), example)
    assert f"{first} {second}" == asked
    assert text2text._answer(as_text(task), example) == answer


def test_the_words_are_those_of_the_task_that_was_trained_on():
    shown = as_text(PAWSX, QQP)
    assert text2text._asked(shown, PARAPHRASE)[0].startswith("qqp: ")
    (row,) = read(PAWSX, PARAPHRASE, "duplicate", QQP)
    assert (row["prediction"], row["legal"]) == ("1", True)


def read(task, example, text, trained=None):
    """Prediction rows of one output."""

    class Encoded:
        owner = (0,)

    return list(decode(as_text(task, trained), [example], Encoded, [text]))


@pytest.mark.parametrize(
    ("task", "example", "text", "prediction", "legal"),
    [
        (NLI, PAIR, " contra diction ", "contradiction", True),  # as a tokenizer may space it
        (NLI, PAIR, "Contradiction", "", False),
        (NLI, PAIR, "contradiction entailment", "", False),
        (NLI, PAIR, "", "", False),
        (PAWSX, PARAPHRASE, "different meaning", "0", True),  # "_" is unknown to some tokenizers
        (PAWSX, PARAPHRASE, "1", "", False),  # the label, but not its word: never right
        (CHOICE, ASKED, "choice1", 0, True),
        (CHOICE, ASKED, "choice3", -1, False),
        (SQUAD, QUESTION, "am Tiber", "am Tiber", True),
        (SQUAD, QUESTION, "Tiber( Italien)", "Tiber (Italien)", True),  # in the context's own words
        (SQUAD, QUESTION, "Tiber Italien", "Tiber (Italien", True),  # without brackets it is that
        (SQUAD, QUESTION, "im Tiber", "im Tiber", False),
        (SQUAD, QUESTION, "", "", False),
        (SQUAD, QUESTION, "unanswerable", "unanswerable", False),
        (SQUAD_V2, QUESTION, "unanswerable", "", True),
        (NER, NAMES, "PER: Rick Sanchez $$ PER: Morty $$ LOC: New York", list(NAMES.tags), True),
        (NER, NAMES, "LOC:NewYork", [*"OOOOO", "B-LOC", "I-LOC"], True),
        (NER, NAMES, "", [*"OOOOOOO"], True),
        (NER, NAMES, "LOC: Paris $$ PER: Morty", [*"OOO", "B-PER", *"OOO"], False),
        (NER, NAMES, "DOG: Morty", [*"OOOOOOO"], False),
        (NER, NAMES, "Morty", [*"OOOOOOO"], False),
        (NER, NAMES, "PER: Morty $$ PER: Morty", [*"OOO", "B-PER", *"OOO"], False),
    ],
)
def test_outputs_are_read(task, example, text, prediction, legal):
    (row,) = read(task, example, text)
    assert (row["prediction"], row["legal"], row["text"]) == (prediction, legal, text)
    assert row["translated"] is False


def test_composed_and_decomposed_letters_are_the_same():
    example = replace(QUESTION, context="Cafe\u0301 am Meer")
    (row,) = read(SQUAD, example, "Caf\u00e9")
    assert (row["prediction"], row["legal"]) == ("Cafe\u0301", True)


def test_marks_are_the_same_in_whatever_order_they_were_typed():
    """Shadda, then fatha, as people type; the canonical order is the other one."""
    typed = "\u0645\u062d\u0645\u0651\u064e\u062f"
    example = replace(QUESTION, context=f"\u0643\u0627\u0646 {typed} \u0647\u0646\u0627")
    (row,) = read(SQUAD, example, typed)
    assert (row["prediction"], row["legal"]) == (typed, True)


RUSSIAN = replace(QUESTION, context="Рим стоит на Тибре")


@pytest.mark.parametrize(
    ("example", "text", "translated"),
    [
        (RUSSIAN, "the Tiber", True),
        (RUSSIAN, "на Tiber", True),  # in part
        (RUSSIAN, "на Тибру", False),  # another form of the word is illegal, and Russian
        (RUSSIAN, "12", False),
        (replace(RUSSIAN, context="Рим (Roma) стоит на Тибре"), "Rome", False),  # not seen
        (replace(RUSSIAN, context="Рим (Roma) стоит на Тибре"), "and Rome", True),
        (QUESTION, "the Tiber", True),
        (QUESTION, "Tiber river", False),  # not seen: a lower bound
        (replace(QUESTION, context="The Who war hier"), "the band", False),
        (QUESTION, "am Tiber", False),  # legal
    ],
)
def test_translations_are_illegal_answers_in_another_script_or_plain_english(
    example, text, translated
):
    (row,) = read(SQUAD, example, text)
    assert row["translated"] is translated


def test_shares_of_illegal_and_translated_outputs_by_hand():
    """Of four answers one is legal, two are English; in English none is a translation."""
    texts = ("на Тибре", "the Tiber", "Rome", "на Тибру")
    rows = [row for text in texts for row in read(SQUAD, RUSSIAN, text)]
    shares = [
        metrics.score(metrics.get(name), rows, code)
        for name in text2text.metrics(SQUAD)
        for code in ("ru", "en")
    ]
    assert shares == [0.75, 0.75, 0.5, 0.0]


def test_what_is_not_written_as_text():
    for name in ("udpos", "ccg"):
        with pytest.raises(UserError, match=rf"{name}: a tag for every word"):
            text2text.written(TASKS[name])
    assert not text2text.written(TASKS["tatoeba"])
    assert text2text.written(NER)


def test_a_unit_is_what_is_asked_and_the_answer(tiny_tokenizer):
    given = [
        replace(PAIR, text_a="the river", text_b="der Fluss", label=NLI.labels[n]) for n in (0, 2)
    ]
    encoded = encode(as_text(NLI), given, tiny_tokenizer, Limits(64))
    assert len(encoded) == 2
    assert encoded.units.tolist() == [0, 2, 4]
    assert encoded.owner.tolist() == [0, 1]
    answer = encoded.ids[encoded.offsets[1] : encoded.offsets[2]]
    assert answer[0] != 0  # no start token: the model has its own
    assert answer[-1] == 2
    assert not encoded.targets


@pytest.mark.parametrize(
    ("example", "kept", "cut"),
    [
        (ASKED, "choice2", "prompt"),
        (replace(QUESTION, context="am Tiber " * 40), "question", None),
    ],
)
def test_what_is_too_long_is_cut(tiny_tokenizer, example, kept, cut):
    task = CHOICE if isinstance(example, Choice) else SQUAD
    first, _ = text2text._asked(as_text(task), example)
    long = replace(example, prompt="It rained. " * 40) if cut else example
    room = len(tiny_tokenizer.encode(first, add_special_tokens=False).ids) + 7
    encoded = encode(as_text(task), [long], tiny_tokenizer, Limits(room))
    sequence = encoded.ids[: encoded.offsets[1]].tolist()
    assert len(sequence) == room
    assert tiny_tokenizer.encode(first).ids[:-1] == sequence[: room - 6]
    whole = tiny_tokenizer.encode(text2text._asked(as_text(task), long)[1]).ids
    part = whole[-6:-1] if cut else whole[1:6]  # the question stands at a prompt's end
    assert sequence[room - 6 : -1] == part

"""Text to text: a task's rows as one text in and another out, for encoder-decoder models.

Wordings and targets are those of mT5 (Xue et al. 2021; google-research/multilingual-t5,
preprocessors.py and tasks.py) where it has the task, else T5's way of wording (Raffel et al. 2020,
appendix D). Labels are written as words instead of numbers, and punctuation is not set apart by
spaces. An output that is none of the task's is *illegal* and wrong (Xue et al. 2021, section 5).
"""

from __future__ import annotations

import unicodedata
from dataclasses import replace
from itertools import groupby
from typing import TYPE_CHECKING, Any

from xstilts.errors import UserError
from xstilts.formats.encoded import Builder, Encoded, Template, fit_pair, token_ids
from xstilts.formats.examples import Choice, Pair, Question, Tagged

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tokenizers import Tokenizer

    from xstilts.formats import Limits
    from xstilts.formats.examples import Example
    from xstilts.tasks.base import Task

FAULTS = ("illegal_output", "accidental_translation")  # metrics: what should not be
SILENCE = "unanswerable"  # to a question without an answer; T5 and mT5 have none
BETWEEN = " $$ "  # entities of a sentence
MOST_TOKENS = {"multiple_choice": 8, "span": 64, "tagging": 128}  # of an output
# Frequent English words that are hardly ever words of another language in Latin script.
ENGLISH = frozenset(["the", "and", "with", "from", "that", "which", "were", "this", "their"])


def written(task: Task) -> bool:
    """Whether a task's rows are read and written as text; raw text and retrieval are not.

    Raises:
        UserError: if every word has a tag of its own, as in part-of-speech tagging.
    """
    if task.format == "tagging" and not all(
        label == "O" or label[:2] in ("B-", "I-") for label in task.labels
    ):
        raise UserError(
            f"{task.name}: a tag for every word is not written as text (mT5 was not given such "
            "tasks): take a recipe with heads, such as mini"
        )
    return task.format in ("classification", "multiple_choice", "span", "tagging")


def metrics(task: Task) -> tuple[str, ...]:
    """What is scored beside a task's own metrics; only answers to questions can be translated."""
    return FAULTS if task.format == "span" else FAULTS[:1]


def of(task: Task, trained: Task) -> Task:
    """The task as text, in the words of the one whose rows the model is trained on."""
    return replace(task, name=trained.name, words=trained.words, format="text2text")


def most_tokens(task: Task, tokenizer: Tokenizer) -> int:
    """How long an output may be, its end included; a little longer than any legal label.

    Args:
        task: as it is, not as text.
        tokenizer: of the model.
    """
    if task.format == "classification":
        return max(map(len, token_ids(tokenizer, task.words or task.labels))) + 4
    return MOST_TOKENS[task.format]


def encode(
    task: Task, examples: Sequence[Example], tokenizer: Tokenizer, limits: Limits
) -> Encoded:
    """A unit an example, of two sequences: what is asked, and the right answer with its end.

    Where a pair is too long, the longer text is cut; else the end of a context or a sentence, or
    the start of a prompt.
    """
    template, builder = Template.of(tokenizer), Builder()
    asked = [_asked(task, one) for one in examples]
    firsts = token_ids(tokenizer, [first for first, _ in asked])
    seconds = token_ids(tokenizer, [second for _, second in asked])
    answers = token_ids(tokenizer, [_answer(task, one) for one in examples])
    room = limits.max_length - template.single_specials
    most = max(MOST_TOKENS.values()) - len(template.single_suffix)
    for owner, (one, first, second, answer) in enumerate(
        zip(examples, firsts, seconds, answers, strict=True)
    ):
        builder.sequence(template.single(_fitted(one, first, second, room)))
        builder.sequence([*answer[:most], *template.single_suffix])
        builder.end_unit(owner)
    return builder.build(0)


def decode(
    task: Task, examples: Sequence[Example], encoded: Encoded, outputs: Sequence[str]
) -> Iterator[dict[str, Any]]:
    """Prediction rows from a text a unit.

    Beside what the task's own format has of ``gold`` and ``prediction`` stand ``text``, the output
    as it was; ``legal``; and ``translated``: in questions, whether an illegal output seems to be in
    another language than its context. That is so where it has a letter of a script that the context
    has none of, or one of a few frequent English words that the context has not. What else is
    translated within one script goes unseen, so the share is a lower bound. The notion is that of
    Xue et al. 2021, section 5; the rule is ours.
    """
    for text, owner in zip(outputs, encoded.owner, strict=True):
        one = examples[owner]
        row = {"id": one.id, "group": one.group, "translated": False, "text": text}
        yield row | _read(task, one, text)


def _asked(task: Task, one: Example) -> tuple[str, str]:
    """What is asked, in two parts."""
    match one:
        case Pair():
            nli = "entailment" in task.labels
            names = ("premise", "hypothesis") if nli else ("sentence1", "sentence2")
            if one.text_b is None:
                return f"{task.name}: sentence: {one.text_a}", ""
            return f"{task.name}: {names[0]}: {one.text_a}", f"{names[1]}: {one.text_b}"
        case Choice():
            choices = (f"choice{n}: {text}" for n, text in enumerate(one.choices, start=1))
            return f"{task.name}: {' '.join(choices)}", f"prompt: {one.prompt}"
        case Question():
            return f"question: {one.question}", f"context: {one.context}"
        case Tagged():
            return "tag:", " ".join(one.words)
        case _:
            raise AssertionError(type(one))


def _answer(task: Task, one: Example) -> str:
    match one:
        case Pair():
            return dict(zip(task.labels, task.words or task.labels, strict=True))[one.label]
        case Choice():
            return f"choice{one.label + 1}"
        case Question():
            return one.answers[0] if one.answers else SILENCE
        case Tagged():
            found = _entities(one)
            return BETWEEN.join(f"{kind}: {' '.join(one.words[a:b])}" for kind, a, b in found)
        case _:
            raise AssertionError(type(one))


def _fitted(one: Example, first: list[int], second: list[int], room: int) -> list[int]:
    match one:
        case Pair():
            first, second = fit_pair(first, second, room)
        case Choice():
            second = second[max(len(first) + len(second) - room, 0) :]
    return [*first, *second][:room]


def _read(task: Task, one: Example, text: str) -> dict[str, Any]:
    """Gold, prediction and whether the output is legal."""
    said = _letters(text)
    match one:
        case Pair():
            words = map(_letters, task.words or task.labels)
            label = dict(zip(words, task.labels, strict=True)).get(said)
            return {"gold": one.label, "prediction": label or "", "legal": label is not None}
        case Choice():
            names = [f"choice{n + 1}" for n in range(len(one.choices))]
            place = names.index(said) if said in names else -1
            return {"gold": one.label, "prediction": place, "legal": place >= 0}
        case Question():
            gold = {"gold": list(one.answers)}
            if task.unanswerable and said == SILENCE:
                return gold | {"prediction": "", "legal": True}
            answer = _within(one.context, text)
            if answer is not None:
                return gold | {"prediction": answer, "legal": True}
            foreign = _is_foreign(text, one.context)
            return gold | {"prediction": text.strip(), "legal": False, "translated": foreign}
        case Tagged():
            tags, legal = _tags(task, one.words, text)
            return {"gold": list(one.tags), "prediction": tags, "legal": legal}
        case _:
            raise AssertionError(type(one))


def _solid(text: str) -> str:
    """A text without what tokenizers change: compatibility forms, composition and spaces."""
    return "".join(unicodedata.normalize("NFKD", text).split())


def _is_letter(char: str) -> bool:
    """Whether a character is a letter, a mark or a digit; others may be unknown to a tokenizer."""
    return unicodedata.category(char)[0] in "LMN"


def _letters(text: str) -> str:
    """The letters of a text; all of it but spaces, where it has none."""
    return "".join(filter(_is_letter, _solid(text))) or _solid(text)


def _within(context: str, text: str) -> str | None:
    """The piece of the context that an answer is, by all its characters or else by its letters.

    None where it is no piece of it.
    """
    parts = _parts(context)
    for kept, said in (
        (parts, _solid(text)),
        ([one for one in parts if _is_letter(one[0])], "".join(filter(_is_letter, _solid(text)))),
    ):
        start = "".join(part for part, _ in kept).find(said)
        if said and start >= 0:
            places = [place for _, place in kept[start : start + len(said)]]
            return context[min(places) : max(places) + 1]
    return None


def _parts(context: str) -> list[tuple[str, int]]:
    """What ``_solid`` leaves of a text, each with the place of the character that it is of.

    Marks on a letter stand in their canonical order, whatever order they were typed in: a text
    taken apart whole has them so, one taken apart by character has not.
    """
    found = [
        (part, place)
        for place, char in enumerate(context)
        for part in unicodedata.normalize("NFKD", char)
    ]
    ordered: list[tuple[str, int]] = []
    for _, run in groupby(found, lambda one: unicodedata.combining(one[0]) > 0):
        alike = sorted(run, key=lambda one: unicodedata.combining(one[0]))  # 0 but for marks
        ordered += [one for one in alike if not one[0].isspace()]
    return ordered


def _is_foreign(text: str, context: str) -> bool:
    words, there = ({word.lower() for word in one.split()} for one in (text, context))
    return bool(_scripts(text) - _scripts(context) or words & ENGLISH - there)


def _scripts(text: str) -> set[str]:
    """The scripts of a text's letters, as the first word of their Unicode names."""
    return {unicodedata.name(char, "?").partition(" ")[0] for char in text if char.isalpha()}


def _entities(one: Tagged) -> list[tuple[str, int, int]]:
    """Kind, first word and the word after the last, of every entity in BIO tags."""
    found: list[tuple[str, int, int]] = []
    for place, tag in enumerate(one.tags):
        goes_on = found and found[-1][2] == place and tag == f"I-{found[-1][0]}"
        if goes_on:
            found[-1] = (*found[-1][:2], place + 1)
        elif tag != "O":
            found.append((tag[2:], place, place + 1))
    return found


def _tags(task: Task, words: Sequence[str], text: str) -> tuple[list[str], bool]:
    """BIO tags of the entities that an output names, and whether all of them are there.

    Each is looked for after the one before it and, where it is not there, from the start; words
    are not tagged twice.
    """
    tags, legal, after = ["O"] * len(words), True, 0
    for entity in filter(None, map(str.strip, text.split(BETWEEN.strip()))):
        kind, _, said = entity.partition(":")
        kind, said = kind.strip(), _letters(said)
        spans = [
            (start, end)
            for start in [*range(after, len(words)), *range(after)]
            for end in range(start + 1, len(words) + 1)
            if _letters("".join(words[start:end])) == said and set(tags[start:end]) == {"O"}
        ]
        if not spans or f"B-{kind}" not in task.labels:
            legal = False
            continue
        start, after = spans[0]
        tags[start:after] = [f"B-{kind}"] + [f"I-{kind}"] * (after - start - 1)
    return tags, legal

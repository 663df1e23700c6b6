"""Typed examples, one class a format, and how a row's fields become one.

Every example has an ``id`` and a ``group``, the premise, article or passage that it shares with
others: hold-outs and statistics keep groups together. In a parallel task both are the same in every
language.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from xstilts.errors import look_alike

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from xstilts.tasks.base import Task


class BadRowError(ValueError):
    """A row that does not fit its format; whoever knows the file and row adds them."""


@dataclass(frozen=True, slots=True)
class Pair:
    """One text or two, and a class."""

    id: str
    group: str
    text_a: str
    text_b: str | None
    label: str


@dataclass(frozen=True, slots=True)
class Choice:
    """A prompt, its possible continuations, and the index of the right one."""

    id: str
    group: str
    prompt: str
    choices: tuple[str, ...]
    label: int


@dataclass(frozen=True, slots=True)
class Tagged:
    """Words and one tag for each."""

    id: str
    group: str
    words: tuple[str, ...]
    tags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Question:
    """A question about a context. No answers: the question has none (SQuAD v2.0)."""

    id: str
    group: str
    context: str
    question: str
    answers: tuple[str, ...]
    starts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Bitext:
    """A sentence and its English translation."""

    id: str
    group: str
    text: str
    english: str


@dataclass(frozen=True, slots=True)
class Query:
    """A text that is asked with, and what answers it.

    Attributes:
        answer: a right candidate's texts, of training rows; () where there is a pool.
        right: the ids of the right candidates; () where the candidates say whom they answer.
    """

    id: str
    group: str
    text: str
    answer: tuple[str, ...]
    right: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Candidate:
    """What a query may be answered with: a text, or a sentence and the paragraph around it.

    Attributes:
        answers: the ids of the queries that it answers; () where the queries say so.
    """

    id: str
    group: str
    texts: tuple[str, ...]
    answers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Line:
    """Raw text."""

    id: str
    group: str
    text: str


Example: TypeAlias = Pair | Choice | Tagged | Question | Bitext | Query | Candidate | Line


def texts(row: Example) -> tuple[str, ...]:  # noqa: PLR0911 (one a kind of example)
    """All that is read of an example; of words, one text."""
    match row:
        case Pair():
            return (row.text_a,) if row.text_b is None else (row.text_a, row.text_b)
        case Choice():
            return (row.prompt, *row.choices)
        case Tagged():
            return (" ".join(row.words),)
        case Question():
            return (row.question, row.context)
        case Bitext():
            return (row.text, row.english)
        case Query() | Line():
            return (row.text,)
        case Candidate():
            return row.texts


def example(task: Task, fields: Mapping[str, Any], name: str) -> Example:
    """One example of the task from a row's fields, checked.

    Args:
        task: says the format and the labels.
        fields: the row, renamed to the format's fields and with the task's labels.
        name: the id, unique within the split and language.

    Raises:
        BadRowError: if a field is missing, of the wrong kind or out of range.
    """
    try:
        return _BUILDERS[task.format](task, fields, name, str(fields.get("group", name)))
    except BadRowError:
        raise
    except KeyError as error:
        raise BadRowError(f"no column for {error}; the columns are: {', '.join(fields)}") from None
    except (TypeError, ValueError) as error:
        raise BadRowError(f"a field is not of the kind that {task.format} needs: {error}") from None


def _text(fields: Mapping[str, Any], key: str) -> str:
    value = fields[key]
    if not isinstance(value, str):
        raise BadRowError(f'"{key}" must be text, not {value!r:.60}')
    return value


def _pair(task: Task, fields: Mapping[str, Any], name: str, group: str) -> Pair:
    label = str(fields["label"])
    if label not in task.labels:
        raise BadRowError(
            f'label "{label}" is not one of: {", ".join(task.labels)}'
            f"{look_alike(label, task.labels)}"
        )
    second = _text(fields, "text_b") if "text_b" in fields else None
    return Pair(name, group, _text(fields, "text_a"), second, label)


def _choice(_task: Task, fields: Mapping[str, Any], name: str, group: str) -> Choice:
    choices = tuple(str(choice) for choice in fields["choices"])
    try:
        label = int(fields["label"])
    except ValueError:
        raise BadRowError(f'label "{fields["label"]}" is not the index of a choice') from None
    if not 0 <= label < len(choices):
        raise BadRowError(
            f"label {label} is out of range: there are {len(choices)} choices, from 0"
        )
    return Choice(name, group, _text(fields, "prompt"), choices, label)


def _tagged(task: Task, fields: Mapping[str, Any], name: str, group: str) -> Tagged:
    words, tags = tuple(fields["words"]), tuple(str(tag) for tag in fields["tags"])
    if not all(isinstance(word, str) for word in words):
        raise BadRowError(f'"words" must be a list of texts, not {fields["words"]!r:.60}')
    if len(words) != len(tags):
        raise BadRowError(f"{len(words)} words but {len(tags)} tags")
    known = set(task.labels)
    for position, tag in enumerate(tags):
        if tag not in known:
            allowed = ", ".join(task.labels[:20]) + ", ..." * (len(task.labels) > 20)
            raise BadRowError(
                f'tag "{tag}" of word {position + 1} is not one of: {allowed}'
                f"{look_alike(tag, task.labels)}"
            )
    return Tagged(name, group, words, tags)


def _question(_task: Task, fields: Mapping[str, Any], name: str, group: str) -> Question:
    answers = fields["answers"]
    texts, starts = tuple(answers["text"]), tuple(int(start) for start in answers["answer_start"])
    if not all(isinstance(text, str) for text in texts):
        raise BadRowError(f'"answers" must hold texts, not {answers["text"]!r:.60}')
    context = _text(fields, "context")
    for text, start in zip(texts, starts, strict=True):
        if not 0 <= start <= len(context) - len(text):
            raise BadRowError(
                f"answer start {start} is outside the context ({len(context)} characters)"
            )
    return Question(name, group, context, _text(fields, "question"), texts, starts)


def _retrieval(
    _task: Task, fields: Mapping[str, Any], name: str, group: str
) -> Bitext | Query | Candidate:
    """Two translations; or one to ask with (``query``), or one to answer with (``answers``)."""
    if "english" in fields or not {"query", "answers"} & fields.keys():
        return Bitext(name, group, _text(fields, "text"), _text(fields, "english"))
    around = (_text(fields, "context"),) if "context" in fields else ()
    if "query" in fields:
        answer = (_text(fields, "answer"), *around) if "answer" in fields else ()
        right = tuple(map(str, fields.get("right", ())))
        return Query(name, group, _text(fields, "query"), answer, right)
    return Candidate(
        name, group, (_text(fields, "text"), *around), tuple(map(str, fields["answers"]))
    )


def _line(_task: Task, fields: Mapping[str, Any], name: str, group: str) -> Line:
    return Line(name, group, _text(fields, "text"))


_BUILDERS: dict[str, Callable[[Task, Mapping[str, Any], str, str], Example]] = {
    "classification": _pair,
    "multiple_choice": _choice,
    "tagging": _tagged,
    "span": _question,
    "retrieval": _retrieval,
    "mlm": _line,
}

"""Predictions that somebody else made, aligned with the rows of a task.

The right answers always come from the task. A file holds the answers alone, in one of these forms:

| ending | what it holds |
|---|---|
| ``.jsonl`` | a line for every example: ``{"id": ..., "prediction": ...}`` |
| ``.json`` | ``{id: prediction}`` |
| any other | a prediction a line, in the order of the rows |

In a file of lines a tagged sentence is a tag a line, and an empty line after the last.
A prediction is a label; the number of a choice; a tag for every word; an answer's text, empty for
none; an id, or ids, best first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xstilts import jsontext
from xstilts.errors import UserError
from xstilts.formats.examples import Bitext, Choice, Pair, Query, Question, Tagged

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from xstilts.formats.examples import Example
    from xstilts.tasks.base import Task


def align(path: Path, task: Task, examples: Sequence[Example]) -> list[dict[str, Any]]:
    """Prediction rows, as a predict step writes them, in the order of the examples.

    Raises:
        UserError: if the file cannot be read, examples are missing or unknown, or a prediction
            has not the form of the task's format.
    """
    if "average_precision_at_20" in task.metrics:
        raise UserError(
            f"{task.name}: its candidates say whom they answer, which an import does not read: "
            "predictions of it cannot be imported"
        )
    given = _given(path, task, [one.id for one in examples])
    asked = {one.id for one in examples}
    if not given:
        raise UserError(f"{path} holds no prediction: {task.name} has {len(asked):,} examples")
    if missing := [one.id for one in examples if one.id not in given]:
        raise UserError(
            f"{path}: {len(missing):,} of {len(asked):,} examples of {task.name} have no "
            f'prediction, such as "{missing[0]}"'
        )
    if strange := [one for one in given if one not in asked]:
        raise UserError(f'{path}: "{strange[0]}" is the id of no example of {task.name}')
    rows = []
    for one in examples:
        try:
            gold, prediction = _pair(one, given[one.id])
        except ValueError as error:
            raise UserError(f'{path}, "{one.id}": {error}') from None
        if "reciprocal_rank_at_20" in task.metrics:
            gold = gold[0]  # as predict steps keep the one right answer
        rows.append({"id": one.id, "group": one.group, "gold": gold, "prediction": prediction})
    return rows


def not_labels(rows: Sequence[dict[str, Any]], task: Task) -> list[str]:
    """The predictions that are no label of the task; they count as wrong."""
    if not task.labels:
        return []
    parts = [row["prediction"] for row in rows]
    if task.format == "tagging":
        parts = [tag for tags in parts for tag in tags]
    return [one for one in parts if one not in task.labels]


def _pair(example: Example, given: Any) -> tuple[Any, Any]:
    """The right answer and the given one.

    Raises:
        ValueError: says what form the given one should have.
    """
    match example:
        case Pair(label=label) if isinstance(given, str):
            return label, given
        case Choice(label=number, choices=choices):
            if isinstance(given, str) and given.isascii() and given.isdigit():
                given = int(given)
            if type(given) is int and 0 <= given < len(choices):
                return number, given
            raise ValueError(f"{given!r:.40} is no number of a choice, 0 to {len(choices) - 1}")
        case Tagged(tags=tags) if _texts(given):
            if len(given) == len(tags):
                return list(tags), given
            raise ValueError(f"{len(given)} tags for {len(tags)} words")
        case Question(answers=answers) if isinstance(given, str):
            return list(answers), given
        case Bitext(id=right) if isinstance(given, str) or _texts(given):
            return right, [given] if isinstance(given, str) else given
        case Query(right=ids) if _texts(given):
            return list(ids), given
    ranked = isinstance(example, Tagged | Bitext | Query)
    wanted = "a list of texts" if ranked else "a text"
    raise ValueError(f"the prediction is {given!r:.40}, it should be {wanted}")


def _texts(given: Any) -> bool:
    return isinstance(given, list) and all(isinstance(one, str) for one in given)


def _given(path: Path, task: Task, ids: list[str]) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UserError(f"{path} is not UTF-8: convert the file first") from None
    try:
        if path.suffix == ".json":
            return _object(jsontext.parse(text))
        if path.suffix == ".jsonl":
            return _by_id(path, text)
    except ValueError as error:
        raise UserError(f"{path}: not the JSON that predictions stand in ({error!s:.80})") from None
    found = _sentences(text) if task.format == "tagging" else text.split("\n")
    if found and found[-1] == "":
        found.pop()
    if len(found) != len(ids):
        raise UserError(
            f"{path} has {len(found):,} predictions, {task.name} has {len(ids):,} examples: "
            "one a line, in their order"
        )
    return dict(zip(ids, found, strict=True))


def _object(found: Any) -> dict[str, Any]:
    if not isinstance(found, dict):
        raise ValueError("an object of id: prediction is expected")  # noqa: TRY004 (caught above)
    return found


def _by_id(path: Path, text: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = jsontext.parse(line)
        except ValueError as error:
            raise UserError(
                f"{path} line {number}: not the JSON that predictions stand in ({error!s:.80})"
            ) from None
        if not isinstance(row, dict) or "id" not in row or "prediction" not in row:
            raise UserError(f'{path} line {number}: a row needs "id" and "prediction"')
        if str(row["id"]) in found:
            raise UserError(f'{path} line {number}: the id "{row["id"]}" stands twice')
        found[str(row["id"])] = row["prediction"]
    return found


def _sentences(text: str) -> list[Any]:
    blocks = text.strip("\n").split("\n\n")
    return [[tag.strip() for tag in block.split("\n") if tag.strip()] for block in blocks]

"""Predictions and labels in the leaderboards' own files, as units to score.

One file a language, ``test-{language}`` and an ending, in a folder that bears the task's name
(google-research/xtreme, README, evaluate.py and run_xcopa.py; its evaluate.py has no languages for
LAReQA, whose files are therefore like Mewsli-X's):

| format | a line, or the JSON |
|---|---|
| classification | a label |
| multiple_choice | ``{"label": number}``, or the number alone |
| tagging | a tag; an empty line ends a sentence |
| Tatoeba | the number of the sentence that was found |
| BUCC | two ids with a tab between them |
| span | ``{question id: answer}``; labels are SQuAD's JSON |
| LAReQA, Mewsli-X | ``{query id: [ids, best first]}``; labels ``{query id: [right ids]}`` |
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from xstilts import jsontext
from xstilts.errors import AbsentError, UserError
from xstilts.metrics import bitext

if TYPE_CHECKING:
    from pathlib import Path

    from xstilts.tasks.base import Task

FEW = 20  # right labels that may well be all the same
PAIRS = "bitext_f1"  # the metrics that tell the retrieval tasks apart
INDEX = "retrieval_accuracy"


@dataclass(frozen=True)
class Submission:
    """One task in one language.

    Attributes:
        units: ``gold`` and ``prediction``, as the metrics take them.
        notes: what counts against the predictions though it may be a slip: answers that are
            missing, ids that nothing asks for, labels that the task does not have.
    """

    units: list[dict[str, Any]]
    notes: tuple[str, ...] = field(default=())


def suffix(task: Task) -> str:
    """The ending of the task's files."""
    if task.format == "multiple_choice":
        return "jsonl"
    ranked = task.format == "retrieval" and not {PAIRS, INDEX} & set(task.metrics)
    return "json" if task.format == "span" or ranked else "tsv"


def read(task: Task, predictions: Path, gold: Path) -> Submission:
    """The units of one language.

    Raises:
        AbsentError: if a file is not there.
        UserError: if one is not in the task's format, or they do not fit together.
    """
    if task.format in ("classification", "multiple_choice"):
        return _labelled(task, predictions, gold)
    if task.format == "tagging":
        return _tagged(task, predictions, gold)
    if task.format == "span":
        return _answered(predictions, gold)
    if task.format != "retrieval":
        raise UserError(f'task "{task.name}" is a text; there is nothing to score')
    if PAIRS in task.metrics:
        return Submission(bitext.units(_pairs(gold), _pairs(predictions)))
    if INDEX in task.metrics:
        return _found(predictions, gold)
    return _ranked(task, predictions, gold)


def _labelled(task: Task, predictions: Path, gold: Path) -> Submission:
    units = [
        {"gold": _label(gold, number, right), "prediction": _label(predictions, number, predicted)}
        for number, (right, predicted) in enumerate(_side_by_side(predictions, gold), start=1)
    ]
    known = task.labels or tuple(map(str, range(round(1 / task.chance) if task.chance else 0)))
    return Submission(units, _strange(units, known, gold) + _blanked(units))


def _blanked(units: list[dict[str, Any]]) -> tuple[str, ...]:
    """A note on right labels that are all the same, as in the test sets that XTREME hands out."""
    labels = {unit["gold"] for unit in units}
    if len(labels) > 1 or len(units) < FEW:
        return ()
    return (f'every right label is "{labels.pop()}": XTREME\'s download blanks those of test sets',)


def _tagged(task: Task, predictions: Path, gold: Path) -> Submission:
    tags = _sentences(gold), _sentences(predictions)
    _same_number(predictions, gold, [len(side) for side in tags], "sentences")
    units = []
    for number, (right, predicted) in enumerate(zip(*tags, strict=True), start=1):
        if len(right) != len(predicted):
            raise UserError(
                f"{predictions}, sentence {number}: {len(predicted)} tags, {gold} has "
                f"{len(right)}: every word needs one"
            )
        units.append({"gold": right, "prediction": predicted})
    words = [
        {"gold": right, "prediction": predicted}
        for unit in units
        for right, predicted in zip(unit["gold"], unit["prediction"], strict=True)
    ]
    return Submission(units, _strange(words, task.labels, gold))


def _strange(units: list[dict[str, Any]], known: tuple[str, ...], gold: Path) -> tuple[str, ...]:
    """A note on predictions that are no label of the task.

    Raises:
        UserError: if a right label is none.
    """
    wrong = next((unit["gold"] for unit in units if unit["gold"] not in known), None)
    if known and wrong is not None:
        shown = ", ".join(known[:20])
        raise UserError(f'{gold}: "{wrong}" is no label of the task; allowed: {shown}')
    strange = [unit["prediction"] for unit in units if unit["prediction"] not in known]
    if not known or not strange:
        return ()
    return (f'{len(strange):,} predictions are no label of the task, such as "{strange[0]}"',)


def _answered(predictions: Path, gold: Path) -> Submission:
    answers = _json(predictions)
    if not all(isinstance(answer, str) for answer in answers.values()):
        raise UserError(f"{predictions}: every question id needs one answer, as text")
    try:
        questions = [
            question
            for article in _json(gold)["data"]
            for paragraph in article["paragraphs"]
            for question in paragraph["qas"]
        ]
        units: list[dict[str, Any]] = [
            {
                "gold": [answer["text"] for answer in question["answers"]],
                "prediction": answers.get(question["id"]),
            }
            for question in questions
        ]
        asked = {question["id"] for question in questions}
    except (KeyError, TypeError) as error:
        raise UserError(f"{gold}: not SQuAD's JSON ({error!r})") from None
    if questions and not any(text for unit in units for text in unit["gold"]):
        raise UserError(f"{gold} has no answers: XTREME's download takes them out of the test sets")
    return Submission(units, _incomplete(asked, set(answers), "questions"))


def _ranked(task: Task, predictions: Path, gold: Path) -> Submission:
    found, right = _json(predictions), _json(gold)
    for path, lists in ((predictions, found), (gold, right)):
        if not all(isinstance(ids, list) and ids for ids in lists.values()):
            raise UserError(f"{path}: every query id needs a list of ids")
    single = "reciprocal_rank_at_20" in task.metrics
    units = [
        {
            "gold": str(ids[0]).strip() if single else list(map(str, ids)),
            "prediction": list(map(str, found.get(query, []))),
        }
        for query, ids in right.items()
    ]
    return Submission(units, _incomplete(set(right), set(found), "queries"))


def _found(predictions: Path, gold: Path) -> Submission:
    return Submission(
        [
            {"gold": right, "prediction": [predicted]}
            for right, predicted in _side_by_side(predictions, gold)
        ]
    )


def _incomplete(asked: set[str], answered: set[str], what: str) -> tuple[str, ...]:
    counts = {
        f"of {len(asked):,} {what} have no prediction and score 0": len(asked - answered),
        f"predictions are for {what} that are not asked": len(answered - asked),
    }
    return tuple(f"{count:,} {about}" for about, count in counts.items() if count)


def _side_by_side(predictions: Path, gold: Path) -> list[tuple[str, str]]:
    """A right label and a predicted one for every line."""
    sides = _lines(gold), _lines(predictions)
    _same_number(predictions, gold, [len(side) for side in sides], "lines")
    return list(zip(*sides, strict=True))


def _label(path: Path, number: int, line: str) -> str:
    """A label: the line, or that of the JSON object on it, as in XCOPA's files."""
    if not line.startswith("{"):
        return line
    try:
        return str(jsontext.parse(line)["label"])
    except (json.JSONDecodeError, KeyError) as error:
        raise UserError(
            f'{path}, line {number}: expected a label, or {{"label": 1}} ({error!r:.60})'
        ) from None


def _same_number(predictions: Path, gold: Path, counts: list[int], what: str) -> None:
    if counts[0] != counts[1]:
        raise UserError(
            f"{predictions} has {counts[1]:,} {what}, {gold} has {counts[0]:,}: "
            "both need one for every row of the test set, in its order"
        )
    if not counts[0]:
        raise UserError(f"{gold} is empty: there is nothing to score")


def _pairs(path: Path) -> list[bitext.Pair]:
    pairs = []
    for number, line in enumerate(_lines(path), start=1):
        cells = line.split("\t")
        if len(cells) != 2:
            raise UserError(f"{path}, line {number}: expected two ids with a tab between them")
        pairs.append((cells[0], cells[1]))
    return pairs


def _lines(path: Path) -> list[str]:
    # Not str.splitlines, which also breaks at marks that are text, such as U+2028.
    lines = [line.strip() for line in _text(path).split("\n")]
    while lines and not lines[-1]:
        lines.pop()
    return lines


def _sentences(path: Path) -> list[list[str]]:
    """The tags of each sentence; of a word and its tag on one line, the tag."""
    sentences: list[list[str]] = [[]]
    for line in _lines(path):
        if line:
            sentences[-1].append(line.rpartition("\t")[2])
        elif sentences[-1]:
            sentences.append([])
    return [sentence for sentence in sentences if sentence]


def _json(path: Path) -> dict[str, Any]:
    try:
        found = jsontext.parse(_text(path))
    except json.JSONDecodeError as error:
        raise UserError(f"{path}, line {error.lineno}: not JSON ({error.msg})") from None
    if not isinstance(found, dict):
        raise UserError(f"{path}: expected one JSON object")
    return found


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise AbsentError(f"no file {path}") from None
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 (byte {error.start}): convert it first") from None

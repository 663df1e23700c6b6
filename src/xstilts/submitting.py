"""A suite's submission: the leaderboard's folder, from predictions that are in the store.

``<task>/test-<language>`` and the ending of its format for every task and language of the suite, as
the official scripts read them (google-research/xtreme, README and evaluate.py). A submission is
whole or is not written. What was written is read back and scored against the same right answers,
and has to give the scores that are stored.
"""

from __future__ import annotations

import json
import math
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xstilts import suites
from xstilts.disk.whole import whole
from xstilts.errors import UserError
from xstilts.metrics import leaderboard, submission
from xstilts.steps import PREDICTIONS
from xstilts.tasks import counts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from xstilts.plan import Cell, Plan
    from xstilts.store import Store
    from xstilts.tasks import Catalogue
    from xstilts.tasks.base import Task


@dataclass(frozen=True)
class Entry:
    """One file of a submission.

    Attributes:
        rows: the predictions that count, in the order of the test set.
        stored: metric -> value of the score in the store; empty where there are no labels.
    """

    task: Task
    language: str
    rows: list[dict[str, Any]]
    stored: Mapping[str, float]


def entries(plan: Plan, store: Store, catalogue: Catalogue, suite: str) -> list[Entry]:
    """Every file of a suite's submission.

    Raises:
        UserError: if anything is missing, unfinished, incomplete, or there more than once; the
            message lists it.
    """
    benchmark = suites.BENCHMARKS[suite]
    found: list[Entry] = []
    missing: dict[tuple[str, str], list[str]] = {}  # (task, why) -> languages
    for name in benchmark.tasks:
        for code in benchmark.languages[name]:
            cells = [one for one in plan.cells if (one.target, one.language) == (name, code)]
            try:
                found.append(_entry(_only(cells, store), plan, store, catalogue.get(name)))
            except _NotWholeError as why:
                missing.setdefault((name, str(why)), []).append(code)
    if missing:
        lacking = sum(map(len, missing.values()))
        listed = (f"{name} {' '.join(codes)}: {why}" for (name, why), codes in missing.items())
        raise UserError(
            f"no submission to {suite}, as {lacking} of {lacking + len(found)} files would not be "
            f"whole: {'; '.join(listed)}"
        )
    return found


def write(found: list[Entry], out: Path) -> None:
    """Write the folder, having read it back.

    Raises:
        UserError: if the folder is there already.
        AssertionError: if what is read back scores otherwise.
    """
    if out.exists():
        raise UserError(f"{out} is there already: give --out another folder")
    with whole(out) as part:
        for one in found:
            _write(part, one, "prediction")
        _read_back(found, part)


class _NotWholeError(Exception):
    """Why a file of a submission cannot be written."""


def _only(cells: list[Cell], store: Store) -> Cell:
    if not cells:
        raise _NotWholeError("not in the study")
    if len({one.score for one in cells}) > 1:
        paths = dict.fromkeys(f'"{one.path}" of seed {one.seed}, {one.model}' for one in cells)
        raise _NotWholeError(f"more than one, give one path and seed: {', '.join([*paths][:3])}")
    if not store.has(cells[0].score):
        raise _NotWholeError("not finished")
    return cells[0]


def _entry(cell: Cell, plan: Plan, store: Store, task: Task) -> Entry:
    from pyarrow import parquet

    step = plan.steps[plan.steps[cell.score].parent]
    rows = parquet.read_table(store.open(step.id).path(PREDICTIONS)).to_pylist()
    result = [row for row in store.record(cell.score)["result"] if row["main"]]
    counted = result[0]
    rows = [
        row
        for row in rows
        if row.get("part", "evaluate") == "evaluate" and row.get("layer") == counted["layer"]
    ]
    expected = counts.rows(task.name, cell.source, "evaluate").get(cell.language)
    whole = step.inputs.get("max_rows") is None and expected in (None, len(rows))
    if not whole and submission.PAIRS not in task.metrics:
        wanted = f"{expected:,}" if expected else "all"
        raise _NotWholeError(f"{len(rows):,} rows, not {wanted}")
    if submission.PAIRS in task.metrics:
        threshold = counted["threshold"]
        rows = [
            row if row["prediction"] and row["margin"] >= threshold else {**row, "prediction": []}
            for row in rows
        ]
    if submission.INDEX in task.metrics:  # the English sentences are sorted, to hide the labels
        rows.sort(key=lambda row: (row["group"].strip(), int(row["id"])))
    scored = [row for row in result if row["part"] == "evaluate"]
    return Entry(task, cell.language, rows, {row["metric"]: row["value"] for row in scored})


def _write(folder: Path, entry: Entry, side: str) -> None:
    """One file, of predictions or (``side`` is ``gold``) of right answers."""
    task = entry.task
    path = folder / task.name / f"test-{entry.language}.{submission.suffix(task)}"
    with whole(path) as part:
        part.write_text(_text(task, entry.rows, side), encoding="utf-8")


def _text(task: Task, rows: list[dict[str, Any]], side: str) -> str:
    values = [row[side] for row in rows]
    if task.format == "tagging":
        return "\n".join("".join(f"{tag}\n" for tag in tags) for tags in values)
    if submission.PAIRS in task.metrics:
        pairs = [(row["id"], target) for row in rows for target in row[side]]
        return "".join(f"{source}\t{target}\n" for source, target in pairs)
    if submission.INDEX in task.metrics:
        values = [value if side == "gold" else value[0] for value in values]
    if task.format == "multiple_choice":
        return "".join(f"{json.dumps({'label': value})}\n" for value in values)
    if submission.suffix(task) == "tsv":
        return "".join(f"{value}\n" for value in values)
    # Where the test set repeats an id, the first prediction stands for all of its rows.
    ids = [row["id"].partition("#")[0] for row in rows]
    if task.format == "span" and side == "gold":
        asked = [
            {"id": name, "answers": [{"text": answer} for answer in answers]}
            for name, answers in zip(ids, values, strict=True)
        ]
        return json.dumps({"data": [{"paragraphs": [{"qas": asked}]}]}, ensure_ascii=False)
    listed = task.format != "span"
    by_id: dict[str, Any] = {}
    for name, value in zip(ids, values, strict=True):
        by_id.setdefault(name, [value] if listed and isinstance(value, str) else value)
    return json.dumps(by_id, ensure_ascii=False)


def _read_back(found: list[Entry], out: Path) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        for one in found:
            if not one.stored:
                continue  # a test set without labels
            _write(Path(scratch), one, "gold")
            name = f"{one.task.name}/test-{one.language}.{submission.suffix(one.task)}"
            score = leaderboard.score_file(one.task, out / name, Path(scratch) / name, one.language)
            for metric, value in one.stored.items():
                same = math.isclose(score.values[metric], value, rel_tol=0, abs_tol=1e-9)
                assert same, (name, metric, score.values[metric], value)

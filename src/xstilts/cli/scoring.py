"""``xstilts score``: predictions in the leaderboards' own files, scored without a model."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING, Annotated, Any

import typer

from xstilts.cli import asked, output
from xstilts.cli.options import Json, TaskFiles
from xstilts.errors import UserError, suggest
from xstilts.report import screen

if TYPE_CHECKING:
    from xstilts.metrics.leaderboard import LanguageScore, SuiteScore
    from xstilts.tasks.base import Task


def score(
    name: Annotated[str, typer.Argument(metavar="TASK", help="A task, or xtreme or xtreme-r.")],
    predictions: Annotated[
        Path, typer.Option(help="A file; a folder of test-LANGUAGE files; for a suite, of tasks.")
    ],
    gold: Annotated[Path, typer.Option(help="The labels, in files of the same names.")],
    language: Annotated[str, typer.Option(help="Of the file; of a folder, only this one.")] = "",
    task: TaskFiles = None,
    json_: Json = False,
) -> int:
    """Score predictions as the official scripts do; no model is needed."""
    from xstilts.metrics import leaderboard
    from xstilts.suites import BENCHMARKS

    catalogue = asked.catalogue(task)
    folder = _is_folder(predictions, gold)
    if name in BENCHMARKS:
        if not BENCHMARKS[name].languages or not folder or language:
            fixed = ", ".join(one for one, suite in BENCHMARKS.items() if suite.languages)
            raise UserError(f"score {name}: only {fixed} are scored whole, from two folders")
        whole = leaderboard.score_suite(name, predictions, gold, catalogue)
        output.put(_suite_document(name, whole)) if json_ else _suite(whole)
        return 0
    one = catalogue.get(name)
    if language and language not in one.languages:
        raise UserError(f'{name} has no language "{language}":{suggest(language, one.languages)}')
    if folder:
        codes = (language,) if language else one.languages
        scores, missing = leaderboard.score_folder(one, predictions, gold, codes)
        if not scores:
            raise UserError(f"nothing to score: no file {missing[0]}")
    else:
        scores = {language: leaderboard.score_file(one, predictions, gold, language)}
        missing = []
    output.put(_document(one, scores, missing)) if json_ else _task(one, scores, missing)
    return 0


def _is_folder(predictions: Path, gold: Path) -> bool:
    for path in (predictions, gold):
        if not path.exists():
            raise UserError(f"no file or folder {path}")
    if predictions.is_dir() != gold.is_dir():
        raise UserError(f"{predictions} and {gold}: give two files or two folders")
    return predictions.is_dir()


def _document(task: Task, scores: dict[str, LanguageScore], missing: list[str]) -> dict[str, Any]:
    from xstilts import metrics

    about = [(name, metrics.get(name)) for name in task.metrics]
    return {
        "task": task.name,
        "metrics": {name: {"version": one.version, "source": one.source} for name, one in about},
        "main": list(task.main_metrics),
        "languages": {code: asdict(one) for code, one in scores.items()},
        "score": mean(one.score for one in scores.values()),
        "missing": missing,
    }


def _suite_document(name: str, whole: SuiteScore) -> dict[str, Any]:
    return {"suite": name, **asdict(whole)}


def _task(task: Task, scores: dict[str, LanguageScore], missing: list[str]) -> None:
    """A row a language, every metric in percent, and the mean that the leaderboard prints."""
    table = screen.grid("language", ">n", *(f">{name}" for name in task.metrics))
    for code, one in scores.items():
        cells = [f"{100 * one.values[name]:.2f}" for name in task.metrics]
        table.add_row(code or "-", f"{one.n:,}", *cells)
    if len(scores) > 1:
        table.add_section()
        for title, codes in (
            ("mean", list(scores)),
            ("without en", [c for c in scores if c != "en"]),
        ):
            rows = [[scores[code].values[name] for code in codes] for name in task.metrics]
            table.add_row(title, "", *(f"{100 * mean(row):.2f}" for row in rows))
    lines = [
        f"score {100 * mean(one.score for one in scores.values()):.2f}: the mean of "
        f"{', '.join(task.main_metrics)}" + " and of the languages" * (len(scores) > 1)
    ]
    lines += [f"{code or task.name}: {note}" for code, one in scores.items() for note in one.notes]
    lines += _absent(missing)
    screen.show(table, *lines)


def _suite(whole: SuiteScore) -> None:
    """A row a task and group, with and without English; at the end the leaderboard's number."""
    table = screen.grid("", ">languages", *(f">{title}" for title in whole.means))
    for task, scores in whole.tasks.items():
        cells = [_percent(one.tasks.get(task)) for one in whole.means.values()]
        table.add_row(task, str(len(scores)), *cells)
    table.add_section()
    for group in whole.means["all"].groups:
        cells = [_percent(one.groups.get(group)) for one in whole.means.values()]
        table.add_row(group, "", *cells)
    table.add_section()
    table.add_row("mean of tasks", "", *(_percent(m.over_tasks) for m in whole.means.values()))
    table.add_row("mean of groups", "", *(_percent(m.over_groups) for m in whole.means.values()))
    notes = [
        f"{task} {code}: {note}"
        for task, scores in whole.tasks.items()
        for code, one in scores.items()
        for note in one.notes
    ]
    screen.show(table, *notes, *_absent(list(whole.missing)))


def _absent(missing: list[str]) -> list[str]:
    more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
    return [f"not there: {', '.join(missing[:3])}{more}"] if missing else []


def _percent(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.2f}"

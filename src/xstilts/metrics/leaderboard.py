"""Scores of submissions: of a task in one language, in all its languages, of a whole suite.

The rules are those of google-research/xtreme, evaluate.py: a task's score is the mean of its main
metrics and of its languages, a suite's the mean of its tasks; all of them unweighted.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import mean
from typing import TYPE_CHECKING, Any

from xstilts import metrics, suites
from xstilts.errors import AbsentError, UserError
from xstilts.metrics import submission

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from xstilts.suites import Means
    from xstilts.tasks import Catalogue
    from xstilts.tasks.base import Task


@dataclass(frozen=True)
class LanguageScore:
    """One task in one language.

    Attributes:
        n: units scored.
        values: metric -> value in [0, 1].
        score: the mean of the main metrics.
        notes: what counts against the predictions though it may be a slip.
    """

    n: int
    values: Mapping[str, float]
    score: float
    notes: tuple[str, ...]


def score_file(task: Task, predictions: Path, gold: Path, language: str) -> LanguageScore:
    """The scores of one file of predictions.

    Args:
        task: says the format and the metrics.
        predictions: in the leaderboard's format.
        gold: the labels, likewise.
        language: the code of the file's language; "" where no metric depends on it.

    Raises:
        AbsentError: if a file is not there.
        UserError: if a file is not as it should be, or the language is needed and not given.
    """
    if not language and any(name.startswith("mlqa") for name in task.metrics):
        raise UserError(
            f"{task.name} needs --language, as its rules differ: {', '.join(task.languages)}"
        )
    found = submission.read(task, predictions, gold)
    try:
        values = {
            name: metrics.score(metrics.get(name), found.units, language) for name in task.metrics
        }
    except ValueError as error:
        raise UserError(f"{gold}: {error}") from None
    main = mean(values[name] for name in task.main_metrics)
    return LanguageScore(len(found.units), values, main, found.notes)


def score_folder(
    task: Task, predictions: Path, gold: Path, languages: Iterable[str]
) -> tuple[dict[str, LanguageScore], list[str]]:
    """The scores of one task's folder, ``test-{language}`` in each of the languages.

    Returns:
        Language -> scores, and the files that are not there.

    Raises:
        UserError: if a file is not as it should be.
    """
    scores, missing = {}, []
    for code in languages:
        name = f"test-{code}.{submission.suffix(task)}"
        try:
            scores[code] = score_file(task, predictions / name, gold / name, code)
        except AbsentError as error:
            missing.append(str(error).removeprefix("no file "))
    return scores, missing


@dataclass(frozen=True)
class SuiteScore:
    """A suite's submission.

    Attributes:
        tasks: task -> language -> scores.
        means: name -> averages: ``all``, ``without English``, ``without retrieval`` and
            ``without English and retrieval``.
        missing: files that are not there.
    """

    tasks: Mapping[str, Mapping[str, LanguageScore]]
    means: Mapping[str, Means]
    missing: tuple[str, ...]


def score_suite(name: str, predictions: Path, gold: Path, catalogue: Catalogue) -> SuiteScore:
    """The scores of a suite's folder, in which every task has one of its own.

    Raises:
        UserError: if a file is not as it should be.
    """
    benchmark = suites.BENCHMARKS[name]
    scores: dict[str, dict[str, LanguageScore]] = {}
    missing: list[str] = []
    for task_name in benchmark.tasks:
        task, codes = catalogue.get(task_name), benchmark.languages[task_name]
        folders = predictions / task_name, gold / task_name
        scores[task_name], absent = score_folder(task, *folders, codes)
        missing += absent
    flat = {
        task: {code: one.score for code, one in by_language.items()}
        for task, by_language in scores.items()
    }
    shown: dict[str, Any] = {
        "all": {},
        "without English": {"english": False},
        "without retrieval": {"retrieval": False},
        "without English and retrieval": {"english": False, "retrieval": False},
    }
    means = {title: suites.means(name, flat, **kept) for title, kept in shown.items()}
    return SuiteScore(scores, means, tuple(missing))

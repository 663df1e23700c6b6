"""The two tables are complete, and the verdicts that matter are what they should be."""

from __future__ import annotations

import csv
from importlib.resources import files
from pathlib import Path
from typing import get_args

import pytest

from xstilts.languages import table
from xstilts.perturb import PERTURBATIONS
from xstilts.perturb.validity import applicable, validity
from xstilts.tasks import TASKS
from xstilts.tasks.base import Format

SCRIPTS = {row.script for row in table().values()}


def rows(name):
    text = files("xstilts.perturb").joinpath(name).read_text("utf-8")
    return list(csv.DictReader(text.splitlines()))


@pytest.mark.parametrize("name", ["applicable.csv", "validity.csv"])
def test_tables_are_sound(name):
    for row in rows(name):
        assert row["perturbation"] in PERTURBATIONS
        assert set(row["written_in"].split()) <= {"*"} | SCRIPTS | set(table())
        assert row["reason"]
        assert None not in row
        assert row.get("applies", "yes") in ("yes", "no")
        assert row.get("verdict", "invalid") in ("preserving", "possibly changing", "invalid")
        assert set(row.get("task", "*").split()) <= {"*"} | set(TASKS) | set(get_args(Format))


def test_each_perturbation_is_said_once_of_each_script():
    said = [
        (row["perturbation"], place)
        for row in rows("applicable.csv")
        for place in row["written_in"].split()
    ]
    assert len(said) == len(set(said))
    for name in PERTURBATIONS:
        for code in table():
            applicable(name, code)  # which fails where nothing is said


def test_every_pair_has_a_verdict():
    for name in PERTURBATIONS:
        for task in TASKS.values():
            for code in ("en", "hi", "zh", "th", "ko", "vi", "yo"):
                assert validity(name, task, code).reason


@pytest.mark.parametrize(
    ("name", "task", "language", "verdict"),
    [
        ("keyboard", "xnli", "hi", "preserving"),
        ("keyboard", "xnli", "zh", "not applicable"),
        ("keyboard", "xnli", "bg", "not applicable"),  # no layout, though Cyrillic has one
        ("word_drop", "xnli", "en", "invalid"),
        ("word_drop", "tatoeba", "en", "possibly changing"),
        ("drop", "xnli", "zh", "invalid"),
        ("drop", "tatoeba", "zh", "possibly changing"),
        ("drop", "xnli", "en", "preserving"),
        ("shuffle", "pawsx", "en", "invalid"),
        ("shuffle", "xnli", "en", "possibly changing"),
        ("marks", "xnli", "fr", "preserving"),
        ("marks", "xnli", "vi", "possibly changing"),
        ("marks", "udpos", "yo", "possibly changing"),
        ("distractor", "xquad", "ru", "preserving"),
        ("distractor", "squad_v2", "en", "possibly changing"),
        ("distractor", "xnli", "ru", "invalid"),
        ("romanisation", "xnli", "ru", "preserving"),
        ("romanisation", "xnli", "en", "not applicable"),
    ],
)
def test_verdicts(name, task, language, verdict):
    assert validity(name, TASKS[task], language).verdict == verdict


@pytest.mark.parametrize("name", ["applicable.csv", "validity.csv"])
def test_the_documentation_shows_the_tables(name):
    page = (Path(__file__).parents[2] / "docs" / "robustness.md").read_text("utf-8").splitlines()
    for row in rows(name):
        assert f"| {' | '.join(row.values())} |" in page

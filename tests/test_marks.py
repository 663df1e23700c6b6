"""Which cells of a table test no transfer, and why."""

from __future__ import annotations

import pytest

from xstilts.path import parse
from xstilts.tasks import TASKS, Catalogue
from xstilts.tasks.marks import mark


@pytest.mark.parametrize(
    ("path", "baseline", "source", "expected"),
    [
        ("mnli > xnli", "xnli", "hub", "same data"),
        ("squad_v1 > xquad", "xquad", "hub", "same data"),
        ("squad_v1 > mlqa", "mlqa", "hub", "same data"),
        # more than the target's rows, or a part of them
        ("anli_plus > xnli", "xnli", "hub", "same data"),
        ("squad_v2 > xquad", "xquad", "hub", "same data"),
        ("mnli > xnli", "xnli", "mirror", "same data"),  # trained on taxinli, rows of MNLI
        ("csqa + mnli@0.5 > xnli", "xnli", "hub", "same data"),
        ("mnli > csqa > xnli", "xnli", "hub", "same data"),
        # the same rows in another language, or with other labels
        ("mnli:de/ru/sw > xnli", "xnli", "hub", "same data"),
        ("shuffled(mnli) > xnli", "xnli", "hub", "same data"),
        # the baseline has it already
        ("squad_v1 > tatoeba", "squad_v1 | tatoeba", "hub", "repeat"),
        ("social_iqa > copa > xcopa", "social_iqa > copa | xcopa", "hub", "same data"),
        ("social_iqa > xcopa", "social_iqa > copa | xcopa", "hub", "repeat"),
        # neither
        ("squad_v1 > tatoeba", "| tatoeba", "hub", ""),
        ("mnli > tatoeba", "squad_v1 | tatoeba", "hub", ""),
        ("mnli > pawsx", "pawsx", "hub", ""),
        ("squad_v1 > tydiqa", "tydiqa", "hub", ""),
        ("csqa > xcopa", "social_iqa > copa | xcopa", "hub", ""),
        ("same_steps(csqa) > xnli", "xnli", "hub", ""),
        ("xnli", "xnli", "hub", ""),
    ],
)
def test_marks(path, baseline, source, expected):
    assert mark(parse(path), parse(baseline), source, Catalogue()) == expected


def test_contained_tasks_are_tasks_of_the_same_kind():
    for task in TASKS.values():
        for name in task.contains:
            assert TASKS[name].format == task.format
            assert name != task.name

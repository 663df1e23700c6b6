"""The microworld as a source: what paths mean in it."""

from __future__ import annotations

import pytest

from xstilts.path import parse
from xstilts.resolve import resolve
from xstilts.study import Study
from xstilts.suites import MIXTURES, SUITES
from xstilts.tasks import TASKS, Catalogue, Generated
from xstilts.tasks.microworld import LANGUAGES, NOTE


def trained(path: str) -> list[list[str]]:
    stages = resolve(parse(path), "microworld", Catalogue()).stages
    return [[one.item.task for one in stage.items] for stage in stages]


def test_a_target_is_trained_on_what_it_declares():
    assert trained("taxinli > xnli") == [["taxinli"], ["mnli"]]
    assert trained("hellaswag > xquad") == [["hellaswag"], ["squad_v1"]]
    assert trained("codah > udpos") == [["codah"], ["udpos"]]
    assert trained("mnli > tatoeba") == [["mnli"]]
    assert trained("all9 > pawsx") == [list(MIXTURES["all9"]), ["pawsx"]]


def test_intermediate_data_in_other_languages():
    (stage, _) = resolve(parse("mnli:de/sw > xnli"), "microworld", Catalogue()).stages
    assert stage.items[0].item.languages == ("de", "sw")


def test_a_target_is_evaluated_in_the_languages_that_it_has_and_the_world_has():
    for name in SUITES["mirror"]:
        (found,) = resolve(parse(f"squad_v2 > {name}"), "microworld", Catalogue()).evaluations
        assert found.languages == tuple(one for one in TASKS[name].languages if one in LANGUAGES)
        assert len(found.languages) >= 3


@pytest.mark.parametrize("task", [one for one in TASKS.values() if "microworld" in one.sources])
def test_generated_rows_say_what_they_are(task):
    data = task.sources["microworld"]
    assert data.note == NOTE
    for rows, pool in ((data.train, "train"), (data.select, "select"), (data.evaluate, "test")):
        if isinstance(rows, Generated) and task.format != "mlm":
            assert (rows.task, rows.pool) == (task.name, pool)
            assert rows.place == f"the microworld ({rows.family}, {pool})"


def test_it_is_the_source_of_a_study_that_names_none():
    assert Study(name="a", paths=("mnli > xnli",)).source == "microworld"

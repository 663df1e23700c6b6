"""Suites and mixtures: what they hold, and what is known to be missing."""

from __future__ import annotations

import pytest

from xstilts.errors import UserError
from xstilts.languages import table
from xstilts.path import parse
from xstilts.resolve import resolve
from xstilts.suites import BENCHMARKS, MIXTURES, SUITES, means, suite
from xstilts.tasks import TASKS, Catalogue


def test_xtreme_has_the_nine_tasks_of_its_table_1():
    assert len(SUITES["xtreme"]) == 9
    assert set(SUITES["xtreme"]) == {
        *("xnli", "pawsx", "udpos", "panx", "xquad", "mlqa", "tydiqa", "bucc2018", "tatoeba")
    }


def test_xtreme_r_drops_two_tasks_and_adds_three():
    """Ruder et al. 2021, section 3.1: PAWS-X and BUCC are left out; XCOPA and two retrieval tasks
    come in."""
    gone, come = (
        set(SUITES["xtreme"]) - set(SUITES["xtreme-r"]),
        set(SUITES["xtreme-r"]) - set(SUITES["xtreme"]),
    )
    assert gone == {"pawsx", "bucc2018"}
    assert come == {"xcopa", "mewslix", "lareqa"}


def test_all9_are_the_nine_intermediate_tasks_of_the_paper():
    assert len(MIXTURES["all9"]) == 9
    assert set(MIXTURES["all9"]) == {
        *("anli_plus", "mnli", "qqp", "squad_v1", "squad_v2", "hellaswag", "ccg"),
        *("cosmos_qa", "csqa"),
    }


@pytest.mark.parametrize("names", [*SUITES.values(), *MIXTURES.values()])
def test_members_are_tasks_each_once(names):
    assert len(set(names)) == len(names)
    assert all(str(parse(name)) == name for name in names)
    assert set(names) <= TASKS.keys()


def test_every_task_has_rows_somewhere():
    assert not [name for name, task in TASKS.items() if not task.sources]


def test_every_task_of_the_mirror_suite_can_be_evaluated_there():
    assert all(TASKS[name].sources["mirror"].evaluate for name in SUITES["mirror"])


def test_every_task_of_the_microworld_suite_can_be_evaluated_there():
    assert all(TASKS[name].sources["microworld"].evaluate for name in SUITES["microworld"])


@pytest.mark.parametrize("name", ["xtreme", "xtreme-r"])
def test_baselines_are_paths_of_their_own(name):
    """Each can be run on the hub, and evaluates the task that it is the baseline of."""
    for task in SUITES[name]:
        path = BENCHMARKS[name].baselines.get(task, task)
        found = resolve(parse(path), "hub", Catalogue())
        assert [one.task for one in found.evaluations] == [task]


def test_baselines_of_xtreme_r_have_stages_before():
    """Ruder et al. 2021; in XTREME, Tatoeba is the pretrained encoder as it is."""
    assert BENCHMARKS["xtreme-r"].baselines == {
        "tatoeba": "squad_v1 | tatoeba",
        "xcopa": "social_iqa > copa | xcopa",
    }
    assert not BENCHMARKS["xtreme"].baselines


def test_names_are_not_names_of_tasks():
    assert not TASKS.keys() & (SUITES.keys() | MIXTURES.keys())


def test_suite():
    assert suite("xtreme") is SUITES["xtreme"]
    with pytest.raises(UserError) as refused:
        suite("xtrem")
    assert str(refused.value) == 'no suite is called "xtrem": did you mean "xtreme"?'


# languages and means


def test_language_counts_are_those_of_the_official_script():
    """evaluate.py of google-research/xtreme; LAReQA by its files."""
    assert {task: len(codes) for task, codes in BENCHMARKS["xtreme"].languages.items()} == {
        "xnli": 15,
        "pawsx": 7,
        "udpos": 33,
        "panx": 40,
        "xquad": 11,
        "mlqa": 7,
        "tydiqa": 9,
        "bucc2018": 4,
        "tatoeba": 36,
    }
    assert {task: len(codes) for task, codes in BENCHMARKS["xtreme-r"].languages.items()} == {
        "xnli": 15,
        "xcopa": 11,
        "udpos": 38,
        "panx": 48,
        "xquad": 12,
        "mlqa": 7,
        "tydiqa": 9,
        "mewslix": 11,
        "lareqa": 11,
        "tatoeba": 41,
    }


@pytest.mark.parametrize(("name", "flag"), [("xtreme", "xtreme"), ("xtreme-r", "xtreme_r")])
def test_all_languages_of_a_suite_together(name, flag):
    """40 in XTREME, 50 in XTREME-R."""
    found = {code for codes in BENCHMARKS[name].languages.values() for code in codes}
    assert found == {code for code, one in table().items() if getattr(one, flag)}
    assert len(found) == {"xtreme": 40, "xtreme-r": 50}[name]


@pytest.mark.parametrize("name", ["xtreme", "xtreme-r"])
def test_tasks_have_all_languages_of_their_suites(name):
    for task, codes in BENCHMARKS[name].languages.items():
        assert len(set(codes)) == len(codes)
        assert set(codes) <= set(TASKS[task].languages)


def flat(value: float) -> dict[str, dict[str, float]]:
    """The same score everywhere in XTREME."""
    return {
        task: dict.fromkeys(codes, value) for task, codes in BENCHMARKS["xtreme"].languages.items()
    }


def test_means_by_hand():
    """A published row without retrieval (X-STILTs in table 16 of the RemBERT paper): its groups
    are 83.95, 69.45 and 67.27; the mean over tasks differs from theirs, as groups hold two or three
    tasks."""
    rows = {
        "xnli": 80.0,
        "pawsx": 87.9,
        "udpos": 74.9,
        "panx": 64.0,
        "xquad": (78.7 + 63.3) / 2,
        "mlqa": (72.4 + 53.7) / 2,
        "tydiqa": (76.0 + 59.5) / 2,
    }
    scores = {
        task: dict.fromkeys(codes, rows[task]) for task, codes in flat(0).items() if task in rows
    }
    found = means("xtreme", scores, retrieval=False)
    assert found.groups["classification"] == pytest.approx(83.95)
    assert found.groups["tagging"] == pytest.approx(69.45)
    assert found.groups["qa"] == pytest.approx(67.2667, abs=1e-4)
    assert found.over_groups == pytest.approx((83.95 + 69.45 + 67.2667) / 3, abs=1e-4)
    assert found.over_tasks == pytest.approx(sum(rows.values()) / 7)
    assert found.missing == ()


def test_english_in_and_out():
    """PAWS-X has 7 languages: 1 in English and 0 elsewhere is 1/7 with it and 0 without."""
    scores = flat(0.0)
    scores["pawsx"]["en"] = 1.0
    assert means("xtreme", scores).tasks["pawsx"] == pytest.approx(1 / 7)
    assert means("xtreme", scores, english=False).tasks["pawsx"] == 0
    assert means("xtreme", scores, english=False).missing == ()  # BUCC and Tatoeba have none


def test_retrieval_in_and_out():
    scores = flat(0.0) | {"tatoeba": dict.fromkeys(flat(0)["tatoeba"], 0.9)}
    found = means("xtreme", scores)
    assert found.over_tasks == pytest.approx(0.9 / 9)
    assert found.over_groups == pytest.approx(0.45 / 4)
    assert means("xtreme", scores, retrieval=False).over_tasks == 0


def test_what_is_missing_makes_no_mean():
    scores = flat(0.5)
    del scores["mlqa"]["hi"], scores["bucc2018"]
    found = means("xtreme", scores)
    assert found.missing == ("mlqa hi", *(f"bucc2018 {code}" for code in ("de", "fr", "ru", "zh")))
    assert (
        found.tasks["mlqa"] is found.groups["qa"] is found.over_tasks is found.over_groups is None
    )
    assert found.groups["tagging"] == found.tasks["xquad"] == 0.5


def test_other_languages_are_left_out():
    scores = flat(0.5)
    scores["xquad"]["ro"] = 0.0  # of XTREME-R only
    assert means("xtreme", scores).tasks["xquad"] == 0.5


def test_variants_of_all9_lack_what_their_names_say():
    assert set(MIXTURES["all9"]) - set(MIXTURES["all9_mnli_once"]) == {"mnli"}
    assert set(MIXTURES["all9"]) - set(MIXTURES["all9_without_ccg"]) == {"ccg"}

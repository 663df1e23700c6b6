"""A suite's submission: whole or not at all, and read back with the scores that are stored."""

from __future__ import annotations

import json
from types import MappingProxyType

import pytest

import small_tasks
from xstilts import submitting, suites
from xstilts.engines.local import LocalEngine
from xstilts.errors import UserError
from xstilts.metrics import leaderboard
from xstilts.store import Store
from xstilts.study import Options
from xstilts.suites import Suite
from xstilts.tasks import Catalogue

PATHS = ("s_xnli", "s_choice", "s_tags", "s_xquad", "| s_tatoeba")
TASKS = ("s_xnli", "s_choice", "s_tags", "s_xquad", "s_tatoeba")


class Silent:
    begin = progress = note = end = failed = lambda *_: None


@pytest.fixture(scope="module")
def done(small, tiny, tmp_path_factory):
    """A plan of every format, and the store in which it is finished."""
    store = tmp_path_factory.mktemp("done") / "store"
    found = small_tasks.plan(small, tiny, *PATHS, options=Options(max_steps=2))
    LocalEngine().run(found, small_tasks.bench(small, store), Silent())
    return found, Store(store)


@pytest.fixture
def suite(small, monkeypatch):
    tasks = {task.name: task for task in small_tasks.tasks(small)}
    small_suite = Suite(
        groups=MappingProxyType({"all": TASKS}),
        languages=MappingProxyType({name: tasks[name].languages for name in TASKS}),
    )
    monkeypatch.setattr(suites, "BENCHMARKS", {"small": small_suite})
    return Catalogue(tasks.values())


def test_what_is_written_scores_as_what_is_stored(done, suite, tmp_path):
    plan, store = done
    entries = submitting.entries(plan, store, suite, "small")
    assert len(entries) == 3 + 1 + 3 + 3 + 2
    out = tmp_path / "out"
    submitting.write(entries, out)  # reads it back
    assert sorted(path.name for path in (out / "s_tags").iterdir()) == [
        *("test-de.tsv", "test-en.tsv", "test-ru.tsv")
    ]
    labels = (out / "s_xnli/test-de.tsv").read_text().splitlines()
    assert len(labels) == small_tasks.TEST_ROWS
    assert set(labels) <= set(small_tasks.NLI_LABELS)
    answers = json.loads((out / "s_xquad/test-en.json").read_text())
    assert len(answers) == small_tasks.TEST_ROWS
    with pytest.raises(UserError, match="is there already"):
        submitting.write(entries, out)


def test_translations_are_asked_for_in_the_order_of_their_english(done, suite, tmp_path):
    plan, store = done
    found = submitting.entries(plan, store, suite, "small")
    (entry,) = [one for one in found if (one.task.name, one.language) == ("s_tatoeba", "de")]
    asked = [row["group"] for row in entry.rows]
    assert asked == sorted(asked)
    submitting._write(tmp_path, entry, "gold")
    gold = (tmp_path / "s_tatoeba/test-de.tsv").read_text().split()
    assert sorted(map(int, gold)) == list(range(small_tasks.TEST_ROWS))


def test_a_wrong_file_is_noticed(done, suite, tmp_path, monkeypatch):
    plan, store = done
    entries = submitting.entries(plan, store, suite, "small")
    right = leaderboard.score_file
    monkeypatch.setattr(
        leaderboard, "score_file", lambda task, _, gold, code: right(task, gold, gold, code)
    )
    with pytest.raises(AssertionError):
        submitting.write(entries, tmp_path / "out")


def test_what_is_not_whole_is_refused_with_a_list(small, tiny, done, suite, tmp_path):
    _, store = done
    some = small_tasks.plan(small, tiny, *PATHS[:2], options=Options(max_steps=2))
    with pytest.raises(UserError) as refused:
        submitting.entries(some, store, suite, "small")
    message = str(refused.value)
    assert message.startswith("no submission to small, as 8 of 12 files would not be whole: ")
    assert "s_tags en de ru: not in the study" in message
    capped = small_tasks.plan(small, tiny, *PATHS, options=Options(max_steps=2, max_eval_rows=3))
    with pytest.raises(UserError, match="s_xnli en de ru: not finished"):
        submitting.entries(capped, store, suite, "small")
    LocalEngine().run(capped, small_tasks.bench(small, tmp_path / "store"), Silent())
    with pytest.raises(UserError, match="s_xnli en de ru: 3 rows, not all"):
        submitting.entries(capped, Store(tmp_path / "store"), suite, "small")


def test_several_paths_to_one_number_are_refused(small, tiny, done, suite):
    _, store = done
    twice = small_tasks.plan(small, tiny, *PATHS, "s_choice > s_xnli", options=Options(max_steps=2))
    with pytest.raises(UserError) as refused:
        submitting.entries(twice, store, suite, "small")
    assert "s_xnli en de ru: more than one, give one path and seed: " in str(refused.value)


def test_mined_pairs_are_cut_at_the_carried_threshold():
    """Of XTREME's two columns; rows below the threshold, and those of the tuning set, are out."""
    from xstilts.tasks import TASKS as BUILT_IN

    rows = [
        {"id": "d1", "gold": ["e1"], "prediction": ["e1"]},
        {"id": "d2", "gold": ["e2", "e3"], "prediction": []},
    ]
    assert submitting._text(BUILT_IN["bucc2018"], rows, "prediction") == "d1\te1\n"
    assert submitting._text(BUILT_IN["bucc2018"], rows, "gold") == "d1\te1\nd2\te2\nd2\te3\n"


def test_choices_are_json_lines():
    from xstilts.tasks import TASKS as BUILT_IN

    rows = [{"id": "0", "gold": 1, "prediction": 0}, {"id": "1", "gold": 0, "prediction": 0}]
    written = submitting._text(BUILT_IN["xcopa"], rows, "prediction")
    assert written == '{"label": 0}\n{"label": 0}\n'


def test_ranked_candidates():
    from xstilts.tasks import TASKS as BUILT_IN

    rows = [{"id": "q", "gold": "Q1", "prediction": ["Q2", "Q1"]}]
    assert submitting._text(BUILT_IN["mewslix"], rows, "prediction") == '{"q": ["Q2", "Q1"]}'
    assert submitting._text(BUILT_IN["mewslix"], rows, "gold") == '{"q": ["Q1"]}'

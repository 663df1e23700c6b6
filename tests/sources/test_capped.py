"""Caps of a quick look: as many rows as asked for, of as many articles as there are."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xstilts.formats.examples import Query
from xstilts.sources import Sources
from xstilts.sources.capped import cap_inputs, capped
from xstilts.tasks import TASKS


def queries(groups: list[int]) -> list[Query]:
    return [Query(str(n), str(group), "who?", (), ()) for n, group in enumerate(groups)]


def test_rows_that_come_by_article_are_taken_from_each_in_turn():
    rows = queries([7, 7, 7, 2, 2, 9])
    kept = [one.id for one in capped(TASKS["xquad"], rows, 4)]
    assert kept == ["0", "1", "3", "5"]  # one of each, then the first article's second
    assert [one.id for one in capped(TASKS["xnli"], rows, 4)] == ["0", "1", "2", "3"]


@given(st.lists(st.integers(0, 5)), st.none() | st.integers(1, 12))
def test_a_cap_keeps_order_and_shares_rows_out(groups, most):
    rows = queries(groups)
    kept = capped(TASKS["mlqa"], rows, most)
    assert len(kept) == min(len(rows), len(rows) if most is None else most)
    assert [one for one in rows if one in kept] == kept
    each, whole = Counter(one.group for one in kept), Counter(map(str, groups))
    fullest = max(each.values(), default=0)
    assert all(each[group] >= min(count, fullest - 1) for group, count in whole.items())
    if most is not None:  # a smaller cap keeps some of what a larger one keeps
        fewer = capped(TASKS["mlqa"], rows, most - 1) if most > 1 else []
        assert set(fewer) <= set(kept)


def test_what_steps_say_of_it():
    assert cap_inputs(TASKS["xquad"], 100) == {"max_rows": 100, "capped": "by article"}
    assert cap_inputs(TASKS["xquad"], None) == {"max_rows": None}
    assert cap_inputs(TASKS["xnli"], 100) == {"max_rows": 100}


@pytest.mark.parametrize("name", ["xquad", "lareqa"])
def test_a_hundred_questions_are_about_all_48_articles(name, mirror):
    task = TASKS[name]
    rows = Sources(mirror).examples(task, task.sources["mirror"], "evaluate", "en")
    assert len({one.group for one in capped(task, rows, 100)}) == 48
    assert len({one.group for one in rows[:100]}) == 3

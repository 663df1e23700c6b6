"""Batches made one step ahead, and no further."""

from __future__ import annotations

import threading

import pytest

from xstilts.steps.ahead import Ahead


def test_each_step_is_made_once_in_order_in_another_thread():
    made = []

    def make(step):
        made.append((step, threading.current_thread() is threading.main_thread()))
        return step * step

    ahead = Ahead(make, 5)
    assert [ahead(step) for step in range(5)] == [0, 1, 4, 9, 16]
    assert made == [(0, True), (1, False), (2, False), (3, False), (4, False)]


def test_a_run_may_begin_anywhere_and_jump():
    ahead = Ahead(str, 10)
    assert [ahead(step) for step in (7, 8, 3, 9)] == ["7", "8", "3", "9"]


def test_what_goes_wrong_in_the_thread_is_raised_where_the_step_is_asked_for():
    ahead = Ahead(lambda step: 1 // (2 - step), 5)
    assert ahead(0) == 0
    assert ahead(1) == 1
    with pytest.raises(ZeroDivisionError):
        ahead(2)

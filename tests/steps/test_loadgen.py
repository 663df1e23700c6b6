"""The scenarios, on a clock that only the checkpoints move."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from xstilts.steps import loadgen
from xstilts.steps.loadgen import Answered


class Clock:
    """Time that passes when somebody works or sleeps."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        assert seconds > 0
        self.now += seconds


class Side:
    """Takes so many seconds an example, whatever it is."""

    def __init__(self, clock, seconds):
        self.clock, self.seconds, self.seen = clock, seconds, []

    def answer(self, rows):
        self.clock.now += self.seconds * len(rows)
        self.seen.append(list(rows))
        return Answered(0.0, self.seconds * len(rows), 0.0, 3 * len(rows), 7 * len(rows))


LIBRARY = {"en": ["a", "bb", "ccc"], "de": ["dddd", "e"]}


def stream(clock, sides, **changes):
    options = {"queries": 40, "seconds": 0.0, "rng": np.random.default_rng(0), "clock": clock}
    told = []
    options |= {"told": lambda *said: told.append(said), **changes}
    found = list(loadgen.single_stream(sides, LIBRARY, **options))
    return found, told


def test_single_stream_ends_with_enough_queries():
    clock = Clock()
    found, told = stream(clock, {"A": Side(clock, 0.1)})
    assert len(found) == 40
    assert [query.round for query in found] == list(range(40))
    assert told[-1][:2] == (40, 40)
    assert {query.examples for query in found} == {1}
    assert sum(query.language == "en" for query in found) == 20  # every language as often


def test_single_stream_goes_on_until_enough_time_has_passed():
    clock = Clock()
    found, _ = stream(clock, {"A": Side(clock, 0.5)}, seconds=100.0)
    assert len(found) == 200  # the warm-up does not count


def test_sides_answer_the_same_queries_in_drawn_order():
    clock = Clock()
    sides = {"A": Side(clock, 0.1), "B": Side(clock, 0.2)}
    found, _ = stream(clock, sides, queries=400)
    assert sides["A"].seen == sides["B"].seen
    rounds = {}
    for query in found:
        rounds.setdefault(query.round, []).append(query.side)
    assert all(sorted(order) == ["A", "B"] for order in rounds.values())
    first = sum(order[0] == "A" for order in rounds.values())
    assert stats.binomtest(first, 400).pvalue > 1e-4


def test_offline_takes_whole_passes_in_batches_of_similar_length():
    clock = Clock()
    side = Side(clock, 1.0)
    found = list(
        loadgen.offline(
            {"A": side},
            LIBRARY,
            batch=2,
            queries=6,
            seconds=0.0,
            rng=np.random.default_rng(0),
            clock=clock,
            told=lambda *_: None,
        )
    )
    assert sum(query.examples for query in found) == 10  # two passes over five
    assert {query.round for query in found} == set(range(6))
    assert sorted(map(str, side.seen[-3:])) == ["['a', 'bb']", "['ccc']", "['e', 'dddd']"]
    assert sum(query.answered.seconds for query in found) == 10.0


def test_arrivals_are_a_poisson_process():
    times = loadgen.arrivals(50.0, 4000, 0.0, np.random.default_rng(2))
    assert len(times) == 4000
    gaps = np.diff(times)
    assert stats.kstest(gaps, "expon", args=(0, 1 / 50)).pvalue > 1e-3
    counts = np.bincount((times / 0.1).astype(int))[:-1]  # in a tenth of a second: Poisson(5)
    assert counts.mean() == pytest.approx(5, rel=0.1)
    assert counts.var() == pytest.approx(5, rel=0.25)


def test_arrivals_last_as_long_as_they_must():
    times = loadgen.arrivals(10.0, 5, 30.0, np.random.default_rng(0))
    assert times[-2] < 30.0 <= times[-1]
    assert len(loadgen.arrivals(10.0, 500, 1.0, np.random.default_rng(0))) == 500


def serve(times, seconds, batch, give_up=1e9):
    clock = Clock()
    side = Side(clock, seconds)
    rows = list(range(len(times)))
    found = loadgen.serve(
        side,
        rows,
        np.array(times),
        batch=batch,
        give_up_s=give_up,
        clock=clock,
        sleep=clock.sleep,
    )
    return found.tolist(), side.seen


def test_latency_counts_from_the_arrival():
    # One second each, arrivals at 0, 0.5, 5: the second waits half a second for the first.
    found, seen = serve([0.0, 0.5, 5.0], 1.0, batch=1)
    assert found == pytest.approx([1.0, 1.5, 1.0])
    assert seen == [[0], [1], [2]]


def test_what_waits_is_answered_together():
    found, seen = serve([0.0, 0.1, 0.2, 0.3], 1.0, batch=2)
    assert seen == [[0], [1, 2], [3]]
    assert found == pytest.approx([1.0, 2.9, 2.8, 3.7])


def test_a_run_that_falls_behind_is_given_up():
    found, _ = serve([0.0] * 10, 1.0, batch=1, give_up=2.5)
    assert found[:3] == [1.0, 2.0, 3.0]
    assert found[3:] == [float("inf")] * 7


@pytest.mark.parametrize("guess", [0.1, 3.0, 70.0, 900.0])
def test_the_largest_rate_is_found_from_anywhere(guess):
    asked = []

    def passes(rate):
        asked.append(rate)
        return rate <= 64.0

    found = loadgen.largest_rate(passes, guess)
    assert 64.0 * 0.98 < found <= 64.0
    assert asked[-loadgen.CONFIRMATIONS :] == [found] * loadgen.CONFIRMATIONS


def test_a_rate_that_fails_a_confirmation_is_lowered():
    runs = iter([True, *[False] * 7, True, False, *[True] * 5])  # 2, then bisection, then 5 passes
    found = loadgen.largest_rate(lambda _rate: next(runs), 2.0)
    assert found == pytest.approx(2.0 * loadgen.STEP_BACK)


def test_no_rate_passes_where_one_query_alone_is_too_slow():
    assert loadgen.largest_rate(lambda _rate: False, 5.0) == 0.0

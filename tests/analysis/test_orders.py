"""Orders: components of variance, the best one held out, ends, rules."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest

from analysis import orders
from xstilts.analysis import components, held_out, rules, sequences
from xstilts.analysis.draws import Draws
from xstilts.analysis.gains import Gains


def draws(values, seeds=None):
    rows = np.asarray(values, float)
    return Draws(np.column_stack([rows, rows, rows]), tuple(seeds or range(len(rows))), 50)


def test_splits_are_halves_in_all_ways():
    assert held_out.splits(2) == [((0,), (1,)), ((1,), (0,))]
    assert held_out.splits(3) == [((0, 1), (2,)), ((0, 2), (1,)), ((1, 2), (0,))]
    assert len(held_out.splits(4)) == 6
    assert held_out.splits(1) == []


def test_the_best_is_judged_where_it_was_not_picked():
    """Two paths, two seeds: each seed judges what the other picks."""
    found = held_out.best({"x": draws([1.0, 0.0]), "y": draws([0.0, 3.0])})
    # Seed 0 picks x, judged on seed 1: 0. Seed 1 picks y, judged on seed 0: 0.
    assert found.values[:, 0].tolist() == [0, 0]
    assert held_out.picked_by_all({"x": draws([1.0, 0.0]), "y": draws([0.0, 3.0])}).values[
        :, 0
    ].tolist() == [0, 3]
    assert held_out.best({"x": draws([1.0])}) is None


def test_luck_is_no_merit():
    """Where all orders are alike, the best of 24 is no better than any, once it is held out."""
    fair, cursed = [], []
    for number in range(60):
        gains = Gains(orders.study(run_sd=0.01, number=number, targets=("udpos",)))
        found = {b: gains.outcome("m", "udpos", b).over() for b in gains.intermediates}
        average = np.mean([one.values[:, 0].mean() for one in found.values()])
        fair.append(held_out.best(found).values[:, 0].mean() - average)
        cursed.append(held_out.picked_by_all(found).values[:, 0].mean() - average)
    assert abs(np.mean(fair)) < 3 * np.std(fair) / 60**0.5
    assert np.mean(cursed) > 0.008


def test_a_study_is_cut_into_sets_with_their_controls():
    found = sequences.groups(Gains(orders.study()), "m")
    assert [one.name for one in found] == ["a, b, c", "a, b, d", "a, c, d", "b, c, d"]
    assert found[0].together == "a + b + c"
    assert found[0].singles == ("a", "b", "c")
    assert len(found[0].orders) == 6


def test_a_true_best_order_is_found_and_compared():
    def effect(path):
        return 0.02 if path[-1:] == ("c",) and len(path) == 3 else 0.0

    study = orders.study(effect, seeds=8, run_sd=0.001, item_sd=0.001)
    found = sequences.analyse(Gains(study))
    (one,) = [
        b for b in found.best if (b.group, b.target, b.versus) == ("a, b, c", "", "random order")
    ]
    assert one.held_out.seeds == 4  # half of the seeds judge what the others picked
    few = sequences.analyse(Gains(orders.study(effect, seeds=3, run_sd=0.001, item_sd=0.001)))
    assert all(b.held_out is None and b.p is None and b.estimate for b in few.best)
    # Two of six orders have it: 0.02 x (1 - 1/3).
    assert one.estimate.value == pytest.approx(0.02 * 2 / 3, abs=0.002)
    assert one.p < 0.05
    (multi,) = [
        b for b in found.best if (b.group, b.target, b.versus) == ("a, b, c", "", "multi-task")
    ]
    assert multi.estimate.value == pytest.approx(0.02, abs=0.002)
    last = {e.task: e.estimate.value for e in found.edges if e.place == "last"}
    assert last["c"] == pytest.approx(0.02 * 2 / 3, abs=0.002)
    assert last["a"] < 0


def test_components_against_the_textbook():
    """Nested analysis of variance of 2 sets of 2 orders in 2 seeds, by hand.

    Means of sets 2 and 6; of orders 1, 3, 6, 6; of seeds 3.5, 4.5.
    """
    scores = np.array([[0.5, 1.5], [2.5, 3.5], [5.5, 6.5], [5.5, 6.5]])
    found = {
        one.name: one
        for one in components.components(
            scores, [0, 0, 1, 1], [("a", "b"), ("b", "a"), ("c", "d"), ("d", "c")]
        )
    }
    assert {name: one.df for name, one in found.items()} == {
        "set": 1,
        "position": 2,
        "order": 0,
        "seed": 1,
        "rest": 3,
    }
    assert found["rest"].variance == pytest.approx(0)
    # Sum of squares of seeds: 4 orders x 2 seeds x 0.5^2 = 2; one degree of freedom; 4 runs each.
    assert found["seed"].variance == pytest.approx(2 / 4)
    # Orders within sets: 2 seeds x (1 + 1 + 0 + 0) = 4 on 2 degrees of freedom, mean square 2.
    # Sets: 2 seeds x 2 orders x (2^2 + 2^2) = 32; (32 - 2) / (2 x 2).
    assert found["set"].variance == pytest.approx((32 - 2) / 4)
    # All that orders vary by is position: mean square 2, in 2 seeds: 1 a run; spread over sets.
    assert found["position"].variance == pytest.approx(1 * 2 / 4)
    assert np.isnan(found["order"].variance)


def test_components_are_right_on_average():
    sd = {"set": 0.03, "seed": 0.02, "order": 0.015, "rest": 0.01}
    rng = np.random.default_rng(0)
    rows = [(g, p) for g in range(4) for p in permutations("abcd"[:g] + "abcd"[g + 1 :])]
    sums: dict[str, list[float]] = {}
    covered = {"seed": 0, "rest": 0, "order": 0}
    for _ in range(200):
        y = rng.normal(0, sd["set"], 4)[[g for g, _ in rows]]
        y = y + rng.normal(0, sd["order"], len(rows))
        y = y[:, None] + rng.normal(0, sd["seed"], 4) + rng.normal(0, sd["rest"], (len(rows), 4))
        found = components.components(y, [g for g, _ in rows], [p for _, p in rows])
        for one in found:
            sums.setdefault(one.name, []).append(one.variance)
            if one.name in covered:
                covered[one.name] += one.low <= sd[one.name] ** 2 <= one.high
    for name, true in sd.items():
        error = np.std(sums[name]) / 200**0.5
        assert np.mean(sums[name]) == pytest.approx(true**2, abs=4 * error), name
    assert abs(np.mean(sums["position"])) < 4 * np.std(sums["position"]) / 200**0.5
    assert all(count > 180 for count in covered.values()), covered


def test_position_takes_what_positions_make():
    def effect(path):
        return sum(0.01 * place for place, task in enumerate(path) if task == "a" and len(path) > 1)

    found = sequences.analyse(Gains(orders.study(effect, run_sd=1e-4)))
    parts = {one.name: one for one in found.variances[0].parts}
    assert parts["position"].deviation > 20 * parts["order"].deviation
    assert found.variances[0].orders == 24


ALIKE = {("a", "t"): 0.9, ("b", "t"): 0.5, ("c", "t"): 0.1, ("a", "b"): 0.2, ("b", "c"): 0.8}


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("last to target", {"b > c > a", "c > b > a"}),
        ("near to far", {"a > b > c"}),
        ("far to near", {"c > b > a"}),
        # c-b 0.8, b-a 0.2, a-t 0.9 make 1.9; b-c 0.8, c-a 0.3, a-t 0.9 make 2.0.
        ("adjacent", {"b > c > a"}),
    ],
)
def test_rules_by_hand(rule, expected):
    table = ALIKE | {("a", "c"): 0.3}

    def alike(one, two):
        return table.get((one, two)) or table[two, one]

    every = list(permutations("abc"))
    found = rules.choose(rule, every, "t", alike)
    assert {" > ".join(every[place]) for place in found} == expected


def test_a_rule_is_worth_what_its_orders_are():
    def effect(path):
        return 0.02 if path[-1:] == ("c",) and len(path) == 3 else 0.0

    like = {"a": 0.1, "b": 0.2, "c": 0.9, "d": 0.0}

    def alike(feature, one, two):
        return (like[one] if two not in like else 0.5) if feature == "vocabulary" else None

    gains = Gains(orders.study(effect, run_sd=0.001, item_sd=0.001))
    found = rules.followed(gains, alike, {"udpos": "udpos", "xnli": "xnli"})
    assert {one.feature for one in found} == {"vocabulary"}
    by = {(one.rule, one.versus): one for one in found}
    # Three of four sets have c.
    expected = pytest.approx(0.02 * 2 / 3 * 3 / 4, abs=0.002)
    assert by["last to target", "random order"].estimate.value == expected
    assert by["near to far", "random order"].estimate.value < 0
    assert by["last to target", "multi-task"].sets == 8


@pytest.mark.parametrize("done", [4, 5, 6])
def test_a_study_of_which_some_seeds_are_not_done_is_compared_on_those_that_are(done):
    """Eight seeds of single tasks, fewer of sequences: both halves are made of the common ones."""

    def begun(one):
        whole = one.path.count(">") < 3
        return one if whole else replace(one, values=one.values[:done], seeds=one.seeds[:done])

    study = orders.study(seeds=8, run_sd=0.001, item_sd=0.001)
    study.all = [begun(one) for one in study.all]
    found = sequences.analyse(Gains(study)).best
    singles = [one for one in found if one.versus == "best single task"]
    assert singles
    assert all(one.held_out.seeds == done // 2 and one.estimate.seeds == done for one in singles)

"""Intervals and tests: golden values by hand, and what they hold in simulated studies."""

from __future__ import annotations

from math import sqrt

import numpy as np
import pytest
from scipy import stats

from analysis import simulator
from xstilts import metrics
from xstilts.analysis.draws import Draws
from xstilts.analysis.estimate import (
    Variance,
    detectable,
    equivalence_p,
    estimate,
    holm,
    may_test,
    needed_distance,
    p_value,
    variance_of,
)
from xstilts.analysis.joint import joint


def draws(rows, seeds, groups=1000):
    return Draws(np.array(rows, float), seeds, groups)


def test_one_seed_is_an_interval_over_items_and_says_so():
    # Resampled values 1, 3: variance 2, sd 1.41421; t(0.975, 999 df) = 1.96234.
    found = estimate(draws([[2, 1, 3]], (1,)))
    assert (found.value, found.covers, found.seeds) == (2, "items only: one seed", 1)
    assert found.high - found.value == pytest.approx(1.962341 * 1.414214, rel=1e-6)
    assert not may_test(found)


def test_a_constant_has_no_training_to_cover_and_may_be_tested():
    found = estimate(draws([[2, 1, 3]], None))
    assert (found.covers, found.seeds, may_test(found)) == ("items: nothing is trained", 0, True)


def test_the_parts_of_the_variance_by_hand():
    # Seeds' values 1 and 3: variance 2, over two seeds 1. Their resamples: (0, 2) and (2, 4) about
    # them, each of variance 2, moving together: all of it is the items'.
    together = variance_of(draws([[1, 0, 2], [3, 2, 4]], (1, 2)))
    assert (together.seed, together.item, together.rest) == (1, 2, 0)
    # Resamples that do not move together at all: the items' shared part is 0, what is different for
    # each seed is (8/3) / 2 and stands in the variance between seeds already.
    apart = variance_of(draws([[1, -1, 3, -1, 3], [3, 5, 5, 1, 1]], (1, 2)))
    expected = np.cov([-1, 3, -1, 3]) / 2
    assert (apart.seed, apart.item) == (1, 0)
    assert apart.rest == pytest.approx(expected)


def test_equal_resamples_leave_the_t_interval_of_the_seeds():
    values = [0.5, 0.9, 0.1, 0.7]
    found = estimate(draws([[v, v, v] for v in values], (1, 2, 3, 4), groups=10**9))
    low, high = stats.t.interval(0.95, 3, np.mean(values), stats.sem(values))
    assert (found.low, found.high) == pytest.approx((low, high))
    expected = stats.ttest_1samp(values, 0).pvalue
    assert p_value(found) == pytest.approx(expected, rel=1e-6)
    assert p_value(found, 0.3) == pytest.approx(stats.ttest_1samp(values, 0.3).pvalue, rel=1e-6)


def test_degrees_of_freedom_lie_between_those_of_seeds_and_items():
    assert Variance(1, 0, 0, 2, 10**9).df == pytest.approx(2)
    assert Variance(0, 1, 0, 2, 499).df == 499
    # Equal parts: 2 * (1 + 3 * 2/14) = 20/7 for the seeds; with the items' share 1/4 a 499th.
    assert Variance(1, 1, 0, 2, 499).df == pytest.approx(1 / (7 / 20 + 1 / 4 / 499))


def test_a_test_never_needs_less_than_either_part_alone():
    parts = Variance(4, 9, 0, 1, 100)
    t_seed, t_item = stats.t.ppf(0.975, [1, 100])
    assert needed_distance(parts, 0.05) == pytest.approx(sqrt(4 * t_seed**2 + 9 * t_item**2))


def test_collapsed_runs_stay_in_the_value_and_out_of_the_test():
    rows = [[v, v, v] for v in (0.5, 0.6, -9.0, 0.55)]
    found = estimate(draws(rows, (1, 2, 3, 4)), collapsed=(3,))
    assert found.value == pytest.approx(np.mean([0.5, 0.6, -9, 0.55]))
    assert found.learnt.value == pytest.approx(0.55)
    assert p_value(found) == pytest.approx(stats.ttest_1samp([0.5, 0.6, 0.55], 0).pvalue, rel=1e-4)
    assert not may_test(estimate(draws(rows[:2], (1, 2)), collapsed=(1,)))


def test_holm_by_hand():
    # Ordered 0.01, 0.02, 0.04: times 3, 2, 1, never falling.
    assert holm({"a": 0.04, "b": 0.01, "c": 0.02}) == pytest.approx(
        {"a": 0.04, "b": 0.03, "c": 0.04}
    )
    assert holm({"a": 0.9, "b": 0.8}) == {"a": 1.0, "b": 1.0}


def test_equivalence_is_two_one_sided_tests():
    values = [0.2, 0.3, 0.1, 0.4, 0.25]
    found = estimate(draws([[v, v, v] for v in values], (1, 2, 3, 4, 5), groups=10**9))
    upper = stats.ttest_1samp(values, 1.0, alternative="less").pvalue
    lower = stats.ttest_1samp(values, -1.0, alternative="greater").pvalue
    assert equivalence_p(found, 1.0) == pytest.approx(max(upper, lower), rel=1e-5)
    assert equivalence_p(found, 0.2) > 0.5  # the value itself is outside


@pytest.mark.parametrize("level", [0.05, 0.005])
def test_the_detectable_difference_is_found_in_four_of_five_studies(level):
    rng, studies = np.random.default_rng(2), 20_000
    for parts in (Variance(0.3, 0.2, 0, 2, 500), Variance(0.05, 0.2, 0, 4, 500)):
        value = detectable(parts, level) + rng.normal(0, sqrt(parts.total), studies)
        seen = parts.seed * rng.chisquare(parts.seed_df, studies) / parts.seed_df
        by_seed, by_item = stats.t.isf(level / 2, [parts.seed_df, parts.item_df]) ** 2
        found = value > np.sqrt(by_seed * seen + by_item * parts.item)
        assert found.mean() == pytest.approx(0.8, abs=0.012)


def test_without_seeds_the_detectable_difference_is_the_textbooks():
    assert detectable(Variance(0, 1, 0, 0, 10**6)) == pytest.approx(1.95996 + 0.84162, rel=1e-4)


def test_differences_pair_seeds_and_constants_pair_with_any():
    one, two = draws([[1, 2], [3, 4]], (1, 2)), draws([[10, 10], [20, 20]], (2, 3))
    assert (two - one).seeds == (2,)
    assert (two - one).values.tolist() == [[7, 6]]
    assert (one - draws([[1, 1]], None)).values.tolist() == [[0, 1], [2, 3]]


def test_joint_draws_are_as_wide_as_the_intervals():
    rng = np.random.default_rng(1)
    mine = [simulator.difference(rng, 10, 5.0)[0] for _ in range(2)]
    drawn = joint(mine, "a")
    for column, one in zip(drawn.T, mine, strict=True):
        found = estimate(one)
        low, high = np.quantile(column, (0.025, 0.975))
        assert (high - low) / (found.high - found.low) == pytest.approx(1, abs=0.12)
    same = joint([mine[0], mine[0]], "a")
    np.testing.assert_allclose(same[:, 0], same[:, 1])  # one draw of seeds and items for both


# --- coverage ----------------------------------------------------------------------------------


@pytest.mark.parametrize("seeds", [2, 5])
def test_intervals_cover_in_a_few_studies(seeds):
    held, false = simulator.coverage(seeds, 1.0, studies=300)
    assert held > 0.91
    assert false < 0.08


@pytest.mark.slow
@pytest.mark.parametrize("seeds", [2, 3, 5, 10])
def test_intervals_cover_93_to_97_percent_and_tests_err_at_most_at_5(seeds):
    """Seed variance small, equal and dominant, by the variance over items (docs/statistics.md)."""
    studies = 2500
    three = 3 * sqrt(0.05 * 0.95 / studies)  # standard errors of the simulation itself: 0.013
    for seed_variance in (0.1, 1.0, 10.0):
        held, false = simulator.coverage(seeds, seed_variance, studies)
        assert 0.93 - three < held < 0.97 + three, seed_variance
        assert false < 0.05 + three, seed_variance


@pytest.mark.slow
@pytest.mark.parametrize("name", ["accuracy", "seqeval_f1"])
def test_intervals_from_counts_of_groups_cover(name):
    rng = np.random.default_rng(4)
    held = 0
    for _ in range(400):
        draws, truth = simulator.counted(rng, 3, metrics.get(name))
        found = estimate(draws)
        held += found.low < truth < found.high
    assert 0.92 < held / 400 < 0.99


@pytest.mark.slow
def test_collapses_break_coverage_of_the_mean_and_leave_that_of_runs_that_learnt():
    found = simulator.collapses(3, 1.0, 2000)
    assert found.with_all < 0.7  # why they are flagged
    assert found.apart == pytest.approx(0.965, abs=0.02)
    assert found.false < 0.06


def test_seeds_that_tie_leave_what_the_items_say():
    """Two seeds of one value, each on items of its own ups and downs: as few rows give."""
    rng = np.random.default_rng(3)
    noise = rng.normal(0, 0.02, (2, 999))
    noise[1] -= noise[0] * (noise[0] @ noise[1]) / (noise[0] @ noise[0])  # nothing is shared
    for apart in (0.0, 1e-12, 1e-6):
        values = np.hstack([[[0.01], [0.01 + apart]], 0.01 + noise])
        found = estimate(Draws(values, (1, 2), 40))
        # sd of the mean of two: 0.02 / sqrt(2) = 0.0141; t(39) = 2.02.
        assert (found.high - found.low) / 2 == pytest.approx(2.02 * 0.0141, rel=0.1)
        assert p_value(found) > 0.3


@pytest.mark.slow
@pytest.mark.parametrize("seeds", [2, 5])
def test_families_margins_and_the_largest_err_at_most_at_5_percent(seeds):
    studies = 400
    three = 3 * sqrt(0.05 * 0.95 / studies)
    for seed_variance in (0.1, 10.0):
        assert max(simulator.families(seeds, seed_variance, studies)) < 0.05 + three


def test_one_group_of_items_and_what_never_varies_tell_nothing_of_chance():
    one_article = estimate(Draws(np.array([[0.1, 0.1, 0.1], [0.2, 0.2, 0.2]]), (1, 2), 1))
    assert not may_test(one_article)
    assert one_article.covers == "training only: one group of items"
    alone = estimate(Draws(np.array([[0.1, 0.1, 0.1]]), (1,), 1))
    assert alone.covers == "nothing: one seed, one group of items"
    constant = estimate(Draws(np.full((3, 9), 0.1), (1, 2, 3), 50))
    assert not may_test(constant)
    assert may_test(estimate(Draws(np.array([[0.1, 0.2, 0.1], [0.2, 0.2, 0.3]]), (1, 2), 50)))


def test_a_collapsed_run_that_is_not_among_the_draws_says_nothing_of_them():
    draws = Draws(np.array([[0.1, 0.2, 0.1], [0.2, 0.2, 0.3]]), (3, 4), 50)
    assert estimate(draws, (1,)) == estimate(draws)
    assert estimate(draws, (1, 3)).collapsed == (3,)

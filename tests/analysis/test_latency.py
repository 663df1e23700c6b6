"""Percentiles and equivalence, against values derived by hand and by scipy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from xstilts.analysis.latency import Ratio, percentile, ratio, verdict


def test_the_median_of_ten_has_the_interval_of_the_textbooks():
    """Of 10 values the 2nd and the 9th: P(2 <= Bin(10, 1/2) <= 8) = 1 - 2 * 11/1024 = 0.9785."""
    found = percentile(np.arange(1.0, 11.0), 0.5)
    assert (found.value, found.low, found.high) == (5.0, 2.0, 9.0)


def test_a_tail_that_too_few_values_show_has_no_upper_end():
    """No value is surely above the 99th percentile before 1 - 0.99^n > 0.975, at n = 368."""
    values = np.arange(1.0, 101.0)
    assert percentile(values, 0.99).high is None
    assert percentile(values, 0.99).value == 99.0
    assert percentile(np.arange(1.0, 401.0), 0.99).high is not None
    assert percentile(values, 0.9).high is not None


@given(st.integers(0, 2**31), st.sampled_from([0.5, 0.9, 0.99]))
def test_intervals_hold_their_percentile(seed, share):
    found = percentile(np.random.default_rng(seed).exponential(1, 500), share)
    assert found.low is None or found.low <= found.value
    assert found.high is None or found.value <= found.high


def test_equivalence_is_two_one_sided_tests():
    rng = np.random.default_rng(1)
    first, second = np.exp(rng.normal(0, 0.1, (2, 400)))
    found = ratio(first, second)
    logs = np.log(second / first)
    lower = stats.ttest_1samp(logs, -np.log(1.02), alternative="greater").pvalue
    upper = stats.ttest_1samp(logs, np.log(1.02), alternative="less").pvalue
    assert found.p == pytest.approx(max(lower, upper))
    interval = stats.ttest_1samp(logs, 0).confidence_interval(0.9)
    assert (found.low, found.high) == pytest.approx((np.exp(interval.low), np.exp(interval.high)))
    within = found.low > 1 / 1.02 and found.high < 1.02
    assert (found.answer == "equal") == within  # the interval and the test say the same


@pytest.mark.parametrize(
    ("factor", "spread", "answer"),
    [
        (1.0, 0.02, "equal"),
        (1.01, 0.02, "equal"),
        (1.1, 0.02, "slower"),
        (1 / 1.1, 0.02, "faster"),
        (1.0, 2.0, "not known"),
    ],
)
def test_answers(factor, spread, answer):
    rng = np.random.default_rng(0)
    first, second = np.exp(rng.normal(0, spread, (2, 300)))
    assert ratio(first, factor * second).answer == answer


def test_a_noisy_machine_says_nothing_of_two_checkpoints():
    rng = np.random.default_rng(0)
    wild = ratio(*np.exp(rng.normal(0, 2.0, (2, 50))))
    calm, slow = ratio(np.ones(9), np.ones(9)), ratio(np.ones(9), np.full(9, 1.5))
    text = verdict(wild, slow)
    assert text.startswith("machine too noisy: ")
    assert f"{100 * wild.width:.1f} %" in text
    assert "50.0" not in text
    assert verdict(calm, slow) == "slower: +50.0 % [+50.0 %, +50.0 %]"
    assert verdict(calm, calm).startswith("as fast, within 2.0 %")
    assert verdict(calm, None).startswith("machine quiet enough")


def test_what_two_copies_may_differ_by_is_no_difference():
    """Copies within 1.5 %: a checkpoint that is surely 1 to 3 % slower is not told from a copy."""
    copies = Ratio(1.01, 1.005, 1.015, 0.001, 900)
    assert verdict(copies, Ratio(1.02, 1.01, 1.03, 0.5, 900)) == (
        "not known, at most 3.0 % apart: +2.0 % [+1.0 %, +3.0 %]"
    )
    assert verdict(copies, Ratio(1.03, 1.02, 1.04, 0.9, 900)) == "slower: +3.0 % [+2.0 %, +4.0 %]"
    faster = Ratio(1 / 1.03, 1 / 1.04, 1 / 1.02, 0.9, 900)
    assert verdict(copies, faster).startswith("faster: -2.9 %")


def test_equal_checkpoints_are_called_unequal_as_often_as_declared():
    """At a true difference of exactly the margin, TOST errs in 5 % of all cases."""
    rng = np.random.default_rng(3)
    called = [
        ratio(np.exp(one[0]), 1.02 * np.exp(one[1])).answer == "equal"
        for one in rng.normal(0, 0.02, (2000, 2, 100))
    ]
    assert 0.035 < np.mean(called) < 0.065

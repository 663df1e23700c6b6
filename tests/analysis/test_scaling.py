"""Curves over nested sizes: which form, and where two of them meet."""

from __future__ import annotations

import numpy as np
import pytest

from analysis import simulator
from xstilts.analysis.draws import Draws
from xstilts.analysis.gains import Gains
from xstilts.analysis.scaling import break_even, curves, exchanges, fit, sizes

ROWS = np.array([100, 300, 1000, 3000, 10_000, 30_000], float)


def runs(curve, noise, seeds=3):
    rng = np.random.default_rng(3)
    rows = np.repeat(ROWS, seeds)
    return rows, curve(rows) + rng.normal(0, noise, len(rows))


@pytest.mark.parametrize(
    ("form", "curve"),
    [
        ("constant", lambda n: 0 * n + 0.6),
        ("log-linear", lambda n: 0.4 + 0.02 * np.log(n)),
        ("power law", lambda n: 0.7 - 0.9 * n**-0.4),
    ],
)
def test_the_form_that_made_the_points_is_found(form, curve):
    found = fit(*runs(curve, 0.002))
    assert found.form == form
    assert found.at(2000) == pytest.approx(curve(2000.0), abs=0.005)


def test_six_single_runs_are_too_few_for_a_power_law_unless_it_fits_well():
    assert fit(*runs(lambda n: 0.7 - 0.1 * n**-0.1, 0.01, seeds=1)).form != "power law"


def test_aicc_by_hand():
    # Constant through 1, 2, 3, 4: mean 2.5, squares 5; n = 4, k = 2: 4 ln(5/4) + 4 + 12 / 1.
    found = fit(np.array([1.0, 2, 3, 4]), np.array([1.0, 2, 3, 4]))
    assert found.aicc["constant"] == pytest.approx(4 * np.log(1.25) + 4 + 12)
    assert found.aicc["power law"] == np.inf  # k = 4 leaves no degree of freedom


def constant(value, noise=0.0):
    rng = np.random.default_rng(7)
    resamples = value + np.tile(rng.normal(0, noise, 99), (3, 1))
    return Draws(np.hstack([np.full((3, 1), value), resamples]), (1, 2, 3), 500)


def test_break_even_is_straight_in_the_logarithm():
    english = {100: constant(0.5), 10_000: constant(0.7)}
    found = break_even(english, constant(0.6), "a")
    assert found.rows == pytest.approx(1000)
    assert found.text == "1,000"


def test_break_even_stays_within_the_measured_sizes():
    english = {100: constant(0.5), 10_000: constant(0.7)}
    assert break_even(english, constant(0.8), "a").text == "> 10,000"
    assert break_even(english, constant(0.4), "a").text == "< 100"
    near_the_end = break_even(english, constant(0.695, noise=0.02), "a")
    assert near_the_end.rows is not None
    assert near_the_end.high is None
    assert near_the_end.text.endswith("to > 10,000)")


def test_sizes_outcomes_and_exchange_of_a_study():
    gains = {f"mnli[{n}]": points for n, points in (("100", 1.0), ("1k", 3.0), ("10k", 5.0))}
    gains |= {"mnli:de/sw[1k]": 4.0, "csqa": 2.0}
    found = Gains(simulator.study(gains, seed_sd=1e-5, item_sd=1e-5))
    assert sizes(found) == {
        "mnli": {100: "mnli[100]", 1000: "mnli[1k]", 10_000: "mnli[10k]"},
        "mnli:de/sw": {1000: "mnli:de/sw[1k]"},
    }
    by_outcome = {curve.outcome: curve for curve in curves(found)}
    assert set(by_outcome) == {
        *("mean", "gap to English", "worst language", "10th percentile", "spread"),
    }
    assert by_outcome["mean"].fit.form == "log-linear"
    values = [point.value for point in by_outcome["mean"].points.values()]
    assert np.diff(values) == pytest.approx([0.02, 0.02], abs=1e-4)
    assert by_outcome["gap to English"].arm == "fixed epochs"
    # Languages stand 2 points apart: the gap of a target with k others is their mean distance.
    gaps = [0.02 * np.mean(range(1, n)) for n in (3, 3, 4, 3, 3, 2, 2)]
    gap = by_outcome["gap to English"].points[1000].value
    assert gap == pytest.approx(np.mean(gaps), abs=1e-3)
    for one in exchanges(found):
        assert one.rows == 1000
        assert one.english.rows == pytest.approx(10**3.5, rel=0.05)
    assert {one.scored for one in exchanges(found)} == {"zero-shot", "trained in"}

"""Curves over nested sizes: which form, and where two of them meet."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from analysis import simulator
from xstilts.analysis.draws import Draws
from xstilts.analysis.exchange import at, break_even, exchanges
from xstilts.analysis.gains import Gains
from xstilts.analysis.scaling import curves, fit, sizes

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
    # Constant through 1 to 6: mean 3.5, squares 17.5; n = 6, k = 2: 6 ln(17.5/6) + 4 + 12 / 3.
    found = fit(np.arange(1.0, 7), np.arange(1.0, 7))
    assert found.aicc["constant"] == pytest.approx(6 * np.log(17.5 / 6) + 4 + 4)
    # With five runs k = 4 leaves no degree of freedom: the power law could not win.
    assert fit(np.arange(1.0, 6), np.arange(1.0, 6)) is None


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
    gains |= {"mnli:de/sw[1k]": 4.0, "csqa": 2.0, "mnli[1k] ~keyboard@0.1": 9.0}
    found = Gains(simulator.study(gains, seed_sd=1e-5, item_sd=1e-5))
    assert sizes(found) == {
        ("mnli", "fixed epochs"): {100: "mnli[100]", 1000: "mnli[1k]", 10_000: "mnli[10k]"},
        ("mnli:de/sw", "fixed epochs"): {1000: "mnli:de/sw[1k]"},
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


def test_a_curve_has_an_arm_of_epochs_and_one_of_steps_which_share_the_largest_size():
    gains = {f"mnli[{n}]": points for n, points in (("100", 1.0), ("1k", 3.0), ("10k", 5.0))}
    gains |= {"mnli[100 as 10k]": 2.0, "mnli[1k as 10k]": 3.5}
    found = Gains(simulator.study(gains, seed_sd=0, item_sd=0))
    arms = {curve.arm: curve for curve in curves(found) if curve.outcome == "mean"}
    assert set(arms) == {"fixed epochs", "steps of 10,000 rows"}
    points = {arm: [p.value for p in curve.points.values()] for arm, curve in arms.items()}
    assert points["fixed epochs"][-1] == points["steps of 10,000 rows"][-1]
    assert np.diff(points["steps of 10,000 rows"]) == pytest.approx([0.015, 0.015])


def test_a_curve_is_read_between_its_points_and_nowhere_else():
    curve = {100: constant(0.5), 10_000: constant(0.7)}
    assert at(curve, 1000).values[0, 0] == pytest.approx(0.6)
    assert at(curve, 10_000) is curve[10_000]
    assert (at(curve, 99), at(curve, 10_001), at({}, 5)) == (None, None, None)


def test_rows_in_other_languages_at_equal_rows_and_at_equal_compute():
    """1k rows in German and Swahili, of 4 points, against English ones of 1, 3 and 5."""
    gains = {f"mnli[{n}]": points for n, points in (("100", 1.0), ("1k", 3.0), ("10k", 5.0))}
    gains |= {"mnli:de/sw[1k]": 4.0}
    study = simulator.study(gains, seed_sd=0, item_sd=0)
    tokens = {"mnli[100]": 4e3, "mnli[1k]": 4e4, "mnli[10k]": 4e5, "mnli:de/sw[1k]": 4e4 * 10**0.5}
    study.all = [replace(o, tokens=tokens.get(o.path.partition(" > ")[0])) for o in study.all]
    for translated in (frozenset(), frozenset({"mnli"})):
        study.translated = translated
        by_scored = {one.scored: one for one in exchanges(Gains(study))}
        for one in by_scored.values():
            assert one.made == ("translated" if translated else "by people")
            assert one.english.rows == pytest.approx(10**3.5, rel=0.01)
            assert one.at_equal_rows.value == pytest.approx(0.01)
            # Half way, in the logarithm, between 40,000 and 400,000 tokens: English has 4 points.
            assert one.at_equal_compute.value == pytest.approx(0.0, abs=1e-9)
            assert "are worth 3,162 English rows; +1.0 points [" in str(one)
    assert "not zero-shot" in str(by_scored["trained in"])


def test_english_is_no_zero_shot_language():
    gains = {"mnli[100]": 1.0, "mnli[1k]": 3.0, "mnli:de[1k]": 4.0}
    targets = {"xnli": ("xnli", "en de")}
    found = exchanges(Gains(simulator.study(gains, targets=targets, seed_sd=0, item_sd=0)))
    assert [one.scored for one in found] == ["trained in"]


def test_break_even_intervals_cover():
    """Where the truth is 1,000 rows, between 100 and 10,000, in nine of ten studies or more."""
    rng = np.random.default_rng(8)
    held, studies = 0, 150
    for number in range(studies):
        run = rng.normal(0, 0.01, (4, 5))  # of three sizes and the other data
        found = break_even(
            {
                n: Draws(np.tile(value + run[place][:, None], (1, 100)), tuple(range(5)), 500)
                for place, (n, value) in enumerate({100: 0.5, 1000: 0.6, 10_000: 0.7}.items())
            },
            Draws(np.tile(0.6 + run[3][:, None], (1, 100)), tuple(range(5)), 500),
            f"{number}",
        )
        held += (found.low or 0) <= 1000 <= (found.high or np.inf)
    assert held / studies > 0.9


def test_what_noise_costs_is_an_outcome_where_it_was_measured():
    gains = {f"mnli[{n}]": points for n, points in (("100", 1.0), ("1k", 3.0), ("10k", 5.0))}
    found = Gains(simulator.study(gains, seed_sd=0, item_sd=0))
    model = "xlm-roberta-large"
    drops = {(model, f"mnli[{n}]"): constant(v) for n, v in (("100", 0.3), ("1k", 0.2))}
    (curve,) = [one for one in curves(found, drops) if one.outcome == "drop under noise"]
    assert [point.value for point in curve.points.values()] == pytest.approx([0.3, 0.2])
    assert not any(one.outcome == "drop under noise" for one in curves(found))


def test_a_run_that_did_not_learn_bends_no_curve():
    """Without seed 2 after qqp[1k] the fit is that of the study where every run learnt."""
    gains = {"qqp[1k]": 0.5, "qqp[10k]": 1.0, "qqp[100k]": 1.5, "qqp:de/sw[1k]": 0.75}
    fell = (("qqp[1k]", "pawsx", 2),)
    quiet = {"seed_sd": 1e-5, "item_sd": 1e-5}
    whole, broken = (Gains(simulator.study(gains, **quiet, collapsed=one)) for one in ((), fell))
    means = [next(c for c in curves(one) if c.outcome == "mean") for one in (whole, broken)]
    assert [one.fit.form for one in means] == ["log-linear", "log-linear"]
    assert means[1].fit.at(1000) == pytest.approx(means[0].fit.at(1000), abs=1e-3)
    assert means[1].points[1000].collapsed == (2,)
    assert means[1].points[10_000].collapsed == ()
    assert means[1].points[1000].value < means[0].points[1000].value - 0.01
    first, second = (exchanges(one)[0] for one in (whole, broken))
    assert second.at_equal_rows.collapsed == (2,)
    assert second.english.rows == pytest.approx(first.english.rows, rel=0.01)
    assert "! points" in str(second)


def test_only_what_is_in_a_comparison_can_spoil_it():
    """A run after 100k rows guessed: at equal rows, 1k, it has no part; and where no seed learnt
    at every size, what equal rows say is still said."""
    gains = {"qqp[1k]": 0.5, "qqp[10k]": 1.0, "qqp[100k]": 1.5, "qqp:de/sw[1k]": 0.75}
    (one, _) = exchanges(Gains(simulator.study(gains, collapsed=(("qqp[100k]", "pawsx", 2),))))
    assert one.at_equal_rows.collapsed == ()
    fell = tuple(("qqp[100k]", "pawsx", seed) for seed in (1, 2, 3))
    (one, _) = exchanges(Gains(simulator.study(gains, collapsed=fell)))
    assert one.at_equal_rows.collapsed == ()
    assert "no seed of which every run learnt" in one.english.text

"""Gains over sizes: slopes that are known, transforms by hand, and what may be said of what."""

from __future__ import annotations

import functools
import math
from dataclasses import replace

import numpy as np
import pytest

from analysis import simulator
from report import synthetic
from xstilts.analysis import ladder as analysis
from xstilts.analysis.draws import Draws, error_reduction, logit, slope
from xstilts.analysis.gains import Gains
from xstilts.analysis.ladder import _bending, _verdict, ladders
from xstilts.analysis.outcomes import Outcome, Outcomes
from xstilts.analysis.rates import counted
from xstilts.ladders import Rung
from xstilts.report.answer import sentences

MILLION = 10**6
SIZES = {"a": 100, "b": 200, "c": 400, "d": 800}  # a doubling apart


def study(
    gain,
    sizes=SIZES,
    *,
    seeds=(1, 2, 3),
    base=lambda _doublings: 0.5,
    targets=("udpos", "xnli"),
    run_sd=0.0,
    item_sd=0.0,
    number=0,
    margin=0.3,
    rates=(),
    codes=("en", "sw"),
    selected=lambda _model, _rate: 0.5,
):
    """A ladder whose gain after ``doublings`` doublings of the first size is what is said, a share.

    Runs and items are drawn anew for every size and path, which is the hardest case: nothing that a
    pair could share takes from the noise of a difference.
    """
    rng = np.random.default_rng([7, number])
    found, rungs = [], []
    first = min(sizes.values())
    for model, millions in sizes.items():
        doublings = math.log2(millions / first)
        for rate in rates or (None,):
            name = model if rate is None else f"{model}@{rate:g}"
            rungs.append(Rung("all models", model, name, millions * MILLION, rate))
            for target in targets:
                for before in ("", "csqa"):
                    level = base(doublings) + (gain(doublings) if before else 0.0)
                    run = rng.normal(0, run_sd, (len(seeds), 1, 1)) if run_sd else 0.0
                    items = rng.normal(0, item_sd, 100) if item_sd else np.zeros(100)
                    truth = rng.normal(0, item_sd) if item_sd else 0.0
                    columns = np.concatenate([[0.0], items - items.mean()])
                    values = np.full((len(seeds), len(codes), 1), level + truth) + run + columns
                    found.append(
                        Outcome(
                            *(name, f"{before} > {target}" if before else target, target, target),
                            *("test", tuple(seeds), codes, values, 200),
                            selected=(selected(model, rate),) * len(seeds) if rates else None,
                        )
                    )
    margins = {} if margin is None else {"doubling": margin}
    return Outcomes(found, margins=margins, rungs=tuple(rungs), targets=tuple(targets))


def trends(outcomes, over="mean"):
    """Scale -> the trend of the mean, or of the first of another kind."""
    (ladder,) = ladders(Gains(outcomes))
    found = {}
    for one in ladder.trends:
        if one.over == over:
            found.setdefault(one.scale, one)
    return found


def test_transforms_by_hand():
    before = Draws(np.array([[0.8]]), (1,), 200)
    after = Draws(np.array([[0.9]]), (1,), 200)
    assert error_reduction(after, before).values[0, 0] == pytest.approx(0.5)  # of 20 points, 10
    moved = logit(after).values - logit(before).values
    assert moved[0, 0] == pytest.approx(math.log(9) - math.log(4))
    # A perfect baseline has no errors left: half an item's stand for none, 0.5 / 201.
    perfect = Draws(np.array([[1.0]]), (1,), 200)
    assert error_reduction(after, perfect).values[0, 0] == pytest.approx(-0.1 / (0.5 / 201))
    assert math.isfinite(logit(perfect).values[0, 0])
    # XQuAD: 48 articles are the groups, 1,190 questions the items; half of one is the edge.
    high = [Draws(np.array([[value]]), (1,), 48, 1190) for value in (0.990, 0.995)]
    moved = logit(high[1]).values - logit(high[0]).values
    assert moved[0, 0] == pytest.approx(math.log(0.995 / 0.005) - math.log(0.990 / 0.010))
    assert (high[1] - high[0]).items == 1190


def test_a_slope_and_a_bend_by_hand():
    draws = [Draws(np.array([[float(value)]]), (1,), 9) for value in (1, 2, 6)]
    # x = 0, 1, 3 about 4/3: -4/3, -1/3, 5/3; their squares sum to 14/3.
    by_hand = (-4 / 3 * 1 - 1 / 3 * 2 + 5 / 3 * 6) / (14 / 3)
    assert slope(draws, [0, 1, 3]).values[0, 0] == pytest.approx(by_hand)
    places = np.array([0.0, 1, 2, 5])
    weights = _bending(places)
    assert weights @ (4 - 2 * places) == pytest.approx(0)  # a line has none
    assert weights @ (7 + 3 * places**2) == pytest.approx(3)


def test_known_gains_have_known_slopes():
    found = trends(study(lambda doublings: 0.06 - 0.01 * doublings, run_sd=1e-6))
    near = functools.partial(pytest.approx, abs=1e-5)
    assert found["points"].slope.value == near(-0.01)
    assert [one.value for one in found["points"].gains] == near([0.06, 0.05, 0.04, 0.03])
    assert found["error reduction"].slope.value == near(-0.02)  # half are errors
    assert found["points"].verdict == "diminishes"
    target = trends(study(lambda doublings: 0.01 * doublings, run_sd=1e-6), "target")["points"]
    assert (target.name, target.verdict) == ("udpos", "grows")
    groups = trends(study(lambda _: 0.02), "languages")["points"]
    assert (groups.name, groups.targets) == ("English", ("udpos", "xnli"))


def test_a_ceiling_is_told_from_what_diminishes():
    """Half of the errors go at every size, and there are ever fewer of them."""
    errors = 0.4, 0.8  # of the smallest, and what is left of them after a doubling
    left = lambda doublings: errors[0] * errors[1] ** doublings  # noqa: E731
    found = trends(study(lambda d: 0.5 * left(d), base=lambda d: 1 - left(d), run_sd=1e-4))
    assert found["points"].verdict == "diminishes"
    assert found["error reduction"].verdict == "constant"
    # The margin is 0.3 points where the mean baseline stands.
    level = 1 - np.mean([left(d) for d in range(4)])
    assert found["error reduction"].margin == pytest.approx(0.003 / (1 - level), rel=1e-3)
    assert found["logit"].margin == pytest.approx(0.003 / (level * (1 - level)), rel=1e-3)


@pytest.mark.parametrize(
    ("gain", "margin", "verdict"),
    [
        (lambda _: 0.02, 0.3, "constant"),
        (lambda _: 0.02, None, "undetermined"),  # that no change was found is no constancy
        (lambda d: 0.02 + 0.001 * d, 0.3, "constant"),
        (lambda d: 0.02 + 0.005 * d, 0.3, "grows"),
        (lambda d: 0.02 - 0.005 * d, None, "diminishes"),
        (lambda d: 0.04 - 0.02 * abs(d - 1.5), 0.3, "undetermined"),  # up and down again
    ],
)
def test_the_table_of_verdicts(gain, margin, verdict):
    found = trends(study(gain, margin=margin, run_sd=1e-4, item_sd=1e-4))["points"]
    assert found.verdict == verdict
    assert not found.indicative


def test_a_gain_of_nothing_where_nothing_is_learnt_is_not_constant():
    level = lambda doublings: 0.5 if doublings > 1 else 0.249  # noqa: E731
    outcomes = study(lambda _: 0.0, base=level, run_sd=1e-4, item_sd=1e-4)
    outcomes.all = [replace(one, chance=0.25) for one in outcomes.all]
    found = trends(outcomes)["points"]
    assert (found.at_chance, found.verdict) == (True, "undetermined")
    outcomes.all = [replace(one, chance=0.1) for one in outcomes.all]
    assert trends(outcomes)["points"].verdict == "constant"


def test_what_may_not_be_said():
    declining = lambda doublings: 0.06 - 0.01 * doublings  # noqa: E731
    two = {"a": 100, "b": 800}
    (ladder,) = ladders(Gains(study(declining, two)))
    assert {one.verdict for one in ladder.trends} == {"too few sizes"}
    assert all(one.p is None for one in ladder.trends)
    assert ladder.seen == (
        "2 sizes from 100 M to 800 M parameters used (3.0 doublings); nothing is said of others"
    )
    few = trends(study(declining, seeds=(1, 2), run_sd=1e-4))["points"]
    assert (few.indicative, few.verdict) == (True, "diminishes")
    one = trends(study(declining, seeds=(1,)))["points"]  # says nothing of training
    assert (one.indicative, one.verdict, one.p) == (True, "undetermined", None)
    assert not ladders(Gains(study(declining, {"a": 100})))[0].trends
    (alone,) = ladders(Gains(study(declining, {"a": 100})))
    assert alone.seen == "one size, 100 M parameters used"


def test_ladders_are_not_mixed():
    outcomes = study(lambda doublings: 0.01 * doublings)
    kinds = {"a": "one", "b": "two", "c": "one", "d": "two"}
    outcomes.rungs = tuple(replace(rung, ladder=kinds[rung.model]) for rung in outcomes.rungs)
    found = ladders(Gains(outcomes))
    assert [[size.model for size in one.sizes] for one in found] == [["a", "c"], ["b", "d"]]
    assert all(len(one.trends[0].gains) == 2 for one in found)


def test_a_size_that_is_not_finished_or_not_known_is_named():
    outcomes = study(lambda _: 0.01)
    outcomes.rungs += (Rung("all models", "e", "e", 1600 * MILLION),)
    unknown = (replace(one, parameters=None) if one.model == "a" else one for one in outcomes.rungs)
    outcomes.rungs = tuple(unknown)
    (ladder,) = ladders(Gains(outcomes))
    assert [size.model for size in ladder.sizes] == ["b", "c", "d"]
    assert ladder.missing == {"e": "not finished: e", "a": "its parameters are not known"}


def rated(selected):
    """Rates of which the higher one makes scores higher on all test rows, and gains lower."""
    outcomes = study(lambda _: 0.0, rates=(1e-4, 1e-3), selected=selected)
    for one in outcomes.all:
        if one.model.endswith("0.001"):
            one.values[:] += 0.1
        elif ">" in one.path:
            one.values[:] += 0.02
    return outcomes


def test_a_rate_is_chosen_on_english_selection_rows_for_every_size():
    best = {"a": 1e-4, "b": 1e-4, "c": 1e-3, "d": 1e-3}
    outcomes = rated(lambda model, rate: 0.6 if rate == best[model] else 0.5)
    (ladder,) = ladders(Gains(outcomes))
    assert {one.model: one.learning_rate for one in ladder.sizes} == best
    assert ladder.sizes[0].tried == {1e-4: pytest.approx(0.6), 1e-3: pytest.approx(0.5)}
    assert ladder.sizes[0].at_the_edge
    gains = [one.value for one in ladder.trends[0].gains]
    assert gains == pytest.approx([0.02, 0.02, 0, 0])  # test rows, which say 0.001, have no say


def test_what_is_said_first_is_said_of_chosen_rates_alone():
    """Else the rate with the largest gain on test rows would be picked by test rows."""
    best = {"a": 1e-3, "b": 1e-4, "c": 1e-3, "d": 1e-3}
    outcomes = rated(lambda model, rate: 0.6 if rate == best[model] else 0.5)
    chosen = counted(outcomes)
    assert chosen.models == ("a@0.001", "b@0.0001", "c@0.001", "d@0.001")
    assert {one.model for one in outcomes.all} > {*chosen.models}  # the rest is still in the whole
    nothing_to_choose = study(lambda _: 0.01)
    assert counted(nothing_to_choose) is nothing_to_choose
    first, _ = sentences(synthetic.of(outcomes, "rates"))
    assert "b@0.0001" in first


def test_both_sides_of_a_gain_have_an_equal_say_in_the_rate():
    outcomes = rated(lambda _model, _rate: 0.5)
    more = []
    for one in outcomes.all:
        low = one.model.endswith("0.0001")
        # The low rate is better by 3 for the baseline, the high one by 2 for each of two others.
        score = (0.53 if low else 0.50) if ">" not in one.path else (0.50 if low else 0.52)
        changed = replace(one, selected=(score,) * 3)
        more.append(changed)
        if ">" in one.path:
            more.append(replace(changed, path=f"mnli[10] > {one.target}"))
    outcomes.all = more
    (ladder,) = ladders(Gains(outcomes, same_data=True))
    assert {one.learning_rate for one in ladder.sizes} == {1e-4}


def test_rates_that_had_unequal_trials_choose_nothing():
    outcomes = rated(lambda _model, _rate: 0.5)
    place = next(n for n, one in enumerate(outcomes.all) if one.model == "a@0.001")
    del outcomes.all[place]
    (ladder,) = ladders(Gains(outcomes))
    assert "a" not in {one.model for one in ladder.sizes}
    assert ladder.missing == {"a": "its learning rates have not been tried on the same runs yet"}


def simulated(slope_, seeds, studies, run_sd, margin):
    """Shares of studies whose interval holds the slope, and of verdicts on the mean in points."""
    held, said = 0, []
    for number in range(studies):
        outcomes = study(
            lambda doublings: 0.03 + slope_ * doublings,
            seeds=tuple(range(seeds)),
            targets=("udpos",),
            codes=("en",),
            run_sd=run_sd,
            item_sd=0.004,
            number=number,
            margin=margin,
        )
        found = trends(outcomes)["points"]
        held += found.slope.low <= slope_ <= found.slope.high
        said.append(found.verdict)
    return held / studies, {verdict: said.count(verdict) / studies for verdict in set(said)}


@pytest.fixture
def in_points(monkeypatch):
    monkeypatch.setattr(analysis, "SCALES", {"points": analysis.SCALES["points"]})


def test_a_slope_is_found(in_points):
    covered, said = simulated(-0.01, 3, 40, 0.002, 0.3)
    assert covered >= 0.85
    assert said["diminishes"] > 0.5


@pytest.mark.slow
@pytest.mark.parametrize("run_sd", [0.001, 0.01])
@pytest.mark.parametrize("seeds", [2, 3])
def test_slopes_are_covered_and_nothing_is_seen_where_nothing_is(in_points, seeds, run_sd):
    covered, said = simulated(0.0, seeds, 400, run_sd, None)
    assert covered >= 0.92  # 95 %, less 2.7 standard errors of 400 studies
    assert said.get("grows", 0) + said.get("diminishes", 0) <= 0.08


@pytest.mark.slow
def test_constant_is_rare_at_the_margin(in_points):
    """There TOST may err in one study of twenty."""
    _, said = simulated(0.003, 3, 400, 0.002, 0.3)
    assert said.get("constant", 0) <= 0.08


def test_a_trend_that_could_not_be_tested_has_no_verdict():
    one = trends(study(lambda _: 0.02))["points"]
    assert _verdict(replace(one, p=None)) == "undetermined"


def test_other_studies_have_one_ladder_of_all_their_models():
    assert ladders(Gains(simulator.study({"csqa": 2.0}))) == []  # no plan: no sizes

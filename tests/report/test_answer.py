"""The answer in two sentences, from studies whose numbers are known."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np

from analysis import simulator
from report import synthetic
from xstilts.report import answer


def said(gains, **more):
    quiet = {"seed_sd": 1e-6, "item_sd": 1e-6} | more
    return answer.sentences(synthetic.of(simulator.study(gains, **quiet)))


def test_one_intermediate_that_gains():
    first, second = said({"csqa": 2.0})
    assert (
        first == "Training on csqa first lifts the mean over 9 targets by +2.0 points [+2.0, +2.0]."
    )
    assert second.endswith("no control with as many steps on the target's own data was run.")


def test_several_say_how_many_gain_and_lose():
    first, second = said({"csqa": {"tatoeba": 9.0}, "qqp": -1.0, "same_steps(csqa)": 0.5})
    assert first == (
        "Training on csqa first lifts the mean over 9 targets by +1.0 points [+1.0, +1.0]; "
        "1 of 2 intermediates gain beyond chance, and 1 loses."
    )
    assert re.search(
        r"The gain runs from tatoeba \(\+9.0 ±0.0\) to \w+ \(0.0 ±0.0\) over targets", second
    )
    # Tatoeba has no training data: the control there is not one, but the mean holds all targets.
    assert second.endswith(
        "against as many steps on the target's own data it is +0.5 [+0.5, +0.5]."
    )


def test_what_chance_could_have_done_is_not_called_a_gain():
    first, _ = said({"csqa": 0.1, "qqp": 0.05}, seed_sd=0.01, item_sd=0.01)
    assert first.startswith("None of 2 intermediates lifts the mean over 9 targets beyond chance")
    only, _ = said({"csqa": 0.1}, seed_sd=0.01, item_sd=0.01)
    assert only.startswith(
        "The one intermediate does not lift the mean over 9 targets beyond chance"
    )
    worse, _ = said({"csqa": -2.0})
    assert worse == (
        "Training on csqa first lowers the mean over 9 targets: -2.0 points [-2.0, -2.0]."
    )


def test_what_is_sure_comes_before_what_is_largest():
    """csqa's seeds differ by three points, qqp's agree: only the smaller gain is beyond chance."""
    study = simulator.study({"csqa": 2.0, "qqp": 1.5}, seed_sd=1e-6, item_sd=1e-6)
    apart = np.array([0.03, -0.03, 0.0])[:, None, None]
    study.all = [
        replace(one, values=one.values + apart) if one.path.startswith("csqa") else one
        for one in study.all
    ]
    first, second = answer.sentences(synthetic.of(study))
    assert "(+1.5 ±0.0)" in second
    assert first.startswith(
        "Training on qqp first lifts the mean over 9 targets by +1.5 points [+1.5, +1.5]; "
        "1 of 2 intermediates gain beyond chance; csqa gives more, +2.0 points ["
    )
    assert first.endswith("], but that may be chance.")


def test_one_seed_is_said_to_tell_nothing_of_training():
    several, _ = said({"csqa": 1.0, "qqp": -2.0}, seeds=(1,))
    assert several.startswith(
        "Of 2 intermediates csqa does best: it changes the mean over 9 targets by +1.0 points"
    )
    none, _ = said({"csqa": -1.0, "qqp": -2.0}, seeds=(1,))
    assert none.startswith(
        "None of 2 intermediates helps: csqa, the best, changes the mean over 9 targets by -1.0"
    )
    first, _ = said({"csqa": 5.0}, seeds=(1,))
    assert "with one seed that interval is about the test items alone" in first


def test_scores_without_anything_to_compare():
    first, second = said({})
    # German is 2 points below English, Swahili 4: the simulator's levels.
    assert first == (
        "xlm-roberta-large scores 47.0 on xnli, the mean over 2 languages other than English."
    )
    assert "no gain to tell of" in second


def test_more_of_the_same_data_is_told_as_such():
    """By hand: no gain counts in a mean, as mnli is what xnli is trained on."""
    xnli = {"xnli": simulator.TARGETS["xnli"]}
    first, second = said({"mnli": 3.3}, targets=xnli)
    assert first == (
        "mnli before xnli: +3.3 points [+3.3, +3.3]; xnli is trained on rows of mnli itself, so "
        "this is more of the same data."
    )
    assert second == "Another intermediate task, or another target, tells more."
    first, _ = said({"mnli": 3.3, "csqa": 1.0}, targets=xnli)
    assert first == "Training on csqa first lifts xnli by +1.0 points [+1.0, +1.0]."


def test_a_gain_that_is_in_no_mean_is_told_all_the_same():
    two = {name: simulator.TARGETS[name] for name in ("xnli", "pawsx")}
    study = simulator.study({"mnli": 3.3, "csqa": 1.0}, targets=two, seed_sd=0, item_sd=0)
    left = ("csqa > pawsx", "mnli > pawsx")
    study.all = [one for one in study.all if one.path not in left]
    first, second = answer.sentences(synthetic.of(study))
    assert first == (
        "csqa before xnli: +1.0 points [+1.0, +1.0]; it is in no mean, as another intermediate "
        "task holds rows of xnli."
    )
    assert second == ""
    study = simulator.study({"csqa": 1.0}, targets=two, seed_sd=0, item_sd=0)
    study.all = [
        replace(one, seeds=(4, 5, 6)) if one.target == "pawsx" else one for one in study.all
    ]
    first, _ = answer.sentences(synthetic.of(study))
    assert first.endswith("; there is no mean, as no seed has every target.")


def test_several_models_are_named():
    one, two = simulator.study({"csqa": 1.0}), simulator.study({"csqa": 3.0}, model="mini")
    one.all += two.all
    assert answer.sentences(synthetic.of(one))[0].startswith("For mini, training on csqa first")


def test_cautions_say_what_limits_conclusions():
    study = simulator.study({"csqa": 5.0}, seeds=(1,))
    study.max_steps, study.unfinished, study.absent = 40, 7, {"ccg > xnli": "data absent"}
    found = synthetic.of(study)
    found = replace(found, rows=[{**row, "source": "microworld"} for row in found.rows])
    text = "\n".join(answer.cautions(found))
    for part in ("microworld", "at most 40 optimiser steps a stage.", "One seed", "7 scores"):
        assert part in text
    assert "1 path was not run" in text
    assert list(answer.cautions(synthetic.of(simulator.study({"csqa": 5.0})))) == []


def test_where_no_two_seeds_learnt_it_is_said_why_nothing_is_tested():
    fell = [("csqa", "xnli", 1), ("csqa", "panx", 2)]
    first, _ = said({"csqa": 5.0, "qqp": {}}, seeds=(1, 2), collapsed=fell)
    assert "0 of 2 intermediates" in first or "None of 2" in first  # qqp can be tested
    alone, _ = said({"csqa": 5.0}, seeds=(1, 2), collapsed=[("csqa", "udpos", 1)])
    assert alone.endswith("; too many runs did not learn for a test.")

"""Two studies, and two paths, side by side."""

from __future__ import annotations

from dataclasses import replace

import pytest

from analysis import simulator
from xstilts.analysis import compare

EXACT = {"seed_sd": 0, "item_sd": 0}


def by_name(found, over):
    return {one.name: one for one in found.differences if one.over == over}


def test_studies_pair_by_path_target_and_seed():
    one, two = simulator.study({"csqa": 1.0}, **EXACT), simulator.study({"csqa": 3.0}, **EXACT)
    found = compare.studies(one, two)
    targets = by_name(found, "target")
    assert targets["csqa > xnli (xnli)"].estimate.value == pytest.approx(0.02)
    assert targets["xnli (xnli)"].estimate.value == pytest.approx(0)
    # Half of the runs are baselines, which are the same in both.
    assert by_name(found, "mean")[""].estimate.value == pytest.approx(0.01)
    assert by_name(found, "language")["sw"].estimate.value == pytest.approx(0.01)
    assert (found.only_first, found.only_second) == ((), ())


def test_studies_of_one_model_each_pair_whatever_the_models():
    one = simulator.study({"csqa": 1.0}, **EXACT)
    two = simulator.study({"csqa": 1.0, "qqp": 2.0}, model="mini", **EXACT)
    found = compare.studies(one, two)
    assert len(by_name(found, "target")) == 18
    assert "qqp > xnli (xnli)" in found.only_second


def test_paths_pair_by_target():
    study = simulator.study({"csqa": 1.0, "qqp": {"xnli": 4.0}}, **EXACT)
    one, two = (
        replace(study, all=[o for o in study.all if o.path.startswith(name)])
        for name in ("csqa", "qqp")
    )
    found = compare.paths(one, two)
    targets = by_name(found, "target")
    assert targets["xnli"].estimate.value == pytest.approx(0.03)
    assert targets["xnli"].first == pytest.approx(0.49)  # levels 50, 48, 46 and one point
    assert targets["panx"].estimate.value == pytest.approx(-0.01)
    row = targets["xnli"].row()
    assert row["low"] <= row["difference"] <= row["high"]


def test_only_shared_languages_and_seeds_count():
    one, two = simulator.study({"csqa": 1.0}, **EXACT), simulator.study({"csqa": 2.0}, **EXACT)
    two.all = [
        replace(o, languages=o.languages[1:], values=o.values[:, 1:]) if o.target == "xnli" else o
        for o in two.all
    ]
    found = by_name(compare.studies(one, two), "target")["csqa > xnli (xnli)"]
    assert found.estimate.value == pytest.approx(0.01)
    assert found.first == pytest.approx(0.48)  # 49, 47 without English's 51
    other = simulator.study({"csqa": 1.0}, seeds=(7, 8))
    names = by_name(compare.studies(one, other), "target")
    assert set(names) == {"tatoeba (tatoeba)", "bucc2018 (bucc2018)"}  # constants alone


def test_the_scores_shown_are_of_the_seeds_that_are_compared():
    one, two = simulator.study({"csqa": 1.0}), simulator.study({"csqa": 1.0}, seeds=(1,), number=6)
    for found in compare.studies(one, two).differences:
        assert found.estimate.value == pytest.approx(found.second - found.first)


def test_every_target_weighs_the_same_however_many_paths_it_has():
    """By hand: xnli is 0 (baseline) and +9 (csqa), 4.5 in the mean; the other eight are 0."""
    one, two = (simulator.study({"csqa": {"xnli": gain}}, **EXACT) for gain in (0.0, 9.0))
    for study in (one, two):
        study.all = [o for o in study.all if "csqa" not in o.path or o.target == "xnli"]
    found = by_name(compare.studies(one, two), "mean")[""]
    assert found.estimate.value == pytest.approx(0.045 / 9)


def test_runs_without_a_seed_in_common_are_told():
    one, two = (simulator.study({"csqa": 1.0}, seeds=s, **EXACT) for s in ((1, 2), (7, 8)))
    found = compare.studies(one, two)
    assert "csqa > xnli (xnli; seeds 1, 2)" in found.only_first
    assert "csqa > xnli (xnli; seeds 7, 8)" in found.only_second


def test_runs_that_did_not_learn_are_seen_beside_those_of_the_other_path():
    """Two of csqa's three runs guess: alone, the usual run of it would be one that did."""
    fell = [("csqa", "xnli", seed) for seed in (1, 2)]
    study = simulator.study({"csqa": 1.0}, collapsed=fell)
    paths = [
        replace(
            study, all=[o for o in study.all if o.target == "xnli" and ("csqa" in o.path) is it]
        )
        for it in (False, True)
    ]
    assert by_name(compare.paths(*paths), "target")["xnli"].estimate.collapsed == (1, 2)

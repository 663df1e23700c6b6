"""Verdicts on synthetic studies whose truth is known."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from pydantic import TypeAdapter

from analysis import simulator
from xstilts.analysis import claims
from xstilts.analysis.gains import Gains
from xstilts.analysis.outcomes import Outcome, Outcomes
from xstilts.analysis.verdicts import judge
from xstilts.errors import UserError
from xstilts.suites import MIXTURES, SUITES
from xstilts.tasks import Catalogue

FIVE = (1, 2, 3, 4, 5)
NINE = MIXTURES["all9"]
BY_ID = {claim.id: claim for claim in claims.built_in()}


def verdict(claim, gains, *, translated=frozenset({"csqa"}), **study):
    """The verdict on a built-in claim, or on one given as a mapping."""
    if isinstance(claim, str):
        claim = BY_ID[claim]
    else:
        about = {"id": "mine", "text": "a", "source": "me"}
        claim = TypeAdapter(claims.Claim).validate_python({**about, **claim})
    outcomes = simulator.study(gains, **{"seeds": FIVE, **study})
    outcomes.translated = translated
    (found,) = judge([claim], Gains(outcomes, same_data=True), Catalogue())
    return found


@pytest.mark.parametrize(
    ("points", "direction", "size"),
    [
        (8.2, "supported", "supported"),
        (3.0, "supported", "contradicted"),
        (-2.0, "contradicted", "contradicted"),
        (0.0, "inconclusive", "contradicted"),
    ],
)
def test_a_mean_gain_has_a_direction_and_a_size(points, direction, size):
    found = verdict("squad-mean", {"squad_v1": points}, targets=simulator.TARGETS)
    assert (found.direction, found.size, found.differences) == (direction, size, ())


def test_a_wide_interval_tells_neither():
    found = verdict("squad-mean", {"squad_v1": 8.2}, seed_sd=0.3, seeds=(1, 2))
    assert (found.direction, found.size) == ("inconclusive", "inconclusive")


def test_one_seed_decides_nothing():
    found = verdict("squad-mean", {"squad_v1": 8.2}, seeds=(1,))
    assert (found.direction, found.size) == ("inconclusive", "inconclusive")
    assert "items only: one seed" in found.finding.detail


def test_what_was_not_run_is_not_judged():
    found = verdict("squad-mean", {"csqa": 8.2})
    assert (found.direction, found.size) == ("not run", "")


@pytest.mark.parametrize(
    ("intermediate", "study", "difference"),
    [
        ("squad_v1", {"model": "some/mini"}, "model some/mini, not xlm-roberta-large"),
        ("squad_dev", {}, "squad_dev, not squad_v1"),
        ("squad_v1[1k]", {}, "squad_v1[1k], not squad_v1"),
        ("squad_v1", {"split": "test"}, "split test, not dev"),
        ("squad_v1", {"targets": {"xnli": ("xnli", "en de")}}, "without pawsx, udpos, panx"),
    ],
)
def test_under_other_conditions_a_claim_is_at_most_consistent(intermediate, study, difference):
    found = verdict("squad-mean", {intermediate: 8.2}, **study)
    assert found.direction == "consistent, under different conditions"
    assert found.size == "consistent, under different conditions"
    assert any(one.startswith(difference) for one in found.differences)
    low = verdict("squad-mean", {intermediate: -3.0}, **study)
    assert low.direction == "not consistent, under different conditions"


@pytest.mark.parametrize("name", [" + ".join(MIXTURES["all9_without_ccg"]), "all9_without_ccg"])
def test_a_mixture_without_one_of_its_tasks_is_another_condition(name):
    """Of two that hold some of the nine, the one that holds more stands in."""
    found = verdict("multi-task-mean", {"mnli + csqa": 1.0, name: 8.7}, targets=simulator.TARGETS)
    assert found.direction == "consistent, under different conditions"
    assert found.differences[0] == "all9 without ccg"
    other = verdict("multi-task-mean", {"mnli + mlm@0.2": 8.7, "mnli": 8.7})
    assert other.direction == "not run"


def test_a_hub_name_with_its_owner_is_the_same_model():
    found = verdict("squad-mean", {"squad_v1": 8.2}, model="FacebookAI/xlm-roberta-large")
    assert found.differences == ()


def test_a_quick_look_is_another_condition():
    outcomes = simulator.study({"squad_v1": 8.2}, seeds=FIVE)
    outcomes.max_steps = 1000
    (found,) = judge([BY_ID["squad-mean"]], Gains(outcomes, same_data=True), Catalogue())
    assert found.differences == ("at most 1,000 steps",)


RETRIEVAL = {"bucc2018": 20.0, "tatoeba": 25.0, "tydiqa": 8.0, "xquad": 2.0}


@pytest.mark.parametrize(
    ("gains", "direction"),
    [
        (RETRIEVAL, "supported"),
        (RETRIEVAL | {"bucc2018": 3.0}, "contradicted"),  # the smaller of the two counts
        (RETRIEVAL | {"bucc2018": 8.0}, "inconclusive"),
    ],
)
def test_the_largest_gains(gains, direction):
    found = verdict("retrieval-largest", {"csqa": gains, "qqp": gains}, seed_sd=0.01)
    assert found.direction == direction


@pytest.mark.parametrize(
    ("gainers", "direction"), [(9, "supported"), (8, "supported"), (5, "inconclusive")]
)
def test_consistency_is_a_share_of_intermediates(gainers, direction):
    gains = {name: {"tydiqa": 5.0 * (place < gainers)} for place, name in enumerate(NINE)}
    found = verdict("tydiqa-consistent", gains)
    assert found.direction == direction
    assert f"above 0 for {gainers} of 9" in found.finding.detail


def test_losses_contradict_consistency():
    gains = {name: {"tydiqa": -5.0 if place < 4 else 5.0} for place, name in enumerate(NINE)}
    assert verdict("tydiqa-consistent", gains).direction == "contradicted"


@pytest.mark.parametrize(
    ("points", "spread", "direction"),
    [(0.1, 0.002, "supported"), (4.0, 0.002, "contradicted"), (0.1, 0.05, "inconclusive")],
)
def test_none_is_an_equivalence_not_a_failed_test(points, spread, direction):
    gains = {"csqa": {"xnli": points}, "qqp": {"xnli": points}}
    assert verdict("xnli-none", gains, seed_sd=spread).direction == direction


@pytest.mark.parametrize(
    ("plain", "variant", "worse", "not_more"),
    [
        (4.0, 2.0, "supported", "supported"),
        (2.0, 4.0, "contradicted", "contradicted"),
    ],
)
@pytest.mark.parametrize(("kind", "text"), [("mlm", "csqa + mlm@0.2"), ("translated", "csqa:de")])
def test_variants_against_plain_english(plain, variant, worse, not_more, kind, text):
    gains = {"csqa": plain, text: variant}
    assert verdict(f"{kind}-worse", gains).direction == worse
    found = verdict(f"{kind}-not-more-targets", gains)
    assert found.direction == not_more
    better = 9 * (variant > plain)
    assert f"better on {better} of 9 targets" in found.finding.detail


def test_best_per_target_is_chosen_on_the_scored_split_and_says_so():
    gains = {"csqa": dict.fromkeys(SUITES["xtreme"], 5.4)}
    found = verdict("best-per-target", gains, split="test")
    assert found.direction == "consistent, under different conditions"
    assert found.differences == ("chosen on the split that is scored",)
    assert "xnli: csqa" in found.finding.detail


def test_what_is_chosen_is_judged_by_other_seeds():
    gains = {"csqa": 5.4, "qqp": 0.0}
    few = verdict("best-per-target", gains, seeds=(1, 2, 3))
    assert few.direction == "inconclusive"
    assert "four seeds are the fewest for a verdict" in few.finding.detail
    enough = verdict("best-per-target", gains)
    assert "judged on the others" in enough.finding.detail
    assert enough.finding.estimate.seeds == 2  # of five, three choose


@pytest.mark.slow
@pytest.mark.parametrize("protocol", ["english_dev", "official_dev"])
def test_luck_is_seldom_called_a_gain(protocol):
    """Six intermediates that bring nothing before five targets: at most 5 % may look otherwise."""
    names, seeds = ("", *"abcdef"), (1, 2, 3, 4, 5, 6)
    claim = {"rule": "best_per_target", "protocol": protocol}
    about = {"id": "mine", "text": "a", "source": "me"}
    mine = TypeAdapter(claims.Claim).validate_python({**about, **claim})
    rng, wrong, studies = np.random.default_rng(11), 0, 300
    for _ in range(studies):
        found = []
        for target in ("xnli", "udpos", "panx", "tydiqa", "pawsx"):
            items = rng.normal(0, 0.003, (1, 1, 60))
            for before in names:
                run = rng.normal(0, 0.01, (len(seeds), 1))
                both = np.broadcast_to(run[:, :, None], (len(seeds), 1, 60)) + items
                values = 0.5 + np.concatenate([run[:, :, None], both], axis=2)
                path = f"{before} > {target}" if before else target
                selected = tuple((0.5 + run[:, 0] + rng.normal(0, 0.002, len(seeds))).tolist())
                found.append(
                    Outcome(
                        *("m", path, target, target, "test", seeds, ("en",), values, 500),
                        selected=selected,
                    )
                )
        (one,) = judge([mine], Gains(Outcomes(found), same_data=True), Catalogue())
        wrong += one.finding.direction == "supported"
    assert wrong / studies <= 0.05


@pytest.mark.slow
def test_what_is_not_seen_to_be_largest_is_not_called_smaller():
    """Both named gains are a point above the others', and runs are too noisy to see it."""
    gains = {"csqa": {"bucc2018": 1.0, "tatoeba": 1.0}}
    answers = Counter()
    for number in range(60):
        outcomes = simulator.study(
            gains, seeds=(1, 2, 3), seed_sd=0.015, item_sd=0.005, number=number
        )
        (one,) = judge([BY_ID["retrieval-largest"]], Gains(outcomes, same_data=True), Catalogue())
        answers[one.finding.direction] += 1
    assert answers["contradicted"] <= 4


def test_a_study_that_is_half_done_is_another_condition():
    outcomes = simulator.study({"squad_v1": 8.2}, seeds=FIVE)
    outcomes.all = [one for one in outcomes.all if one.path in ("squad_v1 > tydiqa", one.target)]
    (found,) = judge([BY_ID["squad-mean"]], Gains(outcomes, same_data=True), Catalogue())
    assert found.direction == "consistent, under different conditions"
    assert found.differences == (
        "without xnli, pawsx, udpos, panx, xquad, mlqa, bucc2018, tatoeba",
    )


def test_what_guesses_is_not_called_equivalent():
    outcomes = simulator.study({"csqa": 0.0, "qqp": 0.0}, seeds=FIVE)
    guessing = [replace(one, chance=0.5) if one.target == "xnli" else one for one in outcomes.all]
    (found,) = judge(
        [BY_ID["xnli-none"]], Gains(replace(outcomes, all=guessing), same_data=True), Catalogue()
    )
    assert found.direction == "inconclusive"
    assert "scores at chance" in found.finding.detail


@pytest.mark.parametrize(("better", "direction"), [(1, "inconclusive"), (0, "supported")])
def test_a_coin_that_fell_once_decides_no_sign_test(better, direction):
    """0 of 5 is p = 0.03, 1 of 5 p = 0.19."""
    targets = dict(list(simulator.TARGETS.items())[:5])
    points = {name: 1.0 if place < better else -1.0 for place, name in enumerate(targets)}
    gains = {"csqa": 0.0, "csqa + mlm@0.2": points}
    assert verdict("mlm-not-more-targets", gains, targets=targets).finding.direction == direction


def test_targets_that_are_alike_take_no_side_in_a_sign_test():
    """Worse on five, equal on four: 1/32, as of five targets."""
    points = {name: -1.0 * (place < 5) for place, name in enumerate(simulator.TARGETS)}
    gains = {"csqa": 0.0, "csqa + mlm@0.2": points}
    found = verdict("mlm-not-more-targets", gains, seed_sd=0.0, item_sd=0.0)
    assert found.finding.detail.startswith(
        "better on 0 of 9 targets, worse on 5 (sign test, one-sided p = 0.03)"
    )


def test_why_nothing_is_tested_is_said_as_it_is():
    fell = [(before, "tydiqa", seed) for before in ("csqa", "qqp") for seed in FIVE]
    gains = dict.fromkeys(("csqa", "qqp", "squad_v1", "hellaswag"), 1.0)
    found = verdict("tydiqa-consistent", gains, collapsed=fell)
    assert found.finding.detail == "not tested: no seed of which every run learnt"
    alone = verdict("tydiqa-consistent", gains, seeds=(1,))
    assert alone.finding.detail == "not tested: one seed"


def test_a_collapsed_run_is_left_out_of_the_verdict_and_named():
    found = verdict("squad-mean", {"squad_v1": 8.2}, collapsed=[("squad_v1", "xnli", 2)])
    assert (found.direction, found.size) == ("supported", "supported")
    assert "(seed 2): left out of this" in found.finding.detail


def test_history_is_not_testable_and_the_set_up_is_checked_in_the_catalogue():
    assert verdict("state-of-the-art", {"csqa": 1.0}).direction == "not testable"
    wrong = {"rule": "catalogue", "suite": "xtreme", "suite_tasks": 8}
    found = verdict(wrong, {"csqa": 1.0}).finding
    assert found.direction == "contradicted"


def test_the_built_in_claims_are_those_of_the_mission():
    expected = {id_: claim.expected for id_, claim in BY_ID.items() if claim.expected}
    assert expected == {
        "squad-mean": 8.2,
        "mnli-mean": 7.5,
        "hellaswag-mean": 7.0,
        "multi-task-mean": 8.7,
        "best-per-target": 5.4,
    }
    assert BY_ID["best-per-target"].split == "test"
    assert "unverified" in BY_ID["translated-worse"].status
    for claim in BY_ID.values():
        assert not claim.suite or claim.suite in SUITES


def test_a_users_claims(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text(
        "- {id: mine, text: a, source: b, rule: mean_gain, intermediate: [csqa], expected: 2}\n"
    )
    (claim,) = claims.load(file)
    outcomes = simulator.study({"csqa": 2.0}, seeds=FIVE, model="any/model")
    (found,) = judge([claim], Gains(outcomes, same_data=True), Catalogue())
    assert (found.direction, found.differences) == ("supported", ())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id: a", "found id: a, expected a list"),
        (
            "- {id: a, text: b, source: c, rule: guess}",
            r"1, \[0\]: found guess; allowed: best_",
        ),
        (
            "- {id: a, text: b, source: c, rule: mean_gain}",
            r"\[0\]: found no intermediate; ",
        ),
        (
            "- {id: a, text: b, source: c, rule: not_testable, xyz: 1}",
            r"\[0\].xyz: unknown key",
        ),
        ("- {id: set-up, text: b, source: c, rule: not_testable}", 'claim id "set-up" is taken'),
        ("- {id: a, text: b, source: c}", r"line 1, \[0\]: found no rule; it needs one"),
        (
            "- {id: a, text: b, source: c, rul: not_testable}",
            r'1, \[0\]: found "rul" where "rule"',
        ),
        ("- {id: a, text: b,\n  text: c}", "line 2, text: stands twice, first in line 1"),
        ("- [", "not YAML"),
    ],
)
def test_mistakes_in_a_users_claims_are_said_in_one_line(tmp_path, text, message):
    file = tmp_path / "mine.yaml"
    file.write_text(text)
    with pytest.raises(UserError, match=message) as raised:
        claims.load(file)
    assert "\n" not in str(raised.value)
    assert str(raised.value).startswith(str(file))


def test_a_claims_file_that_is_not_there(tmp_path):
    with pytest.raises(UserError, match="no such file"):
        claims.load(tmp_path / "none.yaml")


def test_other_data_are_other_conditions():
    study = simulator.study({"squad_v1": 8.2}, seeds=FIVE)
    study.all = [replace(o, source="microworld") for o in study.all]
    (found,) = judge([BY_ID["squad-mean"]], Gains(study, same_data=True), Catalogue())
    assert found.direction == "consistent, under different conditions"
    assert found.differences == ("generated rows, not the datasets",)
    study.all = [
        replace(o, source="mirror", trained_on="taxinli" if o.target == "xnli" else o.trained_on)
        for o in study.all
    ]
    (found,) = judge([BY_ID["squad-mean"]], Gains(study, same_data=True), Catalogue())
    assert found.differences == ("xnli trained on taxinli, not mnli",)


def test_rows_that_people_wrote_say_nothing_of_translations():
    found = verdict("translated-worse", {"csqa": 4.0, "csqa:de": 2.0}, translated=frozenset())
    assert found.direction == "not run"


def test_one_seed_does_not_count_targets():
    found = verdict("mlm-not-more-targets", {"csqa": 4.0, "csqa + mlm@0.2": 2.0}, seeds=(1,))
    assert found.direction == "inconclusive"


def test_a_collapsed_run_is_left_out_of_variants_and_of_the_largest():
    gains = {"csqa": 4.0, "csqa + mlm@0.2": 2.0}
    found = verdict("mlm-worse", gains, collapsed=[("csqa", "xnli", 2)])
    assert found.direction == "supported"
    assert "(seed 2): left out of this" in found.finding.detail
    fell = [("csqa", "tydiqa", 3)]
    assert (
        verdict("retrieval-largest", {"csqa": RETRIEVAL}, collapsed=fell).direction == "supported"
    )


def test_where_every_seed_collapsed_somewhere_nothing_is_judged():
    fell = [("squad_v1", "xnli", seed) for seed in FIVE]
    # All of its runs fell, so that half of the study's runs on XNLI did: the usual one learnt.
    found = verdict("squad-mean", {"squad_v1": 8.2, "csqa": 1.0}, collapsed=fell)
    assert (found.direction, found.size) == ("inconclusive", "inconclusive")
    assert "there is no seed without one" in found.finding.detail

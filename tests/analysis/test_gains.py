"""Gains: what is compared with what, what counts in a mean, what is tested."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from analysis import simulator
from xstilts.analysis import routes
from xstilts.analysis.best import PROTOCOLS, best
from xstilts.analysis.estimate import equivalence_p
from xstilts.analysis.gains import SAME_DATA, Gains, slope_by_size
from xstilts.analysis.outcomes import Outcome, Outcomes
from xstilts.cli import output
from xstilts.tasks import TASKS

MODEL = "xlm-roberta-large"


def outcome(path, target="xnli", trained_on="mnli"):
    values = np.zeros((1, 1, 2))
    return Outcome(MODEL, path, target, trained_on, "test", (1,), ("en",), values, 9)


def one(gains, **where):
    found = [g for g in gains.all() if all(getattr(g, k) == v for k, v in where.items())]
    assert len(found) == 1, (where, len(found))
    return found[0]


@pytest.mark.parametrize(
    ("path", "target", "trained_on", "before", "last"),
    [
        ("xnli", "xnli", "mnli", "", "xnli"),
        ("ccg > mnli > xnli", "xnli", "mnli", "ccg > mnli", "xnli"),
        ("mnli > tatoeba", "tatoeba", None, "mnli", "tatoeba"),
        ("mnli | tatoeba, xnli", "tatoeba", None, "mnli", "tatoeba"),
        ("mnli | tatoeba:de", "tatoeba", None, "mnli", "tatoeba:de"),
        ("tatoeba", "tatoeba", None, "", "tatoeba"),
        ("ccg > mnli | xnli:de", "xnli", "mnli", "ccg", "mnli | xnli:de"),
    ],
)
def test_a_path_is_cut_before_what_trains_the_head(path, target, trained_on, before, last):
    found = routes.route(outcome(path, target, trained_on), "")
    assert (found.before, found.last) == (before, last)


SQUAD_FIRST, SIQA_FIRST = "squad_v1 | tatoeba", "social_iqa > copa | xcopa"


@pytest.mark.parametrize(
    ("path", "trained_on", "baseline", "before", "last"),
    [
        ("squad_v1 | tatoeba", None, SQUAD_FIRST, "", SQUAD_FIRST),
        ("ccg > mnli > squad_v1 | tatoeba", None, SQUAD_FIRST, "ccg > mnli", SQUAD_FIRST),
        ("social_iqa > copa | xcopa", "copa", SIQA_FIRST, "", SIQA_FIRST),
        ("mnli > social_iqa > copa | xcopa", "copa", SIQA_FIRST, "mnli", SIQA_FIRST),
        # Not after the suite's baseline: a path of its own, with another baseline.
        ("mnli > tatoeba", None, SQUAD_FIRST, "mnli", "tatoeba"),
        ("mnli > xcopa", "copa", SIQA_FIRST, "mnli", "xcopa"),
    ],
)
def test_a_path_is_cut_before_the_suites_own_baseline(path, trained_on, baseline, before, last):
    target = baseline.rpartition(" ")[2]
    found = routes.route(outcome(path, target, trained_on), baseline)
    assert (found.before, found.last) == (before, last)


@pytest.mark.parametrize(
    ("path", "trained_on", "baseline", "expected"),
    [
        ("mnli > xnli", "mnli", "", "same data"),
        ("squad_v1 > xquad", "squad_v1", "", "same data"),
        # more than the target's rows, or a part of them
        ("all9 > xnli", "mnli", "", "same data"),
        ("anli_plus > xnli", "mnli", "", "same data"),
        ("squad_v2 > xquad", "squad_v1", "", "same data"),
        ("mnli > xnli", "taxinli", "", "same data"),
        ("mnli + csqa > xnli", "mnli", "", "same data"),
        ("mnli > csqa > xnli", "mnli", "", "same data"),
        # the same rows in another language, or with other labels
        ("mnli:de/ru/sw > xnli", "mnli", "", "same data"),
        ("shuffled(mnli) > xnli", "mnli", "", "same data"),
        # the baseline has it already
        ("squad_v1 > squad_v1 | tatoeba", None, SQUAD_FIRST, "repeat"),
        ("all9 > squad_v1 | tatoeba", None, SQUAD_FIRST, "repeat"),
        ("social_iqa > social_iqa > copa | xcopa", "copa", SIQA_FIRST, "repeat"),
        ("copa > social_iqa > copa | xcopa", "copa", SIQA_FIRST, "same data"),
        # neither
        ("xnli", "mnli", "", ""),
        ("csqa > xnli", "mnli", "", ""),
        ("squad_dev > xquad", "squad_v1", "", ""),
        ("same_steps(csqa) > xnli", "mnli", "", ""),
        ("squad_v1 | tatoeba", None, "", ""),
        ("squad_v1 | tatoeba", None, SQUAD_FIRST, ""),
        ("mnli > squad_v1 | tatoeba", None, SQUAD_FIRST, ""),
        ("mnli > social_iqa > copa | xcopa", "copa", SIQA_FIRST, ""),
    ],
)
def test_cells_that_test_no_transfer_are_marked(path, trained_on, baseline, expected):
    assert routes.flag(replace(outcome(path, "", trained_on), baseline=baseline)) == expected


def test_no_task_contains_itself():
    assert all(task.name not in task.contains for task in TASKS.values())


def test_what_variants_are_compared_with():
    assert routes.simpler("mnli + mlm@0.2") == {"mlm": "mnli"}
    assert routes.simpler("mnli:de/ru") == {"other languages": "mnli"}
    assert routes.simpler("mnli + csqa") == {"single: mnli": "mnli", "single: csqa": "csqa"}
    assert routes.simpler("mnli") == {}
    cut = routes.simpler("mnli[1k]@0.3 + csqa:de/ru")
    assert cut == {"single: mnli[1k]": "mnli[1k]", "single: csqa:de/ru": "csqa:de/ru"}
    assert len(routes.simpler("all9")) == 9
    assert routes.control_of("mnli")["shuffled"] == "shuffled(mnli)"
    assert routes.control_of("mnli + csqa") == {}


def test_a_mean_is_over_targets_and_leaves_marked_cells_out():
    by_target = dict.fromkeys(simulator.TARGETS, 1.0) | {"xnli": 31.0, "tatoeba": 10.0}
    study = simulator.study({"mnli": by_target}, seed_sd=0, item_sd=0)
    study.all = [replace(o, trained_on="mnli") if o.target == "xnli" else o for o in study.all]
    gains = Gains(study)
    cell = one(gains, over="target", name="xnli")
    assert (cell.flag, cell.estimate.value) == ("same data", pytest.approx(0.31))
    # Eight targets: six of 1 and bucc2018's 1, tatoeba's 10.
    mean = one(gains, over="mean")
    assert mean.estimate.value == pytest.approx((7 * 1 + 10) / 8 / 100)
    assert "xnli" not in mean.targets
    assert one(gains, over="mean without retrieval").estimate.value == pytest.approx(0.01)
    with_it = one(Gains(study, same_data=True), over="mean")
    assert with_it.estimate.value == pytest.approx((7 * 1 + 10 + 31) / 9 / 100)
    beside = one(gains, over="mean with same data")
    assert beside.estimate.value == with_it.estimate.value
    assert beside.targets == with_it.targets


def test_gains_by_language_family_and_script():
    study = simulator.study({"csqa": 2.0}, seed_sd=0, item_sd=0)
    study.all = [o for o in study.all if o.target in ("xnli", "tatoeba")]
    for o in study.all:
        if o.path == "csqa > tatoeba":
            o.values[:, list(o.languages).index("sw")] += 0.04
    gains = Gains(study)
    assert one(gains, over="language", name="sw").estimate.value == pytest.approx((2 + 6) / 2 / 100)
    assert one(gains, over="language", name="hi").estimate.value == pytest.approx(0.02)
    assert one(gains, over="language", name="sw").targets == ("xnli", "tatoeba")
    # en, de, hi of Indo-European: 2 each.
    assert one(gains, over="family", name="Indo-European").estimate.value == pytest.approx(0.02)
    assert one(gains, over="script", name="Latn").estimate.value == pytest.approx(
        (2 + 2 + 4) / 3 / 100
    )


def test_the_slope_by_pretraining_text_is_least_squares():
    study = simulator.study({"csqa": 0.0}, seed_sd=0, item_sd=0)
    (base, after) = (o for o in study.all if o.target == "udpos")
    draws = {}
    for code, points in {"en": 1.0, "de": 1.5, "hi": 2.5, "sw": 4.0}.items():
        after.values[:, after.languages.index(code)] += points / 100
        draws[code] = after.over([code]) - base.over([code])
    from xstilts import languages

    x = [np.log10(languages.get(code).xlmr_tokens_m) for code in draws]
    expected = np.polyfit(x, [1.0, 1.5, 2.5, 4.0], 1)[0] / 100
    assert slope_by_size(draws).values[0, 0] == pytest.approx(expected)
    assert slope_by_size(dict(list(draws.items())[:2])) is None


def test_p_values_belong_to_declared_families_and_are_holms():
    study = simulator.study({"csqa": 5.0, "qqp": 4.0, "ccg": 0.0}, seeds=(1, 2, 3, 4, 5))
    assert {gain.p for gain in Gains(study).all()} == {None}
    study.analyses = ("gains",)
    tested = [gain for gain in Gains(study).all() if gain.p is not None]
    assert {(gain.over, gain.versus, gain.family) for gain in tested} == {
        ("mean", "baseline", "gains")
    }
    assert len(tested) == 3
    by_name = {gain.intermediate: gain.p for gain in tested}
    assert by_name["csqa"] < 0.05
    assert by_name["ccg"] > 0.05


def test_one_seed_has_no_p_value():
    study = simulator.study({"csqa": 5.0}, seeds=(1,))
    study.analyses = ("gains",)
    mean = one(Gains(study), over="mean")
    assert (mean.p, mean.estimate.covers) == (None, "items only: one seed")


def test_controls_are_differences_to_the_control():
    gains = {"csqa": 3.0, "shuffled(csqa)": 1.0, "same_steps(csqa)": 0.5}
    study = simulator.study(gains, seed_sd=0, item_sd=0)
    found = Gains(study)
    assert found.intermediates == ("csqa",)
    assert one(found, over="mean", versus="shuffled").estimate.value == pytest.approx(0.02)
    assert one(found, over="mean", versus="same_steps").estimate.value == pytest.approx(0.025)


def test_a_collapsed_run_is_seen_and_said():
    study = simulator.study({"csqa": 2.0}, collapsed=[("csqa", "xnli", 2)])
    cell = one(Gains(study), over="target", name="xnli")
    assert cell.estimate.collapsed == (2,)
    assert cell.estimate.value < 0 < cell.estimate.learnt.value
    assert one(Gains(study), over="target", name="panx").estimate.collapsed == ()
    assert one(Gains(study), over="mean").estimate.collapsed == (2,)


def test_a_run_that_did_not_learn_is_of_its_targets_languages_alone():
    """By the simulator's targets: XQuAD has no Swahili."""
    study = simulator.study({"csqa": 2.0}, collapsed=[("csqa", "xquad", 2)])
    gains = Gains(study)
    assert one(gains, over="language", name="zh").estimate.collapsed == (2,)
    assert one(gains, over="language", name="sw").estimate.collapsed == ()
    assert "xquad" not in one(gains, over="language", name="sw").targets


def test_a_row_is_flat():
    study = simulator.study({"csqa": 2.0})
    row = one(Gains(study), over="mean").row()
    assert row["intermediate"] == "csqa"
    assert row["low"] < row["gain"] < row["high"]
    assert {"seeds", "groups", "covers", "seed_variance", "item_variance", "p"} <= row.keys()


def test_the_best_per_target_by_english_rows_and_by_the_scored_split():
    gains = {"csqa": {"xnli": 3.0, "tatoeba": 1.0}, "qqp": {"panx": 2.0, "tatoeba": 9.0}}
    selected = {"": 0.5, "csqa": 0.7, "qqp": 0.6}
    study = simulator.study(gains, seed_sd=0, item_sd=0, selected=selected)
    english = best(Gains(study), MODEL, "english_dev")
    # Retrieval has no English rows: it takes what is best on the others'.
    assert set(english.choice.values()) == {"csqa"}
    assert english.zero_shot
    assert english.estimate.value == pytest.approx((3 + 1) / 9 / 100)
    official = best(Gains(study), MODEL, "official_dev")
    assert (official.choice["xnli"], official.choice["tatoeba"]) == ("csqa", "qqp")
    assert official.choice["panx"] == "qqp"
    assert official.choice["udpos"] == ""  # nothing beats the baseline
    assert official.estimate.value == pytest.approx((3 + 2 + 9) / 9 / 100)
    assert not official.zero_shot


def test_the_best_per_target_leaves_out_what_means_leave_out():
    """mnli's rows are what XNLI is trained on: +9 there is no transfer, and no merit."""
    selected = {"": 0.5, "mnli": 0.7, "csqa": 0.6}
    gains = {"mnli": {"xnli": 9.0}, "csqa": 0.0}
    study = simulator.study(gains, seed_sd=0, item_sd=0, selected=selected)
    for protocol in PROTOCOLS:
        found = best(Gains(study), MODEL, protocol)
        assert "xnli" not in found.choice
        assert "tatoeba" in found.choice
        assert found.estimate.value == pytest.approx(0)
        every = best(Gains(study, same_data=True), MODEL, protocol)
        assert every.choice["xnli"] == "mnli"
        assert every.estimate.value == pytest.approx(0.09 / 9)


def test_english_dev_needs_something_to_choose_by():
    assert best(Gains(simulator.study({"csqa": 1.0})), MODEL, "english_dev") is None


def test_the_gap_to_english_is_english_minus_the_mean_of_the_others():
    values = np.tile(np.array([0.8, 0.7, 0.4])[None, :, None], (2, 1, 4))
    values[1, 0] += 0.1  # of the second seed, English alone
    codes = ("en", "de", "sw")
    base = Outcome(MODEL, "csqa", "csqa", "csqa", "test", (1, 2), codes, values, 9, chance=0.2)
    without = replace(base, path="xcopa", target="xcopa", languages=("de", "sw", "tr"))
    gains = Gains(Outcomes([base, without]))
    found = gains.gap(MODEL, "csqa", "")
    # 0.8 - (0.7 + 0.4) / 2 = 0.25, and 0.35.
    assert found.value == pytest.approx(0.3)
    assert found.low < 0.25
    assert found.high > 0.35
    assert gains.gap(MODEL, "xcopa", "") is None
    assert gains.gap(MODEL, "csqa", "ccg") is None


def test_rows_in_other_languages_are_translations_or_not():
    study = simulator.study({"csqa": 3.0, "csqa:de": 1.0}, seed_sd=0, item_sd=0)
    assert {g.versus for g in Gains(study).all()} == {"baseline", "other languages"}
    study.translated = frozenset({"csqa"})
    found = one(Gains(study), over="mean", versus="translated")
    assert found.estimate.value == pytest.approx(-0.02)


def test_a_margin_of_the_study_is_tested_by_two_one_sided_tests_and_holm():
    gains = {"csqa": {"xnli": 0.1, "panx": 5.0}, "qqp": {"xnli": 4.0}}
    study = simulator.study(gains, seeds=(1, 2, 3, 4, 5))
    assert {g.equivalence_p for g in Gains(study).all()} == {None}
    study.margins = {"xnli": 1.0}
    found = [g for g in Gains(study).all() if g.margin is not None]
    by_name = {g.intermediate: g for g in found}
    assert {(g.over, g.name, g.margin) for g in found} == {("target", "xnli", 1.0)}
    assert by_name["csqa"].equivalence_p == pytest.approx(
        2 * equivalence_p(by_name["csqa"].estimate, 0.01)
    )
    assert by_name["csqa"].equivalence_p < 0.05 < by_name["qqp"].equivalence_p
    study.margins = {"mean": 9.0}
    assert len([g for g in Gains(study).all() if g.over == "mean" and g.equivalence_p < 0.05]) == 2


def test_one_seed_has_no_p_value_for_equivalence_either():
    study = simulator.study({"csqa": 0.1}, seeds=(1,))
    study.margins = {"xnli": 1.0}
    assert [g.equivalence_p for g in Gains(study).all() if g.margin] == [None]


def test_a_mean_says_the_smallest_difference_it_could_see():
    few, many = (
        one(Gains(simulator.study({"csqa": 1.0}, seeds=seeds)), over="mean").detectable
        for seeds in ((1, 2), tuple(range(1, 9)))
    )
    assert 0 < many < few
    assert one(Gains(simulator.study({"csqa": 1.0}, seeds=(1,))), over="mean").detectable is None


def test_means_are_over_the_same_targets_for_every_intermediate():
    study = simulator.study({"mnli": 1.0, "csqa": 1.0, "squad_v1": 1.0}, seed_sd=0, item_sd=0)
    means = {g.intermediate: g.targets for g in Gains(study).all() if g.over == "mean"}
    # XNLI trains on MNLI, XQuAD and MLQA on SQuAD.
    expected = ("pawsx", "udpos", "panx", "tydiqa", "bucc2018", "tatoeba")
    assert set(means.values()) == {expected}
    beside = {g.intermediate: g.targets for g in Gains(study).all() if g.over == SAME_DATA}
    assert set(beside.values()) == {tuple(simulator.TARGETS)}
    # Where nothing is left, each leaves out its own.
    study.all = [o for o in study.all if o.target in ("xnli", "xquad")]
    means = {g.intermediate: g.targets for g in Gains(study).all() if g.over == "mean"}
    assert means == {"mnli": ("xquad",), "csqa": ("xnli", "xquad"), "squad_v1": ("xnli",)}


def test_the_best_per_target_is_about_the_runs_that_were_chosen():
    gains = {"csqa": {"xnli": 3.0}, "qqp": {"panx": 2.0}}
    study = simulator.study(gains, collapsed=[("csqa", "panx", 2)])
    assert best(Gains(study), MODEL, "official_dev").estimate.collapsed == ()


def test_what_was_imported_is_compared_as_any_intermediate_is():
    assert not routes.is_control("imported(mine)")
    assert routes.is_control("shuffled(mnli)")
    assert routes.is_control("same_steps(mnli)")


@pytest.mark.parametrize(
    ("before", "trained_on", "expected"),
    [
        ("mnli", "mnli", True),
        ("csqa > mnli:de", "mnli", True),
        ("anli_plus", "mnli", True),
        ("all9", "squad_v1", True),
        ("csqa", "mnli", False),
        ("same_steps(mnli)", "mnli", False),
        ("", "mnli", False),
    ],
)
def test_rows_of_the_target(before, trained_on, expected):
    assert routes.has_rows_of(before, trained_on) is expected


def test_no_run_is_singled_out_within_the_noise_of_items():
    """XCOPA near chance: 500 items, a standard deviation of 2.2 points, a median of 52."""
    rng = np.random.default_rng(3)
    found = []
    for before in ("", "csqa", "qqp"):
        run = 0.52 + rng.normal(0, 0.01, (3, 1, 1))
        values = np.concatenate([run, run + rng.normal(0, 0.022, (3, 1, 99))], axis=2)
        path = f"{before} > xcopa" if before else "xcopa"
        about = (MODEL, path, "xcopa", "copa", "test", (1, 2, 3), ("et",), values, 500)
        found.append(Outcome(*about, chance=0.5))
    study = Outcomes(found)
    assert [study.collapsed(one) for one in found] == [(), (), ()]
    high = [replace(one, values=one.values + 0.3) for one in found]
    fallen = replace(high[1], values=np.concatenate([high[1].values[:2], high[1].values[2:] - 0.3]))
    study = Outcomes([high[0], fallen, high[2]])
    assert [study.collapsed(one) for one in study.all] == [(), (3,), ()]


def test_what_a_family_can_detect_is_at_its_own_level():
    study = simulator.study({"csqa": 2.0, "qqp": 1.0})
    alone = {g.intermediate: g.detectable for g in Gains(study).all() if g.over == "mean"}
    study.analyses = ("gains",)
    family = {g.intermediate: g for g in Gains(study).all() if g.over == "mean"}
    assert all(one.tests == 2 and one.detectable > alone[name] for name, one in family.items())


def test_of_a_target_that_stands_twice_one_is_compared_and_the_other_named():
    paths = ("xnli", "csqa > xnli", "xnli[10k]", "csqa > xnli[10k]")
    gains = Gains(Outcomes([outcome(path) for path in paths]))
    assert gains.set_aside() == {"xnli[10k]": "xnli", "csqa > xnli[10k]": "xnli"}
    assert output.unpaired(gains) == [
        f'not compared: "{path}": its target stands twice, and gains are of "xnli"'
        for path in paths[2:]
    ]

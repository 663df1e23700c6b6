"""In how many ways predictions are scored, by hand."""

from __future__ import annotations

import pytest

from xstilts import metrics
from xstilts.steps import variants
from xstilts.steps.layers import best_layer


def scored(rows, name, language="en"):
    """(part, layer, threshold, tuned on, selected, main) and the value of every variant."""
    metric = metrics.get(name)
    return {
        (v.part, v.layer, v.threshold, v.tuned_on, v.selected, v.main): metrics.score(
            metric, v.units, language
        )
        for v in variants.of(rows, metric, language)
    }


def pair(part, layer, source, gold, target, margin):
    return {
        "id": source,
        "group": source,
        "part": part,
        "layer": layer,
        "gold": gold,
        "prediction": [target] if target else [],
        "margin": margin,
    }


TUNED = [
    # Layer 0: the best pair is wrong, the next right, one is not mined. Cuts: F1 0, then 2/4.
    pair("tune", 0, "a", [], "x", 1.4),
    pair("tune", 0, "b", ["y"], "y", 1.2),
    pair("tune", 0, "c", ["z"], None, None),
    # Layer 1: both right, first. All taken up to the middle of 1.2 and 1.0.
    pair("tune", 1, "b", ["y"], "y", 1.4),
    pair("tune", 1, "c", ["z"], "z", 1.2),
    pair("tune", 1, "a", [], "x", 1.0),
]


def test_a_threshold_is_carried_from_the_tuning_set():
    """The depth is 1, so the layer that counts is 1 (two thirds of it), which is also the best."""
    rows = [
        *TUNED,
        pair("evaluate", 0, "d", ["u"], "u", 1.3),
        pair("evaluate", 1, "d", ["u"], "u", 1.15),
        pair("evaluate", 1, "e", ["v"], "v", 1.05),  # right, and below the carried 1.1
    ]
    found = scored(rows, "bitext_f1")
    middle = pytest.approx(1.1)
    assert list(found) == [
        ("tune", 0, 1.2, "tune", False, False),
        ("tune", 1, middle, "tune", True, False),
        ("evaluate", 0, 1.2, "tune", False, False),
        ("evaluate", 1, middle, "tune", True, True),
    ]
    assert list(found.values()) == [0.5, 1.0, 1.0, pytest.approx(2 / 3)]


def test_without_gold_pairs_of_the_test_set_the_tuning_set_counts():
    found = scored([*TUNED, pair("evaluate", 1, "d", [], "u", 1.3)], "bitext_f1")
    assert [key for key in found if key[-1]] == [
        ("tune", 1, pytest.approx(1.1), "tune", True, True)
    ]
    assert len(found) == 2


def test_without_a_tuning_set_the_test_set_is_its_own_upper_bound():
    rows = [{**row, "part": "evaluate"} for row in TUNED]
    found = scored(rows, "bitext_f1")
    assert list(found) == [
        ("evaluate", 0, 1.2, "evaluate", False, False),
        ("evaluate", 1, pytest.approx(1.1), "evaluate", False, True),
    ]


def question(part, gold, answer, odds):
    prediction = "" if odds > 0 else answer
    return {
        "part": part,
        "gold": gold,
        "answer": answer,
        "prediction": prediction,
        "null_odds": odds,
    }


def test_null_thresholds():
    """Tuned: answering up to odds of 2 gains two right answers, beyond it loses one silence.

    Scored: at 0 the second and third answers are silenced, at 2 the third, the best is at 5.
    """
    rows = [
        question("tune", ["red boat"], "red boat", -1.0),
        question("tune", ["nine"], "nine", 2.0),
        question("tune", [], "moon", 3.0),
        question("evaluate", ["a hat"], "hat", -2.0),
        question("evaluate", ["sun"], "sun", 1.0),
        question("evaluate", ["sea"], "sea", 5.0),
    ]
    assert scored(rows, "squad_v2_f1") == {
        ("evaluate", None, 0.0, None, False, False): pytest.approx(1 / 3),
        ("evaluate", None, 2.0, "tune", False, True): pytest.approx(2 / 3),
        ("evaluate", None, 5.0, "evaluate", False, False): 1.0,
    }
    # Without tuning rows, the prediction as it is counts.
    found = scored([row for row in rows if row["part"] == "evaluate"], "squad_v2_f1")
    assert [(key[2], key[-1]) for key in found] == [(0.0, True), (5.0, False)]


def test_a_layer_is_chosen_on_other_languages():
    def query(part, layer, found):
        return {"part": part, "layer": layer, "gold": "a", "prediction": [found]}

    rows = [
        *(query("tune", 0, found) for found in "ab"),
        *(query("tune", 1, found) for found in "aa"),
        *(query("tune", 2, found) for found in "aa"),
        *(query("evaluate", layer, found) for layer, found in ((0, "a"), (1, "b"), (2, "a"))),
    ]
    found = scored(rows, "retrieval_accuracy")
    # Of a depth of 2 the first layer counts; of the two best layers the lower one is chosen.
    assert [(key[1], key[4], key[5], value) for key, value in found.items()] == [
        *((0, False, False, 1.0), (1, True, True, 0.0), (2, False, False, 1.0))
    ]


def test_the_lowest_of_the_best_layers():
    assert best_layer({0: 0.1, 2: 0.4, 1: 0.4}) == 1


def test_other_predictions_have_one_variant():
    assert (
        len(list(variants.of([{"gold": "a", "prediction": "a"}], metrics.get("accuracy"), ""))) == 1
    )

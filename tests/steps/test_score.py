"""Scores come from predictions alone, and retrieval counts the official layer."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from xstilts import metrics
from xstilts.steps.layers import retrieval_layer
from xstilts.steps.score import score


def scored(tmp_path, rows, language, *names):
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "predictions.parquet")
    inputs = {
        "predictions": "0" * 20,
        "language": language,
        "metrics": {name: metrics.get(name).version for name in names},
    }
    found = score(inputs, tmp_path / "predictions.parquet", tmp_path)
    assert pq.read_table(tmp_path / "scores.parquet").to_pylist() == found
    return found


def test_a_score_names_metric_version_and_n(tmp_path):
    rows = [{"id": str(i), "gold": "yes", "prediction": p} for i, p in enumerate(["yes", "no"] * 2)]
    assert scored(tmp_path, rows[:3], "sw", "accuracy") == [
        {
            "metric": "accuracy",
            "metric_version": metrics.get("accuracy").version,
            "value": 2 / 3,
            "n": 3,
            "layer": None,
            "main": True,
            "part": "evaluate",
            "threshold": None,
            "tuned_on": None,
            "selected": False,
        }
    ]


def test_every_metric_has_its_row(tmp_path):
    rows = [{"gold": ["the old bridge"], "prediction": "old stone bridge", "null_odds": 0.0}]
    found = scored(tmp_path, rows, "en", "squad_f1", "squad_exact_match")
    # Articles go: "old bridge" and "old stone bridge" share 2 words; P = 2/3, R = 1.
    assert {row["metric"]: row["value"] for row in found} == {
        "squad_f1": pytest.approx(0.8),
        "squad_exact_match": 0.0,
    }


def test_the_language_reaches_the_metric(tmp_path):
    # MLQA strips articles by language: "der" is one in German, not in Spanish.
    rows = [{"gold": ["der Fluss"], "prediction": "Fluss", "null_odds": 0.0}]
    values = [scored(tmp_path, rows, code, "mlqa_exact_match")[0]["value"] for code in ("de", "es")]
    assert values == [1.0, 0.0]


def test_retrieval_is_scored_at_every_layer_and_one_counts(tmp_path):
    right = {0: "aab", 1: "abb", 2: "bbb", 3: "aaa"}  # what is found for three queries "a"
    rows = [
        {"id": "a", "gold": "a", "layer": layer, "prediction": [best, "c"]}
        for layer, found in right.items()
        for best in found
    ]
    found = scored(tmp_path, rows, "de", "retrieval_accuracy")
    assert [(row["layer"], row["value"], row["n"], row["main"]) for row in found] == [
        (0, pytest.approx(2 / 3), 3, False),
        (1, pytest.approx(1 / 3), 3, False),
        (2, 0.0, 3, True),  # two thirds of a depth of 3
        (3, 1.0, 3, False),
    ]


@pytest.mark.parametrize(("depth", "layer"), [(12, 8), (24, 14), (6, 4), (2, 1), (1, 1)])
def test_the_layer_that_counts(depth, layer):
    # 12 and 24 blocks: XTREME's scripts; others two thirds of the depth, as 8 of 12 is.
    assert retrieval_layer(depth) == layer

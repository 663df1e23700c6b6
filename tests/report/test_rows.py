from __future__ import annotations

import pytest

import small_tasks
from xstilts.report.rows import score_rows
from xstilts.store import Store

PROVENANCE = {
    "xstilts": "0",
    "versions": {"torch": "2"},
    "device": "cpu",
    "threads": 3,
    "seconds": 1.5,
    "machine": "x",
}


def result(value: float, **more: object) -> dict:
    return {
        "metric": "accuracy",
        "metric_version": 1,
        "value": value,
        "n": 12,
        "layer": None,
        "main": True,
        **more,
    }


def put(store: Store, step_id: str, kind: str, content: object) -> None:
    record = {"kind": kind, "inputs": {}, "evictable": [], "provenance": PROVENANCE}
    with store.writing(step_id) as folder:
        store.finish(step_id, folder, {**record, "result": content})


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def plan(small, tiny):
    return small_tasks.plan(
        small,
        tiny,
        "s_nli > s_xnli",
        "| s_tatoeba:ru",
        seeds=(1, 2),
        options={"max_steps": 7, "max_eval_rows": 5},
    )


def test_a_row_says_all_there_is_to_know(plan, store, tiny):
    cell = plan.cells[1]
    score = plan.steps[cell.score]
    predict = plan.steps[score.parent]
    put(store, predict.id, "predict", {"rows": 12})
    put(store, score.id, "score", [result(0.25)])
    (row,) = score_rows(plan, store)
    (fingerprint,) = plan.models
    assert row == {
        "model": str(tiny),
        "path": "s_nli > s_xnli",
        "seed": 1,
        "source": "files",
        "trained_on": "s_nli",
        "target": "s_xnli",
        "language": "de",
        "split": "test",
        "metric": "accuracy",
        "metric_version": 1,
        "value": 0.25,
        "n": 12,
        "layer": None,
        "main": True,
        "headline": True,
        "score_id": score.id,
        "predict_id": predict.id,
        "weights_id": predict.parent,
        "data": predict.inputs["data"],
        "model_fingerprint": fingerprint,
        "max_steps": 7,
        "max_eval_rows": 5,
        "precision": "fp32",
        "zero_shot": True,
        "versions": {"torch": "2"},
        "device": "cpu",
        "threads": 3,
        "seconds": 1.5,
    }


def test_rows_come_in_the_order_of_the_study_whatever_finished_first(plan, store):
    # Three languages for two seeds, then the constant of retrieval.
    places = [(cell.seed, cell.target, cell.language) for cell in plan.cells]
    assert places == [
        *((seed, "s_xnli", code) for seed in (1, 2) for code in ("en", "de", "ru")),
        (None, "s_tatoeba", "ru"),
    ]
    assert score_rows(plan, store) == []
    for number, cell in reversed(list(enumerate(plan.cells))):
        put(store, plan.steps[cell.score].parent, "predict", {"rows": 12})
        put(store, cell.score, "score", [result(number / 10)])
    rows = score_rows(plan, store)
    assert [(row["seed"], row["target"], row["language"]) for row in rows] == places
    assert [row["value"] for row in rows] == [number / 10 for number in range(7)]
    # Nothing was trained for the last one: no stage was capped, the weights are the model's.
    assert (rows[-1]["max_steps"], rows[-1]["trained_on"]) == (None, None)
    assert rows[-1]["weights_id"] == rows[-1]["model_fingerprint"]


def test_every_metric_and_layer_has_a_row(plan, store):
    cell = plan.cells[-1]
    put(store, plan.steps[cell.score].parent, "predict", {"rows": 12})
    put(
        store,
        cell.score,
        "score",
        [result(0.5, layer=layer, main=layer == 1) for layer in range(3)],
    )
    rows = score_rows(plan, store)
    assert [(row["layer"], row["main"]) for row in rows] == [(0, False), (1, True), (2, False)]

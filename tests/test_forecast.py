"""Forecasts count what a run counts, and a run says how its forecast came out."""

from __future__ import annotations

import pytest
import torch

import small_tasks
from xstilts import forecast
from xstilts.engines.groups import remaining
from xstilts.engines.local import LocalEngine
from xstilts.errors import UserError
from xstilts.forecast import Cost
from xstilts.steps import calibrate
from xstilts.steps.calibrate import Pace
from xstilts.study import Options

COST = Cost(10, 65.0, 3 * 2**20, 2**30)
PACE = Pace((1.0, 0.1, 0.0), (0.0, 0.01, 0.0), 2.0, 1000, 2**30)


class Silent:
    def __getattr__(self, name):
        return lambda *_: None


@pytest.fixture
def study(small, tiny):
    return small_tasks.plan(
        *(small, tiny, "s_nli + s_squad > s_xnli", "s_nli + s_squad | s_tatoeba"),
        options=Options(max_steps=7),
        keep="intermediates",
    )


def test_steps_and_tokens_are_those_of_the_run(small, tiny, study, tmp_path, monkeypatch):
    asked = {}

    def measure(_weights, options, _device, **more):
        asked.update(more, precision=options["precision"])
        return PACE

    monkeypatch.setattr(calibrate, "measure", measure)
    monkeypatch.setattr(forecast, "_write_s", lambda _: 0.5)
    bench = small_tasks.bench(small, tmp_path / "store")
    steps = remaining(study, bench.store)
    cost = forecast.predict(study, steps, bench)
    LocalEngine().run(study, bench, Silent())
    results = [bench.store.record(step.id)["result"] for step in steps if step.kind == "train"]
    assert cost.optimiser_steps == sum(one["steps"] for one in results) == 14
    tokens = sum(one["tokens"] for one in results)
    read = 0
    for step in steps:
        if step.kind == "predict":
            desk = small_tasks.desk(small)
            from xstilts.model import tokenizer

            loaded = tokenizer.load(tiny)
            read += forecast._evaluation(step.inputs, loaded, desk).tokens
    # Loads: one before all, two stages, a group of three languages and one of two (Tatoeba).
    loads, others = 1 + 2 + 2, len(steps) - 2
    expected = 2.0 * loads + 14 * 1.0 + 0.1 * tokens + 0.01 * read + 0.5 * others
    assert cost.seconds == pytest.approx(expected, rel=0.1)  # batches are drawn, means are not
    assert cost.memory_bytes == 2**30
    assert cost.disk_bytes == 1000 * 1 + 150 * (3 + 2) * small_tasks.TEST_ROWS
    assert asked["precision"] == "fp32"
    assert 10 < asked["kinds"] < 800


def test_a_sample_stands_for_all_rows(small, tiny, monkeypatch):
    from xstilts.model import tokenizer

    plan = small_tasks.plan(small, tiny, "s_nli > s_xnli")
    inputs = next(step.inputs for step in plan.steps.values() if step.kind == "predict")
    desk, loaded = small_tasks.desk(small), tokenizer.load(tiny)
    whole = forecast._evaluation(inputs, loaded, desk)
    monkeypatch.setattr(forecast, "SAMPLE", 4)
    sample = forecast._evaluation(inputs, loaded, desk)
    assert whole.units == sample.units == small_tasks.TEST_ROWS
    assert sample.tokens == pytest.approx(whole.tokens, rel=0.3)


def test_constants_behind_measured_times_are_found(tiny, monkeypatch):
    """Steps of a known cost: a hundredth of a second, and so much a token and a pair."""

    def timed(work, _seconds):
        (data,) = work.args
        lengths = data.lengths
        return float(0.01 + 2e-5 * lengths.sum() + 3e-8 * (lengths**2).sum())

    monkeypatch.setattr(calibrate, "_median", timed)
    options = {"precision": "fp32", "learning_rate": 1e-3, "weight_decay": 0.0, "epsilon": 1e-8}
    pace = calibrate.measure(
        (tiny, None), options, torch.device("cpu"), kinds=50, budget=1024, seconds=0.1
    )
    assert pace.train == pytest.approx((0.01, 2e-5, 3e-8), rel=1e-6)
    assert pace.train_s(10, 1000, 0) == pytest.approx(0.1 + 0.02)
    assert pace.weight_bytes > 1000
    assert pace.load_s > 0


def test_a_real_measurement_is_made_of_positive_numbers(tiny):
    options = {"precision": "fp32", "learning_rate": 1e-3, "weight_decay": 0.0, "epsilon": 1e-8}
    pace = calibrate.measure(
        (tiny, None), options, torch.device("cpu"), kinds=50, budget=1024, seconds=0.1
    )
    assert min(*pace.train, *pace.read) >= 0
    assert pace.train_s(1, 1000, 10_000) > 0
    assert pace.peak_bytes > 50 * 2**20


def test_a_run_is_compared_with_its_own_forecast_only(study, tmp_path):
    steps = list(study.steps.values())
    forecast.keep(COST, steps, tmp_path)
    told = forecast.Outcome(steps, tmp_path).line(12).splitlines()
    assert told[0] == f"predicted: {COST}"
    assert told[0].endswith("10 optimiser steps, 1 min 05 s, 3 MiB of disk, 1,024 MiB of memory")
    assert told[1].startswith("it took:   12 optimiser steps, 0 s, 0 MiB of disk")
    assert told[1].endswith("(-100% time)")
    assert forecast.Outcome(steps[:-1], tmp_path).line(12) == ""


def test_what_is_written_as_text_is_not_forecast(small, tiny, tmp_path):
    plan = small_tasks.plan(
        small, tiny, "s_nli > s_xnli", recipe=small_tasks.recipe(text2text=True)
    )
    bench = small_tasks.bench(small, tmp_path)
    with pytest.raises(UserError, match="--forecast measures an encoder with a head"):
        forecast.predict(plan, list(plan.steps.values()), bench)


def test_rows_that_many_paths_are_evaluated_on_are_read_once(small, tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(calibrate, "measure", lambda *_, **__: PACE)
    plan = small_tasks.plan(small, tiny, "s_nli > s_xnli", "s_squad > s_xnli", "s_xnli")
    bench = small_tasks.bench(small, tmp_path / "store")
    read, evaluation = [], forecast._evaluation

    def counted(inputs, *others):
        read.append(inputs["language"])
        return evaluation(inputs, *others)

    monkeypatch.setattr(forecast, "_evaluation", counted)
    forecast.predict(plan, remaining(plan, bench.store), bench)
    assert len(read) == len(set(read)) > 1

"""Forecasts count what a run counts, and a run says how its forecast came out."""

from __future__ import annotations

from collections import defaultdict
from types import SimpleNamespace

import pytest

import small_tasks
from xstilts import forecast
from xstilts.engines.groups import remaining
from xstilts.engines.local import LocalEngine
from xstilts.forecast import Forecast
from xstilts.rehearsal import ReadPace, Rehearsal, StagePace
from xstilts.study import Options

COST = Forecast(10, 65.0, 3 * 2**20, 2**30)


def rehearsed(*_, **__):
    """A machine of round numbers."""
    return Rehearsal(
        start_s=3.0,
        stages=defaultdict(lambda: StagePace(0.1, 0.0, 2.0, 1000)),
        predictions=defaultdict(lambda: ReadPace(0.01, 0.0, 1.0)),
        token_s=0.01,
        open_s=1.0,
        write_s=0.5,
        peak_bytes=2**30,
    )


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
    pace = rehearsed()
    pace.stages = defaultdict(lambda: StagePace(0.001, 0.0, 2.0, 1000))  # or all else is nothing
    monkeypatch.setattr(forecast, "rehearse", lambda *_: pace)
    bench = small_tasks.bench(small, tmp_path / "store")
    steps = remaining(study, bench.store)
    cost = forecast.forecast(study, steps, bench, Silent())
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
            read += forecast._evaluation(step.inputs, loaded.backend, desk).tokens
    # Two stages; a group of predictions in three languages and one in two (Tatoeba).
    expected = 3.0 + 2 * 2.0 + 0.001 * tokens + 2 * 1.0 + 0.01 * read + 0.5 * (len(steps) - 2)
    spread = 0.1 * 0.001 * tokens  # batches are drawn, means are not
    assert cost.seconds == pytest.approx(expected, abs=spread)
    assert cost.memory_bytes == 2**30
    assert cost.disk_bytes == 1000 * 1 + 150 * (3 + 2) * small_tasks.TEST_ROWS


def test_a_sample_stands_for_all_rows(small, tiny, monkeypatch):
    from xstilts.model import tokenizer

    plan = small_tasks.plan(small, tiny, "s_nli > s_xnli")
    inputs = next(step.inputs for step in plan.steps.values() if step.kind == "predict")
    desk, loaded = small_tasks.desk(small), tokenizer.load(tiny)
    whole = forecast._evaluation(inputs, loaded.backend, desk)
    monkeypatch.setattr(forecast, "SAMPLE", 4)
    sample = forecast._evaluation(inputs, loaded.backend, desk)
    assert whole.units == sample.units == small_tasks.TEST_ROWS
    assert sample.tokens == pytest.approx(whole.tokens, rel=0.3)


def test_a_run_is_compared_with_its_own_forecast_only(study, tmp_path, monkeypatch):
    monkeypatch.setattr(forecast, "time", SimpleNamespace(monotonic=lambda: 0.0))
    steps = list(study.steps.values())
    forecast.keep(COST, steps, tmp_path)
    told = forecast.Hindsight(steps, tmp_path).line(12).splitlines()
    assert told[0] == f"predicted: {COST}"
    assert told[0].endswith("10 optimiser steps, 1 min 05 s, 3 MiB of disk, 1,024 MiB of memory")
    assert told[1].startswith("it took:   12 optimiser steps, 0 s, 0 MiB of disk")
    assert told[1].endswith("(-100% time)")
    assert forecast.Hindsight(steps[:-1], tmp_path).line(12) == ""


def test_looks_at_selection_rows_are_counted(small, tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(forecast, "rehearse", rehearsed)
    told = []
    for every in (0, 3):
        recipe = small_tasks.recipe(select_every=every)
        plan = small_tasks.plan(
            small, tiny, "s_nli > s_xnli", recipe=recipe, options=Options(max_steps=7)
        )
        bench = small_tasks.bench(small, tmp_path / f"store{every}")
        pace = rehearsed()
        pace.stages = defaultdict(lambda: StagePace(0.0, 10.0, 0.0, 1000))
        monkeypatch.setattr(forecast, "rehearse", lambda *_, pace=pace: pace)
        steps = remaining(plan, bench.store)
        told.append(forecast.forecast(plan, steps, bench, Silent()).seconds)
    # After the 3rd, the 6th and the last step of each of both stages.
    assert told[1] - told[0] == pytest.approx(2 * 3 * 10, abs=2)


def test_rows_that_many_paths_are_evaluated_on_are_read_once(small, tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(forecast, "rehearse", rehearsed)
    plan = small_tasks.plan(small, tiny, "s_nli > s_xnli", "s_squad > s_xnli", "s_xnli")
    bench = small_tasks.bench(small, tmp_path / "store")
    read, evaluation = [], forecast._evaluation

    def counted(inputs, *others):
        read.append(inputs["language"])
        return evaluation(inputs, *others)

    monkeypatch.setattr(forecast, "_evaluation", counted)
    forecast.forecast(plan, remaining(plan, bench.store), bench, Silent())
    assert len(read) == len(set(read)) > 1

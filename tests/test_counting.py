"""Optimiser steps of sequences, and what shared beginnings save."""

from __future__ import annotations

import small_tasks
from xstilts import counting
from xstilts.engines.local import LocalEngine
from xstilts.store import Store
from xstilts.study import Options


class Silence:
    def __getattr__(self, _name):
        return lambda *_, **__: None


def test_shared_beginnings_are_counted_once(small, tiny, tmp_path, monkeypatch):
    # 39 of 48 rows are for training, say; 8 a step, seen twice.
    monkeypatch.setattr(counting.counts, "rows", lambda *_: {"en": 40})
    plan = small_tasks.plan(small, tiny, "order(s_nli, s_tags, s_choice) > s_squad | s_xquad")
    found = counting.saving(plan, Store(tmp_path))
    # All orders of three, and s_squad after them: each stage takes 2 x 5 steps. The evaluated
    # stage has a head, so sequences are of three: 18 stages, of which 3 + 6 + 6 are different.
    assert (found.sequences, found.alone, found.shared) == (6, 180, 150)
    assert not found.exact
    assert "6 sequences: about 150 optimiser steps" in str(found)
    assert "17 % saved" in str(found)


def test_an_order_takes_as_many_steps_as_its_stages_together(small, tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(counting.counts, "rows", lambda *_: {"en": 40})
    paths = ("order(s_nli, s_tags[16]) > s_choice", "s_nli + s_tags[16] > s_choice")
    plan = small_tasks.plan(small, tiny, *paths)
    sizes = set()
    for cell in plan.cells:
        predict = plan.steps[plan.steps[cell.score].parent]
        *before, _ = plan.lineage(predict.parent)
        sizes.add(counting.total_steps(before, Store(tmp_path)))
    assert sizes == {2 * 5 + 2 * 2}


def test_without_sequences_nothing_is_said(small, tiny, tmp_path):
    plan = small_tasks.plan(small, tiny, "s_nli > s_choice")
    assert counting.saving(plan, Store(tmp_path)) is None


def test_finished_stages_say_what_they_took_and_short_runs_stop(small, tiny, tmp_path):
    plan = small_tasks.plan(
        small, tiny, "s_nli > s_tags", options=Options(pause=0.25, max_eval_rows=3)
    )
    assert not LocalEngine().run(plan, small_tasks.bench(small, tmp_path), Silence()).failures
    store = Store(tmp_path)
    for step in plan.steps.values():
        if step.kind == "train":
            steps, exact = counting.optimiser_steps(step, store)
            result = store.record(step.id)["result"]
            assert exact
            assert result["steps"] == -(-steps // 4)
            # The learning rate is that of the whole schedule: still warming up, or hardly falling.
            assert result["planned_steps"] == steps > result["steps"]


def test_a_clock_says_what_all_that_was_done_together_took(small, tiny, tmp_path):
    plan = small_tasks.plan(small, tiny, "s_xnli", perturbations=["keyboard@0.5"])
    store, predicted = Store(tmp_path), [s for s in plan.steps.values() if s.kind == "predict"]
    assert len({step.together for step in predicted}) == 1  # all languages, clean and perturbed
    for number, step in enumerate(predicted):
        with store.writing(step.id) as folder:
            record = {"kind": "predict", "inputs": dict(step.inputs), "result": {}}
            about = {"provenance": {"seconds": 1.0 + number}, "evictable": []}
            store.finish(step.id, folder, record | about)
    assert counting.clocks(plan.steps.values(), store) == {predicted[0].together: len(predicted)}


def test_sequences_of_tasks_that_nobody_counted_have_no_share_to_save():
    uncounted = counting.Saving(sequences=6, alone=0, shared=0, exact=False)
    assert str(uncounted) == "6 sequences, of tasks whose rows nobody has counted yet"

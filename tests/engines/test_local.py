"""The local engine: what it runs, what it leaves when something fails, what it evicts."""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import replace
from importlib.metadata import version

import pytest
import torch

import small_tasks
from xstilts.engines import Report, drive, worker
from xstilts.engines.local import LocalEngine
from xstilts.errors import UserError
from xstilts.model.encoder import Encoder
from xstilts.report.rows import score_rows
from xstilts.sources import Sources
from xstilts.store import Corrupt, Store
from xstilts.study import Options

QUICK = {"options": Options(max_steps=2, max_eval_rows=4)}
PATHS = ("s_nli > s_tags", "s_nli > s_xnli")  # they share the s_nli checkpoint


class Watch:
    """Remembers what an engine tells, and calls back at every beginning."""

    def __init__(self, at=None):
        self.begun, self.ended, self.broken, self.at = [], [], {}, at
        self.notes = []

    def begin(self, label, number, total):
        self.begun.append((label, number, total))
        if self.at:
            self.at(label)

    def progress(self, done, total, tokens):
        assert 0 < done <= total
        assert tokens > 0

    def note(self, text):
        self.notes.append((self.begun[-1][0], text))

    def end(self, label, seconds):
        assert seconds >= 0
        self.ended.append(label)

    def failed(self, step, reason):
        assert len(reason.splitlines()) == 1
        self.broken[step.label] = reason


def plan_of(small, tiny, *paths, **study):
    return small_tasks.plan(small, tiny, *paths, **{**QUICK, **study})


def run(plan, small, store, **bench):
    watch = bench.pop("watch", None) or Watch()
    return LocalEngine().run(plan, small_tasks.bench(small, store, **bench), watch), watch


def kinds(plan, ids):
    return [plan.steps[one].kind for one in ids]


# --- a run -------------------------------------------------------------------------------------


def test_a_task_beside_its_own_raw_text_keeps_its_head(small, tiny, tmp_path):
    plan = plan_of(small, tiny, "s_nli + text(s_nli)@0.5 | s_xnli")
    result, _ = run(plan, small, tmp_path)
    assert not result.failures
    assert {row["target"] for row in score_rows(plan, Store(tmp_path))} == {"s_xnli"}


def test_a_run_finishes_every_step_once_and_the_next_does_nothing(small, tiny, tmp_path):
    plan = plan_of(small, tiny, *PATHS, "s_tatoeba")
    outcome, watch = run(plan, small, tmp_path)
    assert sorted(outcome.done) == sorted(plan.steps)
    assert (outcome.kept, outcome.failures, outcome.skipped) == ([], {}, [])
    store = Store(tmp_path)
    assert store.verify() == []
    assert not list((tmp_path / "work").glob("*"))
    assert not list((tmp_path / "tmp").glob("*"))
    assert [label for label, _, _ in watch.begun] == watch.ended
    assert [number for _, number, _ in watch.begun] == list(range(1, len(watch.begun) + 1))
    assert ("predict s_xnli in 3 languages", 6, 9) in watch.begun
    created = {one: store.record(one)["created"] for one in plan.steps}
    outcome, watch = run(plan, small, tmp_path)
    assert (outcome.done, sorted(outcome.kept), watch.begun) == ([], sorted(plan.steps), [])
    assert {one: store.record(one)["created"] for one in plan.steps} == created


def test_scores_can_be_read_with_their_protocol(small, tiny, tmp_path):
    plan = plan_of(small, tiny, *PATHS, seeds=(1, 2))
    run(plan, small, tmp_path)
    rows = score_rows(plan, Store(tmp_path))
    assert len(rows) == 12
    assert {(row["target"], row["trained_on"], row["n"]) for row in rows} == {
        ("s_tags", "s_tags", 4),
        ("s_xnli", "s_nli", 4),
    }
    assert all(0 <= row["value"] <= 1 for row in rows)


def test_provenance_says_where_and_with_what(small, tiny, tmp_path):
    plan = plan_of(small, tiny, "s_xnli")
    before = torch.get_num_threads()
    run(plan, small, tmp_path, threads=1, token_budget=99)
    torch.set_num_threads(before)
    for step_id, step in plan.steps.items():
        record = Store(tmp_path).record(step_id)
        assert (record["kind"], record["inputs"]) == (step.kind, step.inputs)
        told = record["provenance"]
        assert (told["engine"], told["device"], told["threads"]) == ("local", "cpu", 1)
        assert (told["token_budget"], told["versions"]["torch"]) == (99, version("torch"))
        assert told["seconds"] > 0


def test_the_token_budget_changes_scores_not_and_names_not(small, tiny, tmp_path):
    plan = plan_of(small, tiny, "s_xnli", "s_tatoeba")
    values = []
    for budget in (30, 10_000):
        run(plan, small, tmp_path / str(budget), token_budget=budget)
        rows = score_rows(plan, Store(tmp_path / str(budget)))
        values.append([(row["score_id"], row["layer"], row["value"]) for row in rows])
    assert values[0] == values[1]


def only_so_many_tokens(monkeypatch, most):
    """A device that has memory for no more."""
    forward = Encoder.forward

    def tight(self, batch, places=None):
        if len(batch.ids) > most:
            raise torch.OutOfMemoryError("too much")
        return forward(self, batch, places)

    monkeypatch.setattr(Encoder, "forward", tight)
    monkeypatch.setattr(worker, "LEAST_BUDGET", 16)


def test_a_device_with_too_little_memory_is_given_smaller_micro_batches(
    small, tiny, tmp_path, monkeypatch
):
    plan = plan_of(small, tiny, "s_xnli")
    run(plan, small, tmp_path / "ample", token_budget=160)
    only_so_many_tokens(monkeypatch, 50)
    outcome, watch = run(plan, small, tmp_path / "tight", token_budget=160)
    assert (outcome.failures, outcome.skipped) == ({}, [])
    told = "cpu has too little memory for {} tokens at a time: goes on with {}, "
    told += "which changes no result"
    stage = "train s_nli (seed 1), for s_xnli"  # predictions begin with what was left
    assert watch.notes == [(stage, told.format(*two)) for two in ((160, 80), (80, 40))]
    ample, tight = (
        [(row["score_id"], row["value"]) for row in score_rows(plan, Store(tmp_path / name))]
        for name in ("ample", "tight")
    )
    assert ample == tight


def test_a_device_that_has_no_memory_for_anything_is_a_failure(small, tiny, tmp_path, monkeypatch):
    plan = plan_of(small, tiny, "s_xnli")
    only_so_many_tokens(monkeypatch, 3)
    outcome, watch = run(plan, small, tmp_path, token_budget=64)
    assert not outcome.done
    (reason,) = watch.broken.values()
    assert reason.startswith("cpu has too little memory for 16 tokens at a time")
    assert "--recipe NAME:lora" in reason


# --- failure -----------------------------------------------------------------------------------


class Broken(Sources):
    """Rows that cannot be read of one task, split and language."""

    def __init__(self, *where):
        super().__init__()
        self.where = where

    def examples(self, task, data, split, language):
        if (task.name, split, language) == self.where:
            raise UserError(f"{task.name}: row 7 is not as it should be")
        return super().examples(task, data, split, language)


def test_a_failed_stage_stops_its_descendants_only(small, tiny, tmp_path):
    plan = plan_of(small, tiny, *PATHS)
    outcome, watch = run(plan, small, tmp_path, sources=Broken("s_tags", "train", "en"))
    broken = next(s for s in plan.steps.values() if s.label == "train s_nli > s_tags (seed 1)")
    assert outcome.failures == {broken.id: "s_tags: row 7 is not as it should be"}
    assert watch.broken == {broken.label: outcome.failures[broken.id]}
    below = [s.id for s in plan.steps.values() if s.label.split()[1:2] == ["s_tags"]]
    assert sorted(outcome.skipped) == sorted(below)
    assert len(below) == 6
    assert sorted([*outcome.done, *outcome.skipped, broken.id]) == sorted(plan.steps)
    assert {row["target"] for row in score_rows(plan, Store(tmp_path))} == {"s_xnli"}
    assert f"{broken.label}, for s_tags" not in watch.ended
    # Every group is counted, those that are not run too.
    assert [number for _, number, _ in watch.begun] == list(range(1, watch.begun[-1][2] + 1))
    assert watch.notes == [
        (f"{kind} s_tags in 3 languages", "not run, as it needs what failed")
        for kind in ("predict", "score")
    ]

    outcome, _ = run(plan, small, tmp_path)  # the cause is put right, the same command again
    assert sorted(outcome.done) == sorted([*below, broken.id])
    assert outcome.failures == {}


def test_a_failed_prediction_leaves_other_languages_and_targets(small, tiny, tmp_path):
    plan = plan_of(small, tiny, "s_squad | s_xquad, s_mlqa")
    outcome, _ = run(plan, small, tmp_path, sources=Broken("s_mlqa", "evaluate", "de"))
    assert [plan.steps[one].label for one in outcome.failures] == ["predict s_mlqa de"]
    assert [plan.steps[one].label for one in outcome.skipped] == ["score s_mlqa de"]
    scored = {(row["target"], row["language"]) for row in score_rows(plan, Store(tmp_path))}
    others = {("s_xquad", code) for code in small_tasks.LANGUAGES}
    assert scored == others | {("s_mlqa", "en"), ("s_mlqa", "ru")}
    outcome, _ = run(plan, small, tmp_path)
    assert kinds(plan, outcome.done) == ["predict", "score"]


def test_languages_that_landed_before_a_failure_stay(small, tiny, tmp_path, monkeypatch):
    from xstilts.steps import predict

    monkeypatch.setattr(predict, "PORTION_TOKENS", 1)
    plan = plan_of(small, tiny, "s_xnli")
    outcome, _ = run(plan, small, tmp_path, sources=Broken("s_xnli", "evaluate", "ru"))
    failed = [plan.steps[one].label for one in outcome.failures]
    assert failed == ["predict s_xnli ru"]
    assert {row["language"] for row in score_rows(plan, Store(tmp_path))} == {"en", "de"}


def test_a_loss_that_is_no_number_is_a_failure_of_its_step(small, tiny, tmp_path):
    plan = small_tasks.plan(
        *(small, tiny, "s_tatoeba", "s_nli > s_xnli"),
        recipe=small_tasks.recipe(learning_rate=1e35, warmup=0.0),
        **QUICK,
    )
    outcome, _ = run(plan, small, tmp_path)
    (reason,) = outcome.failures.values()
    assert re.search(r"at step 2 of 2 \(s_nli\), rows .*: lower the recipe's learning rate", reason)
    assert {row["target"] for row in score_rows(plan, Store(tmp_path))} == {"s_tatoeba"}
    assert not list((tmp_path / "tmp").glob("*"))


def test_a_mistake_in_the_program_is_not_swallowed(small, tiny, tmp_path):
    class Bug(Sources):
        def examples(self, task, data, split, language):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run(plan_of(small, tiny, "s_xnli"), small, tmp_path, sources=Bug())


# --- damage ------------------------------------------------------------------------------------


def spoil(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("label", "file", "lost"),
    [
        ("train s_nli (seed 1)", "model.safetensors", ["predict", "score"]),
        ("train s_nli (seed 1)", "heads.safetensors", ["predict", "score"]),
        ("predict s_xnli de", "predictions.parquet", ["score"]),
    ],
)
def test_what_is_found_damaged_is_named_and_redone(small, tiny, tmp_path, label, file, lost):
    plan = plan_of(small, tiny, "s_xnli")
    run(plan, small, tmp_path)
    store = Store(tmp_path)
    whole = {row["score_id"]: row["value"] for row in score_rows(plan, store)}
    victim = next(step.id for step in plan.steps.values() if step.label == label)
    sealed = store.record(victim)["files"][file]["sha256"]
    spoil(store.folder(victim) / file)
    for step in plan.steps.values():  # German has to be done again, from what is damaged
        if step.kind in lost and step.inputs["language"] == "de":
            store.discard(step.id)

    outcome, watch = run(plan, small, tmp_path)
    ((_, note),) = watch.notes
    assert note == (
        f'file "{file}" of step {victim} has other bytes than were written: the step is redone'
    )
    assert outcome.failures == {}
    assert kinds(plan, outcome.done) == [plan.steps[victim].kind, *lost]
    assert store.record(victim)["files"][file]["sha256"] == sealed
    assert {row["score_id"]: row["value"] for row in score_rows(plan, store)} == whole
    assert store.verify() == []


def test_what_is_damaged_again_and_again_is_a_failure(small, tiny, tmp_path):
    class Rotten(Store):
        def finish(self, step_id, folder, record):
            done = super().finish(step_id, folder, record)
            if record["kind"] == "train":
                spoil(self.folder(step_id) / "model.safetensors")
            return done

    plan = plan_of(small, tiny, "s_xnli")
    bench = replace(small_tasks.bench(small, tmp_path), store=Rotten(tmp_path))
    watch = Watch()
    outcome = LocalEngine().run(plan, bench, watch)
    assert kinds(plan, outcome.failures) == ["predict"] * 3
    assert kinds(plan, outcome.skipped) == ["score"] * 3
    assert "has other bytes than were written" in watch.broken["predict s_xnli en"]


def test_two_jobs_of_a_pass_that_read_the_same_damage_fail_neither(small, tiny, tmp_path):
    plan = plan_of(small, tiny, *PATHS)
    store, watch = Store(tmp_path), Watch()
    course = drive.Course(plan, store, watch)
    watch.begin("", 1, 1)
    first, second = course.todo()[:2]
    stage = first.ids[0]
    fault = Corrupt(store.folder(stage), "model.safetensors", "has other bytes")
    for job in (first, second):
        course.take(Report(job.number, worked=True, corrupt=fault))
    assert course.outcome.failures == {}
    again = next(job for job in course.todo() if job.ids == second.ids)
    course.take(Report(again.number, worked=True, corrupt=fault))
    assert set(course.outcome.failures) == set(second.ids)


def test_weights_that_vanish_while_they_are_read_are_made_again(small, tiny, tmp_path, monkeypatch):
    """By the eviction of another process, between the look and the reading."""
    plan, read = plan_of(small, tiny, "s_xnli"), worker.Worker._weights

    def gone(self, step, name):
        found = read(self, step, name)
        if step.kind == "predict":
            monkeypatch.undo()
            self._store.evict(step.parent)
        return found

    monkeypatch.setattr(worker.Worker, "_weights", gone)
    outcome, watch = run(plan, small, tmp_path)
    assert outcome.failures == {}
    assert sorted(set(outcome.done)) == sorted(plan.steps)
    assert [note for _, note in watch.notes] == [
        "what it reads is not there any more: it is made again"
    ]


@pytest.mark.parametrize("kind", ["train", "predict", "score"])
def test_a_step_with_a_damaged_marker_is_redone(small, tiny, tmp_path, kind):
    plan = plan_of(small, tiny, "s_xnli")
    run(plan, small, tmp_path)
    store = Store(tmp_path)
    victim = next(step.id for step in plan.steps.values() if step.kind == kind)
    spoil(store.folder(victim) / "step.json")
    lost = set(plan.steps) if kind == "train" else {victim}
    for step in lost - {victim}:
        store.discard(step)
    outcome, _ = run(plan, small, tmp_path)
    assert set(outcome.done) == lost
    assert store.verify() == []


# --- company -----------------------------------------------------------------------------------


def test_what_another_process_does_is_waited_for(small, tiny, tmp_path, monkeypatch):
    """A stage is under way elsewhere: all else is done first, and then its turn is awaited."""
    plan = plan_of(small, tiny, "s_xnli", "s_tatoeba")
    stage = next(step.id for step in plan.steps.values() if step.kind == "train")
    store = Store(tmp_path)
    lease = store.lease(stage)

    def wait(_seconds):
        lease.release()

    monkeypatch.setattr(drive.time, "sleep", wait)
    outcome, watch = run(plan, small, tmp_path)
    assert sorted(outcome.done) == sorted(plan.steps)
    labels = [label for label, _, _ in watch.begun]
    assert labels[:2] == ["predict s_tatoeba in 2 languages", "score s_tatoeba in 2 languages"]
    assert labels[2] == (
        "waiting for train s_nli (seed 1), under way in "
        f"process {os.getpid()} on {os.uname().nodename}"
    )
    assert labels[3] == "train s_nli (seed 1), for s_xnli"
    assert list((tmp_path / "leases").iterdir()) == []


def test_what_another_process_finished_meanwhile_is_kept(small, tiny, tmp_path, monkeypatch):
    plan = plan_of(small, tiny, "s_xnli", "s_tatoeba")
    stage = next(step.id for step in plan.steps.values() if step.kind == "train")
    lease = Store(tmp_path).lease(stage)

    def wait(_seconds):
        monkeypatch.undo()
        lease.release()
        run(plan_of(small, tiny, "s_xnli"), small, tmp_path)

    monkeypatch.setattr(drive.time, "sleep", wait)
    outcome, _ = run(plan, small, tmp_path)
    mine = {one for one in plan.steps if "s_tatoeba" in plan.steps[one].label}
    assert set(outcome.done) == mine
    assert set(outcome.kept) == set(plan.steps) - mine


def test_a_step_taken_over_is_left_to_the_other(small, tiny, tmp_path, monkeypatch):
    """We were taken for dead: our lease is gone, and the other process finishes the stage."""
    plan = plan_of(small, tiny, "s_xnli")
    stage = next(step.id for step in plan.steps.values() if step.kind == "train")
    watch, store = Watch(), Store(tmp_path)

    def overtaken(done, total, tokens):
        for lease in (tmp_path / "leases").glob(f"{stage}.*"):
            lease.unlink()  # by the other, which is done by now
        monkeypatch.undo()

    monkeypatch.setattr(watch, "progress", overtaken)
    outcome, _ = run(plan, small, tmp_path, watch=watch)
    note = "taken over by another process while this one did not answer"
    assert watch.notes == [("train s_nli (seed 1), for s_xnli", note)]
    assert sorted(outcome.done) == sorted(plan.steps)
    assert store.verify() == []


# --- going on ----------------------------------------------------------------------------------


def test_a_resumed_stage_says_where_it_goes_on(small, tiny, tmp_path, monkeypatch):
    """Eight steps, interrupted at the second: a resume point is kept there."""
    plan = plan_of(small, tiny, "s_xnli", options=Options(max_steps=8))
    watch = Watch()

    def stop(done, total, tokens):
        if done == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(watch, "progress", stop)
    with pytest.raises(KeyboardInterrupt):
        run(plan, small, tmp_path, watch=watch)
    assert watch.notes == []
    _, watch = run(plan, small, tmp_path)
    assert watch.notes == [("train s_nli (seed 1), for s_xnli", "resumed at step 2 of 8")]


# --- which weights stay ------------------------------------------------------------------------


def weights(plan, store):
    """Label and depth of the stages whose weights are there."""
    stages = [step for step in plan.steps.values() if step.kind == "train"]
    return [
        ("first" if not step.parent else "last")
        for step in stages
        if store.has(step.id) and store.whole(step.id)
    ]


@pytest.mark.parametrize(
    ("keep", "stay"),
    [("all", ["first", "last", "last"]), ("intermediates", ["first"]), ("none", [])],
)
def test_keep_says_which_weights_stay(small, tiny, tmp_path, keep, stay):
    plan = plan_of(small, tiny, *PATHS, keep=keep)
    outcome, _ = run(plan, small, tmp_path)
    store = Store(tmp_path)
    assert outcome.failures == {}
    assert weights(plan, store) == stay
    assert store.verify() == []
    assert len(score_rows(plan, store)) == 6
    assert store.gc().bytes == 0  # what was evicted is gone
    outcome, _ = run(plan, small, tmp_path)  # and nothing is trained again for it
    assert outcome.done == []
    assert weights(plan, store) == stay


def test_a_stage_that_retrieval_uses_as_it_is_counts_as_intermediate(small, tiny, tmp_path):
    """Other targets can start from it, and do, in a later study."""
    plan = plan_of(small, tiny, "s_nli | s_tatoeba", "s_squad | s_xquad", keep="intermediates")
    run(plan, small, tmp_path)
    store = Store(tmp_path)
    stages = {s.label: s.id for s in plan.steps.values() if s.kind == "train"}
    assert {label: store.whole(one) for label, one in stages.items()} == {
        "train s_nli (seed 1)": True,
        "train s_squad (seed 1)": False,
    }


def test_weights_are_evicted_after_their_last_need_and_no_later(small, tiny, tmp_path):
    plan = plan_of(small, tiny, *PATHS, keep="none")
    store, seen = Store(tmp_path), []
    run(
        plan, small, tmp_path, watch=Watch(lambda label: seen.append((label, weights(plan, store))))
    )
    assert seen == [
        ("train s_nli (seed 1), intermediate", []),
        ("train s_nli > s_tags (seed 1), for s_tags", ["first"]),
        ("predict s_tags in 3 languages", ["first", "last"]),
        ("score s_tags in 3 languages", ["first"]),  # s_nli still waits for the other target
        ("train s_nli > s_nli (seed 1), for s_xnli", ["first"]),
        ("predict s_xnli in 3 languages", ["last"]),
        ("score s_xnli in 3 languages", []),
    ]


def test_weights_that_another_made_again_are_not_evicted_again(small, tiny, tmp_path):
    plan = plan_of(small, tiny, *PATHS, keep="none")
    run(plan, small, tmp_path)
    store, stage = Store(tmp_path), next(iter(plan.steps))
    course = drive.Course(plan, store, Watch())
    course.todo()
    whole = plan_of(small, tiny, *PATHS, "s_nli > s_squad | s_xquad", keep="all")
    run(whole, small, tmp_path)
    assert store.whole(stage)
    assert course.todo() == []
    assert store.whole(stage)


def test_weights_that_a_failed_step_needs_stay(small, tiny, tmp_path):
    plan = plan_of(small, tiny, *PATHS, keep="none")
    run(plan, small, tmp_path, sources=Broken("s_tags", "train", "en"))
    assert weights(plan, Store(tmp_path)) == ["first"]
    run(plan, small, tmp_path)
    assert weights(plan, Store(tmp_path)) == []


def test_evicted_weights_that_cannot_be_made_again_are_a_failure(small, tiny, tmp_path):
    plan = plan_of(small, tiny, "s_xnli", keep="none")
    run(plan, small, tmp_path)
    lost = next(step.id for step in plan.steps.values() if step.kind == "predict")
    Store(tmp_path).discard(lost)
    shutil.rmtree(tmp_path / "encoded")  # else the rows would not be read again
    outcome, _ = run(plan, small, tmp_path, sources=Broken("s_nli", "train", "en"))
    assert kinds(plan, outcome.failures) == ["train"]
    assert outcome.skipped == [lost]


def test_a_later_study_brings_evicted_weights_back_to_the_bit(small, tiny, tmp_path):
    first = plan_of(small, tiny, PATHS[0], keep="none")
    run(first, small, tmp_path)
    store = Store(tmp_path)
    stage = next(iter(first.steps))
    before = store.record(stage)
    assert before["evicted"] == ["model.safetensors", "heads.safetensors"]
    second = plan_of(small, tiny, *PATHS, keep="intermediates")
    outcome, _ = run(second, small, tmp_path)
    assert stage in outcome.done
    after = store.record(stage)
    assert (after["files"], after["evicted"]) == (before["files"], [])
    assert after["created"] == before["created"]
    tags = {s.id for s in first.steps.values()} - {stage}
    assert tags <= set(outcome.kept)  # nothing of the first study is redone

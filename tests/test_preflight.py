"""What can be known before training is said before training, in one line."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file, save_file

import small_tasks
import tiny_encoder
from xstilts import hardware, preflight
from xstilts.engines.groups import remaining
from xstilts.errors import UserError
from xstilts.plan import Plan, Step
from xstilts.sources import Sources
from xstilts.store import Store

GIB = 2**30


def check(small, model, store, *paths, recipe=small_tasks.RECIPE, keep="all", **bench):
    plan = small_tasks.plan(small, model, *paths, recipe=recipe, keep=keep)
    bench = small_tasks.bench(small, store, **bench)
    return preflight.check(plan, remaining(plan, bench.store), bench)


def refused(*args, **more):
    with pytest.raises(UserError) as caught:
        check(*args, **more)
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


def test_what_can_be_run_passes_and_leaves_nothing(small, tiny, tmp_path):
    paths = ("s_nli + s_text@0.2 > s_xnli", "same_steps(s_squad) > s_tags", "s_tatoeba")
    check(small, tiny, tmp_path / "store", *paths)
    store = tmp_path / "store"
    left = {path.relative_to(store).parts[0] for path in store.rglob("*") if path.is_file()}
    assert left == {"leaks", "data.json"}  # what splits share, and what the files hold


def test_nothing_to_run_needs_nothing(small, tmp_path):
    plan = SimpleNamespace(models={"gone": None}, keep="all")
    preflight.check(plan, [], small_tasks.bench(small, tmp_path))


# --- rows --------------------------------------------------------------------------------------


class Canary(Sources):
    """Remembers what was read."""

    def __init__(self):
        super().__init__()
        self.read = []

    def examples(self, task, data, split, language):
        self.read.append((task.name, split, language))
        return super().examples(task, data, split, language)


def test_every_row_that_the_steps_will_read_is_read_once(small, tiny, tmp_path):
    canary = Canary()
    path = "same_steps(s_squad) + s_text@0.2 > s_xnli"
    check(small, tiny, tmp_path, path, recipe=small_tasks.recipe(select_every=5), sources=canary)
    assert sorted(canary.read) == sorted(
        [
            ("s_nli", "train", "en"),
            ("s_nli", "select", "en"),
            ("s_squad", "train", "en"),  # whose steps are counted
            *[("s_text", "train", code) for code in small_tasks.LANGUAGES],
            *[("s_xnli", "evaluate", code) for code in small_tasks.LANGUAGES],
            *[("s_squad", "select", "en")] * (("s_squad", "select", "en") in canary.read),
        ]
    )


def test_without_selection_no_selection_rows_are_needed(small, tiny, tmp_path):
    canary = Canary()
    check(small, tiny, tmp_path, "s_xnli", sources=canary)
    assert not [read for read in canary.read if read[1] == "select"]


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("nli.train.en.tsv", "r9\tg9\ta\tb\tperhaps\n"),
        ("nli.test.ru.tsv", "r9\tg9\tonly three\n"),
    ],
)
def test_a_bad_last_row_is_found_whatever_the_cap(small, tiny, tmp_path, file, line):
    there = shutil.copytree(small, tmp_path / "there")
    with (there / file).open("a", encoding="utf-8") as out:
        out.write(line)
    message = refused(there, tiny, tmp_path / "store", "s_nli[3] > s_xnli")
    assert file in message


# --- models ------------------------------------------------------------------------------------


@pytest.fixture
def broken(tiny, tmp_path):
    return shutil.copytree(tiny, tmp_path / "broken")


def test_truncated_weights(small, broken, tmp_path):
    file = broken / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-1000])
    message = refused(small, broken, tmp_path / "store", "s_xnli")
    assert str(broken) in message
    assert "incomplete or broken" in message


def test_a_tokenizer_that_is_another_models(small, broken, tmp_path):
    weights = load_file(broken / "model.safetensors")
    words = "roberta.embeddings.word_embeddings.weight"
    save_file(
        {n: t[:90].contiguous() if n in (words, "lm_head.bias") else t for n, t in weights.items()},
        broken / "model.safetensors",
        {"format": "pt"},
    )
    config = json.loads((broken / "config.json").read_text())
    (broken / "config.json").write_text(json.dumps(config | {"vocab_size": 90}))
    message = refused(small, broken, tmp_path / "store", "s_xnli")
    assert "its tokenizer has 250 pieces, its embeddings 90" in message


def test_no_tokenizer(small, broken, tmp_path):
    """Transformers would make an empty one, to which every word is unknown."""
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (broken / name).unlink()
    message = refused(small, broken, tmp_path / "store", "s_xnli")
    assert f"the tokenizer of {broken} has no vocabulary: tokenizer.json is missing" in message


def test_sequences_longer_than_the_positions(small, tiny, tmp_path):
    check(small, tiny, tmp_path, "s_xnli", recipe=small_tasks.recipe(max_length=512))
    long = small_tasks.recipe(max_length=513)  # 514 positions, and XLM-R's begin at 2
    message = refused(small, tiny, tmp_path, "s_xnli", recipe=long)
    assert "cannot take sequences of 513 tokens (it has 514 positions)" in message


@pytest.mark.parametrize("path", ["s_nli + s_text@0.2 > s_xnli", "text(s_nli) > s_xnli"])
def test_masked_lm_needs_a_mask_token(small, broken, tmp_path, path):
    config = json.loads((broken / "tokenizer_config.json").read_text())
    del config["mask_token"]
    (broken / "tokenizer_config.json").write_text(json.dumps(config))
    check(small, broken, tmp_path / "store", "s_xnli")  # nobody else does
    assert "no mask token" in refused(small, broken, tmp_path / "store", path)


# --- the machine -------------------------------------------------------------------------------


def test_a_device_that_is_not_there(small, tiny, tmp_path):
    message = refused(small, tiny, tmp_path, "s_xnli", device="cuda:97")
    assert message.startswith('device "cuda:97" cannot be used')
    assert message.endswith("use --device cpu")


def test_more_devices_than_there_are(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch, "zeros", lambda _size, **_: torch.ones(1))  # as if it were there
    hardware.check("cuda", 2)
    with pytest.raises(UserError, match=r"^--devices 4: this machine has 2$"):
        hardware.check("cuda", 4)


def test_cores_are_those_that_this_process_may_use(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {0, 3, 5}, raising=False)
    assert hardware.cores() == 3


def disk(monkeypatch, free):
    usage = SimpleNamespace(free=free)
    monkeypatch.setattr(preflight.shutil, "disk_usage", lambda _: usage)


def parameters(tiny):
    return sum(t.numel() for t in load_file(tiny / "model.safetensors").values())


@pytest.mark.parametrize(("keep", "stages"), [("all", 3), ("intermediates", 2)])
def test_disk_is_asked_for_weights_and_resume_points(
    small, tiny, tmp_path, monkeypatch, keep, stages
):
    # s_nli, then two targets: three stages of weights of 4 bytes; three resume points of weights
    # and two moments. With eviction at most two stages' weights stand at a time.
    need = parameters(tiny) * 4 * (stages + 3 * 3)
    paths = ("s_nli > s_tags", "s_nli > s_xnli")
    disk(monkeypatch, need)
    check(small, tiny, tmp_path / "a" / "b", *paths, keep=keep)
    disk(monkeypatch, need - 1)
    message = refused(small, tiny, tmp_path / "c" / "d", *paths, keep=keep)
    assert f"the store {tmp_path}/c/d needs about" in message
    assert ("--keep intermediates" in message) is (keep == "all")


def test_memory_is_asked_for_weights_gradients_and_moments(small, tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(preflight, "_free_memory", lambda _: 16 * parameters(tiny))
    check(small, tiny, tmp_path, "s_xnli")
    monkeypatch.setattr(preflight, "_free_memory", lambda _: 16 * parameters(tiny) - 1)
    assert "training needs 0.00 GiB of memory on cpu" in refused(small, tiny, tmp_path, "s_xnli")


def test_evaluation_alone_needs_neither(small, tiny, tmp_path, monkeypatch):
    disk(monkeypatch, 0)
    monkeypatch.setattr(preflight, "_free_memory", lambda _: 0)
    check(small, tiny, tmp_path, "s_tatoeba")


def test_where_the_system_does_not_say_nothing_is_refused(small, tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(preflight, "_free_memory", lambda _: None)
    check(small, tiny, tmp_path, "s_xnli")


def test_free_memory_is_what_the_system_says():
    total = int(Path("/proc/meminfo").read_text(encoding="ascii").split()[1]) * 1024
    assert 0 < preflight._free_memory("cpu") <= total


@pytest.mark.parametrize(
    ("others", "cores", "threads", "told"),
    [
        (2, 2, 2, "--threads 1 "),
        (1, 2, 2, "--threads 1 "),
        (0, 2, 2, ""),
        (16, 64, 64, ""),
        (20, 64, 64, "--threads 44 "),
        (80, 64, 64, "--threads 1 "),
        (9, 2, 1, ""),
    ],
)
def test_cores_that_others_use_are_told_of(monkeypatch, others, cores, threads, told):
    monkeypatch.setattr("os.cpu_count", lambda: cores)
    monkeypatch.setattr("torch.get_num_threads", lambda: threads)
    lines = list(preflight._crowded(others))
    assert [told in line for line in lines] == [True] * bool(told)


def test_what_runs_is_what_the_system_says():
    assert 0 <= preflight._running() < 10_000


@pytest.mark.parametrize(("threads", "lines"), [(0, 1), (1, 0)])
def test_threads_that_were_asked_for_are_not_questioned(
    small, tiny, tmp_path, monkeypatch, threads, lines
):
    monkeypatch.setattr(preflight, "_running", lambda: 1000)
    monkeypatch.setattr("torch.get_num_threads", lambda: 2)
    told = check(small, tiny, tmp_path / "store", "s_xnli", threads=threads)
    assert sum("1000 other threads" in line for line in told) == lines


def test_a_store_that_cannot_be_written_to(small, tiny, tmp_path):
    (tmp_path / "file").write_text("a file where a folder should be")
    message = refused(small, tiny, tmp_path / "file" / "store", "s_xnli")
    assert "a file stands where a folder is needed" in message


# --- what is finished is not asked for ---------------------------------------------------------


def test_a_finished_study_needs_neither_rows_nor_model(small, tiny, tmp_path):
    from xstilts.engines.local import LocalEngine
    from xstilts.study import Options

    plan = small_tasks.plan(small, tiny, "s_xnli", options=Options(max_steps=1, max_eval_rows=2))

    class Silent:
        begin = progress = note = end = failed = lambda *_: None

    LocalEngine().run(plan, small_tasks.bench(small, tmp_path), Silent())
    for step in plan.steps.values():
        if step.kind == "score" and step.inputs["language"] == "de":
            Store(tmp_path).discard(step.id)
    canary = Canary()
    bench = small_tasks.bench(small, tmp_path, sources=canary)
    steps = remaining(plan, bench.store)
    assert [step.kind for step in steps] == ["score"]
    preflight.check(plan, steps, bench)
    assert canary.read == []


# --- from text to text -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def mt5(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mt5")
    return tiny_encoder.make(folder, small_tasks.texts(), vocabulary=250, architecture="mt5")


AS_TEXT = small_tasks.recipe(text2text=True)


def test_a_whole_t5_passes_with_text_and_with_heads(small, mt5, tmp_path):
    paths = "s_nli + s_text@0.2 > s_xquad", "s_nli | s_tatoeba"
    check(small, mt5, tmp_path, *paths, recipe=AS_TEXT)
    check(small, mt5, tmp_path, "s_nli > s_xquad")


def test_an_encoder_cannot_write_text(small, tiny, tmp_path):
    message = refused(small, tiny, tmp_path, "s_nli > s_xnli", recipe=AS_TEXT)
    assert "is no whole encoder-decoder (xlm-roberta): text to text takes" in message


def test_raw_text_needs_sentinels(small, mt5, tmp_path):
    plain = shutil.copytree(mt5, tmp_path / "plain")
    written = json.loads((plain / "tokenizer.json").read_text())
    written["added_tokens"] = [one for one in written["added_tokens"] if one["id"] < 5]
    (plain / "tokenizer.json").write_text(json.dumps(written))
    about = json.loads((plain / "tokenizer_config.json").read_text())
    about = {key: value for key, value in about.items() if "extra" not in json.dumps([key, value])}
    (plain / "tokenizer_config.json").write_text(json.dumps(about))
    check(small, plain, tmp_path / "store", "s_nli > s_xnli", recipe=AS_TEXT)
    message = refused(
        small, plain, tmp_path / "store", "s_nli + s_text@0.2 > s_xnli", recipe=AS_TEXT
    )
    assert "its tokenizer has no sentinels (<extra_id_0>)" in message


@pytest.mark.parametrize(
    ("keep", "kept"),
    [("all", 4), ("intermediates", 3), ("none", 1)],  # two stay, and one is under way
)
def test_what_stays_on_the_disk_is_counted(small, tiny, tmp_path, keep, kept):
    paths = ("s_squad > s_tags > s_xnli", "s_squad > s_choice")
    plan = small_tasks.plan(small, tiny, *paths, keep=keep)
    trained = [step for step in plan.steps.values() if step.kind == "train"]
    assert len(preflight._kept(plan, trained)) == kept


def test_a_model_that_no_remaining_step_began_with_is_not_asked_for(small, tiny, tmp_path):
    """What a large model had to do came in a pack: the rest fits, whatever it would need."""
    found = small_tasks.plan(small, tiny, "s_nli > s_xnli")
    gone = replace(next(iter(found.models.values())), location="nowhere", fingerprint="large")
    found.models["large"] = gone
    bench = small_tasks.bench(small, tmp_path)
    (leak,) = preflight.check(found, list(found.steps.values()), bench)
    assert leak.startswith("leak: ")


def test_pretrained_models_that_are_measured_themselves_are_asked_for(small, tiny):
    models = small_tasks.plan(small, tiny, "s_xnli").models
    (model,) = models.values()
    both = Plan(models={"one": model, "two": model, "neither": model})
    sides = [{"weights": "one"}, {"weights": "two"}]
    step = Step.of("measure", {"sides": sides}, "", "measured")
    both.add(step)
    assert list(both.began_with([step])) == ["one", "two"]


def test_what_a_control_only_counts_needs_no_selection_rows(tiny, tmp_path, small):
    """same_steps(own) takes as many steps as own would: own's selection rows are never read."""
    selecting = small_tasks.recipe(select_every=1)
    found = small_tasks.plan(small, tiny, "same_steps(s_tags) > s_xnli", recipe=selecting)
    bench = small_tasks.bench(small, tmp_path)
    asked = {
        (task, split) for task, _, split, _ in preflight._splits(list(found.steps.values()), bench)
    }
    assert ("s_tags", "train") in asked
    assert ("s_tags", "select") not in asked
    assert ("s_nli", "select") in asked

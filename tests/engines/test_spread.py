"""A stage on several processes: the losses of one, in any layout, and from one to another."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from pyarrow import parquet

import small_tasks
import tiny_encoder
from engines.test_local import Watch
from xstilts import sizes
from xstilts.engines import spread
from xstilts.engines.local import LocalEngine
from xstilts.engines.spread import layout
from xstilts.recipes import Lora
from xstilts.steps import checkpoint
from xstilts.steps.batches import group_by_budget
from xstilts.steps.team import Team, layers
from xstilts.study import Options

# A mixture with masked LM, whose head is tied to the embeddings; two layouts of the same steps.
PATH = "s_nli + s_text@0.2 > s_tags"


def plan_of(small, tiny, path=PATH, steps=6, **recipe):
    return small_tasks.plan(
        small,
        tiny,
        path,
        recipe=small_tasks.recipe(**recipe),
        options=Options(max_steps=steps, max_eval_rows=4),
    )


def run(plan, small, store, watch=None, **bench):
    made = small_tasks.bench(small, store, token_budget=60, **bench)
    outcome = LocalEngine().run(plan, made, watch or Watch())
    assert outcome.failures == {}
    return made.store


def losses(plan, store):
    stages = [step.id for step in plan.steps.values() if step.kind == "train"]
    return [
        parquet.read_table(store.open(one).path("curve.parquet")).column("loss").to_numpy()
        for one in stages
    ]


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("lora", [None, Lora(rank=4)])
def test_two_processes_train_as_one_does(small, tiny, tmp_path, lora):
    """Replicas and shards: the same losses at the same batch, and the same weights in the end."""
    plan = plan_of(small, tiny, select_every=3, lora=lora)
    alone = run(plan, small, tmp_path / "alone")
    expected = losses(plan, alone)
    last = [step.id for step in plan.steps.values() if step.kind == "train"][-1]
    for kind in ("ddp", "fsdp2") if lora is None else ("fsdp2",):
        store = run(plan, small, tmp_path / kind, devices=2, layout=kind)
        for ours, theirs in zip(losses(plan, store), expected, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=0, atol=2e-5)
        result, before = (one.record(last)["result"] for one in (store, alone))
        assert result["tokens"] == before["tokens"]
        assert result["selected"]["step"] == before["selected"]["step"]
        assert (result["layout"], result["devices"]) == (kind, 2)
        # A plain folder, which one process loads: nothing tells how it was trained.
        ours, theirs = (checkpoint.load(one.folder(last))[0].state_dict() for one in (store, alone))
        assert ours.keys() == theirs.keys()
        for name, tensor in ours.items():
            torch.testing.assert_close(tensor, theirs[name], rtol=0, atol=5e-4)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    ("optimizer", "kinds"), [("adamw", ("ddp", "fsdp2")), ("adafactor", ("fsdp2",))]
)
def test_an_encoder_decoder_is_spread_like_an_encoder(small, tmp_path, optimizer, kinds):
    """Without dropout: what T5 drops in attention it draws by itself, by batch and not by row."""
    folder = tmp_path / "mt5"
    mt5 = tiny_encoder.make(folder, small_tasks.texts(), vocabulary=250, architecture="mt5")
    config = json.loads((mt5 / "config.json").read_text()) | {"dropout_rate": 0.0}
    (mt5 / "config.json").write_text(json.dumps(config))
    how = {"text2text": True, "optimizer": optimizer}
    plan = plan_of(small, mt5, "s_nli > s_xquad", steps=4, **how)
    expected = losses(plan, run(plan, small, tmp_path / "alone"))
    for kind in kinds:
        store = run(plan, small, tmp_path / kind, devices=2, layout=kind)
        for ours, theirs in zip(losses(plan, store), expected, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=0, atol=2e-5)


WRITER = """
import json, pathlib

class SummaryWriter:
    def __init__(self, folder, **_):
        self.file = pathlib.Path(folder).with_suffix(".jsonl")
    def add_scalar(self, name, value, global_step=None, **_):
        with self.file.open("a") as file:
            file.write(json.dumps([global_step, name, value]) + "\\n")
    def add_hparams(self, *_, **__): pass
    def flush(self): pass
    def close(self): pass
"""


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_tracker_hears_of_a_stage_on_several_processes_once(small, tiny, tmp_path, monkeypatch):
    """A package that writes like TensorBoard, which the processes find as they would find it."""
    about = tmp_path / "packages/tensorboardX-1.0.dist-info/METADATA"
    about.parent.mkdir(parents=True)
    about.write_text("Metadata-Version: 2.1\nName: tensorboardX\nVersion: 1.0\n")
    (tmp_path / "packages/tensorboardX.py").write_text(WRITER)
    monkeypatch.syspath_prepend(tmp_path / "packages")
    plan = plan_of(small, tiny, "s_tags", steps=2)
    run(plan, small, tmp_path / "store", devices=2, layout="ddp", track="tensorboard")
    (told,) = (tmp_path / "store/track").rglob("*.jsonl")
    heard = [json.loads(line) for line in told.read_text().splitlines()]
    assert [step for step, name, _ in heard if name == "loss/s_tags"] == [0, 1]


def stopped_on_shards(plan, small, store):
    """Run a study on shards, and break it off after four steps."""
    watch = Watch()

    def stop(done, total, tokens):
        if done == 4:
            raise KeyboardInterrupt

    watch.progress = stop
    with pytest.raises(KeyboardInterrupt):
        run(plan, small, store, watch, devices=2, layout="fsdp2")


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_another_layout_goes_on_where_one_was_stopped(small, tiny, tmp_path):
    """Shards are stopped after some steps, and one process does the rest from whole tensors."""
    plan = plan_of(small, tiny, "s_tags", steps=10)
    (stage,) = (step.id for step in plan.steps.values() if step.kind == "train")
    expected = losses(plan, run(plan, small, tmp_path / "alone"))
    stopped_on_shards(plan, small, tmp_path / "moved")
    store = small_tasks.bench(small, tmp_path / "moved").store
    tensors, _, step = store.work(stage).load()
    assert 4 <= step < 10
    assert {type(one) for one in tensors.values()} == {torch.Tensor}
    kept = store.root / "work" / stage
    assert {file.name for file in kept.rglob("*") if file.is_file()} == {
        "tensors.safetensors",
        "point.json",
    }
    told = Watch()
    store = run(plan, small, tmp_path / "moved", told)
    assert told.notes == [("train s_tags (seed 1), for s_tags", f"resumed at step {step} of 10")]
    np.testing.assert_allclose(losses(plan, store)[0], expected[0], rtol=0, atol=5e-5)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_shards_go_on_from_their_own_resume_point(small, tiny, tmp_path):
    """With the best step so far, and Adafactor's means, of which one is whole in every process."""
    how = {"select_every": 2, "optimizer": "adafactor"}
    plan = plan_of(small, tiny, "s_tags", steps=10, **how)
    (stage,) = (step.id for step in plan.steps.values() if step.kind == "train")
    alone = run(plan, small, tmp_path / "alone")
    stopped_on_shards(plan, small, tmp_path / "shards")
    told = Watch()
    store = run(plan, small, tmp_path / "shards", told, devices=2, layout="fsdp2")
    assert any("resumed at step" in text for _, text in told.notes)
    np.testing.assert_allclose(losses(plan, store)[0], losses(plan, alone)[0], rtol=0, atol=5e-5)
    ours, theirs = (one.record(stage)["result"]["selected"]["step"] for one in (store, alone))
    assert ours == theirs


# --- what is shared out ------------------------------------------------------------------------


def teams(size):
    found = []
    for rank in range(size):
        one = Team("alone", torch.device("cpu"))
        one.rank, one.size = rank, size
        found.append(one)
    return found


@pytest.mark.parametrize("size", [1, 2, 3, 8])
def test_a_steps_units_are_shared_out_whole(size):
    units = np.arange(100, 108)
    tokens = np.array([5, 90, 7, 30, 31, 6, 80, 8])
    shares = [team.share(units, tokens) for team in teams(size)]
    assert sorted(np.concatenate(shares)) == units.tolist()
    assert all(len(one) for one in shares)
    sums = [tokens[one - 100].sum() for one in shares]
    assert max(sums) - min(sums) <= 90


def stage_task(name, format_, batch):
    task = type("T", (), {"name": name})
    return type("S", (), {"task": task, "format": format_, "item": {"batch": batch}})


def test_what_cannot_be_shared_out_is_refused():
    _, second = teams(2)
    second.check([stage_task("xnli", "classification", 2)])
    with pytest.raises(Exception, match=r"lareqa: every answer .* use --devices 1"):
        second.check([stage_task("lareqa", "retrieval", 16)])
    with pytest.raises(Exception, match=r"xnli: a step of 1 .* over 2 devices: use --devices 1"):
        second.check([stage_task("xnli", "classification", 1)])


def test_layers_are_what_a_network_repeats(tiny):
    encoder, _ = checkpoint.load(tiny)
    found = layers(encoder.network)
    assert [type(one).__name__ for one in found] == ["XLMRobertaLayer"] * 2


def test_every_process_has_a_micro_batch():
    assert len(group_by_budget(np.array([500]), 60)) == 1


def test_on_a_cpu_replicas_unless_asked_otherwise(small, tiny, tmp_path):
    inputs = small_tasks.train_inputs(small, tiny, "s_xnli")
    bench = small_tasks.bench(small, tmp_path)
    large = sizes.known("xlm-roberta-large")
    assert layout(bench, large, inputs) == "alone"
    assert layout(replace(bench, devices=2), large, inputs) == "ddp"
    assert layout(replace(bench, devices=2, layout="fsdp2"), large, inputs) == "fsdp2"


@pytest.mark.parametrize(("gib", "expected"), [(80, "ddp"), (8, "fsdp2")])
def test_on_gpus_what_their_memory_asks_for(small, tiny, tmp_path, monkeypatch, gib, expected):
    device = type("D", (), {"total_memory": gib * 2**30})
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _number: device)
    bench = small_tasks.bench(small, tmp_path, device="cuda", devices=2)
    inputs = small_tasks.train_inputs(small, tiny, "s_xnli")
    assert layout(bench, sizes.known("xlm-roberta-large"), inputs) == expected


def test_a_process_that_dies_fails_its_stage_in_one_line(small, tiny, tmp_path, monkeypatch):
    """Not the whole run, as an exception that nobody expects would."""

    class Dies(Exception):  # noqa: N818 (as torch's own is called)
        def get_first_failure(self):
            return 0, SimpleNamespace(message={"message": "OutOfMemoryError: too large\nand more"})

    def launch(*_):
        def started(*_):
            raise Dies

        return started

    monkeypatch.setattr(spread, "ChildFailedError", Dies)
    monkeypatch.setattr(spread, "elastic_launch", launch)
    plan = small_tasks.plan(small, tiny, "s_nli > s_choice")
    bench = small_tasks.bench(small, tmp_path, devices=2)
    outcome = LocalEngine().run(plan, bench, Watch())
    assert next(iter(outcome.failures.values())) == (
        "a training process died: OutOfMemoryError: too large"
    )

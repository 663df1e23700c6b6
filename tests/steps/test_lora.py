"""Low-rank adapters: what is trained, what is written, and that nobody after it can tell."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import small_tasks
from steps.runs import KilledError, Points, begun, trained
from steps.test_train import capped, files
from xstilts import preflight, recipes
from xstilts.errors import UserError
from xstilts.model import adapters, packing
from xstilts.recipes import Lora
from xstilts.steps import checkpoint
from xstilts.study import LoraOptions, Study

pytest.importorskip("peft")
PATH = "s_nli + s_tags | s_tatoeba"
LORA = {"rank": 4, "alpha": 8.0, "targets": ["query", "value"]}


def inputs(small, model, path=PATH, **recipe):
    lora = recipe.pop("lora", Lora(rank=4, alpha=8.0))
    return small_tasks.train_inputs(
        small, model, path, small_tasks.recipe(lora=lora, **recipe), **capped(7)
    )


def batch():
    lengths = (5, 9)
    ids = torch.arange(14) + 20
    return packing.Batch(ids, torch.zeros_like(ids), lengths)


def drawn(encoder):
    """Adapters that do something."""
    torch.manual_seed(3)
    with torch.no_grad():
        for name, parameter in encoder.named_parameters():
            if "lora_B" in name:
                parameter.normal_(0, 0.3)


@pytest.mark.parametrize("architecture", ["calm", "deberta"])
def test_merged_weights_give_what_the_adapters_gave(request, architecture, tmp_path):
    folder = request.getfixturevalue(architecture)
    encoder, tokenizer = checkpoint.load(folder)
    plain = encoder.eval()(batch())
    targets = ["query", "value", "query_proj", "value_proj"]
    adapters.add(encoder, {**LORA, "targets": targets}, seed=1)
    with torch.inference_mode():
        torch.testing.assert_close(encoder.eval()(batch()), plain, atol=1e-6, rtol=0)  # B is 0
        drawn(encoder)
        with_adapters = encoder(batch())
    assert (with_adapters - plain).abs().max() > 0.01
    adapters.merge(encoder)
    checkpoint.save(tmp_path, encoder, tokenizer, {}, {})
    again, _ = checkpoint.load(tmp_path)
    with torch.inference_mode():
        torch.testing.assert_close(encoder(batch()), with_adapters, atol=1e-5, rtol=0)
        torch.testing.assert_close(again.eval()(batch()), with_adapters, atol=1e-5, rtol=0)
    assert all(one.requires_grad for one in encoder.parameters())
    assert not [name for name in load_file(tmp_path / "model.safetensors") if "lora" in name]


def test_an_adapter_by_hand(calm):
    """W + alpha / rank B A, in peft as in the paper."""
    encoder, _ = checkpoint.load(calm)
    name = "roberta.encoder.layer.0.attention.self.query"
    before = encoder.network.get_submodule(name).weight.detach().clone()
    adapters.add(encoder, LORA, seed=1)
    drawn(encoder)
    found = dict(encoder.network.named_parameters())
    a, b = (found[f"{name}.lora_{one}.default.weight"].detach() for one in "AB")
    assert (tuple(a.shape), tuple(b.shape)) == ((4, 32), (32, 4))
    adapters.merge(encoder)
    after = encoder.network.get_submodule(name).weight.detach()
    torch.testing.assert_close(after, before + 8.0 / 4 * (b @ a), atol=1e-5, rtol=0)


def test_adapters_and_heads_alone_have_gradients(small, tiny):
    run = begun(small, tiny, inputs(small, tiny))
    for _ in range(2):  # of B first, as A's is zero while B is
        task, units, seed = run._batch(run.step)
        for micro in run._micros(task, units, seed):
            run._loss(run.model, task, micro).backward()
        run.optimizer.step()
    having = {name for name, one in run.model.named_parameters() if one.grad is not None}
    trained_ = {name for name, one in run.model.named_parameters() if one.requires_grad}
    assert having <= trained_
    assert all("lora_" in name or name.startswith("heads.") for name in trained_)
    assert any("lora_A" in name for name in having)
    assert any(name.startswith("heads.") for name in having)
    held = sum(one.numel() for group in run.optimizer.param_groups for one in group["params"])
    assert held == sum(one.numel() for one in run.model.parameters() if one.requires_grad)


@pytest.mark.parametrize("select_every", [0, 2])
def test_a_stage_changes_queries_and_values_and_nothing_else(small, tiny, tmp_path, select_every):
    """Weight decay, too, leaves alone what is frozen, the embeddings no row has included."""
    given = inputs(small, tiny, select_every=select_every, weight_decay=0.5, learning_rate=1e-2)
    assert begun(small, tiny, given).cut is not None
    _, folder = trained(small, tiny, tmp_path / "out", given)
    before, after = (load_file(one / "model.safetensors") for one in (tiny, folder))
    assert before.keys() == after.keys()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed == {
        f"roberta.encoder.layer.{layer}.attention.self.{which}.weight"
        for layer in (0, 1)
        for which in ("query", "value")
    }
    # An ordinary folder: the next stage starts from it, and its heads load.
    encoder, _ = checkpoint.load(folder)
    head, about = checkpoint.load_head(folder, "s_tags", encoder)
    assert about["format"] == "tagging"
    assert head is not None
    plain = small_tasks.train_inputs(small, folder, "s_xnli", **capped(2))
    result, _ = trained(small, folder, tmp_path / "next", plain)
    assert np.isfinite(result["loss"])


@pytest.mark.parametrize("select_every", [0, 2])
def test_a_run_that_dies_ends_where_it_would_have(small, tiny, tmp_path, select_every):
    given = inputs(small, tiny, select_every=select_every)
    whole, out = trained(small, tiny, tmp_path / "whole", given)
    points = Points(dies_after=3)
    with pytest.raises(KilledError):
        trained(small, tiny, tmp_path / "part", given, points=points, checkpoint_seconds=0)
    kept = {name for name in points.newest[0] if name.startswith("model/")}
    assert all("lora_" in name or name.startswith("model/heads.") for name in kept)
    points.dies_after = 0
    notes, now = [], {"points": points, "checkpoint_seconds": 0}
    again, other = trained(small, tiny, tmp_path / "rest", given, note=notes.append, **now)
    assert notes[0].startswith("resumed at step 3 of ")
    assert files(other) == files(out)
    assert {**again, "seconds": 0} == {**whole, "seconds": 0}


def test_adapters_are_part_of_the_identity(small, tiny):
    def options(lora):
        recipe = small_tasks.recipe(lora=lora)
        return small_tasks.train_inputs(small, tiny, "s_xnli", recipe)["options"]

    assert "lora" not in options(None)  # so that stages without have the names that they had
    assert options(Lora(rank=4, targets=("query",)))["lora"] == {
        "rank": 4,
        "alpha": 32.0,
        "targets": ["query"],
    }
    assert options(Lora(rank=4)) != options(Lora(rank=8))


def test_a_study_says_so_in_full_or_by_the_name_of_its_recipe():
    full = Study(name="a", paths=("xnli",), recipe="authors", lora=LoraOptions(rank=8))
    assert recipes.of(full).lora == Lora(rank=8)
    named = Study(name="a", paths=("xnli",), recipe="mini:bf16:lora")
    assert (recipes.of(named).lora, recipes.of(named).precision) == (Lora(), "bf16")
    assert recipes.of(Study(name="a", paths=("xnli",))) == recipes.MINI
    with pytest.raises(UserError, match='is called "lroa": did you mean "lora"'):
        recipes.get("mini:lroa")


def check(small, tiny, store, lora):
    plan = small_tasks.plan(small, tiny, "s_xnli", recipe=small_tasks.recipe(lora=lora))
    preflight.check(plan, list(plan.steps.values()), small_tasks.bench(small, store))


def test_what_is_missing_is_said_before_training(small, tiny, tmp_path, monkeypatch):
    check(small, tiny, tmp_path, Lora())
    with pytest.raises(UserError) as refused:
        check(small, tiny, tmp_path, Lora(targets=("qurey",)))
    said = str(refused.value)
    assert said.startswith("lora: xlm-roberta has no linear module called qurey; it has ")
    monkeypatch.setattr(adapters, "find_spec", lambda _: None)
    with pytest.raises(UserError) as refused:
        check(small, tiny, tmp_path, Lora())
    assert str(refused.value).endswith("needs peft: pip install 'xstilts[peft]'")
    assert "\n" not in str(refused.value)


def test_less_memory_is_asked_for(small, tiny, tmp_path, monkeypatch):
    parameters = sum(t.numel() for t in load_file(tiny / "model.safetensors").values())
    monkeypatch.setattr(preflight, "_free_memory", lambda _: 4 * parameters)
    check(small, tiny, tmp_path, Lora())
    with pytest.raises(UserError, match="training needs"):
        check(small, tiny, tmp_path, None)

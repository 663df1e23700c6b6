"""Rungs: models at learning rates, and how many parameters of them are used."""

from __future__ import annotations

import json

import pytest

import small_tasks
from small_tasks import plan
from xstilts import ladders, models, recipes, sizes
from xstilts.models import Model
from xstilts.steps import checkpoint
from xstilts.study import Study

PATHS = ("s_nli > s_tags",)


def test_a_study_without_rates_trains_as_its_recipe_says(small, tiny):
    found = plan(small, tiny, *PATHS)
    (rung,) = found.rungs
    assert (rung.ladder, rung.model, rung.name) == ("all models", str(tiny), str(tiny))
    assert rung.learning_rate is None
    assert {cell.model for cell in found.cells} == {str(tiny)}


def test_every_rate_trains_every_path_and_scores_english_selection_rows(small, tiny):
    plain = plan(small, tiny, *PATHS)
    found = plan(small, tiny, *PATHS, learning_rates=(1e-4, 1e-3))
    names = [f"{tiny}@0.0001", f"{tiny}@0.001"]
    assert [rung.name for rung in found.rungs] == names
    assert list(dict.fromkeys(cell.model for cell in found.cells)) == names
    assert len(found.cells) == 2 * len(plain.cells)
    stages = [step for step in found.steps.values() if step.kind == "train"]
    assert [step.inputs["options"]["learning_rate"] for step in stages] == [1e-4, 1e-4, 1e-3, 1e-3]
    assert stages[0].label.endswith("(seed 1, at 0.0001)")
    # A recipe that selects nothing looks at the last step alone.
    assert small_tasks.RECIPE.select_every == 0
    assert {step.inputs["options"]["select_every"] for step in stages} == {ladders.AT_THE_END}
    assert all(step.inputs["selection"] for step in stages)


def test_a_recipe_that_selects_looks_as_often_as_it_says(tiny):
    study = Study(name="a", paths=("xnli",), models=(str(tiny),), learning_rates=(1e-4,))
    ((_, recipe),) = ladders.rungs(study, models.find(str(tiny)), recipes.AUTHORS)
    assert (recipe.select_every, recipe.learning_rate) == (1000, 1e-4)


def test_a_ladder_is_called_by_its_ends():
    study = Study(name="a", paths=("xnli",), models=("a", "b", "c"), ladders=[["a", "b"]])
    named = [
        next(ladders.rungs(study, Model(name, "none", None, name), recipes.MINI))[0].ladder
        for name in study.models
    ]
    assert named == ["a to b", "a to b", "all models"]


@pytest.mark.parametrize("name", models.shipped())
def test_parameters_are_counted_in_the_weights(name):
    folder = models.SHIPPED / name
    shape = sizes.of_config(json.loads((folder / "config.json").read_text()))
    assert models.parameters(models.find(name)) == shape.encoder_parameters


def test_parameters_of_a_checkpoint_with_heads_and_pooler(tiny):
    encoder, _ = checkpoint.load(tiny)
    backbone = sum(one.numel() for one in encoder.backbone.parameters())
    assert models.parameters(models.find(str(tiny))) == backbone


def test_parameters_of_t5_are_those_of_its_encoder(tmp_path):
    """The decoder and its output matrix are not used; the shared table is there once."""
    from transformers import MT5Config, MT5EncoderModel, MT5ForConditionalGeneration

    config = MT5Config(vocab_size=100, d_model=16, d_ff=32, num_layers=2, num_heads=2, d_kv=8)
    MT5ForConditionalGeneration(config).save_pretrained(tmp_path)
    whole = Model("t5", tmp_path, None, "t5")
    expected = sum(one.numel() for one in MT5EncoderModel(config).parameters())
    assert models.parameters(whole) == expected
    # From text to text all is used.
    everything = sum(one.numel() for one in MT5ForConditionalGeneration(config).parameters())
    assert models.parameters(whole, whole=True) == everything
    study = Study(name="a", paths=("xnli",))
    ((rung, _),) = ladders.rungs(study, whole, recipes.get("mt5-mini"))
    assert rung.parameters == everything


def test_of_a_broken_checkpoint_nothing_is_known(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"\xff" * 40)
    assert models.parameters(Model("a", tmp_path, None, "f")) is None


def test_of_a_published_model_the_name_tells():
    xxl = Model("google/mt5-xxl", "google/mt5-xxl", "main", "f")
    assert models.parameters(xxl) == sizes.known("mt5-xxl").encoder_parameters
    assert models.parameters(xxl, whole=True) == sizes.known("mt5-xxl").whole_parameters
    assert models.parameters(Model("a/b", "a/b", "main", "f")) is None

"""Every family of encoders comes in by the same door: trained, saved, loaded, asked, the same."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn.utils.rnn import pad_sequence

import small_tasks
import tiny_encoder
from steps.runs import begun, trained
from xstilts import formats
from xstilts.formats import Limits
from xstilts.model.padded import Padded
from xstilts.steps import checkpoint, forward, predict
from xstilts.study import Options

ARCHITECTURES = {
    "mt5": {},  # whole, as published: of it the encoder
    "deberta-v2": {"relative_attention": True, "pos_att_type": ["p2c", "c2p"]},  # mDeBERTa
    "modernbert": {"local_attention": 16, "cls_token_id": 0, "sep_token_id": 2},  # mmBERT
    "bert": {},  # mBERT
    "xlm-roberta": {},
}
HEADS = ("s_nli", "s_choice", "s_tags", "s_squad")
PACKED = ("modernbert", "bert", "xlm-roberta")


@pytest.fixture(scope="module", params=ARCHITECTURES)
def model(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    more = {"architecture": request.param, **ARCHITECTURES[request.param]}
    return tiny_encoder.make(folder, small_tasks.texts(), vocabulary=250, **more)


@pytest.fixture(scope="module")
def outputs(small, model, tmp_path_factory):
    """A trained stage's folder, and what its heads answer before it was saved."""
    path = " + ".join(HEADS) + " | s_xnli"
    inputs = small_tasks.train_inputs(small, model, path, options=Options(max_steps=8))
    run = begun(small, model, inputs, token_budget=300)
    out = tmp_path_factory.mktemp("stage")
    result = run.complete(out)
    assert np.isfinite(result["loss"])
    assert result["packed"] is (model.name.startswith(PACKED))
    return out, answers(small, run.model.encoder, run.model.heads, run.tokenizer)


def answers(small, encoder, heads, tokenizer):
    """What each head says of its test rows."""
    desk = small_tasks.desk(small, token_budget=300)
    found = {}
    for name in HEADS:
        target = {"s_nli": "s_xnli", "s_squad": "s_xquad"}.get(name, name)
        task = desk.catalogue.get(target)
        rows = desk.sources.examples(task, desk.catalogue.data(target, "files"), "evaluate", "en")
        encoded = formats.encode(task, rows, tokenizer.backend, Limits(64, 8, 16))
        found[name] = forward.head_outputs(encoder, heads[name], task.format, encoded, desk)
    return found


def test_a_saved_stage_answers_as_the_model_did(small, outputs):
    folder, before = outputs
    encoder, tokenizer = checkpoint.load(folder)
    heads = {name: checkpoint.load_head(folder, name, encoder)[0] for name in HEADS}
    for name, found in answers(small, encoder, heads, tokenizer).items():
        assert np.array_equal(found, before[name]), name
        assert len(np.unique(found)) > 1, name


def test_one_padded_module_answers_the_same(small, outputs):
    """What is compiled and exported."""
    folder, before = outputs
    encoder, tokenizer = checkpoint.load(folder)
    head, _ = checkpoint.load_head(folder, "s_nli", encoder)
    desk = small_tasks.desk(small)
    task = desk.catalogue.get("s_xnli")
    rows = desk.sources.examples(task, desk.catalogue.data("s_xnli", "files"), "evaluate", "en")
    encoded = formats.encode(task, rows, tokenizer.backend, Limits(64))
    parts = [
        torch.from_numpy(a.astype(np.int64)) for a in np.split(encoded.ids, encoded.offsets[1:-1])
    ]
    ids = pad_sequence(parts, batch_first=True, padding_value=1)
    module = Padded(encoder, head, "classification").eval()
    with torch.no_grad():
        found = module(ids, (ids != 1).long())
    np.testing.assert_allclose(found.numpy(), before["s_nli"], atol=1e-5)


def test_a_stage_goes_on_from_a_stage(small, outputs, tmp_path):
    inputs = small_tasks.train_inputs(
        small, outputs[0], "s_nli | s_xnli", options=Options(max_steps=2)
    )
    result, _ = trained(small, outputs[0], tmp_path / "out", inputs)
    assert np.isfinite(result["loss"])


def test_retrieval_reads_every_layers_mean(small, model):
    """A sentence alone, through transformers' own model, has the same means at all layers."""
    encoder, tokenizer = checkpoint.load(model)
    desk = small_tasks.desk(small)
    task = desk.catalogue.get("s_tatoeba")
    rows = desk.sources.examples(task, desk.catalogue.data("s_tatoeba", "files"), "evaluate", "ru")
    encoded = formats.encode(task, rows, tokenizer.backend, Limits(64))
    found = forward.vectors(encoder, None, encoded, desk)
    assert found.shape == (3, len(encoded.lengths), 32)
    encoder.network.set_attn_implementation("eager")
    ids = torch.from_numpy(encoded.ids[: encoded.offsets[1]].astype(np.int64))
    with torch.no_grad():
        alone = encoder.backbone.eval()(input_ids=ids[None], output_hidden_states=True)
    means = torch.stack(alone.hidden_states)[:, 0].mean(1)
    expected = torch.nn.functional.normalize(means, dim=-1)
    torch.testing.assert_close(found[:, 0], expected, atol=1e-5, rtol=1e-4)


def test_a_study_of_all_formats_can_be_predicted(small, outputs, model):
    path = " + ".join(HEADS) + " | s_xnli, s_choice, s_tags, s_xquad, s_tatoeba"
    steps = small_tasks.plan(small, model, path).steps.values()
    by_task = {}
    for step in steps:
        if step.kind == "predict":
            by_task.setdefault(step.inputs["task"], []).append(step.inputs)
    assert len(by_task) == 5
    for jobs in by_task.values():
        done = dict(predict.predict(jobs, (outputs[0], None), small_tasks.desk(small)))
        for number in range(len(jobs)):
            assert len({row["id"] for row in done[number]}) == small_tasks.TEST_ROWS

"""Stages and predictions from text to text: one step by hand, resuming, batches, what is scored."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from torch.nn import functional
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

import small_tasks
import tiny_encoder
from steps.runs import KilledError, Points, begun, trained
from xstilts import metrics
from xstilts.errors import UserError
from xstilts.formats import Limits, encode, text2text
from xstilts.formats.examples import Line
from xstilts.model.packing import Batch
from xstilts.recipes import RECIPES, Lora
from xstilts.steps import checkpoint, predict
from xstilts.steps.batches import collate
from xstilts.study import Options
from xstilts.tasks.text import MLM

RECIPE = small_tasks.recipe(text2text=True)
PATH = "s_nli + s_choice + s_squad | s_xnli, s_choice, s_xquad"


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A tiny mT5 with random weights, whose tokenizer has sentinels."""
    folder = tmp_path_factory.mktemp("mt5")
    return tiny_encoder.make(folder, small_tasks.texts(), vocabulary=250, architecture="mt5")


def inputs_of(small, model, path=PATH, recipe=RECIPE, steps=6):
    options = Options(max_steps=steps)
    return small_tasks.train_inputs(small, model, path, recipe, options=options)


@pytest.fixture(scope="module")
def stage(small, model, tmp_path_factory):
    inputs = inputs_of(small, model, steps=40)
    return trained(small, model, tmp_path_factory.mktemp("stage") / "out", inputs)[1]


def test_a_step_is_that_of_transformers_own_loss_on_texts(small, model, tmp_path):
    """Texts through transformers' tokenizer and model, one by one; AdamW without clipping."""
    recipe = small_tasks.recipe(
        text2text=True, max_length=256, clip=1e9, weight_decay=0.1, warmup=0.0
    )
    run = begun(small, model, inputs_of(small, model, "s_squad | s_xquad", recipe, steps=1))
    for module in run.model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    # T5's attention drops weights by a number of its own.
    for module in run.model.modules():
        if hasattr(module, "relative_attention_num_buckets"):
            module.dropout = 0.0
    _, units, _ = run._batch(0)
    run.complete(tmp_path)

    network = AutoModelForSeq2SeqLM.from_pretrained(model).eval()
    tokenizer = AutoTokenizer.from_pretrained(model)
    desk = small_tasks.desk(small)
    task = desk.catalogue.get("s_squad")
    rows = desk.sources.examples(task, desk.catalogue.data("s_squad", "files"), "train", "en")
    losses, count = [], 0
    for unit in units:
        row = rows[unit]
        asked = tokenizer(f"question: {row.question} context: {row.context}", return_tensors="pt")
        answer = tokenizer(row.answers[0], return_tensors="pt")["input_ids"][:, 1:]  # without <s>
        logits = network(input_ids=asked["input_ids"], labels=answer).logits[0]
        losses.append(functional.cross_entropy(logits, answer[0], reduction="sum"))
        count += answer.shape[1]
    loss = torch.stack(losses).sum() / count
    assert run.losses[0] == pytest.approx(loss.item(), rel=1e-5)
    loss.backward()
    plain = [p for p in network.parameters() if p.dim() <= 1]
    groups = [
        {"params": [p for p in network.parameters() if p.dim() > 1], "weight_decay": 0.1},
        {"params": plain, "weight_decay": 0.0},
    ]
    torch.optim.AdamW(groups, lr=recipe.learning_rate, eps=recipe.epsilon).step()
    after = AutoModelForSeq2SeqLM.from_pretrained(tmp_path)
    for (name, ours), theirs in zip(after.named_parameters(), network.parameters(), strict=True):
        # A gradient near 0 has a step of any sign in AdamW's first step.
        close = (ours - theirs).abs() < 1e-5
        assert close.float().mean() > 0.99, name


@pytest.mark.parametrize("optimizer", ["adamw", "adafactor"])
def test_a_run_that_dies_ends_where_it_would_have(small, model, tmp_path, optimizer):
    recipe = replace(RECIPE, optimizer=optimizer, schedule="constant", select_every=3)
    inputs = inputs_of(small, model, "s_nli + s_text@0.4 | s_xnli", recipe)
    whole, one = trained(small, model, tmp_path / "whole", inputs)
    points = Points(dies_after=4)
    with pytest.raises(KilledError):
        trained(small, model, tmp_path / "a", inputs, points=points, checkpoint_seconds=0)
    notes = []
    again, two = trained(small, model, tmp_path / "b", inputs, points=points, note=notes.append)
    assert notes[0].startswith("resumed at step 4 of ")
    assert {**again, "seconds": 0} == {**whole, "seconds": 0}
    assert (one / "model.safetensors").read_bytes() == (two / "model.safetensors").read_bytes()
    curve = pq.read_table(one / "curve.parquet").to_pydict()
    assert set(curve["learning_rate"][1:]) == {recipe.learning_rate}
    assert set(curve["task"]) == {"s_nli", "s_text"}


def test_losses_do_not_depend_on_the_token_budget(small, model, tmp_path):
    """But for attention's dropout, which T5 draws by itself: so there is none here."""
    inputs = inputs_of(small, model, "s_nli + s_text@0.4 | s_xnli")
    found = []
    for budget in (30, 10**6):
        run = begun(small, model, inputs, token_budget=budget)
        for module in run.model.modules():
            if hasattr(module, "relative_attention_num_buckets"):
                module.dropout = 0.0
        (tmp_path / str(budget)).mkdir()
        run.complete(tmp_path / str(budget))
        found.append(run.losses)
    np.testing.assert_allclose(*found, rtol=1e-4)


def test_it_learns_to_answer(small, model, tmp_path):
    """One batch again and again: the words of three labels are soon known by heart."""
    recipe = small_tasks.recipe(text2text=True, epochs=90, learning_rate=5e-3)
    inputs = inputs_of(small, model, "s_nli[8] | s_xnli", recipe, steps=90)
    result, out = trained(small, model, tmp_path / "out", inputs)
    assert result["loss"] < 0.3
    jobs = predict_jobs(small, model, "s_xnli", "s_nli[8] | s_xnli")
    ((_, rows), *_) = predict.predict(jobs, (out, None), small_tasks.desk(small))
    assert {row["text"] for row in rows} <= set(small_tasks.NLI_LABELS)
    assert all(row["legal"] for row in rows)


def predict_jobs(small, model, target, path=PATH):
    steps = small_tasks.plan(small, model, path, recipe=RECIPE).steps.values()
    jobs = [step.inputs for step in steps if step.kind == "predict"]
    return [job for job in jobs if job["task"] == target]


@pytest.mark.parametrize("target", ["s_xnli", "s_choice", "s_xquad"])
def test_answers_do_not_depend_on_batches_or_other_languages(
    small, model, stage, target, monkeypatch
):
    monkeypatch.setitem(text2text.MOST_TOKENS, "span", 8)
    jobs = predict_jobs(small, model, target)
    found = []
    for budget in (1, 10**6):
        desk = small_tasks.desk(small, token_budget=budget)
        found.append(dict(predict.predict(jobs, (stage, None), desk)))
    assert found[0] == found[1]
    alone = dict(predict.predict(jobs[-1:], (stage, None), small_tasks.desk(small)))
    assert alone[0] == found[0][len(jobs) - 1]
    for rows in found[0].values():
        assert len(rows) == small_tasks.TEST_ROWS
        assert {"gold", "prediction", "legal", "translated", "text"} <= rows[0].keys()


def test_generation_with_a_cache_equals_generation_without_and_the_likeliest_tokens(small, stage):
    model, tokenizer = checkpoint.load_whole(stage)
    model.eval()
    desk = small_tasks.desk(small)
    task = desk.catalogue.get("s_xquad")
    rows = desk.sources.examples(task, desk.catalogue.data("s_xquad", "files"), "evaluate", "en")
    asked = [tokenizer.backend.encode(row.context).ids for row in rows[:5]]
    asked.sort(key=len)
    flat = torch.tensor([one for ids in asked for one in ids])
    batch = Batch(flat, torch.zeros_like(flat), tuple(map(len, asked)))
    with torch.inference_mode():
        with_cache = model.generate(batch, 12, 2)
        assert with_cache == model.generate(batch, 12, 2, cached=False)
        for ids, answer in zip(asked, with_cache, strict=True):
            so_far = [1]  # the start token
            while len(so_far) <= 12:
                logits = model.network(
                    input_ids=torch.tensor([ids]), decoder_input_ids=torch.tensor([so_far])
                ).logits[0, -1]
                if (best := int(logits.argmax())) == 2:
                    break
                so_far.append(best)
            assert so_far[1:] == answer
    assert len(set(map(tuple, with_cache))) > 1


def test_raw_text_trains_span_corruption(model):
    """Of each line the source has its kept tokens and sentinels, the target the others."""
    _, tokenizer = checkpoint.load_whole(model)
    lines = [Line(str(n), str(n), small_tasks.sentence("en", n, 20)) for n in range(3)]
    encoded = encode(MLM, lines, tokenizer.backend, Limits(200))
    micro = collate("spans", encoded, np.arange(3), seed=5, tokenizer=tokenizer)
    lengths = micro.targets["answer_lengths"].tolist()
    answers = [one.tolist() for one in micro.targets["answer_ids"].split(lengths)]
    sources = [one.tolist() for one in micro.batch.ids.split(list(micro.batch.lengths))]
    texts = {tuple(encoded.sequence(n).tolist()) for n in range(3)}
    for source, answer in zip(sources, answers, strict=True):
        assert answer[-1] == 2
        spans: list[list[int]] = []
        for one in answer[:-1]:
            if one in tokenizer.sentinels:
                assert one == tokenizer.sentinels[len(spans)]
                spans.append([])
            else:
                spans[-1].append(one)
        left = iter(spans)
        assert len(spans) >= 2
        whole = [t for one in source for t in (next(left) if one in tokenizer.sentinels else [one])]
        assert tuple(whole) in texts
    assert micro.count() == sum(lengths)


def test_a_plan_scores_illegal_outputs_beside_the_tasks_own_metrics(small, model):
    found = small_tasks.plan(small, model, PATH + ", s_tatoeba", recipe=RECIPE)
    asked = {}
    for cell in found.cells:
        asked[cell.target] = list(found.steps[cell.score].inputs["metrics"])
    assert asked == {
        "s_xnli": ["accuracy", "illegal_output"],
        "s_choice": ["accuracy", "illegal_output"],
        "s_xquad": [
            *("squad_f1", "squad_exact_match"),
            *("illegal_output", "accidental_translation"),
        ],
        "s_tatoeba": ["retrieval_accuracy"],
    }
    rows = [{"legal": False, "translated": True}, {"legal": True, "translated": False}]
    assert metrics.score(metrics.get("illegal_output"), rows, "ru") == 0.5


def test_recipes_with_heads_have_the_options_they_always_had(small, tiny):
    inputs = small_tasks.train_inputs(small, tiny, "s_nli | s_xnli")
    assert not {"text2text", "optimizer", "schedule"} & inputs["options"].keys()
    assert RECIPES["mt5"].options()["optimizer"] == "adafactor"


def test_what_text_to_text_cannot_do_is_told_at_planning(small, model):
    with pytest.raises(UserError, match="s_tags: a tag for every word is not written as text"):
        small_tasks.plan(small, model, "s_tags | s_tags", recipe=RECIPE)
    with pytest.raises(UserError, match="attacks: is for models with heads"):
        small_tasks.plan(small, model, PATH, recipe=RECIPE, attacks=("greedy",))


def test_an_encoder_alone_is_refused(small, tiny, model, tmp_path):
    with pytest.raises(UserError, match="is no whole encoder-decoder"):
        checkpoint.load_whole(tiny)
    encoder, tokenizer = checkpoint.load(model)  # what a stage with heads saves of a T5
    checkpoint.save(tmp_path, encoder, tokenizer, {}, {})
    with pytest.raises(UserError, match="is no whole encoder-decoder"):
        checkpoint.load_whole(tmp_path)


def test_retrieval_reads_the_encoder_of_a_stage_from_text_to_text(small, model, stage):
    steps = small_tasks.plan(small, model, "s_nli | s_tatoeba", recipe=RECIPE).steps.values()
    jobs = [step.inputs for step in steps if step.kind == "predict"]
    done = dict(predict.predict(jobs, (stage, None), small_tasks.desk(small)))
    assert {row["layer"] for row in done[0]} == {0, 1, 2}
    assert text2text.written(small_tasks.desk(small).catalogue.get("s_tatoeba")) is False


def test_adapters_go_on_an_encoder_decoder_and_leave_a_plain_folder(small, model, tmp_path):
    pytest.importorskip("peft")
    recipe = replace(RECIPE, lora=Lora(rank=2))
    _, out = trained(small, model, tmp_path / "out", inputs_of(small, model, recipe=recipe))
    before, after = (
        AutoModelForSeq2SeqLM.from_pretrained(one).state_dict() for one in (model, out)
    )
    assert before.keys() == after.keys()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    adapted = {name for name in before if name.endswith((".q.weight", ".v.weight"))}
    assert changed == adapted

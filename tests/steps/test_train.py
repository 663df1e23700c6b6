"""Training does what the recipe says, repeats to the bit, and sees only what it may see."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from torch.nn import functional
from torch.nn.utils.rnn import pad_sequence
from transformers import AutoModelForMaskedLM, AutoTokenizer

import small_tasks
from steps.runs import KilledError, Points, begun, trained
from xstilts.errors import UserError
from xstilts.identity import stream_seed
from xstilts.model import tokenizer
from xstilts.sources import Sources
from xstilts.steps import checkpoint, stage, train
from xstilts.steps.batches import collate
from xstilts.steps.optimizers import share_of_peak

TASKS = ("s_nli", "s_choice", "s_tags", "s_squad", "s_text:en")


MIXTURE = "s_nli + s_tags + s_text@0.2 | s_tatoeba"


def path_of(name, rows=""):
    return f"{name}{rows} | s_tatoeba"


def files(folder):
    """The bytes of a stage's weights, and its curve."""
    weights = [(folder / name).read_bytes() for name in ("model.safetensors", "heads.safetensors")]
    return weights, pq.read_table(folder / "curve.parquet").to_pydict()


# --- one optimiser step, by hand ---------------------------------------------------------------
#
# The reference shares nothing with the package but the initial head and, for mlm, which tokens are
# hidden: texts go through transformers' tokenizer, are padded, and run through transformers' model.


def classification(rows, tok, encode, head):
    states = encode(tok([r.text_a for r in rows], [r.text_b for r in rows], padding=True))
    gold = torch.tensor([small_tasks.NLI_LABELS.index(row.label) for row in rows])
    return functional.cross_entropy(pooled(head, states[:, 0]), gold)


def multiple_choice(rows, tok, encode, head):
    losses = []
    for row in rows:
        states = encode(tok([row.prompt] * len(row.choices), list(row.choices), padding=True))
        scores = pooled(head, states[:, 0])[:, 0]
        losses.append(functional.cross_entropy(scores[None], torch.tensor([row.label])))
    return torch.stack(losses).mean()


def pooled(head, first):
    hidden = torch.tanh(functional.linear(first, head["dense.weight"], head["dense.bias"]))
    return functional.linear(hidden, head["out.weight"], head["out.bias"])


def tagging(rows, tok, encode, head):
    given = tok([list(row.words) for row in rows], is_split_into_words=True, padding=True)
    logits = functional.linear(encode(given), head["out.weight"], head["out.bias"])
    gold = torch.full(logits.shape[:2], -100)
    for number, row in enumerate(rows):
        words = given.word_ids(number)
        for place, word in enumerate(words):
            if word is not None and word not in words[:place]:
                gold[number, place] = small_tasks.TAGS.index(row.tags[word])
    return functional.cross_entropy(logits.flatten(0, 1), gold.flatten(), ignore_index=-100)


def span(rows, tok, encode, head):
    questions, contexts = [r.question for r in rows], [r.context for r in rows]
    given = tok(questions, contexts, padding=True, return_offsets_mapping=True)
    logits = functional.linear(encode(given), head["out.weight"], head["out.bias"])
    real = torch.tensor(given["attention_mask"]).bool()
    logits = logits.masked_fill(~real[..., None], float("-inf"))
    losses = []
    for number, row in enumerate(rows):
        first, last = row.starts[0], row.starts[0] + len(row.answers[0])
        sides = zip(given["offset_mapping"][number], given.sequence_ids(number), strict=True)
        inside = [p for p, ((a, b), s) in enumerate(sides) if s == 1 and b > first and a < last]
        for side, place in enumerate((inside[0], inside[-1])):
            losses.append(
                functional.cross_entropy(logits[number, :, side][None], torch.tensor([place]))
            )
    return torch.stack(losses).mean()


REFERENCE = {
    "s_nli": classification,
    "s_choice": multiple_choice,
    "s_tags": tagging,
    "s_squad": span,
}
NUMBERS = {"learning_rate": 1e-3, "weight_decay": 0.1, "clip": 0.05, "epsilon": 1e-3}


def mlm_reference(run, network):
    (task,) = run.tasks
    seed = stream_seed(run.seed, "step", 0)
    micro = collate("mlm", task.encoded, np.arange(8), seed=seed, tokenizer=run.tokenizer)
    labels = torch.full_like(micro.batch.ids, -100)
    labels[micro.targets["places"]] = micro.targets["hidden_ids"]
    ids, labels = (t.split(list(micro.batch.lengths)) for t in (micro.batch.ids, labels))
    ids = pad_sequence(ids, batch_first=True, padding_value=1)
    labels = pad_sequence(labels, batch_first=True, padding_value=-100)
    return network(input_ids=ids, attention_mask=(ids != 1).long(), labels=labels).loss


def stepped(parameters):
    """AdamW's first step as in Loshchilov & Hutter 2019, after clipping by the whole norm."""
    with_gradient = {n: p for n, p in parameters.items() if p.grad is not None}
    norm = torch.sqrt(sum((p.grad**2).sum() for p in with_gradient.values()))
    assert norm > NUMBERS["clip"]  # else clipping would not be tested
    rate, decay, small = NUMBERS["learning_rate"], NUMBERS["weight_decay"], NUMBERS["epsilon"]
    updated = {name: p.detach() for name, p in parameters.items()}
    for name, p in with_gradient.items():
        gradient = p.grad * NUMBERS["clip"] / norm
        # The moments' bias corrections cancel at the first step: g and g^2 remain.
        kept = p.detach() * (1 - rate * decay * (p.dim() > 1))
        updated[name] = kept - rate * gradient / (gradient.abs() + small)
    return updated


@pytest.mark.parametrize("name", TASKS)
def test_one_step_equals_one_done_by_hand(small, calm, name):
    # 8 rows are one whole batch, so their order does not matter; epsilon is large enough for the
    # step to be a smooth function of the gradient.
    recipe = small_tasks.recipe(**NUMBERS, max_length=200)
    inputs = small_tasks.train_inputs(small, calm, path_of(name, "[8]"), recipe, **capped(1))
    run = begun(small, calm, inputs, token_budget=64)
    (task,) = run.tasks
    assert (len(task.encoded), len(run.schedule)) == (8, 1)
    head = {n: p.detach().clone().requires_grad_() for n, p in run.model.heads.named_parameters()}
    network = AutoModelForMaskedLM.from_pretrained(calm).train()
    tok = AutoTokenizer.from_pretrained(calm)

    def encode(given):
        ids, mask = (torch.tensor(given[key]) for key in ("input_ids", "attention_mask"))
        return network.base_model(input_ids=ids, attention_mask=mask).last_hidden_state

    if name in REFERENCE:
        rows = stage.training_rows(inputs["items"][0], "files", run.desk)
        bare = {n.removeprefix(f"{name}."): p for n, p in head.items()}
        loss = REFERENCE[name](rows, tok, encode, bare)
    else:
        loss = mlm_reference(run, network)
    loss.backward()
    expected = stepped(
        {f"heads.{n}": p for n, p in head.items()}
        | {f"encoder.network.{n}": p for n, p in network.named_parameters()}
    )
    before = {f"heads.{n}": p.detach() for n, p in head.items()}
    before |= {f"encoder.network.{n}": p.detach() for n, p in network.named_parameters()}
    run.model.train()
    run._optimise(*run._given(run.step))
    run.step = 1
    run._mend()
    assert run.losses[0] == pytest.approx(loss.item(), abs=1e-6)
    found = dict(run.model.named_parameters())
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        torch.testing.assert_close(found[key].detach(), value, atol=1e-6, rtol=0, msg=key)
    # The comparison means something: what has a gradient moved by far more than the tolerance (but
    # for attention's key biases, and the bias of a single score, which softmax does not see).
    changed = [key for key in expected if not torch.equal(expected[key], before[key])]
    far = [key for key in changed if (expected[key] - before[key]).abs().max() > 1e-4]
    assert len(far) >= 0.8 * len(changed) > 20


def capped(steps):
    from xstilts.study import Options

    return {"options": Options(max_steps=steps)}


# --- what a result depends on ------------------------------------------------------------------


@pytest.mark.parametrize("name", TASKS)
def test_the_token_budget_changes_no_loss_with_dropout_on(small, tiny, tmp_path, name):
    recipe = small_tasks.recipe(learning_rate=1e-3)
    inputs = small_tasks.train_inputs(small, tiny, path_of(name), recipe, **capped(5))
    losses = []
    for budget in (64, 100_000):
        _, out = trained(small, tiny, tmp_path / str(budget), inputs, token_budget=budget)
        losses.append(files(out)[1]["loss"])
    assert len(losses[0]) == 5
    assert losses[0] == pytest.approx(losses[1], abs=1e-5)
    assert len({round(loss, 4) for loss in losses[0]}) == 5  # and it does train


def test_dropout_is_on_in_training_and_off_in_selection(small, tiny, calm):
    def first_loss(model):
        inputs = small_tasks.train_inputs(small, model, path_of("s_nli"), **capped(1))
        run = begun(small, model, inputs)
        run.model.train()
        run._optimise(*run._given(run.step))
        return run.losses[0]

    assert abs(first_loss(tiny) - first_loss(calm)) > 1e-3


def test_equal_inputs_give_equal_bytes_and_another_seed_others(small, tiny, tmp_path):
    found = []
    for number, seed in enumerate((1, 1, 2)):
        inputs = small_tasks.train_inputs(small, tiny, path_of("s_nli"), seeds=(seed,), **capped(3))
        found.append(files(trained(small, tiny, tmp_path / str(number), inputs)[1]))
    assert found[0] == found[1]
    assert found[0][0] != found[2][0]


def test_stages_alike_but_for_their_parent_see_the_same_order_and_masks(small, tiny, deberta):
    one, other, third = (
        begun(small, model, small_tasks.train_inputs(small, model, path_of("s_nli"), seeds=(seed,)))
        for model, seed in ((tiny, 1), (deberta, 1), (tiny, 2))
    )
    assert one.inputs["parent"] != other.inputs["parent"]
    assert one.seed == other.seed != third.seed
    heads = [run.model.heads["s_nli"].out.weight for run in (one, other, third)]
    assert torch.equal(heads[0], heads[1])
    assert not torch.equal(heads[0], heads[2])


def test_each_task_of_a_mixture_takes_its_own_batches_in_turn(small, tiny, monkeypatch):
    inputs = small_tasks.train_inputs(small, tiny, MIXTURE, **capped(24))
    run = begun(small, tiny, inputs)
    taken = []
    original = train.step_units
    monkeypatch.setattr(train, "step_units", lambda *a: taken.append(a) or original(*a))
    for _ in range(24):
        run._optimise(*run._given(run.step))
        run.step += 1
    assert {steps[0] for steps in taken} == {stream_seed(run.seed, "order", i) for i in range(3)}
    for seed in {one[0] for one in taken}:
        mine = [one for one in taken if one[0] == seed]
        assert [step for _, _, _, step in mine] == list(range(len(mine)))


def test_even_batches_are_another_stage_and_have_as_many_steps(small, tiny):
    even = replace(small_tasks.RECIPE, batches="even")
    path = "s_nli > s_xnli"
    plain = begun(small, tiny, small_tasks.train_inputs(small, tiny, path))
    run = begun(small, tiny, small_tasks.train_inputs(small, tiny, path, even))
    assert len(run.schedule) == len(plain.schedule)
    tokens = run.tasks[0].encoded.unit_tokens
    size = run.tasks[0].item["batch"]
    sums = [[tokens[one._batch(step)[1]].sum() for step in range(8)] for one in (plain, run)]
    assert np.std(sums[1]) < np.std(sums[0])
    assert {len(plain._batch(step)[1]) for step in range(8)} == {size}
    assert "batches" not in plain.options
    assert run.seed != plain.seed


# --- the learning rate -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("steps", "warmup", "shares"),
    [
        (10, 0.2, [1 / 2, 1, 1, 7 / 8, 6 / 8, 5 / 8, 4 / 8, 3 / 8, 2 / 8, 1 / 8]),
        (4, 0.0, [1, 3 / 4, 2 / 4, 1 / 4]),
        (4, 1.0, [1 / 4, 2 / 4, 3 / 4, 1]),
        (3, 0.1, [1, 1, 1 / 2]),  # 0.3 of a step is one step
        (1, 0.1, [1]),
    ],
)
def test_it_rises_and_falls_linearly(steps, warmup, shares):
    assert [
        share_of_peak(step, steps, {"warmup": warmup}) for step in range(steps)
    ] == pytest.approx(shares)


def test_the_curve_holds_what_was_done(small, tiny, tmp_path):
    recipe = small_tasks.recipe(learning_rate=0.002, warmup=0.25)
    inputs = small_tasks.train_inputs(small, tiny, path_of("s_nli + s_tags"), recipe, **capped(8))
    result, out = trained(small, tiny, tmp_path / "out", inputs)
    curve = files(out)[1]
    assert curve["step"] == list(range(8))
    assert set(curve["task"]) == {"s_nli", "s_tags"}
    shares = [1 / 2, 1, 1, 5 / 6, 4 / 6, 3 / 6, 2 / 6, 1 / 6]
    assert curve["learning_rate"] == pytest.approx([0.002 * share for share in shares])
    assert (result["steps"], result["planned_steps"], result["packed"]) == (8, 8, True)
    assert result["loss"] == curve["loss"][-1]  # a tenth of 8 steps is the last one
    assert result["selected"] is None
    assert result["units"].keys() == {"s_nli", "s_tags"}


def test_tokens_are_real_tokens(small, tiny, tmp_path):
    recipe = small_tasks.recipe(epochs=1, batch=10)
    inputs = small_tasks.train_inputs(small, tiny, path_of("s_nli[30]"), recipe)
    result, _ = trained(small, tiny, tmp_path / "out", inputs)
    run = begun(small, tiny, inputs)
    assert result["steps"] == 3
    assert result["tokens"] == len(run.tasks[0].encoded.ids)


# --- resuming ----------------------------------------------------------------------------------


def resumable(small, model, **recipe):
    return small_tasks.train_inputs(
        small, model, MIXTURE, small_tasks.recipe(**recipe), **capped(9)
    )


@pytest.mark.parametrize("select_every", [0, 2])
@pytest.mark.parametrize("architecture", ["tiny", "deberta"])
def test_a_run_that_dies_again_and_again_ends_where_it_would_have(
    small, tmp_path, request, architecture, select_every
):
    model = request.getfixturevalue(architecture)
    inputs = resumable(small, model, select_every=select_every)
    whole, out = trained(small, model, tmp_path / "whole", inputs)
    assert whole["packed"] is (architecture == "tiny")
    expected = files(out)
    points = Points()
    deaths = 0
    while True:
        points.dies_after = points.saves + 2
        try:
            again, out = trained(
                *(small, model, tmp_path / f"part{deaths}", inputs),
                points=points,
                checkpoint_seconds=0,
            )
            break
        except KilledError:
            deaths += 1
    assert deaths == 4  # 9 steps, a save each, a death after every second
    assert files(out) == expected
    assert {**again, "seconds": 0} == {**whole, "seconds": 0}


def test_death_right_after_the_last_step_repeats_nothing(small, tiny, tmp_path):
    inputs = resumable(small, tiny)
    _, whole = trained(small, tiny, tmp_path / "whole", inputs)
    points = Points(dies_after=9)
    with pytest.raises(KilledError):
        trained(small, tiny, tmp_path / "one", inputs, points=points, checkpoint_seconds=0)
    _, out = trained(small, tiny, tmp_path / "two", inputs, points=points, checkpoint_seconds=0)
    assert points.saves == 9
    assert files(out) == files(whole)


def test_an_interrupted_run_keeps_a_point(small, tiny, tmp_path):
    inputs = resumable(small, tiny)
    _, whole = trained(small, tiny, tmp_path / "whole", inputs)
    points = Points()

    def control_c(done, _total, _tokens):
        if done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trained(small, tiny, tmp_path / "one", inputs, points=points, progress=control_c)
    assert points.newest[2] == 4
    _, out = trained(small, tiny, tmp_path / "two", inputs, points=points)
    assert files(out) == files(whole)


@pytest.mark.parametrize("place", ["backward", "half an update", "after the update", "selection"])
def test_wherever_a_run_is_interrupted_it_ends_where_it_would_have(
    small, tiny, tmp_path, place, monkeypatch
):
    """Between an update and its selection there is nothing to keep: the point before it counts."""
    inputs = resumable(small, tiny, select_every=2)
    whole, expected = trained(small, tiny, tmp_path / "whole", inputs)
    run, points = begun(small, tiny, inputs, checkpoint_seconds=0), Points()
    run.resume = points
    optimizer, backward, update = run.optimizer, run.accelerator.backward, run.optimizer.step
    consider = run.selection.consider

    def control_c():
        if run.step < (6 if place == "selection" else 5):
            return
        if place == "half an update":
            optimizer.param_groups.pop()
        if "update" in place:
            update()
        raise KeyboardInterrupt

    if place == "backward":
        monkeypatch.setattr(run.accelerator, "backward", lambda x: (backward(x), control_c()))
    elif place == "selection":
        monkeypatch.setattr(run.selection, "consider", lambda *a: control_c() or consider(*a))
    else:
        monkeypatch.setattr(optimizer, "step", lambda: (control_c(), update()))
    with pytest.raises(KeyboardInterrupt):
        run.complete(tmp_path)
    assert points.newest[2] == 5
    again, out = trained(small, tiny, tmp_path / "again", inputs, points=points)
    assert files(out) == files(expected)
    assert {**again, "seconds": 0} == {**whole, "seconds": 0}


def test_the_seconds_of_a_resumed_run_add_up(small, tiny, tmp_path):
    inputs = resumable(small, tiny)
    points = Points(dies_after=3)
    with pytest.raises(KilledError):
        trained(small, tiny, tmp_path / "one", inputs, points=points, checkpoint_seconds=0)
    tensors, state, step = points.newest
    points.newest = (tensors, state | {"seconds": 1000.0}, step)
    result, _ = trained(small, tiny, tmp_path / "two", inputs, points=points)
    assert 1000 < result["seconds"] < 1060


def test_losses_are_those_of_a_padded_loop(small, calm):
    """Ten steps of what most people run: padded batches, AdamW, a linear schedule; no dropout."""
    recipe = small_tasks.recipe(learning_rate=1e-3, weight_decay=0.1, warmup=0.2, epsilon=1e-6)
    inputs = small_tasks.train_inputs(small, calm, path_of("s_nli"), recipe, **capped(10))
    run = begun(small, calm, inputs, token_budget=64)
    (task,) = run.tasks
    head = {n: p.detach().clone().requires_grad_() for n, p in run.model.heads.named_parameters()}
    bare = {n.removeprefix("s_nli."): p for n, p in head.items()}
    network = AutoModelForMaskedLM.from_pretrained(calm).train()
    tok = AutoTokenizer.from_pretrained(calm)
    rows = stage.training_rows(inputs["items"][0], "files", run.desk)
    parameters = [*network.base_model.parameters(), *head.values()]
    groups = [
        {"params": [p for p in parameters if p.dim() > 1], "weight_decay": 0.1},
        {"params": [p for p in parameters if p.dim() <= 1], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=1e-3, eps=1e-6)

    def encode(given):
        ids, mask = (torch.tensor(given[key]) for key in ("input_ids", "attention_mask"))
        return network.base_model(input_ids=ids, attention_mask=mask).last_hidden_state

    expected = []
    for step in range(10):
        for group in optimizer.param_groups:  # ours takes the rate of the step's end
            group["lr"] = 1e-3 * share_of_peak(step, 10, {"warmup": 0.2})
        units = train.step_units(stream_seed(run.seed, "order", 0), len(rows), 8, step)
        loss = classification([rows[unit] for unit in units], tok, encode, bare)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, recipe.clip)
        optimizer.step()
        optimizer.zero_grad()
        expected.append(loss.item())
    run.model.train()
    for _ in range(10):
        run._optimise(*run._given(run.step))
        run.step += 1
    assert run.losses.tolist() == pytest.approx(expected, abs=2e-5)
    assert max(expected) - min(expected) > 0.02  # and it moved
    assert len(task.encoded) == len(rows)


# --- what is not computed ----------------------------------------------------------------------


@pytest.mark.parametrize("select_every", [0, 2])
def test_embeddings_that_a_stage_cannot_see_end_as_if_they_had_been_there(
    small, tiny, tmp_path, monkeypatch, select_every
):
    recipe = small_tasks.recipe(select_every=select_every, weight_decay=0.5, learning_rate=1e-2)
    inputs = small_tasks.train_inputs(
        small, tiny, "s_nli + s_tags | s_tatoeba", recipe, **capped(7)
    )
    run = begun(small, tiny, inputs)
    size = run.model.encoder.config.vocab_size
    assert 10 < len(run.cut.kept) < size / 2
    assert run.model.encoder.backbone.get_input_embeddings().weight.shape[0] == len(run.cut.kept)
    cut, folder = trained(small, tiny, tmp_path / "cut", inputs)
    monkeypatch.setattr(train._Run, "_cut", lambda *_: None)
    assert begun(small, tiny, inputs).cut is None
    whole, other = trained(small, tiny, tmp_path / "whole", inputs)
    losses = [files(one)[1]["loss"] for one in (folder, other)]
    assert losses[0] == pytest.approx(losses[1], abs=1e-5)
    assert cut["selected"] == whole["selected"]
    found, expected = (load_file(one / "model.safetensors") for one in (folder, other))
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        torch.testing.assert_close(found[name], tensor, atol=2e-5, rtol=0, msg=name)
    name = "roberta.embeddings.word_embeddings.weight"
    absent = torch.ones(size, dtype=torch.bool)
    absent[run.cut.kept] = False
    torch.testing.assert_close(found[name][absent], expected[name][absent], atol=0, rtol=1e-6)
    before = load_file(tiny / "model.safetensors")[name][absent]
    left = (found[name][absent] / before).nanmedian()  # the padding token is 0
    assert 0.9 < left < 0.999  # and there was decay to tell


@pytest.mark.parametrize("path", ["s_text", "text(s_nli)", MIXTURE.partition(" |")[0]])
def test_masked_lm_sees_the_whole_vocabulary(small, tiny, path):
    inputs = small_tasks.train_inputs(small, tiny, f"{path} | s_tatoeba", **capped(2))
    run = begun(small, tiny, inputs)
    table = run.model.encoder.backbone.get_input_embeddings().weight
    assert (run.cut, len(table)) == (None, run.model.encoder.config.vocab_size)


def test_a_resume_point_of_another_shape_is_left_aside(small, tiny, tmp_path, monkeypatch):
    inputs = small_tasks.train_inputs(small, tiny, path_of("s_nli"), **capped(4))
    _, whole = trained(small, tiny, tmp_path / "whole", inputs)
    points, notes = Points(dies_after=2), []
    with monkeypatch.context() as earlier:
        earlier.setattr(train._Run, "_cut", lambda *_: None)
        with pytest.raises(KilledError):
            trained(small, tiny, tmp_path / "one", inputs, points=points, checkpoint_seconds=0)
    _, out = trained(small, tiny, tmp_path / "two", inputs, points=points, note=notes.append)
    assert notes == ["its resume point is of another version and was left aside"]
    assert files(out) == files(whole)


@pytest.mark.parametrize("read_every", [1, 4])
@pytest.mark.parametrize("what", ["loss", "gradient norm"])
def test_a_number_that_is_none_changes_no_parameter_wherever_it_is_read(
    small, tiny, tmp_path, monkeypatch, read_every, what
):
    """A GPU is asked now and then only; until then its kernel keeps the parameters as they are."""
    inputs = small_tasks.train_inputs(small, tiny, path_of("s_nli"), **capped(8))
    run, after = begun(small, tiny, inputs), []
    run.read_every = read_every
    forward, clip, update = run.wrapped.forward, run.accelerator.clip_grad_norm_, run.optimizer.step

    def spoilt(value, name):
        return value * float("nan") if (run.step, what) == (2, name) else value

    monkeypatch.setattr(run, "wrapped", lambda *a: spoilt(forward(*a), "loss"))
    monkeypatch.setattr(
        run.accelerator, "clip_grad_norm_", lambda *a: spoilt(clip(*a), "gradient norm")
    )

    def step():
        before = [p.detach().clone() for p in run.model.parameters()]
        update()
        pairs = zip(before, run.model.parameters(), strict=True)
        after.append(any(not torch.equal(one, p) for one, p in pairs))

    monkeypatch.setattr(run.optimizer, "step", step)
    with pytest.raises(UserError, match=f"{what} is nan at step 3 of 8"):
        run.complete(tmp_path)
    assert after == [True, True] + [False] * (read_every > 1)
    assert not list(tmp_path.iterdir())


def test_batches_made_ahead_are_the_same_batches(small, tiny, tmp_path):
    inputs = small_tasks.train_inputs(small, tiny, MIXTURE, **capped(8))
    _, plain = trained(small, tiny, tmp_path / "plain", inputs)
    run = begun(small, tiny, inputs)
    run.ahead = True
    (tmp_path / "ahead").mkdir()
    run.complete(tmp_path / "ahead")
    assert files(tmp_path / "ahead") == files(plain)


# --- heads and encoders ------------------------------------------------------------------------


def test_the_next_stage_keeps_the_encoder_and_makes_new_heads(small, tiny, tmp_path):
    inputs = small_tasks.train_inputs(small, tiny, path_of("s_nli"), **capped(5))
    _, out = trained(small, tiny, tmp_path / "one", inputs)
    run = begun(small, out, inputs)
    run._mend()  # with the embeddings that the stage cannot see
    before, after = load_file(tiny / "model.safetensors"), load_file(out / "model.safetensors")
    now = run.model.encoder.network.state_dict()
    assert all(torch.equal(now[name], tensor) for name, tensor in after.items())
    assert not torch.equal(
        *(t["roberta.encoder.layer.0.output.dense.weight"] for t in (before, after))
    )
    trained_head = load_file(out / "heads.safetensors")["s_nli.out.weight"]
    assert not torch.equal(run.model.heads["s_nli"].out.weight.detach(), trained_head)
    fresh = begun(small, tiny, inputs).model.heads["s_nli"].out.weight
    assert torch.equal(run.model.heads["s_nli"].out.weight, fresh)


def test_a_stage_is_a_folder_that_loads(small, tiny, tmp_path):
    inputs = small_tasks.train_inputs(small, tiny, path_of("s_nli + s_tags"), **capped(5))
    _, out = trained(small, tiny, tmp_path / "one", inputs)
    encoder, loaded = checkpoint.load(out)
    assert loaded.backend.to_str() == tokenizer.load(tiny).backend.to_str()
    head, about = checkpoint.load_head(out, "s_tags", encoder)
    assert about == {"format": "tagging", "labels": list(small_tasks.TAGS)}
    assert torch.equal(head.out.weight, load_file(out / "heads.safetensors")["s_tags.out.weight"])
    with pytest.raises(UserError, match='no head for "s_squad"; it has: s_nli, s_tags'):
        checkpoint.load_head(out, "s_squad", encoder)


def test_raw_text_trains_the_encoder_and_has_no_head(small, tiny, tmp_path):
    inputs = small_tasks.train_inputs(small, tiny, path_of("s_text"), **capped(3))
    _, out = trained(small, tiny, tmp_path / "one", inputs)
    assert load_file(out / "heads.safetensors") == {}
    before, after = load_file(tiny / "model.safetensors"), load_file(out / "model.safetensors")
    assert all(not torch.equal(before[name], after[name]) for name in before if "weight" in name)


# --- controls ----------------------------------------------------------------------------------


def test_same_steps_takes_the_other_tasks_steps_with_the_targets_rows(small, tiny, tmp_path):
    results = {}
    for path in ("s_squad > s_xnli", "same_steps(s_squad) > s_xnli"):
        inputs = small_tasks.train_inputs(small, tiny, path)
        results[path], _ = trained(small, tiny, tmp_path / path[:4], inputs)
    (squad, same) = results.values()
    assert same["steps"] == squad["steps"]
    assert list(same["units"]) == ["s_nli"]


def test_shuffled_and_plain_differ_in_labels_alone(small, calm):
    losses = []
    for path in ("s_nli | s_tatoeba", "shuffled(s_nli) | s_tatoeba"):
        run = begun(small, calm, small_tasks.train_inputs(small, calm, path))
        losses.append(run.tasks[0])
    assert np.array_equal(losses[0].encoded.ids, losses[1].encoded.ids)
    assert not np.array_equal(*(t.encoded.targets["label"] for t in losses))


# --- selection ---------------------------------------------------------------------------------


class Canary(Sources):
    """Remembers everything anybody asked for."""

    def __init__(self):
        super().__init__()
        self.asked = []

    def examples(self, task, data, split, language):
        found = super().examples(task, data, split, language)
        self.asked.append((task.name, split, language, tuple(one.id for one in found)))
        return found


def test_training_and_selection_see_english_training_and_selection_rows_only(small, tiny, tmp_path):
    canary = Canary()
    recipe = small_tasks.recipe(select_every=2)
    inputs = small_tasks.train_inputs(
        small, tiny, "s_nli + s_squad + s_tags > s_xnli", recipe, **capped(6)
    )
    result, _ = trained(small, tiny, tmp_path / "out", inputs, sources=canary)
    assert result["selected"]["step"] > 0
    seen = {(task, split, language) for task, split, language, _ in canary.asked}
    tasks = ("s_nli", "s_squad", "s_tags")
    assert seen == {(task, split, "en") for task in tasks for split in ("train", "select")}
    ids = {(task, split): set(ids) for task, split, _, ids in canary.asked}
    for task in tasks:
        assert not ids[task, "train"] & ids[task, "select"]


def test_without_selection_no_selection_row_is_read(small, tiny, tmp_path):
    canary = Canary()
    inputs = small_tasks.train_inputs(small, tiny, path_of("s_nli"), **capped(2))
    trained(small, tiny, tmp_path / "out", inputs, sources=canary)
    assert {split for _, split, _, _ in canary.asked} == {"train"}


def test_the_best_step_is_written_not_the_last(small, tiny, tmp_path):
    # So small a rate changes no prediction after the first steps; of equal looks the first counts.
    recipe = small_tasks.recipe(select_every=1, learning_rate=1e-5, warmup=0.0)
    inputs = small_tasks.train_inputs(small, tiny, path_of("s_nli"), recipe, **capped(4))
    result, out = trained(small, tiny, tmp_path / "out", inputs)
    chosen = result["selected"]
    run = begun(small, tiny, inputs)
    run.model.train()
    for _ in range(chosen["step"]):
        run._optimise(*run._given(run.step))
        run.step += 1
    run.selection = None  # it looked at nothing: what counts is the step that was reached
    run._mend()
    now = run.model.encoder.network.state_dict()
    for name, tensor in load_file(out / "model.safetensors").items():
        assert torch.equal(now[name], tensor)
    assert chosen["step"] < 4
    assert chosen["without_gain"] == 4 - chosen["step"]


def test_patience_ends_a_stage_early(small, tiny, tmp_path):
    recipe = small_tasks.recipe(select_every=1, patience=2, learning_rate=1e-9)
    inputs = small_tasks.train_inputs(small, tiny, path_of("s_nli"), recipe, **capped(9))
    result, out = trained(small, tiny, tmp_path / "out", inputs)
    # Nothing is learnt: the first look stands, two more bring no gain.
    assert (result["steps"], result["planned_steps"]) == (3, 9)
    assert result["selected"]["step"] == 1
    assert len(files(out)[1]["loss"]) == 3


def test_patience_is_not_renewed_by_a_death(small, tiny, tmp_path):
    recipe = small_tasks.recipe(select_every=1, patience=4, learning_rate=1e-9)
    inputs = small_tasks.train_inputs(small, tiny, path_of("s_nli"), recipe, **capped(9))
    points = Points(dies_after=4)
    with pytest.raises(KilledError):
        trained(small, tiny, tmp_path / "one", inputs, points=points, checkpoint_seconds=0)
    result, _ = trained(small, tiny, tmp_path / "two", inputs, points=points)
    # The first look stands; three without gain before the death, one after it.
    assert result["steps"] == 5
    assert result["selected"]["without_gain"] == 4


# --- failure -----------------------------------------------------------------------------------


def test_a_loss_that_is_no_number_names_step_and_task(small, tiny, tmp_path):
    broken = shutil.copytree(tiny, tmp_path / "broken")
    weights = load_file(broken / "model.safetensors")
    weights["roberta.encoder.layer.1.output.dense.weight"][0] = float("nan")
    save_file(weights, broken / "model.safetensors", {"format": "pt"})
    inputs = small_tasks.train_inputs(small, broken, path_of("s_nli"), **capped(5))
    points = Points()
    said = (
        r"loss is nan at step 1 of 5 \(s_nli\), rows r\d+, r\d+, r\d+ and \d+ more, parameter "
        r'"encoder\.network\.roberta\.encoder\.layer\.1\.output\.dense\.weight" held NaN or '
        "infinity before this step: lower"
    )
    with pytest.raises(UserError, match=said) as caught:
        trained(small, broken, tmp_path / "out", inputs, points=points, checkpoint_seconds=0)
    assert len(str(caught.value).splitlines()) == 1
    assert points.saves == 0


def test_the_rows_to_blame_are_named(small, tiny, tmp_path):
    """One word's embedding is infinite: the rows that hold it are named, and no others."""
    word = "lanterns"
    broken = shutil.copytree(tiny, tmp_path / "broken")
    (piece, *_) = Tokenizer.from_file(str(tiny / "tokenizer.json")).encode(word).ids[1:]
    weights = load_file(broken / "model.safetensors")
    weights["roberta.embeddings.word_embeddings.weight"][piece] = float("inf")
    save_file(weights, broken / "model.safetensors", {"format": "pt"})
    recipe = small_tasks.recipe(batch=small_tasks.TRAIN_ROWS)
    inputs = small_tasks.train_inputs(small, broken, path_of("s_nli"), recipe, **capped(1))
    with pytest.raises(UserError, match=r"rows .*(word_embeddings|decoder)\.weight") as caught:
        trained(small, broken, tmp_path / "out", inputs)
    named = re.search(r"rows (.*?)( and (\d+) more)?, parameter", str(caught.value))
    run = begun(small, tiny, inputs)
    encoded = run.tasks[0].encoded
    every = stage.training_rows(inputs["items"][0], "files", small_tasks.desk(small))
    pieces = np.split(encoded.ids, encoded.offsets[1:-1])
    rows = {every[own].id for own, ids in zip(encoded.owner, pieces, strict=True) if piece in ids}
    shown = named[1].split(", ")
    assert set(shown) <= rows
    assert len(shown) + int(named[3] or 0) == len(rows) < len(every)


def test_a_rate_that_blows_up_stops_where_it_does(small, tiny, tmp_path):
    recipe = small_tasks.recipe(learning_rate=1e35, warmup=0.0)
    inputs = small_tasks.train_inputs(small, tiny, path_of("s_tags"), recipe, **capped(5))
    with pytest.raises(UserError, match=r"loss is (nan|inf) at step [2-5] of 5 \(s_tags\)"):
        trained(small, tiny, tmp_path / "out", inputs)


@pytest.mark.parametrize("value", ["nan", "inf"])
def test_a_gradient_that_is_no_number_stops_even_the_last_step(small, tiny, tmp_path, value):
    """The loss is finite: it is the norm that shows it, and no optimiser step takes it."""
    inputs = small_tasks.train_inputs(small, tiny, "s_nli + s_tags | s_tatoeba", **capped(3))
    run = begun(small, tiny, inputs)
    weight = run.model.encoder.backbone.embeddings.LayerNorm.weight
    weight.register_hook(lambda gradient: gradient + float(value) if run.step == 2 else gradient)
    out = tmp_path / "out"
    out.mkdir()
    said = (
        rf"gradient norm is {value} at step 3 of 3 \(s_\w+, in the stage s_nli \+ s_tags\), rows "
        r'\w+, .* more, first in the gradient of parameter "encoder\..*\.LayerNorm\.weight"'
    )
    with pytest.raises(UserError, match=said) as caught:
        run.complete(out)
    assert len(str(caught.value).splitlines()) == 1
    assert not list(out.iterdir())
    assert all(bool(torch.isfinite(one).all()) for one in run.model.parameters())


def test_bf16_is_close_to_fp32(small, calm):
    losses = []
    for precision in ("fp32", "bf16"):
        run = begun(
            small, calm, small_tasks.train_inputs(small, calm, path_of("s_nli"), **capped(3))
        )
        # Precision is part of the streams' seed: only so do both see the same order and masks.
        run.accelerator = train._accelerator(torch.device("cpu"), precision, run.desk)
        run.wrapped = run.accelerator.prepare(run.model)
        run._optimise(*run._given(run.step))
        losses.append(run.losses[0])
        assert {p.dtype for p in run.model.parameters()} == {torch.float32}
    # bf16 has 8 bits of mantissa: losses near log 3 agree to a hundredth, and not exactly
    assert 0 < abs(losses[0] - losses[1]) < 0.03


def test_a_stage_of_raw_text_has_nothing_to_select_on_and_keeps_its_last_step(
    small, tiny, tmp_path
):
    recipe = small_tasks.recipe(select_every=1, patience=1)
    inputs = small_tasks.train_inputs(small, tiny, path_of("s_text"), recipe, **capped(4))
    assert inputs["selection"] is None
    result, _ = trained(small, tiny, tmp_path / "out", inputs)
    assert (result["steps"], result["selected"]) == (4, None)


def test_a_look_at_selection_rows_is_no_progress_of_the_stage(small, tiny, tmp_path):
    recipe = small_tasks.recipe(select_every=1, patience=9)
    inputs = small_tasks.train_inputs(small, tiny, path_of("s_nli"), recipe, **capped(3))
    told = []
    trained(
        small,
        tiny,
        tmp_path / "out",
        inputs,
        progress=lambda done, total, _tokens: told.append((done, total)),
    )
    assert told == [(1, 3), (2, 3), (3, 3)]

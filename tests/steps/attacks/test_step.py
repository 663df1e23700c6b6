"""Attacks on a small model: worst cases are data, gradients are those of torch."""

from __future__ import annotations

import pytest
import torch

import small_tasks
from steps.runs import trained
from xstilts.formats import Limits
from xstilts.steps import checkpoint, predict
from xstilts.steps.attacks import step
from xstilts.steps.attacks.goal import margin
from xstilts.steps.attacks.transformation import with_texts
from xstilts.steps.attacks.victim import Victim
from xstilts.steps.batches import evaluation_batches
from xstilts.study import Options

PATH = "s_nli + s_choice | s_xnli, s_choice"


@pytest.fixture(scope="module")
def folder(small, calm, tmp_path_factory):
    options = Options(max_steps=40)
    inputs = small_tasks.train_inputs(small, calm, PATH, options=options)
    return trained(small, calm, tmp_path_factory.mktemp("stage") / "out", inputs)[1]


def jobs(small, calm, search, target):
    options = Options(attack_rows=8)
    plan = small_tasks.plan(small, calm, PATH, attacks=(search,), options=options)
    steps = [plan.steps[one.step] for one in plan.attacks]
    return [one.inputs for one in steps if one.inputs["task"] == target]


def attacked(small, folder, given, **desk):
    desk = small_tasks.desk(small, **desk)
    return [rows for _, rows in step.attack(given, (folder, None), desk)]


def victim(small, folder, target, head):
    encoder, tokenizer = checkpoint.load(folder)
    desk = small_tasks.desk(small)
    task = desk.catalogue.get(target)
    made = predict.head_of(folder, head, task, encoder)
    encoder.eval()
    made.eval()
    return Victim(task, encoder, made, tokenizer, Limits(max_length=64), desk)


@pytest.mark.parametrize("search", ["greedy", "beam", "gradient"])
@pytest.mark.parametrize("target", ["s_xnli", "s_choice"])
def test_worst_cases(small, calm, folder, search, target):
    given = jobs(small, calm, search, target)
    found = attacked(small, folder, given)
    assert [len(rows) for rows in found] == [8] * len(given)
    weaker, labels = 0, small_tasks.desk(small).catalogue.get(target).labels
    for rows in found:
        for row in rows:
            right = row["clean_prediction"] == row["gold"]
            assert (row["before"] != row["after"]) == (row["edits"] > 0)
            assert row["queries"] <= given[0]["attack"]["queries"]
            assert right or (row["edits"], row["queries"]) == (0, 0)
            leads = [
                margin({"gold": row["gold"], "scores": row[name]}, labels)
                for name in ("clean_scores", "scores")
            ]
            assert leads[1] <= leads[0] + 1e-5
            weaker += leads[1] < leads[0] - 1e-5
    assert weaker


def test_what_is_kept_is_what_the_model_answers(small, calm, folder):
    """The edits are played again, from the texts that were kept."""
    given = jobs(small, calm, "greedy", "s_xnli")[:1]
    (rows,) = attacked(small, folder, given)
    model = victim(small, folder, "s_xnli", "s_nli")
    desk = model.desk
    data = desk.catalogue.data("s_xnli", "files")
    by_id = {one.id: one for one in desk.sources.examples(model.task, data, "evaluate", "en")}
    before = [with_texts(by_id[row["id"]], row["before"]) for row in rows]
    assert before == [by_id[row["id"]] for row in rows]
    again = model.rows([with_texts(by_id[row["id"]], row["after"]) for row in rows])
    for one, row in zip(again, rows, strict=True):
        assert one["prediction"] == row["prediction"]
        assert one["scores"] == pytest.approx(row["scores"], abs=1e-4)


def test_an_attack_is_a_function_of_its_inputs(small, calm, folder):
    given = jobs(small, calm, "greedy", "s_xnli")
    one, other = attacked(small, folder, given), attacked(small, folder, given[::-1])[::-1]
    for rows, again in zip(one, other, strict=True):
        assert [row["after"] for row in rows] == [row["after"] for row in again]


def test_worst_cases_carried_to_the_same_model_fall_alike(small, calm, folder, tmp_path):
    given = jobs(small, calm, "greedy", "s_xnli")[:2]
    desk, files = small_tasks.desk(small), []
    found = attacked(small, folder, given)
    for number, rows in enumerate(found):
        out = tmp_path / str(number)
        out.mkdir()
        predict.write(rows, out)
        files.append(out / predict.PREDICTIONS)
    carried = [rows for _, rows in step.transfer(given, (folder, None), files, desk)]
    for rows, again in zip(found, carried, strict=True):
        for name in ("id", "clean_prediction", "prediction", "after", "queries"):
            assert [row[name] for row in rows] == [row[name] for row in again]


@pytest.mark.parametrize(("target", "head"), [("s_xnli", "s_nli"), ("s_choice", "s_choice")])
def test_gradients_are_those_of_the_margin(small, folder, target, head):
    """Against a step of the embeddings along them: the margin grows by the slope's square."""
    model = victim(small, folder, target, head)
    data = model.desk.catalogue.data(target, "files")
    examples = model.desk.sources.examples(model.task, data, "evaluate", "en")[:4]
    rows = model.rows(examples)
    encoded = model.encoded(examples)
    roles = model._roles(rows, encoded)
    for row, unit in zip(rows, range(len(encoded)), strict=True):
        mine = roles[encoded.units[unit] : encoded.units[unit + 1]]
        flat = mine.ravel()[: len(row["scores"])]
        assert sum(flat) == 0
        assert float(flat @ row["scores"]) == pytest.approx(
            margin(row, model.task.labels), abs=1e-5
        )
    layer = model.encoder.backbone.get_input_embeddings()
    for numbers, batch in evaluation_batches(encoded, 10**6):
        slope = torch.from_numpy(model._slopes(batch, roles[numbers]))
        step_length = 1e-3

        def moved(_module, _inputs, output, slope=slope, step_length=step_length):
            return output + step_length * slope.view_as(output)

        def margins(batch=batch, numbers=numbers):
            with torch.no_grad():
                logits = model.head(model.encoder, model.encoder(batch), batch)
            return float((logits * torch.from_numpy(roles[numbers])).sum())

        before = margins()
        hook = layer.register_forward_hook(moved)
        after = margins()
        hook.remove()
        expected = step_length * float((slope**2).sum())
        assert after - before == pytest.approx(expected, rel=0.05)


def test_what_a_gradient_promises_is_first_order(small, folder):
    """One token for another: the difference of their embeddings on the slope there."""
    model = victim(small, folder, "s_xnli", "s_nli")
    data = model.desk.catalogue.data("s_xnli", "files")
    (one,) = model.desk.sources.examples(model.task, data, "evaluate", "en")[:1]
    rows = model.rows([one])
    (gradient,) = model.gradients([one], rows)
    same = model.encoded([one])
    assert gradient.promised(same) == [0.0]
    swapped = model.encoded([one])
    place = 2
    old, new = int(swapped.ids[place]), (int(swapped.ids[place]) + 7) % 100 + 10
    swapped.ids[place] = new
    table = model.encoder.backbone.get_input_embeddings().weight.detach().numpy()
    slope = gradient._slopes[0][place]
    assert gradient.promised(swapped)[0] == pytest.approx(
        float((table[new] - table[old]) @ slope), abs=1e-5
    )

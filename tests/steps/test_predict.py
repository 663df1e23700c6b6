"""Predictions do not depend on company or batches; retrieval ranks as brute force does."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from torch import nn
from transformers import AutoModel, AutoTokenizer

import small_tasks
from steps.runs import trained
from xstilts.errors import UserError
from xstilts.formats.encoded import Builder
from xstilts.steps import forward, predict
from xstilts.study import Options

TARGETS = ("s_xnli", "s_choice", "s_tags", "s_xquad")
HEADS = {"s_xnli": "s_nli", "s_xquad": "s_squad"}


@pytest.fixture(scope="module")
def stage(small, calm, tmp_path_factory):
    """A stage with a head for every format."""
    path = "s_nli + s_choice + s_tags + s_squad | s_xnli"
    inputs = small_tasks.train_inputs(small, calm, path, options=Options(max_steps=30))
    return trained(small, calm, tmp_path_factory.mktemp("stage") / "out", inputs)[1]


def jobs(small, calm, target, **study):
    """The inputs of a target's predict steps, language by language."""
    path = f"{HEADS.get(target, target)} | {target}" if target in TARGETS else target
    steps = small_tasks.plan(small, calm, path, **study).steps.values()
    return [step.inputs for step in steps if step.kind == "predict"]


def predicted(small, stage, given, **desk):
    found = predict.predict(given, (stage, None), small_tasks.desk(small, **desk))
    return {given[number]["language"]: rows for number, rows in found}


def same(one, other):
    """Equal predictions; scores within the difference that another summation order makes."""
    for key in one[0]:
        values = [[row[key] for row in rows] for rows in (one, other)]
        if key in ("scores", "null_odds"):
            for mine, theirs in zip(*values, strict=True):
                assert mine == pytest.approx(theirs, abs=1e-4)
        else:
            assert values[0] == values[1]


@pytest.mark.parametrize("target", TARGETS)
def test_predictions_do_not_depend_on_the_token_budget(small, calm, stage, target):
    given = jobs(small, calm, target)
    found = [predicted(small, stage, given, token_budget=budget) for budget in (1, 70, 10**6)]
    for language, rows in found[0].items():
        assert len(rows) == small_tasks.TEST_ROWS
        same(rows, found[1][language])
        same(rows, found[2][language])
    # The rows differ from each other by more than they may between budgets.
    told = [(str(r["prediction"]), str(np.round(r.get("scores", 0), 2))) for r in rows]
    assert len(set(told)) > small_tasks.TEST_ROWS / 2


@pytest.mark.parametrize("target", ["s_xnli", "s_tags", "s_xquad"])
def test_predictions_do_not_depend_on_the_other_languages(small, calm, stage, target):
    given = jobs(small, calm, target)
    together = predicted(small, stage, given)
    assert list(together) == list(small_tasks.LANGUAGES)
    backwards = predicted(small, stage, given[::-1])
    for job in given:
        same(together[job["language"]], backwards[job["language"]])
        same(together[job["language"]], predicted(small, stage, [job])[job["language"]])


@pytest.mark.parametrize("target", ["s_xnli", "s_tags", "s_xquad"])
def test_a_portion_lands_before_the_next_begins(small, calm, stage, target, monkeypatch):
    given = jobs(small, calm, target)
    whole = predicted(small, stage, given)
    monkeypatch.setattr(predict, "PORTION_TOKENS", 1)
    passes = []
    original = forward.head_outputs
    monkeypatch.setattr(forward, "head_outputs", lambda *a: passes.append(None) or original(*a))
    desk = small_tasks.desk(small)
    for count, (number, rows) in enumerate(predict.predict(given, (stage, None), desk), start=1):
        assert len(passes) == count  # the next language has not been run yet
        same(rows, whole[given[number]["language"]])
    assert len(passes) == len(given)


@pytest.mark.parametrize("broken", [{"ru"}, {"en", "ru"}, {"en", "de", "ru"}])
def test_bad_rows_of_a_language_cost_no_other_its_predictions(small, calm, stage, tmp_path, broken):
    """Whichever is read last, the others come first; the error says language and file."""
    data = small_tasks.write(tmp_path)
    given = jobs(data, calm, "s_tags")
    whole = predicted(data, stage, given)
    for code in broken:
        with (data / f"tags.test.{code}.tsv").open("a", encoding="utf-8") as file:
            file.write("word\tZ\n")
    found, row = {}, small_tasks.TEST_ROWS + 1
    desk = small_tasks.desk(data)
    each = ((given[n]["language"], r) for n, r in predict.predict(given, (stage, None), desk))
    with pytest.raises(UserError) as caught:
        found.update(each)  # as far as they come
    assert found.keys() == whole.keys() - broken
    for code, rows in found.items():
        same(rows, whole[code])
    assert str(caught.value) == "; ".join(
        f's_tags in {code}: {data}/tags.test.{code}.tsv, row {row}: tag "Z" of word 1 is not one '
        "of: A, B, C"
        for code in small_tasks.LANGUAGES
        if code in broken
    )


def test_what_is_wrong_for_several_languages_is_said_once(small, calm, stage, tmp_path):
    data = small_tasks.write(tmp_path)
    given = jobs(data, calm, "s_xnli")
    (data / "nli.test.en.tsv").unlink()  # it names the groups of the others
    with pytest.raises(UserError) as caught:
        predicted(data, stage, given)
    assert str(caught.value) == (
        f"s_xnli in en, de, ru: no file {data}/nli.test.en.tsv: check the source's folder"
    )


def test_rows_carry_id_group_gold_and_are_written(small, calm, stage, tmp_path):
    (english, *_) = jobs(small, calm, "s_xnli", options=Options(max_eval_rows=5))
    rows = predicted(small, stage, [english])["en"]
    number = small_tasks.TRAIN_ROWS * 10
    assert [row["id"] for row in rows] == [f"r{number + i}" for i in range(5)]
    assert [row["group"] for row in rows] == [f"g{(number + i) // 2}" for i in range(5)]
    assert [row["gold"] for row in rows] == [small_tasks.NLI_LABELS[i % 3] for i in range(5)]
    assert all(
        row["prediction"] == small_tasks.NLI_LABELS[int(np.argmax(row["scores"]))] for row in rows
    )
    assert predict.write(rows, tmp_path) == {"rows": 5}
    assert pq.read_table(tmp_path / "predictions.parquet").to_pylist() == rows


def test_progress_is_told(small, calm, stage):
    told = []
    (english, *_) = jobs(small, calm, "s_xnli")
    predicted(small, stage, [english], token_budget=50, progress=lambda *a: told.append(a))
    assert len(told) > 1
    assert [done for done, _, _ in told][-1] == small_tasks.TEST_ROWS
    assert {total for _, total, _ in told} == {small_tasks.TEST_ROWS}
    assert sorted(told) == told


def test_a_head_with_other_labels_is_refused(small, calm, stage):
    (english, *_) = jobs(small, calm, "s_xnli")
    with pytest.raises(UserError, match=r'head of "s_tags" has labels A, B, C; "s_xnli" needs no,'):
        predicted(small, stage, [{**english, "head": "s_tags"}])


def test_bf16_predicts_close_to_fp32(small, calm, stage):
    given = jobs(small, calm, "s_xnli")
    whole = predicted(small, stage, given)
    half = predicted(small, stage, [{**job, "precision": "bf16"} for job in given])
    scores = [np.array([r["scores"] for rows in f.values() for r in rows]) for f in (whole, half)]
    assert 0 < np.abs(scores[0] - scores[1]).max() < 0.1 * np.abs(scores[0]).max()


# --- retrieval ---------------------------------------------------------------------------------


def test_neighbours_equal_brute_force(small, calm):
    """Embeddings by transformers, padded, meaned and compared in numpy, for every layer."""
    (german, *_) = jobs(small, calm, "s_tatoeba")
    rows = predicted(small, calm, [german])["de"]
    network, tok = AutoModel.from_pretrained(calm).eval(), AutoTokenizer.from_pretrained(calm)
    sides = []
    for name in ("bitext-de.txt", "bitext-de.eng"):
        given = tok((small / name).read_text().splitlines(), padding=True, return_tensors="pt")
        with torch.no_grad():
            layers = network(**given, output_hidden_states=True).hidden_states
        real = given["attention_mask"][..., None].numpy()
        means = [(layer.numpy() * real).sum(1) / real.sum(1) for layer in layers]
        sides.append([m / np.linalg.norm(m, axis=1, keepdims=True) for m in means])
    found = defaultdict(list)
    for row in rows:
        found[row["layer"]].append(row["prediction"])
    assert list(found) == [0, 1, 2]
    for layer, (index, queries) in enumerate(zip(*sides, strict=True)):
        similarity = queries @ index.T
        order = np.argsort(-similarity, axis=1, kind="stable")
        ranked = np.take_along_axis(similarity, order, axis=1)
        assert np.diff(ranked, axis=1).max() < -1e-6  # no ties that rounding could turn around
        assert found[layer] == [[str(i) for i in line] for line in order]


class Table(nn.Module):
    """An encoder whose states are looked up: two layers, the second the first one turned."""

    def __init__(self, states):
        super().__init__()
        self.states = torch.tensor(states)

    def layers(self, batch):
        states = self.states[batch.ids]
        return states, states.flip(-1)


def ranked(states, index, queries, desk):
    builder = Builder()
    for number, ids in enumerate([*index, *queries]):
        builder.sequence(list(ids))
        builder.end_unit(number % len(index))
    return forward.neighbours(Table(states), builder.build(0), desk).tolist()


def test_equal_similarities_go_to_the_lower_number(small):
    desk = small_tasks.desk(small)
    states = [[1.0, 0.0], [0.0, 1.0]]
    # Sentences 1 and 3 are the query itself, 0 and 2 are at a right angle to it.
    found = ranked(states, [(1,), (0,), (1,), (0,)], [(0,)] * 4, desk)
    assert found[0] == [[1, 3, 0, 2]] * 4
    assert found[1] == [[1, 3, 0, 2]] * 4


def test_an_embedding_is_the_mean_over_all_tokens_whatever_their_number(small):
    desk = small_tasks.desk(small, token_budget=4)
    states = [[3.0, 0.0], [0.0, 1.0]]
    # Means: (3,0), (1.5,.5), (1,2/3), (0,1). The query (1.5,.5) is at 18.4 degrees from the
    # first axis; the others at 0, 18.4, 33.7 and 90.
    found = ranked(states, [(0,), (0, 1), (0, 1, 1), (1,)], [(1, 0)] * 4, desk)
    assert found[0] == [[1, 2, 0, 3]] * 4


def test_at_most_twenty_neighbours_are_kept(small):
    desk = small_tasks.desk(small)
    states = np.stack([np.cos(np.arange(30) / 30), np.sin(np.arange(30) / 30)], 1).tolist()
    found = ranked(states, [(i,) for i in range(30)], [(i,) for i in range(30)], desk)
    assert {len(line) for layer in found for line in layer} == {20}
    assert [line[0] for line in found[0]] == list(range(30))

"""What sequences keep: which looks a study takes, and that they are what they say."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from pyarrow import parquet
from torch.nn import functional
from transformers import XLMRobertaForMaskedLM

import small_tasks
from xstilts import forgetting
from xstilts.engines.groups import is_intermediate, remaining
from xstilts.engines.local import LocalEngine
from xstilts.formats import Limits, encode
from xstilts.formats.mlm import mask
from xstilts.identity import stream_seed
from xstilts.leakage import pairs
from xstilts.steps import PREDICTIONS, checkpoint, forward
from xstilts.steps.stage import limits
from xstilts.store import Store
from xstilts.tasks import Catalogue

PATHS = ("order(s_nli, s_tags) > s_choice",)


class Silence:
    def __getattr__(self, _name):
        return lambda *_, **__: None


@pytest.fixture(scope="module")
def done(small, tiny, tmp_path_factory):
    """A plan with two orders, and the store in which it was run, weights evicted."""
    plan = small_tasks.plan(
        *(small, tiny, *PATHS), options={"max_eval_rows": 6, "max_steps": 3}, keep="none"
    )
    store = tmp_path_factory.mktemp("store")
    outcome = LocalEngine().run(plan, small_tasks.bench(small, store), Silence())
    assert not outcome.failures
    return plan, Store(store)


def test_looks_after_every_intermediate_stage(done):
    plan, _ = done
    found = {(one.stages, one.task, one.head, one.language) for one in plan.kept.values()}
    first, both = ("s_nli",), ("s_nli", "s_tags")
    assert {(first, "s_nli", 1, "en"), (both, "s_nli", 1, "en"), (both, "s_tags", 2, "en")} < found
    assert {(stages, "s_text", 0, "ru") for stages in ((), first, both, both[::-1])} < found
    # Two orders of two: 2 x (1 + 2) heads; raw text in three languages before and after stages.
    assert len(found) == 6 + 3 * 5
    assert all("s_choice" not in stages for stages, *_ in found)


def test_the_pretrained_encoder_is_looked_at_once_and_counts_at_every_rate(small, tiny):
    found = small_tasks.plan(small, tiny, *PATHS, learning_rates=(1e-4, 1e-3), analyses=("order",))
    before = {}
    for one in found.kept.values():
        if not one.stages:
            before.setdefault(one.model, set()).add(one.score)
    assert len(before) == 2
    assert len({frozenset(scores) for scores in before.values()}) == 1


def test_without_the_analysis_nothing_is_looked_at(small, tiny):
    assert not small_tasks.plan(small, tiny, "s_nli > s_tags > s_choice").kept


def test_looks_make_no_stage_intermediate_and_leak_nothing(small, tiny):
    plan = small_tasks.plan(small, tiny, "s_nli > s_choice", analyses=("order",))
    last = plan.steps[plan.steps[plan.steps[plan.cells[0].score].parent].parent]
    assert not is_intermediate(plan, last)
    compared = {
        (p.seen.task, p.evaluated.task) for p in pairs(plan, Catalogue(small_tasks.tasks(small)))
    }
    assert compared == {("s_nli", "s_choice"), ("s_choice", "s_choice")}


def test_the_head_is_the_earlier_stages_and_the_encoder_the_later_ones(small, tiny, tmp_path):
    plan = small_tasks.plan(
        *(small, tiny, *PATHS), options={"max_eval_rows": 6, "max_steps": 3}, keep="all"
    )
    outcome = LocalEngine().run(plan, small_tasks.bench(small, tmp_path), Silence())
    assert not outcome.failures
    store = Store(tmp_path)
    (kept,) = [
        one for one in plan.kept.values() if one.stages == ("s_nli", "s_tags") and one.head == 1
    ]
    predict = plan.steps[plan.steps[kept.score].parent]
    made = parquet.read_table(store.open(predict.id).path(PREDICTIONS)).to_pylist()
    later, earlier = (
        store.open(i).path("heads.json").parent for i in (predict.parent, *predict.also)
    )
    encoder, pieces = checkpoint.load(later)
    head, _ = checkpoint.load_head(earlier, "s_nli", encoder)
    desk = small_tasks.desk(small)
    task = desk.catalogue.get("s_nli")
    rows = desk.sources.examples(task, task.sources["files"], "select", "en")[:6]
    encoded = encode(task, rows, pieces.backend, Limits(**predict.inputs["limits"]))
    expected = forward.head_outputs(encoder, head, task.format, encoded, desk)
    assert [row["id"] for row in made] == [row.id for row in rows]
    np.testing.assert_allclose([row["scores"] for row in made], expected, atol=1e-5)


def test_weights_that_a_look_needs_are_made_again(done, small):
    plan, store = done
    assert not remaining(plan, store)
    (kept,) = [
        one for one in plan.kept.values() if one.stages == ("s_nli", "s_tags") and one.head == 1
    ]
    predict = plan.steps[plan.steps[kept.score].parent]
    needed = {step.id for step in plan.steps.values() if step.id in (predict.parent, *predict.also)}
    assert len(needed) == 2
    store.discard(predict.id)
    assert {*needed, predict.id} <= {step.id for step in remaining(plan, store)}
    outcome = LocalEngine().run(plan, small_tasks.bench(small, store.root), Silence())
    assert not outcome.failures
    assert not remaining(plan, store)


def test_the_loss_of_raw_text_is_that_of_the_hidden_tokens(small, tiny):
    """Against the whole network, a sequence at a time, on the tokens that were hidden."""
    encoder, pieces = checkpoint.load(tiny)
    network = XLMRobertaForMaskedLM.from_pretrained(tiny).eval()
    desk = small_tasks.desk(small, token_budget=30)
    task = desk.catalogue.get("s_text")
    rows = desk.sources.examples(task, task.sources["files"], "train", "de")[:7]
    item = {"max_length": 64}
    encoded = encode(
        task, rows, pieces.backend, limits(item, {"max_query_length": 8, "doc_stride": 16})
    )
    found = forward.masked_lm(encoder, encoded, pieces, desk)
    for unit in range(len(encoded)):
        ids = encoded.ids[encoded.offsets[unit] : encoded.offsets[unit + 1]]
        seed = stream_seed(forward.MASKED_LM_SEED, unit)
        changed, chosen = mask(ids, pieces.special, pieces.mask_id, seed)
        with torch.no_grad():
            out = network(input_ids=torch.from_numpy(changed.astype(np.int64))[None]).logits[0]
        gold = torch.from_numpy(ids.astype(np.int64))
        expected = functional.cross_entropy(out[chosen], gold[chosen], reduction="sum")
        assert found[unit, 1] == chosen.sum()
        assert found[unit, 0] == pytest.approx(float(expected), abs=1e-3)


def test_looks_are_capped_by_the_options(done):
    plan, _ = done
    caps = {
        plan.steps[plan.steps[one.score].parent].inputs["max_rows"] for one in plan.kept.values()
    }
    assert caps == {6}
    assert forgetting.TEXT_ROWS == 100

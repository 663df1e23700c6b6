"""Probes: what they make of rows, against the same by hand, an example at a time."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import small_tasks
from xstilts import formats
from xstilts.errors import UserError
from xstilts.formats import Limits
from xstilts.model.packing import Batch
from xstilts.steps import checkpoint, probe
from xstilts.steps.batches import collate

LIMITS = {"max_length": 64, "max_query_length": 8, "doc_stride": 16}


def job(task, feature, rows=6):
    return {
        "feature": feature,
        "task": task,
        "source": "files",
        "rows": rows,
        "limits": LIMITS,
        "seed": 1,
    }


def made(small, model, task, feature, **desk):
    spied = small_tasks.desk(small, **desk)
    ((_, arrays, seconds),) = probe.probe([job(task, feature)], (model, None), spied)
    assert seconds > 0
    return arrays


def rows_of(small, task, count=6):
    desk = small_tasks.desk(small)
    found = desk.catalogue.get(task)
    return found, desk.sources.examples(found, found.sources["files"], "train", "en")[:count]


def test_tokens_are_counted_special_ones_apart(small, tiny):
    _, pieces = checkpoint.load(tiny)
    _, rows = rows_of(small, "s_nli")
    expected = np.zeros(len(pieces.special))
    for row in rows:
        for text in (row.text_a, row.text_b):
            for one in pieces.backend.encode(text, add_special_tokens=False).ids:
                expected[one] += 1
    assert made(small, tiny, "s_nli", "vocabulary")["counts"].tolist() == expected.tolist()


def test_texts_are_means_of_last_states(small, tiny):
    encoder, pieces = checkpoint.load(tiny)
    encoder.eval()
    _, rows = rows_of(small, "s_tags")
    expected = []
    for row in rows:
        ids = [
            i
            for word in row.words
            for i in pieces.backend.encode(word, add_special_tokens=False).ids
        ]
        whole = torch.tensor([0, *ids, 2])
        with torch.no_grad():
            states = encoder(Batch(whole, torch.zeros_like(whole), (len(whole),)))
        expected.append(states.mean(0).numpy())
    found = made(small, tiny, "s_tags", "cka", token_budget=40)["states"]
    np.testing.assert_allclose(found, expected, atol=1e-5)
    mean = made(small, tiny, "s_tags", "text_embedding")["mean"]
    np.testing.assert_allclose(mean, np.mean(expected, 0), atol=1e-5)


def test_words_stand_where_they_begin(small, tiny):
    task, rows = rows_of(small, "s_tags")
    found = made(small, tiny, "s_tags", "logme")
    assert len(found["labels"]) == len(found["states"]) == sum(len(row.words) for row in rows)
    assert [task.labels[one] for one in found["labels"]] == [t for row in rows for t in row.tags]


@pytest.mark.parametrize("name", ["s_nli", "s_tags", "s_squad", "s_choice"])
def test_the_fisher_information_is_that_of_one_example_at_a_time(small, tiny, name):
    """Squared gradients by autograd, rows averaged over what they lead to."""
    encoder, pieces = checkpoint.load(tiny)
    desk = small_tasks.desk(small)
    looked = probe._Probe(job(name, "task_embedding"), encoder, pieces, desk)
    model, parameters = looked._ready()
    expected = {key: torch.zeros_like(one) for key, one in parameters.items()}
    task, rows = rows_of(small, name)
    encoded = formats.encode(task, rows, pieces.backend, Limits(**LIMITS))
    for unit in range(len(encoded)):
        micro = collate(task.format, encoded, np.array([unit]), seed=None, tokenizer=pieces)
        loss = model(name, task.format, micro)
        grads = torch.autograd.grad(loss, list(parameters.values()), allow_unused=True)
        for key, grad in zip(parameters, grads, strict=True):
            expected[key] += 0 if grad is None else grad**2 / len(encoded)
    flat = [
        (expected[key].mean(1) if expected[key].dim() > 1 else expected[key]).numpy()
        for key in sorted(expected)
    ]
    np.testing.assert_allclose(looked.fisher(), np.concatenate(flat), rtol=2e-3, atol=1e-9)
    assert not any("embeddings" in key for key in parameters)


def test_the_gradient_does_not_depend_on_the_batch(small, tiny):
    one = made(small, tiny, "s_nli", "gradient", token_budget=30)["gradient"]
    two = made(small, tiny, "s_nli", "gradient", token_budget=4000)["gradient"]
    np.testing.assert_allclose(one, two, atol=1e-5)
    assert np.linalg.norm(one) > 0


def test_formats_that_a_feature_is_not_defined_for_are_refused(small, tiny):
    with pytest.raises(UserError, match="logme is not defined for s_squad, a span task"):
        made(small, tiny, "s_squad", "logme")

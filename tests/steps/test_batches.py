"""Batches: which units a step sees, how they are grouped, and what is packed."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import small_tasks
from xstilts import formats
from xstilts.formats import Limits
from xstilts.formats.encoded import Encoded
from xstilts.formats.tagging import IGNORE
from xstilts.identity import stream_seed
from xstilts.model import tokenizer
from xstilts.model.dropout import row_keys
from xstilts.sources import Sources
from xstilts.steps.batches import (
    EVEN_OVER,
    collate,
    evaluation_batches,
    even_units,
    group_by_budget,
    step_units,
)
from xstilts.tasks import Catalogue

# --- the order of units ------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(units=st.integers(1, 50), size=st.integers(1, 60), epochs=st.integers(1, 4))
def test_every_unit_comes_once_an_epoch(units, size, epochs):
    steps = -(-units * epochs // size)
    order = np.concatenate([step_units(7, units, size, step) for step in range(steps)])
    assert len(order) == steps * size
    for epoch in order[: units * epochs].reshape(epochs, units):
        assert sorted(epoch) == list(range(units))


def test_the_order_is_a_function_of_the_seed_and_changes_every_epoch():
    first = [step_units(1, 40, 40, step).tolist() for step in range(3)]
    assert first == [step_units(1, 40, 40, step).tolist() for step in range(3)]
    others = [step_units(2, 40, 40, 0).tolist(), *first]
    assert len({tuple(one) for one in others}) == 4


def test_a_batch_may_span_epochs():
    values, counts = np.unique(step_units(3, 2, 6, 0), return_counts=True)
    assert (values.tolist(), counts.tolist()) == ([0, 1], [3, 3])


def test_many_tasks_do_not_disturb_each_other():
    expected = step_units(1, 10, 4, 2).tolist()
    for seed in range(100):  # more than are remembered
        step_units(seed, 10, 4, 2)
    assert step_units(1, 10, 4, 2).tolist() == expected


def flat(lengths: list[int]) -> Encoded:
    """Units of one sequence each, of such lengths."""
    ends, units = np.cumsum([0, *lengths]), np.arange(len(lengths) + 1)
    ids = np.zeros(ends[-1], np.int32)
    return Encoded(ids, np.zeros(len(ids), np.int8), ends, units, units[:-1], {})


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 300), min_size=1, max_size=200), st.integers(1, 9))
def test_even_batches_share_out_what_random_ones_would_hold(lengths, size):
    """Every unit of the turn is in one of its batches, and none of them is empty."""
    data = flat(lengths)
    batches = [even_units(3, data, size, step) for step in range(EVEN_OVER)]
    assert all(len(one) for one in batches)
    whole = np.sort(step_units(3, len(lengths), EVEN_OVER * size, 0))
    assert np.sort(np.concatenate(batches)).tolist() == whole.tolist()


def test_even_batches_have_equally_many_tokens_of_about_one_length():
    lengths = np.random.default_rng(1).integers(5, 120, 4000)
    data = flat(lengths.tolist())
    batches = [even_units(3, data, 32, step) for step in range(EVEN_OVER)]
    tokens = [lengths[one].sum() for one in batches]
    assert max(tokens) < 1.1 * min(tokens)
    assert max(lengths[one].max() - lengths[one].min() for one in batches) < 40
    means = [lengths[one].mean() for one in batches]
    assert means != sorted(means)  # in random order
    assert [one.tolist() for one in batches] != [
        even_units(3, data, 32, EVEN_OVER + step).tolist() for step in range(EVEN_OVER)
    ]


# --- groups ------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 30), min_size=1, max_size=40), st.integers(1, 100))
def test_groups_hold_everything_once_within_the_budget_and_sorted(tokens, budget):
    tokens = np.array(tokens)
    groups = group_by_budget(tokens, budget)
    order = np.concatenate(groups)
    assert sorted(order) == list(range(len(tokens)))
    assert (np.diff(tokens[order]) >= 0).all()
    for group in groups:
        assert len(group) == 1 or tokens[group].sum() <= budget
    for group, after in pairwise(groups):  # none could have been larger
        assert tokens[group].sum() + tokens[after[0]] > budget


def test_no_units_make_no_groups():
    assert group_by_budget(np.array([], np.int64), 10) == []


# --- packing -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def loaded(tiny):
    return tokenizer.load(tiny)


def encoded(small, loaded, name, max_length=60):
    catalogue = Catalogue(small_tasks.tasks(small))
    task = catalogue.get(name)
    rows = Sources().examples(task, catalogue.data(name, "files"), "train", "en")
    limits = Limits(max_length, max_query_length=8, doc_stride=8)
    return task, formats.encode(task, rows, loaded.backend, limits)


NAMES = ("s_nli", "s_choice", "s_tags", "s_squad", "s_text")


@pytest.mark.parametrize("name", NAMES)
def test_a_micro_batch_holds_its_units_sequences_in_order_of_length(small, loaded, name):
    task, data = encoded(small, loaded, name)
    units = np.array([5, 0, 11])
    micro = collate(task.format, data, units, seed=4, tokenizer=loaded)
    want = [s for unit in units for s in range(data.units[unit], data.units[unit + 1])]
    lengths = micro.batch.lengths
    assert sorted(data.lengths[want]) == list(lengths)
    assert sum(lengths) == len(micro.batch.ids) == len(micro.batch.types) == len(micro.batch.keys)
    if name != "s_text":
        have = sorted(tuple(one.tolist()) for one in micro.batch.ids.split(list(lengths)))
        whole = [data.ids[data.offsets[s] : data.offsets[s + 1]] for s in want]
        assert have == sorted(tuple(one.tolist()) for one in whole)


def sequences(micro):
    """Each sequence's ids, by which a test finds it again."""
    return [tuple(one.tolist()) for one in micro.batch.ids.split(list(micro.batch.lengths))]


def ids_of(data, sequence):
    return tuple(data.ids[data.offsets[sequence] : data.offsets[sequence + 1]].tolist())


def test_classification_targets_follow_their_sequences(small, loaded):
    task, data = encoded(small, loaded, "s_nli")
    micro = collate(task.format, data, np.arange(12), seed=None, tokenizer=loaded)
    gold = {ids_of(data, unit): int(data.targets["label"][unit]) for unit in range(12)}
    assert [gold[one] for one in sequences(micro)] == micro.targets["label"].tolist()
    assert micro.count() == 12


def test_multiple_choice_targets_name_unit_and_choice(small, loaded):
    task, data = encoded(small, loaded, "s_choice")
    units = np.array([3, 9, 4])
    micro = collate(task.format, data, units, seed=None, tokenizer=loaded)
    unit, choice = micro.targets["unit"].tolist(), micro.targets["choice"].tolist()
    for ids, row, number in zip(sequences(micro), unit, choice, strict=True):
        assert ids == ids_of(data, data.units[units[row]] + number)
    assert micro.targets["label"].tolist() == data.targets["label"][units].tolist()
    assert micro.count() == 3


def test_tagging_targets_lie_at_their_tokens(small, loaded):
    task, data = encoded(small, loaded, "s_tags")
    micro = collate(task.format, data, np.arange(6), seed=None, tokenizer=loaded)
    tags = {
        ids_of(data, s): data.targets["tags"][data.offsets[s] : data.offsets[s + 1]].tolist()
        for s in range(6)
    }
    flat = [tag for one in sequences(micro) for tag in tags[one]]
    assert flat == micro.targets["tags"].tolist()
    assert micro.count() == sum(tag != IGNORE for tag in flat)


def test_span_targets_follow_their_windows(small, loaded):
    task, data = encoded(small, loaded, "s_squad")
    micro = collate(task.format, data, np.arange(8), seed=None, tokenizer=loaded)
    spans = {ids_of(data, s): data.targets["span"][s].tolist() for s in range(8)}
    assert [spans[one] for one in sequences(micro)] == micro.targets["span"].tolist()
    assert micro.count() == 8


def test_hidden_ids_are_what_stood_at_the_places(small, loaded):
    task, data = encoded(small, loaded, "s_text")
    units = np.array([2, 7, 30, 5])
    micro = collate(task.format, data, units, seed=1, tokenizer=loaded)
    places, hidden = micro.targets["places"], micro.targets["hidden_ids"]
    restored = micro.batch.ids.clone()
    restored[places] = hidden
    have = sorted(tuple(one.tolist()) for one in restored.split(list(micro.batch.lengths)))
    assert have == sorted(ids_of(data, unit) for unit in units)
    assert micro.count() == len(hidden) == len(places) > 0
    assert not loaded.special[hidden.numpy()].any()


@pytest.mark.parametrize("name", ["s_nli", "s_choice", "s_text"])
def test_masks_and_keys_of_a_sequence_do_not_depend_on_company(small, loaded, name):
    task, data = encoded(small, loaded, name)

    def parts(units):
        micro = collate(task.format, data, np.array(units), seed=9, tokenizer=loaded)
        keys = micro.batch.keys.split(list(micro.batch.lengths))
        return set(zip(sequences(micro), (tuple(k.tolist()) for k in keys), strict=True))

    together = parts([3, 14, 8, 20])
    assert together == parts([8, 3]) | parts([20]) | parts([14])


def test_keys_are_made_of_the_steps_seed_and_the_sequence(small, loaded):
    task, data = encoded(small, loaded, "s_nli")
    micro = collate(task.format, data, np.array([6]), seed=9, tokenizer=loaded)
    expected = row_keys([stream_seed(9, 6)], micro.batch.lengths)
    assert torch.equal(micro.batch.keys, expected)
    assert collate(task.format, data, np.array([6]), seed=None, tokenizer=loaded).batch.keys is None


def test_a_micro_batch_moves_whole(small, loaded):
    task, data = encoded(small, loaded, "s_nli")
    micro = collate(task.format, data, np.array([6, 7]), seed=9, tokenizer=loaded)
    moved = micro.to(torch.device("meta"))
    tensors = [moved.batch.ids, moved.batch.types, moved.batch.keys, *moved.targets.values()]
    assert {t.device.type for t in tensors} == {"meta"}


# --- evaluation --------------------------------------------------------------------------------


@pytest.mark.parametrize("budget", [1, 40, 10**6])
def test_evaluation_streams_every_sequence_once_longest_first(small, loaded, budget):
    _, data = encoded(small, loaded, "s_choice")
    seen, longest = [], []
    for numbers, batch in evaluation_batches(data, budget):
        assert batch.keys is None
        for number, ids in zip(numbers, batch.ids.split(list(batch.lengths)), strict=True):
            assert tuple(ids.tolist()) == ids_of(data, number)
        assert len(numbers) == 1 or len(batch.ids) <= budget
        seen += numbers.tolist()
        longest.append(max(batch.lengths))
    assert sorted(seen) == list(range(len(data.lengths)))
    assert longest == sorted(longest, reverse=True)

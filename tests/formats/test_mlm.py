"""Masking: how often, what, and as a function of what."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import toy_tokenizers
from xstilts import formats
from xstilts.formats import Limits
from xstilts.formats.examples import Line
from xstilts.formats.mlm import mask
from xstilts.tasks import TASKS

VOCABULARY = 1000
SPECIAL = np.zeros(VOCABULARY, bool)
SPECIAL[[0, 1, 2, 3, 4]] = True
MASK = 4
TOKENS = 100_000
ORDINARY = np.arange(TOKENS, dtype=np.int32) % (VOCABULARY - 5) + 5


def near(share: float, expected: float, n: int) -> bool:
    """Within five standard deviations of a binomial: wrong once in two million."""
    return abs(share - expected) < 5 * (expected * (1 - expected) / n) ** 0.5


def test_encode_cuts_lines_and_leaves_out_what_is_nothing_to_the_tokenizer():
    lines = [Line("a", "a", "10 11 12 13"), Line("b", "b", "-"), Line("c", "c", "14")]
    encoded = formats.encode(TASKS["mlm"], lines, toy_tokenizers.numbers(), Limits(max_length=5))
    assert encoded.ids.tolist() == [0, 10, 11, 12, 2, 0, 14, 2]
    assert encoded.owner.tolist() == [0, 2]
    assert encoded.targets == {}


@pytest.mark.parametrize(("given", "share"), [((), 0.15), ((0.3,), 0.3)])
def test_masking_rates(given, share):
    changed, chosen = mask(ORDINARY, SPECIAL, MASK, 1, *given)
    assert near(chosen.mean(), share, TOKENS)
    masked = changed == MASK
    stayed = chosen & (changed == ORDINARY)
    other = chosen & ~masked & ~stayed
    n = int(chosen.sum())
    assert near(masked.sum() / n, 0.8, n)
    kinds = VOCABULARY - 5  # a random token is now and then the one that stood there
    assert near(stayed.sum() / n, 0.1 + 0.1 / kinds, n)
    assert near(other.sum() / n, 0.1 - 0.1 / kinds, n)


def test_random_tokens_are_ordinary_ones_of_the_whole_vocabulary():
    one_kind = np.full(TOKENS, 5, np.int32)
    changed, chosen = mask(one_kind, SPECIAL, MASK, seed=1)
    drawn = changed[chosen & (changed != MASK) & (changed != 5)]
    assert not SPECIAL[drawn].any()
    # some 1,500 draws from 994 kinds: each misses a kind with probability e^-1.5
    assert near(len(set(drawn.tolist())) / 994, 1 - np.exp(-len(drawn) / 994), 994)
    assert drawn.max() > 900
    assert drawn.min() < 100


@given(
    st.lists(st.integers(0, VOCABULARY - 1), max_size=60),
    st.integers(0, 2**63 - 1),
)
def test_special_tokens_are_never_masked(tokens, seed):
    ids = np.array(tokens, np.int32)
    changed, chosen = mask(ids, SPECIAL, MASK, seed)
    assert not (chosen & SPECIAL[ids]).any()
    assert (changed[~chosen] == ids[~chosen]).all()
    assert chosen.any() == (~SPECIAL[ids]).any()  # one at least, wherever there is one
    assert (changed.dtype, changed.shape) == (np.int32, ids.shape)
    assert ids.tolist() == tokens  # the row itself is left as it was


def test_masks_are_a_function_of_the_seed():
    first, again, other = (mask(ORDINARY[:200], SPECIAL, MASK, seed) for seed in (7, 7, 8))
    assert (first[0] == again[0]).all()
    assert (first[1] == again[1]).all()
    assert (first[1] != other[1]).any()


@pytest.mark.parametrize("place", [1, 2, 3])
def test_the_one_token_that_must_be_chosen_can_be_any(place):
    """In a line of three words, most often no draw is below 15 %; then one is picked evenly."""
    ids = np.array([0, 10, 11, 12, 2], np.int32)
    picked = [mask(ids, SPECIAL, MASK, seed)[1] for seed in range(400)]
    alone = [chosen for chosen in picked if chosen.sum() == 1]
    assert near(sum(chosen[place] for chosen in alone) / len(alone), 1 / 3, len(alone))

"""Keyed dropout is dropout: the right rate, the right scale, no patterns, and replayable."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from xstilts.identity import stream_seed
from xstilts.model import dropout, packing
from xstilts.model.dropout import KeyedDropout, KeyHolder, apply_dropout, install, row_keys


def kept(seeds, length, width, site=0, p=0.1):
    """Which entries stay: bool ``[len(seeds) * length, width]``."""
    keys = row_keys(seeds, [length] * len(seeds))
    return apply_dropout(torch.ones(len(keys), width), keys, site, p) > 0


def correlation(one, other):
    """Of two boolean masks of the same rate, in standard errors of independent masks.

    The product of two independent centred bits of variance v has mean 0 and variance v^2, so over
    n entries the mean product divided by v has standard error 1/sqrt(n).
    """
    rate = (one.double().mean() + other.double().mean()) / 2
    product = (one.double() - rate) * (other.double() - rate)
    return float(product.mean() / (rate * (1 - rate)) * math.sqrt(product.numel()))


# Bounds: a standard normal exceeds 5 once in 1.7 million draws. Nothing here is random between
# runs: a bound once met is met always, unless the hash changes.
FIVE = 5.0


@pytest.mark.parametrize("p", [0.01, 0.1, 0.5, 0.9])
def test_the_rate_is_p(p):
    mask = kept(range(40), 50, 512, p=p)
    error = math.sqrt(p * (1 - p) / mask.numel())  # of a mean of independent bits
    assert abs(float((~mask).double().mean()) - p) < FIVE * error


@pytest.mark.parametrize("p", [0.1, 0.3])
def test_the_rate_is_p_in_every_row_and_every_column(p):
    mask = (~kept(range(32), 32, 1024, p=p)).double()
    for side in (0, 1):
        rates = mask.mean(side)
        error = math.sqrt(p * (1 - p) / mask.shape[side])
        # 2048 means: the largest of so many normal ones exceeds 5 once in 850 hashes.
        assert float((rates - p).abs().max()) < FIVE * error


def test_what_stays_is_scaled_exactly_and_the_rest_is_zero():
    x = torch.randn(300, 64)
    keys = row_keys([3], [300])
    for p in (0.1, 0.25):
        y = apply_dropout(x, keys, 0, p)
        mask = apply_dropout(torch.ones_like(x), keys, 0, p) > 0
        assert torch.equal(y, torch.where(mask, x * torch.tensor(1 / (1 - p)), 0.0))


def test_the_mean_is_kept():
    # E[y] = x, and Var[y] = x^2 p/(1-p).
    y = apply_dropout(torch.ones(2000, 512), row_keys([1], [2000]), 0, 0.1)
    assert abs(float(y.double().mean()) - 1) < FIVE * math.sqrt(0.1 / 0.9 / y.numel())


def test_the_gradient_passes_where_the_value_passed():
    x = torch.randn(20, 16, requires_grad=True)
    y = apply_dropout(x, row_keys([1], [20]), 0, 0.5)
    y.sum().backward()
    assert torch.equal(x.grad, torch.where(y == 0, 0.0, 2.0))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_precision_changes_no_bit_of_the_mask(dtype):
    y = apply_dropout(torch.ones(50, 32, dtype=dtype), row_keys([1], [50]), 2, 0.1)
    assert y.dtype == dtype
    assert torch.equal(y != 0, kept([1], 50, 32, site=2))


# --- a mask is a function of the sequence alone ------------------------------------------------


@settings(max_examples=30, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 12), min_size=2, max_size=6),
    seed=st.integers(0, 2**63 - 1),
    order=st.randoms(use_true_random=False),
)
def test_alone_or_packed_in_any_order_a_sequence_has_the_same_mask(lengths, seed, order):
    seeds = [stream_seed(seed, i) for i in range(len(lengths))]
    places = list(range(len(lengths)))
    order.shuffle(places)
    packed = row_keys([seeds[i] for i in places], [lengths[i] for i in places])
    for place, keys in zip(places, packed.split([lengths[i] for i in places]), strict=True):
        assert torch.equal(keys, row_keys([seeds[place]], [lengths[place]]))


def test_a_longer_sequence_starts_with_the_same_mask():
    assert torch.equal(row_keys([9], [30])[:10], row_keys([9], [10]))


# --- different streams have nothing to do with each other --------------------------------------


def test_seeds_and_steps_and_examples_are_independent():
    base = [stream_seed("run", 1, "step", 0, i) for i in range(20)]
    for other in (
        [stream_seed("run", 2, "step", 0, i) for i in range(20)],
        [stream_seed("run", 1, "step", 1, i) for i in range(20)],
        [stream_seed("run", 1, "step", 0, i + 1) for i in range(20)],
    ):
        assert abs(correlation(kept(base, 32, 256), kept(other, 32, 256))) < FIVE


@pytest.mark.parametrize("change", [1, 1 << 31, 1 << 32, 1 << 62])
def test_every_part_of_a_seed_counts(change):
    one, other = kept([12345], 64, 512), kept([12345 ^ change], 64, 512)
    assert abs(correlation(one, other)) < FIVE


def test_neighbouring_sites_tokens_and_channels_are_independent():
    mask = kept(range(20), 32, 256)
    assert abs(correlation(mask, kept(range(20), 32, 256, site=1))) < FIVE
    assert abs(correlation(mask[1:], mask[:-1])) < FIVE
    assert abs(correlation(mask[:, 1:], mask[:, :-1])) < FIVE
    # The next site is not the same mask moved by a channel or by a token either.
    other = kept(range(20), 32, 256, site=1)
    assert abs(correlation(mask[:, 1:], other[:, :-1])) < FIVE
    assert abs(correlation(mask[1:], other[:-1])) < FIVE


@pytest.mark.parametrize("p", [0.1, 0.5])
def test_all_pairs_of_channels_and_of_tokens_are_independent(p):
    """Not only on average, and no single pair: a weaker hash has pairs that agree or never do.

    Over n rows a pair's correlation has variance 1/n. The mean of its squares, times n, is 1 with
    a standard error of sqrt(2/pairs), 0.2 %. Of half a million normal pairs the largest exceeds
    6.5 standard errors once in 25,000 hashes; skewed bits (p = 0.1) reach a little further.
    """
    mask = kept(range(32), 32, 1024, p=p).double() - (1 - p)
    for centred in (mask, mask.T):
        correlations = centred.T @ centred / (p * (1 - p) * len(centred) ** 0.5)
        pairs = correlations[torch.ones_like(correlations).triu(1).bool()]
        assert abs(float((pairs**2).mean()) - 1) < 0.01
        assert float(pairs.abs().max()) < (6.5 if p == 0.5 else 8)


def test_heads_are_independent():
    keys = row_keys(range(50), [32] * 50).view(50, 1, 32)
    per_head = packing._head_keys(keys, 16)
    assert per_head.shape == (50, 16, 32)
    masks = apply_dropout(torch.ones(50, 16, 32, 32), per_head, 7, 0.1) > 0
    for one in range(16):
        for other in range(one):
            # 120 pairs: the largest exceeds 5 once in 14,000 hashes.
            assert abs(correlation(masks[:, one], masks[:, other])) < FIVE
    assert abs(correlation(masks[:, :, 1:], masks[:, :, :-1])) < FIVE


def test_no_two_sites_share_a_column():
    """Where two sites had the same constant for a channel, they would drop the same tokens there.

    Sites as a large encoder has them: modules from 0, heads from 500,000; 1024 channels.
    """
    cpu = torch.device("cpu")
    sites = [*range(500), 500_000, 500_001]
    columns = torch.cat([dropout.columns(site, 1024, cpu) for site in sites])
    assert len(columns.unique()) == len(columns)  # random constants would meet 31 times


# --- the module --------------------------------------------------------------------------------


def test_in_evaluation_it_is_the_identity_and_needs_no_keys():
    module = KeyedDropout(0.5, 0, KeyHolder()).eval()
    x = torch.randn(3, 4)
    assert module(x) is x
    assert KeyedDropout(0.0, 0, KeyHolder())(x) is x


def test_training_without_keys_is_a_programmers_error():
    with pytest.raises(AssertionError, match="row keys"):
        KeyedDropout(0.5, 0, KeyHolder())(torch.randn(3, 4))


def test_install_replaces_every_dropout_and_numbers_every_module():
    model = nn.Sequential(
        nn.Linear(2, 2), nn.Dropout(0.1), nn.Sequential(nn.Dropout(0.2), nn.Tanh())
    )
    holder = KeyHolder()
    install(model, holder)
    first, second = model[1], model[2][0]
    assert (type(first), type(second)) == (KeyedDropout, KeyedDropout)
    assert (first.p, second.p, first.holder is holder) == (0.1, 0.2, True)
    others = [m.dropout_site for m in model.modules() if not isinstance(m, KeyedDropout)]
    assert len({first.site, second.site, *others}) == 2 + len(others)


def test_install_changes_no_parameter_name():
    model = nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.1))
    before = list(model.state_dict())
    install(model, KeyHolder())
    assert list(model.state_dict()) == before

"""Packed attention is attention within each sequence, whatever else lies in the row."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from xstilts.model import packing
from xstilts.model.dropout import row_keys
from xstilts.model.packing import Batch, attention, runs

HEADS, WIDTH = 3, 8


def states(tokens, seed=0):
    """Query, key and value of a packed row, ``[1, h, T, d]`` each."""
    stream = torch.Generator().manual_seed(seed)
    return [torch.randn(1, HEADS, tokens, WIDTH, generator=stream) for _ in range(3)]


def layer(site=5):
    module = nn.Module()
    module.dropout_site = site
    return module


def by_hand(query, key, value, lengths, window=None, scaling=WIDTH**-0.5):
    """Attention over the whole row with a mask: what belongs to another sequence is forbidden."""
    owner = torch.repeat_interleave(torch.tensor(lengths))
    place = torch.arange(len(owner))
    allowed = owner[:, None] == owner
    if window is not None:
        allowed &= (place[:, None] - place).abs() < window
    scores = (query @ key.transpose(-1, -2)) * scaling
    weights = scores.masked_fill(~allowed, float("-inf")).softmax(-1)
    return (weights @ value).transpose(1, 2)


@settings(max_examples=40, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 9), min_size=1, max_size=7).map(sorted),
    window=st.none() | st.integers(1, 10),
    scaling=st.sampled_from([None, 0.7]),
)
def test_it_equals_masked_attention_over_the_whole_row(lengths, window, scaling):
    q, k, v = states(sum(lengths))
    found, weights = attention(
        layer(), q, k, v, None, lengths=tuple(lengths), sliding_window=window, scaling=scaling
    )
    assert weights is None
    expected = by_hand(q, k, v, lengths, window, WIDTH**-0.5 if scaling is None else scaling)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ("width", "dtype", "taken"),
    [
        (64, torch.bfloat16, True),
        (256, torch.float16, True),
        (64, torch.float32, False),
        (26, torch.bfloat16, False),  # the kernel does not pad, and TinyBERT has so many channels
        (264, torch.bfloat16, False),
    ],
)
def test_what_the_kernel_takes(width, dtype, taken, monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: (9, 0))
    query = SimpleNamespace(is_cuda=True, dtype=dtype, shape=(1, 2, 3, width), device="cuda")
    assert packing._has_kernel(query) is taken


@pytest.mark.parametrize("window", [None, 1, 3])
def test_the_kernel_for_any_lengths_is_asked_for_the_same(window, monkeypatch):
    """There is none on a CPU: this one does, by loops, what its documentation says."""

    def varlen_attn(q, k, v, starts, key_starts, most, key_most, *, scale, window_size):
        assert starts.dtype == key_starts.dtype == torch.int32
        assert most == key_most == (starts[1:] - starts[:-1]).max()
        left, right = window_size
        out = torch.empty_like(q)
        for start, end in zip(starts.tolist(), starts.tolist()[1:], strict=False):
            for token in range(start, end):
                first = start if left < 0 else max(start, token - left)
                last = end if right < 0 else min(end, token + right + 1)
                for head in range(q.shape[1]):
                    scores = k[first:last, head] @ q[token, head]
                    weights = (scores * (WIDTH**-0.5 if scale is None else scale)).softmax(-1)
                    out[token, head] = weights @ v[first:last, head]
        return out

    monkeypatch.setattr(packing, "_has_kernel", lambda _: True)
    monkeypatch.setattr("torch.nn.attention.varlen.varlen_attn", varlen_attn)
    lengths = (1, 4, 4, 9)
    q, k, v = states(sum(lengths))
    found, _ = attention(layer(), q, k, v, None, lengths=lengths, sliding_window=window)
    expected = by_hand(q, k, v, lengths, window)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("window", [None, 3])
def test_with_next_to_no_dropout_training_attends_as_evaluation_does(window):
    lengths = (2, 5, 5, 7)
    q, k, v = states(sum(lengths))
    keys = row_keys([1, 2, 3, 4], lengths)
    found, _ = attention(
        layer(), q, k, v, None, lengths=lengths, keys=keys, dropout=1e-9, sliding_window=window
    )
    torch.testing.assert_close(found, by_hand(q, k, v, lengths, window), atol=1e-5, rtol=1e-5)


def test_dropped_weights_are_the_same_alone_and_packed():
    lengths = (4, 6, 6, 9)
    q, k, v = states(sum(lengths))
    seeds = [11, 12, 13, 14]
    whole, _ = attention(
        layer(), q, k, v, None, lengths=lengths, keys=row_keys(seeds, lengths), dropout=0.3
    )
    start = 0
    for seed, length in zip(seeds, lengths, strict=True):
        part = slice(start, start + length)
        alone, _ = attention(
            *(layer(), q[:, :, part], k[:, :, part], v[:, :, part], None),
            lengths=(length,),
            keys=row_keys([seed], [length]),
            dropout=0.3,
        )
        torch.testing.assert_close(whole[:, part], alone, atol=1e-6, rtol=1e-6)
        start += length


def test_dropout_drops_weights_at_the_rate_and_by_layer():
    # Values of one: the output is the sum of the kept weights over 1-p, which is 1 on average.
    lengths = (40,) * 50
    tokens = sum(lengths)
    q, k = torch.zeros(1, 1, tokens, 4), torch.zeros(1, 1, tokens, 4)
    v, keys = torch.ones(1, 1, tokens, 4), row_keys(range(50), lengths)
    sums = []
    for site in (5, 6):
        out, _ = attention(layer(site), q, k, v, None, lengths=lengths, keys=keys, dropout=0.2)
        sums.append(out[0, :, 0, 0].double())
        # Of 40 equal weights a token keeps Binomial(40, 0.8); scaled, variance p/(1-p)/40.
        error = (0.2 / 0.8 / 40 / tokens) ** 0.5
        assert abs(float(sums[-1].mean()) - 1) < 5 * error
    both = torch.corrcoef(torch.stack(sums))[0, 1]
    assert abs(float(both)) < 5 / tokens**0.5


def test_training_without_keys_is_a_programmers_error():
    with pytest.raises(AssertionError, match="row keys"):
        attention(layer(), *states(4), None, lengths=(4,), dropout=0.1)


def test_runs_of_equal_length():
    assert runs((1, 1, 3, 4, 4, 4)) == [(2, 1), (1, 3), (3, 4)]


def test_a_batch_knows_where_its_sequences_start():
    batch = Batch(torch.arange(6), torch.zeros(6, dtype=torch.long), (1, 2, 3))
    assert batch.starts.tolist() == [0, 1, 3]
    assert batch.positions(0).tolist() == [0, 0, 1, 0, 1, 2]
    assert batch.positions(2).tolist() == [2, 2, 3, 2, 3, 4]
    moved = batch.to(torch.device("cpu"))
    assert (moved.lengths, moved.keys) == (batch.lengths, None)


def test_the_name_is_registered_with_transformers():
    from transformers import AttentionInterface

    assert AttentionInterface()[packing.NAME] is attention

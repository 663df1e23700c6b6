"""Heads and losses equal the formulas on padded tensors, and torch's own losses."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.nn import functional

from xstilts.model import heads
from xstilts.model.dropout import KeyHolder, row_keys
from xstilts.model.packing import Batch

HIDDEN = 12
LENGTHS = (2, 3, 3, 5)
TOKENS, SEQUENCES = sum(LENGTHS), len(LENGTHS)


class Encoder(nn.Module):
    """What heads ask of an encoder: a configuration, a key holder and a pooler."""

    def __init__(self, pooler=False, **config):
        super().__init__()
        whole = {"hidden_size": HIDDEN, "hidden_dropout_prob": 0.1, "initializer_range": 0.02}
        self.config = type("Config", (), whole | config)
        self.holder = KeyHolder()
        self.pooler = nn.Linear(HIDDEN, HIDDEN) if pooler else None
        self.pools_mean = False

    def pooled(self, states):
        return states if self.pooler is None else torch.tanh(self.pooler(states))


def batch(keys=False):
    types = ids = torch.zeros(TOKENS, dtype=torch.long)
    return Batch(ids, types, LENGTHS, row_keys(range(SEQUENCES), LENGTHS) if keys else None)


def states(seed=0):
    return torch.randn(TOKENS, HIDDEN, generator=torch.Generator().manual_seed(seed))


def padded(flat, value=0.0):
    """``[T, ...]`` as ``[n, longest, ...]``."""
    return nn.utils.rnn.pad_sequence(flat.split(LENGTHS), batch_first=True, padding_value=value)


# --- shapes, numbers, starts -------------------------------------------------------------------


@pytest.mark.parametrize("pooler", [False, True])
@pytest.mark.parametrize(("format_", "outputs"), [("classification", 4), ("multiple_choice", 1)])
def test_a_pooled_head_is_dense_tanh_out_of_the_first_token(format_, outputs, pooler):
    encoder = Encoder(pooler=pooler)
    head = heads.build(format_, 4, encoder).eval()
    given = states()
    first = padded(given)[:, 0]
    if pooler:
        first = torch.tanh(first @ encoder.pooler.weight.T + encoder.pooler.bias)
    hidden = torch.tanh(first @ head.dense.weight.T + head.dense.bias)
    expected = hidden @ head.out.weight.T + head.out.bias
    assert expected.shape == (SEQUENCES, outputs)
    torch.testing.assert_close(head(encoder, given, batch()), expected)


def test_where_no_token_stands_for_a_text_its_mean_does():
    encoder = Encoder()
    encoder.pools_mean = True
    mean = torch.stack([one.mean(0) for one in states().split(LENGTHS)])
    head = heads.build("classification", 4, encoder).eval()
    expected = torch.tanh(mean @ head.dense.weight.T) @ head.out.weight.T
    torch.testing.assert_close(head(encoder, states(), batch()), expected)
    vectors = heads.build("retrieval", 0, encoder)(encoder, states(), batch())
    torch.testing.assert_close(vectors, 10 * functional.normalize(mean, dim=-1))


@pytest.mark.parametrize(("format_", "outputs"), [("tagging", 4), ("span", 2)])
def test_a_tokenwise_head_is_one_layer(format_, outputs):
    encoder = Encoder()
    head = heads.build(format_, 4, encoder).eval()
    expected = states() @ head.out.weight.T + head.out.bias
    assert expected.shape == (TOKENS, outputs)
    torch.testing.assert_close(head(encoder, states(), batch()), expected)


def test_raw_text_has_no_head():
    assert heads.build("mlm", 0, Encoder()) is None


def test_a_dual_encoder_gives_vectors_whose_products_are_scaled_cosines():
    head = heads.build("retrieval", 0, Encoder())
    assert [p.shape for p in head.parameters()] == [(1,)]
    found = head(Encoder(), states(), batch())
    first = functional.normalize(Encoder().pooled(states()[batch().starts]), dim=-1)
    torch.testing.assert_close(found @ found.T, 100 * first @ first.T)  # XTREME-R's first scale


def test_in_batch_softmax_by_hand():
    """Two queries (1,0) and (0,1); answers (2,0) and (1,1); sequences in any order.

    Products: the first query with both answers 2 and 1, the second with both 0 and 1. So
    losses are log(1 + e^-1) twice.
    """
    vectors = torch.tensor([[1.0, 1.0], [1.0, 0.0], [2.0, 0.0], [0.0, 1.0]])
    targets = {
        "unit": torch.tensor([1, 0, 0, 1]),
        "choice": torch.tensor([1, 0, 1, 0]),
        "label": torch.arange(2),
    }
    loss = heads.loss_sum("retrieval", vectors, batch(), targets)
    assert float(loss) == pytest.approx(2 * math.log(1 + math.exp(-1)))


def test_a_new_head_has_the_encoders_initialisation_and_zero_biases():
    torch.manual_seed(1)
    head = heads.build("classification", 3, Encoder(hidden_size=200, initializer_range=0.05))
    assert not any(p.any() for n, p in head.named_parameters() if n.endswith("bias"))
    # 40,000 draws: the standard deviation of their standard deviation is 0.05/sqrt(80,000).
    assert abs(float(head.dense.weight.detach().std()) - 0.05) < 5 * 0.05 / 80_000**0.5


@pytest.mark.parametrize(
    ("config", "expected"),
    [({}, 0.1), ({"classifier_dropout": 0.3}, 0.3), ({"classifier_dropout": None}, 0.1)],
)
def test_dropout_is_the_encoders_or_the_classifiers(config, expected):
    head = heads.build("classification", 3, Encoder(**config))
    assert (head.dropout_in.p, head.dropout_out.p) == (expected, expected)
    assert head.dropout_in.site != head.dropout_out.site
    assert heads.build("tagging", 3, Encoder(**config)).dropout.p == expected
    assert heads.build("span", 3, Encoder(**config)).dropout.p == 0.0


@pytest.mark.parametrize("format_", ["classification", "tagging"])
def test_in_training_a_head_drops_by_sequence(format_):
    encoder = Encoder()
    head = heads.build(format_, 3, encoder).train()
    whole = head(encoder, states(), batch(keys=True))
    assert not torch.allclose(whole, head.eval()(encoder, states(), batch()))
    head.train()
    start = 0
    for row, length in enumerate(LENGTHS):
        one = Batch(*[torch.zeros(length).long()] * 2, (length,), row_keys([row], [length]))
        alone = head(encoder, states()[start : start + length], one)
        part = slice(row, row + 1) if format_ == "classification" else slice(start, start + length)
        torch.testing.assert_close(whole[part], alone)
        start += length


# --- losses ------------------------------------------------------------------------------------


def logits(*shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(3), requires_grad=True)


def equal_with_gradient(loss, expected, given):
    """Value and gradient with respect to the logits."""
    torch.testing.assert_close(loss, expected)
    gradients = [torch.autograd.grad(one, given, retain_graph=True)[0] for one in (loss, expected)]
    torch.testing.assert_close(*gradients)


def test_classification_loss():
    given, label = logits(SEQUENCES, 3), torch.tensor([0, 2, 1, 1])
    # minus log softmax of the gold class, written out
    expected = sum(
        given[row].exp().sum().log() - given[row, gold] for row, gold in enumerate(label.tolist())
    )
    equal_with_gradient(
        heads.loss_sum("classification", given, batch(), {"label": label}), expected, given
    )


def test_multiple_choice_loss_with_choices_in_any_order_and_number():
    # Two questions, of three choices and of one; packed in the order of their lengths.
    unit, choice = torch.tensor([0, 1, 0, 0]), torch.tensor([2, 0, 0, 1])
    label = torch.tensor([1, 0])
    given = logits(SEQUENCES, 1)
    scores = torch.stack([given[2, 0], given[3, 0], given[0, 0]])  # of question 0, in order
    expected = functional.cross_entropy(scores[None], label[:1])  # and question 1 is certain: 0
    targets = {"label": label, "unit": unit, "choice": choice}
    equal_with_gradient(heads.loss_sum("multiple_choice", given, batch(), targets), expected, given)


def test_tagging_loss_counts_first_sub_tokens_only():
    tags = torch.full((TOKENS,), -100)
    tags[[1, 3, 6, 9, 10]] = torch.tensor([0, 1, 2, 2, 0])
    given = logits(TOKENS, 3)
    table, gold = padded(given), padded(tags, -100)
    expected = functional.cross_entropy(
        table.flatten(0, 1), gold.flatten(), ignore_index=-100, reduction="sum"
    )
    equal_with_gradient(heads.loss_sum("tagging", given, batch(), {"tags": tags}), expected, given)


def test_span_loss_is_the_mean_of_start_and_end():
    span = torch.tensor([[0, 0], [1, 2], [0, 1], [3, 4]])
    given = logits(TOKENS, 2)
    table = padded(given, float("-inf"))  # a place beyond the sequence cannot be chosen
    start = functional.cross_entropy(table[..., 0], span[:, 0], reduction="sum")
    end = functional.cross_entropy(table[..., 1], span[:, 1], reduction="sum")
    equal_with_gradient(
        heads.loss_sum("span", given, batch(), {"span": span}), (start + end) / 2, given
    )


def test_mlm_loss():
    given, hidden = logits(5, 20), torch.tensor([3, 19, 0, 7, 7])
    expected = functional.cross_entropy(given, hidden, reduction="sum")
    targets = {"hidden_ids": hidden, "places": torch.arange(5)}
    equal_with_gradient(heads.loss_sum("mlm", given, batch(), targets), expected, given)


def test_losses_are_computed_in_full_precision():
    given = logits(SEQUENCES, 3).detach().bfloat16()
    label = torch.tensor([0, 2, 1, 1])
    loss = heads.loss_sum("classification", given, batch(), {"label": label})
    assert loss.dtype == torch.float32
    torch.testing.assert_close(
        loss, functional.cross_entropy(given.float(), label, reduction="sum")
    )


def test_other_formats_have_no_loss():
    with pytest.raises(AssertionError, match="other"):
        heads.loss_sum("other", torch.zeros(1, 1), batch(), {})

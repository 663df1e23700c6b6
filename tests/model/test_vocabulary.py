"""Embeddings cut and made whole again; what training makes of them is tested in steps."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from transformers import XLMRobertaConfig, XLMRobertaForMaskedLM

from xstilts.model import vocabulary
from xstilts.model.encoder import Encoder
from xstilts.model.packing import Batch


@pytest.fixture
def encoder():
    torch.manual_seed(0)
    config = XLMRobertaConfig(
        vocab_size=50,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=40,
        type_vocab_size=1,
    )
    return Encoder(XLMRobertaForMaskedLM(config)).eval()


def test_what_is_seen(monkeypatch):
    monkeypatch.setattr(vocabulary, "CHUNK", 2)
    found = vocabulary.seen([np.array([3, 1, 3], np.int32), np.array([5], np.int32)], 7)
    assert np.flatnonzero(found).tolist() == [1, 3, 5]


def test_a_cut_encoder_gives_the_same_and_is_mended(encoder):
    ids = torch.tensor([7, 49, 7, 20, 1])
    batch = Batch(ids, torch.zeros(5, dtype=torch.long), (2, 3))
    network, before = encoder.network, encoder.network.state_dict()
    before = {name: tensor.clone() for name, tensor in before.items()}
    with torch.no_grad():
        expected = encoder(batch)
        cut = vocabulary.Cut(encoder, vocabulary.seen([ids.numpy()], 50))
        assert cut.kept.tolist() == [1, 7, 20, 49]
        assert torch.equal(encoder(batch), expected)
        table = encoder.backbone.get_input_embeddings()
        assert table.weight.shape == (4, 16)
        assert network.lm_head.decoder.weight is table.weight
        table.weight[1] += 1  # token 7 is trained
    cut.mend(0.5)
    after = network.state_dict()
    name = "roberta.embeddings.word_embeddings.weight"
    assert network.lm_head.decoder.weight is table.weight
    assert (table.padding_idx, encoder.rows) == (1, None)
    wanted = before[name] * 0.5
    wanted[[1, 20, 49]] = before[name][[1, 20, 49]]
    wanted[7] = before[name][7] + 1
    assert torch.equal(after[name], wanted)
    others = [key for key in before if key not in (name, "lm_head.decoder.weight")]
    assert all(torch.equal(before[key], after[key]) for key in others)

"""Compiled blocks compute what blocks do, and few programs serve all layers and lengths."""

from __future__ import annotations

import copy
from functools import partial, partialmethod

import pytest
import torch
from torch import nn
from transformers import (
    BertConfig,
    BertModel,
    ModernBertConfig,
    ModernBertModel,
    T5Config,
    T5EncoderModel,
)

from xstilts.model.compiled import compile_blocks
from xstilts.model.dropout import row_keys
from xstilts.model.encoder import Encoder
from xstilts.model.packing import Batch
from xstilts.steps.team import layers

CPU = torch.device("cpu")
SMALL = {
    "vocab_size": 40,
    "hidden_size": 16,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": 64,
    "pad_token_id": 0,
}


def bert():
    return BertModel(BertConfig(num_hidden_layers=3, **SMALL), add_pooling_layer=False)


def modern_bert(mlp_dropout=0.0):
    more = {"num_hidden_layers": 3, "mlp_dropout": mlp_dropout, "embedding_dropout": 0.1}
    return ModernBertModel(ModernBertConfig(**more, **SMALL))


@pytest.fixture
def programs(monkeypatch):
    """Programs as PyTorch captures them, run without a C compiler; how many there are."""
    torch._dynamo.reset()
    found = []

    def backend(graph, _):
        found.append(graph)
        return graph.forward

    monkeypatch.setattr(nn.Module, "compile", partialmethod(nn.Module.compile, backend=backend))
    yield found
    torch._dynamo.reset()


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor")  # PyTorch looks at it
@pytest.mark.parametrize(("network", "blocks"), [(bert, 6), (modern_bert, 3)])
def test_states_and_gradients_are_the_same(network, blocks, programs):
    plain = Encoder(network())
    encoder = copy.deepcopy(plain)
    assert compile_blocks(layers(encoder.network), CPU) == blocks
    assert encoder.state_dict().keys() == plain.state_dict().keys()
    for lengths in ((3, 5), (2, 4, 9), (7,)):
        ids = torch.arange(sum(lengths)) % 30 + 5
        keys = row_keys(range(len(lengths)), lengths)
        batch = Batch(ids, torch.zeros_like(ids), lengths, keys)
        places = torch.tensor([0, lengths[0]][: len(lengths)])
        for one in (plain, encoder):
            one.train()
            one.zero_grad()
            one(batch).square().sum().backward()
        assert torch.allclose(plain(batch, places), encoder(batch, places), atol=1e-5)
        for (name, old), new in zip(plain.named_parameters(), encoder.parameters(), strict=True):
            assert torch.allclose(old.grad, new.grad, atol=1e-4), name
        with torch.inference_mode():
            assert torch.allclose(plain.eval()(batch), encoder.eval()(batch), atol=1e-5)
    # Two blocks, training and not: not one a layer, a dropout site or a length.
    assert 0 < len(programs) <= 6


def t5():
    config = T5Config(vocab_size=40, d_model=16, d_kv=8, d_ff=32, num_layers=2, num_heads=2)
    return T5EncoderModel(config)


@pytest.mark.parametrize("network", [partial(modern_bert, 0.1), t5], ids=["between", "in a list"])
def test_what_drops_between_matrices_or_holds_attention_is_left_alone(network):
    assert compile_blocks(layers(Encoder(network()).network), CPU) == 0

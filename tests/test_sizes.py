"""Shapes: parameters against transformers and published counts, FLOPs by hand."""

from __future__ import annotations

import json

import pytest
import torch
from transformers import (
    BertConfig,
    BertModel,
    MT5Config,
    MT5EncoderModel,
    MT5ForConditionalGeneration,
    XLMRobertaConfig,
    XLMRobertaModel,
    XLMRobertaXLConfig,
    XLMRobertaXLModel,
)

from xstilts import models
from xstilts.sizes import ARCHITECTURES, PUBLISHED, Architecture, known, of_config
from xstilts.steps import checkpoint


def built(config, model, **options):
    with torch.device("meta"):
        return sum(one.numel() for one in model(config, **options).parameters())


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_parameters_are_those_of_the_model_that_transformers_builds(name):
    ours = ARCHITECTURES[name]
    sizes = {
        "vocab_size": ours.vocabulary,
        "hidden_size": ours.hidden,
        "num_hidden_layers": ours.layers,
        "num_attention_heads": ours.heads,
        "intermediate_size": ours.feed_forward,
        "max_position_embeddings": ours.positions,
        "type_vocab_size": ours.segments,
    }
    plain = {"add_pooling_layer": False}
    if name.startswith("mt5"):
        config = MT5Config(
            vocab_size=ours.vocabulary,
            d_model=ours.hidden,
            num_layers=ours.layers,
            num_heads=ours.heads,
            d_ff=ours.feed_forward,
            d_kv=64,
        )
        theirs = built(config, MT5EncoderModel)
        # Its checkpoints' output matrix is not the embeddings, which transformers ties here.
        whole = built(config, MT5ForConditionalGeneration) + ours.vocabulary * ours.hidden
        assert ours.whole_parameters == whole
    elif name.startswith("bert"):
        config = BertConfig(**sizes)
        theirs = built(config, BertModel, **plain)
    elif name.endswith("xl"):
        config = XLMRobertaXLConfig(**sizes)
        theirs = built(config, XLMRobertaXLModel, **plain)
    else:
        config = XLMRobertaConfig(**sizes)
        theirs = built(config, XLMRobertaModel, **plain)
    assert ours.encoder_parameters == theirs
    assert of_config(config.to_dict()) == ours


@pytest.mark.parametrize(
    ("name", "published"),
    [
        ("mt5-small", 300_176_768),
        ("mt5-base", 582_401_280),
        ("mt5-large", 1_229_581_312),
        ("mt5-xl", 3_742_619_648),
        ("mt5-xxl", 12_921_057_280),
    ],
)
def test_whole_models_have_as_many_parameters_as_published(name, published):
    """Xue et al. 2021: 300M, 580M, 1.2B, 3.7B and 13B; to the digit as in the checkpoints."""
    whole = ARCHITECTURES[name].whole_parameters
    assert whole == published
    said = PUBLISHED[name]
    unit = {"M": 1e6, "B": 1e9}[said[-1]]
    assert float(said[:-1]) == pytest.approx(whole / unit, rel=0.03)


def test_a_folder_has_the_shape_of_its_config(tiny):
    found = of_config(json.loads((tiny / "config.json").read_text()))
    encoder, _ = checkpoint.load(tiny)
    backbone = sum(one.numel() for one in encoder.backbone.parameters())
    assert found.encoder_parameters == backbone
    assert all(
        of_config(json.loads((models.SHIPPED / name / "config.json").read_text()))
        for name in models.shipped()
    )
    assert of_config({"model_type": "perceiver"}) is None


def test_names_are_known_with_their_owner_and_without():
    large = known("xlm-roberta-large")
    assert large is known("FacebookAI/xlm-roberta-large")
    assert large.layers == 24
    assert known("somebody/else") is None


TOY = Architecture(vocabulary=10, hidden=4, layers=2, heads=2, feed_forward=8, positions=6)


def test_flops_by_hand():
    # A layer: four 4 x 4 products and two of 4 x 8, 128 parameters, 256 FLOPs a token; attention
    # over 5 tokens: 2 x (5 x 4) for the scores, as much for their use.
    assert TOY.layer_products == 128
    assert TOY.forward_flops(5) == 2 * (256 + 80)
    assert TOY.training_flops(5) == 3 * 2 * (256 + 80)

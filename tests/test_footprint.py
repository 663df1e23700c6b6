"""Memory of training: the table against modules that are counted, sums by hand, LoRA by peft."""

from __future__ import annotations

from collections import Counter

import pytest
import torch
from transformers import MT5Config, MT5EncoderModel, XLMRobertaConfig, XLMRobertaForMaskedLM

from xstilts import footprint, sizes
from xstilts.footprint import KEPT, Kept
from xstilts.model import adapters, packing
from xstilts.model.encoder import Encoder

LORA = {"rank": 4, "alpha": 8.0, "targets": ["query", "value"]}
COUNT, LENGTH, HEADS = 5, 40, 3
TOKENS, INNER = COUNT * LENGTH, 64 * HEADS
WIDTHS = {"bert": (INNER, 800), "t5": (160, 416)}  # hidden, feed-forward: all sizes differ


def made(kind, layers, dropout, lora):
    """A small encoder, its shape and a run of it."""
    hidden, wide = WIDTHS[kind]
    ids = torch.arange(TOKENS) % 90 + 5
    torch.manual_seed(0)
    if kind == "bert":
        config = XLMRobertaConfig(
            vocab_size=100,
            hidden_size=hidden,
            num_hidden_layers=layers,
            num_attention_heads=HEADS,
            intermediate_size=wide,
            max_position_embeddings=60,
            type_vocab_size=1,
            pad_token_id=1,
            hidden_dropout_prob=dropout,
            attention_probs_dropout_prob=dropout,
        )
        model = Encoder(XLMRobertaForMaskedLM(config))
        assert model.packed
        if lora:
            adapters.add(model, LORA, seed=0)
        keys = torch.arange(TOKENS) if dropout else None
        batch = packing.Batch(ids, torch.zeros_like(ids), (LENGTH,) * COUNT, keys)
        return model.train(), sizes.of_config(config.to_dict()), lambda: model(batch)
    config = MT5Config(
        vocab_size=100,
        d_model=hidden,
        d_ff=wide,
        num_layers=layers,
        num_heads=HEADS,
        d_kv=64,
        dropout_rate=dropout,
    )
    network = MT5EncoderModel(config)
    if lora:
        from peft import LoraConfig, inject_adapter_in_model

        inject_adapter_in_model(LoraConfig(r=4, lora_alpha=8, target_modules=["q", "v"]), network)
    rows = {"input_ids": ids.view(COUNT, LENGTH)}
    rows["attention_mask"] = torch.ones_like(rows["input_ids"])
    return network.train(), sizes.of_config(config.to_dict()), lambda: network(**rows)


def kept_of(model, run, precision):
    """What autograd keeps for backward beside the parameters: (numbers, dtype) of each storage."""
    tensors = [*model.parameters(), *model.buffers()]
    own = {one.untyped_storage().data_ptr() for one in tensors}
    seen = {}

    def keep(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            seen[storage.data_ptr()] = (storage.nbytes() // tensor.itemsize, tensor.dtype)
        return tensor

    casts = torch.autocast("cpu", dtype=torch.bfloat16, enabled=precision == "bf16")
    with casts, torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        held = run()
    assert held is not None
    return list(seen.values())


def counted(kind, precision, dropout, lora, layers):
    model, _, run = made(kind, layers, 0.1 * dropout, lora)
    hidden, wide = WIDTHS[kind]
    pairs = COUNT * HEADS * LENGTH * LENGTH
    names = {TOKENS * wide: "feed_forward", pairs: "pairs"}
    names |= {TOKENS * INNER: "inner", TOKENS * hidden: "hidden"}
    found = Counter()
    for numbers, dtype in kept_of(model, run, precision):
        if numbers in names:
            fp32 = precision == "bf16" and dtype == torch.float32
            found[names[numbers] + "_32" * fp32] += 1
    return found


@pytest.mark.parametrize("place", KEPT, ids=lambda place: "-".join(map(str, place)))
def test_the_table_is_what_modules_keep(place):
    """Of four layers less that of two, as what stands beside the layers is not in it."""
    if place[3]:
        pytest.importorskip("peft")
    two, four = (counted(*place, layers) for layers in (2, 4))
    found = {name: (four[name] - two[name]) / 2 for name in four if four[name] > two[name]}
    assert Kept(**{"feed_forward": 0, "hidden": 0, **found}) == KEPT[place]


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("lora", [False, True])
@pytest.mark.parametrize("kind", ["bert", "t5"])
def test_the_sum_is_near_what_a_step_holds(kind, lora, precision):
    """State, casts and activations of eight layers, all counted, within 15 %."""
    if lora:
        pytest.importorskip("peft")
    model, shape, run = made(kind, 8, 0.1, lora)
    held = sum(n * dtype.itemsize for n, dtype in kept_of(model, run, precision))
    every = list((model.backbone if kind == "bert" else model).parameters())
    trained = sum(one.numel() for one in every if one.requires_grad)
    frozen = sum(one.numel() for one in every if not one.requires_grad)
    if lora:
        assert trained == footprint.adapter_parameters(shape, 4)
        assert frozen == shape.encoder_parameters
    held += 16 * trained + 4 * frozen  # AdamW's moments are two more of every trained one
    found = footprint.of(shape, TOKENS, LENGTH, precision, rank=4 * lora)
    assert 0.95 < found.total / held < 1.15


TOY = sizes.Architecture(vocabulary=10, hidden=4, layers=2, heads=2, feed_forward=8, positions=6)


def test_activations_by_hand():
    # fp32 with dropout: 2 x 8 and 10 x 4 numbers and 3 x 2 heads x 5, of three layers (one works).
    assert footprint.activation_bytes(TOY, 5) == 3 * 4 * (16 + 40 + 30)
    # bf16: as many of two bytes, and two hidden ones of four.
    assert footprint.activation_bytes(TOY, 5, "bf16") == 3 * (2 * 86 + 4 * 8)


def test_shards_take_a_share_of_the_state_and_hold_some_whole():
    one, four = (footprint.of(TOY, 100, 5, cards=cards) for cards in (1, 4))
    assert one.state == 16 * TOY.encoder_parameters
    assert one.gathered == one.casts == 0
    assert four.state == one.state / 4
    # The embeddings (16 rows of 4) and two layers of 128 products, with their gradients.
    assert four.gathered == 8 * (64 + 2 * 128)
    assert four.activations == one.activations
    assert one.total == one.state + 100 * footprint.activation_bytes(TOY, 5)
    assert footprint.of(TOY, 100, 5, "bf16").casts == 2 * 2 * 128


def test_adapters_by_hand():
    assert footprint.adapter_parameters(TOY, 3) == 2 * 2 * (3 * 4 + 4 * 3)  # layers, q and v, A, B
    found = footprint.of(TOY, 0, 5, rank=3)
    assert found.state == 4 * TOY.encoder_parameters + 16 * 96

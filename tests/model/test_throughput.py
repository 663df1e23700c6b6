"""The arithmetic of a model, counted by hand."""

from __future__ import annotations

import torch
from transformers import XLMRobertaConfig, XLMRobertaForMaskedLM

from xstilts.model import throughput
from xstilts.model.memory import keep_freed_memory


def network():
    return XLMRobertaForMaskedLM(
        XLMRobertaConfig(
            vocab_size=50,
            hidden_size=8,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=32,
            max_position_embeddings=20,
        )
    )


def test_operations_are_six_a_weight_and_token_and_attention_by_the_square():
    work = throughput.Work.of(network())
    # A layer: query, key, value, output 8 x 8 each, 8 x 32 up and 32 x 8 down.
    weights = 2 * (4 * 64 + 2 * 256)
    assert (work.weights, work.head) == (weights, 50 * 8)
    assert work.of_sequences([3, 5]) == 6 * weights * 8 + 12 * 2 * 8 * (9 + 25)
    assert work.of_logits(4) == 6 * 400 * 4


def test_the_count_agrees_with_that_of_torch():
    """torch counts what it multiplies: the layers, attention and the head's two matrices."""
    from torch.utils.flop_counter import FlopCounterMode

    model, work = network(), throughput.Work.of(network())
    model.set_attn_implementation("eager")
    with FlopCounterMode(display=False) as counter:
        model(input_ids=torch.arange(6)[None]).logits.sum().backward()
    transform = 6 * 8 * 8 * 6  # the head's dense layer, which the formula leaves out
    ours = work.of_sequences([6]) + work.of_logits(6) + transform
    assert counter.get_total_flops() == ours


def test_the_peak_is_a_rate():
    assert throughput.peak_flops_per_s(torch.device("cpu"), torch.float32) > 1e8


def test_keeping_memory_can_be_asked_for_twice():
    keep_freed_memory()
    keep_freed_memory()
    assert torch.ones(1000, 1000).sum() == 1e6

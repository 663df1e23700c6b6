"""Optimisers against PyTorch's own."""

from __future__ import annotations

import torch
from torch import nn

from xstilts.steps import optimizers

OPTIONS = {"learning_rate": 0.05, "weight_decay": 0.1, "optimizer": "adafactor"}


def trained(sharded):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(7, 5), nn.LayerNorm(5), nn.Linear(5, 3))
    optimizer = optimizers.build(model, OPTIONS, sharded=sharded)
    for _ in range(5):
        model(torch.randn(6, 7)).pow(2).mean().backward()
        optimizer.step()
        optimizer.zero_grad()
    return model.state_dict(), [*optimizer.state.values()]


def test_adafactor_for_shards_is_pytorchs_where_there_are_none():
    """To the bit; tests/engines/test_spread.py has it on shards."""
    (ours, states), (theirs, expected) = trained(sharded=True), trained(sharded=False)
    for name, parameter in theirs.items():
        assert torch.equal(ours[name], parameter), name
    for mine, other in zip(states, expected, strict=True):
        assert mine.keys() == other.keys()
        assert all(torch.equal(mine[key], other[key]) for key in mine)

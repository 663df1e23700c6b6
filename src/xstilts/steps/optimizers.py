"""Optimisers by a recipe's name, and the learning rate's course."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import nn


def build(model: nn.Module, options: Mapping[str, Any]) -> torch.optim.Optimizer:
    """AdamW or Adafactor, without decay on biases and normalisation (one dimension).

    Adafactor (Shazeer & Stern 2018) takes its rate relative to each parameter's own size, as T5
    and mT5 do.

    Args:
        model: those of its parameters that are trained are taken.
        options: a recipe's.
    """
    parameters = [p for p in model.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.dim() > 1], "weight_decay": options["weight_decay"]},
        {"params": [p for p in parameters if p.dim() <= 1], "weight_decay": 0.0},
    ]
    rate = options["learning_rate"]
    if options.get("optimizer") == "adafactor":
        return torch.optim.Adafactor(groups, lr=rate)
    return torch.optim.AdamW(groups, lr=rate, eps=options["epsilon"], fused=True)


def share_of_peak(step: int, steps: int, options: Mapping[str, Any]) -> float:
    """The learning rate's share of its peak: linear up over the warm-up, then linear down to 0.

    With a constant schedule it stays up.
    """
    rising = math.ceil(options["warmup"] * steps)
    if step < rising:
        return (step + 1) / rising
    if options.get("schedule") == "constant":
        return 1.0
    return (steps - step) / max(steps - rising, 1)

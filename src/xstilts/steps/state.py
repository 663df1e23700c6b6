"""The state of a model and its optimiser as plain tensors, for resume points without pickle."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import nn

_KEYS = ("step", "exp_avg", "exp_avg_sq")  # what AdamW keeps of a parameter


def snapshot(model: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, torch.Tensor]:
    """Parameters as ``model/<name>`` and moments as ``optimizer/<key>/<name>``, on the CPU."""
    tensors = {}
    for name, parameter in model.named_parameters():
        tensors[f"model/{name}"] = parameter.detach().cpu()
        for key, value in optimizer.state.get(parameter, {}).items():
            tensors[f"optimizer/{key}/{name}"] = value.detach().cpu()
    return tensors


def fits(model: nn.Module, tensors: Mapping[str, torch.Tensor]) -> bool:
    """Whether a snapshot has the model's parameters in the model's shapes."""
    shapes = {name: tensor.shape for name, tensor in tensors.items()}
    return all(shapes.get(f"model/{n}") == p.shape for n, p in model.named_parameters())


@torch.no_grad()
def restore(
    model: nn.Module, optimizer: torch.optim.Optimizer, tensors: Mapping[str, torch.Tensor]
) -> None:
    """Put a snapshot back, bit for bit, into a model and an optimiser made the same way."""
    for name, parameter in model.named_parameters():
        parameter.copy_(tensors[f"model/{name}"])
        kept = {
            key: tensors[f"optimizer/{key}/{name}"].to(parameter.device)
            for key in _KEYS
            if f"optimizer/{key}/{name}" in tensors
        }
        if kept:
            optimizer.state[parameter] = kept

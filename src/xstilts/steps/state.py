"""The state of a model and its optimiser as plain tensors, for resume points without pickle."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from xstilts.steps.team import like, whole

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from torch import nn

# What AdamW keeps of a parameter, and Adafactor.
_KEYS = ("step", "exp_avg", "exp_avg_sq", "row_var", "col_var", "variance")


def snapshot(
    model: nn.Module, optimizer: torch.optim.Optimizer, *, keep: bool = True
) -> dict[str, torch.Tensor]:
    """What is trained as ``model/<name>`` and moments as ``optimizer/<key>/<name>``, on the CPU.

    Where they are sharded they are put together, one after the other, so that any layout can go on
    from them. All processes take part; those that are not to ``keep`` them get nothing.
    """
    tensors = {}
    for name, parameter in _trained(model):
        parts = {f"model/{name}": parameter}
        state = optimizer.state.get(parameter, {})
        parts |= {f"optimizer/{key}/{name}": value for key, value in state.items()}
        for place, part in parts.items():
            tensor = whole(part)
            if keep:
                tensors[place] = tensor.cpu()
    return tensors


def fits(model: nn.Module, tensors: Mapping[str, torch.Tensor]) -> bool:
    """Whether a snapshot has what the model trains, in the model's shapes."""
    shapes = {name: tensor.shape for name, tensor in tensors.items()}
    return all(shapes.get(f"model/{n}") == p.shape for n, p in _trained(model))


@torch.no_grad()
def restore(
    model: nn.Module, optimizer: torch.optim.Optimizer, tensors: Mapping[str, torch.Tensor]
) -> None:
    """Put a snapshot back, bit for bit, into a model and an optimiser made the same way."""
    for name, parameter in _trained(model):
        parameter.copy_(like(tensors[f"model/{name}"], parameter))
        found = ((key, tensors.get(f"optimizer/{key}/{name}")) for key in _KEYS)
        kept = {
            key: tensor if key == "step" else like(tensor, parameter, everywhere=key == "col_var")
            for key, tensor in found
            if tensor is not None
        }
        if "exp_avg" in kept:  # AdamW's kernel counts on the device, Adafactor beside it
            kept["step"] = kept["step"].to(parameter.device)
        if kept:
            optimizer.state[parameter] = kept


def _trained(model: nn.Module) -> Iterator[tuple[str, nn.Parameter]]:
    """The parameters that training changes; what is frozen is the parent's."""
    return (pair for pair in model.named_parameters() if pair[1].requires_grad)

"""Optimisers by a recipe's name, and the learning rate's course."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch

from xstilts.steps.team import laid_out, whole

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import nn


def build(
    model: nn.Module, options: Mapping[str, Any], *, sharded: bool = False
) -> torch.optim.Optimizer:
    """AdamW or Adafactor, without decay on biases and normalisation (one dimension).

    Adafactor (Shazeer & Stern 2018) takes its rate relative to each parameter's own size, as T5
    and mT5 do.

    Args:
        model: those of its parameters that are trained are taken.
        options: a recipe's.
        sharded: whether each process has a part of every parameter.
    """
    parameters = [p for p in model.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.dim() > 1], "weight_decay": options["weight_decay"]},
        {"params": [p for p in parameters if p.dim() <= 1], "weight_decay": 0.0},
    ]
    rate = options["learning_rate"]
    if options.get("optimizer") == "adafactor":
        return (ShardedAdafactor if sharded else torch.optim.Adafactor)(groups, lr=rate)
    return torch.optim.AdamW(groups, lr=rate, eps=options["epsilon"], fused=True)


class ShardedAdafactor(torch.optim.Adafactor):
    """PyTorch's Adafactor where each process has some rows of every parameter.

    PyTorch's own puts sums over rows in place before they are summed over processes, which is
    refused. The same operations (Shazeer & Stern 2018, algorithms 4 and 5, as in
    ``torch.optim.Adafactor``), each in a tensor of its own.
    """

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """Take a step.

        Args:
            closure: none is taken.
        """
        assert closure is None
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._update(parameter, parameter.grad, group)

    def _update(
        self, parameter: torch.Tensor, gradient: torch.Tensor, group: Mapping[str, Any]
    ) -> None:
        least, smallest_scale = group["eps"]
        least = torch.finfo(parameter.dtype).eps if least is None else least
        state = self.state[parameter]
        state["step"] = state.get("step", torch.tensor(0.0)) + 1
        step = float(state["step"])
        new = step ** group["beta2_decay"]  # the share of this step's squares in their mean
        size = math.sqrt(parameter.numel())
        scale = max(smallest_scale, float(whole(parameter.norm(2))) / size)
        alpha = scale * min(group["lr"], 1 / math.sqrt(step))
        if group["weight_decay"]:
            parameter.mul_(1 - group["lr"] * group["weight_decay"])

        def mean(name: str, squares: torch.Tensor) -> torch.Tensor:
            before = state.get(name)
            state[name] = squares * new if before is None else before.lerp(squares, new)
            return state[name]

        if gradient.dim() > 1:
            rows = mean("row_var", gradient.norm(dim=-1, keepdim=True) ** 2 / gradient.size(-1))
            columns = gradient.norm(dim=-2, keepdim=True) ** 2 / gradient.size(-2)
            columns = mean("col_var", columns)
            variance = rows @ columns / rows.mean(dim=-2, keepdim=True).clamp(min=least)
        else:
            variance = mean("variance", gradient * gradient)
        update = laid_out(variance.clamp(min=least * least).rsqrt() * gradient, parameter)
        norm = float(whole(update.norm(2))) / (size * group["d"])
        parameter.add_(update, alpha=-alpha / max(1.0, norm))


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

"""Where a value stopped being a number: which parameter is to blame, and what to say of it.

Asked only when a step has failed, so it may take its time: the batch is run again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from torch import nn

SHOWN = 3  # examples


def parameter(model: nn.Module, losses: Iterable[torch.Tensor]) -> str:
    """The parameter that is first to blame, in words.

    One that holds no numbers itself, from the input on; else the first whose gradient holds none,
    from the loss back.

    Args:
        model: what is trained.
        losses: of the batch, part by part, each made when it is asked for.
    """
    if (broken := unsound(model)) is not None:
        return f'parameter "{broken}" held NaN or infinity before this step'
    model.zero_grad(set_to_none=True)
    for loss in losses:
        loss.backward()
    for name, one in reversed(list(model.named_parameters())):
        if one.grad is not None and not is_number(one.grad):
            return f'first in the gradient of parameter "{name}"'
    return "all gradients of its parts are numbers, their sum is not"


def unsound(model: nn.Module) -> str | None:
    """The first parameter or buffer that holds NaN or infinity; None where all are numbers."""
    tensors = [*model.named_parameters(), *model.named_buffers()]
    return next((n for n, t in tensors if t.is_floating_point() and not is_number(t)), None)


def is_number(value: torch.Tensor) -> bool:
    """Whether no entry is NaN or infinity."""
    return bool(torch.isfinite(value).all())


def listed(names: Sequence[str]) -> str:
    """A few names, and how many more there are."""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more

"""The processes that train one stage together: what each does, and what they agree on.

Each takes a share of every optimiser step's units; the loss is divided by the targets of all, so
that the step is the one that a single process would take. Replicas (DDP) each hold the whole model;
shards (FSDP2) a part of every parameter, which is put together where it is needed. Alone, a process
does everything itself and nothing here costs anything.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import distributed, nn

from xstilts.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from numpy.typing import NDArray

    from xstilts.steps.stage import StageTask

Layout = Literal["alone", "ddp", "fsdp2"]


class Team:
    """This process among those of a stage.

    Attributes:
        layout: how the model lies over the processes.
        rank: of this one, from 0.
        size: how many there are.
    """

    def __init__(self, layout: Layout, device: torch.device) -> None:
        """Join the others, who are known to PyTorch already."""
        self.layout, self._device = layout, device
        self.rank = 0 if layout == "alone" else distributed.get_rank()
        self.size = 1 if layout == "alone" else distributed.get_world_size()

    @property
    def first(self) -> bool:
        """Whether this process writes and tells for all."""
        return self.rank == 0

    def check(self, tasks: list[StageTask]) -> None:
        """Refuse what cannot be shared out.

        Raises:
            UserError: naming the task.
        """
        for one in tasks if self.size > 1 else ():
            if one.format == "retrieval":
                raise UserError(
                    f"{one.task.name}: every answer of a step is a candidate of every query, so "
                    "that a step cannot be shared out: use --devices 1"
                )
            if one.item["batch"] < self.size:
                raise UserError(
                    f"{one.task.name}: a step of {one.item['batch']} cannot be shared out over "
                    f"{self.size} devices: use --devices {one.item['batch']}"
                )

    def share(self, units: NDArray[Any], tokens: NDArray[Any]) -> NDArray[Any]:
        """This process's part of a step's units, of about as many tokens as the others'.

        Args:
            units: ``[n]``; where there are fewer than processes, some get none.
            tokens: of each unit, ``[n]``.
        """
        if self.size == 1:
            return units
        return units[tokens.argsort(kind="stable")[self.rank :: self.size]]

    def total(self, *values: float) -> list[float]:
        """Sums over all processes, known to all."""
        if self.size == 1:
            return list(values)
        summed = torch.tensor(values, dtype=torch.float64)  # on the CPU: no device is waited for
        distributed.all_reduce(summed)
        return summed.tolist()

    def most(self, value: int) -> int:
        """The greatest of all processes' values."""
        if self.size == 1:
            return value
        greatest = torch.tensor(value)
        distributed.all_reduce(greatest, distributed.ReduceOp.MAX)
        return int(greatest)

    def summed(self, value: torch.Tensor) -> torch.Tensor:
        """A tensor's sum over all processes; the device is not waited for."""
        if self.size > 1:
            distributed.all_reduce(value)
        return value

    def wrapped(self, model: nn.Module, accelerator: Any, layers: Iterable[nn.Module]) -> nn.Module:
        """The model as its forward pass is to be run; with FSDP2 it is changed in place.

        Args:
            model: of the stage.
            accelerator: Accelerate's. It has no FSDP2 on CPUs, so PyTorch's own shards.
            layers: modules that are sharded, and put together, one by one.
        """
        if self.layout != "fsdp2":
            return accelerator.prepare(model)
        from torch.distributed.device_mesh import init_device_mesh
        from torch.distributed.fsdp import fully_shard

        mesh = init_device_mesh(self._device.type, (self.size,))
        for layer in layers:
            fully_shard(layer, mesh=mesh)
        fully_shard(model, mesh=mesh)
        return model

    @contextmanager
    def micro_batch(self, wrapped: nn.Module, accelerator: Any, *, last: bool) -> Iterator[None]:
        """Around forward and backward: replicas sum gradients over all after the last only."""
        if self.layout != "ddp" or last:  # shards summed once would be held whole until then
            yield
        else:
            with accelerator.no_sync(wrapped):
                yield

    def told_by_first(self, score: Callable[[], float]) -> float:
        """A number that the first process finds out while the others wait, known to all."""
        return self.total(score() if self.first else 0.0)[0]

    def parameters(self, model: nn.Module) -> dict[str, torch.Tensor]:
        """Copies of all parameters, whole, on the CPU; empty in all processes but the first."""
        found = {}
        for name, one in model.named_parameters():
            parameter = whole(one)  # which all take part in, one after the other
            if self.first:
                found[name] = parameter.cpu().clone()
        return found


def whole(tensor: torch.Tensor) -> torch.Tensor:
    """A tensor put together from its shards; all processes ask for it in the same order."""
    tensor = tensor.detach()
    return tensor.full_tensor() if _is_sharded(tensor) else tensor  # type: ignore[attr-defined]


def laid_out(tensor: torch.Tensor, model: torch.Tensor) -> torch.Tensor:
    """A tensor with its shards where another one has them, if they are sharded."""
    if _is_sharded(tensor):
        return tensor.redistribute(placements=model.placements)  # type: ignore[attr-defined]
    return tensor


def like(tensor: torch.Tensor, model: torch.Tensor, *, everywhere: bool = False) -> torch.Tensor:
    """A whole tensor laid out as another one is: this process's shard of it, if that is sharded.

    Args:
        tensor: the same in all processes.
        model: what it belongs to.
        everywhere: it stays whole, as a mean over the rows that are shared out.
    """
    tensor = tensor.to(model.device)
    if _is_sharded(model):
        from torch.distributed.tensor import DTensor, Replicate, distribute_tensor

        assert isinstance(model, DTensor)
        placements = [Replicate()] if everywhere else model.placements
        return distribute_tensor(tensor, model.device_mesh, placements)
    return tensor


def _is_sharded(tensor: torch.Tensor) -> bool:
    """Whether it is a ``DTensor``, asked without importing what only shards need."""
    return hasattr(tensor, "full_tensor")


def layers(network: nn.Module) -> list[nn.Module]:
    """The layers of a transformer: its outermost lists of modules, one after the other.

    What stands beside them (embeddings, tied or not, and heads) is sharded as one.
    """
    found: list[nn.Module] = []
    for child in network.children():
        found += list(child) if isinstance(child, nn.ModuleList) else layers(child)
    return found

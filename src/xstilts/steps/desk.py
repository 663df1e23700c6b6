"""What work is given besides its inputs: where rows are, where to compute, whom to tell."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    import torch

    from xstilts.sources import Sources
    from xstilts.steps.team import Layout
    from xstilts.steps.tracking import Tracking
    from xstilts.tasks import Catalogue


class Progress(Protocol):
    """Told how far a piece of work is."""

    def __call__(self, done: int, total: int, tokens: int) -> None:
        """``done`` of ``total`` steps or batches, ``tokens`` real tokens so far."""


class ResumePoints(Protocol):
    """Keeps the state of unfinished training (the store's work area)."""

    def save(
        self, step: int, tensors: Mapping[str, torch.Tensor], state: Mapping[str, Any]
    ) -> None:
        """Keep a point; the two newest are kept."""

    def load(self) -> tuple[dict[str, torch.Tensor], dict[str, Any], int] | None:
        """The newest sound point, or None."""


def no_progress(done: int, total: int, tokens: int) -> None:
    """For work nobody watches."""


def no_note(text: str) -> None:
    """For work nobody watches."""


def no_spent(job: int, spent: Mapping[str, float]) -> None:
    """For work nobody times."""


def never() -> bool:
    """For work that nobody stops."""
    return False


@dataclass(frozen=True)
class Desk:
    """What a worker needs.

    Attributes:
        catalogue: the tasks.
        sources: opens their rows.
        device: ``cpu``, ``cuda``, ``cuda:1``, ...
        token_budget: tokens in a micro-batch; changes speed and memory, not results.
        checkpoint_seconds: how often training keeps a resume point.
        progress: told how far the work is.
        note: told what there is to know of it, such as where it was resumed.
        encoded: where encoded rows are kept for whoever needs them next; None: nowhere.
        tracking: where a stage's curves go besides; None: nowhere.
        spent: told what the predictions of a job took, by its number (`steps.predict.Spent`).
        layout: how a stage's model lies over the processes that train it together.
        stopping: asked at every optimiser step of several processes whether to keep a resume point
            and stop.
    """

    catalogue: Catalogue
    sources: Sources
    device: str = "cpu"
    token_budget: int = 4096
    checkpoint_seconds: float = 60.0
    progress: Progress = field(default=no_progress)
    note: Callable[[str], None] = field(default=no_note)
    encoded: Path | None = None
    tracking: Tracking | None = None
    spent: Callable[[int, Mapping[str, float]], None] = field(default=no_spent)
    layout: Layout = "alone"
    stopping: Callable[[], bool] = field(default=never)

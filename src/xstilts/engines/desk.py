"""A worker's place in this process."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from xstilts.model.memory import keep_freed_memory
from xstilts.steps.desk import Desk

if TYPE_CHECKING:
    from xstilts.engines import Bench, Watcher


def settle(bench: Bench, watcher: Watcher) -> Desk:
    """Set this process up for the bench, and say what work is given."""
    return replace(prepared(bench), progress=watcher.progress, note=watcher.note)


def prepared(bench: Bench) -> Desk:
    """The same for work that nobody watches."""
    keep_freed_memory()
    if bench.threads:
        torch.set_num_threads(bench.threads)
    return Desk(
        catalogue=bench.catalogue,
        sources=bench.sources,
        device=bench.device,
        token_budget=bench.token_budget,
        checkpoint_seconds=bench.checkpoint_seconds,
        encoded=bench.encoded or bench.store.root / "encoded",
    )

"""The curves of a stage in a tracker of Accelerate's, such as TensorBoard or Weights & Biases.

A tracker only listens: what it is told never enters a result or an identity.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from xstilts.errors import UserError, suggest

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from accelerate import Accelerator

PROJECT = "xstilts"


@dataclass(frozen=True)
class Tracking:
    """Where a stage reports to.

    Attributes:
        name: of the tracker, as Accelerate has it.
        folder: for trackers that write files.
        label: of the stage, for trackers that name runs.
    """

    name: str
    folder: Path
    label: str


def check(name: str) -> None:
    """Refuse what cannot track before anything is trained.

    Raises:
        UserError: if there is no such tracker, or its package is not installed.
    """
    from accelerate.tracking import LOGGER_TYPE_TO_CLASS, get_available_trackers
    from accelerate.utils import LoggerType

    if name not in LOGGER_TYPE_TO_CLASS:
        raise UserError(f'--track "{name}" is no tracker:{suggest(name, LOGGER_TYPE_TO_CLASS)}')
    if name in LoggerType.list() and name not in map(str, get_available_trackers()):
        raise UserError(f"--track {name} needs its package: pip install {name.replace('_', '-')}")


def begin(accelerator: Accelerator, tracking: Tracking, inputs: Mapping[str, Any]) -> None:
    """Open a run: one a stage."""
    plain = {"stage": tracking.label, "seed": inputs["seed"], "source": inputs["source"]}
    settings = {  # trackers take numbers and texts
        name: value if isinstance(value, int | float | str) else json.dumps(value)
        for name, value in inputs["options"].items()
        if value is not None
    }
    named = {"wandb": {"name": tracking.label}, "swanlab": {"experiment_name": tracking.label}}
    accelerator.init_trackers(PROJECT, config={**plain, **settings}, init_kwargs=named)


def end(accelerator: Accelerator) -> None:
    """Close the run. Accelerate's own end would part the processes too, who are not done yet."""
    for tracker in accelerator.trackers:
        tracker.finish()

"""Many small steps: one warm process against a fresh process a step.

    python benchmarks/small_steps.py

A step is a stage of one optimiser step: read rows, load the encoder, train, write the folder. A
study of small runs is mostly that; scripts started once a run pay for their imports every time.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import workload
from sides import Clock, Round, Row, Settings, Side, rows
from workload import PAIRS, Shape

if TYPE_CHECKING:
    from collections.abc import Callable

STAGES = 5
SHAPE = Shape(layers=2, hidden=128, vocabulary=8000)


def train(folder: Path) -> None:
    """A stage of one optimiser step, from rows to written weights."""
    from training import _Start

    from xstilts.steps import train as step

    inputs, desk = workload.stage(Settings(), folder, folder / "encoder", "b_pairs")
    with tempfile.TemporaryDirectory() as out:
        step.train(
            inputs | {"max_steps": 1},
            (folder / "encoder", None),
            Path(out),
            _Start(Clock()),
            desk,
        )


def warm(settings: Settings, folder: Path) -> Callable[[], Round]:
    """In this process, one after the other."""
    del settings
    train(folder)

    def job() -> Round:
        clock = Clock()
        for _ in range(STAGES):
            train(folder)
        return clock.round(STAGES)

    return job


def fresh(settings: Settings, folder: Path) -> Callable[[], Round]:
    """Each in a process of its own."""
    del settings
    program = (
        f"from pathlib import Path; import small_steps; small_steps.train(Path({str(folder)!r}))"
    )
    here = str(Path(__file__).parent)

    def job() -> Round:
        began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-c", program], check=True, cwd=here)  # noqa: S603
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return Round(1, time.perf_counter() - began, used)

    return job


def stages(settings: Settings) -> list[Row]:
    """Stages of one optimiser step."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        workload.encoder(folder / "encoder", SHAPE)
        workload.write(folder, "b_pairs", 64, PAIRS)
        return rows(
            settings,
            "small stages, 2x128, one step each",
            "stages/s",
            Side("one warm process", warm, (folder,)),
            [
                (
                    "a fresh process each",
                    Side("a fresh process each", fresh, (folder,)),
                    (15, 30, None),
                )
            ],
        )


ROWS = {"stages": stages}

if __name__ == "__main__":
    from everything import main

    main(ROWS)

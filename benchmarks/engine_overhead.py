"""What each engine takes for the same small study, beside the local one in the same process.

    python benchmarks/engine_overhead.py [ROUNDS]

Two seeds of ``taxinli > xnli`` on generated rows with the shipped ``micro``, a few optimiser steps
a stage: there is next to nothing to do, so that what is seen is the engine. Ray is started on this
machine before the clock starts; its first round begins its workers, the others find them. Slurm is
the one of this machine where there is one (``sinfo`` answers), else submitit's local executor: each
of its jobs is a process that imports everything anew. Engines take turns. The last line is one JSON
document.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import ray

from xstilts import models, recipes
from xstilts import plan as planning
from xstilts.engines import Bench
from xstilts.engines.local import LocalEngine
from xstilts.engines.ray import RayEngine
from xstilts.engines.slurm import SlurmEngine
from xstilts.sources import Sources
from xstilts.store import Store
from xstilts.study import Options, Study
from xstilts.tasks import Catalogue

if TYPE_CHECKING:
    from xstilts.engines import Engine


class Nobody:
    """Watches nothing."""

    def begin(self, label: str, number: int, total: int) -> None:
        """Say nothing."""

    def progress(self, done: int, total: int, tokens: int) -> None:
        """Say nothing."""

    def note(self, text: str) -> None:
        """Say nothing."""

    def end(self, label: str, seconds: float) -> None:
        """Say nothing."""

    def failed(self, step: planning.Step, reason: str) -> None:
        """Say why."""
        print(f"{step.label}: {reason}", file=sys.stderr)


def main(rounds: int) -> None:
    """Take turns, and print seconds a step and the ratio to the local engine."""
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    catalogue, sources = Catalogue(), Sources()
    study = Study(
        name="s",
        paths=("taxinli > xnli:en/de",),
        source="microworld",
        seeds=(1, 2),
        models=("micro",),
        options=Options(max_steps=3, max_eval_rows=20),
    )
    plan = planning.build(study, recipes.get("demo"), [models.find("micro")], catalogue, sources)
    there = subprocess.run(["sinfo"], capture_output=True, check=False) if _slurm() else None  # noqa: S607
    cluster = "slurm" if there is not None and there.returncode == 0 else "local"
    engines: dict[str, Engine] = {
        "local": LocalEngine(),
        "ray": RayEngine(),
        f"slurm ({'real' if cluster == 'slurm' else 'submitit, local'})": SlurmEngine(
            cluster=cluster
        ),
    }
    took: dict[str, list[float]] = {name: [] for name in engines}
    with tempfile.TemporaryDirectory() as folder:

        def once(name: str, store: str) -> float:
            bench = Bench(Store(Path(folder) / store), catalogue, sources, threads=1)
            started = time.perf_counter()
            outcome = engines[name].run(plan, bench, Nobody())
            assert not outcome.failures
            return time.perf_counter() - started

        once("local", "warm")
        for turn in range(rounds):
            for name in engines:
                took[name].append(once(name, f"{name} {turn}"))
    ray.shutdown()
    count, base = len(plan.steps), statistics.median(took["local"])
    result = {"steps": count, "engines": {}}
    for name, seconds in took.items():
        middle = statistics.median(seconds)
        ratios = [one / local for one, local in zip(seconds, took["local"], strict=True)]
        print(
            f"{name:24} {1e3 * middle / count:9.0f} ms a step, {middle / base:6.1f} of local"
            f" (rounds {', '.join(f'{one:.1f}' for one in ratios)})"
        )
        result["engines"][name] = {"seconds": seconds, "ratios": ratios}  # type: ignore[index]
    print(json.dumps(result))


def _slurm() -> bool:
    from shutil import which

    return which("sinfo") is not None


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)

"""What checksums, forced writes and leases cost: a study with them and without, in turn.

    python benchmarks/store.py [--study demo] [--seeds 1] [--rounds 3]

Both sides train, predict and score the same and write the same files, each run in a process and a
store of its own. The bare side hashes no file, never waits for the disk and takes no lease, which
is what a script that writes into a folder does.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

SIDES = ("bare", "store")


def run(options: argparse.Namespace) -> dict[str, float]:
    """The study once, in this process."""
    from xstilts import models, plan, recipes, study
    from xstilts.engines import Bench
    from xstilts.engines.local import LocalEngine
    from xstilts.sources import Sources
    from xstilts.store import Store
    from xstilts.tasks import Catalogue

    declared = study.load(study.ready_made()[options.study])
    declared = declared.model_copy(update={"seeds": tuple(range(1, options.seeds + 1))})
    catalogue, sources = Catalogue(), Sources()
    encoders = [models.find(name) for name in declared.models]
    found = plan.build(declared, recipes.get(declared.recipe), encoders, catalogue, sources)
    quiet = SimpleNamespace(
        **dict.fromkeys(("begin", "progress", "note", "end", "failed"), lambda *_: None)
    )
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        bench = Bench(Store(Path(folder)), catalogue, sources, threads=1)
        if options.side == "bare":
            strip()
        started, used = time.monotonic(), cpu_seconds()
        outcome = LocalEngine().run(found, bench, quiet)
        took = {"wall": time.monotonic() - started, "cpu": cpu_seconds() - used}
    assert not outcome.failures, outcome.failures
    return {**took, "steps": len(outcome.done)}


def strip() -> None:
    """No hashes, no waiting for the disk, no leases."""
    from xstilts.disk import leases

    nothing = SimpleNamespace(hexdigest=lambda: "0" * 64)
    hashlib.file_digest = lambda *_: nothing  # type: ignore[assignment]
    os.fsync = lambda _: None  # type: ignore[assignment]

    def take(_root: Path, name: str) -> SimpleNamespace:
        return SimpleNamespace(name=name, stands=lambda: True, release=lambda: None)

    leases.take = take  # type: ignore[assignment]
    leases.held = lambda *_: nullcontext()  # type: ignore[assignment]


def cpu_seconds() -> float:
    """Of this process, the system's share included."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Measure, or be one side."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--study", default="demo")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", help="where the stores are made")
    parser.add_argument("--side", choices=SIDES)
    options = parser.parse_args()
    if options.side:
        sys.stdout.write(json.dumps(run(options)) + "\n")
        return
    took: dict[str, list[dict[str, float]]] = {side: [] for side in SIDES}
    for _ in range(options.rounds):
        for side in SIDES:
            command = [sys.executable, __file__, *sys.argv[1:], "--side", side]
            done = subprocess.run(  # noqa: S603 (this very file)
                command, check=True, capture_output=True, text=True
            )
            took[side].append(json.loads(done.stdout))
            sys.stdout.write(f"{side}: {took[side][-1]}\n")
            sys.stdout.flush()
    for what in ("cpu", "wall"):
        bare, store = (statistics.median(one[what] for one in took[side]) for side in SIDES)
        ratio = store / bare
        sys.stdout.write(f"{what}: {store:.1f} s beside {bare:.1f} s, ratio {ratio:.3f}\n")


if __name__ == "__main__":
    main()

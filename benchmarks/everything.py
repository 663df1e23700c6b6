"""Every comparison with what people use instead: a table, then one JSON line.

    python benchmarks/everything.py [--only ROW[,ROW]] [--rounds N] [--threads N] [--share X]

``make bench`` runs it. The whole takes about twenty minutes on two idle cores; ``--share 0.3`` is a
quick look, with windows that are too short to quote.
"""

from __future__ import annotations

import argparse
import sys
import time
from typing import TYPE_CHECKING

import sides

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from sides import Row, Settings

    Benchmarks = Mapping[str, Callable[[Settings], list[Row]]]


# Run only when asked for.
LONG = ("mining_memory", "grid", "base", "large", "languages_base", "languages_large")


def main(benchmarks: Benchmarks, on_cpus: Collection[str] = ()) -> None:
    """Run those that are asked for and print what they found; some compare on CPUs alone."""
    parser = argparse.ArgumentParser()
    usual = ",".join(name for name in benchmarks if name not in LONG)
    parser.add_argument("--only", default=usual, help=", ".join(benchmarks))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--share", type=float, default=1.0)
    parser.add_argument("--device", default="cpu", help="cuda: in bf16; of training, evaluation")
    asked = parser.parse_args()
    names = asked.only.split(",")
    if unknown := [name for name in names if name not in benchmarks]:
        parser.error(f'no row is called "{unknown[0]}": {", ".join(benchmarks)}')
    if asked.device != "cpu" and (fixed := [name for name in names if name in on_cpus]):
        parser.error(f"{fixed[0]} is measured on CPUs alone: name others with --only")
    settings = sides.Settings(asked.rounds, asked.threads, asked.share, asked.device)
    about = sides.machine(settings)
    found = []
    for name in names:
        started = time.monotonic()
        found += benchmarks[name](settings)
        sys.stderr.write(f"{name}: {time.monotonic() - started:.0f} s\n")
    sides.show(found, about)


if __name__ == "__main__":
    import data_path
    import evaluation
    import pretraining
    import retrieval
    import shared_plan
    import small_steps
    import start
    import training

    every = (training, evaluation, pretraining, small_steps, retrieval)
    every += (data_path, shared_plan, start)
    rows = {name: one for module in every for name, one in module.ROWS.items()}
    main(rows, on_cpus=rows.keys() - training.ROWS.keys() - evaluation.ROWS.keys())

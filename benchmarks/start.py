"""How long it takes until something happens.

    python benchmarks/start.py

``xstilts --help`` and ``xstilts tasks``, each a fresh process, and ``xstilts run`` from its start
to its first optimiser step, with rows that were tokenised before and with rows that were not.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time

from sides import Row, Settings

MARK_S = 0.3
WATCH = """
import sys, time
from xstilts.steps import train
step = train._Run._optimise
def first(run):
    step(run)
    sys.stderr.write("first step\\n")
    raise KeyboardInterrupt
train._Run._optimise = first
from xstilts.cli import main
main(sys.argv[1:])
"""


def seconds(*command: str, ends: tuple[int, ...] = (0,)) -> float:
    """Seconds of a process."""
    started = time.perf_counter()
    done = subprocess.run(command, capture_output=True, check=False)  # noqa: S603
    assert done.returncode in ends, done.stderr.decode()[-500:]
    return time.perf_counter() - started


def commands(settings: Settings) -> list[Row]:
    """A row a command: its rate a second against the mark's."""
    os.environ["OMP_NUM_THREADS"] = str(settings.threads)
    found = []
    for words in (("--help",), ("tasks",)):
        times = [seconds(sys.executable, "-m", "xstilts", *words) for _ in range(5)]
        times = sorted(times)[1:4]
        found.append(
            Row(
                work=f"xstilts {' '.join(words)}",
                against=f"the mark of {MARK_S:g} s",
                unit="starts/s",
                ours=[1 / one for one in times],
                theirs=[1 / MARK_S] * len(times),
                marks=(1.0, 1.0, None),
                note=f"{sorted(times)[1]:.2f} s, median of five without the best and the worst",
            )
        )
    return [*found, first_step(settings)]


def first_step(settings: Settings) -> Row:
    """From the command to the first optimiser step, on the shipped encoder and generated rows."""
    times: dict[str, list[float]] = {"cached": [], "new": []}
    with tempfile.TemporaryDirectory() as store:
        asked = ("run", "taxinli > xnli:en", "--source", "microworld", "--max-eval-rows", "20")
        where = ("--store", store, "--threads", str(settings.threads))
        for kind in ("new", "cached", "cached", "cached"):
            program = (sys.executable, "-c", WATCH, *asked, *where)
            times[kind].append(seconds(*program, ends=(130,)))
    return Row(
        work="run, to its first optimiser step, rows tokenised before",
        against="rows not tokenised before",
        unit="starts/s",
        ours=[1 / one for one in times["cached"]],
        theirs=[1 / times["new"][0]] * 3,
        note=f"{sorted(times['cached'])[1]:.1f} s against {times['new'][0]:.1f} s",
    )


ROWS = {"start": commands}

if __name__ == "__main__":
    from everything import main

    main(ROWS)

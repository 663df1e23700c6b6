"""What training rows cost: once to tokenise, then to open; and memory as they grow.

    python benchmarks/data_path.py

A stage's rows are opened and ten steps' batches are put together, in a process of its own each, at
10,000 and at 1,000,000 rows. Memory is what the process holds by itself (``RssAnon``): pages of the
mapped files are the system's, which drops them when it needs room.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import workload
from sides import Clock, Round, Row, Settings, Side, alternate

from xstilts.formats import Limits
from xstilts.formats.examples import Pair
from xstilts.steps import encoding
from xstilts.steps.batches import collate, step_units

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SMALL, LARGE, STEPS, BATCH = 10_000, 1_000_000, 10, 32


def examples(count: int) -> Iterator[Pair]:
    """Rows made as they are asked for."""
    words = workload.Words(16_000, workload.ZIPF, 0)
    lengths = workload.PAIRS.draw(count, words.stream)
    for row, length in enumerate(lengths):
        text = words.draw(int(length) - 4)
        cut = max(1, len(text) // 2)
        yield Pair(str(row), "", " ".join(text[:cut]), " ".join(text[cut:]), "yes")


def stage(settings: Settings, folder: Path, count: int) -> Callable[[], Round]:
    """Open the rows, tokenising them the first time, and make batches of them."""
    from xstilts.model import tokenizer

    del settings
    loaded = tokenizer.load(folder / "encoder")
    task = workload.tasks(folder).get("b_pairs")

    def job() -> Round:
        clock = Clock()
        data = encoding.encoded(
            folder / "cache", count, task, lambda: examples(count), loaded.backend, Limits(128)
        )
        for step in range(STEPS):
            units = step_units(1, len(data), BATCH, step)
            collate("classification", data, np.sort(units), seed=1, tokenizer=loaded)
        (folder / f"{count}.txt").write_text(str(own_mib()))
        return clock.round(count)

    return job


def own_mib() -> float:
    """Memory that no file stands behind, MiB."""
    lines = Path("/proc/self/status").read_text("ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) / 1024


def growth(settings: Settings) -> list[Row]:
    """Ten thousand rows and a million."""
    large = max(int(LARGE * settings.share), 2 * SMALL)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        workload.encoder(folder / "encoder", workload.Shape(layers=1, hidden=64))
        once = Settings(1, settings.threads, settings.share)
        first, held, times = {}, {}, {}
        for count in (SMALL, large):
            ((one, _),) = alternate(once, [Side("", stage, (folder, count))])
            first[count] = one[0].seconds
            ((again, _),) = alternate(once, [Side("", stage, (folder, count))])
            times[count] = again[0].seconds
            held[count] = float((folder / f"{count}.txt").read_text())
    more = held[large] - held[SMALL]
    return [
        Row(
            work=f"open {large:,} tokenised rows, {STEPS} batches",
            against="tokenising them",
            unit="rows/s",
            ours=[large / times[large]],
            theirs=[large / first[large]],
            note=(
                f"memory of {SMALL:,} rows {held[SMALL]:,.0f} MiB, of {large:,} "
                f"{held[large]:,.0f} MiB: {more:+,.0f} MiB, of which {large * 8 / 2**20:,.0f} "
                "are the order of an epoch"
            ),
        )
    ]


ROWS = {"rows": growth}

if __name__ == "__main__":
    from everything import main

    main(ROWS)

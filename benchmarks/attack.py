"""Queries a second of an attack: all examples' texts in one packed pass, against a pass for each.

    python benchmarks/attack.py [MODEL]

Both sides ask one model about the same perturbed sentence pairs, on one thread, in fp32. Ours
encodes and packs all candidates of a round of twenty examples; the other asks about one text at a
time, as tools do that search example by example. They alternate; medians of five.
"""

from __future__ import annotations

import statistics
import sys
import time
from typing import TYPE_CHECKING

import torch

from xstilts import models
from xstilts.formats import Limits
from xstilts.formats.examples import Pair
from xstilts.model import heads
from xstilts.sources import Sources
from xstilts.steps import checkpoint
from xstilts.steps.attacks import SEED
from xstilts.steps.attacks.transformation import edited, offered, slips
from xstilts.steps.attacks.victim import Victim
from xstilts.steps.desk import Desk
from xstilts.tasks import Catalogue

if TYPE_CHECKING:
    from collections.abc import Callable

EXAMPLES, TRIES, ROUNDS = 20, 15, 5


def main(name: str) -> None:
    """Print a line for each side."""
    torch.set_num_threads(1)
    found = models.find(name)
    encoder, tokenizer = checkpoint.load(found.location, found.revision)
    catalogue = Catalogue()
    task = catalogue.get("xnli")
    torch.manual_seed(1)
    head = heads.build(task.format, len(task.labels), encoder)
    assert head is not None
    encoder.eval()
    head.eval()
    victim = Victim(
        task, encoder, head, tokenizer, Limits(), Desk(catalogue=catalogue, sources=Sources())
    )
    candidates = _candidates()

    def packed() -> None:
        victim.rows(candidates)

    def one_by_one() -> None:
        for candidate in candidates:
            victim.rows([candidate])

    sides: dict[str, Callable[[], None]] = {
        "packed, a round at a time": packed,
        "one query at a time": one_by_one,
    }
    seconds: dict[str, list[float]] = {side: [] for side in sides}
    for side in sides.values():
        side()  # warm
    for _ in range(ROUNDS):
        for side, run in sides.items():
            start = time.perf_counter()
            run()
            seconds[side].append(time.perf_counter() - start)
    rates = {side: len(candidates) / statistics.median(times) for side, times in seconds.items()}
    for side, rate in rates.items():
        ratio = rates["packed, a round at a time"] / rate
        print(f"{side:26} {rate:8.0f} queries/s   ours is {ratio:.2f} times as fast")


def _candidates() -> list[Pair]:
    """So many tries on each of some sentence pairs of microworld."""
    from xstilts.tasks import TASKS

    task = TASKS["xnli"]
    data = task.sources["microworld"]
    rows = Sources().examples(task, data, "evaluate", "de")[:EXAMPLES]
    names = slips(task, "de")
    return [
        candidate
        for one in rows
        for move in offered(one, names, "de", SEED)[:TRIES]
        if isinstance(candidate := edited(one, [move]), Pair)
    ]


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "mini")

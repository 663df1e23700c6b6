"""Do intervals cover, do tests err as often as they say? Prints the tables of docs/statistics.md.

    python scripts/coverage.py [STUDIES]

Simulated studies whose truth is known (tests/analysis/simulator.py), 10,000 a cell unless told
otherwise: seeds' variance none, small, equal and dominant beside that of the items; runs that
collapse; families of nine tests, equivalence at its margin, and which of two equal gains is larger.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from analysis import simulator

SEEDS = (2, 3, 5, 10)
VARIANCES = {"none": 0.0, "small (0.1)": 0.1, "equal (1)": 1.0, "dominant (10)": 10.0, "30": 30.0}


def main() -> None:
    """Print three tables in Markdown."""
    studies = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    row("seeds", "", *VARIANCES)
    row("---", "---", *["---"] * len(VARIANCES))
    for seeds in SEEDS:
        cells = [simulator.coverage(seeds, one, studies) for one in VARIANCES.values()]
        row(str(seeds), "interval covers, %", *(f"{100 * held:.1f}" for held, _ in cells))
        row("", "false positives, %", *(f"{100 * false:.1f}" for _, false in cells))
    print()
    row("seeds", "all runs", "runs that learnt", "false positives where none collapsed")
    row(*["---"] * 4)
    three = [one for name, one in VARIANCES.items() if name not in ("none", "30")]
    for seeds in SEEDS:
        found = [simulator.collapses(seeds, one, studies // 2) for one in three]
        row(str(seeds), *shares([(one.with_all, one.apart, one.false) for one in found]))
    print()
    row("seeds", "any of nine, by Holm", "equivalent at the margin", "larger of two equal")
    row(*["---"] * 4)
    for seeds in SEEDS:
        row(str(seeds), *shares([simulator.families(seeds, one, studies // 5) for one in three]))


def shares(by_variance: list[tuple[float, ...]]) -> list[str]:
    """A cell a question: its shares in percent, seeds' variance small, equal, dominant."""
    questions = zip(*by_variance, strict=True)
    return [", ".join(f"{100 * share:.1f}" for share in each) for each in questions]


def row(*cells: str) -> None:
    """Print one row of a table, at once."""
    print("|", " | ".join(cells), "|", flush=True)


if __name__ == "__main__":
    main()

"""What generated answers are, where they are not what was asked for."""

from __future__ import annotations

from collections import defaultdict
from statistics import mean
from typing import TYPE_CHECKING

from xstilts.formats.text2text import FAULTS
from xstilts.report.blocks import Cell, Section, Sheet

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xstilts.report.findings import Findings

LEAD = (
    "From text to text a model may write anything. Illegal: no label, choice or piece of the "
    "context, and wrong. Accidental translation: an illegal answer with letters or words that are "
    "foreign to its context (Xue et al. 2021, section 5; docs/text-to-text.md has the rule)."
)


def section(findings: Findings) -> Section:
    """Shares in English, over the other languages, and in the language that has most."""
    rows = tuple(_rows(findings))
    header = ("path", "target", "share of", "English", "others", "most", "in")
    sheet = Sheet("outputs", "Outputs", header, rows, words=(0, 1, 2, 6), headed=False)
    return Section("outputs", "Outputs", "Generated outputs", LEAD, (sheet,) if rows else ())


def _rows(findings: Findings) -> Iterator[tuple[Cell, ...]]:
    found: dict[tuple[str, ...], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    several = len({row["model"] for row in findings.rows}) > 1
    for row in findings.rows:
        if row["metric"] in FAULTS:
            named = f"{row['path']} ({row['model']})" if several else row["path"]
            key = (named, row["target"], row["metric"])
            found[key][row["language"]].append(100 * row["value"])
    for (path, target, metric), by_language in found.items():
        shares = {code: mean(values) for code, values in by_language.items()}
        others = [share for code, share in shares.items() if code != "en"]
        most = max(shares, key=lambda code: shares[code])
        yield (
            *map(Cell, (path, target, metric.replace("_", " "))),
            _share(shares.get("en")),
            _share(mean(others) if others else None),
            _share(shares[most]),
            Cell(most),
        )


def _share(value: float | None) -> Cell:
    return Cell("–" if value is None else f"{value:.1f} %", value=value)

"""Numbers that others published, to be shown beside ours and never averaged with them.

They stand in ``published.csv``, one a row; docs/published.md says what may be concluded from them.
But for rows called unverified, nothing is there that was not read in the source that its row names.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files


@dataclass(frozen=True)
class Published:
    """One published number.

    Attributes:
        source: where it was read.
        system: the model, or what was trained.
        setting: such as zero-shot; "not said" where the source mixes settings.
        target: a task, a group of a suite or a suite.
        language: its code, or ``mean``.
        split: which rows were scored.
        metric: by its name here; ``score`` of groups and suites.
        kind: ``score``, or ``difference`` in percentage points.
        value: in percent.
        aggregation: what the number is a mean of, and what else sets it apart.
        layer: retrieval only, 0 is the embeddings; None where it is not said.
        pooling: retrieval only; "" where it is not said.
    """

    source: str
    system: str
    setting: str
    target: str
    language: str
    split: str
    metric: str
    kind: str
    value: float
    aggregation: str
    layer: int | None
    pooling: str


@cache
def numbers() -> tuple[Published, ...]:
    """All of them, in the order of the file."""
    text = files("xstilts.tasks").joinpath("published.csv").read_text(encoding="utf-8")
    return tuple(
        Published(
            **{name: text for name, text in row.items() if name not in ("value", "layer")},
            value=float(row["value"]),
            layer=int(row["layer"]) if row["layer"] else None,
        )
        for row in csv.DictReader(text.splitlines())
    )

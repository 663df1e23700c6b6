"""What has to be equal in scores that are averaged, and what to say where it is not."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# Columns of score rows. Values of several metrics stand side by side: each has its own version.
FIELDS = (
    *("source", "split", "trained_on", "precision", "layer"),
    *("max_steps", "max_eval_rows", "metric_version"),
)
SHOWN = 4  # languages


def mixed(rows: Iterable[dict[str, Any]]) -> list[str]:
    """How the protocols of one path's rows on one target differ: "layer 3 (en), 4 (de, ru)".

    Args:
        rows: of ``score_rows``, those of one model, path and target that count.
    """
    found: dict[str, dict[Any, dict[str, None]]] = defaultdict(lambda: defaultdict(dict))
    for row in rows:
        for name in FIELDS:
            own = name == "metric_version"
            about = f"version of {row['metric']}" if own else name.replace("_", " ")
            found[about][row.get(name)][row["language"]] = None
    return [f"{about} {_told(values)}" for about, values in found.items() if len(values) > 1]


def _told(values: dict[Any, dict[str, None]]) -> str:
    parts = []
    for value, codes in values.items():
        more = " ..." if len(codes) > SHOWN else ""
        parts.append(f"{'none' if value is None else value} ({' '.join([*codes][:SHOWN])}{more})")
    return ", ".join(parts)


def mixtures(rows: Iterable[dict[str, Any]]) -> Iterator[str]:
    """A line for every model, path and target whose scores that count are of several protocols."""
    groups: dict[tuple[str, str, str], list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        if row["main"]:
            groups[row["model"], row["path"], row["target"]].append(row)
    for (_, path, target), mine in groups.items():
        if differ := mixed(mine):
            yield f"{path} ({target}): {'; '.join(differ)}"


def trained_in(rows: Iterable[dict[str, Any]]) -> list[str]:
    """The languages but English whose scores are not zero-shot: labelled rows were trained on."""
    codes = (row["language"] for row in rows if row.get("zero_shot") is False)
    return [code for code in dict.fromkeys(codes) if code != "en"]

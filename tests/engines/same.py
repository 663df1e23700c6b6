"""Whether two stores hold the same answers to a plan."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyarrow import parquet

from xstilts.report.rows import score_rows
from xstilts.steps import PREDICTIONS

if TYPE_CHECKING:
    from xstilts.store import Store


def flips(plan, one: Store, other: Store) -> tuple[int, int]:
    """Predictions that differ, and how many there are."""
    differ = total = 0
    for step in plan.steps.values():
        if step.kind == "predict":
            a, b = (
                parquet.read_table(store.open(step.id).path(PREDICTIONS)).to_pylist()
                for store in (one, other)
            )
            assert [row["id"] for row in a] == [row["id"] for row in b]
            differ += sum(x["prediction"] != y["prediction"] for x, y in zip(a, b, strict=True))
            total += len(a)
    return differ, total


def scores(plan, store: Store) -> list[tuple[str, str, float]]:
    """Every score of a plan, by its step."""
    return sorted((row["score_id"], row["metric"], row["value"]) for row in score_rows(plan, store))


def markers(store: Store) -> dict[str, tuple[int, int]]:
    """Every finished step's marker, as the file system tells it from another of the same name."""
    found = {}
    for step in store.ls():
        entry = (store.folder(step.id) / "step.json").stat()
        found[step.id] = entry.st_ino, entry.st_mtime_ns
    return found

"""Which items two runs both answer rightly before anything is done to them, and what is left after.

A drop in points says less where one model had less to lose. Here both are looked at on the same
items: those that both get right clean.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from xstilts import metrics
from xstilts.analysis.draws import Draws
from xstilts.analysis.resample import Counts, Items
from xstilts.metrics import Metric
from xstilts.steps import PREDICTIONS, variants
from xstilts.steps.score import group_hash

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from xstilts.store import Store
    from xstilts.tasks.base import Task


FEWEST = 10  # items that both get right: of fewer nothing is said


class Rights:
    """Item by item whether predictions are right, read once a file."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._read: dict[str, tuple[NDArray[np.int64], NDArray[np.bool_]] | None] = {}

    def of(
        self, step: str, task: Task, language: str
    ) -> tuple[NDArray[np.int64], NDArray[np.bool_]] | None:
        """The group of every item, int64 ``[items]``, and whether it is right, ``[items]``.

        An item is a token in tagging, else an example; an answer is right where it matches exactly.
        None where right and wrong say nothing, of pairs mined from a pool, and where a pack of
        scores came without predictions.
        """
        if step not in self._read:
            self._read[step] = None
            there = self._store.whole(step)
            rows = _counted(self._store, step, task, language) if there else []
            pieces = [_right(task, row, language) for row in rows]
            if rows and all(piece is not None for piece in pieces):
                named = [row.get("group", number) for number, row in enumerate(rows)]
                groups = np.array([group_hash(group) for group in named], np.int64)
                sizes = [len(piece) for piece in pieces if piece is not None]
                right = np.concatenate([piece for piece in pieces if piece is not None])
                self._read[step] = np.repeat(groups, sizes), right
        return self._read[step]


def _counted(store: Store, step: str, task: Task, language: str) -> list[dict[str, Any]]:
    """The prediction rows that the task's score counts."""
    from pyarrow import parquet

    rows = parquet.read_table(store.open(step).path(PREDICTIONS)).to_pylist()
    ways = variants.of(rows, metrics.get(task.main_metrics[0]), language)
    return next((list(way.units) for way in ways if way.main), [])


def _right(task: Task, row: Mapping[str, Any], language: str) -> NDArray[np.bool_] | None:
    if task.format == "tagging":
        return np.array([g == p for g, p in zip(row["gold"], row["prediction"], strict=True)], bool)
    exact = next((name for name in task.metrics if name.endswith("exact_match")), None)
    metric = metrics.get(exact or task.main_metrics[0])
    counts = metric.counts(row, language)
    if len(counts) != 2:
        return None
    return np.array([counts[0] == counts[1] > 0])


def shares(
    items: Items, language: str, runs: Sequence[NDArray[np.float64]], of: Metric, seeds: Any
) -> Draws:
    """A share of items in several runs, and in every resample of their groups.

    Args:
        items: the groups of the target.
        language: of the items.
        runs: of each seed, ``[groups, counts]``.
        of: what is made of the sums.
        seeds: of the runs.
    """
    sums = np.stack(runs, axis=1)
    groups = items.groups_of(language)
    return Draws(items.values(of, language, Counts(groups, sums)), seeds, items.fewest)


def by_group(
    groups: NDArray[np.int64], order: NDArray[np.int64], *columns: NDArray[Any]
) -> NDArray[np.float64]:
    """Columns ``[items]`` summed by group, ``[groups, columns]``, in that order of groups."""
    sums = np.zeros((len(order), len(columns)))
    np.add.at(sums, np.searchsorted(order, groups), np.stack(columns, axis=1).astype(float))
    return sums


def ratio(name: str, part: Callable[[Sequence[Any]], Any]) -> Metric:
    """A share of the first count."""

    def value(sums: Sequence[Any]) -> Any:
        return part(sums) / sums[0]

    return Metric(name, 1, lambda _unit, _language: (), value, "analysis")

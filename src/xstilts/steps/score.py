"""The score step: metric values of one task and language, from predictions alone.

Beside the values stand the counts they are made of, summed by group: what intervals resample.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xstilts import metrics
from xstilts.failpoints import failpoint
from xstilts.identity import stream_seed
from xstilts.steps import variants

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

SCORES = "scores.parquet"
COUNTS = "counts.parquet"


def score(inputs: Mapping[str, Any], predictions: Path, out: Path) -> list[dict[str, Any]]:
    """Score one file of predictions; write ``scores.parquet`` and ``counts.parquet``.

    The counts have a row for every group and metric (of the variant that counts): ``metric``,
    ``group`` (its `group_hash`), ``units``, ``counts`` (their sums).

    Args:
        inputs: the step's identity: ``language`` and ``metrics`` (name -> version).
        predictions: the predict step's Parquet file.
        out: an empty folder.

    Returns:
        One row a metric and variant (see ``variants``): ``metric``, ``value`` in [0, 1], ``n``
        units, ``main`` (one variant of each metric counts), ``layer`` (None but in retrieval
        without training), ``part`` (``evaluate``, or ``tune``: the rows that were tuned on),
        ``threshold`` and what it was ``tuned_on``, ``selected`` (whether tuning rows chose the
        layer).
    """
    import pyarrow as pa
    from pyarrow import parquet

    predicted = parquet.read_table(predictions).to_pylist()
    rows, counted_rows = [], []
    for name in inputs["metrics"]:
        metric = metrics.get(name)
        for one in variants.of(predicted, metric, inputs["language"]):
            counts = metrics.counts(metric, one.units, inputs["language"])
            if one.main:
                counted_rows += _by_group(name, one.units, counts)
            rows.append(
                {
                    "metric": name,
                    "metric_version": metric.version,
                    "value": metric.value(counts.sum(axis=0).tolist()),
                    "n": len(one.units),
                    "layer": one.layer,
                    "main": one.main,
                    "part": one.part,
                    "threshold": one.threshold,
                    "tuned_on": one.tuned_on,
                    "selected": one.selected,
                }
            )
    scores, counted = _schemas()
    parquet.write_table(pa.Table.from_pylist(rows, schema=scores), out / SCORES)
    failpoint("scores.saved")
    parquet.write_table(pa.Table.from_pylist(counted_rows, schema=counted), out / COUNTS)
    return rows


def _schemas() -> tuple[Any, Any]:
    """The columns of ``scores.parquet`` and of ``counts.parquet``."""
    import pyarrow as pa

    scores = {
        "metric": pa.string(),
        "metric_version": pa.int32(),
        "value": pa.float64(),
        "n": pa.int64(),
        "layer": pa.int32(),
        "main": pa.bool_(),
        "part": pa.string(),
        "threshold": pa.float64(),
        "tuned_on": pa.string(),
        "selected": pa.bool_(),
    }
    counted = {
        "metric": pa.string(),
        "group": pa.int64(),
        "units": pa.int64(),
        "counts": pa.list_(pa.float64()),
    }
    return pa.schema(scores), pa.schema(counted)


def group_hash(group: object) -> int:
    """The 63-bit number that stands for a group of items in counts."""
    return stream_seed("group", str(group))


def _by_group(name: str, units: list[dict[str, Any]], counts: NDArray) -> list[dict[str, Any]]:
    """The counts of a metric, ``[units, counts]``, summed by group, in the order of the groups."""
    import numpy as np

    names = [str(unit.get("group", number)) for number, unit in enumerate(units)]
    hashes = {group: group_hash(group) for group in set(names)}
    groups, where = np.unique([hashes[group] for group in names], return_inverse=True)
    sums = np.zeros((len(groups), counts.shape[1]))
    np.add.at(sums, where, counts)
    sizes = np.bincount(where)
    return [
        {"metric": name, "group": int(group), "units": int(size), "counts": row.tolist()}
        for group, size, row in zip(groups, sizes, sums, strict=True)
    ]

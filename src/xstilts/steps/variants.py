"""What is scored of one file of predictions, and in how many ways.

Most tasks have one way. Retrieval without training has a score at every layer. BUCC and SQuAD v2.0
have a threshold, which may be tuned on the very rows it is scored on (an upper bound, which papers
print) or on others and carried over. All of them are kept; one of each metric counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from xstilts import metrics
from xstilts.metrics import bitext, span
from xstilts.steps.layers import best_layer, retrieval_layer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from xstilts.metrics import Metric

Part = Literal["evaluate", "tune"]
Rows = list[dict[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One way to score the predictions.

    Attributes:
        units: what the metric takes.
        main: whether it is the score that counts.
        part: the rows that are scored.
        layer: in retrieval without training; 0 is the embeddings.
        selected: whether the layer is the one that tuning rows chose.
        threshold: from which margin on pairs count; above which odds there is no answer.
        tuned_on: the rows that the threshold is best on; None where it was not tuned.
    """

    units: Rows
    main: bool = True
    part: Part = "evaluate"
    layer: int | None = None
    selected: bool = False
    threshold: float | None = None
    tuned_on: Part | None = None


def of(predicted: Rows, metric: Metric, language: str) -> Iterator[Variant]:
    """The variants of prediction rows, as a predict step writes them."""
    if "margin" in predicted[0]:
        return _mined(predicted)
    if "layer" in predicted[0]:
        return _layered(predicted, metric, language)
    if "answer" in predicted[0]:
        return _silenced(predicted, metric, language)
    return iter([Variant(units=predicted)])


def _part(rows: Rows, part: Part) -> Rows:
    return [row for row in rows if row.get("part", "evaluate") == part]


def _by_layer(rows: Rows) -> dict[int, Rows]:
    found: dict[int, Rows] = {}
    for row in rows:
        found.setdefault(row["layer"], []).append(row)
    return dict(sorted(found.items()))


def _layered(predicted: Rows, metric: Metric, language: str) -> Iterator[Variant]:
    """Translations: a score at every layer, the paper's counts."""
    layers = _by_layer(_part(predicted, "evaluate"))
    tuned = {
        layer: metrics.score(metric, rows, language)
        for layer, rows in _by_layer(_part(predicted, "tune")).items()
    }
    counted, chosen = retrieval_layer(max(layers)), best_layer(tuned) if tuned else None
    for layer, units in layers.items():
        yield Variant(units=units, main=layer == counted, layer=layer, selected=layer == chosen)


def _mined(predicted: Rows) -> Iterator[Variant]:
    """Pairs: F1 on the tuning set at its own best threshold, and on the test set at that one.

    The tuning set counts where the test set has no gold pairs; without a tuning set the test set
    is scored at its own best threshold.
    """
    parts = {part: _by_layer(_part(predicted, part)) for part in ("evaluate", "tune")}
    evaluated, tuned = parts["evaluate"], parts["tune"]
    own = tuned or evaluated
    counted = retrieval_layer(max(own))
    thresholds = {layer: bitext.best_threshold(*_mined_pairs(rows)) for layer, rows in own.items()}
    scores = {layer: _pair_f1(rows, thresholds[layer]) for layer, rows in own.items()}
    chosen = best_layer(scores) if tuned else None
    scored = any(row["gold"] for rows in evaluated.values() for row in rows)
    for part, layers in (("tune", tuned), ("evaluate", evaluated if scored else {})):
        for layer, rows in layers.items():
            yield Variant(
                units=_extracted(rows, thresholds[layer]),
                main=layer == counted and part == ("evaluate" if scored else "tune"),
                part="tune" if part == "tune" else "evaluate",
                layer=layer,
                selected=layer == chosen,
                threshold=thresholds[layer],
                tuned_on="tune" if tuned else "evaluate",
            )


def _mined_pairs(rows: Sequence[dict[str, Any]]) -> tuple[list[bitext.Candidate], list[Any]]:
    candidates = [
        bitext.Candidate(row["id"], row["prediction"][0], row["margin"])
        for row in rows
        if row["prediction"]
    ]
    return candidates, [(row["id"], target) for row in rows for target in row["gold"]]


def _extracted(rows: Rows, threshold: float) -> Rows:
    """The rows without the pairs below the threshold, those of them that still say anything."""
    kept = [
        row
        if row["margin"] is not None and row["margin"] >= threshold
        else {**row, "prediction": []}
        for row in rows
    ]
    return [row for row in kept if row["gold"] or row["prediction"]]


def _pair_f1(rows: Rows, threshold: float) -> float:
    units = _extracted(rows, threshold)
    return metrics.score(metrics.get("bitext_f1"), units, "") if units else 0.0


def _silenced(predicted: Rows, metric: Metric, language: str) -> Iterator[Variant]:
    """Questions that may have no answer: as predicted, at the carried threshold, at the best."""

    def measure(gold: Any, prediction: str) -> tuple[float, ...]:
        return metric.counts({"gold": gold, "prediction": prediction}, language)

    units, tuning = _part(predicted, "evaluate"), _part(predicted, "tune")
    yield Variant(units=units, main=not tuning, threshold=0.0)
    for part, rows in (("tune", tuning), ("evaluate", units)):
        if rows:
            threshold = span.best_null_threshold(rows, measure)
            yield Variant(
                units=span.silenced(units, threshold),
                main=part == "tune",
                threshold=threshold,
                tuned_on="tune" if part == "tune" else "evaluate",
            )

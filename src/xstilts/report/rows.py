"""Score rows: one a cell and metric, everything a reader needs to trust the number."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from xstilts.plan import Cell, Plan
    from xstilts.store import Store


def score_rows(
    plan: Plan, store: Store, cells: Sequence[Cell] | None = None
) -> list[dict[str, Any]]:
    """Every finished score of a plan, in the order of the study.

    Args:
        plan: of the study.
        store: where its scores are.
        cells: which scores; None: those of clean rows, ``plan.cells``.

    Returns:
        Rows with ``model, path, seed, source, trained_on, target, language, split, zero_shot,
        metric, value`` (in [0, 1]), ``n`` (units scored), ``main`` (False for retrieval layers that
        do not count), ``headline`` (of those, the metrics whose mean is the task's score),
        ``layer``, ``metric_version``; ``score_id, predict_id, weights_id``, the fingerprints
        ``data`` and ``model_fingerprint``; ``max_steps, max_eval_rows``, the caps of a quick look;
        and of the prediction ``precision, versions, device, threads, seconds`` (for all languages
        together).
        Rows of perturbed cells also have ``perturbation``, ``labels`` (whether they hold under it:
        ``preserving`` or ``possibly changing``) and ``changed_subwords``, a share.
    """
    models = {model.name: fingerprint for fingerprint, model in plan.models.items()}
    fingerprints = models | {rung.name: models[rung.model] for rung in plan.rungs}
    rows: list[dict[str, Any]] = []
    for cell in plan.cells if cells is None else cells:
        if not store.has(cell.score):
            continue
        place = asdict(cell)
        noise = {name: place.pop(name) for name in ("perturbation", "labels")}
        predict = plan.steps[plan.steps[place.pop("score")].parent]
        stage = plan.steps.get(predict.parent)
        about = {
            "score_id": cell.score,
            "predict_id": predict.id,
            "weights_id": predict.inputs["weights"],
            "data": predict.inputs["data"],
            "model_fingerprint": fingerprints[cell.model],
            "max_steps": stage.inputs["max_steps"] if stage else None,
            "max_eval_rows": predict.inputs["max_rows"],
            "precision": predict.inputs.get("precision"),
            **_circumstances(store.record(predict.id)["provenance"]),
        }
        if cell.perturbation:
            changed = store.record(predict.id)["result"]["changed_subwords"]
            about |= {**noise, "changed_subwords": changed}
        for result in store.record(cell.score)["result"]:
            headline = result["main"] and result["metric"] in plan.main_metrics[cell.target]
            rows.append({**place, **result, "headline": headline, **about})
    return rows


def _circumstances(provenance: Mapping[str, Any]) -> dict[str, Any]:
    return {name: provenance[name] for name in ("versions", "device", "threads", "seconds")}

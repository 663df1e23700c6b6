"""From a step of the store to a folder for onnxruntime: which head, and which rows check it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from xstilts import recipes
from xstilts.disk.whole import check_free, whole
from xstilts.errors import AbsentError, UserError, suggest
from xstilts.formats import Limits
from xstilts.sources import Sources
from xstilts.steps import HEADS_INDEX

if TYPE_CHECKING:
    from pathlib import Path

    from xstilts.formats.examples import Example
    from xstilts.steps.onnx_folder import Checked
    from xstilts.store import Store
    from xstilts.tasks import Catalogue
    from xstilts.tasks.base import Task

VECTORS = "vectors"  # the head that is none
ROWS, LANGUAGES = 8, 8  # checked: rows a language, and languages


def head_of(store: Store, step_id: str, asked: str) -> str | None:
    """The head that is meant; None for sentence vectors.

    Raises:
        UserError: if the step is no stage, has no such head, or has several and none is named.
    """
    if (kind := store.record(step_id)["kind"]) != "train":
        raise UserError(f"step {step_id} is a {kind} step: only a trained stage can be exported")
    if asked == VECTORS:
        return None
    heads = json.loads(store.open(step_id).path(HEADS_INDEX).read_text(encoding="utf-8"))
    if asked and asked not in heads:
        raise UserError(f'step {step_id} has no head "{asked}":{suggest(asked, [*heads, VECTORS])}')
    if not asked and len(heads) != 1:
        have = ", ".join(heads) or "none"
        raise UserError(
            f"step {step_id} has {len(heads)} heads ({have}): name one with --head, or take "
            f"--head {VECTORS}"
        )
    return asked or next(iter(heads))


def export(
    store: Store, step_id: str, head: str | None, out: Path, catalogue: Catalogue, *, int8: bool
) -> Checked:
    """Write the folder; nothing is left of it where the check fails.

    Raises:
        UserError: if the folder is in use, weights were evicted, no rows are here to check it on,
            or as `xstilts.steps.onnx_folder.export`.
    """
    from xstilts.steps import onnx_folder
    from xstilts.steps.desk import Desk

    check_free(out)
    finished = store.open(step_id)
    inputs = finished.record["inputs"]
    for name in finished.record["files"]:
        finished.path(name)  # verified
    sources = Sources.from_environment()
    task, rows = _rows(catalogue, sources, inputs.get("source", "hub"), head)
    limits = _limits(inputs, head, task)
    desk = Desk(catalogue=catalogue, sources=sources)
    with whole(out) as part:
        part.mkdir()
        return onnx_folder.export(finished.folder, head, task, rows, limits, part, desk, int8=int8)


def _limits(inputs: dict[str, Any], head: str | None, task: Task) -> Limits:
    """As the head was trained; of an imported one, as `mini` would."""
    item = next((one for one in inputs.get("items", ()) if one["task"] == head), None)
    options = inputs.get("options", {})
    usual = recipes.MINI
    return Limits(
        max_length=item["max_length"] if item else usual.max_length[task.format],
        max_query_length=options.get("max_query_length", usual.max_query_length),
        doc_stride=options.get("doc_stride", usual.doc_stride),
    )


def _rows(
    catalogue: Catalogue, sources: Sources, source: Any, head: str | None
) -> tuple[Task, dict[str, list[Example]]]:
    """A task that the head answers, and rows of it: to evaluate on, or else to train on."""
    reason = ""
    for task in catalogue:
        data = task.sources.get(source)
        if data is None or (head is None and task.format != "retrieval"):
            continue
        trained_on = data.train_on or (task.name if data.train else None)
        if data.evaluate is None or trained_on != head:
            continue
        try:
            codes = (data.languages or task.languages)[:LANGUAGES]
            rows = {code: sources.examples(task, data, "evaluate", code)[:ROWS] for code in codes}
        except AbsentError as error:
            reason = f": {error}"
        else:
            return task, rows
    if head is not None:
        task = catalogue.get(head)
        english = sources.examples(task, catalogue.data(head, source), "train", "en")
        return task, {"en": english[: ROWS * LANGUAGES]}
    raise UserError(f"source {source} has no rows here to check vectors on{reason}")

"""The predict step: per-example predictions of one task, language by language.

All languages of a task run in one length-sorted stream, a few hundred thousand tokens at a time;
each language is handed over as soon as it is complete, so that a kill costs one such portion.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from xstilts import formats
from xstilts.errors import UserError
from xstilts.failpoints import failpoint
from xstilts.formats import Limits
from xstilts.formats.encoded import Encoded
from xstilts.formats.examples import Candidate
from xstilts.steps import checkpoint, forward, noisy
from xstilts.steps.pools import Pools
from xstilts.steps.tuning import Tuning

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from torch import nn

    from xstilts.formats.examples import Example
    from xstilts.model.encoder import Encoder
    from xstilts.model.tokenizer import LoadedTokenizer
    from xstilts.steps.desk import Desk
    from xstilts.tasks.base import Task

PREDICTIONS = "predictions.parquet"
PORTION_TOKENS = 400_000


def predict(
    jobs: Sequence[Mapping[str, Any]],
    weights: tuple[Path | str, str | None],
    desk: Desk,
    heads: Path | None = None,
) -> Iterator[tuple[int, list[dict[str, Any]]]]:
    """Predictions for several languages of one task with one model.

    Args:
        jobs: the inputs of predict steps that differ in language and perturbation only.
        weights: folder (or hub name) and hub revision.
        desk: rows, device, progress.
        heads: the folder of an earlier stage, whose head is to answer; None: that of the weights.

    Yields:
        The number of a job and its rows: ``id``, ``group``, ``gold``, ``prediction`` and what the
        format adds. Where a threshold or a layer is chosen, ``part`` tells the rows that it is
        chosen on (``tune``, never perturbed) from those that are scored (``evaluate``). Perturbed
        rows have ``subwords`` and ``changed``, how many of them the perturbation changed.

    Raises:
        UserError: if the model's head does not fit the task; or, when all other languages have been
            handed over, if the rows of some are not as they should be.
    """
    first = jobs[0]
    task = desk.catalogue.get(first["task"])
    encoder, tokenizer = checkpoint.load(*weights)
    folder = heads or weights[0]
    head = None if first["head"] is None else head_of(folder, first["head"], task, encoder)
    data = desk.catalogue.data(task.name, first["source"])
    pooled = None
    if data.pool is not None:
        pooled = Pools(task, data, encoder, tokenizer, head, desk)

    def beside(rows: list[Example], job: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The predictions of rows by themselves."""
        one = formats.encode(task, rows, tokenizer.backend, Limits(**job["limits"]))
        ((_, found),) = _portion([(0, rows, one)], encoder, head, task, desk, tokenizer)
        return found

    tuning = Tuning(task, data, beside, desk)

    def measured(found: list[dict[str, Any]], job: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The rows; where they were perturbed, with how much of each."""
        if "perturbation" not in job:
            return found
        clean = desk.sources.examples(task, data, "evaluate", job["language"])
        before = [one for one in clean if not isinstance(one, Candidate)][: job["max_rows"]]
        after = noisy.rows(task, before, job, desk)
        changed = noisy.changes(before, after, tokenizer.backend)
        by_id = dict(zip((one.id for one in before), changed, strict=True))
        return [{**row, **by_id.get(row["id"], {"subwords": 0, "changed": 0})} for row in found]

    portion: list[tuple[int, list[Example], Encoded]] = []
    wrong: dict[str, list[str]] = {}  # what is wrong -> in which languages
    for number, job in enumerate(jobs):
        try:
            if pooled is not None:
                with precision(first["precision"], desk):
                    made = pooled.rows(job)
                yield number, measured(made, job)
                continue
            split = job.get("split", "evaluate")
            rows = desk.sources.examples(task, data, split, job["language"])[: job["max_rows"]]
            rows = noisy.rows(task, rows, job, desk)
            encoded = formats.encode(task, rows, tokenizer.backend, Limits(**job["limits"]))
            portion.append((number, rows, encoded))
        except UserError as error:
            wrong.setdefault(str(error), []).append(job["language"])
        tokens = sum(len(one.ids) for _, _, one in portion)
        alone = task.format == "retrieval"  # every layer of every sentence is kept until ranked
        if portion and (alone or tokens >= PORTION_TOKENS or number == len(jobs) - 1):
            with precision(first["precision"], desk):
                done = [
                    (place, tuning.added(measured(found, jobs[place]), jobs[place]))
                    for place, found in _portion(portion, encoder, head, task, desk, tokenizer)
                ]
            yield from done
            portion = []
    if wrong:
        faults = (f"{task.name} in {', '.join(codes)}: {why}" for why, codes in wrong.items())
        raise UserError("; ".join(faults))


def precision(name: str, desk: Desk) -> torch.autocast:
    """In what precision the model runs: ``fp32`` or ``bf16``."""
    device = torch.device(desk.device).type
    return torch.autocast(device, dtype=torch.bfloat16, enabled=name == "bf16")


def write(rows: list[dict[str, Any]], out: Path) -> dict[str, Any]:
    """Write prediction rows to ``out``; returns how many, and what share of sub-words changed."""
    import pyarrow as pa
    from pyarrow import parquet

    parquet.write_table(pa.Table.from_pylist(rows), out / PREDICTIONS)
    failpoint("predictions.saved")
    found: dict[str, Any] = {"rows": len(rows)}
    if rows and "changed" in rows[0]:
        subwords, changed = (sum(row.get(n) or 0 for row in rows) for n in ("subwords", "changed"))
        found["changed_subwords"] = changed / max(subwords, 1)
    return found


def head_of(folder: Path | str, name: str, task: Task, encoder: Encoder) -> nn.Module:
    """The stage's head of that name, for the task.

    Raises:
        UserError: if its labels are not the task's.
    """
    from pathlib import Path

    head, about = checkpoint.load_head(Path(folder), name, encoder)
    if tuple(about["labels"]) != task.labels:  # outputs are named, so they must be the same names
        raise UserError(
            f'the head of "{name}" has labels {", ".join(about["labels"])}; '
            f'"{task.name}" needs {", ".join(task.labels)}'
        )
    return head


def _portion(
    portion: list[tuple[int, list[Example], Encoded]],
    encoder: Encoder,
    head: nn.Module | None,
    task: Task,
    desk: Desk,
    tokenizer: LoadedTokenizer,
) -> Iterator[tuple[int, list[dict[str, Any]]]]:
    encoded = [one for _, _, one in portion]
    outputs: list[Any]
    if task.format == "mlm":
        outputs = [forward.masked_lm(encoder, one, tokenizer, desk) for one in encoded]
    elif head is None:
        outputs = [forward.neighbours(encoder, one, desk) for one in encoded]
    else:
        merged = forward.head_outputs(encoder, head, task.format, _merge(encoded), desk)
        by_token = task.format in ("tagging", "span")
        sizes = [len(one.ids) if by_token else len(one.lengths) for one in encoded]
        outputs = np.split(merged, np.cumsum(sizes)[:-1])
    for (number, rows, one), output in zip(portion, outputs, strict=True):
        yield number, list(formats.decode(task, rows, one, output))


def _merge(parts: list[Encoded]) -> Encoded:
    """Several splits as one; only what the forward pass needs is kept."""

    def shifted(name: str, by: list[int]) -> np.ndarray:
        starts = np.cumsum([0, *by[:-1]])
        pieces = [getattr(p, name)[:-1] + s for p, s in zip(parts, starts, strict=True)]
        return np.concatenate([*pieces, [sum(by)]])

    def joined(name: str) -> np.ndarray:
        return np.concatenate([getattr(p, name) for p in parts])

    return Encoded(
        ids=joined("ids"),
        types=joined("types"),
        owner=joined("owner"),
        offsets=shifted("offsets", [len(p.ids) for p in parts]),
        units=shifted("units", [len(p.lengths) for p in parts]),
    )

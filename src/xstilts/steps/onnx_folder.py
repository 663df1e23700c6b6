"""A head of a stage as a folder that onnxruntime serves, checked against torch on real rows."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from xstilts import formats
from xstilts._version import __version__
from xstilts.errors import UserError
from xstilts.model.padded import Padded
from xstilts.scenario import Serving
from xstilts.steps import checkpoint, onnx
from xstilts.steps.layers import retrieval_layer
from xstilts.steps.serving import Rows, server

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from xstilts.formats import Limits
    from xstilts.formats.encoded import Encoded
    from xstilts.formats.examples import Example
    from xstilts.steps.desk import Desk
    from xstilts.tasks.base import Task

MODEL, ABOUT, README = "model.onnx", "serving.json", "README.md"
TOLERANCE = 1e-4  # of outputs in fp32, for every unit of their size
BATCHES = (1, 3, 32)  # rows at a time in the check: batch and length are dynamic


@dataclass(frozen=True)
class Checked:
    """How an exported model compares with torch.

    Attributes:
        rows: of how many languages together.
        largest_difference: of any output.
        agreement: the share of predictions that are those of a predict step; of vectors, the
            smallest cosine.
    """

    rows: int
    largest_difference: float
    agreement: float


def export(
    stage: Path,
    head_name: str | None,
    task: Task,
    rows: Mapping[str, Sequence[Example]],
    limits: Limits,
    out: Path,
    desk: Desk,
    *,
    int8: bool = False,
) -> Checked:
    """Write ``model.onnx``, tokenizer, ``serving.json`` (labels, limits, the check) and a guide.

    Args:
        stage: a trained stage's folder, or an encoder's.
        head_name: of its head; None: sentence vectors at the layer that counts in retrieval.
        task: of the head's format and labels.
        rows: language -> what to check it on.
        limits: lengths, as it was trained.
        out: an empty folder.
        desk: on the CPU.
        int8: quantised.

    Raises:
        UserError: if something is not installed, the architecture cannot be exported, or the file
            answers otherwise than torch.
    """
    encoder, tokenizer = checkpoint.load(stage)
    head = checkpoint.load_head(stage, head_name, encoder)[0] if head_name else None
    layer = retrieval_layer(int(encoder.config.num_hidden_layers))
    module = Padded(encoder, head, task.format, layer).eval()
    pad_id = int(encoder.config.pad_token_id or 0)
    onnx.write(module, out / MODEL, int8=int8)
    tokenizer.save(out)
    session = onnx.Session(out / MODEL, torch.get_num_threads())
    every = [row for some in rows.values() for row in some]
    encoded = formats.encode(task, every, tokenizer.backend, limits)
    # A packed encoder of its own: what predict steps answer with.
    usual = checkpoint.load(stage)
    own = checkpoint.load_head(stage, head_name, usual[0])[0].eval() if head_name else None
    predicted = server(usual, own, task.format, Serving(), desk).outputs(encoded)
    answered = Rows(session, task.format, pad_id, desk).outputs(encoded)
    checked = Checked(
        len(every),
        _difference(module, session, encoded, pad_id),
        _agreement(task, every, encoded, predicted, answered),
    )
    if not int8 and checked.largest_difference > TOLERANCE:
        raise UserError(
            f"the exported model differs from torch by {checked.largest_difference:.2g} on real "
            f"rows, more than {TOLERANCE:g}: it is not to be trusted"
        )
    about = _about(task, list(rows), session, pad_id, limits, checked, int8=int8)
    text = json.dumps(about, indent=1, ensure_ascii=False)
    (out / ABOUT).write_text(text + "\n", encoding="utf-8")
    (out / README).write_text(_guide(task, checked, int8=int8), encoding="utf-8")
    return checked


def _about(
    task: Task,
    languages: list[str],
    session: onnx.Session,
    pad_id: int,
    limits: Limits,
    checked: Checked,
    *,
    int8: bool,
) -> dict[str, Any]:
    """What ``serving.json`` says."""
    return {
        "task": task.name,
        "format": task.format,
        "labels": list(task.labels),
        "languages": languages,
        "inputs": list(session.inputs),
        "pad_id": pad_id,
        "max_length": limits.max_length,
        "precision": "int8" if int8 else "fp32",
        "checked": vars(checked),
        "xstilts": __version__,
    }


def _difference(module: Padded, session: onnx.Session, encoded: Encoded, pad_id: int) -> float:
    """The largest difference of any output, for every unit of the largest output beyond 1."""
    worst, first = 0.0, 0
    for batch in (*BATCHES, len(encoded.lengths)):
        places = range(first, min(first + batch, len(encoded.lengths)))
        slices = encoded.slices(places)
        if not slices:
            break
        ids, mask, types = onnx.padded_arrays(
            [encoded.ids[one] for one in slices], [encoded.types[one] for one in slices], pad_id
        )
        arrays = (ids, mask, types)[: len(session.inputs)]
        with torch.inference_mode():
            expected = module(*map(torch.from_numpy, arrays)).numpy()
        difference = np.abs(session(*arrays) - expected)
        if module.by_token:
            difference = difference[mask.astype(bool)]
        worst = max(worst, float(difference.max()) / max(1.0, float(np.abs(expected).max())))
        first += batch
    return worst


def _agreement(
    task: Task, rows: Sequence[Example], encoded: Encoded, one: NDArray, other: NDArray
) -> float:
    if task.format == "retrieval":
        sizes = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
        return float(((one * other).sum(1) / sizes).min())
    answers: list[list[Any]] = [
        [row["prediction"] for row in formats.decode(task, rows, encoded, outputs)]
        for outputs in (one, other)
    ]
    return float(np.mean([mine == theirs for mine, theirs in zip(*answers, strict=True)]))


_START = """\
import json, numpy, onnxruntime, pathlib
from tokenizers import Tokenizer

about = json.loads(pathlib.Path("serving.json").read_text())
tokenizer = Tokenizer.from_file("tokenizer.json")
tokenizer.enable_padding(pad_id=about["pad_id"])
tokenizer.enable_truncation(about["max_length"])
session = onnxruntime.InferenceSession("model.onnx")
{rows}
names = {{"input_ids": "ids", "attention_mask": "attention_mask", "token_type_ids": "type_ids"}}
inputs = {{name: [getattr(row, names[name]) for row in rows] for name in about["inputs"]}}
(output,) = session.run(None, {{name: numpy.array(table) for name, table in inputs.items()}})
{answer}
"""
# Format -> how its rows become tokens, and its output an answer.
_LINES = {
    "classification": (
        'rows = tokenizer.encode_batch([("A man eats.", "Somebody eats.")])',
        'print([about["labels"][best] for best in output.argmax(-1)])',
    ),
    "multiple_choice": (
        (
            'choices = ["She ate.", "It rained."]\n'
            'rows = tokenizer.encode_batch([("She was hungry.", choice) for choice in choices])'
        ),
        "print(choices[output[:, 0].argmax()])",
    ),
    "tagging": (
        'rows = tokenizer.encode_batch([["Two", "children", "sing"]], is_pretokenized=True)',
        (
            'tags = [about["labels"][best] for best in output[0].argmax(-1)]\n'
            "words = rows[0].word_ids\n"
            "print([tags[i] for i, w in enumerate(words) if w is not None and w != words[i - 1]])"
        ),
    ),
    "span": (
        (
            'question, context = "Who sings?", "Two children sing by the river."\n'
            "rows = tokenizer.encode_batch([(question, context)])"
        ),
        (
            "inside = numpy.array([one == 1 for one in rows[0].sequence_ids])\n"
            "start, end = numpy.where(inside[:, None], output[0], -numpy.inf).argmax(0)\n"
            "print(context[rows[0].offsets[start][0] : rows[0].offsets[end][1]])"
        ),
    ),
    "retrieval": (
        'rows = tokenizer.encode_batch(["Two children sing.", "Zwei Kinder singen."])',
        "print(output @ output.T)",
    ),
}


def _guide(task: Task, checked: Checked, *, int8: bool) -> str:
    rows, answer = _LINES[task.format]
    what = "smallest cosine" if task.format == "retrieval" else "share of equal predictions"
    precision = "int8 (dynamic quantisation)" if int8 else "fp32"
    return (
        f"# {task.name}, {task.format.replace('_', ' ')}, ONNX {precision}\n\n"
        f"Checked against torch on {checked.rows} rows: largest difference of an output "
        f"{checked.largest_difference:.2g}, {what} {checked.agreement:.4f}. Batch and length are "
        "dynamic.\n\n"
        f"```python\n{_START.format(rows=rows, answer=answer)}```\n"
    )

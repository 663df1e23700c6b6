"""Formats: typed examples -> model inputs, and the model's outputs -> predictions.

Each format is a module with ``encode`` and, where it is evaluated, ``decode``. No torch here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from xstilts.formats import (
    classification,
    mlm,
    multiple_choice,
    retrieval,
    span,
    tagging,
    text2text,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray
    from tokenizers import Tokenizer

    from xstilts.formats.encoded import Encoded
    from xstilts.formats.examples import Example
    from xstilts.tasks.base import Task

_MODULES: dict[str, Any] = {
    "classification": classification,
    "multiple_choice": multiple_choice,
    "tagging": tagging,
    "span": span,
    "retrieval": retrieval,
    "mlm": mlm,
    "text2text": text2text,
}


@dataclass(frozen=True)
class Limits:
    """How long a sequence may be.

    Attributes:
        max_length: tokens of a sequence, special tokens included.
        max_query_length: tokens of a question.
        doc_stride: tokens from the start of one window to the start of the next.
    """

    max_length: int = 128
    max_query_length: int = 64
    doc_stride: int = 128


def encode(
    task: Task, examples: Sequence[Example], tokenizer: Tokenizer, limits: Limits
) -> Encoded:
    """The examples as flat arrays, with the targets the format documents."""
    return _MODULES[task.format].encode(task, examples, tokenizer, limits)


def decode(
    task: Task, examples: Sequence[Example], encoded: Encoded, outputs: NDArray | Sequence[str]
) -> Iterator[dict[str, Any]]:
    """Prediction rows, in the order of the examples; the shape of ``outputs`` is the format's."""
    return _MODULES[task.format].decode(task, examples, encoded, outputs)

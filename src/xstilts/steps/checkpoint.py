"""A trained stage as a folder: a plain Hugging Face encoder, its tokenizer, its heads."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from xstilts.errors import UserError
from xstilts.failpoints import failpoint
from xstilts.model import encoder as encoders
from xstilts.model import heads, text_to_text, tokenizer
from xstilts.steps import HEADS_INDEX

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torch import nn

    from xstilts.model.encoder import Encoder
    from xstilts.model.text_to_text import TextToText
    from xstilts.model.tokenizer import LoadedTokenizer

    Weights = tuple[Path | str, str | None]  # a folder, or a name on the hub and its revision

HEADS = "heads.safetensors"
EVICTABLE = (encoders.WEIGHTS, HEADS)


def save(
    folder: Path,
    encoder: Encoder | TextToText,
    loaded_tokenizer: LoadedTokenizer,
    task_heads: Mapping[str, nn.Module],
    labels: Mapping[str, tuple[str, tuple[str, ...]]],
) -> None:
    """Write a stage.

    Args:
        folder: where.
        encoder: what the next stage keeps.
        loaded_tokenizer: copied beside it.
        task_heads: task -> head.
        labels: task -> (format, labels in the order of the head's outputs).
    """
    from safetensors.torch import save_file

    encoders.save(encoder, folder)
    loaded_tokenizer.save(folder)
    tensors = {
        f"{task}.{name}": tensor.detach().cpu().contiguous()
        for task, head in task_heads.items()
        for name, tensor in head.state_dict().items()
    }
    save_file(tensors, folder / HEADS)
    failpoint("heads.saved")
    index = {
        task: {"format": labels[task][0], "labels": list(labels[task][1])} for task in task_heads
    }
    written = json.dumps(index, indent=1, ensure_ascii=False)
    (folder / HEADS_INDEX).write_text(written, encoding="utf-8")


def load_head(folder: Path, task: str, encoder: Encoder) -> tuple[nn.Module, dict[str, Any]]:
    """The head of one of a stage's tasks, and ``{"format", "labels"}``.

    Raises:
        UserError: if the stage has no such head.
    """
    from safetensors.torch import load_file

    index = json.loads((folder / HEADS_INDEX).read_text(encoding="utf-8"))
    if task not in index:
        raise UserError(f'{folder} has no head for "{task}"; it has: {", ".join(sorted(index))}')
    about = index[task]
    head = heads.build(about["format"], len(about["labels"]), encoder)
    assert head is not None
    prefix = f"{task}."
    tensors = load_file(folder / HEADS)
    head.load_state_dict({n[len(prefix) :]: t for n, t in tensors.items() if n.startswith(prefix)})
    return head, about


def load(folder: Path | str, revision: str | None = None) -> tuple[Encoder, LoadedTokenizer]:
    """Encoder and tokenizer of a stage's folder, a Hugging Face folder, or a hub name.

    Raises:
        UserError: if either cannot be loaded.
    """
    return encoders.load(folder, revision), tokenizer.load(folder, revision)


def load_whole(
    folder: Path | str, revision: str | None = None
) -> tuple[TextToText, LoadedTokenizer]:
    """A whole encoder-decoder and its tokenizer, as ``load``.

    Raises:
        UserError: if either cannot be loaded, or there is only an encoder.
    """
    return text_to_text.load(folder, revision), tokenizer.load(folder, revision)

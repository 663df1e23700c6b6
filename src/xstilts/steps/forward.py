"""Running an encoder over encoded data without gradients: what prediction and selection share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import functional

from xstilts.steps.batches import evaluation_batches

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from torch import nn

    from xstilts.formats.encoded import Encoded
    from xstilts.model.encoder import Encoder
    from xstilts.steps.desk import Desk
    from xstilts.tasks.base import Format

Output = "NDArray"
RANKED = 20  # neighbours kept of each query


@torch.inference_mode()
def head_outputs(
    encoder: Encoder, head: nn.Module, format_: Format, encoded: Encoded, desk: Desk
) -> NDArray:
    """What the format decodes, in the order of ``encoded``.

    Returns:
        classification: float32 ``[S, labels]``; multiple_choice: float32 ``[S]``; tagging: int64
        ``[T]``, the best tag at every token; span: float32 ``[T, 2]``.
    """
    sequences, tokens = len(encoded.lengths), len(encoded.ids)
    outputs: NDArray | None = None

    def take(numbers: NDArray[np.int64], states: torch.Tensor, batch: object) -> None:
        nonlocal outputs
        logits = head(encoder, states, batch).float()
        if format_ == "tagging":
            logits = logits.argmax(-1)
        elif format_ == "multiple_choice":
            logits = logits[:, 0]
        values = logits.cpu().numpy()
        if outputs is None:
            size = tokens if format_ in ("tagging", "span") else sequences
            outputs = np.zeros((size, *values.shape[1:]), values.dtype)
        if format_ in ("tagging", "span"):
            outputs[_token_places(encoded, numbers)] = values
        else:
            outputs[numbers] = values

    _stream(encoder, head, encoded, desk, take)
    assert outputs is not None
    return outputs


@torch.inference_mode()
def neighbours(encoder: Encoder, encoded: Encoded, desk: Desk) -> NDArray[np.int64]:
    """The nearest foreign sentences of every English one, by cosine, at every layer.

    Embeddings are means over all tokens, special ones included; the index is the first half of
    the sequences, the queries the second. Equal similarities go to the lower number. Source:
    XTREME's evaluate_retrieval.py.

    Returns:
        int64 ``[layers + 1, queries, 20]`` (fewer where there are fewer sentences).
    """
    table: torch.Tensor | None = None

    def take(numbers: NDArray[np.int64], states: torch.Tensor, batch: object) -> None:
        nonlocal table
        lengths = torch.tensor(batch.lengths, device=states.device)  # type: ignore[attr-defined]
        owner = torch.repeat_interleave(lengths)
        sums = states.new_zeros(states.shape[0], len(lengths), states.shape[2])
        means = sums.index_add_(1, owner, states) / lengths[:, None]
        if table is None:
            table = torch.zeros(states.shape[0], len(encoded.lengths), states.shape[2])
        table[:, torch.from_numpy(numbers)] = functional.normalize(means.float(), dim=-1).cpu()

    _stream(encoder, None, encoded, desk, take)
    assert table is not None
    half = table.shape[1] // 2
    similarity = table[:, half:] @ table[:, :half].transpose(1, 2)
    order = similarity.sort(dim=-1, descending=True, stable=True).indices
    return order[..., :RANKED].numpy()


def _stream(
    encoder: Encoder,
    head: nn.Module | None,
    encoded: Encoded,
    desk: Desk,
    take: Callable[[NDArray[np.int64], torch.Tensor, object], None],
) -> None:
    device = torch.device(desk.device)
    encoder.to(device).eval()
    if head is not None:
        head.to(device).eval()
    done = tokens = 0
    for numbers, cpu_batch in evaluation_batches(encoded, desk.token_budget):
        batch = cpu_batch.to(device)
        states = encoder(batch) if head is not None else torch.stack(encoder.layers(batch))
        take(numbers, states, batch)
        done, tokens = done + len(numbers), tokens + len(batch.ids)
        desk.progress(done, len(encoded.lengths), tokens)


def _token_places(encoded: Encoded, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.concatenate([np.arange(encoded.offsets[s], encoded.offsets[s + 1]) for s in numbers])

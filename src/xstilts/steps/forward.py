"""Running an encoder over encoded data without gradients: what prediction and selection share."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import functional

from xstilts.errors import UserError
from xstilts.formats.encoded import Template
from xstilts.model import heads
from xstilts.model.packing import Batch
from xstilts.steps import blame
from xstilts.steps.batches import collate, evaluation_batches, group_by_budget

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray
    from torch import nn

    from xstilts.formats.encoded import Encoded
    from xstilts.model.encoder import Encoder
    from xstilts.model.text_to_text import TextToText
    from xstilts.model.tokenizer import LoadedTokenizer
    from xstilts.steps.desk import Desk
    from xstilts.tasks.base import Format

RANKED = 20  # neighbours kept of each query
SORTED_WHOLE = 50_000  # candidates
MASKED_LM_SEED = 0
BLOCK_BYTES = 256 * 2**20  # of similarities at a time, in each layer


def precision(name: str, desk: Desk) -> torch.autocast:
    """In what precision the model runs: ``fp32`` or ``bf16``."""
    device = torch.device(desk.device).type
    return torch.autocast(device, dtype=torch.bfloat16, enabled=name == "bf16")


@torch.inference_mode()
def head_outputs(
    encoder: Encoder,
    head: nn.Module,
    format_: Format,
    encoded: Encoded,
    desk: Desk,
    seconds: NDArray[np.float64] | None = None,
) -> NDArray:
    """What the format decodes, in the order of ``encoded``.

    Args:
        encoder, head, format_, encoded, desk: of what, and where.
        seconds: ``[S]``; to each sequence is added what it took: a batch's time, by tokens.

    Returns:
        classification: float32 ``[S, labels]``; multiple_choice: float32 ``[S]``; tagging: int64
        ``[T]``, the best tag at every token; span: float32 ``[T, 2]``; retrieval: int64
        ``[1, U, 20]``, the units whose answers are nearest to each query.

    Raises:
        UserError: if an answer is no number.
    """
    if format_ == "retrieval":
        found = vectors(encoder, head, encoded, desk)
        return nearest(found[:, ::2], found[:, 1::2])
    sequences, tokens = len(encoded.lengths), len(encoded.ids)
    outputs: NDArray | None = None

    def take(numbers: NDArray[np.int64], states: torch.Tensor, batch: Batch) -> None:
        nonlocal outputs
        logits = head(encoder, states, batch).float()
        _refuse(logits, encoder, head, numbers)
        if format_ == "tagging":
            logits = logits.argmax(-1)
        elif format_ == "multiple_choice":
            logits = logits[:, 0]
        values = logits.cpu().numpy()
        if outputs is None:
            size = tokens if format_ in ("tagging", "span") else sequences
            outputs = np.zeros((size, *values.shape[1:]), values.dtype)
        if format_ in ("tagging", "span"):
            outputs[encoded.token_places(numbers)] = values
        else:
            outputs[numbers] = values

    _stream(encoder, head, encoded, desk, take, seconds)
    assert outputs is not None
    return outputs


@torch.inference_mode()
def generated(
    model: TextToText,
    encoded: Encoded,
    tokenizer: LoadedTokenizer,
    most: int,
    desk: Desk,
    seconds: NDArray[np.float64] | None = None,
    written: NDArray[np.int64] | None = None,
) -> list[str]:
    """What an encoder-decoder answers, one text a unit; the longest inputs are asked first.

    Args:
        model, encoded, tokenizer, desk: of what, and where.
        most: tokens of an answer, its end included.
        seconds: ``[S]``; to what is asked is added what it took: a batch's time, by tokens.
        written: ``[U]``; takes the tokens of each answer, its end included.

    Raises:
        UserError: if a parameter is no number.
    """
    if broken := blame.unsound(model):
        raise UserError(f'parameter "{broken}" is no number: train or import these weights again')
    device = torch.device(desk.device)
    model.to(device).eval()
    end = Template.of(tokenizer.backend).single_suffix[0]
    asked = np.arange(0, len(encoded.lengths), 2)  # each with its right answer after it
    lengths = encoded.lengths[asked]
    texts = [""] * len(asked)
    done = tokens = 0
    for group in reversed(group_by_budget(lengths + most, desk.token_budget)):
        started = time.perf_counter()
        ids = np.concatenate([encoded.sequence(asked[unit]) for unit in group]).astype(np.int64)
        flat = torch.from_numpy(ids)
        batch = Batch(flat, torch.zeros_like(flat), tuple(lengths[group].tolist()))
        for unit, answer in zip(group, model.generate(batch.to(device), most, end), strict=True):
            texts[unit] = tokenizer.text(answer)
            if written is not None:
                written[unit] = min(len(answer) + 1, most)
        if seconds is not None:
            share = lengths[group] / len(ids)
            seconds[asked[group]] += (time.perf_counter() - started) * share
        done, tokens = done + len(group), tokens + len(ids)
        desk.progress(done, len(asked), tokens)
    return texts


@torch.inference_mode()
def vectors(
    encoder: Encoder,
    head: nn.Module | None,
    encoded: Encoded,
    desk: Desk,
    layers: Sequence[int] | None = None,
) -> torch.Tensor:
    """A vector for each sequence, float32 on the CPU.

    Args:
        encoder: of the model.
        head: a dual encoder's; None: the mean of all tokens, special ones included, at unit
            length, from one pass for all layers (XTREME's evaluate_retrieval.py).
        encoded: the sequences.
        desk: where to compute.
        layers: those to keep, 0 the embeddings; None: all of them.

    Returns:
        ``[layers, S, H]``, with a head ``[1, S, H]``.
    """
    table: torch.Tensor | None = None

    def take(numbers: NDArray[np.int64], states: torch.Tensor, batch: Batch) -> None:
        nonlocal table
        if head is not None:
            found = head(encoder, states, batch)[None]
        else:
            kept = states if layers is None else states[list(layers)]
            found = functional.normalize(batch.means(kept).float(), dim=-1)
        _refuse(found, encoder, head, numbers)
        if table is None:
            table = torch.zeros(found.shape[0], len(encoded.lengths), found.shape[2])
        table[:, torch.from_numpy(numbers)] = found.float().cpu()

    _stream(encoder, head, encoded, desk, take)
    assert table is not None
    return table


@torch.inference_mode()
def masked_lm(
    encoder: Encoder, encoded: Encoded, tokenizer: LoadedTokenizer, desk: Desk
) -> NDArray[np.float64]:
    """The loss of hidden tokens; which ones are hidden is a function of a unit's number.

    Returns:
        float64 ``[U, 2]``: summed negative log-likelihood in nats, and how many tokens were hidden.

    Raises:
        UserError: if the encoder has no masked-LM head.
    """
    device = torch.device(desk.device)
    encoder.to(device).eval()
    found = np.zeros((len(encoded), 2))
    for units in group_by_budget(encoded.unit_tokens, desk.token_budget):
        micro = collate("mlm", encoded, units, seed=MASKED_LM_SEED, tokenizer=tokenizer).to(device)
        batch = replace(micro.batch, keys=None)
        places = micro.targets["places"]
        logits = encoder.masked_lm_logits(encoder(batch)[places]).float()
        losses = functional.cross_entropy(logits, micro.targets["hidden_ids"], reduction="none")
        _refuse(losses, encoder, None, units)
        # Sequences of a batch stand in order of length, as in ``collate``.
        order = units[np.argsort(encoded.lengths[units], kind="stable")]
        owner = np.repeat(order, batch.lengths)[places.cpu().numpy()]
        np.add.at(found[:, 0], owner, losses.double().cpu().numpy())
        np.add.at(found[:, 1], owner, 1)
    return found


def neighbours(encoder: Encoder, encoded: Encoded, desk: Desk) -> NDArray[np.int64]:
    """The nearest foreign sentences of every English one, by cosine, at every layer.

    The index is the first half of the sequences, the queries the second. Source: XTREME's
    evaluate_retrieval.py.

    Returns:
        int64 ``[layers + 1, queries, 20]`` (fewer where there are fewer sentences).
    """
    table = vectors(encoder, None, encoded, desk)
    half = table.shape[1] // 2
    return nearest(table[:, half:], table[:, :half])


def nearest(queries: torch.Tensor, index: torch.Tensor) -> NDArray[np.int64]:
    """The vectors with the greatest inner products; of equal ones the lower number comes first.

    Args:
        queries: ``[..., n, H]``.
        index: ``[..., m, H]``. Where ``m`` is large, equals at the very end may be any of them.

    Returns:
        int64 ``[..., n, 20]`` (fewer where the index has fewer).
    """
    size = max(1, BLOCK_BYTES // (4 * index.shape[-2]))
    # Vectors are fp32; a product in bf16 would make ties of what they tell apart.
    with torch.autocast(index.device.type, enabled=False):
        found = [_nearest(block, index) for block in queries.split(size, dim=-2)]
    return torch.cat(found, dim=-2).numpy()


def _nearest(queries: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
    similarity = queries @ index.transpose(-1, -2)
    places = torch.arange(index.shape[-2]).expand(similarity.shape)
    if index.shape[-2] > SORTED_WHOLE:
        places = similarity.topk(2 * RANKED).indices.sort().values
        similarity = similarity.gather(-1, places)
    order = similarity.sort(dim=-1, descending=True, stable=True).indices[..., :RANKED]
    return places.gather(-1, order)


def _stream(
    encoder: Encoder,
    head: nn.Module | None,
    encoded: Encoded,
    desk: Desk,
    take: Callable[[NDArray[np.int64], torch.Tensor, Batch], None],
    seconds: NDArray[np.float64] | None = None,
) -> None:
    device = torch.device(desk.device)
    encoder.to(device).eval()
    if head is not None:
        head.to(device).eval()
    done = tokens = 0
    for numbers, cpu_batch in evaluation_batches(encoded, desk.token_budget):
        started = time.perf_counter()
        batch = cpu_batch.to(device)
        if head is not None:
            states = heads.states_for(head, encoder, batch)
        else:
            states = torch.stack(encoder.layers(batch))
        take(numbers, states, batch)  # on the CPU, so a device has finished
        if seconds is not None:
            share = np.array(batch.lengths) / len(batch.ids)
            seconds[numbers] += (time.perf_counter() - started) * share
        done, tokens = done + len(numbers), tokens + len(batch.ids)
        desk.progress(done, len(encoded.lengths), tokens)


def _refuse(
    found: torch.Tensor, encoder: Encoder, head: nn.Module | None, numbers: NDArray[np.int64]
) -> None:
    """Stop where an answer is no number: it would be decoded as if it were one."""
    if blame.is_number(found):
        return
    place, broken = "the encoder", blame.unsound(encoder)
    if broken is None and head is not None:
        place, broken = "the head", blame.unsound(head)
    why = f'parameter "{broken}" of {place} is none' if broken else "all parameters are numbers"
    raise UserError(
        f"the model's answers to a batch of {len(numbers)} inputs (number {numbers.min() + 1:,} "
        f"and others) hold NaN or infinity: {why}; train or import these weights again"
    )

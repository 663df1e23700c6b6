"""From encoded units to packed micro-batches.

An optimiser step sees exactly the recipe's units, in an order that is a function of the seed; only
inside a step are they sorted and grouped, which changes nothing but the time it takes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from xstilts.formats import mlm, spans
from xstilts.formats.encoded import Template
from xstilts.formats.tagging import IGNORE
from xstilts.identity import stream_seed
from xstilts.model.dropout import row_keys
from xstilts.model.packing import Batch

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from xstilts.formats.encoded import Encoded
    from xstilts.model.tokenizer import LoadedTokenizer
    from xstilts.tasks.base import Format

EVEN_OVER = 16  # batches that share their units out by tokens


@dataclass(frozen=True)
class MicroBatch:
    """Packed sequences with their targets, named as in ``heads.loss_sum``."""

    batch: Batch
    targets: dict[str, torch.Tensor]

    def to(self, device: torch.device) -> MicroBatch:
        """The same on another device."""
        moved = {name: t.to(device, non_blocking=True) for name, t in self.targets.items()}
        return MicroBatch(self.batch.to(device), moved)

    def pinned(self) -> MicroBatch:
        """The same in memory that a GPU fetches from while the process goes on."""
        targets = {name: t.pin_memory() for name, t in self.targets.items()}
        return MicroBatch(self.batch.pinned(), targets)

    def count(self) -> int:
        """How many targets its loss sums: tagged words, tokens of answers, windows or examples."""
        if "tags" in self.targets:
            return int((self.targets["tags"] != IGNORE).sum())
        name = next(n for n in ("hidden_ids", "answer_ids", "label", "span") if n in self.targets)
        return len(self.targets[name])


def step_units(seed: int, units: int, size: int, step: int) -> NDArray[np.int64]:
    """The units of a task's ``step``-th batch: an endless row of permutations, cut into batches.

    Args:
        seed: of the task's order in this stage.
        units: how many there are.
        size: of a batch.
        step: counted from 0, over this task's own batches.
    """
    first, last = step * size, (step + 1) * size
    epochs = range(first // units, (last - 1) // units + 1)
    order = np.concatenate([_permutation(seed, units, epoch) for epoch in epochs])
    offset = epochs[0] * units
    return order[first - offset : last - offset]


def even_units(seed: int, encoded: Encoded, size: int, step: int) -> NDArray[np.int64]:
    """The units of a batch that has about as many tokens as the others, of about one length.

    The units of ``EVEN_OVER`` batches are sorted by length and cut where a batch's share of their
    tokens ends: few long ones, or many short ones. Batches come in random order.

    Args:
        seed: of the task's order in this stage.
        encoded: the task's data.
        size: of a batch, on average.
        step: counted from 0, over this task's own batches.
    """
    turn, place = divmod(step, EVEN_OVER)
    units = step_units(seed, len(encoded), EVEN_OVER * size, turn)
    tokens = encoded.tokens_of(units)
    order = np.argsort(tokens, kind="stable")
    ends = np.cumsum(tokens[order])
    inner = np.arange(1, EVEN_OVER)
    cuts = np.searchsorted(ends, inner * ends[-1] / EVEN_OVER) + 1
    # A unit may be longer than a share: every batch has one, all the same.
    cuts = np.maximum.accumulate(cuts - inner) + inner
    cuts = np.minimum(cuts, len(units) - EVEN_OVER + inner)
    which = np.random.default_rng(stream_seed("even", seed, turn)).permutation(EVEN_OVER)
    return np.split(units[order], cuts)[which[place]]


_PERMUTATIONS: dict[tuple[int, int, int], NDArray[np.int64]] = {}


def _permutation(seed: int, units: int, epoch: int) -> NDArray[np.int64]:
    key = (seed, units, epoch)
    if key not in _PERMUTATIONS:
        if len(_PERMUTATIONS) > 32:
            _PERMUTATIONS.clear()
        stream = np.random.default_rng(stream_seed("order", seed, epoch))
        _PERMUTATIONS[key] = stream.permutation(units)
    return _PERMUTATIONS[key]


def group_by_budget(tokens: NDArray[np.int64], budget: float) -> list[NDArray[np.int64]]:
    """Indices in groups of similar length with at most ``budget`` tokens, at least one each.

    Args:
        tokens: of each unit, ``[n]``.
        budget: tokens in a group.
    """
    order = np.argsort(tokens, kind="stable")
    groups, start, total = [], 0, 0
    for place, index in enumerate(order):
        if place > start and total + tokens[index] > budget:
            groups.append(order[start:place])
            start, total = place, 0
        total += int(tokens[index])
    if start < len(order):
        groups.append(order[start:])
    return groups


def collate(
    format_: Format,
    encoded: Encoded,
    units: NDArray[np.int64],
    *,
    seed: int | None,
    tokenizer: LoadedTokenizer,
) -> MicroBatch:
    """One packed micro-batch; from text to text, of what is asked, with the answers as targets.

    Args:
        format_: names the targets.
        encoded: the task's data.
        units: which units, ``[n]``.
        seed: of the optimiser step, for dropout and masking; None in evaluation.
        tokenizer: for masking.
    """
    if format_ in ("text2text", "spans"):
        rows = [[encoded.sequence(s) for s in range(*encoded.units[u : u + 2])] for u in units]
        drawn = [] if seed is None else [stream_seed(seed, int(unit)) for unit in units]
        if format_ == "spans":
            template = Template.of(tokenizer.backend)
            first, end = len(template.prefix), len(template.single_suffix)
            texts = [row[first : len(row) - end] for (row,) in rows]
            rows = leave_out(texts, drawn, tokenizer, template)
        return answered(rows, drawn)
    sequences = np.concatenate(
        [np.arange(encoded.units[unit], encoded.units[unit + 1]) for unit in units]
    )
    row = np.repeat(np.arange(len(units)), encoded.units[units + 1] - encoded.units[units])
    choice = sequences - encoded.units[units][row]
    order = np.argsort(encoded.sequence_lengths(sequences), kind="stable")
    sequences, row, choice = sequences[order], row[order], choice[order]
    slices = encoded.slices(sequences)
    lengths = tuple(encoded.sequence_lengths(sequences).tolist())
    ids = [encoded.ids[one] for one in slices]
    seeds = [] if seed is None else [stream_seed(seed, int(s)) for s in sequences]
    arrays: dict[str, NDArray] = {}
    match format_:
        case "classification":
            arrays["label"] = encoded.targets["label"][units][row]
        case "multiple_choice":
            arrays["label"] = encoded.targets["label"][units]
            arrays["unit"], arrays["choice"] = row, choice
        case "retrieval":  # the answer of each query is the one of its own unit
            arrays["label"] = np.arange(len(units))
            arrays["unit"], arrays["choice"] = row, choice
        case "tagging":
            arrays["tags"] = np.concatenate([encoded.targets["tags"][one] for one in slices])
        case "span":
            arrays["span"] = encoded.targets["span"][sequences]
        case "mlm":
            ids, arrays = hide_tokens(ids, seeds, tokenizer)
    batch = Batch(
        ids=torch.from_numpy(np.concatenate(ids).astype(np.int64)),
        types=torch.from_numpy(np.concatenate([encoded.types[s] for s in slices]).astype(np.int64)),
        lengths=lengths,
        keys=row_keys(seeds, lengths) if seeds else None,
    )
    return MicroBatch(batch, {name: torch.from_numpy(array) for name, array in arrays.items()})


def leave_out(
    texts: Sequence[NDArray[np.int32]],
    seeds: Sequence[int],
    tokenizer: LoadedTokenizer,
    template: Template,
) -> list[list[NDArray[np.int32]]]:
    """Texts with spans left out, each with what was left out and an end."""
    rows = []
    for ids, seed in zip(texts, seeds, strict=True):
        gone = spans.left_out(len(ids), seed, len(tokenizer.sentinels))
        source, target = spans.apart(ids, gone, tokenizer.sentinels)
        pair = template.single(source), [*target, *template.single_suffix]
        rows.append([np.array(one, np.int32) for one in pair])
    return rows


def answered(rows: Sequence[Sequence[NDArray[np.int32]]], seeds: Sequence[int]) -> MicroBatch:
    """A micro-batch of what is asked, shortest first, with the answers as targets.

    Args:
        rows: of each unit what is asked and the answer.
        seeds: of each unit, for dropout; none in evaluation.
    """
    order = np.argsort([len(asked) for asked, _ in rows], kind="stable")
    (ids, lengths), (answers, answer_lengths) = (
        _flat([rows[n][side] for n in order]) for side in (0, 1)
    )
    own = [seeds[n] for n in order] if seeds else []
    targets = {"answer_ids": answers, "answer_lengths": torch.tensor(answer_lengths)}
    if own:
        drawn = [stream_seed(one, "answer") for one in own]
        targets["answer_keys"] = row_keys(drawn, answer_lengths)
    keys = row_keys(own, lengths) if own else None
    return MicroBatch(Batch(ids, torch.zeros_like(ids), lengths, keys), targets)


def _flat(rows: Sequence[NDArray[np.int32]]) -> tuple[torch.Tensor, tuple[int, ...]]:
    flat = np.concatenate(rows).astype(np.int64)
    return torch.from_numpy(flat), tuple(map(len, rows))


def hide_tokens(
    ids: Sequence[NDArray[np.int32]],
    seeds: Sequence[int],
    tokenizer: LoadedTokenizer,
    share: float = mlm.MASK_SHARE,
) -> tuple[list[NDArray[np.int32]], dict[str, NDArray]]:
    """Sequences with tokens hidden; ``places`` in the packed row and ``hidden_ids`` there."""
    changed, places = [], []
    for one, seed in zip(ids, seeds, strict=True):
        masked, chosen = mlm.mask(one, tokenizer.special, tokenizer.mask_id, seed, share)
        changed.append(masked)
        places.append(chosen)
    where = np.flatnonzero(np.concatenate(places))
    hidden = np.concatenate(ids)[where].astype(np.int64)
    return changed, {"places": where, "hidden_ids": hidden}


def evaluation_batches(encoded: Encoded, budget: int) -> Iterator[tuple[NDArray[np.int64], Batch]]:
    """All sequences, longest batches first, as (sequence numbers in the batch's order, batch)."""
    for group in reversed(group_by_budget(encoded.lengths, budget)):
        slices = encoded.slices(group)
        ids = np.concatenate([encoded.ids[one] for one in slices]).astype(np.int64)
        types = np.concatenate([encoded.types[one] for one in slices]).astype(np.int64)
        lengths = tuple(int(length) for length in encoded.lengths[group])
        yield group, Batch(torch.from_numpy(ids), torch.from_numpy(types), lengths)

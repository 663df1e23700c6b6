"""Heads: from token states to what a format predicts, and the loss of each.

Shapes follow the authors' toolkit (jiant @ daa5a258, modeling/heads.py): classification and
multiple choice have dropout, a square layer with tanh, dropout, and the output layer, on the pooled
first token (T5: on the mean of all tokens); tagging has dropout and one layer; span has one layer
and no dropout. Retrieval is XTREME-R's dual encoder (third_party/bert.py): one encoder for both
sides, the pooled first token at unit length, cosines times a learned scale from 100 on, a softmax
over the batch's answers.
Legend: T tokens, n sequences, U units, H hidden.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional

from xstilts.model.dropout import KeyedDropout

if TYPE_CHECKING:
    from xstilts.model.dropout import KeyHolder
    from xstilts.model.encoder import Encoder
    from xstilts.model.packing import Batch
    from xstilts.tasks.base import Format

FIRST_SITE = 500_000  # dropout sites of heads come after the encoder's
FIRST_SCALE = 100.0  # of the cosines of a dual encoder


class FirstAlone:
    """In place of a batch: a state stands for each sequence already, and there is no dropout."""

    keys = None


def _summed_up(encoder: Encoder, states: torch.Tensor, batch: Batch | FirstAlone) -> torch.Tensor:
    """A state for each sequence ``[n, H]``, of all states ``[T, H]`` or of just the first ones."""
    if isinstance(batch, FirstAlone):  # whose number is a symbol where a module is exported
        return states
    if encoder.pools_mean:
        return batch.means(states)
    return states if len(states) == len(batch.lengths) else states[batch.starts]


class Pooled(nn.Module):
    """One score a class from what sums up each sequence: ``[T, H] -> [n, outputs]``."""

    needs_first_only = True

    def __init__(self, hidden: int, outputs: int, dropout: float, holder: KeyHolder) -> None:
        super().__init__()
        self.dropout_in = KeyedDropout(dropout, FIRST_SITE, holder)
        self.dense = nn.Linear(hidden, hidden)
        self.dropout_out = KeyedDropout(dropout, FIRST_SITE + 1, holder)
        self.out = nn.Linear(hidden, outputs)
        self.holder = holder

    def forward(self, encoder: Encoder, states: torch.Tensor, batch: Batch) -> torch.Tensor:
        """Logits ``[n, outputs]``."""
        self.holder.keys = None if batch.keys is None else batch.keys[batch.starts]
        hidden = self.dropout_in(encoder.pooled(_summed_up(encoder, states, batch)))
        return self.out(self.dropout_out(torch.tanh(self.dense(hidden))))


class Tokenwise(nn.Module):
    """One score a class at every token: ``[T, H] -> [T, outputs]``."""

    def __init__(self, hidden: int, outputs: int, dropout: float, holder: KeyHolder) -> None:
        super().__init__()
        self.dropout = KeyedDropout(dropout, FIRST_SITE, holder)
        self.out = nn.Linear(hidden, outputs)
        self.holder = holder

    def forward(self, _encoder: Encoder, states: torch.Tensor, batch: Batch) -> torch.Tensor:
        """Logits ``[T, outputs]``."""
        self.holder.keys = batch.keys
        return self.out(self.dropout(states))


class Embedding(nn.Module):
    """A vector for each sequence, whose inner products are scaled cosines: ``[T, H] -> [n, H]``.

    Both sides carry the square root of the scale, so that a product has all of it.
    """

    needs_first_only = True

    def __init__(self) -> None:
        super().__init__()
        self.root_scale = nn.Parameter(torch.tensor([FIRST_SCALE**0.5]))

    def forward(self, encoder: Encoder, states: torch.Tensor, batch: Batch) -> torch.Tensor:
        """Vectors ``[n, H]``."""
        pooled = encoder.pooled(_summed_up(encoder, states, batch)).float()
        return functional.normalize(pooled, dim=-1) * self.root_scale


def states_for(head: nn.Module, encoder: Encoder, batch: Batch) -> torch.Tensor:
    """The encoder's states that a head needs: ``[n, H]`` of first tokens, or ``[T, H]`` of all."""
    first_only = getattr(head, "needs_first_only", False) and not encoder.pools_mean
    return encoder(batch, batch.starts if first_only else None)


def build(format_: Format, labels: int, encoder: Encoder) -> nn.Module | None:
    """A new head with random weights from torch's generator; None for formats without one.

    Args:
        format_: the task's format.
        labels: how many labels the task has; formats without labels ignore it.
        encoder: gives width, dropout and the initialiser's range.
    """
    config = encoder.config
    own = getattr(config, "classifier_dropout", None)
    dropout = float(getattr(config, "hidden_dropout_prob", 0.0) if own is None else own)
    hidden, holder = config.hidden_size, encoder.holder
    head: nn.Module
    match format_:
        case "classification":
            head = Pooled(hidden, labels, dropout, holder)
        case "multiple_choice":
            head = Pooled(hidden, 1, dropout, holder)
        case "tagging":
            head = Tokenwise(hidden, labels, dropout, holder)
        case "span":
            head = Tokenwise(hidden, 2, 0.0, holder)
        case "retrieval":
            return Embedding()
        case _:
            return None
    for parameter in head.parameters():
        if parameter.dim() > 1:
            nn.init.normal_(parameter, std=getattr(config, "initializer_range", 0.02))
        else:
            nn.init.zeros_(parameter)
    return head


def loss_sum(
    format_: Format, logits: torch.Tensor, batch: Batch, targets: dict[str, torch.Tensor]
) -> torch.Tensor:
    """The loss summed over targets (units, or tokens with a tag); the caller divides.

    Args:
        format_: the task's format.
        logits: ``[n, labels]``, ``[n, 1]``, ``[T, labels]`` or ``[T, 2]`` by format; for mlm
            ``[masked tokens, V]``; for retrieval the vectors ``[n, H]``, of all units of the step.
        batch: the packed sequences.
        targets: ``label`` ``[U]``; ``unit`` and ``choice`` ``[n]`` (which choice of which unit a
            sequence is; in retrieval 0 is the query, 1 its answer); ``tags`` ``[T]``; ``span``
            ``[n, 2]``; ``hidden_ids`` ``[masked tokens]``.
    """
    logits = logits.float()
    match format_:
        case "classification":
            return functional.cross_entropy(logits, targets["label"], reduction="sum")
        case "multiple_choice":
            shape = len(targets["label"]), len(logits)
            table = _table(logits[:, 0], targets["unit"], targets["choice"], shape)
            return functional.cross_entropy(table, targets["label"], reduction="sum")
        case "tagging":
            return functional.cross_entropy(logits, targets["tags"], reduction="sum")
        case "span":
            row = torch.repeat_interleave(torch.tensor(batch.lengths))
            row = row.to(logits.device, non_blocking=True)
            column = batch.positions(0)
            shape = len(batch.lengths), max(batch.lengths)
            both = [
                functional.cross_entropy(
                    _table(logits[:, side], row, column, shape),
                    targets["span"][:, side],
                    reduction="sum",
                )
                for side in (0, 1)
            ]
            return (both[0] + both[1]) / 2
        case "retrieval":
            order = torch.argsort(2 * targets["unit"] + targets["choice"])
            queries, answers = logits[order].unflatten(0, (-1, 2)).unbind(1)
            # Not a matrix product, which would be of 8 significant bits under bf16.
            scaled = (queries[:, None] * answers).sum(-1)
            return functional.cross_entropy(scaled, targets["label"], reduction="sum")
        case "mlm":
            return functional.cross_entropy(logits, targets["hidden_ids"], reduction="sum")
        case _:
            raise AssertionError(format_)


def _table(
    values: torch.Tensor, row: torch.Tensor, column: torch.Tensor, shape: tuple[int, int]
) -> torch.Tensor:
    """Values ``[m]`` set at their rows and columns, minus infinity where nothing stands."""
    table = values.new_full(shape, float("-inf"))
    return table.index_put((row, column), values)

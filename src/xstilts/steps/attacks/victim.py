"""The model under attack: asked about many texts in one packed pass, and for its gradients."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from xstilts import formats
from xstilts.model.packing import real_places
from xstilts.steps import forward
from xstilts.steps.batches import evaluation_batches

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import nn

    from xstilts.formats import Limits
    from xstilts.formats.encoded import Encoded
    from xstilts.formats.examples import Example
    from xstilts.model.encoder import Encoder
    from xstilts.model.tokenizer import LoadedTokenizer
    from xstilts.steps.desk import Desk
    from xstilts.tasks.base import Task


class Victim:
    """One model with one head."""

    def __init__(
        self,
        task: Task,
        encoder: Encoder,
        head: nn.Module,
        tokenizer: LoadedTokenizer,
        limits: Limits,
        desk: Desk,
    ) -> None:
        self.task, self.encoder, self.head = task, encoder, head
        self.tokenizer, self.limits, self.desk = tokenizer, limits, desk

    def encoded(self, examples: Sequence[Example]) -> Encoded:
        """The examples as the model sees them."""
        return formats.encode(self.task, examples, self.tokenizer.backend, self.limits)

    def rows(self, examples: Sequence[Example]) -> list[dict[str, Any]]:
        """Prediction rows, all in one packed stream."""
        if not examples:
            return []
        encoded = self.encoded(examples)
        outputs = forward.head_outputs(
            self.encoder, self.head, self.task.format, encoded, self.desk
        )
        return list(formats.decode(self.task, examples, encoded, outputs))

    def gradients(
        self, examples: Sequence[Example], rows: Sequence[dict[str, Any]]
    ) -> list[Gradient]:
        """Of the margin by every token's embedding, for each example, in one packed stream.

        Args:
            examples: to look at.
            rows: their prediction rows, which say what the best other answer is.
        """
        encoded = self.encoded(examples)
        weights = self._roles(rows, encoded)
        table = self.encoder.backbone.get_input_embeddings().weight.detach()  # type: ignore[operator]
        slopes = np.zeros((len(encoded.ids), table.shape[1]), np.float32)
        for numbers, batch in evaluation_batches(encoded, self.desk.token_budget):
            slopes[encoded.token_places(numbers)] = self._slopes(batch, weights[numbers])
        vectors = table.float().cpu().numpy()
        return [
            Gradient(encoded, unit, slopes, vectors) for unit in range(len(encoded))
        ]  # units are examples in these formats

    def _roles(self, rows: Sequence[dict[str, Any]], encoded: Encoded) -> NDArray[np.float32]:
        """How every output of every sequence enters its example's margin, ``[S, outputs]``."""
        choice = self.task.format == "multiple_choice"
        outputs = 1 if choice else len(self.task.labels)
        found = np.zeros((len(encoded.lengths), outputs), np.float32)
        for unit, row in enumerate(rows):
            gold = row["gold"] if choice else self.task.labels.index(row["gold"])
            others = [s if place != gold else -np.inf for place, s in enumerate(row["scores"])]
            for place, sign in ((gold, 1.0), (int(np.argmax(others)), -1.0)):
                first = int(encoded.units[unit])
                found[(first + place, 0) if choice else (first, place)] = sign
        return found

    def _slopes(self, batch: Any, weights: NDArray[np.float32]) -> NDArray[np.float32]:
        """``[T, H]`` of one packed batch."""
        device = torch.device(self.desk.device)
        held: list[torch.Tensor] = []

        def keep(_module: nn.Module, _inputs: Any, output: torch.Tensor) -> torch.Tensor:
            held.append(output.detach().requires_grad_())
            return held[-1]

        layer = self.encoder.backbone.get_input_embeddings()  # type: ignore[operator]
        hook = layer.register_forward_hook(keep)
        try:
            with torch.enable_grad():
                moved = batch.to(device)
                logits = self.head(self.encoder, self.encoder(moved), moved).float()
                margins = (logits * torch.from_numpy(weights).to(device)).sum()
                (slope,) = torch.autograd.grad(margins, held)
        finally:
            hook.remove()
        flat = slope[0] if self.encoder.packed else slope[real_places(batch.lengths, device)]
        return flat.float().cpu().numpy()


class Gradient:
    """The slopes of one example's margin, and what they promise of other texts."""

    def __init__(
        self, encoded: Encoded, unit: int, slopes: NDArray[np.float32], vectors: NDArray[np.float32]
    ) -> None:
        first, last = encoded.units[unit], encoded.units[unit + 1]
        bounds = encoded.offsets[first : last + 1]
        self._ids = [encoded.ids[a:b] for a, b in pairwise(bounds)]
        self._slopes = [slopes[a:b] for a, b in pairwise(bounds)]
        self._vectors = vectors

    def promised(self, encoded: Encoded) -> list[float]:
        """How each of some other texts of the same example is thought to change the margin.

        To first order: where tokens are replaced by others, the sum of the new embeddings on the
        mean slope there, less that of the old ones, each on its own.
        """
        return [self._one(encoded, unit) for unit in range(len(encoded))]

    def _one(self, encoded: Encoded, unit: int) -> float:
        total = 0.0
        first = int(encoded.units[unit])
        for number, old in enumerate(self._ids):
            a, b = encoded.offsets[first + number], encoded.offsets[first + number + 1]
            new = encoded.ids[a:b]
            if np.array_equal(old, new):
                continue
            least = min(len(old), len(new))
            same = old[:least] == new[:least]
            start = least if same.all() else int(same.argmin())
            back = old[start:][::-1], new[start:][::-1]
            least = min(map(len, back))
            same = back[0][:least] == back[1][:least]
            end = least if same.all() else int(same.argmin())
            there = slice(start, max(len(old) - end, start + 1))
            slope = self._slopes[number][there]
            gone = self._vectors[old[start : len(old) - end]]
            come = self._vectors[new[start : len(new) - end]]
            total += float((come @ slope.mean(axis=0)).sum())
            total -= float((gone * slope[: len(gone)]).sum())
        return total

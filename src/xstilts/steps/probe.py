"""The probe step: what one task's English training rows look like to one encoder.

A feature is made once a task; comparing two tasks is arithmetic on two arrays (``similarity``).
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from xstilts import formats, similarity
from xstilts.errors import UserError
from xstilts.failpoints import failpoint
from xstilts.formats import Limits
from xstilts.identity import stream_seed
from xstilts.model import heads
from xstilts.similarity.fisher import by_unit
from xstilts.similarity.sample import Sample
from xstilts.similarity.vectors import sketch
from xstilts.steps import FEATURE_ARRAYS, checkpoint
from xstilts.steps.batches import collate, evaluation_batches, group_by_budget
from xstilts.steps.stage_model import StageModel

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from xstilts.model.encoder import Encoder
    from xstilts.model.packing import Batch
    from xstilts.model.tokenizer import LoadedTokenizer
    from xstilts.steps.batches import MicroBatch
    from xstilts.steps.checkpoint import Weights
    from xstilts.steps.desk import Desk

HEAD_STEPS, HEAD_RATE = 100, 1e-3  # of the head that gradients go through, on all rows
Arrays = dict[str, "NDArray"]


def probe(
    jobs: Sequence[Mapping[str, Any]], weights: Weights, desk: Desk
) -> Iterator[tuple[int, Arrays, float]]:
    """Features of several tasks under one encoder.

    Args:
        jobs: inputs of probe steps that share their weights: ``feature``, ``task``, ``source``,
            ``rows``, ``limits``, ``seed``.
        weights: folder (or hub name) and hub revision.
        desk: rows, device, progress.

    Yields:
        The number of a job, its arrays by name, and the seconds that it took.

    Raises:
        UserError: if a feature is not defined for the task's format, or rows are not there.
    """
    encoder, tokenizer = checkpoint.load(*weights)
    encoder.to(torch.device(desk.device)).eval()
    for number, job in enumerate(jobs):
        started = time.monotonic()
        arrays = _Probe(job, encoder, tokenizer, desk).arrays()
        yield number, arrays, time.monotonic() - started
        desk.progress(number + 1, len(jobs), 0)


def write(arrays: Arrays, out: Path) -> None:
    """Write a probe's arrays to ``out``."""
    from safetensors.numpy import save_file

    save_file(
        {name: np.ascontiguousarray(array) for name, array in arrays.items()}, out / FEATURE_ARRAYS
    )
    failpoint("features.saved")


class _Probe:
    """One feature of one task."""

    def __init__(
        self, job: Mapping[str, Any], encoder: Encoder, tokenizer: LoadedTokenizer, desk: Desk
    ) -> None:
        self.feature = similarity.get(job["feature"])
        self.task = desk.catalogue.get(job["task"])
        if self.task.format not in self.feature.formats:
            raise UserError(
                f"{self.feature.name} is not defined for {self.task.name}, a {self.task.format} "
                f"task: it is for {', '.join(self.feature.formats)}"
            )
        data = desk.catalogue.data(self.task.name, job["source"])
        self.sample = Sample.of(self.task, data, desk.sources, job["rows"])
        self.encoder, self.tokenizer, self.desk = encoder, tokenizer, desk
        self.seed = int(job["seed"])
        limits = Limits(**job["limits"])
        self.encoded = formats.encode(self.task, self.sample.examples, tokenizer.backend, limits)

    def arrays(self) -> Arrays:
        """What the feature compares."""
        match self.feature.name:
            case "vocabulary":
                return {"counts": self.counts()}
            case "text_embedding":
                return {"mean": self.sentences().mean(axis=0)}
            case "cka":
                return {"states": self.sentences()}
            case "logme":
                states, labels = self.labelled()
                return {"states": states, "labels": labels}
            case "task_embedding":
                return {"fisher": self.fisher()}
            case "gradient":
                return {"gradient": self.gradient()}
            case name:
                raise AssertionError(name)

    def counts(self) -> NDArray[np.float64]:
        """How often every ordinary token stands in the rows, ``[V]``."""
        found = np.bincount(self.encoded.ids, minlength=len(self.tokenizer.special))
        found[self.tokenizer.special] = 0
        return found.astype(np.float64)

    def sentences(self) -> NDArray[np.float32]:
        """The mean of every sequence's last states, ``[S, H]``."""
        found = np.zeros((len(self.encoded.lengths), self.encoder.config.hidden_size), np.float32)
        for numbers, states, batch in self._states():
            found[numbers] = batch.means(states).numpy()
        return found

    def labelled(self) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """States and their classes: of sequences by their mean, of tagged words where they begin.

        Returns:
            ``[n, H]`` and ``[n]``.
        """
        if self.task.format == "classification":
            return self.sentences(), self.encoded.targets["label"]
        tokens = np.zeros((len(self.encoded.ids), self.encoder.config.hidden_size), np.float32)
        for numbers, states, _ in self._states():
            tokens[self.encoded.token_places(numbers)] = states.numpy()
        tags = self.encoded.targets["tags"]
        return tokens[tags >= 0], tags[tags >= 0]

    @torch.no_grad()
    def _states(self) -> Iterator[tuple[NDArray[np.int64], torch.Tensor, Batch]]:
        """Last states of sequences, ``[T, H]``, batch after batch, with their numbers."""
        device = torch.device(self.desk.device)
        for numbers, batch in evaluation_batches(self.encoded, self.desk.token_budget):
            yield numbers, self.encoder(batch.to(device)).float().cpu(), batch

    def fisher(self) -> NDArray[np.float64]:
        """The diagonal of the empirical Fisher information, by unit of the encoder's layers.

        The mean over units of the squared gradient of the log-likelihood of their labels; of the
        rows' own labels, as in Vu et al. 2020, where Achille et al. 2019 draw them from the model.
        """
        model, parameters = self._ready()
        squares = {name: np.zeros(tuple(one.shape)) for name, one in parameters.items()}
        for unit in range(len(self.encoded)):
            model.zero_grad(set_to_none=True)
            self._loss(model, np.array([unit])).backward()
            for name, one in parameters.items():
                if one.grad is not None:
                    squares[name] += one.grad.double().cpu().numpy() ** 2
        means = (squares[name] / len(self.encoded) for name in sorted(squares))
        return np.concatenate([by_unit(one) for one in means])

    def gradient(self) -> NDArray[np.float64]:
        """The gradient of the mean loss with respect to the encoder's layers, as a sketch."""
        model, parameters = self._ready()
        for units in group_by_budget(self.encoded.unit_tokens, self.desk.token_budget):
            self._loss(model, units).backward()
        return sketch(
            (name, one.grad.double().cpu().numpy() / len(self.encoded))
            for name, one in sorted(parameters.items())
            if one.grad is not None
        )

    def _ready(self) -> tuple[StageModel, dict[str, torch.nn.Parameter]]:
        """The encoder under a head that was trained on top of it as it is, and its own weights.

        Task2Vec, section 2: the features stay as they are and the last layer alone is trained.
        """
        torch.manual_seed(stream_seed(self.seed, "probe head", self.task.name))
        head = heads.build(self.task.format, len(self.task.labels), self.encoder)
        assert head is not None
        model = StageModel(self.encoder, {self.task.name: head}).to(self.desk.device)
        model.eval()
        parameters = dict(_layers(self.encoder))
        for one in self.encoder.parameters():
            one.requires_grad_(False)
        groups = group_by_budget(self.encoded.unit_tokens, self.desk.token_budget)
        micros = [self._micro(units) for units in groups]
        with torch.no_grad():
            states = [heads.states_for(head, self.encoder, micro.batch) for micro in micros]
        optimizer = torch.optim.Adam(head.parameters(), lr=HEAD_RATE)
        for _ in range(HEAD_STEPS):
            optimizer.zero_grad(set_to_none=True)
            for micro, seen in zip(micros, states, strict=True):
                logits = head(self.encoder, seen, micro.batch)
                loss = heads.loss_sum(self.task.format, logits, micro.batch, micro.targets)
                (loss / len(self.encoded)).backward()
            optimizer.step()
        model.zero_grad(set_to_none=True)
        for one in parameters.values():
            one.requires_grad_(True)
        return model, parameters

    def _loss(self, model: StageModel, units: NDArray[np.int64]) -> torch.Tensor:
        return model(self.task.name, self.task.format, self._micro(units))

    def _micro(self, units: NDArray[np.int64]) -> MicroBatch:
        micro = collate(self.task.format, self.encoded, units, seed=None, tokenizer=self.tokenizer)
        return micro.to(torch.device(self.desk.device))


def _layers(encoder: Encoder) -> Iterator[tuple[str, torch.nn.Parameter]]:
    """The weights between embeddings and masked-LM head, which every task goes through."""
    for name, one in encoder.backbone.named_parameters():
        if "embeddings" not in name and "pooler" not in name:
            yield name, one

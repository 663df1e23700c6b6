"""How fast a machine works with an encoder: a few seconds of steps at known lengths.

A step's time is taken as a constant, a share for every token and, for attention, one for every
pair of tokens of a sequence; the three are fitted to steps of three shapes.
"""

from __future__ import annotations

import resource
import statistics
import sys
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from scipy.optimize import nnls

from xstilts.formats.encoded import Encoded
from xstilts.model import adapters, heads, vocabulary
from xstilts.steps import checkpoint, optimizers, train
from xstilts.steps.batches import collate, evaluation_batches

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from xstilts.model.encoder import Encoder
    from xstilts.model.tokenizer import LoadedTokenizer

SHAPES = ((8, 16), (32, 48), (12, 256))  # sequences and their length
LABELS = 3


@dataclass(frozen=True)
class Pace:
    """What things cost.

    Attributes:
        train: seconds of an optimiser step, of a token and of a pair of tokens.
        read: the same without gradients, the constant being that of a batch.
        load_s: seconds to load an encoder.
        weight_bytes: of a stage's folder.
        peak_bytes: of this process, with an optimiser and the largest micro-batch.
    """

    train: tuple[float, float, float]
    read: tuple[float, float, float]
    load_s: float
    weight_bytes: int
    peak_bytes: int

    def train_s(self, steps: float, tokens: float, pairs: float) -> float:
        """Seconds of training so much."""
        return float(np.dot(self.train, (steps, tokens, pairs)))

    def read_s(self, batches: float, tokens: float, pairs: float) -> float:
        """Seconds of running the encoder over so much."""
        return float(np.dot(self.read, (batches, tokens, pairs)))


def measure(
    weights: tuple[Path | str, str | None],
    options: Mapping[str, Any],
    device: torch.device,
    *,
    kinds: int,
    budget: int,
    seconds: float = 10.0,
) -> Pace:
    """Measure for about so many seconds, or less where it is plain before.

    Args:
        weights: folder (or hub name) and hub revision.
        options: a recipe's.
        device: where to compute.
        kinds: different tokens of a stage, whose embeddings it holds.
        budget: tokens of a micro-batch.
        seconds: for all shapes together.
    """
    started = time.perf_counter()
    checkpoint.load(*weights)  # whatever is read and imported the first time
    begun = time.perf_counter()
    encoder, tokenizer = checkpoint.load(*weights)
    load_s = time.perf_counter() - begun
    size = len(tokenizer.special)
    ids = np.flatnonzero(~tokenizer.special)[: max(min(kinds, size), 1)].astype(np.int32)
    weight_bytes = sum(p.numel() * p.element_size() for p in encoder.parameters())
    if encoder.packed:
        vocabulary.Cut(encoder, vocabulary.seen([ids], int(encoder.config.vocab_size)))
    if lora := options.get("lora"):
        adapters.add(encoder, lora, seed=0)
    head = heads.build("classification", LABELS, encoder)
    assert head is not None
    model = train.StageModel(encoder, {"task": head}).to(device).train()
    optimizer = optimizers.build(model, options)
    autocast = torch.autocast(
        device.type, dtype=torch.bfloat16, enabled=options["precision"] == "bf16"
    )
    most = int(getattr(encoder.config, "max_position_embeddings", 512)) - 4
    shapes = [(count, min(length, most)) for count, length in SHAPES]
    each = max(seconds - (begun - started) - load_s, 1.0) / (2 * len(shapes))

    def timed(step: Callable[[Encoded], None]) -> tuple[float, float, float]:
        """Fit the three costs."""
        spent = [_median(partial(step, _rows(*shape, ids)), each) for shape in shapes]
        terms = [(1.0, n * length, n * length * length) for n, length in shapes]
        scale = np.array(spent)  # relative errors count
        fitted, _ = nnls(np.array(terms) / scale[:, None], np.ones(len(terms)))
        one, two, three = map(float, fitted)
        return one, two, three

    def optimise(data: Encoded) -> None:
        _optimise(model, optimizer, data, tokenizer, autocast, device)

    @torch.inference_mode()
    def read(data: Encoded) -> None:
        model.eval()
        for _, batch in evaluation_batches(data, budget):
            with autocast:
                _read(encoder, head, batch.to(device))

    training = timed(optimise)
    longest = shapes[-1][1]
    optimise(_rows(max(budget // longest, 1), longest, ids))  # for its memory
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _RSS_UNIT
    return Pace(training, timed(read), load_s, weight_bytes, peak)


_RSS_UNIT = 1 if sys.platform == "darwin" else 1024  # bytes


def _optimise(
    model: train.StageModel,
    optimizer: torch.optim.Optimizer,
    data: Encoded,
    tokenizer: LoadedTokenizer,
    autocast: torch.autocast,
    device: torch.device,
) -> None:
    model.train()
    units = np.arange(len(data))
    micro = collate("classification", data, units, seed=1, tokenizer=tokenizer).to(device)
    with autocast:
        loss = model("task", "classification", micro) / len(units)
    loss.backward()
    norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    norm.item()  # waits for the device
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)


def _read(encoder: Encoder, head: torch.nn.Module, batch: Any) -> None:
    head(encoder, heads.states_for(head, encoder, batch), batch).float().cpu()


def _rows(count: int, length: int, ids: np.ndarray) -> Encoded:
    """Sequences of one length, of tokens drawn from these."""
    stream = np.random.default_rng(0)
    flat = ids[stream.integers(0, len(ids), count * length)]
    ends = np.arange(count + 1)
    labels = {"label": np.zeros(count, np.int64)}
    return Encoded(flat, np.zeros(len(flat), np.int8), ends * length, ends, ends[:-1], labels)


def _median(work: Callable[[], None], seconds: float) -> float:
    """Seconds that a piece of work takes, after once for nothing; three times at least."""
    work()
    found: list[float] = []
    until = time.perf_counter() + seconds
    while len(found) < 3 or (time.perf_counter() < until and len(found) < 20):
        begun = time.perf_counter()
        work()
        found.append(time.perf_counter() - begun)
    return statistics.median(found)

"""Pretraining on token shards: masked and translation LM, ranking, spans, matching, cloze.

What a step sees is a function of (seed, step) alone, so a killed run goes on bit for bit. The
learning rate warms up, stays, and decays at the end, so that a longer run continues a shorter
one's plateau. Logits are computed at masked positions only. Legend: n rows, T tokens, H hidden.
"""

from __future__ import annotations

import json
import math
import time
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
import torch
from torch.nn import functional
from torch.nn.utils.rnn import pad_sequence

from xstilts.corpus.sampler import Sampler
from xstilts.errors import UserError
from xstilts.failpoints import failpoint
from xstilts.formats.encoded import Template
from xstilts.identity import stream_seed
from xstilts.model import encoder as encoders
from xstilts.model import throughput
from xstilts.model import tokenizer as tokenizers
from xstilts.model.compiled import compile_blocks
from xstilts.model.dropout import row_keys, set_rate
from xstilts.model.newborn import new_encoder, new_encoder_decoder
from xstilts.model.packing import Batch
from xstilts.steps import blame, cloze, matching, state
from xstilts.steps.batches import answered, hide_tokens, leave_out
from xstilts.steps.team import layers

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from xstilts.corpus.shards import Shards
    from xstilts.model.encoder import Encoder
    from xstilts.model.text_to_text import TextToText
    from xstilts.pretraining import Pretraining
    from xstilts.steps.desk import Desk, ResumePoints

Objective = Literal["mlm", "tlm", "ranking", "dictionary", "spans", "matching", "cloze"]
OBJECTIVES: tuple[Objective, ...] = get_args(Objective)
RANKING_TOKENS = 64  # of a sentence in a ranking step
SHARED_WEIGHT = 10.0  # of telling shared pieces beside masked LM, whose loss is that much larger


def pretrain(
    config: Pretraining,
    shards: Shards,
    tokenizer_folder: Path,
    start: Encoder | TextToText | NDArray[np.float32] | None,
    out: Path,
    resume: ResumePoints,
    desk: Desk,
) -> dict[str, Any]:
    """Train an encoder, or an encoder-decoder, and write its folder and ``curve.json``.

    Args:
        config: what was declared.
        shards: the corpus.
        tokenizer_folder: a folder that ``AutoTokenizer`` loads.
        start: a model to continue, or embeddings ``[V, H]`` of a new one; None: all random.
        out: an empty folder.
        resume: keeps and gives back the state of an unfinished run.
        desk: device and progress.

    Returns:
        steps, tokens, seconds, tokens per second, the share of the machine's peak, the mean loss
        of each objective at the end, and for each language ``tokens_seen`` and ``epochs``.

    Raises:
        UserError: if the loss stops being a number, with the parameter to blame.
    """
    run = _Run(config, shards, tokenizer_folder, start, resume, desk)
    run.complete(out)
    return run.summary()


class _Run:
    def __init__(
        self,
        config: Pretraining,
        shards: Shards,
        tokenizer_folder: Path,
        start: Encoder | TextToText | NDArray[np.float32] | None,
        resume: ResumePoints,
        desk: Desk,
    ) -> None:
        self.config, self.resume, self.desk = config, resume, desk
        self.device = torch.device(desk.device)
        self.tokenizer = tokenizers.load(tokenizer_folder)
        self.template = Template.of(self.tokenizer.backend)
        self.sampler = Sampler(shards, config.alpha)
        torch.manual_seed(stream_seed(config.seed, "pretraining"))
        if config.objectives.spans:
            self.tokenizer = tokenizers.with_sentinels(self.tokenizer)
        if start is None or isinstance(start, np.ndarray):
            size = len(self.tokenizer.special)
            start = (
                new_encoder_decoder(config, size, start)
                if config.objectives.spans
                else new_encoder(config, size, start, shards.frequencies(size))
            )
        else:
            set_rate(start.network, config.dropout)  # whatever it was trained with before
        self.encoder: Any = start.to(self.device)
        # Heads of objectives are trained and resumed with the encoder, never saved with it.
        width = self.encoder.config.hidden_size
        if self.device.type == "cuda":
            compile_blocks(layers(self.encoder.network), self.device)
        if config.objectives.matching:
            self.encoder.detector = torch.nn.Linear(width, 1).to(self.device)
        if config.objectives.cloze:
            self.encoder.finder = torch.nn.Linear(width, 2).to(self.device)
            self.starts = cloze.word_starts(self.tokenizer.backend)
        halves: list[Any] = [self.encoder.network]
        if config.objectives.spans:
            halves = [halves[0].get_encoder(), halves[0].get_decoder()]
        self.work = [throughput.Work.of(half) for half in halves]
        self.optimizer = _optimizer(self.encoder, config)
        self.rates = [group["lr"] for group in self.optimizer.param_groups]
        shares = config.objectives.model_dump()
        stream = np.random.default_rng(stream_seed(config.seed, "objectives"))
        self.objective = stream.choice(
            len(OBJECTIVES), size=config.steps, p=[shares[one] for one in OBJECTIVES]
        )
        self.losses = np.zeros(config.steps)
        self.step, self.tokens, self.seconds, self.flops = 0, 0, 0.0, 0.0
        self.settled = True  # parameters, step and counts are those of one moment
        if (found := resume.load()) is not None:
            self._restore(*found)

    def complete(self, out: Path) -> None:
        """Train to the end and write the folder."""
        self.encoder.train()
        started = kept = time.monotonic()
        before = self.seconds
        plateau_end = self.config.steps - self.config.falling_steps
        try:
            while self.step < self.config.steps:
                self.settled = False
                self._optimise()
                self.step += 1
                self.settled = True
                self.seconds = before + time.monotonic() - started
                self.desk.progress(self.step, self.config.steps, self.tokens)
                due = time.monotonic() - kept >= self.desk.checkpoint_seconds
                if due or self.step == plateau_end:  # where a longer run goes on
                    self._keep()
                    kept = time.monotonic()
        except KeyboardInterrupt:
            if self.settled:  # in the middle of a step, the point kept before it counts
                self._keep()
            raise
        encoders.save(self.encoder, out)
        self.tokenizer.save(out)
        curve = {"objective": self.objective.tolist(), "loss": self.losses.round(5).tolist()}
        (out / "curve.json").write_text(json.dumps(curve))
        failpoint("curve.saved")

    def summary(self) -> dict[str, Any]:
        """What is worth knowing of a finished run."""
        tail = slice(-max(self.config.steps // 20, 1), None)
        per_s = self.flops / max(self.seconds, 1e-9)
        peak = throughput.peak_flops_per_s(self.device, self._dtype)
        sampler = self.sampler
        available = np.maximum(sampler.available_tokens, 1)
        return {
            "steps": self.step,
            "tokens": self.tokens,
            "seconds": round(self.seconds, 1),
            "tokens_per_s": round(self.tokens / max(self.seconds, 1e-9)),
            "flops_per_s": per_s,
            "share_of_peak": float(f"{per_s / peak:.3g}"),
            "loss": {
                name: float(self.losses[tail][self.objective[tail] == number].mean())
                for number, name in enumerate(OBJECTIVES)
                if (self.objective[tail] == number).any()
            },
            "languages": {
                code: {"tokens_seen": int(seen), "epochs": round(float(seen / there), 3)}
                for code, seen, there in zip(
                    sampler.shards.languages, sampler.drawn_tokens, available, strict=True
                )
            },
        }

    @property
    def _dtype(self) -> torch.dtype:
        return torch.bfloat16 if self.config.precision == "bf16" else torch.float32

    def _keep(self) -> None:
        tensors = state.snapshot(self.encoder, self.optimizer)
        tensors["losses"] = torch.from_numpy(self.losses[: self.step])
        tensors["drawn_tokens"] = torch.from_numpy(self.sampler.drawn_tokens)
        counts = {"tokens": self.tokens, "seconds": self.seconds, "flops": self.flops}
        self.resume.save(self.step, tensors, counts)

    def _restore(self, tensors: dict[str, torch.Tensor], counts: dict[str, Any], step: int) -> None:
        state.restore(self.encoder, self.optimizer, tensors)
        self.step = step
        self.losses[:step] = tensors["losses"].numpy()
        self.sampler.drawn_tokens[:] = tensors["drawn_tokens"].numpy()
        self.tokens, self.seconds, self.flops = (counts[k] for k in ("tokens", "seconds", "flops"))
        self.desk.note(f"resumed at step {step:,} of {self.config.steps:,}")

    def _optimise(self) -> None:
        for group, peak in zip(self.optimizer.param_groups, self.rates, strict=True):
            group["lr"] = peak * plateau(self.step, self.config)
        loss = self._loss()
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.encoder.parameters(), 1.0)
        value = loss.item()
        if not math.isfinite(value + norm.item()):
            blamed = blame.parameter(self.encoder, (self._loss() for _ in range(1)))
            raise UserError(
                f"loss is {value} and the gradient's norm {norm.item()} at step {self.step + 1} "
                f"of {self.config.steps}, a batch of {OBJECTIVES[self.objective[self.step]]}, "
                f"{blamed}: lower learning_rate"
            )
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.losses[self.step] = value

    def _loss(self) -> torch.Tensor:
        """The loss of the step's batch, which is a function of the seed and the step."""
        seed = stream_seed(self.config.seed, "step", self.step)
        stream = np.random.default_rng(seed)
        torch.manual_seed(seed)  # for whatever an unpacked architecture draws by itself
        with torch.autocast(
            self.device.type, dtype=torch.bfloat16, enabled=self._dtype is torch.bfloat16
        ):
            return self._losses(stream, seed)[OBJECTIVES[self.objective[self.step]]]()

    def _losses(
        self, stream: np.random.Generator, seed: int
    ) -> dict[Objective, Callable[[], torch.Tensor]]:
        """How each objective's loss is made."""
        config, parallel, dictionary = self.config, self.sampler.parallel, self.sampler.dictionary
        return {
            "mlm": lambda: self._masked(self._texts(stream), seed),
            "tlm": lambda: self._masked(self._translations(stream), seed),
            "spans": lambda: self._left_out(self._stretches(stream), seed),
            "matching": lambda: self._matched(stream, seed),
            "cloze": lambda: self._found(stream, seed),
            "ranking": lambda: self._ranked(parallel.draw(stream, config.ranking_pairs), seed),
            "dictionary": lambda: self._ranked(
                dictionary.draw(stream, config.dictionary_pairs), seed
            ),
        }

    def _texts(self, stream: np.random.Generator) -> list[list[int]]:
        """Rows of running text."""
        return [self.template.single(one.tolist()) for one in self._stretches(stream)]

    def _stretches(self, stream: np.random.Generator) -> list[NDArray[np.int32]]:
        """Running text, without special tokens."""
        length = int(stream.choice(self.config.sequences))
        room = length - self.template.single_specials
        return self.sampler.texts(stream, max(self.config.batch_tokens // length, 1), room)

    def _translations(self, stream: np.random.Generator) -> list[list[int]]:
        """Rows of a segment and its translation."""
        half = max(self.config.sequences) // 2 - 2
        rows: list[list[int]] = []
        total = 0
        while total < self.config.batch_tokens:
            for first, second in self.sampler.parallel.draw(stream, 32):
                rows.append(self.template.pair(first[:half].tolist(), second[:half].tolist())[0])
                total += len(rows[-1])
        return rows

    def _masked(self, rows: Sequence[Sequence[int]], seed: int) -> torch.Tensor:
        """Mean masked-LM loss of the rows."""
        ids = sorted((np.array(row, np.int32) for row in rows), key=len)
        seeds = [stream_seed(seed, number) for number in range(len(ids))]
        hidden, targets = hide_tokens(ids, seeds, self.tokenizer, self.config.masked)
        places = torch.from_numpy(targets["places"]).to(self.device)
        states = self.encoder(self._batch(hidden, seeds), places)
        logits = self.encoder.masked_lm_logits(states)
        self.flops += self.work[0].of_logits(len(places))
        return functional.cross_entropy(
            logits.float(), torch.from_numpy(targets["hidden_ids"]).to(self.device)
        )

    def _matched(self, stream: np.random.Generator, seed: int) -> torch.Tensor:
        """Loss on random pieces: of hidden ones that stand twice, and of telling shared ones."""
        pieces = np.flatnonzero(~self.tokenizer.special)
        given = (stream, self.template, pieces, self.config.batch_tokens // 2)
        hidden = self._masked(matching.repeated(*given), seed)
        rows, labels = matching.shared(*given)
        seeds = [stream_seed(seed, "shared", number) for number in range(len(rows))]
        asked = torch.from_numpy(np.flatnonzero(labels >= 0)).to(self.device)
        states = self.encoder(self._batch(rows, seeds), asked)
        told = self.encoder.detector(states)[:, 0].float()
        right = torch.from_numpy(labels[labels >= 0]).float().to(self.device)
        return hidden + SHARED_WEIGHT * functional.binary_cross_entropy_with_logits(told, right)

    def _found(self, stream: np.random.Generator, seed: int) -> torch.Tensor:
        """Mean loss of the places where what a question asks for begins and ends."""
        length = int(stream.choice(self.config.sequences))
        room = max(length - cloze.MOST - 1 - self.template.pair_specials, cloze.MOST)
        texts = self.sampler.texts(stream, max(self.config.batch_tokens // length, 1), room)
        texts = [one for one in texts if len(one) >= cloze.MOST]
        gap = self.tokenizer.mask_id
        rows, spans = cloze.questions(stream, texts, self.starts, self.template, gap)
        order = np.argsort([len(row) for row in rows], kind="stable")
        seeds = [stream_seed(seed, int(number)) for number in order]
        batch = self._batch([rows[number] for number in order], seeds)
        logits = self.encoder.finder(self.encoder(batch)).float()
        table = pad_sequence(logits.split(batch.lengths), True, -math.inf)  # [n, longest, 2]
        gold = torch.from_numpy(spans[order]).to(self.device)
        return functional.cross_entropy(table, gold)

    def _left_out(self, texts: Sequence[NDArray[np.int32]], seed: int) -> torch.Tensor:
        """Mean loss of the spans that are left out of texts."""
        seeds = [stream_seed(seed, number) for number in range(len(texts))]
        rows = leave_out(texts, seeds, self.tokenizer, self.template)
        micro = answered(rows, seeds if self.config.dropout else []).to(self.device)
        lengths = micro.targets["answer_lengths"].tolist()
        self.tokens += len(micro.batch.ids) + sum(lengths)
        source, target = self.work
        self.flops += source.of_sequences(micro.batch.lengths) + target.of_sequences(lengths)
        self.flops += target.of_logits(sum(lengths))
        loss: torch.Tensor = self.encoder.loss_sum(micro.batch, micro.targets)
        return loss / micro.count()

    def _ranked(
        self, pairs: Sequence[tuple[NDArray[np.int32], NDArray[np.int32]]], seed: int
    ) -> torch.Tensor:
        """Mean of both directions' losses: which segment of the batch translates this one?

        Sources: the loss, Yang et al. 2019, "Improving Multilingual Sentence Embedding using
        Bi-directional Dual Encoder with Additive Margin Softmax", without the margin; the layer,
        two thirds up, Chi et al. 2021, "InfoXLM", section 4.1: it is where retrieval looks, and it
        leaves the layers above it to masked LM.
        """
        cut = RANKING_TOKENS - self.template.single_specials
        both = [one[:cut] for one, _ in pairs] + [two[:cut] for _, two in pairs]
        sequences = [np.array(self.template.single(ids.tolist()), np.int32) for ids in both]
        order = np.argsort([len(ids) for ids in sequences], kind="stable")
        seeds = [stream_seed(seed, int(number)) for number in order]
        batch = self._batch([sequences[number] for number in order], seeds)
        states = self.encoder.layers(batch)
        means = batch.means(states[round(2 / 3 * (len(states) - 1))].float())
        back = torch.from_numpy(np.argsort(order)).to(self.device)
        first, second = functional.normalize(means[back], dim=-1).chunk(2)
        with torch.autocast(self.device.type, enabled=False):
            scores = self.config.ranking_scale * first @ second.T
        gold = torch.arange(len(scores), device=self.device)
        return (
            functional.cross_entropy(scores, gold) + functional.cross_entropy(scores.T, gold)
        ) / 2

    def _batch(self, ids: Sequence[NDArray[np.int32]], seeds: Sequence[int]) -> Batch:
        lengths = tuple(map(len, ids))
        flat = torch.from_numpy(np.concatenate(ids).astype(np.int64))
        self.tokens += len(flat)
        self.flops += self.work[0].of_sequences(lengths)
        keys = row_keys(seeds, lengths) if self.config.dropout else None
        return Batch(flat, torch.zeros_like(flat), lengths, keys).to(self.device)


def plateau(step: int, config: Pretraining) -> float:
    """The learning rate's share of its peak: up, level, and down over the last share of steps."""
    up = min((step + 1) / config.warmup, 1.0)
    down = min((config.steps - step) / max(config.falling_steps, 1), 1.0)
    return min(up, down)


def _optimizer(encoder: Encoder | TextToText, config: Pretraining) -> torch.optim.AdamW:
    table = encoder.backbone.get_input_embeddings().weight  # type: ignore[operator]
    others = [p for p in encoder.parameters() if p is not table]
    rate = config.learning_rate
    groups = [
        {"params": [table], "lr": rate * config.embedding_rate, "weight_decay": 0.0},
        {
            "params": [p for p in others if p.dim() > 1],
            "lr": rate,
            "weight_decay": config.weight_decay,
        },
        {"params": [p for p in others if p.dim() <= 1], "lr": rate, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.98), eps=1e-6, fused=True)

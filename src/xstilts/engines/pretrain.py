"""From a pretraining file and a cleaned corpus to an encoder: two steps in the store.

``shards`` makes the tokenizer and the token arrays, ``train`` the encoder; both are named by their
inputs, so a second run with another shape or schedule finds its shards ready.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from xstilts.engines.local import provenance
from xstilts.errors import UserError
from xstilts.identity import file_sha256, fingerprint
from xstilts.pretraining import BUDGET
from xstilts.steps import CODE_VERSIONS
from xstilts.steps.desk import Desk

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import torch

    from xstilts.corpus.shards import Shards
    from xstilts.engines import Bench, Watcher
    from xstilts.pretraining import Pretraining
    from xstilts.store import Finished
    from xstilts.store_work import WorkArea


def pretrain(config: Pretraining, corpus: Path, bench: Bench, watcher: Watcher) -> Finished:
    """Run what is not finished of a pretraining.

    Args:
        config: what was declared.
        corpus: a folder with ``text/<code>.txt`` and ``parallel.jsonl``.
        bench: store and device.
        watcher: told how far it is.

    Raises:
        UserError: if the corpus is not there, or the loss stops being a number.
    """
    desk = Desk(
        catalogue=bench.catalogue,
        sources=bench.sources,
        device=bench.device,
        token_budget=bench.token_budget,
        checkpoint_seconds=bench.checkpoint_seconds,
        progress=watcher.progress,
    )
    shards = _shards(config, corpus, bench, watcher, desk)
    # Defaults stay out, so that a new key of the file leaves old runs what they are.
    declared = config.model_dump(mode="json", exclude_defaults=True)
    inputs = {
        "shards": shards.id,
        # Not a function of its inputs: the library's training differs from process to process.
        "tokenizer": file_sha256(shards.path("tokenizer.json")),
        "config": declared,
    }
    step_id = fingerprint(["pretrain", CODE_VERSIONS["pretrain"], inputs])
    if bench.store.has(step_id):
        return bench.store.open(step_id)
    import torch

    from xstilts.corpus.shards import Shards
    from xstilts.model import encoder
    from xstilts.model.memory import keep_freed_memory
    from xstilts.steps import pretrain

    keep_freed_memory()
    if bench.threads:
        torch.set_num_threads(bench.threads)
    shared = {key: value for key, value in declared.items() if key not in ("name", *BUDGET)}
    trunk = fingerprint(["trunk", CODE_VERSIONS["pretrain"], inputs | {"config": shared}])

    opened = Shards.open(shards.path("languages.json").parent)
    watcher.begin(f"pretrain {config.name}", 2, 2)
    started = time.monotonic()
    with bench.store.writing(step_id) as folder:
        last = bench.store.work(step_id)
        points = _Points(bench.store.work(trunk), last, config.steps - config.falling_steps)
        start = _start(config, opened)
        result = pretrain.pretrain(config, opened, shards.folder, start, folder, points, desk)
        record = {
            "kind": "train",
            "inputs": inputs,
            "provenance": provenance(desk),
            "result": result,
            "evictable": [encoder.WEIGHTS],
        }
        finished = bench.store.finish(step_id, folder, record)
    last.clear()
    watcher.end(config.name, time.monotonic() - started)
    return finished


def _shards(
    config: Pretraining, corpus: Path, bench: Bench, watcher: Watcher, desk: Desk
) -> Finished:
    files = sorted([*(corpus / "text").glob("*.txt"), *corpus.glob("parallel.jsonl")])
    if not files:
        raise UserError(f"{corpus} holds no text/*.txt and no parallel.jsonl: build a corpus first")
    inputs: dict[str, Any] = {
        "corpus": fingerprint({str(p.relative_to(corpus)): file_sha256(p) for p in files}),
        "tokenizer": config.tokenizer.model_dump(),
        "languages": sorted(config.languages),
        "alpha": config.alpha,
        "seed": config.seed,
    }
    step_id = fingerprint(["shards", CODE_VERSIONS["shards"], inputs])
    if bench.store.has(step_id):
        return bench.store.open(step_id)
    from transformers import PreTrainedTokenizerFast

    from xstilts.corpus import shards, vocabulary

    watcher.begin("tokenizer and shards", 1, 2)
    started = time.monotonic()
    with bench.store.writing(step_id) as folder:
        size = config.tokenizer
        lines = vocabulary.sample_lines(
            corpus, config.languages, size.sample_lines, config.alpha, config.seed
        )
        tokenizer = vocabulary.train_tokenizer(lines, size.vocabulary)
        PreTrainedTokenizerFast(
            tokenizer_object=tokenizer, **vocabulary.SPECIAL_NAMES
        ).save_pretrained(folder)
        result = shards.build(corpus, tokenizer, folder, config.languages)
        record = {
            "kind": "shards",
            "inputs": inputs,
            "provenance": provenance(desk),
            "result": result,
            "evictable": [],
        }
        finished = bench.store.finish(step_id, folder, record)
    watcher.end("shards", time.monotonic() - started)
    return finished


def _start(config: Pretraining, shards: Shards) -> Any:
    """An encoder to continue, embeddings float32 ``[V, H]``, or None for a random start."""
    if config.start == "random":
        return None
    if config.start != "factorised":
        from xstilts.model import encoder

        return encoder.load(config.start)
    import numpy as np

    from xstilts.steps.factorise import factorise

    special = np.zeros(config.tokenizer.vocabulary, bool)
    special[:5] = True
    found = factorise(
        shards.rows(),
        config.tokenizer.vocabulary,
        config.model.hidden_size,
        special=special,
        seed=config.seed,
    )
    return found.embeddings


class _Points:
    """Resume points: those of the plateau are kept for longer runs, those of the decay are not."""

    def __init__(self, trunk: WorkArea, last: WorkArea, plateau_end: int) -> None:
        self._trunk, self._last, self._plateau_end = trunk, last, plateau_end

    def save(
        self, step: int, tensors: Mapping[str, torch.Tensor], state: Mapping[str, Any]
    ) -> None:
        area = self._trunk if step <= self._plateau_end else self._last
        area.save(step, tensors, state)

    def load(self) -> tuple[dict[str, torch.Tensor], dict[str, Any], int] | None:
        if (found := self._last.load()) is not None:
            return found
        found = self._trunk.load()
        return found if found is not None and found[2] <= self._plateau_end else None

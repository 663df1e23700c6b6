"""Masked-LM pretraining against Hugging Face's Trainer with its masked-LM collator.

    python benchmarks/pretraining.py

Rows of 128 tokens without padding on both sides; ours computes logits, and most of the last layer,
at hidden tokens only.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import workload
from sides import Clock, Round, Row, Settings, Side, rows
from workload import Shape

if TYPE_CHECKING:
    from collections.abc import Callable

LENGTH, BATCH, STEPS, TOKENS = 128, 16, 12, 200_000
SHAPE = Shape()


def ours(settings: Settings, folder: Path) -> Callable[[], Round]:
    """As ``xstilts pretrain`` does it."""
    from xstilts.corpus.shards import Shards
    from xstilts.model.memory import keep_freed_memory
    from xstilts.pretraining import Pretraining
    from xstilts.steps import checkpoint, pretrain

    keep_freed_memory()
    shards = Shards.open(folder / "shards")
    _, desk = workload.stage(settings, folder, folder / "encoder", "b_pairs")

    def job(steps: int) -> Round:
        config = Pretraining(
            name="benchmark",
            sequences=(LENGTH,),
            batch_tokens=LENGTH * BATCH,
            dropout=SHAPE.dropout,
            steps=steps,
            warmup=1,
            learning_rate=1e-4,
        )
        clock = Clock()
        encoder, _ = checkpoint.load(folder / "encoder")
        with tempfile.TemporaryDirectory() as out:
            run = pretrain._Run(  # noqa: SLF001
                config, shards, folder / "encoder", encoder, _Never(), desk
            )
            clock.start()
            run.encoder.train()
            for _ in range(steps):
                run._optimise()  # noqa: SLF001
                run.step += 1
            del out
        return clock.round(run.tokens)

    count = max(int(STEPS * settings.share), 2)
    job(2)
    return lambda: job(count)


class _Never:
    """No resume points."""

    def save(self, *_: Any) -> None:
        """Nothing is kept."""

    def load(self) -> None:
        """Nothing was kept."""


def trainer(settings: Settings, folder: Path) -> Callable[[], Round]:
    """Hugging Face's Trainer."""
    from transformers import (
        AutoModelForMaskedLM,
        AutoTokenizer,
        DataCollatorForLanguageModeling,
        Trainer,
        TrainingArguments,
    )
    from transformers.utils import logging

    logging.set_verbosity_error()
    tokenizer = AutoTokenizer.from_pretrained(folder / "encoder")
    ids = np.load(folder / "shards" / "mono_ids.npy").astype(int)
    count = BATCH * max(int(STEPS * settings.share), 2)
    body = ids[: count * (LENGTH - 2)].reshape(count, -1).tolist()
    data = [{"input_ids": [0, *one, 2], "attention_mask": [1] * LENGTH} for one in body]
    arguments = TrainingArguments(
        output_dir=str(folder / "trainer"),
        per_device_train_batch_size=BATCH,
        num_train_epochs=1,
        learning_rate=1e-4,
        optim="adamw_torch_fused",
        use_cpu=True,
        dataloader_pin_memory=False,
        report_to=[],
        save_strategy="no",
        logging_strategy="no",
        disable_tqdm=True,
    )

    def job(part: int) -> Round:
        worker = Trainer(
            model=AutoModelForMaskedLM.from_pretrained(folder / "encoder"),
            args=arguments,
            train_dataset=data[:part],
            data_collator=DataCollatorForLanguageModeling(tokenizer, mlm_probability=0.15),
        )
        clock = Clock()
        worker.train()
        return clock.round(part * LENGTH)

    job(2 * BATCH)
    return lambda: job(count)


def masked_lm(settings: Settings) -> list[Row]:
    """Masked LM, 6 x 256, 32,000 pieces."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        workload.encoder(folder / "encoder", SHAPE)
        workload.write(folder, "b_pairs", 8, workload.PAIRS)
        shards(folder / "shards")
        how = f"{BATCH} rows of {LENGTH} tokens, AdamW (fused), dropout {SHAPE.dropout}, fp32"
        threads = f"{settings.threads} threads"
        found = rows(
            settings,
            "pretrain, masked LM, 6x256",
            "tokens/s",
            Side(f"xstilts pretrain, {how}, {threads}", ours, (folder,)),
            [
                (
                    "Trainer, DataCollatorForLanguageModeling",
                    Side(f"Trainer, {how}, {threads}", trainer, (folder,)),
                    (1.8, 2.3, 3),
                )
            ],
        )
        work = workload.work_of(folder / "encoder")
        flops = work.of_sequences([LENGTH]) / LENGTH + work.of_logits(1) * 0.15
    for row in found:
        row.limit = workload.limit(row.ours, flops, settings)
    return found


def shards(folder: Path) -> None:
    """Running text of one language, and no translations."""
    folder.mkdir()
    chances = np.arange(1, SHAPE.vocabulary - 4) ** -workload.ZIPF
    stream = np.random.default_rng(0)
    ids = stream.choice(len(chances), size=TOKENS, p=chances / chances.sum()) + 5
    offsets = np.arange(0, TOKENS + 1, 20)
    np.save(folder / "mono_ids.npy", ids.astype(np.uint16))
    np.save(folder / "mono_offsets.npy", offsets)
    np.save(folder / "mono_language.npy", np.zeros(len(offsets) - 1, np.int16))
    (folder / "languages.json").write_text(json.dumps(["en"]))


ROWS = {"masked_lm": masked_lm}

if __name__ == "__main__":
    from everything import main

    main(ROWS, on_cpus=ROWS)

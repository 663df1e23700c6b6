"""Training: a stage of ours against Hugging Face's Trainer, over whole epochs of the same rows.

    python benchmarks/training.py [--only ROW]

Both take the recipe's optimiser, schedule, batch size, clipping, dropout and precision. Ours keeps
its random order; the Trainer is set up in the ways its users set it up: padded to the maximum, to
the longest of a random batch, or with batches of similar length.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import workload
from sides import Clock, Round, Row, Settings, Side, rows
from workload import PAIRS, QUESTIONS, Lengths, Shape

if TYPE_CHECKING:
    from collections.abc import Callable

RATE, WARM_UP_STEPS = 3e-4, 2
PADDINGS = {
    "max": "padded to {clip} tokens",
    "dynamic": "dynamic padding, random batches",
    "length": "length-grouped batches",
}


class _Start:
    """Resume points of a run that has none; a stage asks for one right before its first step."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def save(self, *_: Any) -> None:
        """Nothing is kept."""

    def load(self) -> None:
        """The clock starts here."""
        self._clock.start()


def ours(
    settings: Settings,
    folder: Path,
    task: str,
    batch: int,
    clip: int,
    most: int,
    whole: bool,
    batches: str = "random",
) -> Callable[[], Round]:
    """A stage as a study runs it.

    Args:
        settings: device and precision.
        folder: of rows and encoder.
        task: which rows.
        batch: units a step.
        clip: tokens of a sequence.
        most: steps at most; 0: one epoch.
        whole: with the whole vocabulary, for comparison.
        batches: of the recipe.
    """
    from xstilts.model.memory import keep_freed_memory
    from xstilts.steps import train

    keep_freed_memory()
    if whole:
        train._Run._cut = lambda *_: None  # type: ignore[method-assign]  # noqa: SLF001
    formats = workload.MINI.batch
    inputs, desk = workload.stage(
        settings,
        folder,
        folder / "encoder",
        task,
        learning_rate=RATE,
        batch=dict.fromkeys(formats, batch),
        epochs=dict.fromkeys(formats, 1),
        max_length=dict.fromkeys(formats, clip),
        batches=batches,
    )
    clock = Clock()

    def job(steps: int = most) -> Round:
        last: list[Round] = []

        def progress(done: int, total: int, tokens: int) -> None:
            if done == total:
                last.append(clock.round(tokens))

        with tempfile.TemporaryDirectory() as out:
            there = replace(desk, progress=progress)
            given = inputs | {"max_steps": steps or None}
            train.train(given, (folder / "encoder", None), Path(out), _Start(clock), there)
        return last[0]

    job(WARM_UP_STEPS)
    return job


def trainer(
    settings: Settings, folder: Path, task: str, batch: int, clip: int, padding: str
) -> Callable[[], Round]:
    """Hugging Face's Trainer."""
    from transformers import (
        AutoModelForQuestionAnswering,
        AutoModelForSequenceClassification,
        AutoTokenizer,
        DataCollatorWithPadding,
        Trainer,
        TrainingArguments,
    )
    from transformers.utils import logging

    logging.set_verbosity_error()
    tokenizer = AutoTokenizer.from_pretrained(folder / "encoder")
    data = workload.examples(folder, task, clip)
    most = {"padding": "max_length", "max_length": clip} if padding == "max" else {"padding": True}
    arguments = TrainingArguments(
        output_dir=str(folder / "trainer"),
        per_device_train_batch_size=batch,
        num_train_epochs=1,
        learning_rate=RATE,
        warmup_steps=0.1,
        weight_decay=0.01,
        max_grad_norm=1.0,
        optim="adamw_torch_fused",
        train_sampling_strategy="group_by_length" if padding == "length" else "random",
        use_cpu=settings.device == "cpu",
        bf16=settings.precision == "bf16",
        dataloader_pin_memory=settings.device != "cpu",
        report_to=[],
        save_strategy="no",
        logging_strategy="no",
        disable_tqdm=True,
    )
    kind, more = AutoModelForSequenceClassification, {"num_labels": len(workload.LABELS)}
    if task == "b_questions":
        kind, more = AutoModelForQuestionAnswering, {}

    def job(part: int = len(data)) -> Round:
        model = kind.from_pretrained(folder / "encoder", **more)
        worker = Trainer(
            model=model,
            args=arguments,
            train_dataset=data[:part],
            data_collator=DataCollatorWithPadding(tokenizer, **most),
        )
        clock = Clock()
        worker.train()
        return clock.round(sum(len(one["input_ids"]) for one in data[:part]))

    job(WARM_UP_STEPS * batch)
    return job


def against_trainer(
    settings: Settings,
    name: str,
    task: str,
    lengths: Lengths,
    shape: Shape,
    size: tuple[int, int],
    marks: dict[str, tuple[float | None, float | None, float | None]],
) -> list[Row]:
    """A row for every padding in ``marks``; ``size`` is rows and batch."""
    count, batch = max(int(size[0] * settings.share), 2 * size[1]), size[1]
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        workload.encoder(folder / "encoder", shape)
        workload.write(folder, task, count, lengths)
        how = f"AdamW (fused), {batch} rows a step, dropout {shape.dropout:g}, {settings.about}"
        mine = Side(
            f"xstilts train step, {how}, packed, random order",
            ours,
            (folder, task, batch, lengths.clip, 0, False),
        )
        others = [
            (
                f"Trainer, {PADDINGS[padding].format(clip=lengths.clip)}",
                Side(
                    f"Trainer, {how}, {PADDINGS[padding].format(clip=lengths.clip)}",
                    trainer,
                    (folder, task, batch, lengths.clip, padding),
                ),
                mark,
            )
            for padding, mark in marks.items()
        ]
        found = rows(settings, name, "tokens/s", mine, others)
        work = workload.work_of(folder / "encoder")
        sizes = workload.encoded(folder, task, lengths.clip).lengths.tolist()
    for row in found:
        row.limit = workload.limit(row.ours, work.of_sequences(sizes) / sum(sizes), settings)
    return found


def pairs(settings: Settings) -> list[Row]:
    """Pairs of sentences, 6 x 256."""
    marks = {"max": (2.8, 3.5, 5), "dynamic": (1.8, 2.2, 3), "length": (1.15, 1.35, 2)}
    return against_trainer(
        settings, "train pairs, 6x256", "b_pairs", PAIRS, Shape(), (512, 32), marks
    )


def questions(settings: Settings) -> list[Row]:
    """Questions on contexts, 6 x 256."""
    marks = {"max": (3, 3.8, 5), "dynamic": (1.5, 2, 3), "length": (1.1, 1.3, 2)}
    return against_trainer(
        settings, "train questions, 6x256", "b_questions", QUESTIONS, Shape(), (96, 16), marks
    )


def deep(settings: Settings) -> list[Row]:
    """Pairs of sentences, 12 x 384."""
    shape = Shape(layers=12, hidden=384, heads=6)
    marks = {"length": (1.0, 1.15, 1.5)}
    return against_trainer(
        settings, "train pairs, 12x384", "b_pairs", PAIRS, shape, (256, 32), marks
    )


def xlm_r(settings: Settings, size: str, shape: Shape) -> list[Row]:
    """Pairs of sentences on an encoder of XLM-R's shape, with ``--device cuda``; hours on CPUs.

    The mark of the machine's arithmetic is 45 %.
    """
    marks = {"max": (None, None, None), "length": (None, None, None)}
    name = f"train pairs, XLM-R {size}'s shape"
    return against_trainer(settings, name, "b_pairs", PAIRS, shape, (16_384, 256), marks)


def base(settings: Settings) -> list[Row]:
    """12 x 768."""
    return xlm_r(settings, "base", workload.BASE)


def large(settings: Settings) -> list[Row]:
    """24 x 1024."""
    return xlm_r(settings, "large", workload.LARGE)


def vocabulary(settings: Settings) -> list[Row]:
    """A stage's own part of XLM-R's vocabulary against the whole of it."""
    shape, steps, batch = Shape(vocabulary=250_000), 16, 32
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        workload.encoder(folder / "encoder", shape)
        # So many rows that they hold as many kinds of pieces as English training data does.
        workload.write(folder, "b_pairs", 6000, PAIRS, kinds=60_000, zipf=0.5)
        given = (folder, "b_pairs", batch, PAIRS.clip, max(int(steps * settings.share), 3))
        seen = len(set(workload.encoded(folder, "b_pairs", PAIRS.clip).ids.tolist()))
        found = rows(
            settings,
            f"train pairs, 250,000 pieces, {seen:,} seen",
            "tokens/s",
            Side("embeddings of the stage's pieces", ours, (*given, False)),
            [("untrimmed", Side("all embeddings", ours, (*given, True)), (1.1, 1.4, None))],
        )
        work = workload.work_of(folder / "encoder")
        sizes = workload.encoded(folder, "b_pairs", PAIRS.clip).lengths.tolist()
    for row in found:
        row.limit = workload.limit(row.ours, work.of_sequences(sizes) / sum(sizes), settings)
        row.note = "marks of the peak memory: -20 %, -40 %"
    return found


def even(settings: Settings) -> list[Row]:
    """Batches of equally many tokens against random ones, both ours: another order of rows."""
    found: list[Row] = []
    for name, task, lengths, size in (
        ("train pairs, 6x256, even batches", "b_pairs", PAIRS, (512, 32)),
        ("train questions, 6x256, even batches", "b_questions", QUESTIONS, (256, 16)),
    ):
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            workload.encoder(folder / "encoder", Shape())
            workload.write(folder, task, size[0], lengths)
            given = (folder, task, size[1], lengths.clip, 0, False)
            found += rows(
                settings,
                name,
                "tokens/s",
                Side("recipe mini:even", ours, (*given, "even")),
                [
                    (
                        "random batches",
                        Side("recipe mini", ours, (*given, "random")),
                        (None, None, None),
                    )
                ],
            )
    return found


ROWS = {
    "pairs": pairs,
    "questions": questions,
    "deep": deep,
    "vocabulary": vocabulary,
    "even": even,
    "base": base,
    "large": large,
}

if __name__ == "__main__":
    from everything import main

    main(ROWS)

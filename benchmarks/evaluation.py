"""Evaluation in forty languages: one packed, sorted stream against padded batches.

    python benchmarks/evaluation.py [--only ROW]

The others run the same classifier in transformers: as XTREME's scripts do, language by language,
padded to 128 tokens in batches of 8, and as well as padding can be done, all languages sorted
together, in batches of as many tokens as ours. Logits are compared with the padded ones.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import workload
from sides import Clock, Round, Row, Settings, Side, rows
from workload import PAIRS, Shape

from xstilts.steps.batches import group_by_budget

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from xstilts.formats.encoded import Encoded

LANGUAGES = (
    *(
        [
            "af",
            "ar",
            "bg",
            "bn",
            "de",
            "el",
            "en",
            "es",
            "et",
            "eu",
            "fa",
            "fi",
            "fr",
            "he",
            "hi",
            "hu",
            "id",
            "it",
            "ja",
            "jv",
            "ka",
            "kk",
            "ko",
            "ml",
            "mr",
            "ms",
        ]
    ),
    *(["my", "nl", "pt", "ru", "sw", "ta", "te", "th", "tl", "tr", "ur", "vi", "yo", "zh"]),
)
CLIP, BATCH, ROWS_EACH = 128, 8, 25
SMALL, NONE = Shape(), (None, None, None)


def classifier(folder: Path) -> Any:
    """The same classifier for all sides, in transformers' own modules."""
    from transformers import AutoModelForSequenceClassification

    torch.manual_seed(1)
    model = AutoModelForSequenceClassification.from_pretrained(
        folder / "encoder", num_labels=len(workload.LABELS)
    )
    for layer in (model.classifier.dense, model.classifier.out_proj):
        torch.nn.init.normal_(layer.weight, std=0.2)
    return model.eval()


def ours(settings: Settings, folder: Path) -> Callable[[], Round]:
    """As predict steps do it."""
    from xstilts.model import heads
    from xstilts.model.memory import keep_freed_memory
    from xstilts.steps import checkpoint, forward
    from xstilts.steps.predict import _merge

    keep_freed_memory()
    encoder, _ = checkpoint.load(folder / "encoder")
    head = heads.build("classification", len(workload.LABELS), encoder)
    assert head is not None
    theirs = classifier(folder).classifier
    names = {"dense": "dense", "out": "out_proj"}
    head.load_state_dict(
        {
            f"{own}.{kind}": getattr(getattr(theirs, name), kind).detach()
            for own, name in names.items()
            for kind in ("weight", "bias")
        }
    )
    data = _merge([workload.encoded(folder, "b_pairs", CLIP, one) for one in LANGUAGES])
    _, desk = workload.stage(settings, folder, folder / "encoder", "b_pairs")

    def job() -> Round:
        clock = Clock()
        with forward.precision(settings.precision, desk):
            logits = forward.head_outputs(encoder, head, "classification", data, desk)
        done = clock.round(len(data.ids))
        np.save(folder / "ours.npy", logits)
        return done

    job()
    return job


def padded(settings: Settings, folder: Path, *, sorted_together: bool) -> Callable[[], Round]:
    """In transformers, padded."""
    model = classifier(folder).to(settings.device)
    kind, budget = torch.device(settings.device).type, workload.budget(settings)
    data = [workload.encoded(folder, "b_pairs", CLIP, one) for one in LANGUAGES]

    @torch.inference_mode()
    def job() -> Round:
        clock = Clock()
        batches = sorted_batches(data, budget) if sorted_together else official_batches(data)
        logits = []
        for ids, mask in batches:
            given = {"input_ids": ids.to(model.device), "attention_mask": mask.to(model.device)}
            with torch.autocast(kind, torch.bfloat16, enabled=settings.precision == "bf16"):
                logits.append(model(**given).logits.float().cpu().numpy())
        done = clock.round(sum(len(one.ids) for one in data))
        if not sorted_together:
            np.save(folder / "theirs.npy", np.concatenate(logits))
        return done

    job()
    return job


def official_batches(data: list[Encoded]) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Language by language, in the order of the rows, padded to the limit."""
    for one in data:
        for start in range(0, len(one), BATCH):
            yield pad(one, np.arange(start, min(start + BATCH, len(one))), CLIP)


def sorted_batches(data: list[Encoded], budget: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """All languages by length, padded to the longest of a batch."""
    from xstilts.steps.predict import _merge

    merged = _merge(data)
    for group in group_by_budget(merged.lengths, budget):
        yield pad(merged, group, int(merged.lengths[group].max()))


def pad(one: Encoded, numbers: NDArray[np.int64], width: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Ids and mask ``[n, width]``."""
    ids = np.full((len(numbers), width), 1, np.int64)
    mask = np.zeros_like(ids)
    for row, number in enumerate(numbers):
        sequence = one.ids[one.offsets[number] : one.offsets[number + 1]]
        ids[row, : len(sequence)] = sequence
        mask[row, : len(sequence)] = 1
    return torch.from_numpy(ids), torch.from_numpy(mask)


def languages(settings: Settings, size: str = "6x256", shape: Shape = SMALL) -> list[Row]:
    """Forty languages."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        workload.encoder(folder / "encoder", shape)
        each = max(int(ROWS_EACH * settings.share), 4)
        workload.write(folder, "b_pairs", each, PAIRS, languages=LANGUAGES)
        how = f"classifier of pairs, {settings.about}"
        tokens = f"{workload.budget(settings):,} tokens"
        found = rows(
            settings,
            f"evaluate {len(LANGUAGES)} languages, {size}",
            "tokens/s",
            Side(f"{how}, packed, one sorted stream", ours, (folder,)),
            [
                (
                    "as XTREME's scripts: pad 128, batch 8",
                    Side(f"{how}, padded to {CLIP}, batches of {BATCH}", official, (folder,)),
                    (3.5, 5, 7) if shape is SMALL else NONE,
                ),
                (
                    "all sorted together, padded",
                    Side(f"{how}, sorted, {tokens} a batch", together, (folder,)),
                    (1.2, 1.5, 2) if shape is SMALL else NONE,
                ),
            ],
        )
        one, other = np.load(folder / "ours.npy"), np.load(folder / "theirs.npy")
        sizes = [n for c in LANGUAGES for n in workload.encoded(folder, "b_pairs", CLIP, c).lengths]
        flops = workload.work_of(folder / "encoder").of_sequences(map(int, sizes)) / 3 / sum(sizes)
    flips = int((one.argmax(1) != other.argmax(1)).sum())
    for row in found:
        row.limit = workload.limit(row.ours, flops, settings)
        row.note = (
            f"predictions that differ from the padded ones: {flips} of {len(one)}; "
            f"largest difference of a logit: {abs(one - other).max():.1e}"
        )
    return found


def base(settings: Settings) -> list[Row]:
    """XLM-R base, with ``--device cuda``; the mark of the machine's arithmetic is 55 %."""
    return languages(replace(settings, share=20 * settings.share), "XLM-R base", workload.BASE)


def large(settings: Settings) -> list[Row]:
    """XLM-R large, likewise."""
    return languages(replace(settings, share=20 * settings.share), "XLM-R large", workload.LARGE)


def official(settings: Settings, folder: Path) -> Callable[[], Round]:
    """As XTREME's scripts."""
    return padded(settings, folder, sorted_together=False)


def together(settings: Settings, folder: Path) -> Callable[[], Round]:
    """As well as padding goes."""
    return padded(settings, folder, sorted_together=True)


ROWS = {"languages": languages, "languages_base": base, "languages_large": large}

if __name__ == "__main__":
    from everything import main

    main(ROWS)

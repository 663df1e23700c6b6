"""What the benchmarks work on: encoders with random weights, and rows of random words.

A word is a token, so lengths are exactly as drawn. Words follow Zipf's law, lengths a log-normal
distribution with the spread of real data under the tokenizer of `mini`: the logarithms' standard
deviation is 0.48 for TaxiNLI's pairs, 0.36 for XNLI's, 0.32 for SQuAD's windows. Nothing here can
be learnt, so nothing is said of quality.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from sides import PRECISIONS, Settings

from xstilts import formats, models, plan
from xstilts.model import tokenizer
from xstilts.model.throughput import Work, peak_flops_per_s
from xstilts.recipes import MINI
from xstilts.sources import Sources
from xstilts.steps import checkpoint
from xstilts.steps.desk import Desk
from xstilts.study import Study
from xstilts.tasks import Catalogue, Data, Files, Task

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from xstilts.formats.encoded import Encoded

SPECIALS = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")
LABELS = ("no", "maybe", "yes")
ZIPF = 1.1


@dataclass(frozen=True)
class Shape:
    """Of an encoder."""

    layers: int = 6
    hidden: int = 256
    heads: int = 4
    vocabulary: int = 32_000
    dropout: float = 0.1  # as in XLM-R's configuration


BASE = Shape(12, 768, 12, 250_002)  # of XLM-R, Conneau et al. 2020, table 1
LARGE = Shape(24, 1024, 16, 250_002)


@dataclass(frozen=True)
class Lengths:
    """Of sequences, in tokens."""

    mean: float
    spread: float  # standard deviation of the logarithm
    clip: int

    def draw(self, count: int, stream: np.random.Generator) -> NDArray[np.int64]:
        """Lengths of so many sequences, ``[count]``; their mean before clipping is ``mean``."""
        middle = np.log(self.mean) - self.spread**2 / 2
        drawn = np.exp(stream.normal(middle, self.spread, count))
        return np.clip(np.rint(drawn), 8, self.clip).astype(np.int64)


PAIRS = Lengths(35, 0.48, 128)
QUESTIONS = Lengths(170, 0.32, 384)


def encoder(folder: Path, shape: Shape) -> Path:
    """Write an XLM-R with random weights and a tokenizer that knows the words w0, w1, ..."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast, XLMRobertaConfig, XLMRobertaForMaskedLM

    from xstilts.model.tokenizer import SPECIAL_NAMES

    words = [*SPECIALS, *(f"w{n}" for n in range(shape.vocabulary - len(SPECIALS)))]
    backend = Tokenizer(
        models.WordLevel({w: n for n, w in enumerate(words)}, unk_token=SPECIALS[3])
    )
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    backend.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>",
        pair="<s> $A </s> </s> $B </s>",
        special_tokens=[("<s>", 0), ("</s>", 2)],
    )
    PreTrainedTokenizerFast(tokenizer_object=backend, **SPECIAL_NAMES).save_pretrained(folder)
    torch.manual_seed(0)
    config = XLMRobertaConfig(
        vocab_size=shape.vocabulary,
        hidden_size=shape.hidden,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        intermediate_size=4 * shape.hidden,
        max_position_embeddings=514,
        type_vocab_size=1,
        hidden_dropout_prob=shape.dropout,
        attention_probs_dropout_prob=shape.dropout,
    )
    XLMRobertaForMaskedLM(config).save_pretrained(folder)
    return folder


class Words:
    """Draws words."""

    def __init__(self, kinds: int, zipf: float, seed: int) -> None:
        """So many different ones, the n-th as frequent as ``n ** -zipf``."""
        self.stream = np.random.default_rng(seed)
        chances = np.arange(1, kinds + 1) ** -zipf
        self._ends = np.cumsum(chances / chances.sum())

    def draw(self, count: int) -> list[str]:
        """The next words."""
        return [f"w{place}" for place in np.searchsorted(self._ends, self.stream.random(count))]


def write(
    folder: Path,
    task: str,
    rows: int,
    lengths: Lengths,
    *,
    kinds: int = 16_000,
    zipf: float = ZIPF,
    languages: tuple[str, ...] = ("en",),
) -> None:
    """Write training rows of a task, and rows of ``b_pairs`` to evaluate in each language."""
    for number, language in enumerate(languages):
        few = rows if len(languages) > 1 else 8
        pairs(folder / f"test.{language}.tsv", few, lengths, Words(kinds, zipf, number))
    if task == "b_pairs":
        pairs(folder / "pairs.tsv", rows, lengths, Words(kinds, zipf, 1000))
    else:
        questions(folder / "questions.json", rows, lengths, Words(kinds, zipf, 1000))


def pairs(path: Path, rows: int, lengths: Lengths, words: Words) -> None:
    """Write rows of two texts and a label."""
    lines = ["a\tb\tlabel"]
    for row, length in enumerate(lengths.draw(rows, words.stream)):
        text = words.draw(int(length) - 4)  # four special tokens
        cut = max(1, 2 * len(text) // 3)
        lines.append(f"{' '.join(text[:cut])}\t{' '.join(text[cut:])}\t{LABELS[row % 3]}")
    path.write_text("\n".join(lines) + "\n", "utf-8")


def questions(path: Path, rows: int, lengths: Lengths, words: Words) -> None:
    """Write rows of a question and a context that holds its answer, a window each."""
    asked = []
    for row, length in enumerate(lengths.draw(rows, words.stream)):
        text = words.draw(int(length) - 4)
        cut = min(12, len(text) // 2)
        context, answer = text[cut:], text[cut + (len(text) - cut) // 2]
        start = len(" ".join(context[: (len(text) - cut) // 2])) + ((len(text) - cut) // 2 > 0)
        question = {
            "id": str(row),
            "question": " ".join(text[:cut]),
            "answers": [{"text": answer, "answer_start": start}],
        }
        asked.append({"context": " ".join(context), "qas": [question]})
    document = {"data": [{"title": "a", "paragraphs": asked}]}
    path.write_text(json.dumps(document), "utf-8")


def tasks(folder: Path, languages: tuple[str, ...] = ("en",)) -> Catalogue:
    """The tasks of ``pairs.tsv``, ``questions.json`` and ``test.<language>.tsv`` in a folder."""
    files = {"text_a": "a", "text_b": "b"}
    return Catalogue(
        (
            Task(
                name="b_pairs",
                about="pairs of random words",
                format="classification",
                metrics=("accuracy",),
                labels=LABELS,
                languages=languages,
                sources={
                    "files": Data(
                        train=Files(path=f"{folder}/pairs.tsv", reader="tsv", fields=files),
                        evaluate=Files(
                            path=f"{folder}/test.{{lang}}.tsv", reader="tsv", fields=files
                        ),
                        split="test",
                    )
                },
            ),
            Task(
                name="b_questions",
                about="questions of random words",
                format="span",
                metrics=("squad_f1",),
                sources={
                    "files": Data(
                        train=Files(path=f"{folder}/questions.json", reader="squad"),
                        evaluate=Files(path=f"{folder}/questions.json", reader="squad"),
                        split="train",
                    )
                },
            ),
        )
    )


def budget(settings: Settings) -> int:
    """Tokens of a micro-batch, as the command line has it."""
    return 4096 if settings.device == "cpu" else 16384


def stage(
    settings: Settings, folder: Path, model: Path, path: str, **recipe: Any
) -> tuple[dict[str, Any], Desk]:
    """The inputs of a path's first training step under recipe `mini`, and a desk to run it at."""
    catalogue, sources = tasks(folder), Sources()
    changed = replace(MINI, name="benchmark", precision=settings.precision, **recipe)
    study = Study(name="benchmark", paths=(path,), source="files", keep="all")
    found = plan.build(study, changed, [models.find(str(model))], catalogue, sources)
    step = next(step for step in found.steps.values() if step.kind == "train")
    desk = Desk(catalogue, sources, settings.device, budget(settings), checkpoint_seconds=1e9)
    return dict(step.inputs), desk


def encoded(folder: Path, task: str, clip: int, language: str = "") -> Encoded:
    """A task's training rows, or those to evaluate in a language, encoded."""
    catalogue = tasks(folder)
    one = catalogue.get(task)
    split: Any = "evaluate" if language else "train"
    rows = Sources().examples(one, catalogue.data(task, "files"), split, language or "en")
    backend = tokenizer.load(folder / "encoder").backend
    return formats.encode(one, rows, backend, formats.Limits(clip, 64, 128))


def examples(folder: Path, task: str, clip: int) -> list[dict[str, Any]]:
    """The same rows as the Trainer takes them."""
    data = encoded(folder, task, clip)
    found = []
    for start, end in pairwise(data.offsets):
        ids = data.ids[start:end].tolist()
        found.append({"input_ids": ids, "attention_mask": [1] * len(ids)})
    for number, one in enumerate(found):
        if task == "b_pairs":
            one["labels"] = int(data.targets["label"][number])
        else:
            first, last = map(int, data.targets["span"][number])
            one |= {"start_positions": first, "end_positions": last}
    return found


def work_of(folder: Path) -> Work:
    """The arithmetic of an encoder."""
    return Work.of(checkpoint.load(folder)[0].network)


def limit(rates: list[float], flops: float, settings: Settings, unit: str = "tokens") -> str:
    """What the machine could do at most, in a line.

    Args:
        rates: measured, in units a second.
        flops: of a unit.
        settings: threads, device and precision.
        unit: what is counted.
    """
    torch.set_num_threads(settings.threads)
    dtype = getattr(torch, PRECISIONS[settings.precision])
    peak = peak_flops_per_s(torch.device(settings.device), dtype)
    return (
        f"limit: {flops / 1e6:.1f} MFLOP each at {peak / 1e9:,.0f} GFLOP/s "
        f"({settings.precision} products, measured now) are {peak / flops:,.0f} {unit}/s; reached: "
        f"{median(rates) * flops / peak:.0%}"
    )

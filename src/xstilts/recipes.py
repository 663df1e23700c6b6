"""Named recipes: every number of a training stage, resolved before a study is planned.

``authors`` is the recipe of the X-STILTs authors' toolkit (jiant @ daa5a258: the XTREME scripts
d_write_configs.sh and e_run_models.sh for target stages, the simple API's defaults for
intermediate ones). ``mini`` is for small encoders, which do not learn at 1e-5; ``demo`` is the same
for a few hundred rows. ``mt5`` and ``mt5-mini`` take a whole encoder-decoder from text to text.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from xstilts.errors import UserError, suggest
from xstilts.sizes import PRECISIONS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from xstilts.study import Study


# Queries and values, as Hu et al. 2021 adapt (section 7.1), by what architectures call them.
QUERIES_AND_VALUES = ("query", "value", "q", "v", "query_proj", "value_proj", "Wqkv")


@dataclass(frozen=True, kw_only=True)
class Lora:
    """Low-rank adapters.

    Attributes:
        rank: of the product that is added to a weight.
        alpha: it is scaled by alpha / rank.
        targets: names of the linear modules that are adapted, those that an encoder has.
    """

    rank: int = 16
    alpha: float = 32.0
    targets: tuple[str, ...] = QUERIES_AND_VALUES


# Options that came later: at their defaults they stay out, so that older stages keep their names.
_LATER = ("text2text", "optimizer", "schedule", "batches")


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How to train.

    Attributes:
        name: as written in studies.
        learning_rate: the peak.
        batch: format -> units an optimiser step sees.
        epochs: format -> passes over the training rows.
        target_epochs: target task -> passes when it is the last stage; others take ``epochs``.
        max_length: format -> tokens of a sequence.
        warmup: share of the steps with linearly rising learning rate.
        weight_decay: of AdamW, not on biases and normalisation.
        epsilon: of AdamW.
        clip: the largest gradient norm.
        cap: multi-task sampling counts at most so many units of a task; 0: no cap.
        temperature: multi-task sampling in proportion to (capped units)^(1/temperature).
        select_every: steps between evaluations on the English selection split; 0: the last step
            is kept and nothing is selected.
        select_units: how many selection units are scored, the first ones; where rows come article
            by article, one of each, then a second of each.
        patience: evaluations without gain before stopping early.
        precision: ``fp32`` or ``bf16``.
        doc_stride: span only, tokens between the starts of windows.
        max_query_length: span only, tokens of a question.
        lora: train low-rank adapters and heads alone; None: everything.
        text2text: whether rows are read and written as text, by a whole encoder-decoder, instead of
            being given to an encoder with heads.
        optimizer: ``adamw``, or ``adafactor`` with its rate scaled by each parameter's size.
        schedule: of the learning rate after the warm-up: ``linear``, down to 0, or ``constant``.
        batches: ``random``, or ``even``: of about equally many tokens and one length, which
            changes the order of rows; retrieval stays random, as others' answers are its negatives.
    """

    name: str
    learning_rate: float
    batch: Mapping[str, int]
    epochs: Mapping[str, int]
    max_length: Mapping[str, int]
    target_epochs: Mapping[str, int] = field(default_factory=dict)
    warmup: float = 0.1
    weight_decay: float = 0.01
    epsilon: float = 1e-8
    clip: float = 1.0
    cap: int = 131_072
    temperature: float = 1.0
    select_every: int = 0
    select_units: int = 500
    patience: int = 30
    precision: str = "fp32"
    doc_stride: int = 128
    max_query_length: int = 64
    lora: Lora | None = None
    text2text: bool = False
    optimizer: str = "adamw"
    schedule: str = "linear"
    batches: str = "random"

    def limits(self, format_: str) -> dict[str, int]:
        """The length limits of a format's sequences, as they stand in a step's inputs."""
        return {
            "max_length": self.max_length[format_],
            "max_query_length": self.max_query_length,
            "doc_stride": self.doc_stride,
        }

    def options(self) -> dict[str, Any]:
        """What is the same for every stage and changes its result: part of its identity."""
        resolved = ("name", "batch", "epochs", "max_length", "target_epochs", "lora")
        found = {
            f.name: getattr(self, f.name)
            for f in fields(self)
            if f.name not in resolved
            and not (f.name in _LATER and getattr(self, f.name) == f.default)
        }
        if self.lora is not None:
            found["lora"] = {**asdict(self.lora), "targets": list(self.lora.targets)}
        return found


_OURS = ("classification", "multiple_choice", "tagging", "span", "retrieval", "mlm")


def _each(value: int, **other: int) -> Mapping[str, int]:
    return MappingProxyType(dict.fromkeys(_OURS, value) | other)


AUTHORS = Recipe(
    name="authors",
    learning_rate=1e-5,
    batch=_each(32, span=16, retrieval=16),  # a dual encoder's: XTREME-R's train_lareqa.sh
    epochs=_each(3),
    target_epochs=MappingProxyType(
        {"xnli": 2, "pawsx": 5, "udpos": 10, "panx": 10, "xquad": 2, "mlqa": 2, "tydiqa": 2}
        | {"mewslix": 2}
    ),
    max_length=_each(256, span=384, retrieval=512),
    select_every=1000,
)

# Frozen on 2026-11-21: the rate that is best or level on English selection rows of tagging and of
# inference, after equal steps with and without an intermediate task (docs/lab-book.md).
MINI = Recipe(
    name="mini",
    learning_rate=3e-4,
    batch=_each(32, span=16),
    epochs=_each(3, span=2),
    max_length=_each(128, span=256, retrieval=128),
)

# Few rows, seen once, in small steps: what `mini` learns most from in a few seconds.
DEMO = replace(MINI, name="demo", batch=_each(8), epochs=_each(1))

# Text to text after the mT5 paper (Xue et al. 2021, section 4.1; finetune_mt5_tasks.sh): a constant
# rate of 1e-3 and 2^17 tokens a step, which are 128 inputs of 1,024; the best of checkpoints every
# 200 steps. Passes over the rows are ours: the paper counts steps.
MT5 = Recipe(
    name="mt5",
    learning_rate=1e-3,
    batch=_each(128),
    epochs=_each(3),
    max_length=_each(1024),
    warmup=0.0,
    weight_decay=0.0,
    select_every=200,
    text2text=True,
    optimizer="adafactor",
    schedule="constant",
)

# The same for small models that this project pretrains; its numbers are those of `mini`, not tuned.
MT5_MINI = replace(
    MINI, name="mt5-mini", max_length=_each(128, span=512, retrieval=128), text2text=True
)

RECIPES: Mapping[str, Recipe] = MappingProxyType(
    {r.name: r for r in (AUTHORS, MINI, DEMO, MT5, MT5_MINI)}
)


LORA, EVEN = "lora", "even"


def get(name: str) -> Recipe:
    """The recipe of that name, and of its variants.

    ``mini:bf16`` is ``mini`` in another precision, ``mini:lora`` with low-rank adapters,
    ``mini:even`` with batches of equally many tokens; ``mini:bf16:lora`` is two of them.

    Raises:
        UserError: if there is none.
    """
    base, *variants = name.split(":")
    if base not in RECIPES:
        raise UserError(f'no recipe is called "{name}":{suggest(base, RECIPES)}')
    found = replace(RECIPES[base], name=name)
    for variant in variants:
        if variant == LORA:
            found = replace(found, lora=Lora())
        elif variant == EVEN:
            found = replace(found, batches=EVEN)
        elif variant in PRECISIONS:
            found = replace(found, precision=variant)
        else:
            hint = suggest(variant, (*PRECISIONS, LORA, EVEN))
            raise UserError(f'no variant of a recipe is called "{variant}":{hint}')
    return found


def of(study: Study) -> Recipe:
    """The recipe of a study, with what the study says of adapters.

    Raises:
        UserError: if there is none of that name.
    """
    found = get(study.recipe)
    return found if study.lora is None else replace(found, lora=Lora(**dict(study.lora)))

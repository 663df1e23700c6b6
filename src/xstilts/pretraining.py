"""What a pretraining run is: one YAML file, as a frozen object.

The objectives are masked LM on one language's text, translation LM (masked LM on a segment and its
translation side by side; Conneau & Lample 2019, section 3.3), translation ranking (which of the
batch's sentences translates this one?), of segments and of dictionary entries, matching (of pieces
at random in two halves, which do both have, and which are hidden?) and cloze: where in a text is
what fills the gap in a stretch of it? Their shares are shares of optimiser steps. An
encoder-decoder has one objective of its own, span corruption (Raffel et al. 2020).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from xstilts.yamlfile import YamlFile

if TYPE_CHECKING:
    from pathlib import Path

BUDGET = ("steps", "decay")  # keys in which a run that continues another's plateau may differ
ENCODER_DECODERS = ("t5", "mt5", "umt5")
Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]
Length = Annotated[int, Field(ge=8, le=512)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class TokenizerSize(_Frozen):
    """A Unigram tokenizer.

    Attributes:
        of: an encoder whose tokenizer is taken, so that siblings share one; "": a new one is made.
        vocabulary: pieces, special ones included; at most 65,535, so that a token is two bytes.
        sample_lines: lines it is trained on, sampled like the languages.
    """

    of: str = ""
    vocabulary: Annotated[int, Field(ge=100, lt=65_536)] = 28_000
    sample_lines: Count = 100_000


class Shape(_Frozen):
    """The size of an encoder; any further key of the architecture's configuration may be added.

    Attributes:
        model_type: a transformers architecture with a masked-LM head; for spans one of T5's.
        hidden_size: width.
        num_hidden_layers: depth, of T5 that of either half; 0: embeddings alone, a baseline.
        num_attention_heads: heads.
    """

    model_config = ConfigDict(frozen=True, extra="allow")

    model_type: str = "xlm-roberta"
    hidden_size: Count = 256
    num_hidden_layers: Annotated[int, Field(ge=0)] = 6
    num_attention_heads: Count = 4


class Objectives(_Frozen):
    """Shares of the optimiser steps; they sum to 1."""

    mlm: Share = 1.0
    tlm: Share = 0.0
    ranking: Share = 0.0
    dictionary: Share = 0.0
    spans: Share = 0.0
    matching: Share = 0.0
    cloze: Share = 0.0

    @model_validator(mode="before")
    @classmethod
    def _spans_alone(cls, data: Any) -> Any:
        if isinstance(data, dict) and data.get("spans"):
            return {"mlm": 0.0, **data}
        return data

    @model_validator(mode="after")
    def _sum_to_one(self) -> Objectives:
        if self.spans not in (0.0, 1.0):
            raise ValueError("spans is the only objective of an encoder-decoder: its share is 1")
        total = sum(self.model_dump().values())
        if abs(total - 1) > 1e-9:
            raise ValueError(f"shares sum to {total:g}, not to 1")
        return self


class Pretraining(_Frozen):
    """One pretraining run.

    Attributes:
        name: of the encoder.
        tokenizer: how its tokenizer is made.
        model: its shape.
        languages: codes of the corpus's languages to take; none: all.
        most_tokens: of one language's running text; 0: all. For shards that have to travel.
        start: ``factorised`` (embeddings from the parallel text), ``random``, or the folder of an
            encoder to continue.
        objectives: shares of the steps.
        masked: share of the tokens that masked and translation LM hide.
        alpha: languages are sampled in proportion to (their tokens)^alpha.
        sequences: tokens of a row of running text; each step draws one of these.
        batch_tokens: tokens of an optimiser step.
        ranking_pairs: sentence pairs of a ranking step.
        dictionary_pairs: entries of a step that ranks dictionary entries.
        ranking_scale: factor on cosines before the softmax.
        learning_rate: at the plateau.
        embedding_rate: the embeddings' learning rate, as a share of it.
        weight_decay: of AdamW.
        dropout: everywhere.
        steps: optimiser steps.
        warmup: steps of linear warm-up.
        decay: the last share of the steps, in which the rate falls linearly to 0. A run of more
            steps goes on from the plateau of a shorter one.
        seed: of everything random.
        precision: ``fp32`` or ``bf16``.
    """

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
    tokenizer: TokenizerSize = TokenizerSize()
    model: Shape = Shape()
    languages: tuple[str, ...] = ()
    most_tokens: Annotated[int, Field(ge=0)] = 0
    start: str = "factorised"
    objectives: Objectives = Objectives()
    masked: Annotated[float, Field(gt=0, lt=1)] = 0.15
    alpha: Share = 0.5
    sequences: Annotated[tuple[Length, ...], Field(min_length=1)] = (128, 128, 128, 512)
    batch_tokens: Count = 8192
    ranking_pairs: Count = 128
    dictionary_pairs: Count = 448
    ranking_scale: float = 20.0
    learning_rate: Annotated[float, Field(gt=0)] = 1e-3
    embedding_rate: Share = 1.0
    weight_decay: Annotated[float, Field(ge=0)] = 0.01
    dropout: Share = 0.0
    steps: Count = 10_000
    warmup: Count = 200
    decay: Share = 0.2
    seed: Annotated[int, Field(ge=0)] = 1
    precision: Literal["fp32", "bf16"] = "fp32"

    @model_validator(mode="after")
    def _fits(self) -> Pretraining:
        new, spans = self.start in ("random", "factorised"), bool(self.objectives.spans)
        if new and spans is not (self.model.model_type in ENCODER_DECODERS):
            names = ", ".join(ENCODER_DECODERS)
            raise ValueError(
                f"model.model_type {self.model.model_type}: spans is for an encoder-decoder "
                f"({names}), and other objectives are for encoders"
            )
        return self

    @property
    def falling_steps(self) -> int:
        """The last steps, in which the learning rate falls."""
        return round(self.decay * self.steps)


_MODELS: dict[str, type[BaseModel]] = {
    "": Pretraining,
    "tokenizer": TokenizerSize,
    "objectives": Objectives,
}


def load(path: Path) -> Pretraining:
    """Read a pretraining file.

    Raises:
        UserError: for what is wrong, with the file's name, the line and the key.
    """
    file = YamlFile.read(path, "check the path")
    return file.checked(Pretraining.model_validate, _MODELS)

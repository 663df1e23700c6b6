"""How inference is measured, and how a checkpoint is made to answer, as text to frozen objects.

Scenarios are MLPerf Inference's (Reddi et al. 2020, "MLPerf Inference Benchmark", section IV;
inference_rules.adoc of mlcommons/inference_policies, "Scenarios"):

- ``singlestream``: one example a query, the next query as soon as the last is answered; the figure
  is the 90th percentile of the latency. 1,024 queries and 60 seconds at least.
- ``offline``: all examples are there at once and may be ordered and batched at will; the figure is
  the throughput.
- ``server``: one example a query, arriving as a Poisson process; a query's latency counts from its
  arrival; the figure is the largest rate at which the 99th percentile stays within a bound.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

from xstilts.errors import UserError, suggest

ScenarioName = Literal["singlestream", "offline", "server"]
Backend = Literal["torch", "compiled", "onnxruntime"]
Precision = Literal["fp32", "bf16", "int8"]

# What can be combined: int8 is onnxruntime's dynamic quantisation, whose CPU kernels have no bf16.
PRECISIONS: dict[Backend, tuple[Precision, ...]] = {
    "torch": ("fp32", "bf16"),
    "compiled": ("fp32", "bf16"),
    "onnxruntime": ("fp32", "int8"),
}
SERVER_PERCENTILE = 0.99  # within the bound

# How measurements name who answered: the first checkpoint, the same once more, and the second.
FIRST, AGAIN, SECOND = "A", "A again", "B"
QUERIES = "queries.parquet"


@dataclass(frozen=True)
class Serving:
    """How a checkpoint answers; written as in ``onnxruntime+int8`` or ``drop=2+max_length=64``.

    Attributes:
        backend: ``torch`` as predict steps run it (packed rows), ``compiled`` by torch.compile, or
            ``onnxruntime``.
        precision: ``fp32``; ``bf16`` under autocast; ``int8`` weights and activations of matrix
            products, and int8 embeddings.
        drop: so many layers are left out, from the top.
        vocabulary: only the embeddings of pieces in the scripts of the task's languages are kept.
        max_length: tokens of a sequence at most; 0: the recipe's.
    """

    backend: Backend = "torch"
    precision: Precision = "fp32"
    drop: int = 0
    vocabulary: bool = False
    max_length: int = 0

    def __str__(self) -> str:
        parts = [
            *[self.backend] * (self.backend != "torch"),
            *[self.precision] * (self.precision != "fp32"),
            *[f"drop={self.drop}"] * bool(self.drop),
            *["vocabulary"] * self.vocabulary,
            *[f"max_length={self.max_length}"] * bool(self.max_length),
        ]
        return "+".join(parts) or "torch"


def serving(text: str) -> Serving:
    """A way to answer from its text.

    Raises:
        UserError: if a part is unknown, stands twice, or does not go with another.
    """
    found = Serving()
    named: set[str] = set()
    given: dict[str, Any]
    backend_said = False
    for part in (part.strip() for part in text.split("+")):
        key, equals, value = part.partition("=")
        if part in get_args(Backend):
            key, given, backend_said = "backend", {"backend": part}, True
        elif part in get_args(Precision):
            key, given = "precision", {"precision": part}
        elif part == "vocabulary":
            given = {"vocabulary": True}
        elif equals and key in ("drop", "max_length"):
            given = {key: _number(text, part, value)}
        else:
            known = [*get_args(Backend), *get_args(Precision), "drop=1", "vocabulary"]
            raise UserError(f'"{text}": "{part}":{suggest(part, [*known, "max_length=64"])}')
        if key in named:
            raise UserError(f'"{text}" says {key} twice; keep one')
        named.add(key)
        found = replace(found, **given)
    if found.precision == "int8" and not backend_said:
        found = replace(found, backend="onnxruntime")
    if found.precision not in PRECISIONS[found.backend]:
        allowed = " or ".join(PRECISIONS[found.backend])
        raise UserError(f'"{text}": {found.backend} answers in {allowed}, not {found.precision}')
    return found


def _number(text: str, part: str, value: str) -> int:
    least = 8 if part.startswith("max_length") else 1
    if not (value.isascii() and value.isdigit()) or int(value) < least:
        raise UserError(f'"{text}": "{part}" needs a whole number, {least} or more')
    return int(value)


def _serving(text: str) -> str:
    try:
        return str(serving(text))
    except UserError as error:
        raise PydanticCustomError("fault", "{reason}", {"reason": str(error), "key": ()}) from None


ServingText = Annotated[str, AfterValidator(_serving)]
Count = Annotated[int, Field(strict=True, ge=1, lt=2**31)]
Duration = Annotated[float, Field(gt=0, le=86_400)]


class Measure(BaseModel):
    """What a study measures of its checkpoints, or a bench of one.

    Attributes:
        scenarios: of every target, baseline and intermediate-trained.
        serve: how they answer.
        threads: of the CPU, in the process that measures.
        queries: at least so many of each checkpoint; of ``offline``, examples.
        seconds: for so long at least.
        batch: examples at a time in ``offline``, and at most in ``server``.
        bound_ms: what 99 % of the queries of ``server`` must be answered within.
        frontier: targets whose quality and latency are measured under every one of ``variants``.
        variants: other ways to answer, compared with ``serve``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    scenarios: tuple[ScenarioName, ...] = ("singlestream", "offline")
    serve: ServingText = "torch"
    threads: Count = 1
    queries: Count = 1024
    seconds: Duration = 60.0
    batch: Count = 32
    bound_ms: Duration = 100.0
    frontier: tuple[str, ...] = ()
    variants: tuple[ServingText, ...] = ()

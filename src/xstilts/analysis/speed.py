"""What a study's measurements say.

Latency and throughput by language, two checkpoints compared, and the wall time of the evaluations;
`frontier` lays quality beside latency.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from xstilts.analysis import latency
from xstilts.identity import fingerprint
from xstilts.scenario import AGAIN, FIRST, QUERIES, SECOND, serving

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from xstilts.analysis.latency import Percentile, Ratio
    from xstilts.measures import Measured
    from xstilts.plan import Plan
    from xstilts.store import Store

    Columns = Mapping[str, NDArray]  # of `scenario.QUERIES`

SHARES = (0.5, 0.9, 0.99)


@dataclass(frozen=True)
class Timing:
    """One checkpoint and language, or all languages (``language`` "").

    Attributes:
        side: ``A`` (both times it answered) or ``B``.
        queries, examples: how many were timed.
        percentiles: of a query's latency, in seconds, at ``SHARES``.
        tokenise_ms, forward_ms, post_ms: means of an example.
        ms_per_example, ms_per_token: all three together.
        tokens_per_example, characters_per_token: of the rows that were drawn.
        examples_per_s, tokens_per_s, characters_per_s: throughput.
    """

    side: str
    language: str
    queries: int
    examples: int
    percentiles: tuple[Percentile, ...]
    tokenise_ms: float
    forward_ms: float
    post_ms: float
    ms_per_example: float
    ms_per_token: float
    tokens_per_example: float
    characters_per_token: float
    examples_per_s: float
    tokens_per_s: float
    characters_per_s: float


@dataclass(frozen=True)
class Writing:
    """What checkpoints write that answer from text to text: training may change how much.

    Attributes:
        tokens: side -> output tokens of an example, their end included.
        ms_per_token: side -> of the model's time.
        length: the second's outputs against the first's, in tokens; None where there is one.
        pace: the same of the time for an output token.
    """

    tokens: Mapping[str, float]
    ms_per_token: Mapping[str, float]
    length: Ratio | None
    pace: Ratio | None

    def __str__(self) -> str:
        """In words."""
        said = "; ".join(
            f"{side} writes {self.tokens[side]:.1f} tokens an example, "
            f"{self.ms_per_token[side]:.2f} ms each"
            for side in self.tokens
        )
        if self.length is None or self.pace is None:
            return said
        return (
            f"{said}; outputs of B are {latency.change(self.length)} longer, "
            f"a token of them takes {latency.change(self.pace)} more"
        )


@dataclass(frozen=True)
class Measurement:
    """One finished measure step.

    Attributes:
        measured: what it measured; ``step`` may be another machine's.
        hardware, threads: where.
        serves: how each side answered.
        created: when, UTC.
        same: the first checkpoint against itself; None in the server scenario.
        other: the second against both copies of the first; None where there is one checkpoint.
        timings: by side, all languages first.
        memory_bytes: side -> what it took beyond the process before it was loaded; of torch alone.
        peak_bytes: side -> all of the process.
        queries_per_s: side -> the largest rate within the bound, of the server scenario.
        writing: where text is written; None where heads answer.
    """

    measured: Measured
    hardware: str
    threads: int
    serves: tuple[str, ...]
    created: str
    same: Ratio | None
    other: Ratio | None
    timings: tuple[Timing, ...]
    memory_bytes: Mapping[str, int]
    peak_bytes: Mapping[str, int]
    queries_per_s: Mapping[str, float]
    writing: Writing | None = None

    @property
    def verdict(self) -> str:
        """The answer in words."""
        if self.same is None:
            return ""
        answer = latency.verdict(self.same, self.other)
        return f"{answer}; {self.writing}" if self.writing else answer

    def row(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self) | {"verdict": self.verdict}


def measurements(plan: Plan, store: Store) -> list[Measurement]:
    """What is finished of a plan's measurements, on this machine and on any other.

    Those of the frontier are not in it. A measurement of another machine is one of the same
    checkpoints in the same scenario: all of its identity but the hardware.
    """
    there = finished(plan, store, [one.step for one in plan.measured])
    return [
        read(store, replace(one, step=step)) for one in plan.measured for step in there[one.step]
    ]


def finished(plan: Plan, store: Store, step_ids: Iterable[str]) -> dict[str, list[str]]:
    """Measure steps -> the finished ones that measured the same: itself first, then elsewhere."""
    alike: dict[str, list[str]] = {}
    for one in store.ls():
        if one.kind == "measure":
            alike.setdefault(_anywhere(store.record(one.id)["inputs"]), []).append(one.id)
    found = {one: alike.get(_anywhere(plan.steps[one].inputs), []) for one in step_ids}
    return {one: sorted(same, key=lambda other: other != one) for one, same in found.items()}


def _anywhere(inputs: Mapping[str, Any]) -> str:
    return fingerprint({key: value for key, value in inputs.items() if key != "hardware"})


def read(store: Store, measured: Measured) -> Measurement:
    """What a finished measure step found."""
    from pyarrow import parquet

    step = store.open(measured.step)
    inputs, result = step.record["inputs"], step.record["result"]
    table = (
        parquet.read_table(step.path(QUERIES)).to_pydict()
        if QUERIES in step.record["files"]
        else {}
    )
    columns = {name: np.array(values) for name, values in table.items()}
    # Other backends make their program in the same process, which would be counted too.
    serves = dict(zip((FIRST, SECOND), (side["serve"] for side in inputs["sides"]), strict=False))
    memory = {
        name: one
        for name, one in result["memory"].items()
        if serving(serves[name]).backend == "torch"
    }
    return Measurement(
        measured=measured,
        hardware=inputs["hardware"],
        threads=inputs["scenario"]["threads"],
        serves=tuple(side["serve"] for side in inputs["sides"]),
        created=step.record["created"],
        same=compare(columns, (FIRST,), AGAIN),
        other=compare(columns, (FIRST, AGAIN), SECOND),
        timings=tuple(timings(columns)),
        memory_bytes={
            name: one["peak_bytes"] - one["before_bytes"] for name, one in memory.items()
        },
        peak_bytes={name: one["peak_bytes"] for name, one in memory.items()},
        queries_per_s=result.get("queries_per_s", {}),
        writing=_writing(columns) if inputs.get("text2text") and columns else None,
    )


def compare(
    columns: Columns,
    firsts: Sequence[str],
    second: str,
    values: NDArray[np.float64] | None = None,
) -> Ratio | None:
    """How much longer one side takes than others, in their geometric mean, for the same queries.

    None without two rounds of all of them. ``values`` stand in place of seconds where given.
    """
    if values is None and columns:
        values = _seconds(columns)
    found = {}
    for side in (*firsts, second):
        here = columns["side"] == side if columns else np.zeros(0, bool)
        if here.sum() < 2:
            return None
        assert values is not None
        found[side] = values[here][np.argsort(columns["round"][here])]
    usual = np.exp(np.mean([np.log(found[side]) for side in firsts], axis=0))
    return latency.ratio(usual, found[second])


def _writing(columns: Columns) -> Writing:
    tokens = columns["output_tokens"].astype(float)
    sides = {FIRST: np.isin(columns["side"], (FIRST, AGAIN)), SECOND: columns["side"] == SECOND}
    there = {side: here for side, here in sides.items() if here.any()}
    forward, examples = columns["forward_s"], columns["examples"]
    copies = (FIRST, AGAIN)
    return Writing(
        tokens={s: float(tokens[h].sum() / examples[h].sum()) for s, h in there.items()},
        ms_per_token={
            s: 1000 * float(forward[h].sum() / tokens[h].sum()) for s, h in there.items()
        },
        length=compare(columns, copies, SECOND, tokens),
        pace=compare(columns, copies, SECOND, forward / tokens),
    )


def _seconds(columns: Columns) -> NDArray[np.float64]:
    return columns["tokenise_s"] + columns["forward_s"] + columns["post_s"]


def timings(columns: Columns) -> Iterator[Timing]:
    """Every side over all languages, then language by language."""
    if not columns or not len(columns["side"]):
        return
    sides = {FIRST: np.isin(columns["side"], (FIRST, AGAIN)), SECOND: columns["side"] == SECOND}
    for language in ("", *dict.fromkeys(columns["language"].tolist())):
        spoken = (columns["language"] == language) | (language == "")
        for side, here in sides.items():
            if (mine := here & spoken).any():
                yield _timing(side, language, {n: c[mine] for n, c in columns.items()})


def _timing(side: str, language: str, columns: Columns) -> Timing:
    seconds = _seconds(columns)
    examples, tokens, characters = (
        int(columns[name].sum()) for name in ("examples", "tokens", "characters")
    )
    total = float(seconds.sum())

    def ms(name: str) -> float:
        return 1000 * float(columns[name].sum()) / examples

    return Timing(
        side=side,
        language=language,
        queries=len(seconds),
        examples=examples,
        percentiles=tuple(latency.percentile(seconds, share) for share in SHARES),
        tokenise_ms=ms("tokenise_s"),
        forward_ms=ms("forward_s"),
        post_ms=ms("post_s"),
        ms_per_example=1000 * total / examples,
        ms_per_token=1000 * total / tokens,
        tokens_per_example=tokens / examples,
        characters_per_token=characters / tokens,
        examples_per_s=examples / total,
        tokens_per_s=tokens / total,
        characters_per_s=characters / total,
    )


@dataclass(frozen=True)
class Evaluated:
    """What a target's predictions took, as their steps recorded it, first seed.

    Attributes:
        model, path, target: of what.
        seconds: all languages: tokenising, forward, decoding; loading the model is not in it.
        examples, tokens: all languages.
        by_language: language -> seconds.
    """

    model: str
    path: str
    target: str
    seconds: float
    examples: int
    tokens: int
    by_language: Mapping[str, float]

    @property
    def examples_per_s(self) -> float:
        """Throughput."""
        return self.examples / self.seconds

    def row(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self) | {"examples_per_s": self.examples_per_s}


def suite(plan: Plan, store: Store) -> list[Evaluated]:
    """The wall time of the evaluation by target, from what predict steps recorded."""
    found: dict[tuple[str, str, str], list[tuple[str, Mapping[str, Any]]]] = {}
    seeds: dict[tuple[str, str, str], int | None] = {}
    for cell in plan.cells:
        place = (cell.model, cell.path, cell.target)
        predict = plan.steps[cell.score].parent
        if cell.seed != seeds.setdefault(place, cell.seed) or not store.has(predict):
            continue
        spent = store.record(predict)["provenance"]
        if "forward_seconds" in spent:
            found.setdefault(place, []).append((cell.language, spent))
    parts = ("tokenise_seconds", "forward_seconds", "post_seconds")
    made = []
    for place, mine in found.items():
        by_language = {code: sum(one.get(part, 0.0) for part in parts) for code, one in mine}
        examples, tokens = (sum(one.get(n, 0) for _, one in mine) for n in ("examples", "tokens"))
        seconds = sum(by_language.values())
        if seconds:
            made.append(Evaluated(*place, seconds, examples, tokens, by_language))
    return made

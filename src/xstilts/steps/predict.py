"""The predict step: per-example predictions of one task, language by language.

All languages of a task run in one length-sorted stream, a few hundred thousand tokens at a time;
each language is handed over as soon as it is complete, so that a kill costs one such portion.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from xstilts import formats
from xstilts.errors import UserError
from xstilts.failpoints import failpoint
from xstilts.formats import Limits, text2text
from xstilts.formats.encoded import Encoded
from xstilts.model.text_to_text import TextToText
from xstilts.scenario import serving as parsed
from xstilts.sources.capped import capped
from xstilts.steps import PREDICTIONS, checkpoint, forward, noisy, serving
from xstilts.steps.pools import Pools
from xstilts.steps.tuning import Tuning

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from torch import nn

    from xstilts.formats.examples import Example
    from xstilts.model.encoder import Encoder
    from xstilts.model.tokenizer import LoadedTokenizer
    from xstilts.steps.checkpoint import Weights
    from xstilts.steps.desk import Desk
    from xstilts.tasks.base import Task


PORTION_TOKENS = 400_000


@dataclass
class Spent:
    """What the predictions of a language took; provenance, never identity.

    Attributes:
        examples, tokens: how many, special tokens included.
        tokenise_seconds, forward_seconds, post_seconds: in their parts. Languages share batches:
            each has the part of a batch's time that it has of its tokens.
    """

    examples: int = 0
    tokens: int = 0
    tokenise_seconds: float = 0.0
    forward_seconds: float = 0.0
    post_seconds: float = 0.0


def predict(
    jobs: Sequence[Mapping[str, Any]],
    weights: Weights,
    desk: Desk,
    heads: Path | None = None,
) -> Iterator[tuple[int, list[dict[str, Any]]]]:
    """Predictions for several languages of one task with one model.

    Args:
        jobs: the inputs of predict steps that differ in language and perturbation only.
        weights: folder (or hub name) and hub revision.
        desk: rows, device, progress.
        heads: the folder of an earlier stage, whose head is to answer; None: that of the weights.

    Yields:
        The number of a job and its rows: ``id``, ``group``, ``gold``, ``prediction`` and what the
        format adds. Where a threshold or a layer is chosen, ``part`` tells the rows that it is
        chosen on (``tune``, never perturbed) from those that are scored (``evaluate``). Perturbed
        rows have ``subwords`` and ``changed``, how many of them the perturbation changed.

    Raises:
        UserError: if the model's head does not fit the task; or, when all other languages have been
            handed over, if the rows of some are not as they should be.
    """
    first = jobs[0]
    task = desk.catalogue.get(first["task"])
    shown, encoder, tokenizer, head = _opened(first, weights, heads, task, desk)
    data = desk.catalogue.data(task.name, first["source"])
    pooled = None
    if data.pool is not None:
        assert not isinstance(encoder, TextToText)
        pooled = Pools(task, data, encoder, tokenizer, head, desk)

    answer = _answer(first, (encoder, tokenizer), head, task, desk)

    def beside(rows: list[Example], job: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The predictions of rows by themselves."""
        one = formats.encode(shown, rows, tokenizer.backend, Limits(**job["limits"]))
        ((_, found),) = _portion([(0, rows, one)], answer, shown, {})
        return found

    spent = {number: Spent() for number in range(len(jobs))}
    tuning = Tuning(task, data, beside, desk)

    def measured(found: list[dict[str, Any]], job: Mapping[str, Any]) -> list[dict[str, Any]]:
        return noisy.measured(found, task, data, job, tokenizer.backend, desk)

    portion: list[tuple[int, list[Example], Encoded]] = []
    wrong: dict[str, list[str]] = {}  # what is wrong -> in which languages
    for number, job in enumerate(jobs):
        try:
            if pooled is not None:
                yield number, measured(_ranked(pooled, number, job, desk), job)
                continue
            split = job.get("split", "evaluate")
            rows = desk.sources.examples(task, data, split, job["language"])
            rows = capped(task, rows, job["max_rows"])
            rows = noisy.rows(task, rows, job, desk)
            encoded = _encoded(shown, rows, tokenizer, job, spent[number])
            portion.append((number, rows, encoded))
        except UserError as error:
            wrong.setdefault(str(error), []).append(job["language"])
        tokens = sum(len(one.ids) for _, _, one in portion)
        alone = task.format == "retrieval"  # every layer of every sentence is kept until ranked
        if portion and (alone or tokens >= PORTION_TOKENS or number == len(jobs) - 1):
            by_place = {place: spent[place] for place, _, _ in portion}
            with forward.precision(first["precision"], desk):
                done = [
                    (place, tuning.added(measured(found, jobs[place]), jobs[place]))
                    for place, found in _portion(portion, answer, shown, by_place)
                ]
            for place, found in done:
                desk.spent(place, asdict(spent[place]))
                yield place, found
            portion = []
    if wrong:
        faults = (f"{task.name} in {', '.join(codes)}: {why}" for why, codes in wrong.items())
        raise UserError("; ".join(faults))


def _opened(
    job: Mapping[str, Any],
    weights: Weights,
    heads: Path | None,
    task: Task,
    desk: Desk,
) -> tuple[Task, Encoder | TextToText, LoadedTokenizer, nn.Module | None]:
    """The task as the model is shown it, and the model, with a head or from text to text."""
    if job.get("text2text"):
        shown = text2text.of(task, desk.catalogue.get(job["head"]))
        return shown, *checkpoint.load_whole(*weights), None
    encoder, tokenizer = checkpoint.load(*weights)
    if job["head"] is None:
        return task, encoder, tokenizer, None
    return task, encoder, tokenizer, head_of(heads or weights[0], job["head"], task, encoder)


def _ranked(pooled: Pools, number: int, job: Mapping[str, Any], desk: Desk) -> list[dict[str, Any]]:
    began, read = time.perf_counter(), desk.sources.read_seconds  # no part of the model's time
    with forward.precision(job["precision"], desk):
        made = pooled.rows(job)
    seconds = time.perf_counter() - began - (desk.sources.read_seconds - read)
    desk.spent(number, {"examples": len(made), "forward_seconds": seconds})
    return made


def _encoded(
    task: Task,
    rows: list[Example],
    tokenizer: LoadedTokenizer,
    job: Mapping[str, Any],
    spent: Spent,
) -> Encoded:
    began = time.perf_counter()
    encoded = formats.encode(task, rows, tokenizer.backend, Limits(**job["limits"]))
    spent.tokenise_seconds = time.perf_counter() - began
    read = encoded.lengths[:: 2 if task.format == "text2text" else 1]  # not the right answers
    spent.examples, spent.tokens = len(rows), int(read.sum())
    return encoded


Answer = Callable[[Encoded, "NDArray[np.float64]"], "NDArray | list[str]"]


def _answer(
    job: Mapping[str, Any],
    loaded: tuple[Encoder | TextToText, LoadedTokenizer],
    head: nn.Module | None,
    task: Task,
    desk: Desk,
) -> Answer:
    """What the format decodes, from encoded rows; the seconds of each sequence are added up."""
    model, tokenizer = loaded
    if isinstance(model, TextToText):
        trained = desk.catalogue.get(job["head"])
        most = text2text.most_tokens(trained, tokenizer.backend)
        return lambda encoded, took: forward.generated(model, encoded, tokenizer, most, desk, took)
    encoder = model

    def neighbours(encoded: Encoded, seconds: NDArray[np.float64]) -> NDArray:
        began = time.perf_counter()
        found = forward.neighbours(encoder, encoded, desk)
        seconds += (time.perf_counter() - began) / len(seconds)
        return found

    def masked_lm(encoded: Encoded, seconds: NDArray[np.float64]) -> NDArray:
        began = time.perf_counter()
        found = forward.masked_lm(encoder, encoded, tokenizer, desk)
        seconds += (time.perf_counter() - began) * encoded.lengths / len(encoded.ids)
        return found

    def usual(encoded: Encoded, seconds: NDArray[np.float64]) -> NDArray:
        assert head is not None
        return forward.head_outputs(encoder, head, task.format, encoded, desk, seconds)

    if "serve" not in job:
        if task.format == "mlm":
            return masked_lm
        return neighbours if head is None else usual
    data = desk.catalogue.data(task.name, job["source"])
    codes = data.languages or task.languages
    server = serving.server(
        (encoder, tokenizer), head, task.format, parsed(job["serve"]), desk, codes
    )

    def otherwise(encoded: Encoded, seconds: NDArray[np.float64]) -> NDArray:
        began = time.perf_counter()
        found = server.outputs(encoded)
        seconds += (time.perf_counter() - began) * encoded.lengths / len(encoded.ids)
        return found

    return otherwise


def write(rows: list[dict[str, Any]], out: Path) -> dict[str, Any]:
    """Write prediction rows to ``out``; returns how many, and what share of sub-words changed."""
    import pyarrow as pa
    from pyarrow import parquet

    parquet.write_table(pa.Table.from_pylist(rows), out / PREDICTIONS)
    failpoint("predictions.saved")
    found: dict[str, Any] = {"rows": len(rows)}
    if rows and "changed" in rows[0]:
        subwords, changed = (sum(row.get(n) or 0 for row in rows) for n in ("subwords", "changed"))
        found["changed_subwords"] = changed / max(subwords, 1)
    return found


def head_of(folder: Path | str, name: str, task: Task, encoder: Encoder) -> nn.Module:
    """The stage's head of that name, for the task.

    Raises:
        UserError: if its labels are not the task's.
    """
    from pathlib import Path

    head, about = checkpoint.load_head(Path(folder), name, encoder)
    if tuple(about["labels"]) != task.labels:  # outputs are named, so they must be the same names
        raise UserError(
            f'the head of "{name}" has labels {", ".join(about["labels"])}; '
            f'"{task.name}" needs {", ".join(task.labels)}'
        )
    return head


def _portion(
    portion: list[tuple[int, list[Example], Encoded]],
    answer: Answer,
    task: Task,
    spent: Mapping[int, Spent],
) -> Iterator[tuple[int, list[dict[str, Any]]]]:
    encoded = [one for _, _, one in portion]
    seconds = [np.zeros(len(one.lengths)) for one in encoded]
    outputs: list[Any]
    if task.format in ("retrieval", "mlm"):
        outputs = [answer(one, took) for one, took in zip(encoded, seconds, strict=True)]
    else:
        together = np.concatenate(seconds)
        merged = answer(_merge(encoded), together)
        by_token = task.format in ("tagging", "span")
        sizes = [len(one.ids) if by_token else len(one.lengths) for one in encoded]
        if task.format == "text2text":
            sizes = [len(one) for one in encoded]
        ends = np.cumsum(sizes)
        outputs = [merged[end - size : end] for end, size in zip(ends, sizes, strict=True)]
        seconds = np.split(together, np.cumsum([len(one.lengths) for one in encoded])[:-1])
    for (number, rows, one), output, took in zip(portion, outputs, seconds, strict=True):
        began = time.perf_counter()
        found = list(formats.decode(task, rows, one, output))
        if number in spent:
            spent[number].forward_seconds = float(took.sum())
            spent[number].post_seconds = time.perf_counter() - began
        yield number, found


def _merge(parts: list[Encoded]) -> Encoded:
    """Several splits as one; only what the forward pass needs is kept."""

    def shifted(name: str, by: list[int]) -> np.ndarray:
        starts = np.cumsum([0, *by[:-1]])
        pieces = [getattr(p, name)[:-1] + s for p, s in zip(parts, starts, strict=True)]
        return np.concatenate([*pieces, [sum(by)]])

    def joined(name: str) -> np.ndarray:
        return np.concatenate([getattr(p, name) for p in parts])

    return Encoded(
        ids=joined("ids"),
        types=joined("types"),
        owner=joined("owner"),
        offsets=shifted("offsets", [len(p.ids) for p in parts]),
        units=shifted("units", [len(p.lengths) for p in parts]),
    )

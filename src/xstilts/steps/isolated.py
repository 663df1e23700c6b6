"""The process that measures: nothing else runs in it, and its threads are set before it starts.

``python -m xstilts.steps.isolated JOB OUT`` reads a job (JSON, written by `measure`), loads the
checkpoints, and writes what every query took to ``OUT/queries.parquet`` or, where the job asks for
memory, nothing. Progress and results go to stdout, a JSON document a line.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from xstilts import formats
from xstilts.errors import UserError
from xstilts.formats import Limits, examples, text2text
from xstilts.identity import stream_seed
from xstilts.model import heads
from xstilts.model.memory import peak_bytes
from xstilts.scenario import QUERIES, SERVER_PERCENTILE, serving
from xstilts.sources import Sources
from xstilts.steps import checkpoint, loadgen
from xstilts.steps.desk import Desk
from xstilts.steps.loadgen import Answered, Query
from xstilts.steps.serving import Writer, server
from xstilts.tasks import Catalogue
from xstilts.tasks.base import Task

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from xstilts.formats.examples import Example
    from xstilts.steps.serving import Server

MEMORY_ROWS = 32  # the longest rows, answered at once


class Checkpoint:
    """A checkpoint under measurement.

    Args:
        side: ``folder``, ``revision``, ``serve``, ``head`` (None: none; "": one drawn at random).
        job: the rest; with ``trained``, a task, it writes text in the words of that one.
        clock: in seconds.
    """

    def __init__(
        self, side: Mapping[str, Any], job: Mapping[str, Any], clock: Callable[[], float]
    ) -> None:
        self.task, self.clock = task_from_json(job["task"]), clock
        how = serving(side["serve"])
        limits = dict(job["limits"])
        if how.max_length:
            limits["max_length"] = min(limits["max_length"], how.max_length)
        self.limits = Limits(**limits)
        desk = Desk(
            catalogue=Catalogue(),
            sources=Sources(),
            device=job["device"],
            token_budget=job["token_budget"],
        )
        self.server: Server | Writer
        if job["trained"] is not None:
            trained = task_from_json(job["trained"])
            self.task, self.decodes = text2text.of(self.task, trained), True
            model, tokenizer = checkpoint.load_whole(side["folder"], side["revision"])
            self.tokenizer = tokenizer.backend
            self.server = Writer((model, tokenizer), trained, how, desk)
            return
        loaded = checkpoint.load(side["folder"], side["revision"])
        head = None
        if side["head"] == "":
            head = heads.build(self.task.format, len(self.task.labels), loaded[0])
        elif side["head"] is not None:
            head = checkpoint.load_head(Path(side["folder"]), side["head"], loaded[0])[0]
        if head is not None:
            head.eval()
        self.decodes = head is not None and self.task.format != "retrieval"
        self.tokenizer = loaded[1].backend
        self.server = server(loaded, head, self.task.format, how, desk, job["codes"])

    def answer(self, rows: Sequence[Example]) -> Answered:
        """Answer some examples at once."""
        start = self.clock()
        encoded = formats.encode(self.task, rows, self.tokenizer, self.limits)
        tokenised = self.clock()
        outputs = self.server.outputs(encoded)  # on the CPU, so a device has finished
        forwarded = self.clock()
        if self.decodes:
            list(formats.decode(self.task, rows, encoded, outputs))
        decoded = self.clock()
        written = self.server.written if isinstance(self.server, Writer) else None
        read = encoded.lengths[:: 1 if written is None else 2]  # not those of right answers
        return Answered(
            tokenised - start,
            forwarded - tokenised,
            decoded - forwarded,
            int(read.sum()),
            sum(map(characters, rows)),
            written or 0,
        )


def characters(row: Example) -> int:
    """The characters of an example's texts; of words with one space between them."""
    return sum(len(text) for text in examples.texts(row))


def rows_to_json(rows: Iterable[Example]) -> list[list[Any]]:
    """Examples as JSON: the class's name and the fields in order."""
    return [[type(row).__name__, *(getattr(row, f.name) for f in fields(row))] for row in rows]


def rows_from_json(rows: Iterable[Sequence[Any]]) -> list[Example]:
    """What `rows_to_json` wrote."""
    return [
        getattr(examples, kind)(*(tuple(v) if isinstance(v, list) else v for v in values))
        for kind, *values in rows
    ]


def task_to_json(task: Task) -> dict[str, Any]:
    """What formats ask of a task."""
    about = ("name", "format", "labels", "words", "metrics", "unanswerable", "lengths")
    return {name: getattr(task, name) for name in about}


def task_from_json(about: Mapping[str, Any]) -> Task:
    """What `task_to_json` wrote."""
    given: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in about.items()}
    return Task(about="", sources={}, **given)


def run(
    job: Mapping[str, Any],
    sides: Mapping[str, loadgen.Side],
    say: Callable[[dict[str, Any]], object],
    clock: Callable[[], float],
    sleep: Callable[[float], object],
) -> tuple[list[Query], dict[str, Any]]:
    """One scenario over checkpoints that are loaded.

    Returns:
        What every query took, and of the server scenario the largest rate of each checkpoint.
    """
    library = {code: rows_from_json(rows) for code, rows in job["rows"].items()}
    plan = job["scenario"]
    rng = np.random.default_rng(stream_seed("measure", plan["name"]))
    shared = {key: plan[key] for key in ("queries", "seconds")}

    def told(done: int, total: int, tokens: int) -> None:
        say({"progress": [done, total, tokens]})

    if plan["name"] == "singlestream":
        found = loadgen.single_stream(sides, library, rng=rng, clock=clock, told=told, **shared)
        return list(found), {}
    if plan["name"] == "offline":
        shared["batch"] = plan["batch"]
        return list(loadgen.offline(sides, library, rng=rng, clock=clock, told=told, **shared)), {}
    every = [row for rows in library.values() for row in rows]
    bound, runs = plan["bound_ms"] / 1000, 0

    def passes(name: str, rate: float) -> bool:
        nonlocal runs
        runs += 1
        told(runs, runs + 1, 0)
        times = loadgen.arrivals(rate, shared["queries"], shared["seconds"], rng)
        drawn = [every[int(k)] for k in rng.integers(len(every), size=len(times))]
        late = loadgen.serve(
            sides[name],
            drawn,
            times,
            batch=plan["batch"],
            give_up_s=loadgen.HOPELESS * bound,
            clock=clock,
            sleep=sleep,
        )
        return bool(np.quantile(late, SERVER_PERCENTILE, method="inverted_cdf") <= bound)

    rates = {}
    for name, side in sides.items():
        took = [side.answer([row]).seconds for row in every[: loadgen.WARM_UP]]
        guess = len(took) / sum(took)
        rates[name] = loadgen.largest_rate(lambda rate, name=name: passes(name, rate), guess)  # type: ignore[misc]
    return [], {"queries_per_s": rates}


def memory(job: Mapping[str, Any], clock: Callable[[], float]) -> dict[str, int]:
    """The memory of one checkpoint that answers its longest rows at once.

    Returns:
        ``peak_bytes`` of the process (of a CUDA device: allocated), and ``before_bytes``, what the
        process had before the checkpoint was loaded.
    """
    before = _memory(job["device"], "VmRSS")
    (side,) = job["sides"].values()
    loaded = Checkpoint(side, job, clock)
    rows = [row for rows in job["rows"].values() for row in rows_from_json(rows)]
    loaded.answer(sorted(rows, key=lambda row: len(str(row)))[-MEMORY_ROWS:])
    return {"peak_bytes": _memory(job["device"], "VmHWM"), "before_bytes": before}


def _memory(device: str, field: str) -> int:
    if device != "cpu":
        return torch.cuda.max_memory_allocated(device)
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return peak_bytes()  # where there is no /proc
    (line,) = (one for one in lines if one.startswith(f"{field}:"))
    return int(line.split()[1]) * 1024


def write(found: Sequence[Query], out: Path) -> None:
    """Queries as Parquet: a row a query and checkpoint; see `xstilts.analysis.speed`."""
    import pyarrow as pa
    from pyarrow import parquet

    columns = {
        "round": pa.array([one.round for one in found], pa.int32()),
        "side": pa.array([one.side for one in found], pa.string()),
        "language": pa.array([one.language for one in found], pa.string()),
        "examples": pa.array([one.examples for one in found], pa.int32()),
    }
    columns |= {
        name: pa.array([getattr(one.answered, name) for one in found]) for name in Answered._fields
    }
    parquet.write_table(pa.table(columns), out / QUERIES)


def main(job_file: str, out: str) -> None:
    """Do a job; what a user can put right is said and ends with exit code 2."""

    def say(document: dict[str, Any]) -> None:
        sys.stdout.write(json.dumps(document) + "\n")
        sys.stdout.flush()

    job = json.loads(Path(job_file).read_text(encoding="utf-8"))
    torch.set_num_threads(job["scenario"]["threads"])
    try:
        if job["memory"]:
            say({"result": memory(job, time.perf_counter)})
            return
        sides = {
            name: Checkpoint(one, job, time.perf_counter) for name, one in job["sides"].items()
        }
        found, result = run(job, sides, say, time.perf_counter, time.sleep)
        write(found, Path(out))
        say({"result": result})
    except UserError as error:
        say({"error": str(error)})
        raise SystemExit(2) from None


if __name__ == "__main__":
    main(*sys.argv[1:])

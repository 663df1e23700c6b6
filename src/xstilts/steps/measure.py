"""The measure step: latency, throughput and memory of one checkpoint, or of two that alternate.

Everything is measured in a process of its own with its threads fixed. The first checkpoint is
loaded twice: how far apart its two copies come out, query by query, is what the machine adds, and
nothing is said of two checkpoints where that is too much (`xstilts.analysis.latency.verdict`).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from xstilts.errors import UserError
from xstilts.scenario import AGAIN, FIRST, SECOND
from xstilts.sources.capped import capped
from xstilts.steps.isolated import rows_to_json, task_to_json

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from xstilts.steps.checkpoint import Weights
    from xstilts.steps.desk import Desk

# What the libraries read before they start their threads.
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS")


def measure(
    inputs: Mapping[str, Any],
    weights: Sequence[Weights],
    out: Path,
    desk: Desk,
) -> dict[str, Any]:
    """Measure one scenario; write ``queries.parquet``.

    Args:
        inputs: the step's identity: ``sides`` (``head`` and ``serve`` of each), ``task``,
            ``languages``, ``source``, ``limits``, ``max_rows``, ``scenario``, and ``text2text``
            where text is written instead of a head's answers.
        weights: folder (or hub name) and revision of each side.
        out: an empty folder.
        desk: rows, device, progress.

    Returns:
        ``memory``: side -> ``peak_bytes`` and ``before_bytes``; of the server scenario also
        ``queries_per_s``: side -> the largest rate within the bound.

    Raises:
        UserError: if a checkpoint cannot answer so, or the process ends before it is done.
    """
    task = desk.catalogue.get(inputs["task"])
    data = desk.catalogue.data(task.name, inputs["source"])
    sides = [
        {"folder": str(folder), "revision": revision, "head": side["head"], "serve": side["serve"]}
        for (folder, revision), side in zip(weights, inputs["sides"], strict=True)
    ]
    named = {FIRST: sides[0]}
    if len(sides) > 1:
        named |= {SECOND: sides[1]}
    trained = desk.catalogue.get(inputs["sides"][0]["head"]) if inputs.get("text2text") else None
    job: dict[str, Any] = {
        "task": task_to_json(task),
        "trained": task_to_json(trained) if trained else None,
        "rows": {
            code: rows_to_json(
                capped(
                    task, desk.sources.examples(task, data, "evaluate", code), inputs["max_rows"]
                )
            )
            for code in inputs["languages"]
        },
        "codes": list(data.languages or task.languages),
        "limits": inputs["limits"],
        "scenario": inputs["scenario"],
        "device": desk.device,
        "token_budget": desk.token_budget,
    }

    def ask(memory: bool, asked: Mapping[str, Any]) -> dict[str, Any]:
        return _isolated({**job, "sides": asked, "memory": memory}, out, desk.progress)

    found: dict[str, Any] = {
        "memory": {name: ask(True, {name: side}) for name, side in named.items()}
    }
    again = {AGAIN: sides[0]} if inputs["scenario"]["name"] != "server" else {}
    return found | ask(False, {**named, **again})


def _isolated(
    job: Mapping[str, Any], out: Path, progress: Callable[[int, int, int], object]
) -> dict[str, Any]:
    """Run a job in its own process; returns its result."""
    file = out / "job.json"
    file.write_text(json.dumps(job), encoding="utf-8")
    threads = str(job["scenario"]["threads"])
    environment = {**os.environ, **dict.fromkeys(_THREADS, threads)}
    # Wherever this process found xstilts, the other one shall.
    environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
    command = [sys.executable, "-m", "xstilts.steps.isolated", str(file), str(out)]
    last: dict[str, Any] = {}
    complaints = out / "stderr.txt"
    with (
        complaints.open("w") as errors,
        subprocess.Popen(  # noqa: S603 (our own module)
            command, env=environment, stdout=subprocess.PIPE, stderr=errors, text=True
        ) as process,
    ):
        try:
            assert process.stdout is not None
            for line in process.stdout:
                if line.startswith('{"'):
                    last = json.loads(line)
                if "progress" in last:
                    progress(*last["progress"])
        except BaseException:
            process.kill()
            raise
    said = complaints.read_text(encoding="utf-8", errors="replace").strip()
    for one in (file, complaints):
        one.unlink()
    if "error" in last:
        raise UserError(last["error"])
    if process.returncode or "result" not in last:
        why = said.splitlines()[-1] if said else f"exit code {process.returncode}"
        raise UserError(f"the process that measures ended before it was done: {why:.200}")
    return last["result"]

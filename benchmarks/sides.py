"""Two ways to do the same work, measured side by side.

Each side lives in a process of its own, set up as its user would set it up, and works only when it
is told to. Rounds alternate between the sides, so that a busy machine is busy for both; a ratio is
the median of the rounds' ratios, and their spread is shown. Processor seconds stand beside: they
tell more where others use the machine.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import platform
import resource
import statistics
import sys
import time
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from multiprocessing.connection import Connection


PRECISIONS = {"fp32": "float32", "bf16": "bfloat16"}  # as PyTorch names them


@dataclass(frozen=True)
class Settings:
    """How a benchmark is run.

    Attributes:
        rounds: of every side.
        threads: of every side.
        share: of the usual amount of work; less than 1 for a quick look.
        device: on which models run; anything but a CPU in bf16.
    """

    rounds: int = 3
    threads: int = 2
    share: float = 1.0
    device: str = "cpu"

    @property
    def precision(self) -> str:
        """Of matrix products."""
        return "fp32" if self.device == "cpu" else "bf16"

    @property
    def about(self) -> str:
        """Both, in words."""
        there = f"{self.threads} threads" if self.device == "cpu" else self.device
        return f"{self.precision}, {there}"


@dataclass(frozen=True)
class Round:
    """What a side did in one round.

    Attributes:
        work: how much, in the row's unit.
        seconds: of the clock.
        cpu_seconds: of the processors.
    """

    work: float
    seconds: float
    cpu_seconds: float


@dataclass(frozen=True)
class Side:
    """One way to do the work.

    Attributes:
        about: its configuration, for people.
        make: called in the side's process; gives what does one round.
        arguments: of ``make``, after the settings.
    """

    about: str
    make: Callable[..., Callable[[], Round]]
    arguments: tuple[Any, ...] = ()


@dataclass
class Row:
    """One line of the table: ours against one other way.

    Attributes:
        work: what is done.
        against: what is used instead.
        unit: of the rates, per second.
        ours: the rates of the rounds.
        theirs: likewise.
        marks: floor, target and stretch of the ratio; None where there is none.
        memory_mib: peak memory of both processes.
        cpu_ratio: as ``ratio``, by processor seconds.
        limit: what the machine could do at most, and our share of it.
        note: what else there is to know.
        configurations: of both sides.
    """

    work: str
    against: str
    unit: str
    ours: list[float]
    theirs: list[float]
    marks: tuple[float | None, float | None, float | None] = (None, None, None)
    memory_mib: tuple[float, float] | None = None
    cpu_ratio: float | None = None
    limit: str = ""
    note: str = ""
    configurations: tuple[str, str] = ("", "")
    ratios: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.ratios = [one / other for one, other in zip(self.ours, self.theirs, strict=True)]

    @property
    def ratio(self) -> float:
        """The median of the rounds."""
        return statistics.median(self.ratios)

    @property
    def reached(self) -> str:
        """The highest mark that the ratio reaches."""
        names = ("floor", "target", "stretch")
        known = [(mark, name) for mark, name in zip(self.marks, names, strict=True) if mark]
        found = [name for mark, name in known if self.ratio >= mark]
        return found[-1] if found else ("missed" if known else "")


def alternate(settings: Settings, sides: Sequence[Side]) -> list[tuple[list[Round], float]]:
    """Rounds of each side in turn, each side's rounds together with its peak memory in MiB."""
    os.environ["OMP_NUM_THREADS"] = str(settings.threads)
    context = multiprocessing.get_context("spawn")
    workers = []
    for side in sides:
        here, there = context.Pipe()
        worker = context.Process(target=_serve, args=(there, settings, side), daemon=True)
        worker.start()
        there.close()
        workers.append((worker, here))
        here.recv()  # ready: one side is set up after the other
    rounds: list[list[Round]] = [[] for _ in sides]
    for number in range(settings.rounds):
        order = list(range(len(sides)))
        for place in order if number % 2 == 0 else reversed(order):
            workers[place][1].send("go")
            rounds[place].append(workers[place][1].recv())
    peaks = []
    for worker, pipe in workers:
        pipe.send("stop")
        peaks.append(pipe.recv())
        worker.join()
    return list(zip(rounds, peaks, strict=True))


def _serve(pipe: Connection, settings: Settings, side: Side) -> None:
    import torch

    torch.set_num_threads(settings.threads)
    job = side.make(settings, *side.arguments)
    pipe.send("ready")
    while pipe.recv() == "go":
        pipe.send(job())
    if settings.device == "cpu":
        pipe.send(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    else:
        pipe.send(torch.cuda.max_memory_allocated() / 2**20)


class Clock:
    """Seconds of the clock and of the processors since it was started."""

    def __init__(self) -> None:
        self.start()

    def start(self) -> None:
        """Begin anew."""
        _wait()
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def round(self, work: float) -> Round:
        """A round that ends now."""
        _wait()
        return Round(work, time.perf_counter() - self._wall, time.process_time() - self._cpu)


def _wait() -> None:
    """Until a GPU has done what it was told."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.synchronize()


def rows(
    settings: Settings,
    work: str,
    unit: str,
    ours: Side,
    others: Sequence[tuple[str, Side, tuple[float | None, float | None, float | None]]],
    **more: Any,
) -> list[Row]:
    """Measure ours against several others in one run: a row each."""
    (mine, peak), *rest = alternate(settings, [ours, *(side for _, side, _ in others)])
    return [
        Row(
            work=work,
            against=against,
            unit=unit,
            ours=[one.work / one.seconds for one in mine],
            theirs=[one.work / one.seconds for one in theirs],
            marks=marks,
            memory_mib=(peak, other_peak),
            cpu_ratio=statistics.median(
                (one.work / one.cpu_seconds) / (other.work / other.cpu_seconds)
                for one, other in zip(mine, theirs, strict=True)
            ),
            configurations=(ours.about, side.about),
            **more,
        )
        for (against, side, marks), (theirs, other_peak) in zip(others, rest, strict=True)
    ]


def machine(settings: Settings) -> dict[str, Any]:
    """What everything was measured on, its best rate of matrix products among it."""
    from importlib.metadata import version

    import torch

    from xstilts.model.throughput import peak_flops_per_s

    torch.set_num_threads(settings.threads)
    peak = peak_flops_per_s(
        torch.device(settings.device), getattr(torch, PRECISIONS[settings.precision])
    )
    gpu = None if settings.device == "cpu" else torch.cuda.get_device_name(settings.device)
    cpu = platform.machine()
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:  # noqa: PTH123
            named = [line for line in lines if line.startswith("model name")]
        cpu = named[0].partition(":")[2].strip() if named else cpu
    except OSError:
        pass
    libraries = ("torch", "transformers", "accelerate", "numpy")
    return {
        "cpu": cpu,
        "cores": os.cpu_count(),
        "threads": settings.threads,
        "gpu": gpu,
        "load": round(os.getloadavg()[0], 1),
        f"{settings.precision}_gflops_per_s": round(peak / 1e9),
        "versions": {name: version(name) for name in libraries},
    }


def show(found: Sequence[Row], about: dict[str, Any]) -> None:
    """A table for people, then everything as one JSON line."""
    head = ("work", "against", "ours", "theirs", "unit", "ratio", "rounds", "cpu", "marks", "mark")
    lines = [head]
    for row in found:
        marks = " / ".join("-" if mark is None else f"{mark:g}" for mark in row.marks)
        spread = " ".join(f"{ratio:.2f}" for ratio in row.ratios)
        cpu = "" if row.cpu_ratio is None else f"{row.cpu_ratio:.2f}"
        rates = [f"{statistics.median(one):,.4g}" for one in (row.ours, row.theirs)]
        told = (row.unit, f"{row.ratio:.2f}", spread, cpu, marks, row.reached)
        lines.append((row.work, row.against, *rates, *told))
    widths = [max(len(line[place]) for line in lines) for place in range(len(head))]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)))
    for row in found:
        print(f"\n{row.work}, against {row.against}")
        print(f"  ours:   {row.configurations[0]}\n  theirs: {row.configurations[1]}")
        if row.memory_mib:
            saved = 1 - row.memory_mib[0] / row.memory_mib[1]
            print(
                f"  peak memory: {row.memory_mib[0]:,.0f} against {row.memory_mib[1]:,.0f} MiB "
                f"({-saved:+.0%})"
            )
        for text in filter(None, (row.limit, row.note)):
            print(f"  {text}")
    document = {"machine": about, "rows": [asdict(row) | {"ratio": row.ratio} for row in found]}
    print(json.dumps(document))
    sys.stdout.flush()

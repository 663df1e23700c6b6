"""One training stage on several devices of this machine: torchrun's agent, one process a device.

The processes are started and watched by torchrun's own launcher. Whoever started them holds the
step's lease and hears from the first of them how far it is. When they are told to stop they keep a
resume point together, whole tensors that one process or any number can go on from.
"""

from __future__ import annotations

import os
import signal
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from threading import Thread
from typing import TYPE_CHECKING, Any

import torch
from torch import distributed, multiprocessing
from torch.distributed.elastic.multiprocessing.api import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError, record
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from xstilts import footprint, hardware
from xstilts.engines import Silent
from xstilts.engines.desk import settle
from xstilts.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from xstilts import sizes
    from xstilts.engines import Bench, Watcher
    from xstilts.steps.checkpoint import Weights
    from xstilts.steps.team import Layout
    from xstilts.steps.tracking import Tracking
    from xstilts.store.work import WorkArea

LONGEST_WAIT = timedelta(days=1)
SHARE_OF_MEMORY = 0.9  # of a device, that a replica of the model may take
_MISTAKES = ("UserError", "AbsentError")  # whose words are for people


def layout(bench: Bench, shape: sizes.Architecture | None, inputs: Mapping[str, Any]) -> Layout:
    """How a stage's model lies over the devices: replicas where one device can hold one."""
    if bench.devices == 1:
        return "alone"
    if bench.layout != "auto":
        return bench.layout
    if shape is None or bench.device == "cpu":
        return "ddp"
    length = max(item["max_length"] for item in inputs["items"])
    precision = inputs["options"]["precision"]
    rank = inputs["options"].get("lora", {}).get("rank", 0)
    whole = bool(inputs["options"].get("text2text"))
    needed = footprint.of(shape, bench.token_budget, length, precision, rank=rank, whole=whole)
    there = torch.cuda.get_device_properties(0).total_memory
    return "ddp" if needed.total < SHARE_OF_MEMORY * there else "fsdp2"


def train(
    inputs: Mapping[str, Any],
    parent: Weights,
    out: Path,
    area: WorkArea,
    bench: Bench,
    kind: Layout,
    watcher: Watcher,
    tracking: Tracking | None = None,
) -> dict[str, Any]:
    """Run a stage on ``bench.devices`` devices. As `xstilts.steps.train.train` otherwise.

    Raises:
        UserError: as that, and if a process died; the step is not done then, and can be done again.
    """
    context = multiprocessing.get_context("spawn")
    news: Any = context.Queue()
    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=bench.devices,
        run_id=out.parent.name,
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",
        max_restarts=0,
        monitor_interval=0.1,
        start_method="spawn",
    )
    stops: list[BaseException] = []
    listener = Thread(target=_listen, args=(news, watcher, stops), daemon=True)
    listener.start()
    try:
        with _own_signals():
            given = (inputs, parent, out, area, bench, kind, news, tracking)
            return elastic_launch(config, _process)(*given)[0]
    except ChildFailedError as error:
        told = error.get_first_failure()[1].message
        text = str(told if isinstance(told, str) else told.get("message", ""))
        kind_, _, said = text.partition(": ")
        if kind_ in _MISTAKES:
            raise UserError(said) from None
        first = next(iter(text.splitlines()), "it left no word")
        raise UserError(f"a training process died: {first:.300}") from error
    except SignalException as stop:
        raise stops[0] if stops else KeyboardInterrupt(stop.sigval) from None
    finally:
        news.put(None)
        listener.join()


def _listen(news: Any, watcher: Watcher, stops: list[BaseException]) -> None:
    """Pass on what the first process tells; what the watcher raises stops them all."""
    while (told := news.get()) is not None:
        try:
            if isinstance(told, str):
                watcher.note(told)
            else:
                watcher.progress(*told)
        except BaseException as stop:  # noqa: BLE001 - it is raised where the work was begun
            stops.append(stop)
            os.kill(os.getpid(), signal.SIGTERM)
            return


@contextmanager
def _own_signals() -> Iterator[None]:
    """The launcher takes signals for itself: give them back afterwards."""
    taken = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)
    before = {one: signal.getsignal(one) for one in taken}
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


@record
def _process(
    inputs: Mapping[str, Any],
    parent: Weights,
    out: Path,
    area: WorkArea,
    bench: Bench,
    kind: Layout,
    news: Any,
    tracking: Tracking | None,
) -> dict[str, Any]:
    """What each of the processes runs."""
    from xstilts.steps import train as steps

    asked: list[int] = []
    for one in (signal.SIGTERM, signal.SIGINT):
        signal.signal(one, lambda number, _frame: asked.append(number))
    signal.signal(signal.SIGUSR2, signal.SIG_IGN)  # of a cluster, to whoever started this one
    rank = int(os.environ["LOCAL_RANK"])
    device = "cpu" if bench.device == "cpu" else f"cuda:{rank}"
    if not bench.threads:  # processes that each take all cores only get in each other's way
        bench = replace(bench, threads=max(1, hardware.cores() // bench.devices))
    if device != "cpu":
        torch.cuda.set_device(device)
    # Numbers that all agree on go by gloo, past the devices. While the first process selects, saves
    # or reads, the others wait, and where one dies the launcher ends them.
    backend = "gloo" if device == "cpu" else "cpu:gloo,cuda:nccl"
    distributed.init_process_group(backend, timeout=LONGEST_WAIT)
    desk = replace(
        settle(bench, _Teller(news if rank == 0 else None)),
        device=device,
        layout=kind,
        tracking=tracking,  # Accelerate opens it in the first process alone
        stopping=lambda: bool(asked),
    )
    result = steps.train(inputs, parent, out, area, desk)
    distributed.destroy_process_group()  # after a failure it would wait for the others
    return result


class _Teller(Silent):
    """A watcher that tells whoever started the processes."""

    def __init__(self, news: Any) -> None:
        self._news = news

    def _tell(self, told: object) -> None:
        if self._news is not None:
            self._news.put(told)

    def progress(self, done: int, total: int, tokens: int) -> None:
        """How far it is."""
        self._tell((done, total, tokens))

    def note(self, text: str) -> None:
        """Something to know."""
        self._tell(text)

"""Engines run a plan: ``local`` is the default, ``ray`` and ``slurm`` are extras.

An engine is given the plan and a bench (store, rows, device). It runs whatever is not finished,
parents first, and tells a watcher. It retries lost workers, never wrong input. What all engines
share is in ``drive`` (the course of a run) and ``worker`` (one job, in whatever process); what is
left to each is to get jobs to where they are done and their reports back. Jobs and reports hold
identities and text: data goes through the store.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from pathlib import Path

    from xstilts.plan import Plan, Step
    from xstilts.sources import Sources
    from xstilts.store import Store
    from xstilts.store.records import Corrupt
    from xstilts.tasks import Catalogue


class Watcher(Protocol):
    """Told what an engine does; `xstilts.report.watch` draws it."""

    def begin(self, label: str, number: int, total: int) -> None:
        """A group of steps begins, the ``number``-th of ``total``."""

    def progress(self, done: int, total: int, tokens: int) -> None:
        """How far the group under way is."""

    def note(self, text: str) -> None:
        """Something to know of the group under way, such as where it was resumed."""

    def end(self, label: str, seconds: float) -> None:
        """The group under way is finished."""

    def failed(self, step: Step, reason: str) -> None:
        """A step failed; what depends on it is not run."""


class Silent:
    """A watcher that says nothing."""

    def say(self, text: str) -> None:
        """Nothing."""

    def begin(self, label: str, number: int, total: int) -> None:
        """Nothing."""

    def progress(self, done: int, total: int, tokens: int) -> None:
        """Nothing."""

    def note(self, text: str) -> None:
        """Nothing."""

    def end(self, label: str, seconds: float) -> None:
        """Nothing."""

    def failed(self, step: Step, reason: str) -> None:
        """Nothing: the outcome has the reason."""


def token_budget(device: str) -> int:
    """Tokens of a micro-batch, where nothing else is asked for."""
    return 4096 if device == "cpu" else 16_384


@dataclass(frozen=True)
class Bench:
    """Where work is done. It travels to other machines as it is: it holds no rows and no weights.

    Attributes:
        store: where finished steps live.
        catalogue: the tasks.
        sources: their rows.
        device: ``cpu``, ``cuda``, ...
        threads: of the CPU; 0: as PyTorch chooses.
        token_budget: tokens in a micro-batch.
        checkpoint_seconds: how often training keeps a resume point.
        track: a tracker of Accelerate's that is told of every training step; "": none.
        devices: that one training stage is spread over.
        layout: ``ddp``: each holds the whole model; ``fsdp2``: each a part of it; ``auto``: what
            memory asks for.
        encoded: where encoded rows are kept; None: in the store.
    """

    store: Store
    catalogue: Catalogue
    sources: Sources
    device: str = "cpu"
    threads: int = 0
    token_budget: int = 4096
    checkpoint_seconds: float = 60.0
    track: str = ""
    devices: int = 1
    layout: Literal["auto", "ddp", "fsdp2"] = "auto"
    encoded: Path | None = None


@dataclass
class Outcome:
    """What an engine did.

    Attributes:
        done: steps it finished.
        kept: steps that were finished before.
        failures: step id -> reason.
        skipped: steps not run because one they depend on failed.
    """

    done: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)
    skipped: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Job:
    """A group of steps that are done together.

    Attributes:
        label: for people.
        ids: of its steps.
        number: in the run, from 1, of ``total``.
        needs: numbers of the jobs whose files it reads; what they do not name is finished.
    """

    label: str
    ids: tuple[str, ...]
    number: int
    total: int
    needs: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Report:
    """What became of a job.

    Attributes:
        job: its number.
        worked: whether anything was done; else all of it is under way elsewhere, or what it needs
            is not there yet.
        ended: whether all of it was done, as far as it could be begun.
        done: ids of the steps it finished.
        failures: step id -> reason.
        corrupt: what was found damaged while it was read.
        notes: what the watcher was told.
        seconds: it took.
    """

    job: int
    worked: bool = False
    ended: bool = False
    done: tuple[str, ...] = ()
    failures: dict[str, str] = field(default_factory=dict)
    corrupt: Corrupt | None = None
    notes: tuple[str, ...] = ()
    seconds: float = 0.0


class Engine(Protocol):
    """Runs plans.

    Attributes:
        name: as it stands in the provenance of what it ran.
    """

    name: str

    def run(self, plan: Plan, bench: Bench, watcher: Watcher) -> Outcome:
        """Run what is not finished. Failures of steps are in the outcome, not raised.

        Raises:
            UserError: if nothing can be run: no such cluster, or none of its machines suits.
        """

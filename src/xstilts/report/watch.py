"""What a person sees while an engine works: a live bar, or a line a minute where there is none.

Speed and the time left count from the first progress that is told: reading and encoding data, and
what an earlier process had done, say nothing about the pace.
"""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from xstilts import durations
from xstilts.plain import plain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.progress import Progress

    from xstilts.plan import Step

EVERY_S = 60.0


class _Told(NamedTuple):
    """What was told of a piece of work, and when (seconds of the monotonic clock)."""

    done: int
    total: int
    tokens: int
    at: float


class Lines:
    """Plain lines on stderr: one when a group ends, and one a minute while it runs."""

    def __init__(self) -> None:
        self._label = ""
        self._said = 0.0
        self._first = self._last = _Told(0, 0, 0, 0.0)

    def say(self, text: str) -> None:
        """A line."""
        sys.stderr.write(plain(text) + "\n")
        sys.stderr.flush()

    def begin(self, label: str, number: int, total: int) -> None:
        """A group begins."""
        self._label = f"[{number}/{total}] {label}"
        self._said = time.monotonic()
        self._last = _Told(0, 0, 0, 0.0)

    def progress(self, done: int, total: int, tokens: int) -> None:
        """Say how far it is, once a minute."""
        self._count(done, total, tokens)
        if self._last.at - self._said >= EVERY_S:
            self._said = self._last.at
            self.say(f"{self._label}: {rate(self._first, self._last)}")

    def note(self, text: str) -> None:
        """Something to know of the group."""
        self.say(f"{self._label}: {text}")

    def end(self, label: str, seconds: float) -> None:
        """The group is finished: every number that is counted has a line."""
        del label
        self.note(f"done in {durations.said(seconds)}")

    def failed(self, step: Step, reason: str) -> None:
        """A step failed."""
        place = self._label.partition(" ")[0]
        self.say(f"{place} failed: {step.label} ({step.id}): {' '.join(reason.split())}")

    def _count(self, done: int, total: int, tokens: int) -> None:
        goes_on = total == self._last.total and done > self._last.done
        self._last = _Told(done, total, tokens, time.monotonic())
        if not goes_on:  # a new group, or another portion of it
            self._first = self._last


class Live(Lines):
    """The same with a bar that moves."""

    def __init__(self, bar: Progress) -> None:
        super().__init__()
        self._bar = bar
        self._task = bar.add_task("checking data and models", total=None, pace="")

    def say(self, text: str) -> None:
        """A line above the bar."""
        self._bar.console.print(plain(text), soft_wrap=True)

    def begin(self, label: str, number: int, total: int) -> None:
        """Show a new bar."""
        super().begin(label, number, total)
        self._bar.remove_task(self._task)
        self._task = self._bar.add_task(self._label, total=None, pace="")

    def progress(self, done: int, total: int, tokens: int) -> None:
        """Move the bar."""
        self._count(done, total, tokens)
        pace = rate(self._first, self._last)
        self._bar.update(self._task, completed=done, total=total, pace=f"{pace}  ")


def rate(first: _Told, last: _Told) -> str:
    """How far it is; and tokens a second and the time left, at the pace from first to last."""
    shown = f"{last.done:,}/{last.total:,}"
    units, seconds = last.done - first.done, last.at - first.at
    if not units or not seconds:
        return shown
    speed = (last.tokens - first.tokens) / seconds
    left = seconds * (last.total - last.done) / units
    return f"{shown}, {speed:,.0f} tokens/s, {durations.said(left)} left"


@contextmanager
def watcher() -> Iterator[Lines]:
    """The watcher that suits stderr."""
    if not sys.stderr.isatty():
        yield Lines()
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    console = Console(stderr=True, markup=False, highlight=False)
    # The pace stands before the label, so that a narrow terminal cuts what matters less.
    text = TextColumn("{task.fields[pace]}{task.description}", markup=False)
    with Progress(BarColumn(20), text, console=console, transient=True) as bar:
        yield Live(bar)

"""A watcher that also tells the store's status file, for `xstilts status` in another terminal."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from xstilts.store.statuses import EVERY_S, Status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from xstilts.engines import Watcher
    from xstilts.plan import Step


@contextmanager
def reported(watcher: Watcher, root: Path) -> Iterator[Reported]:
    """Tell both the watcher and the store, until the work has ended."""
    status = Status(root)
    told = Reported(watcher, status)
    try:
        yield told
    finally:
        told.say(state="ended")
        status.close(keep=bool(told.about["failed"]))


class Reported:
    """Passes on what an engine tells, and keeps the status file up to date.

    Attributes:
        about: what the file says; see `statuses.Seen`.
        check: called about once a second while work progresses; what it raises stops the work.
    """

    def __init__(self, watcher: Watcher, status: Status) -> None:
        self._watcher, self._status = watcher, status
        self.about: dict[str, Any] = {"state": "running", "failed": {}}
        self.check: Callable[[], object] = lambda: None
        self._first = (0, 0, 0.0)  # done, tokens, when: the pace counts from here
        self._checked = 0.0

    def say(self, **news: Any) -> None:
        """Write news at once."""
        self.about |= news
        self._status.write(self.about, now=True)

    def begin(self, label: str, number: int, total: int) -> None:
        """A group begins."""
        self._watcher.begin(label, number, total)
        pace = dict.fromkeys(("done", "of", "tokens_per_second", "seconds_left"))
        self.say(label=label, number=number, total=total, since=time.time(), **pace)

    def progress(self, done: int, total: int, tokens: int) -> None:
        """How far it is."""
        self._watcher.progress(done, total, tokens)
        now = time.monotonic()
        earlier, earlier_tokens, began = self._first
        if total != self.about["of"] or done <= earlier:  # a new group, or another portion of it
            self._first = earlier, earlier_tokens, began = done, tokens, now
        self.about |= {"done": done, "of": total}
        if done > earlier and now > began:
            self.about["tokens_per_second"] = (tokens - earlier_tokens) / (now - began)
            self.about["seconds_left"] = (now - began) * (total - done) / (done - earlier)
        self._status.write(self.about, now=False)
        if now - self._checked >= EVERY_S:
            self._checked = now
            self.check()

    def note(self, text: str) -> None:
        """Something to know."""
        self._watcher.note(text)

    def end(self, label: str, seconds: float) -> None:
        """The group is finished."""
        self._watcher.end(label, seconds)

    def failed(self, step: Step, reason: str) -> None:
        """A step failed."""
        self._watcher.failed(step, reason)
        self.say(failed={**self.about["failed"], step.label: reason})

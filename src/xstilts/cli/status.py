"""``xstilts status``: what every process at work on a store is doing, from another terminal."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from xstilts.cli.options import STORE, StoreFolder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xstilts.store.statuses import Seen

EVERY_S = 2.0


def status(store: StoreFolder = STORE) -> int:
    """Show what is under way on a store: state, pace, time left and the last errors.

    On a terminal the view is live until Ctrl-C; elsewhere it is printed once.
    """
    from xstilts.cli.store import opened
    from xstilts.store.statuses import read

    root = opened(store).root
    if not sys.stdout.isatty():
        sys.stdout.write("".join(f"{line}\n" for line in lines(read(root))))
        return 0
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    with Live(console=Console(markup=False, highlight=False)) as live:
        try:
            while True:
                live.update(Text("\n".join(lines(read(root)))))
                time.sleep(EVERY_S)
        except KeyboardInterrupt:
            return 0


def lines(seen: Iterator[Seen]) -> list[str]:
    """What there is to say, in lines; the text of files is made safe for a terminal."""
    from xstilts.plain import plain

    found = [line for one in seen for line in _about(one)]
    return [plain(line) for line in found] or ["nothing is under way"]


def _about(seen: Seen) -> Iterator[str]:
    from xstilts.durations import said

    about = seen.about
    head = f"process {seen.pid} on {seen.host}: {seen.state}"
    if seen.state == "running":
        head += f", [{about.get('number')}/{about.get('total')}] {about.get('label')}"
    elif seen.state == "died":
        head += f" in {about.get('label')}; the same command goes on from there"
    yield head
    if seen.state == "running":
        yield f"  {_pace(seen)}"
    if seen.silent_seconds > 60:
        yield f"  silent for {said(seen.silent_seconds)}"
    failed = about.get("failed")
    for label, reason in failed.items() if isinstance(failed, dict) else ():
        yield f"  failed: {label}: {reason}"


def _pace(seen: Seen) -> str:
    from xstilts.durations import said

    def number(name: str) -> float | None:
        value = seen.about.get(name)
        return value if isinstance(value, int | float) else None

    done, of, speed, left = map(number, ("done", "of", "tokens_per_second", "seconds_left"))
    parts = [f"{done:,}/{of:,}"] if done is not None and of is not None else ["no step done yet"]
    parts += [f"{speed:,.0f} tokens/s"] if speed is not None else []
    parts += [f"{said(left)} left"] if left is not None else []
    since = number("since")
    parts += [f"begun {said(max(0.0, time.time() - since))} ago"] if since is not None else []
    return ", ".join(parts)

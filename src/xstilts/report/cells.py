"""Numbers as cells: a difference with its sign, interval and colour. In points."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xstilts.report.blocks import Cell

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xstilts.analysis.estimate import Estimate
    from xstilts.analysis.gains import Gain

FULL_SHADE_POINTS = 6.0  # differences of so many points and more have the strongest colour
# Of cells that say nothing of transfer: see `routes.flag`.
MARKS = {"repeat": "r", "same data": "s"}


def shown(points: float) -> str:
    """A difference in points, with its sign; nothing has none."""
    text = f"{points:+.1f}"
    return text if float(text) else "0.0"


def shade(points: float) -> float:
    """How strong the colour of a difference is, -1 to 1."""
    return max(-1.0, min(1.0, points / FULL_SHADE_POINTS))


def p_text(p: float | None) -> str:
    """A p-value; "" where nothing was tested."""
    if p is None:
        return ""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def gain_cell(found: Estimate, *, run: str = "", mark: str = "") -> Cell:
    """A difference as a cell."""
    points, half = 100 * found.value, 100 * (found.high - found.low) / 2
    return Cell(
        text=shown(points) + "!" * bool(found.collapsed),
        half=half,
        value=points,
        shade=shade(points),
        sure=not found.low <= 0 <= found.high,
        hover=hover(found),
        run=run,
        mark=mark,
    )


def hover(found: Estimate) -> str:
    """n, seeds and interval in words."""
    low, high = 100 * found.low, 100 * found.high
    seeds = f"{found.seeds} seed{'s' if found.seeds != 1 else ''}" if found.seeds else "no training"
    lines = [
        f"{shown(100 * found.value)} points, 95 % interval {shown(low)} to {shown(high)}",
        f"{seeds}, {found.groups:,} groups of items or more; covers {found.covers}",
    ]
    if found.collapsed:
        lines.append(f"runs that did not learn: seeds {', '.join(map(str, found.collapsed))}")
    if found.learnt is not None:
        one = found.learnt
        numbers = [shown(100 * number) for number in (one.value, one.low, one.high)]
        lines.append("without them {}, {} to {}".format(*numbers))
    return "\n".join(lines)


def detectable(gains: Sequence[Gain]) -> tuple[str, ...]:
    """How small a mean gain over the baseline can be and still be found, in a sentence."""
    found = [
        f"{100 * g.detectable:.1f}"
        for g in sorted(gains, key=lambda gain: gain.detectable or 0)
        if (g.over, g.versus) == ("mean", "baseline") and g.detectable
    ]
    if not found:
        return ()
    span = " to ".join(dict.fromkeys((found[0], found[-1])))
    by = ", by intermediate" if found[0] != found[-1] else ""
    least = f"only if it is at least {span} points{by} (in four of five studies)"
    return (f"with these seeds and items a test finds a mean gain {least}",)


def notes(gains: Sequence[Gain]) -> tuple[str, ...]:
    """What the signs in cells of gains mean."""
    covers = " or ".join(dict.fromkeys(g.estimate.covers for g in gains))
    found = [f"± is half of a 95 % interval, which covers {covers}; bold: it leaves out 0"] * bool(
        gains
    )
    flags = {g.flag for g in gains}
    if "repeat" in flags:
        found.append("r: repeats what the target's baseline has already")
    if "same data" in flags:
        found.append("s: holds rows that the target is trained on")
    if flags - {""}:
        found.append("targets with an r or s are left out of all means but that with same data")
    if any(g.estimate.collapsed for g in gains):
        found.append("!: holds runs that did not learn; tests are made without their seeds")
    return tuple(found)

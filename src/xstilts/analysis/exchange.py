"""English rows against rows in other languages: what is worth what, and at the same expense.

Between measured sizes the English curve is straight in ln(rows), or ln(tokens); outside them
nothing is said. Rows that people wrote and rows that were translated are never mixed, and
languages that were trained in are scored apart: for them nothing is zero-shot.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from math import log
from typing import TYPE_CHECKING, Literal

import numpy as np

from xstilts.analysis.draws import combine, common_seeds, mean
from xstilts.analysis.estimate import Estimate, estimate
from xstilts.analysis.joint import joint
from xstilts.analysis.scaling import EPOCHS, everywhere, sizes

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from xstilts.analysis.draws import Draws
    from xstilts.analysis.gains import Gains

    # Amount -> the outcome there, and the seeds of which a run of it did not learn.
    Curve = Mapping[float, tuple[Draws, tuple[int, ...]]]

Scored = Literal["zero-shot", "trained in"]
SCORED: tuple[Scored, ...] = ("zero-shot", "trained in")


@dataclass(frozen=True)
class Exchange:
    """A size of a task in other languages, and the English sizes of that task.

    Attributes:
        model: of the study.
        task, languages, rows: the data in other languages; rows of all of them together.
        made: by people, or ``translated``.
        scored: ``zero-shot`` languages, or those ``trained in``, which are not zero-shot; English,
            in which targets are trained, is in neither.
        english: how many English rows give the same mean, on seeds of which every run learnt.
        at_equal_rows: other languages minus English, at as many rows.
        at_equal_compute: the same at as many tokens trained on.
        tokens: how many those are; None where it is not known.
    """

    model: str
    task: str
    languages: tuple[str, ...]
    rows: int
    made: Literal["by people", "translated"]
    scored: Scored
    english: BreakEven
    at_equal_rows: Estimate | None
    at_equal_compute: Estimate | None
    tokens: float | None

    def __str__(self) -> str:
        """In a sentence, numbers in points."""
        where = "zero-shot languages"
        if self.scored == "trained in":
            where = "the languages that were trained in (not zero-shot)"
        data = f"{self.rows:,} rows of {self.task} in {', '.join(self.languages)} ({self.made})"
        said = [f"in {where}, {data} are worth {self.english.text} English rows"]
        if self.at_equal_rows is not None:
            said.append(f"{_points(self.at_equal_rows)} against as many English rows")
        if self.at_equal_compute is not None:
            expense = f"{self.tokens:,.0f} tokens of English rows"
            said.append(f"{_points(self.at_equal_compute)} against {expense}")
        text = "; ".join(said)
        return text[0].upper() + text[1:]


def exchanges(gains: Gains) -> list[Exchange]:
    """Every size of a task in other languages against the English sizes of that task."""
    found = []
    every = {place: mine for place, mine in sizes(gains).items() if place[1].startswith(EPOCHS)}
    for (name, arm), by_rows in every.items():
        task, _, codes = name.partition(":")
        english = every.get((task, arm), {})
        for rows, before in by_rows.items() if codes and len(english) > 1 else ():
            for model in gains.outcomes.models:
                for scored in SCORED:
                    trained = tuple(codes.split("/"))
                    one = _exchange(gains, model, task, trained, rows, before, english, scored)
                    found += [] if one is None else [one]
    return found


def _exchange(
    gains: Gains,
    model: str,
    task: str,
    trained: tuple[str, ...],
    rows: int,
    before: str,
    english: Mapping[int, str],
    scored: Scored,
) -> Exchange | None:
    inside = scored == "trained in"
    befores = (before, *english.values())
    targets = everywhere(gains, model, befores)
    curve = {n: _some(gains, model, one, trained, inside, targets) for n, one in english.items()}
    by_rows = {n: one for n, one in curve.items() if one is not None}
    other = _some(gains, model, before, trained, inside, targets)
    if other is None or len(by_rows) < 2:
        return None
    if common_seeds([other, *by_rows.values()]) == ():
        return None
    fell = {n: gains.collapsed(model, targets, before, english[n]) for n in by_rows}
    points = {float(n): (one, fell[n]) for n, one in by_rows.items()}
    expense = {n: gains.tokens(model, english[n]) for n in by_rows}
    by_tokens = {tokens: points[n] for n, tokens in expense.items() if tokens}
    tokens = gains.tokens(model, before)
    every = {seed for mine in fell.values() for seed in mine}
    learnt = {n: one.without(every) for n, one in by_rows.items()}
    worth = _UNKNOWN
    if common_seeds([other, *learnt.values()]) != ():
        worth = break_even(learnt, other, f"{before} {scored}")
    return Exchange(
        model=model,
        task=task,
        languages=trained,
        rows=rows,
        made="translated" if task in gains.outcomes.translated else "by people",
        scored=scored,
        english=worth,
        at_equal_rows=_minus(other, points, rows),
        at_equal_compute=_minus(other, by_tokens, tokens or 0.0),
        tokens=tokens,
    )


def _points(found: Estimate) -> str:
    value, low, high = (100 * number for number in (found.value, found.low, found.high))
    note = "; one seed" if found.seeds == 1 else ""
    mark = "!" * bool(found.collapsed)
    return f"{value:+.1f}{mark} points [{low:+.1f}, {high:+.1f}{note}]"


def _minus(one: Draws, curve: Curve, amount: float) -> Estimate | None:
    """The difference to a curve, with the seeds of which a run that is in it did not learn."""
    other = at({place: draws for place, (draws, _) in curve.items()}, amount)
    if other is None:
        return None
    fell = {seed for place in _around(sorted(curve), amount) for seed in curve[place][1]}
    return estimate(one - other, tuple(sorted(fell)))


def _some(
    gains: Gains,
    model: str,
    before: str,
    trained: tuple[str, ...],
    inside: bool,
    targets: Iterable[str],
) -> Draws | None:
    """The mean over targets, in the languages that were trained in, or in the others."""
    found = []
    for target in targets:
        one = gains.outcome(model, target, before)
        if one is not None:
            codes = [c for c in one.languages if c != "en" and (c in trained) == inside]
            found += [one.over(codes)] if codes else []
    return mean(found) if found and common_seeds(found) != () else None


def _around(points: Sequence[float], amount: float) -> Sequence[float]:
    """The points that an amount stands between, or on; none outside of all."""
    if not points or not points[0] <= amount <= points[-1]:
        return ()
    right = bisect_left(points, amount)
    return points[right : right + 1] if points[right] == amount else points[right - 1 : right + 1]


def at(curve: Mapping[float, Draws], amount: float) -> Draws | None:
    """The value of a curve, straight in the logarithm between its points; None outside them."""
    ends = _around(sorted(curve), amount)
    if len(ends) < 2:
        return curve[ends[0]] if ends else None
    low, high = ends
    part = log(amount / low) / log(high / low)
    return combine([curve[low], curve[high]], lambda one, two: (1 - part) * one + part * two)


@dataclass(frozen=True)
class BreakEven:
    """How many English rows are worth what the other data are worth.

    Attributes:
        rows: None outside the measured sizes.
        low, high: the 95 % interval, None where it leaves the measured sizes.
        text: for people: "1,200 (800 to 3,000)", "> 10,000", "< 100".
    """

    rows: float | None
    low: float | None
    high: float | None
    text: str


_UNKNOWN = BreakEven(None, None, None, "an unknown number (no seed of which every run learnt) of")


def break_even(by_rows: Mapping[int, Draws], other: Draws, stream: str) -> BreakEven:
    """Where the curve of the English sizes first reaches the other data's value.

    Between measured sizes the curve is straight in ln(rows); outside them nothing is said.

    Args:
        by_rows: English rows -> draws of the outcome, at least two sizes.
        other: draws of the same outcome after the other data.
        stream: names the random stream.
    """
    rows = np.array(sorted(by_rows), float)
    every = [*(by_rows[int(n)] for n in rows), other]
    seeds = common_seeds(every)
    observed = np.array([(d.values if seeds is None else d.of(seeds))[:, 0].mean() for d in every])
    value = float(_crossing(rows, observed[None])[0])
    low, high = np.quantile(_crossing(rows, joint(every, stream)), (0.025, 0.975), method="nearest")
    inside = [float(x) if np.isfinite(x) else None for x in (value, low, high)]
    text = _said(rows, value, float(low), float(high))
    return BreakEven(inside[0], inside[1], inside[2], text)


def _crossing(rows: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rows at which ``values[:, :-1]`` first reach ``values[:, -1]``; else infinite."""
    above = values[:, :-1] - values[:, -1:]
    log = np.log(rows)
    found = np.full(len(values), np.inf)
    for number, curve in enumerate(above):
        reached = np.flatnonzero(curve >= 0)
        if len(reached) and reached[0] == 0:
            found[number] = -np.inf
        elif len(reached):
            right = reached[0]
            step = curve[right] - curve[right - 1]
            part = -curve[right - 1] / step
            found[number] = np.exp(log[right - 1] + part * (log[right] - log[right - 1]))
    return found


def _said(rows: NDArray[np.float64], value: float, low: float, high: float) -> str:
    def one(number: float) -> str:
        if number == np.inf:
            return f"> {rows[-1]:,.0f}"
        return f"< {rows[0]:,.0f}" if number == -np.inf else f"{number:,.0f}"

    shown = [one(number) for number in (value, low, high)]
    return shown[0] if len(set(shown)) == 1 else f"{shown[0]} ({shown[1]} to {shown[2]})"

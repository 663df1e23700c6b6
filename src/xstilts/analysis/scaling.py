"""Question 1: how outcomes change with the amount of intermediate data.

Sizes are nested (``mnli[1k]``, ``mnli[10k]``, ...). An arm is one way to train on them: for a fixed
number of epochs, or of steps. A curve is fitted to all runs of an arm; which form it gets, AICc
decides, and a power law has to beat both simpler ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from xstilts.analysis.draws import common_seeds, mean
from xstilts.analysis.estimate import Estimate, estimate
from xstilts.analysis.joint import joint
from xstilts.path import parse

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from xstilts.analysis.draws import Draws
    from xstilts.analysis.gains import Gains

Form = Literal["constant", "log-linear", "power law"]


def _percentile(values: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
    return np.percentile(values, 10, axis=axis)


# Each reduces the languages of a target, ``[seeds, languages, 1 + resamples]``, English first.
OUTCOMES: Mapping[str, Callable[..., NDArray[np.float64]]] = {
    "mean": np.mean,
    "gap to English": lambda values, axis: values[:, 0] - values[:, 1:].mean(axis),
    "worst language": np.min,
    "10th percentile": _percentile,
    "spread": np.std,
}
Scored = Literal["zero-shot", "trained in"]
SCORED: tuple[Scored, ...] = ("zero-shot", "trained in")
NEED_ENGLISH = ("gap to English",)


@dataclass(frozen=True)
class Fit:
    """A curve through an arm.

    Attributes:
        form: the one chosen.
        parameters: ``a`` (constant), ``a + b ln n`` or ``a - b n^-c``.
        aicc: form -> corrected Akaike criterion; the lowest wins. Infinite with few points.
    """

    form: Form
    parameters: tuple[float, ...]
    aicc: Mapping[Form, float]

    def at(self, rows: float) -> float:
        """The curve's value."""
        first, *rest = self.parameters
        if self.form == "constant":
            return first
        if self.form == "log-linear":
            return float(first + rest[0] * np.log(rows))
        return float(first - rest[0] * rows ** -rest[1])


@dataclass(frozen=True)
class Curve:
    """One outcome of one task's sizes in one arm.

    Attributes:
        points: rows -> estimate of the outcome.
        fit: None with fewer than three sizes.
    """

    model: str
    arm: str
    task: str
    outcome: str
    points: Mapping[int, Estimate]
    fit: Fit | None


def fit(rows: NDArray[np.float64], values: NDArray[np.float64]) -> Fit:
    """The best of three forms by AICc, least squares on all runs.

    Args:
        rows: ``[runs]``, the size each run was trained on, above 0.
        values: ``[runs]``.
    """
    from scipy import optimize

    log, ones = np.log(rows), np.ones(len(rows))

    def solve(columns: Sequence[NDArray]) -> tuple[NDArray, float]:
        design = np.stack(columns, axis=1)
        found = np.linalg.lstsq(design, values, rcond=None)[0]
        return found, float(((values - design @ found) ** 2).sum())

    def power(exponent: float) -> tuple[NDArray, float]:
        return solve([ones, -(rows**-exponent)])

    best = optimize.minimize_scalar(lambda c: power(c)[1], bounds=(0.01, 3.0), method="bounded").x
    (level, drop), left = power(float(best))
    forms: dict[Form, tuple[tuple[float, ...], float]] = {}
    simple: dict[Form, list[NDArray]] = {"constant": [ones], "log-linear": [ones, log]}
    for form, columns in simple.items():
        found, residual = solve(columns)
        forms[form] = (tuple(map(float, found)), residual)
    forms["power law"] = ((float(level), float(drop), float(best)), left)
    aicc = {form: _aicc(residual, len(rows), len(p)) for form, (p, residual) in forms.items()}
    chosen = min(aicc, key=lambda form: aicc[form])
    return Fit(chosen, forms[chosen][0], aicc)


def _aicc(residual: float, points: int, parameters: int) -> float:
    """Corrected Akaike criterion of a least-squares fit (Hurvich and Tsai 1989)."""
    count = parameters + 1  # the residual variance is one too
    if points - count - 1 <= 0:
        return float("inf")
    fitted = points * np.log(max(residual, 1e-30) / points)
    return float(fitted + 2 * count + 2 * count * (count + 1) / (points - count - 1))


def sizes(gains: Gains) -> dict[str, dict[int, str]]:
    """The nested sizes of a study: task (and its languages) -> rows -> intermediate."""
    found: dict[str, dict[int, str]] = {}
    for before in gains.intermediates:
        stages = parse(before).stages
        if len(stages) == 1 and len(stages[0].items) == 1 and stages[0].items[0].rows:
            name, _, _ = before.partition("[")
            found.setdefault(name, {})[stages[0].items[0].rows] = before
    return {name: dict(sorted(by_rows.items())) for name, by_rows in found.items()}


def curves(gains: Gains) -> list[Curve]:
    """Every outcome of every task that has at least two sizes, in the arm that the study is.

    Outcomes are scores, not differences: the baseline is another point of the same curve.
    """
    steps = gains.outcomes.max_steps
    arm = f"at most {steps:,} steps" if steps else "fixed epochs"
    return [
        curve
        for model in gains.outcomes.models
        for task, by_rows in sizes(gains).items()
        if len(by_rows) > 1
        for outcome in OUTCOMES
        if (curve := _curve(gains, model, arm, task, by_rows, outcome)) is not None
    ]


def _draws(gains: Gains, model: str, before: str, outcome: str) -> Draws | None:
    """An outcome after an intermediate: the mean over the targets that have it."""
    found = []
    for target in gains.targets:
        one = gains.outcome(model, target, before)
        english = one is not None and one.languages[0] == "en"
        if one is not None and len(one.languages) > 1 and (english or outcome not in NEED_ENGLISH):
            found.append(one.over(how=OUTCOMES[outcome]))
    return mean(found) if found and common_seeds(found) != () else None


def _curve(
    gains: Gains, model: str, arm: str, task: str, by_rows: Mapping[int, str], outcome: str
) -> Curve | None:
    draws = {rows: _draws(gains, model, before, outcome) for rows, before in by_rows.items()}
    have = {rows: one for rows, one in draws.items() if one is not None}
    if not have:
        return None
    rows = np.concatenate([np.full(len(one.values), n, float) for n, one in have.items()])
    values = np.concatenate([one.values[:, 0] for one in have.values()])
    points = {n: estimate(one) for n, one in have.items()}
    return Curve(model, arm, task, outcome, points, fit(rows, values) if len(have) > 2 else None)


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


@dataclass(frozen=True)
class Exchange:
    """English rows against rows in other languages.

    Attributes:
        task, languages, rows: the data in other languages.
        scored: ``zero-shot`` languages, or those ``trained in``, which are not zero-shot.
        english: how many English rows give the same mean.
    """

    model: str
    task: str
    languages: tuple[str, ...]
    rows: int
    scored: Scored
    english: BreakEven


def exchanges(gains: Gains) -> list[Exchange]:
    """Every size of a task in other languages against the English sizes of that task."""
    found = []
    for name, by_rows in sizes(gains).items():
        task, _, codes = name.partition(":")
        english = sizes(gains).get(task, {})
        for rows, before in by_rows.items() if codes and len(english) > 1 else ():
            trained = tuple(codes.split("/"))
            for model in gains.outcomes.models:
                for scored in SCORED:
                    inside = scored == "trained in"
                    curve = {n: _some(gains, model, b, trained, inside) for n, b in english.items()}
                    have = {n: one for n, one in curve.items() if one is not None}
                    other = _some(gains, model, before, trained, inside)
                    if other is not None and len(have) > 1:
                        at = break_even(have, other, f"{name} {rows} {scored}")
                        found.append(Exchange(model, task, trained, rows, scored, at))
    return found


def _some(
    gains: Gains, model: str, before: str, trained: tuple[str, ...], inside: bool
) -> Draws | None:
    """The mean over targets, in the languages that were trained in, or in the others."""
    found = []
    for target in gains.targets:
        one = gains.outcome(model, target, before)
        codes = [c for c in one.languages if (c in trained) == inside] if one is not None else []
        if one is not None and codes:
            found.append(one.over(codes))
    return mean(found) if found and common_seeds(found) != () else None


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

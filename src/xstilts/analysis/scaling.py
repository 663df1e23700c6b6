"""Question 1: how outcomes change with the amount of intermediate data.

Sizes are nested (``mnli[1k]``, ``mnli[10k]``, ...). An arm is one way to train on them: for a fixed
number of epochs (``mnli[1k]``), or of steps (``mnli[1k as 10k]``). A curve is fitted to all runs of
an arm that learnt; which form it gets, AICc decides, and a power law has to beat both simpler ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

import numpy as np

from xstilts.analysis.draws import common_seeds, mean
from xstilts.analysis.estimate import Estimate, estimate
from xstilts.path import parse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from xstilts.analysis.draws import Draws
    from xstilts.analysis.gains import Gains

_NONE: Mapping[tuple[str, str], Draws] = MappingProxyType({})
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
NEED_ENGLISH = ("gap to English",)
DROP = "drop under noise"  # of what a study perturbs, where labels hold


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
        fit: to the runs that learnt; None with fewer than three sizes or six runs.
    """

    model: str
    arm: str
    task: str
    outcome: str
    points: Mapping[int, Estimate]
    fit: Fit | None


def fit(rows: NDArray[np.float64], values: NDArray[np.float64]) -> Fit | None:
    """The best of three forms by AICc, least squares on all runs.

    None with fewer than six runs: AICc is then infinite for some form, which so could not win.

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
    if not all(map(np.isfinite, aicc.values())):
        return None
    chosen = min(aicc, key=lambda form: aicc[form])
    return Fit(chosen, forms[chosen][0], aicc)


def _aicc(residual: float, points: int, parameters: int) -> float:
    """Corrected Akaike criterion of a least-squares fit (Hurvich and Tsai 1989)."""
    count = parameters + 1  # the residual variance is one too
    if points - count - 1 <= 0:
        return float("inf")
    fitted = points * np.log(max(residual, 1e-30) / points)
    return float(fitted + 2 * count + 2 * count * (count + 1) / (points - count - 1))


EPOCHS = "fixed epochs"


def sizes(gains: Gains) -> dict[tuple[str, str], dict[int, str]]:
    """The nested sizes of a study: task (and its languages) and arm -> rows -> intermediate."""
    found: dict[tuple[str, str], dict[int, str]] = {}
    steps: dict[tuple[str, int], str] = {}
    cap = gains.outcomes.max_steps
    capped = f", at most {cap:,} steps" if cap else ""
    for before in gains.intermediates:
        stages = parse(before).stages
        item = stages[0].items[0]
        alone = len(stages) == 1 and len(stages[0].items) == 1
        if alone and item.rows and item.noise is None:
            name, _, _ = before.partition("[")
            arm = EPOCHS + capped
            if item.as_rows:
                arm = steps[name, item.as_rows] = f"steps of {item.as_rows:,} rows{capped}"
            found.setdefault((name, arm), {})[item.rows] = before
    # Both arms share the size whose steps the others of its arm take.
    for (name, rows), arm in steps.items():
        if whole := found.get((name, EPOCHS + capped), {}).get(rows):
            found[name, arm][rows] = whole
    return {place: dict(sorted(by_rows.items())) for place, by_rows in found.items()}


def curves(gains: Gains, drops: Mapping[tuple[str, str], Draws] = _NONE) -> list[Curve]:
    """Every outcome of every task and arm that have at least two sizes.

    Outcomes are scores, not differences: the baseline is another point of the same curve.

    Args:
        gains: of a study.
        drops: (model, intermediate) -> what noise costs after it, see `robustness.Robustness`.
    """
    return [
        curve
        for model in gains.outcomes.models
        for (task, arm), by_rows in sizes(gains).items()
        if len(by_rows) > 1
        for outcome in (*OUTCOMES, DROP)
        for targets in [everywhere(gains, model, by_rows.values())]
        for draws in [
            {
                rows: drops.get((model, before))
                if outcome == DROP
                else _draws(gains, model, before, outcome, targets)
                for rows, before in by_rows.items()
            }
        ]
        for fell in [{n: gains.collapsed(model, targets, one) for n, one in by_rows.items()}]
        if (curve := _curve(model, arm, task, outcome, draws, fell)) is not None
    ]


def everywhere(gains: Gains, model: str, befores: Iterable[str]) -> tuple[str, ...]:
    """The counted targets that every finished size has: so all points are means of the same."""
    have = [
        {
            target
            for target in gains.targets
            if (one := gains.outcome(model, target, before)) is not None and gains.counts(one)
        }
        for before in befores
    ]
    begun = [mine for mine in have if mine]
    return tuple(target for target in gains.targets if all(target in mine for mine in begun))


def _draws(
    gains: Gains, model: str, before: str, outcome: str, targets: Iterable[str]
) -> Draws | None:
    """An outcome after an intermediate: the mean over those targets that have it."""
    found = []
    for target in targets:
        one = gains.outcome(model, target, before)
        english = one is not None and one.languages[0] == "en"
        if one is None or len(one.languages) < 2:
            continue
        if english or outcome not in NEED_ENGLISH:
            found.append(one.over(how=OUTCOMES[outcome]))
    return mean(found) if found and common_seeds(found) != () else None


def _curve(
    model: str,
    arm: str,
    task: str,
    outcome: str,
    draws: Mapping[int, Draws | None],
    fell: Mapping[int, tuple[int, ...]],
) -> Curve | None:
    have = {rows: one for rows, one in draws.items() if one is not None}
    if not have:
        return None
    points = {n: estimate(one, fell[n]) for n, one in have.items()}
    learnt = {n: left for n, one in have.items() if len((left := one.without(fell[n])).values)}
    if len(learnt) < 3:
        return Curve(model, arm, task, outcome, points, None)
    rows = np.concatenate([np.full(len(one.values), n, float) for n, one in learnt.items()])
    values = np.concatenate([one.values[:, 0] for one in learnt.values()])
    return Curve(model, arm, task, outcome, points, fit(rows, values))

"""Variance components of sequences: which tasks, in which order, at which position, which seed.

Scores of one model, the mean over targets: y of set i, order j of that set, seed s:

    y_ijs = mean + set_i + position_ij + order_ij + seed_s + rest_ijs

where position is what follows from which task stands where (the sum of an effect for each task at
each position), and order what is left. Seeds are crossed with orders: a seed is the same draw for
all of them. Components are those of the mean squares (Henderson's first method for balanced data),
their intervals generalised confidence intervals (Weerahandi 1993): each sum of squares over a
chi-squared variable, drawn many times.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from xstilts.identity import stream_seed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

DRAWS = 20_000


@dataclass(frozen=True)
class Component:
    """One source of variance.

    Attributes:
        name: ``set``, ``position``, ``order`` (beyond position), ``seed`` or ``rest``.
        variance: of one run's score that it makes, in the unit of the scores squared; an unbiased
            estimate may be below 0 and is shown as it is.
        low, high: the 95 % interval, cut at 0.
        df: degrees of freedom; 0 where the study cannot tell, and then there is no variance.
    """

    name: str
    variance: float
    low: float
    high: float
    df: int

    @property
    def deviation(self) -> float:
        """The standard deviation, in the unit of the scores."""
        return float(np.sqrt(max(self.variance, 0.0)))


def components(
    scores: NDArray[np.float64], sets: Sequence[int], orders: Sequence[Sequence[str]]
) -> list[Component]:
    """The components of scores of orders.

    Args:
        scores: ``[orders, seeds]``.
        sets: number of the set that each order is of; equally many orders of each.
        orders: each order's stages, all equally many.
    """
    count, seeds = scores.shape
    set_names = sorted(set(sets))
    sizes = {name: list(sets).count(name) for name in set_names}
    assert len(set(sizes.values())) == 1, "as many orders of every set"
    per_set = count // len(set_names)
    members = np.array([[one == name for name in set_names] for one in sets], float)
    means = scores.mean(axis=1)
    within = means - members @ (members.T @ means) / per_set
    design = _positions(orders, members, per_set)
    basis = _basis(design)
    along = basis @ (basis.T @ within)
    by_seed = scores.mean(axis=0) - scores.mean()
    rest = scores - means[:, None] - by_seed
    squares = {
        "set": seeds * per_set * float(((members.T @ means / per_set - means.mean()) ** 2).sum()),
        "position": seeds * float((along**2).sum()),
        "order": seeds * float(((within - along) ** 2).sum()),
        "seed": count * float((by_seed**2).sum()),
        "rest": float((rest**2).sum()),
    }
    df = {
        "set": len(set_names) - 1,
        "position": basis.shape[1],
        "order": count - len(set_names) - basis.shape[1],
        "seed": seeds - 1,
        "rest": (count - 1) * (seeds - 1),
    }
    # How often an effect of a task at a position is in the mean square of positions.
    spread = float((design**2).sum()) / count
    held = float((design**2).sum()) / df["position"] if df["position"] else 1.0
    return _solved(squares, df, seeds, per_set, count, spread, held)


def _solved(
    squares: dict[str, float],
    df: dict[str, int],
    seeds: int,
    per_set: int,
    count: int,
    spread: float,
    held: float,
) -> list[Component]:
    rng = np.random.default_rng(stream_seed("components"))
    drawn = {  # a true mean square, as far as its sum of squares tells
        name: np.concatenate([[ss / max(df[name], 1)], ss / rng.chisquare(max(df[name], 1), DRAWS)])
        for name, ss in squares.items()
    }
    order_error = drawn["order"] if df["order"] else drawn["rest"]
    order_level = drawn["position"] * df["position"] + drawn["order"] * df["order"]
    order_level = order_level / max(df["position"] + df["order"], 1)
    found = {
        "set": (drawn["set"] - order_level) / (seeds * per_set),
        "position": (drawn["position"] - order_error) / (seeds * held) * spread,
        "order": (drawn["order"] - drawn["rest"]) / seeds,
        "seed": (drawn["seed"] - drawn["rest"]) / count,
        "rest": drawn["rest"],
    }
    return [
        Component(name, float(v[0]), *_interval(v[1:]), df[name])
        if df[name]
        else Component(name, float("nan"), 0.0, float("nan"), 0)
        for name, v in found.items()
    ]


def _interval(drawn: NDArray[np.float64]) -> tuple[float, float]:
    low, high = np.quantile(np.maximum(drawn, 0.0), (0.025, 0.975))
    return float(low), float(high)


def _positions(
    orders: Sequence[Sequence[str]], members: NDArray[np.float64], per_set: int
) -> NDArray[np.float64]:
    """A column for every task at every position, centred within sets: ``[orders, columns]``."""
    places = sorted({(task, place) for order in orders for place, task in enumerate(order)})
    columns = np.array(
        [[order[place] == task for task, place in places] for order in orders], float
    )
    return columns - members @ (members.T @ columns) / per_set


def _basis(columns: NDArray[np.float64]) -> NDArray[np.float64]:
    """An orthonormal basis of the columns' span, ``[orders, rank]``."""
    left, singular, _ = np.linalg.svd(columns, full_matrices=False)
    return left[:, singular > 1e-9 * max(float(singular.max()), 1e-9)]

"""A quantity of a study in every run, and in every resample of the test items.

The one shape that all statistics here are made of: ``values[s, 0]`` is what seed ``s`` gave, and
``values[s, 1:]`` is what it would have given on other test sets, drawn with replacement from the
groups of this one. Resample ``b`` is the same draw of items for every condition, seed and language
of a target, so differences of draws are paired differences.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from numpy.typing import NDArray

RESAMPLES = 999


@dataclass(frozen=True)
class Draws:
    """A quantity by seed and resample.

    Attributes:
        values: float64 ``[seeds, 1 + resamples]``; one row where nothing was trained.
        seeds: of the rows; None for what was never trained, a constant that any seed pairs with.
        groups: how many groups of items the resamples draw from; the fewest of any target in it.
            Languages that are drawn together (parallel ones, and all of a retrieval task) count as
            one, those that are drawn apart as the one with fewest.
        items: how many items, the fewest of any language in it; 0: as many as groups.
    """

    values: NDArray[np.float64]
    seeds: tuple[int, ...] | None
    groups: int
    items: int = 0

    def __post_init__(self) -> None:
        assert self.values.shape[0] == (1 if self.seeds is None else len(self.seeds))

    def __sub__(self, other: Draws) -> Draws:
        return combine([self, other], lambda one, two: one - two)

    def of(self, seeds: tuple[int, ...]) -> NDArray[np.float64]:
        """The rows of these seeds, ``[len(seeds), 1 + resamples]``."""
        if self.seeds is None:
            return np.repeat(self.values, len(seeds), axis=0)
        return self.values[[self.seeds.index(seed) for seed in seeds]]

    def without(self, seeds: Iterable[int]) -> Draws:
        """The draws without the runs of these seeds."""
        left = tuple(seed for seed in self.seeds or () if seed not in set(seeds))
        return self if self.seeds is None else replace(self, values=self.of(left), seeds=left)


def common_seeds(draws: Sequence[Draws]) -> tuple[int, ...] | None:
    """The seeds that all of the draws have, constants apart; None where all are constants."""
    trained = [one.seeds for one in draws if one.seeds is not None]
    if not trained:
        return None
    return tuple(seed for seed in trained[0] if all(seed in seeds for seeds in trained))


def shared(draws: Sequence[Draws]) -> list[Draws]:
    """The draws on the seeds that all of them have, constants as they are; without any, none."""
    seeds = common_seeds(draws)
    if seeds is None:
        return list(draws)
    return [
        one if one.seeds is None else replace(one, values=one.of(seeds), seeds=seeds)
        for one in draws
        if seeds
    ]


def combine(draws: Sequence[Draws], function: Callable[..., NDArray[np.float64]]) -> Draws:
    """A function of several draws, seed by seed and resample by resample.

    Args:
        draws: at least one; seeds that not all of them have are left out.
        function: arrays ``[seeds, 1 + resamples]``, one a draw, to one of that shape.
    """
    seeds = common_seeds(draws)
    rows = [one.values if seeds is None else one.of(seeds) for one in draws]
    items = min(one.items or one.groups for one in draws)
    return Draws(function(*rows), seeds, min(one.groups for one in draws), items)


def mean(draws: Sequence[Draws]) -> Draws:
    """The unweighted mean of several draws."""
    return combine(draws, lambda *rows: np.mean(rows, axis=0))


def weighted(draws: Sequence[Draws], weights: Sequence[float] | NDArray[np.float64]) -> Draws:
    """The sum of several draws, each times its weight."""
    by = np.asarray(weights, float)
    return combine(draws, lambda *rows: np.tensordot(by, rows, 1))


def slope(draws: Sequence[Draws], places: Sequence[float]) -> Draws:
    """The least-squares slope of several draws over where each of them stands."""
    x = np.asarray(places, float) - np.mean(places)
    return weighted(draws, x / (x @ x))


def logit(one: Draws) -> Draws:
    """On the logit scale; half an item away from 0 and 1, where it has no end."""

    def scaled(values: NDArray[np.float64]) -> NDArray[np.float64]:
        inside = _inside(values, one.items or one.groups)
        return np.log(inside / (1 - inside))

    return combine([one], scaled)


def error_reduction(after: Draws, before: Draws) -> Draws:
    """The share of the errors before that are gone after; no fewer than half an item's were."""

    def reduced(new: NDArray[np.float64], old: NDArray[np.float64]) -> NDArray[np.float64]:
        return (new - old) / (1 - _inside(old, before.items or before.groups))

    return combine([after, before], reduced)


def _inside(values: NDArray[np.float64], items: int) -> NDArray[np.float64]:
    edge = 0.5 / (items + 1)
    return np.clip(values, edge, 1 - edge)

"""How good a ranking is: Kendall's tau, and what following it costs on seeds that had no say.

Regret at k is the best path of the grid minus the best of the k first of the ranking. Both are
picked on one half of the seeds and judged on the other (`held_out`): a lucky run is nobody's merit,
and regret can be below 0. The noise floor is the same for a ranking by the grid itself, run
once more: by the scores of a single other seed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from xstilts.analysis import held_out
from xstilts.analysis.draws import Draws, combine, common_seeds, mean
from xstilts.analysis.estimate import Estimate, estimate

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray


@dataclass(frozen=True)
class Judged:
    """One way to rank, over all targets; intervals cover seeds and items of these targets.

    Attributes:
        way: its name.
        tau: Kendall's tau-b of the ranking and the scores of each seed, the mean over targets.
        regret_at_1, regret_at_3: in the unit of the scores; None with one seed.
        by_family: family -> regret at 1; how far it goes from one family to another.
        targets: in it.
    """

    way: str
    tau: Estimate
    regret_at_1: Estimate | None
    regret_at_3: Estimate | None
    by_family: Mapping[str, float]
    targets: tuple[str, ...]


def judge(
    way: str,
    merits: Mapping[str, NDArray[np.float64]],
    grids: Mapping[str, Mapping[str, Draws]],
    families: Mapping[str, str],
) -> Judged | None:
    """One way to rank, judged on every target that it has a ranking for; None where it has none.

    Args:
        way: its name.
        merits: target -> merit of each candidate, in the order of the grid.
        grids: target -> candidate -> scores.
        families: target -> its family.
    """
    mine = [target for target in merits if common_seeds(list(grids[target].values()))]
    if not mine or common_seeds([one for t in mine for one in grids[t].values()]) == ():
        return None
    taus = [tau(merits[target], list(grids[target].values())) for target in mine]
    at: dict[int, dict[str, Draws]] = {1: {}, 3: {}}
    for target in mine:
        for k, found in at.items():
            one = regret(merits[target], grids[target], k)
            if one is not None:
                found[target] = one
    regrets = [estimate(mean(list(found.values()))) if found else None for found in at.values()]
    return Judged(
        way=way,
        tau=estimate(mean(taus)),
        regret_at_1=regrets[0],
        regret_at_3=regrets[1],
        by_family=_by_family(at[1], families),
        targets=tuple(mine),
    )


def _by_family(found: Mapping[str, Draws], families: Mapping[str, str]) -> dict[str, float]:
    by_family: dict[str, list[float]] = {}
    for target, draws in found.items():
        by_family.setdefault(families[target], []).append(float(draws.values[:, 0].mean()))
    return {name: float(np.mean(values)) for name, values in by_family.items()}


def tau(merit: NDArray[np.float64], scores: Sequence[Draws]) -> Draws:
    """Kendall's tau-b of a ranking with the scores, seed by seed and resample by resample.

    Kendall 1945: concordant minus discordant pairs over the root of the pairs that either does not
    tie. 0 where one of them ties everything.
    """
    above = np.triu_indices(len(merit), 1)
    one = np.sign(merit[:, None] - merit[None])[above]

    def both(*rows: NDArray[np.float64]) -> NDArray[np.float64]:
        table = np.stack(rows)  # [candidates, seeds, 1 + resamples]
        signs = np.sign(table[above[0]] - table[above[1]])
        agree = np.tensordot(one, signs, 1)
        untied = np.sqrt(np.abs(one).sum() * np.abs(signs).sum(axis=0))
        return np.divide(agree, untied, out=np.zeros_like(agree), where=untied > 0)

    return combine(scores, both)


def regret(merit: NDArray[np.float64], grid: Mapping[str, Draws], k: int) -> Draws | None:
    """The grid's best minus the best of the first k, each picked and judged on other seeds.

    Equal merits take turns: the mean over as many orders of them as are tied at the k-th place, so
    that where a candidate stands in the grid is no merit.
    """
    names, rounded = list(grid), merit.round(12)
    order = np.argsort(-rounded, kind="stable")
    last = rounded[order[min(k, len(order)) - 1]]
    sure = [i for i in order if rounded[i] > last]
    tied = [i for i in order if rounded[i] == last]
    best = held_out.best(grid)
    followed = [
        held_out.best({names[i]: grid[names[i]] for i in (*sure, *chosen)})
        for chosen in _turns(tied, k - len(sure))
    ]
    whole = [one for one in followed if one is not None]
    return None if best is None or len(whole) < len(followed) else best - mean(whole)


def _turns(tied: Sequence[int], places: int) -> list[tuple[int, ...]]:
    """Ways to fill the places with tied candidates, each of them in equally many."""
    if places >= len(tied):
        return [tuple(tied)]
    return [
        tuple(tied[(start + n) % len(tied)] for n in range(places)) for start in range(len(tied))
    ]


def noise_floor(
    grids: Mapping[str, Mapping[str, Draws]], families: Mapping[str, str]
) -> Judged | None:
    """A ranking by one more run of the whole grid: each seed in turn ranks, the others judge.

    None with fewer than three seeds.
    """
    whole = {t: g for t, g in grids.items() if len(common_seeds(list(g.values())) or ()) > 2}
    if not whole:
        return None
    seeds = common_seeds([one for grid in whole.values() for one in grid.values()]) or ()
    rows: dict[str, list[Any]] = {"tau": [], "one": [], "three": []}
    by_family: list[dict[str, float]] = []
    for seed in seeds:
        left = {
            t: {name: one.without([seed]) for name, one in grid.items()}
            for t, grid in whole.items()
        }
        merit = {
            t: np.array([one.of((seed,))[0, 0] for one in grid.values()])
            for t, grid in whole.items()
        }
        found = judge("", merit, left, families)
        if found is not None:
            rows["tau"].append(found.tau)
            rows["one"].append(found.regret_at_1)
            rows["three"].append(found.regret_at_3)
            by_family.append(dict(found.by_family))
    if not by_family:
        return None
    means = {
        name: sum(one.get(name, 0.0) for one in by_family) / len(by_family) for name in by_family[0]
    }
    tau_, one, three = (_pooled(each) for each in rows.values())
    assert tau_ is not None
    return Judged("the grid once more", tau_, one, three, means, tuple(whole))


def _pooled(found: Sequence[Estimate | None]) -> Estimate | None:
    """The mean of estimates that share most of their runs: the interval is the mean one."""
    have = [one for one in found if one is not None]
    if not have:
        return None
    middle = have[0]
    value, low, high = (
        float(np.mean([getattr(one, name) for one in have])) for name in ("value", "low", "high")
    )
    return Estimate(value, low, high, middle.seeds, middle.groups, middle.covers, middle.variance)

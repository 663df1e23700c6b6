"""How many items fall to an attack, among those that both models get right before it.

Both are attacked on the same items within the same budget. Worst cases found on one are also put to
the other: what falls there too is a weakness that they share.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from xstilts.analysis.draws import mean
from xstilts.analysis.estimate import Estimate, estimate
from xstilts.analysis.resample import Items
from xstilts.analysis.right import FEWEST, by_group, ratio, shares
from xstilts.analysis.routes import Route, route_of
from xstilts.steps import PREDICTIONS
from xstilts.steps.score import group_hash

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from xstilts.adversity import Attack
    from xstilts.metrics import Metric
    from xstilts.plan import Plan
    from xstilts.store import Store
    from xstilts.tasks import Catalogue

# Of five summed counts: items that both get right; those of them that fall on the baseline, and on
# the other; those that fall on the other where found on the baseline, and the other way round.
_SHARES: Mapping[str, Metric] = {
    "baseline": ratio("falls on the baseline", lambda sums: sums[1]),
    "own": ratio("falls on the other", lambda sums: sums[2]),
    "interaction": ratio("difference", lambda sums: sums[2] - sums[1]),
    "from_baseline": ratio("found on the baseline", lambda sums: sums[3]),
    "from_own": ratio("found on the other", lambda sums: sums[4]),
}


@dataclass(frozen=True)
class Attacked:
    """One attack on one target: an intermediate against the baseline. Shares of items.

    Attributes:
        model, intermediate, target, search: which.
        languages: how many it is a mean of: those with at least ten such items in every seed.
        items: on average how many a language and seed that both get right clean.
        queries: on average, of an attack on an item that both get right clean.
        baseline, own: success on each.
        interaction: success after the intermediate task minus success on the baseline.
        from_baseline: success, on the other, of what was found on the baseline.
        from_own: success, on the baseline, of what was found on the other.
    """

    model: str
    intermediate: str
    target: str
    search: str
    languages: int
    items: float
    queries: float
    baseline: Estimate
    own: Estimate
    interaction: Estimate
    from_baseline: Estimate
    from_own: Estimate

    def row(self) -> dict[str, Any]:
        """As a flat row of a table."""
        flat = {name: value for name, value in asdict(self).items() if name not in _SHARES}
        for name in _SHARES:
            found = getattr(self, name)
            flat |= {f"{name}_{part}": getattr(found, part) for part in ("value", "low", "high")}
        return {**flat, "seeds": self.interaction.seeds, "covers": self.interaction.covers}


def attacked(plan: Plan, store: Store, catalogue: Catalogue) -> list[Attacked]:
    """Every attack of a study that is finished on an intermediate and on its baseline.

    What came in a pack without predictions is left out.
    """
    by_place: dict[tuple[str, str, str, str], list[Attack]] = defaultdict(list)
    for one in plan.attacks:
        for path in {one.path, one.found_on}:
            before = _route(plan, path, one.target).before
            if before:
                by_place[one.model, before, one.target, one.search].append(one)
            elif not one.transferred:  # the baseline is everybody's
                for other in _partners(plan, one):
                    by_place[one.model, other, one.target, one.search].append(one)
    found = []
    for place, mine in by_place.items():
        if all(store.has(one.step) and store.whole(one.step) for one in mine):
            found += list(_of(place, mine, plan, store, catalogue))
    return found


def _route(plan: Plan, path: str, target: str) -> Route:
    return route_of(path, target, baseline=plan.baselines.get(target, ""))


def _partners(plan: Plan, base: Attack) -> list[str]:
    """The intermediates that a baseline's attack is compared with."""
    alike = (
        _route(plan, one.path, one.target).before
        for one in plan.attacks
        if (one.model, one.target, one.search) == (base.model, base.target, base.search)
        and _route(plan, one.path, one.target).last == _route(plan, base.path, base.target).last
    )
    return [before for before in dict.fromkeys(alike) if before]


def _of(
    place: tuple[str, str, str, str],
    attacks: list[Attack],
    plan: Plan,
    store: Store,
    catalogue: Catalogue,
) -> Iterator[Attacked]:
    target, before = catalogue.get(place[2]), place[1]
    # (language, seed) -> (asked after the intermediate task, found so) -> rows
    read: dict[tuple[str, int], dict[tuple[bool, bool], list[dict[str, Any]]]] = defaultdict(dict)
    for one in attacks:
        sides = tuple(
            _route(plan, path, one.target).before == before for path in (one.path, one.found_on)
        )
        read[one.language, one.seed][sides[0], sides[1]] = _rows(store, one.step)
    whole = {key: four for key, four in read.items() if len(four) == 4}
    seeds = tuple(dict.fromkeys(seed for _, seed in whole))
    codes = [
        code
        for code in dict.fromkeys(code for code, _ in whole)
        if all((code, seed) in whole and _both(whole[code, seed]).sum() >= FEWEST for seed in seeds)
    ]
    if not codes:
        return
    groups = {code: _groups(whole[code, seeds[0]][False, False]) for code in codes}
    items = Items(
        f"{target.name}/attacked",
        {code: np.unique(mine) for code, mine in groups.items()},
        shared=target.parallel,
    )
    runs = {
        code: [_counts(whole[code, seed], groups[code], items.groups_of(code)) for seed in seeds]
        for code in codes
    }
    made = {
        name: estimate(mean([shares(items, code, runs[code], how, seeds) for code in codes]))
        for name, how in _SHARES.items()
    }
    queries = [
        row["queries"]
        for four in whole.values()
        for side in (True, False)
        for row, both in zip(four[side, side], _both(four), strict=True)
        if both
    ]
    sizes = [float(run[:, 0].sum()) for mine in runs.values() for run in mine]
    means = (float(np.mean(sizes)), float(np.mean(queries)))
    yield Attacked(*place, len(codes), *means, *(made[name] for name in _SHARES))


def _rows(store: Store, step: str) -> list[dict[str, Any]]:
    from pyarrow import parquet

    columns = ["group", "gold", "clean_prediction", "prediction", "queries"]
    path = store.open(step).path(PREDICTIONS)
    return list(parquet.read_table(path, columns=columns).to_pylist())


def _groups(rows: list[dict[str, Any]]) -> NDArray[np.int64]:
    return np.array([group_hash(row["group"]) for row in rows], np.int64)


def _both(four: Mapping[tuple[bool, bool], list[dict[str, Any]]]) -> NDArray[np.bool_]:
    """Which items both get right before any edit."""
    pairs = zip(four[False, False], four[True, True], strict=True)
    return np.array(
        [a["clean_prediction"] == b["clean_prediction"] == a["gold"] for a, b in pairs], bool
    )


def _counts(
    four: Mapping[tuple[bool, bool], list[dict[str, Any]]],
    groups: NDArray[np.int64],
    order: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Items that both get right and what falls of them, summed by group: ``[groups, 5]``."""
    both = _both(four)
    fallen = [
        both & np.array([row["prediction"] != row["gold"] for row in four[sides]], bool)
        for sides in ((False, False), (True, True), (True, False), (False, True))
    ]
    return by_group(groups, order, both, *fallen)

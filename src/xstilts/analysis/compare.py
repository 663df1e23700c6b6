"""Two studies, or two paths, side by side: paired differences, second minus first.

Runs pair up by target and seed, and items by group, whatever differs between the two: the encoder,
the recipe, the data, the path. Where the two were not scored on the same items, as under different
caps, the items' part of an interval is that of two samples, not of one.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from xstilts.analysis.draws import Draws, common_seeds, mean
from xstilts.analysis.estimate import Estimate, estimate

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator

    from xstilts.analysis.outcomes import Outcome, Outcomes


@dataclass(frozen=True)
class Difference:
    """The second minus the first.

    Attributes:
        over: ``target``, ``language`` (mean over the targets that have it) or ``mean``. Where a
            target has several paths, it is their mean that counts.
        name: of the target (and path, where several have it) or language; "" for the mean.
        first, second: the scores, in the languages that both have.
        estimate: of the difference, in the unit of the scores.
    """

    over: str
    name: str
    first: float
    second: float
    estimate: Estimate

    def row(self) -> dict[str, Any]:
        """As a flat row of a table."""
        found = self.estimate
        return {
            "over": self.over,
            "name": self.name,
            "first": self.first,
            "second": self.second,
            "difference": found.value,
            "low": found.low,
            "high": found.high,
            "seeds": found.seeds,
            "groups": found.groups,
            "covers": found.covers,
            "collapsed": list(found.collapsed),
        }


@dataclass(frozen=True)
class Comparison:
    """What was paired, and what was not.

    Attributes:
        differences: targets, languages, and the mean over targets.
        only_first, only_second: runs without a partner, as "path (target)"; with their seeds where
            only those differ.
    """

    differences: tuple[Difference, ...]
    only_first: tuple[str, ...]
    only_second: tuple[str, ...]


def studies(one: Outcomes, two: Outcomes) -> Comparison:
    """Pair runs of the same path and target; models by name, or the only one of each."""
    single = len(one.models) == len(two.models) == 1
    # A model stands at the learning rate that was chosen for it, which need not be one.
    models = {rung.name: rung.model for each in (one, two) for rung in each.rungs}

    def key(o: Outcome) -> Hashable:
        return "" if single else models.get(o.model, o.model), o.path, o.target

    return _compare(one, two, key)


def paths(one: Outcomes, two: Outcomes) -> Comparison:
    """Pair runs of the same target, of two paths and one model each.

    Runs that did not learn are seen beside those of both: one path's alone may all be such.
    """
    both = replace(one, all=[*one.all, *two.all])
    return _compare(one, two, lambda o: (o.model, o.target), both)


def _compare(
    one: Outcomes,
    two: Outcomes,
    key: Callable[[Outcome], Hashable],
    both: Outcomes | None = None,
) -> Comparison:
    first, second = ({key(outcome): outcome for outcome in each} for each in (one, two))
    shared = [place for place in first if place in second]
    several = len({first[place].target for place in shared}) < len(shared)
    pairs, apart = [], []
    for place in shared:
        a, b = first[place], second[place]
        codes = tuple(code for code in a.languages if code in b.languages)
        if codes and common_seeds([a.over(codes), b.over(codes)]) == ():
            apart.append(place)
        elif codes:
            name = f"{b.path} ({b.target})" if several else b.target
            collapsed = (*(both or one).collapsed(a), *(both or two).collapsed(b))
            pairs.append(_Pair(name, a, b, codes, tuple(sorted(set(collapsed)))))
    lonely = [
        (
            *(f"{o.path} ({o.target})" for place, o in mine.items() if place not in others),
            *(f"{mine[p].path} ({mine[p].target}; seeds {_seeds(mine[p])})" for p in apart),
        )
        for mine, others in ((first, second), (second, first))
    ]
    return Comparison(tuple(_differences(pairs)), *lonely)


def _seeds(one: Outcome) -> str:
    return ", ".join(map(str, one.seeds or ()))


@dataclass(frozen=True)
class _Pair:
    name: str
    first: Outcome
    second: Outcome
    codes: tuple[str, ...]
    collapsed: tuple[int, ...]

    def draws(self, *codes: str) -> tuple[Draws, Draws]:
        return self.first.over(codes or self.codes), self.second.over(codes or self.codes)


def _differences(pairs: list[_Pair]) -> Iterator[Difference]:
    for pair in pairs:
        yield _difference("target", pair.name, [pair.draws()], pair.collapsed)
    if len(pairs) > 1 and common_seeds([d for pair in pairs for d in pair.draws()]) != ():
        every = tuple(sorted({seed for pair in pairs for seed in pair.collapsed}))
        yield _difference("mean", "", _by_target(pairs), every)
    by_code: dict[str, list[_Pair]] = defaultdict(list)
    for pair in pairs:
        for code in pair.codes:
            by_code[code].append(pair)
    for code, mine in by_code.items():
        if common_seeds([d for pair in mine for d in pair.draws(code)]) != ():
            collapsed = tuple(sorted({seed for pair in mine for seed in pair.collapsed}))
            yield _difference("language", code, _by_target(mine, code), collapsed)


def _by_target(pairs: list[_Pair], *codes: str) -> list[tuple[Draws, Draws]]:
    """Both sides of every target, the mean over its paths, so that each target weighs the same."""
    found: dict[str, list[tuple[Draws, Draws]]] = defaultdict(list)
    for pair in pairs:
        found[pair.first.target].append(pair.draws(*codes))
    return [
        (mean([first for first, _ in mine]), mean([second for _, second in mine]))
        for mine in found.values()
    ]


def _difference(
    over: str, name: str, draws: list[tuple[Draws, Draws]], collapsed: tuple[int, ...]
) -> Difference:
    seeds = common_seeds([one for both in draws for one in both])
    sides = [mean([both[side] for both in draws]) for side in (0, 1)]
    scores = [(d.values if seeds is None else d.of(seeds))[:, 0].mean() for d in sides]
    found = estimate(mean([second - first for first, second in draws]), collapsed)
    return Difference(over, name, float(scores[0]), float(scores[1]), found)

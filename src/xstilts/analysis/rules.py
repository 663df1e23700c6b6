"""From similarity to sequence: rules that were fixed before any run, and how good their orders are.

A rule takes one feature and picks the order of a set of stages before a target:

- ``last to target``: the last stage is the one most like the target;
- ``adjacent``: the sum of the likeness of neighbours, the target last, is greatest;
- ``near to far``: stages come in the order of their likeness to the target, the most alike first;
- ``far to near``: the other way round.

Its value is that of a person who follows it; it is compared with a random order and with all tasks
in one stage. Nothing is chosen by a score, so nothing has to be held out.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal, get_args

from xstilts.analysis.draws import Draws, common_seeds, mean
from xstilts.analysis.estimate import Estimate, estimate, family_p
from xstilts.analysis.sequences import groups, values
from xstilts.path import parse
from xstilts.similarity import FEATURES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from xstilts.analysis.gains import Gains
    from xstilts.analysis.ranking import Alike
    from xstilts.analysis.sequences import Group

Rule = Literal["last to target", "adjacent", "near to far", "far to near"]
RULES: tuple[Rule, ...] = get_args(Rule)
PAIRWISE = tuple(name for name, one in FEATURES.items() if not one.short)  # of any two tasks


@dataclass(frozen=True)
class Followed:
    """What following a rule brings, the mean over sets and targets that it is defined for.

    Attributes:
        estimate: the rule's order minus what it is compared with.
        sets: pairs of set and target in it.
        p: adjusted by Holm over all rules, features and comparisons of a model.
    """

    model: str
    rule: Rule
    feature: str
    versus: Literal["random order", "multi-task"]
    estimate: Estimate
    sets: int
    p: float | None = None

    def row(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)


def choose(
    rule: Rule, orders: Sequence[tuple[str, ...]], target: str, alike: Callable[[str, str], float]
) -> list[int]:
    """Which of the orders a rule picks, as places; more than one where they are equally good.

    Args:
        rule: which.
        orders: of the same stages.
        target: as text.
        alike: of two tasks.
    """

    def merit(order: tuple[str, ...]) -> float:
        near = [alike(stage, target) for stage in order]
        match rule:
            case "last to target":
                return near[-1]
            case "adjacent":
                return sum(alike(one, two) for one, two in pairwise((*order, target)))
            case "near to far":
                return -_inversions(near)
            case "far to near":
                return _inversions(near)

    merits = [merit(order) for order in orders]
    return [place for place, one in enumerate(merits) if one >= max(merits) - 1e-12]


def _inversions(near: Sequence[float]) -> float:
    """How many pairs of stages have the one that is less like the target first."""
    return float(sum(two > one for place, one in enumerate(near) for two in near[place + 1 :]))


def followed(
    gains: Gains,
    alike: Alike,
    stages_of: Mapping[str, str],
) -> list[Followed]:
    """Every rule with every feature of pairs, for every model.

    Args:
        gains: of a study.
        alike: feature, stage, stage or target -> likeness; None where it is not defined.
        stages_of: target -> its stage as text, of the targets that have English training rows.
    """
    found: list[Followed] = []
    for model in gains.outcomes.models:
        mine = list(_of(gains, model, alike, stages_of))
        ps = family_p([one.estimate for one in mine])
        found += [replace(one, p=p) for one, p in zip(mine, ps, strict=True)]
    return found


def _of(
    gains: Gains,
    model: str,
    alike: Alike,
    stages_of: Mapping[str, str],
) -> Iterator[Followed]:
    sets = groups(gains, model)
    befores = [one for group in sets for one in (*group.orders, group.together) if one]
    fell = gains.collapsed(model, stages_of, *befores)
    for feature in PAIRWISE:
        for rule in RULES:
            against: dict[str, list[Draws]] = {"random order": [], "multi-task": []}
            for group in sets:
                for name, target in stages_of.items():
                    picked = _picked(gains, model, group, rule, name, target, feature, alike)
                    for versus, draws in picked.items():
                        against[versus].append(draws)
            for versus, every in against.items():
                if every and common_seeds(every):
                    one = estimate(mean(every), fell)
                    yield Followed(model, rule, feature, versus, one, len(every))  # type: ignore[arg-type]


def _picked(
    gains: Gains,
    model: str,
    group: Group,
    rule: Rule,
    name: str,
    target: str,
    feature: str,
    alike: Alike,
) -> dict[str, Draws]:
    """The rule's order of one set before one target minus what it is compared with."""
    tasks = (*group.stages, target)
    table = {(a, b): alike(feature, a, b) for a in group.stages for b in tasks}
    if any(value is None for value in table.values()):
        return {}
    draws = values(gains, model, group.orders, name)
    if not draws:
        return {}
    orders = [tuple(map(str, parse(before).stages)) for before in group.orders]
    places = choose(rule, orders, target, lambda a, b: table[a, b] or 0.0)
    chosen = mean([draws[place] for place in places])
    found = {"random order": chosen - mean(draws)}
    if group.together and (other := values(gains, model, (group.together,), name)):
        found["multi-task"] = chosen - other[0]
    return found

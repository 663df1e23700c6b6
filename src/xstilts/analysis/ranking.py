"""Which path to run before any is run: candidates ranked by features, and how far to trust that.

A candidate's description is, for every feature, its last stage's likeness to the target and the
mean over its tasks, and its size; each is standardised over the candidates of one target, so that
what is learnt from one target can be said of another. The learnt ranking is a ridge regression on
the scores of targets of other families (those that share training data are one family); without
any scores, the mean rank over the features.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log10
from typing import TYPE_CHECKING

import numpy as np

from xstilts.path import parse
from xstilts.probing import single_tasks
from xstilts.tasks import published

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    # Feature, stage, stage or target -> likeness; None where it is not defined.
    Alike = Callable[[str, str, str], float | None]

PENALTY = 10.0  # of the ridge, in rows of standardised features; fixed beforehand
SIZE = "size"


@dataclass(frozen=True)
class Described:
    """The candidates of one target.

    Attributes:
        target: its stage, as text.
        candidates: intermediates, as text.
        names: of the columns, as ``feature, last`` or ``feature, mean``.
        table: ``[candidates, columns]``, each column standardised; 0 where all are alike.
    """

    target: str
    candidates: tuple[str, ...]
    names: tuple[str, ...]
    table: NDArray[np.float64]


@dataclass(frozen=True)
class Ranked:
    """One candidate and why it stands where it does.

    Attributes:
        candidate: as text.
        merit: what it is ranked by; of a learnt ranking points over the mean candidate.
        error: the standard error of ``merit``, from targets that were left out; None where nothing
            was learnt.
        reasons: (column, part of the merit), what moved it most first.
        ahead: the chance that it is better than the candidate below it, as far as the error tells.
    """

    candidate: str
    merit: float
    error: float | None = None
    reasons: tuple[tuple[str, float], ...] = ()
    ahead: float | None = None


@dataclass(frozen=True)
class Learnt:
    """A ridge regression: points per standard deviation of each column.

    Attributes:
        names: of the columns.
        weights: ``[columns]``, in the unit of the scores.
        error: the standard deviation of what it got wrong on targets left out; None if none was.
    """

    names: tuple[str, ...]
    weights: NDArray[np.float64]
    error: float | None = None


def describe(
    target: str,
    candidates: Sequence[str],
    alike: Alike,
    rows: Callable[[str], float],
    features: Sequence[str],
) -> Described:
    """The candidates of a target by the features that are defined for all of them.

    Args:
        target, candidates: as text.
        alike: feature, single-task stage, target -> likeness; None where it is not defined.
        rows: single-task stage -> training rows.
        features: which to use.
    """
    names, columns = [], []
    for feature in features:
        last, every = [], []
        for candidate in candidates:
            tasks = list(single_tasks(candidate))
            ending = list(single_tasks(str(parse(candidate).stages[-1])))
            last.append(_mean([alike(feature, task, target) for task in ending]))
            every.append(_mean([alike(feature, task, target) for task in tasks]))
        for name, column in ((f"{feature}, last", last), (f"{feature}, mean", every)):
            if all(value is not None for value in column):
                names.append(name)
                columns.append(column)
    names.append(SIZE)
    columns.append(
        [log10(max(sum(rows(task) for task in single_tasks(one)), 1.0)) for one in candidates]
    )
    table = np.array(columns, float).T
    spread = table.std(axis=0)
    centred = table - table.mean(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        scaled = np.where(spread > 1e-12, centred / spread, 0.0)
    return Described(target, tuple(candidates), tuple(names), scaled)


def _mean(values: Sequence[float | None]) -> float | None:
    there = [value for value in values if value is not None]
    return sum(there) / len(there) if there and len(there) == len(values) else None


def learn(described: Sequence[Described], scores: Sequence[NDArray[np.float64]]) -> Learnt:
    """Ridge regression of scores, centred within each target, on the columns that all targets have.

    Args:
        described: targets.
        scores: of each, ``[candidates]``.
    """
    common = [n for n in described[0].names if all(n in one.names for one in described)]
    x = np.vstack([_columns(one, common) for one in described])
    y = np.concatenate([one - one.mean() for one in scores])
    gram = x.T @ x + PENALTY * np.eye(len(common))
    return Learnt(tuple(common), np.linalg.solve(gram, x.T @ y))


def merits(found: Learnt, described: Described) -> NDArray[np.float64]:
    """Predicted scores over the mean candidate, ``[candidates]``."""
    have = [name for name in found.names if name in described.names]
    weights = found.weights[[found.names.index(name) for name in have]]
    return _columns(described, have) @ weights


def fused(described: Described) -> NDArray[np.float64]:
    """The mean over columns of the share that a candidate beats minus that which beats it.

    Ranks and not values, as in the fusion of Vu et al. 2020, section 4.3. The size has no say.
    """
    own = [place for place, name in enumerate(described.names) if name != SIZE]
    if not own:
        return np.zeros(len(described.candidates))
    table = described.table[:, own].round(12)  # means of the same numbers, in whatever order
    beats = (table[:, None] > table[None]).mean(axis=1) - (table[:, None] < table[None]).mean(
        axis=1
    )
    return beats.mean(axis=1)


def published_merits(candidates: Sequence[str]) -> NDArray[np.float64]:
    """The mean of what others published of each candidate's tasks; unknown ones below all."""
    known = _published()
    low = min(known.values(), default=0.0) - 1.0
    return np.array(
        [
            float(
                np.mean([known.get(parse(t).stages[0].items[0].task, low) for t in single_tasks(c)])
            )
            for c in candidates
        ]
    )


# One experiment's gains: other versions of the paper are others, which are not to be mixed.
_PUBLISHED_BY = "handed down, unverified"
# What a published row calls an intermediate task -> those here that are it, or a part of it.
_CALLED = {
    "SQuAD": ("squad_v1", "squad_v2", "squad_dev"),
    "MNLI": ("mnli", "taxinli"),
    "HellaSwag": ("hellaswag",),
}


def _published() -> dict[str, float]:
    found: dict[str, float] = {}
    for one in published.numbers():
        for called, tasks in _CALLED.items():
            if one.source == _PUBLISHED_BY and one.system.startswith(called):
                found |= dict.fromkeys(tasks, one.value)
    return found


def inference_merits(candidates: Sequence[str]) -> NDArray[np.float64]:
    """Always MNLI: the shortest path that trains on it, or on a part of it."""
    nli = _CALLED["MNLI"]
    return np.array(
        [
            1.0 / len(list(single_tasks(one)))
            if any(parse(task).stages[0].items[0].task in nli for task in single_tasks(one))
            else 0.0
            for one in candidates
        ]
    )


def ranked(
    described: Described, merit: NDArray[np.float64], learnt: Learnt | None = None
) -> list[Ranked]:
    """The candidates, the best first, with reasons where something was learnt."""
    from scipy import stats

    order = np.argsort(-merit, kind="stable")
    error = None if learnt is None else learnt.error
    found = []
    for rank, place in enumerate(order):
        ahead = None
        if error and rank + 1 < len(order):
            gap = float(merit[place] - merit[order[rank + 1]])
            ahead = float(stats.norm.cdf(gap / (error * 2**0.5)))
        found.append(
            Ranked(
                described.candidates[place],
                float(merit[place]),
                error,
                _reasons(described, int(place), learnt),
                ahead,
            )
        )
    return found


def _reasons(
    described: Described, place: int, learnt: Learnt | None
) -> tuple[tuple[str, float], ...]:
    """What moved a candidate: parts of the prediction, or standardised features."""
    weights = {} if learnt is None else dict(zip(learnt.names, learnt.weights, strict=True))
    parts = [
        (name, float(value * (1.0 if learnt is None else weights.get(name, 0.0))))
        for name, value in zip(described.names, described.table[place], strict=True)
        if learnt is not None or name != SIZE
    ]
    return tuple(sorted((one for one in parts if one[1]), key=lambda one: -abs(one[1]))[:3])


def _columns(described: Described, names: Sequence[str]) -> NDArray[np.float64]:
    return described.table[:, [described.names.index(name) for name in names]]


def leave_out(
    described: Mapping[str, Described],
    scores: Mapping[str, NDArray[np.float64]],
    families: Mapping[str, str],
) -> dict[str, Learnt]:
    """For every target what is learnt from the targets of other families; none where no other is.

    Args:
        described, scores: target -> its candidates, and their scores.
        families: target -> name of its family.
    """
    found = {}
    for target in described:
        others = [one for one in described if families[one] != families[target]]
        if others:
            found[target] = learn([described[o] for o in others], [scores[o] for o in others])
    wrong = [(scores[t] - scores[t].mean()) - merits(one, described[t]) for t, one in found.items()]
    error = float(np.sqrt(np.mean(np.concatenate(wrong) ** 2))) if wrong else None
    return {t: Learnt(one.names, one.weights, error) for t, one in found.items()}

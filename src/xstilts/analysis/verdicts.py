"""Claims against a study: direction, size, and whether the conditions were those of the claim.

``supported``, ``contradicted`` or ``inconclusive`` by the rule that the claim declares. Where the
conditions differ (another encoder, other data, a quick look), a verdict reads "consistent" or "not
consistent, under different conditions": it says something of the claim's idea, not of the claim.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from xstilts import suites
from xstilts.analysis import claims as data
from xstilts.analysis.best import best
from xstilts.analysis.draws import Draws, common_seeds, mean
from xstilts.analysis.estimate import (
    ALPHA,
    POINT,
    Estimate,
    equivalence_p,
    estimate,
    holm,
    may_test,
    p_value,
    untested,
)
from xstilts.analysis.joint import joint
from xstilts.analysis.routes import members
from xstilts.errors import UserError
from xstilts.path import parse

if TYPE_CHECKING:
    from collections.abc import Iterable

    from xstilts.analysis.claims import Claim
    from xstilts.analysis.gains import Gains
    from xstilts.tasks import Catalogue

Answer = Literal["supported", "contradicted", "inconclusive", "not run", "not testable", ""]


@dataclass(frozen=True)
class Finding:
    """What a rule found.

    Attributes:
        direction: whether what is claimed holds.
        size: whether the number does; "" where none is claimed.
        detail: in one line, with the numbers.
        estimate: of the difference it rests on, if it rests on one.
        other: what in the study stands in for what the claim names.
    """

    direction: Answer
    detail: str
    size: Answer = ""
    estimate: Estimate | None = None
    other: tuple[str, ...] = ()


@dataclass(frozen=True)
class Verdict:
    """A claim's verdict in a study.

    Attributes:
        claim, model: which.
        finding: by the claim's rule.
        differences: how the conditions differ from the claim's; empty: the same.
    """

    claim: Claim
    model: str
    finding: Finding
    differences: tuple[str, ...] = field(default=())

    @property
    def direction(self) -> str:
        """The verdict on the direction, as worded under these conditions."""
        return self._worded(self.finding.direction)

    @property
    def size(self) -> str:
        """The verdict on the size, as worded under these conditions."""
        return self._worded(self.finding.size)

    def _worded(self, answer: Answer) -> str:
        if not self.differences or answer not in ("supported", "contradicted"):
            return answer
        words = "consistent" if answer == "supported" else "not consistent"
        return f"{words}, under different conditions"

    def row(self) -> dict[str, Any]:
        """As a flat row of a table; differences of scores in points, as claims have them."""
        found, claim = self.finding.estimate, self.claim
        points = {
            name: None if found is None else 100 * getattr(found, name)
            for name in ("value", "low", "high")
        }
        return {
            "claim": claim.id,
            "text": claim.text,
            "source": claim.source,
            "status": claim.status,
            "model": self.model,
            "direction": self.direction,
            "size": self.size,
            "expected_points": claim.expected,
            **{f"{name}_points": number for name, number in points.items()},
            "covers": None if found is None else found.covers,
            "seeds": None if found is None else found.seeds,
            "detail": self.finding.detail,
            "differences": list(self.differences),
        }


def judge(claims: Iterable[Claim], gains: Gains, catalogue: Catalogue) -> list[Verdict]:
    """Every claim's verdict for every model of the study.

    Args:
        claims: which.
        gains: of the study, with ``same_data``: the paper's means leave no cell out.
        catalogue: the tasks.
    """
    return [
        _verdict(claim, gains, model, catalogue)
        for claim in claims
        for model in gains.outcomes.models
    ]


def _verdict(claim: Claim, gains: Gains, model: str, catalogue: Catalogue) -> Verdict:
    if isinstance(claim, data.NotTestable):
        return Verdict(claim, model, Finding("not testable", "own runs cannot tell"))
    if isinstance(claim, data.InCatalogue):
        return Verdict(claim, model, _catalogue(claim, catalogue))
    finding = _RULES[type(claim)](claim, gains, model)
    differences = (*_differences(claim, gains, model, finding), *_data(claim, gains, catalogue))
    return Verdict(claim, model, finding, differences)


def _data(claim: Claim, gains: Gains, catalogue: Catalogue) -> list[str]:
    """How the data differ from the datasets that the claim is about."""
    if not claim.data:
        return []
    outcomes = [one for one in gains.outcomes if one.target in gains.targets]
    if any(one.source == "microworld" for one in outcomes):
        return ["generated rows, not the datasets"]
    tasks = {task.name: task for task in catalogue}
    found: dict[str, None] = {}
    for one in outcomes:
        data = tasks[one.target].sources.get(claim.data) if one.target in tasks else None
        if data is None:
            found[f"{one.target}, which source {claim.data} does not have"] = None
        elif one.trained_on not in (None, data.train_on or one.target):
            usual = data.train_on or one.target
            found[f"{one.target} trained on {one.trained_on}, not {usual}"] = None
    return list(found)


def _differences(claim: Claim, gains: Gains, model: str, finding: Finding) -> tuple[str, ...]:
    found = []
    if claim.model and model.rpartition("/")[2] != claim.model:
        found.append(f"model {model}, not {claim.model}")
    found += finding.other
    splits = {one.split for one in gains.outcomes if one.target in gains.targets}
    if claim.split and (other := sorted(s for s in splits if not s.startswith(claim.split))):
        found.append(f"split {', '.join(other)}, not {claim.split}")
    if claim.suite:
        missing = [task for task in suites.suite(claim.suite) if task not in gains.targets]
        more = [task for task in gains.targets if task not in suites.suite(claim.suite)]
        found += [f"without {', '.join(missing)}"] * bool(missing)
        found += [f"with {', '.join(more)}"] * bool(more)
    caps = {"steps": gains.outcomes.max_steps, "rows": gains.outcomes.max_eval_rows}
    found += [f"at most {cap:,} {what}" for what, cap in caps.items() if cap]
    return tuple(found)


# --- numbers -----------------------------------------------------------------------------------


def _above(found: Estimate) -> Answer:
    """Supported: above 0; contradicted: below; by a two-sided test at 5 %."""
    if not may_test(found) or p_value(found) >= ALPHA:
        return "inconclusive"
    return "supported" if found.tested.value > 0 else "contradicted"


def _size(found: Estimate, expected: float | None) -> Answer:
    """Whether an interval that is not too wide to tell holds the published number."""
    if expected is None:
        return ""
    if not may_test(found):
        return "inconclusive"
    found = found.tested
    if not found.low <= expected * POINT <= found.high:
        return "contradicted"
    return "supported" if found.high - found.low <= abs(expected) * POINT else "inconclusive"


def _shown(found: Estimate) -> str:
    one, notes = found.tested, []
    if found.collapsed:
        seeds = ", ".join(map(str, found.collapsed))
        left = "left out of this" if found.learnt else "there is no seed without one"
        notes.append(f"runs that did not learn (seed {seeds}): {left}")
    if not may_test(found):
        notes.append(one.covers)
    low, high = 100 * one.low, 100 * one.high
    shown = f"{100 * one.value:+.1f} points, 95 % interval {low:+.1f} to {high:+.1f}"
    return f"{shown} ({'; '.join(notes)})" if notes else shown


def _untested(found: Iterable[Estimate]) -> str:
    """Why not all of them may be tested; "" where they may."""
    return ", ".join(dict.fromkeys(why for one in found if (why := untested(one))))


def _per_target(gains: Gains, model: str, befores: Iterable[str]) -> dict[str, Draws]:
    """Target -> its gain, mean over the intermediates that have it."""
    found: dict[str, list[Draws]] = {}
    for before in befores:
        for target, draws in gains.counted(model, before).items():
            found.setdefault(target, []).append(draws)
    return {target: mean(mine) for target, mine in found.items() if common_seeds(mine) != ()}


def _not_run(what: str) -> Finding:
    return Finding("not run", f"the study has no finished {what}")


# --- rules -------------------------------------------------------------------------------------


def _sizes(gains: Gains, wanted: str) -> list[str]:
    """An intermediate and its cuts to fewer rows, the most rows first."""
    cut = {
        parse(one).stages[0].items[0].rows or 0: one
        for one in gains.intermediates
        if one.startswith(f"{wanted}[") and " " not in one
    }
    return [wanted, *(cut[rows] for rows in sorted(cut, reverse=True))]


def _mean_gain(claim: data.MeanGain, gains: Gains, model: str) -> Finding:
    partial = _parts_of(claim.intermediate[0], gains)
    named = [one for wanted in claim.intermediate for one in _sizes(gains, wanted)]
    for name in dict.fromkeys((*named, *partial)):
        whole = gains.mean(model, name)
        if whole is not None:
            found = estimate(whole[0], gains.collapsed(model, whole[1], name, ""))
            falls = claim.expected is not None and claim.expected < 0
            direction = _above(found)
            if falls and direction != "inconclusive":
                direction = "supported" if direction == "contradicted" else "contradicted"
            other = (f"{name}, not {claim.intermediate[0]}",) * (name != claim.intermediate[0])
            other = other if name in named else (partial[name],)
            other += _lacking(gains, whole[1])
            return Finding(
                direction, f"{name}: {_shown(found)}", _size(found, claim.expected), found, other
            )
    return _not_run(f"{' or '.join(claim.intermediate)} beside its baseline")


def _lacking(gains: Gains, targets: Iterable[str]) -> tuple[str, ...]:
    """What of the study's targets is not in a mean, as where a study is half done."""
    left = [name for name in gains.targets if name not in set(targets)]
    return (f"without {', '.join(left)}",) if left else ()


def _parts_of(name: str, gains: Gains) -> dict[str, str]:
    """Intermediates that hold some tasks of a mixture, most first -> what they lack."""
    whole = suites.MIXTURES.get(name, ())
    found = {}
    for before in gains.intermediates:
        have = members(before)
        if len(have) > 1 and have < set(whole):
            lacking = [task for task in whole if task not in have]
            found[before] = f"{name} without {', '.join(lacking)}"
    return dict(sorted(found.items(), key=lambda one: len(one[1])))


def _best_per_target(claim: data.BestPerTarget, gains: Gains, model: str) -> Finding:
    found = best(gains, model, claim.protocol)
    if found is None:
        return _not_run(f"choice by {claim.protocol}")
    chosen = ", ".join(f"{target}: {before or 'none'}" for target, before in found.choice.items())
    optimistic = ("chosen on the split that is scored",) if not found.zero_shot else ()
    other = (*optimistic, *_lacking(gains, found.choice))
    detail = f"{_shown(found.estimate)} by {claim.protocol} ({chosen})"
    judged = found.held_out
    if judged is None:
        detail += "; chosen and judged on the same runs: four seeds are the fewest for a verdict"
        size: Answer = "inconclusive" if claim.expected is not None else ""
        return Finding("inconclusive", detail, size, found.estimate, other)
    detail += f"; chosen on half of the seeds and judged on the others {_shown(judged)}"
    return Finding(_above(judged), detail, _size(judged, claim.expected), judged, other)


def _largest(claim: data.Largest, gains: Gains, model: str) -> Finding:
    draws = _per_target(gains, model, gains.intermediates)
    named = [target for target in claim.targets if target in draws]
    others = [target for target in draws if target not in claim.targets]
    if not named or not others or common_seeds(list(draws.values())) == ():
        return _not_run(f"gain on {' and '.join(claim.targets)} and on other targets")
    # Runs that did not learn say nothing of what the others gain.
    collapsed = gains.collapsed(model, draws, "", *gains.intermediates)
    if common_seeds([one.without(collapsed) for one in draws.values()]) != ():
        draws = {target: one.without(collapsed) for target, one in draws.items()}
    drawn = joint([draws[target] for target in (*named, *others)], claim.id)
    first, rest = drawn[:, : len(named)], drawn[:, len(named) :]
    larger = first.min(axis=1) > rest.max(axis=1)
    # That two of many are not seen to be the largest is no evidence that they are not: some other
    # gain must be larger than a named one, beyond what so many pairs would show by chance.
    beaten = (rest[:, None, :] > first[:, :, None]).mean(axis=0).max()
    pairs = len(named) * len(others)
    share, value = float(larger.mean()), {t: 100 * d.values[:, 0].mean() for t, d in draws.items()}
    top = max(others, key=lambda target: value[target])
    means = ", ".join(f"{target} {round(value[target], 1) + 0.0:+.1f}" for target in (*named, top))
    answer: Answer = "inconclusive"
    if all(may_test(estimate(draws[target])) for target in (*named, top)):
        answer = "supported" if share >= claim.probability else answer
        if beaten >= 1 - (1 - claim.probability) / pairs:
            answer = "contradicted"
    return Finding(answer, f"{means}; so in {100 * share:.0f} % of joint draws")


def _consistent(claim: data.Consistent, gains: Gains, model: str) -> Finding:
    draws = {b: gains.difference(model, claim.target, b) for b in gains.intermediates}
    found = {
        before: estimate(one, gains.collapsed(model, [claim.target], before, ""))
        for before, one in draws.items()
        if one is not None
    }
    if len(found) < 2:
        return _not_run(f"gain of two intermediates on {claim.target}")
    if why := _untested(found.values()):
        return Finding("inconclusive", f"not tested: {why}")
    adjusted = holm({before: p_value(one) for before, one in found.items()})
    above = [b for b, one in found.items() if one.tested.value > 0 and adjusted[b] < ALPHA]
    below = [b for b, one in found.items() if one.tested.value < 0 and adjusted[b] < ALPHA]
    detail = f"above 0 for {len(above)} of {len(found)} intermediates, below for {len(below)}"
    if len(above) / len(found) >= claim.least_share:
        return Finding("supported", detail)
    possible = (len(found) - len(below)) / len(found)
    return Finding("contradicted" if possible < claim.least_share else "inconclusive", detail)


def _equivalent(claim: data.Equivalent, gains: Gains, model: str) -> Finding:
    draws = _per_target(gains, model, gains.intermediates).get(claim.target)
    if draws is None:
        return _not_run(f"gain on {claim.target}")
    collapsed = gains.collapsed(model, [claim.target], "", *gains.intermediates)
    found, margin = estimate(draws, collapsed), claim.margin * POINT
    answer: Answer = "inconclusive"
    guessed = gains.at_chance(model, [claim.target], "", *gains.intermediates)
    if may_test(found) and not guessed:
        value = found.tested.value
        if equivalence_p(found, margin) < ALPHA:
            answer = "supported"
        elif abs(value) > margin and p_value(found, float(np.copysign(margin, value))) < ALPHA:
            answer = "contradicted"
    note = "; scores at chance" if guessed else ""
    return Finding(answer, f"{_shown(found)}; margin {claim.margin:g}{note}", estimate=found)


def _variants(gains: Gains, model: str, kind: str) -> tuple[dict[str, Draws], tuple[int, ...]]:
    """Target -> variant minus plain, the mean over intermediates; and the collapsed seeds."""
    found: dict[str, list[Draws]] = {}
    collapsed: set[int] = set()
    for before in gains.intermediates:
        plain = gains.simpler(before).get(kind)
        counted = gains.counted(model, before, plain) if plain else {}
        for target, draws in counted.items():
            found.setdefault(target, []).append(draws)
        collapsed.update(gains.collapsed(model, counted, before, plain or ""))
    means = {target: mean(mine) for target, mine in found.items() if common_seeds(mine) != ()}
    return means, tuple(sorted(collapsed))


_PAIR = {
    "mlm": "pair of an intermediate with and without masked LM",
    "translated": "pair of an intermediate in English and translated",
}


def _variant_worse(claim: data.VariantWorse, gains: Gains, model: str) -> Finding:
    draws, collapsed = _variants(gains, model, claim.variant)
    if not draws or common_seeds(list(draws.values())) == ():
        return _not_run(_PAIR[claim.variant])
    found = estimate(mean(list(draws.values())), collapsed)
    turned: dict[Answer, Answer] = {"supported": "contradicted", "contradicted": "supported"}
    answer = _above(found)
    return Finding(turned.get(answer, answer), _shown(found), estimate=found)


def _variant_not_more(claim: data.VariantNotMoreTargets, gains: Gains, model: str) -> Finding:
    from scipy import stats

    draws, collapsed = _variants(gains, model, claim.variant)
    if not draws:
        return _not_run(_PAIR[claim.variant])
    found = [estimate(one, collapsed) for one in draws.values()]
    better, worse = (sum(sign * one.tested.value > 0 for one in found) for sign in (1, -1))
    # A sign test: targets on which both are alike take no side.
    more, fewer = (float(stats.binom.sf(n - 1, better + worse, 0.5)) for n in (better, worse))
    detail = (
        f"better on {better} of {len(found)} targets, worse on {worse} "
        f"(sign test, one-sided p = {min(more, fewer):.2f})"
    )
    if why := _untested(found):
        return Finding("inconclusive", f"{detail}; not tested: {why}")
    if more < ALPHA:
        return Finding("contradicted", detail)
    return Finding("supported" if fewer < ALPHA else "inconclusive", detail)


def _catalogue(claim: data.InCatalogue, catalogue: Catalogue) -> Finding:
    wrong, known = [], {task.name: task for task in catalogue}
    tasks = suites.suite(claim.suite) if claim.suite else ()
    if claim.suite_tasks is not None and len(tasks) != claim.suite_tasks:
        wrong.append(f"{claim.suite} has {len(tasks)} tasks")
    if claim.mixture:
        if claim.mixture not in suites.MIXTURES:
            raise UserError(f'claim "{claim.id}": no mixture is called "{claim.mixture}"')
        size = len(suites.MIXTURES[claim.mixture])
        if claim.mixture_tasks is not None and size != claim.mixture_tasks:
            wrong.append(f"{claim.mixture} has {size} tasks")
    for name in (name for name in tasks if name in known):
        trained = any(one.train or one.train_on for one in known[name].sources.values())
        if trained == (name in claim.never_trained):
            wrong.append(f"{name} is {'' if trained else 'not '}trained on")
    unknown = [name for name in (*tasks, *claim.never_trained) if name not in known]
    if unknown:
        return Finding("inconclusive", f"not in the catalogue: {', '.join(unknown)}")
    return Finding("contradicted", "; ".join(wrong)) if wrong else Finding("supported", "as said")


_RULES: dict[type, Any] = {
    data.MeanGain: _mean_gain,
    data.BestPerTarget: _best_per_target,
    data.Largest: _largest,
    data.Consistent: _consistent,
    data.Equivalent: _equivalent,
    data.VariantWorse: _variant_worse,
    data.VariantNotMoreTargets: _variant_not_more,
}

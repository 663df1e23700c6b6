"""The answer in two sentences, made from the numbers, and what to bear in mind when reading it.

A gain counts as found where its test says so: two-sided at 5 %, by Holm over all intermediates of
all models, whether the study declared that family or not. The second sentence describes, and tests
nothing. A study of model sizes says first how the gain changes with size, then if there is one.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from xstilts import languages
from xstilts.analysis.estimate import ALPHA, holm, may_test, p_value
from xstilts.analysis.ladder import millions
from xstilts.report.cells import shown
from xstilts.report.protocol import mixtures

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from xstilts.analysis.estimate import Estimate
    from xstilts.analysis.gains import Gain
    from xstilts.report.findings import Findings


def sentences(findings: Findings) -> tuple[str, str]:
    """The answer: of a ladder about size, else of the model whose best intermediate gains most."""
    means = {model: findings.means(model) for model in findings.models}
    with_gains = [model for model, mine in means.items() if mine]
    if not with_gains:
        return _without_means(findings)
    model = max(with_gains, key=lambda name: means[name][0].estimate.value)
    several = len(findings.models) > 1
    every = len(findings.gains.targets)
    every_gain = [gain for mine in means.values() for gain in mine if may_test(gain.estimate)]
    names = {f"{gain.model} {gain.intermediate}": p_value(gain.estimate) for gain in every_gain}
    adjusted = holm(names)
    best = _named(means[model], adjusted)
    first = _first(means[model], best, model if several else "", every, adjusted)
    if said := _of_size(findings):
        return said, first
    return first, _second(findings, best)


def _of_size(findings: Findings) -> str:
    """What the mean gain that changes most clearly does as models grow; "" without a ladder."""
    trends = [
        (ladder, trend)
        for ladder in findings.ladders
        for trend in ladder.trends
        if (trend.over, trend.scale) == ("mean", "points")
    ]
    if not trends:
        return ""
    ladder, top = max(trends, key=lambda pair: _clearness(pair[1].slope))
    first, last = (millions(ladder.sizes[end].parameters) for end in (0, -1))
    slope = f"{shown(100 * top.slope.value)} points a doubling {_interval(top.slope)}"
    verdicts = Counter(trend.verdict for _, trend in trends)
    of_all = ", ".join(f"{number} {verdict}" for verdict, number in verdicts.most_common())
    clearest = f", the clearest of {len(trends)} trends ({of_all})" if len(trends) > 1 else ""
    return (
        f"From {first} to {last} parameters the gain after {top.intermediate} changes by {slope}: "
        f"{top.verdict}{clearest}."
    )


def _clearness(found: Estimate) -> float:
    return abs(found.value) / max(found.high - found.low, 1e-12)


def _sure(gain: Gain, adjusted: Mapping[str, float], sign: int) -> bool:
    """Whether a gain is above 0 (sign 1), or below (-1), beyond chance."""
    p = adjusted.get(f"{gain.model} {gain.intermediate}", 1.0)
    return p < ALPHA and sign * gain.estimate.tested.value > 0


def _named(gains: Sequence[Gain], adjusted: Mapping[str, float]) -> Gain:
    """What the answer is about: the largest gain beyond chance, else the largest."""
    return next((gain for gain in gains if _sure(gain, adjusted, 1)), gains[0])


def _first(
    gains: Sequence[Gain], best: Gain, model: str, every: int, adjusted: Mapping[str, float]
) -> str:
    top, targets = gains[0], len(gains[0].targets)
    of_all = f" of {every}" if every > targets else ""
    over = f"the mean over {targets}{of_all} targets" if targets > 1 else f"{top.targets[0]}"
    start = f"For {model}, training" if model else "Training"
    tested = [g for g in gains if may_test(g.estimate)]
    up, down = ([g for g in tested if _sure(g, adjusted, sign)] for sign in (1, -1))
    number = _number(top)
    if not tested:
        why = "too many runs did not learn for a test"
        if not top.estimate.collapsed:
            why = (
                "all runs say the same, or all items are of one group, so that chance is not known"
            )
        if top.estimate.seeds < 2:
            why = (
                "with one seed that interval is about the test items alone, and another training "
                "run may differ"
            )
        changes = f"changes {over} by {number}; {why}."
        if len(gains) == 1:
            return f"{start} on {top.intermediate} first {changes}"
        on = f" for {model}" if model else ""
        if top.estimate.value > 0:
            return f"Of {len(gains)} intermediates {top.intermediate} does best{on}: it {changes}"
        return (
            f"None of {len(gains)} intermediates helps{on}: {top.intermediate}, the best, {changes}"
        )
    losing = f", and {_counted(len(down), 'loses', 'lose')}" if down else ""
    of = f"{len(up)} of {_counted(len(gains), 'intermediate', 'intermediates')}"
    if up:
        rest = f"; {of} gain beyond chance{losing}" if len(gains) > 1 else ""
        if best is not top:
            rest += f"; {top.intermediate} gives more, {number}, but that may be chance"
        return f"{start} on {best.intermediate} first lifts {over} by {_number(best)}{rest}."
    if len(gains) == 1 and down:
        return f"{start} on {top.intermediate} first lowers {over}: {number}."
    who = "The one intermediate does not lift"
    if len(gains) > 1:
        who = f"{f'For {model}, none' if model else 'None'} of {len(gains)} intermediates lifts"
    return f"{who} {over} beyond chance{losing}: {top.intermediate}, the best, gives {number}."


def _number(gain: Gain) -> str:
    return f"{shown(100 * gain.estimate.value)} points {_interval(gain.estimate)}"


def _second(findings: Findings, top: Gain) -> str:
    mine = [g for g in findings.all if (g.model, g.intermediate) == (top.model, top.intermediate)]
    parts = []
    for over in ("target", "language"):
        gains = [g for g in mine if g.over == over and g.versus == "baseline" and not g.flag]
        gains.sort(key=lambda gain: -gain.estimate.value)
        if len(gains) > 1:
            best, least = (f"{_name(g)} ({_half(g.estimate)})" for g in gains[:: len(gains) - 1])
            across = f"{over}s"
            parts.append(f"from {best} to {least} over {across}")
    control = next((g for g in mine if (g.over, g.versus) == ("mean", "same_steps")), None)
    if control is None:
        last = "no control with as many steps on the target's own data was run"
    else:
        number = f"{shown(100 * control.estimate.value)} {_interval(control.estimate)}"
        last = f"against as many steps on the target's own data it is {number}"
    untested = ", extremes that no test is made of"
    if any(g.p is not None for g in mine if g.over == "target"):
        untested = ""
    said = f"The gain runs {' and '.join(parts)}{untested}; {last}." if parts else f"{last}."
    return said[0].upper() + said[1:]


def _without_means(findings: Findings) -> tuple[str, str]:
    """Where no gain counts in a mean: the largest there is and why, else a score."""
    models = findings.models
    gains = [g for g in findings.all if g.over == "target" and g.model in models]
    if gains:
        top = max(gains, key=lambda gain: (not gain.flag, gain.estimate.value))
        where = f" ({top.model})" if len(findings.models) > 1 else ""
        return (
            f"{top.intermediate} before {top.name}{where}: {_number(top)}; {_why(findings, top)}.",
            "Another intermediate task, or another target, tells more." if top.flag else "",
        )
    one = findings.outcomes.all[0]
    others = [code for code in one.languages if code != "en"]
    score = 100 * float(one.over(others or one.languages).values[:, 0].mean())
    first = (
        f"{one.model} scores {score:.1f} on {one.target}, the mean over "
        f"{_counted(len(others or one.languages), 'language', 'languages')}"
        f"{' other than English' if 'en' in one.languages and others else ''}."
    )
    return (
        first,
        "No intermediate task was run beside its baseline, so that there is no gain to tell of.",
    )


def _why(findings: Findings, gain: Gain) -> str:
    """Why a gain counts in no mean."""
    more = "so this is more of the same data"
    if gain.flag == "same data":
        return f"{gain.name} is trained on rows of {gain.intermediate} itself, {more}"
    if gain.flag == "repeat":
        return f"the baseline of {gain.name} has {gain.intermediate} already, {more}"
    if findings.gains.counted(gain.model, gain.intermediate):
        return "there is no mean, as no seed has every target"
    return f"it is in no mean, as another intermediate task holds rows of {gain.name}"


def _name(gain: Gain) -> str:
    return languages.get(gain.name).name if gain.over == "language" else gain.name


def _half(found: Estimate) -> str:
    return f"{shown(100 * found.value)} ±{100 * (found.high - found.low) / 2:.1f}"


def _interval(found: Estimate) -> str:
    return f"[{shown(100 * found.low)}, {shown(100 * found.high)}]"


def _counted(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


def cautions(findings: Findings) -> Iterator[str]:
    """What limits what may be concluded, in the order of how much it does."""
    outcomes = findings.outcomes
    if any(row["source"] == "microworld" for row in findings.rows):
        yield (
            "The data are the microworld: generated sentences, which say nothing of how hard the "
            "real tasks or languages are."
        )
    caps = {
        "optimiser steps a stage": outcomes.max_steps,
        "rows a language": outcomes.max_eval_rows,
    }
    capped = [f"{cap:,} {what}" for what, cap in caps.items() if cap]
    if capped:
        yield f"A quick look: at most {' and '.join(capped)}."
    if mixed := list(mixtures(findings.rows)):
        yield f"Means are over different protocols: {'. '.join(mixed)}."
    if any(g.estimate.seeds == 1 for g in findings.all):
        yield "One seed: intervals are about the test items and do not cover another training run."
    if outcomes.unfinished:
        yield f"Unfinished: {outcomes.unfinished:,} scores are still to come."
    if outcomes.absent:
        number = _counted(len(outcomes.absent), "path was", "paths were")
        yield f"{number} not run; the reasons stand under Protocol."
    if any(g.estimate.collapsed for g in findings.all):
        yield "Some runs did not learn: they are in the numbers, marked !, and out of the tests."

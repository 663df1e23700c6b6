"""``xstilts gains``, ``scaling`` and ``claims``: what a study's finished scores say."""

from __future__ import annotations

from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from xstilts.cli import asked, output
from xstilts.cli.options import (
    STORE,
    Json,
    Paths,
    StoreFolder,
    TaskFiles,
    about_a_study,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    from xstilts.analysis.estimate import Estimate
    from xstilts.analysis.gains import Gain, Gains
    from xstilts.analysis.scaling import Curve
    from xstilts.analysis.verdicts import Verdict

_NOTHING = "nothing pairs up yet: a path and its baseline, with a seed and a language in common"


class Kind(StrEnum):
    """What gains may be split by."""

    target = "target"
    language = "language"
    family = "family"
    script = "script"


Over = Annotated[list[Kind], typer.Option("--over", help="What to split the gains by. Repeatable.")]
SameData = Annotated[
    bool,
    typer.Option("--same-data", help="Count cells that train twice on the same data in means."),
]
ClaimsFile = Annotated[
    Path | None,
    typer.Option("--claims", metavar="FILE", help="Your own claims, in YAML, beside ours."),
]


@about_a_study
def gains(
    context: typer.Context,
    paths: Paths = None,
    over: Over = [Kind.target],  # noqa: B006 (typer's way)
    same_data: SameData = False,
    task: TaskFiles = None,
    store: StoreFolder = STORE,
    json_: Json = False,
) -> int:
    """Print what every intermediate task gains over the baseline and over controls."""
    from xstilts.analysis.best import PROTOCOLS, best
    from xstilts.analysis.gains import Gains

    outcomes = asked.outcomes(context, paths, asked.catalogue(task), store)
    found = Gains(outcomes, same_data=same_data)
    every = found.all()
    chosen = [
        one
        for model_ in outcomes.models
        for protocol in PROTOCOLS
        if (one := best(found, model_, protocol)) is not None
    ]
    if json_:
        output.put(
            {
                "gains": [gain.row() for gain in every],
                "best_per_target": [asdict(one) for one in chosen],
                **output.state(outcomes),
            }
        )
        return 0
    from xstilts.report.cells import detectable
    from xstilts.report.screen import indented, show

    if not every:
        show(*(output.unpaired(found) or [_NOTHING]), *output.left(outcomes))
        return 0
    for model_ in outcomes.models:
        mine = [gain for gain in every if gain.model == model_]
        if means := _means(mine):
            show(f"{model_}: mean gains in points", means, "")
        for kind in over:
            if cells := _cells(found, mine, kind):
                show(f"gains by {kind}, in points", cells, "")
        if gaps := _gaps(found, model_):
            show("gap to English: English minus the mean of the others, in points", gaps, "")
    for one in chosen:
        note = "" if one.zero_shot else "; not strictly zero-shot: chosen on the split it scores"
        show(f"best per target by {one.protocol}: {_interval(one.estimate)}{note}")
        choice = (f"{target}: {before or 'none'}" for target, before in one.choice.items())
        show(indented(", ".join(choice)))
    show(*_equivalence(every), *_notes(every), *detectable(every))
    show(*output.unpaired(found), *output.left(outcomes))
    return 0


@about_a_study
def scaling(
    context: typer.Context,
    paths: Paths = None,
    same_data: SameData = False,
    task: TaskFiles = None,
    store: StoreFolder = STORE,
    json_: Json = False,
) -> int:
    """Print how outcomes change with the rows of the intermediate task (mnli[1k], mnli[10k]).

    An arm is for a fixed number of epochs, mnli[1k], or of steps, mnli[1k as 10k].
    """
    from xstilts.analysis.exchange import exchanges
    from xstilts.analysis.gains import Gains
    from xstilts.analysis.outcomes import load
    from xstilts.analysis.robustness import Robustness
    from xstilts.analysis.scaling import curves
    from xstilts.store import Store

    catalogue, kept = asked.catalogue(task), Store(store)
    plan = asked.plan(context, paths or [], catalogue)
    outcomes = load(plan, kept, catalogue, perturbed=True)
    noisy = Robustness(outcomes, plan, kept, catalogue) if outcomes.perturbed else None
    paired = Gains(outcomes, same_data=same_data)
    found = curves(paired, noisy.drops() if noisy else {})
    exchanged = exchanges(paired)
    if json_:
        output.put(
            {
                "curves": [asdict(curve) for curve in found],
                "exchanges": [asdict(one) for one in exchanged],
                **output.state(outcomes),
            }
        )
        return 0
    from xstilts.report.screen import show

    for curve in found:
        show(f"{curve.task}, {curve.outcome} ({curve.model}, {curve.arm})", _curve(curve), "")
    if not found:
        show("no task has two sizes that are finished: a size is written mnli[10k] > xnli")
    estimates = [point for curve in found for point in curve.points.values()]
    estimates += [one.at_equal_rows for one in exchanged if one.at_equal_rows is not None]
    show(*map(str, exchanged))
    show(
        *["! holds runs that did not learn: curves are fitted without them"]
        * any(one.collapsed for one in estimates)
    )
    show(*output.left(outcomes))
    return 0


@about_a_study
def claims(
    context: typer.Context,
    paths: Paths = None,
    claims_file: ClaimsFile = None,
    task: TaskFiles = None,
    store: StoreFolder = STORE,
    json_: Json = False,
) -> int:
    """Print published claims and what this study says of them."""
    from xstilts.analysis import claims as data
    from xstilts.analysis import verdicts
    from xstilts.analysis.gains import Gains

    mine = data.load(claims_file) if claims_file else ()
    catalogue = asked.catalogue(task)
    outcomes = asked.outcomes(context, paths, catalogue, store)
    known = [*data.built_in(), *mine]
    found = verdicts.judge(known, Gains(outcomes, same_data=True), catalogue)
    if json_:
        output.put({"claims": [verdict.row() for verdict in found], **output.state(outcomes)})
        return 0
    from xstilts.report.screen import show

    several = len(outcomes.models) > 1
    show(f"claims of {data.PAPER}{', and your own' if mine else ''}", "")
    for verdict in found:
        show(*_block(verdict, verdict.model if several else ""), "")
    for difference in dict.fromkeys(d for verdict in found for d in verdict.differences):
        show(f"different conditions: {difference}")
    show(*output.left(outcomes))
    return 0


def _points(found: Estimate) -> str:
    return f"{100 * found.value:+.1f}{'!' if found.collapsed else ''}"


def _interval(found: Estimate) -> str:
    return f"{_points(found)} [{100 * found.low:+.1f}, {100 * found.high:+.1f}]"


def _means(gains: Sequence[Gain]) -> Table | None:
    """One row an intermediate and what it is compared with; None where there is no mean."""
    from xstilts.report.cells import p_text
    from xstilts.report.screen import grid

    means = [gain for gain in gains if gain.over.startswith("mean")]
    by = {(g.intermediate, g.versus, g.over): g for g in means}
    others = [over for over in ("mean without retrieval", "mean with same data") if _any(over, by)]
    names = (f">{over.removeprefix('mean ')}" for over in others)
    table = grid("intermediate", "versus", ">mean", ">targets", ">p", ">seeds", *names)
    for before, versus in dict.fromkeys((g.intermediate, g.versus) for g in means):
        mine = [by.get((before, versus, over)) for over in ("mean", *others)]
        gain = next(one for one in mine if one is not None)
        mean, *rest = ("" if one is None else _interval(one.estimate) for one in mine)
        table.add_row(
            before,
            versus,
            mean,
            f"{len(gain.targets)}" if gain.over == "mean" else "0",
            p_text(gain.p),
            f"{gain.estimate.seeds or ''}",
            *rest,
        )
    return table if means else None


def _any(over: str, by: Mapping[tuple[str, str, str], Gain]) -> bool:
    """Whether a kind of mean says anything that the plain one does not."""
    return any(
        one.over == over and (plain is None or plain.targets != one.targets)
        for (before, versus, _), one in by.items()
        for plain in [by.get((before, versus, "mean"))]
    )


def _equivalence(gains: Sequence[Gain]) -> list[str]:
    """What is as good as nothing, where the study declared how much that is."""
    from xstilts.analysis.estimate import ALPHA
    from xstilts.report.cells import p_text

    return [
        f"{one.intermediate} on {one.name or 'the mean'}: within {one.margin:g} points of the "
        f"baseline: {'yes' if one.equivalence_p < ALPHA else 'not shown'} "
        f"(two one-sided tests, by Holm, p = {p_text(one.equivalence_p)})"
        for one in gains
        if one.equivalence_p is not None
    ]


def _cells(found: Gains, gains: Sequence[Gain], over: str) -> Table | None:
    """Intermediates in rows; targets, languages, families or scripts in columns."""
    from xstilts.report.screen import grid

    mine = {(g.intermediate, g.name): g for g in gains if g.over == over}
    names = list(dict.fromkeys(name for _, name in mine))
    table = grid("intermediate", *(f">{name}" for name in names))
    for before in found.intermediates:
        cells = [mine.get((before, name)) for name in names]
        table.add_row(before, *("" if one is None else _cell(one) for one in cells))
    return table if names else None


def _gaps(found: Gains, model: str) -> Table | None:
    """The baseline and intermediates in rows, targets that have English in columns."""
    from xstilts.report.screen import grid

    befores = ("", *found.intermediates)
    gaps = {(b, t): found.gap(model, t, b) for b in befores for t in found.targets}
    targets = [t for t in found.targets if any(gaps[b, t] for b in befores)]
    table = grid("intermediate", *(f">{target}" for target in targets))
    for before in befores:
        cells = [gaps[before, target] for target in targets]
        table.add_row(before or "none", *("" if one is None else _half(one) for one in cells))
    return table if targets else None


def _cell(gain: Gain) -> str:
    mark = {"repeat": " (r)", "same data": " (s)"}.get(gain.flag, "")
    return f"{_half(gain.estimate)}{mark}"


def _half(found: Estimate) -> str:
    return f"{_points(found)} ±{100 * (found.high - found.low) / 2:.1f}"


def _notes(gains: Sequence[Gain]) -> list[str]:
    covers = dict.fromkeys(gain.estimate.covers for gain in gains)
    lines = [f"[low, high]: 95 % interval; ±: half of one; they cover {' or '.join(covers)}"]
    if any(gain.flag for gain in gains):
        lines.append(
            "(s): the intermediate task holds rows that the target is trained on; "
            "(r): it repeats what the target's baseline has"
        )
    if any(gain.estimate.collapsed for gain in gains):
        lines.append("! holds runs that did not learn: tests are made without their seeds")
    if any(gain.p is not None for gain in gains):
        lines.append("p: adjusted by Holm within the family of tests that the study declares")
    return lines


def _curve(curve: Curve) -> Table:
    from xstilts.report.screen import grid

    form = "" if curve.fit is None else curve.fit.form
    table = grid(">rows", ">points", ">interval", f">{form or 'fit'}")
    for rows, found in curve.points.items():
        fitted = "" if curve.fit is None else f"{100 * curve.fit.at(rows):.1f}"
        interval = f"{100 * found.low:.1f} to {100 * found.high:.1f}"
        value = f"{100 * found.value:.1f}{'!' if found.collapsed else ''}"
        table.add_row(f"{rows:,}", value, interval, fitted)
    return table


def _block(verdict: Verdict, model: str) -> Iterator[Text | Padding]:
    """A claim in a few lines, the first of which is what this study says of it."""
    from rich.text import Text

    from xstilts.analysis.claims import PAPER
    from xstilts.report.screen import indented

    claim = verdict.claim
    name = f"{claim.id} ({model})" if model else claim.id
    size = f"; its size: {verdict.size}" if verdict.size else ""
    yield Text(f"{name}: {verdict.direction}{size}")
    yield indented(claim.text)
    if claim.expected is not None:
        yield indented(f"claimed: {claim.expected:+.1f} points")
    yield indented(f"found: {verdict.finding.detail}")
    source = "" if PAPER in claim.source else f"; source: {claim.source}"
    yield indented(f"status: {claim.status}{source}")

"""What noise and attacks cost, with and without an intermediate task."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from xstilts import languages
from xstilts.analysis.robustness import worst
from xstilts.path import parse_noise
from xstilts.report.blocks import Cell, Chart, Section, Sheet, Text
from xstilts.report.cells import gain_cell, p_text
from xstilts.report.charts import BASELINE, by_condition, inline, panels

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xstilts.analysis.attacked import Attacked
    from xstilts.analysis.estimate import Estimate
    from xstilts.analysis.robustness import Interaction
    from xstilts.report.blocks import Block
    from xstilts.report.findings import Findings

LEAD = (
    "What noise costs: the clean score minus the noisy one, of the same run on the same items. The "
    "interaction is the drop after an intermediate task minus the baseline's: above 0, the task "
    "makes the model more fragile."
)
MOST_PANELS = 16
HEADER = (
    *("sub-words changed", "drop of the baseline", "drop after it"),
    *("interaction", "logit", "both right"),
)


def section(findings: Findings) -> Section:
    """Curves over severity; the answer, perturbations, scripts, the worst languages; attacks."""
    lines = findings.interactions
    blocks: list[Block] = []
    for number, (model, mine) in enumerate(_by_model(lines).items()):
        if curves := _curves(mine):
            title = findings.titled("Points lost over severity, by perturbation and script", model)
            title += "; (?): labels possibly change" * any("(?)" in one for one in curves)
            blocks.append(Chart(f"severity-{number}", partial(_draw, curves), title))
    blocks += sheets(lines, findings.attacked)
    blocks += [Text(f"not run: {what}: {why}") for what, why in _refused(findings)]
    shown = tuple(blocks) if lines or findings.attacked else ()
    return Section("robustness", "Robustness", "Robustness", LEAD, shown)


def _by_model(lines: Sequence[Interaction]) -> dict[str, list[Interaction]]:
    found: dict[str, list[Interaction]] = defaultdict(list)
    for line in lines:
        found[line.model].append(line)
    return found


def _refused(findings: Findings) -> Sequence[tuple[str, str]]:
    return tuple(findings.plan.refused.items()) if findings.plan else ()


def sheets(lines: Sequence[Interaction], fallen: Sequence[Attacked]) -> list[Sheet]:
    """Every model's answer, then what it is made of, then attacks: those with something in them."""
    found = []
    by_model = _by_model(lines)
    for model, mine in by_model.items():
        of = f" ({model})" if len(by_model) > 1 else ""
        over: dict[str, list[Interaction]] = defaultdict(list)
        for line in mine:
            over[line.over].append(line)
        found += [
            _sheet("robustness", f"What noise costs, in points{of}", over["mean"] + over["target"]),
            _sheet("perturbations", f"By perturbation{of}", over["perturbation"]),
            _sheet("scripts", f"By script: severities compare within one{of}", over["script"]),
            _sheet("worst", f"Where noise costs most{of}", worst(over["language"])),
        ]
    return [one for one in (*found, _attacks(fallen)) if one.rows]


def _sheet(name: str, title: str, lines: Sequence[Interaction]) -> Sheet:
    """Only means are tested: elsewhere there is no p."""
    rows, tested = [], any(line.p is not None for line in lines)
    for line in lines:
        what = languages.get(line.name).name if line.over == "language" else line.name or "mean"
        rows.append(
            (
                *(Cell(line.intermediate), Cell(what), Cell(line.perturbation + _doubt(line))),
                _plain(line.changed_subwords, " %"),
                _drop(line.baseline),
                _drop(line.own),
                _cost(line.points),
                _logit(line.logit),
                _cost(line.both_right),
                *[Cell(p_text(line.p), value=line.p)] * tested,
                Cell(line.verdict),
            )
        )
    header = ("intermediate", "over", "perturbation", *HEADER, *["p"] * tested, "in words")
    words = (0, 1, 2, len(header) - 1)
    return Sheet(name, title, header, tuple(rows), _notes(lines, tested), words, style="matrix")


def _notes(lines: Sequence[Interaction], tested: bool) -> tuple[str, ...]:
    covers = dict.fromkeys(line.points.covers for line in lines if line.points is not None)
    found = [f"± is half of a 95 % interval, which covers {' or '.join(covers)}"] * bool(covers)
    found += ["p: of the means alone, by Holm over the intermediates"] * tested
    found += [
        "logit: the interaction on the logit scale; both right: on items that both get right clean"
    ]
    if any(line.verdict == "no headroom" for line in lines):
        found.append("no headroom: a clean score is within chance; such cells are in no mean")
    if any(_doubt(line) for line in lines):
        found.append("(?): labels possibly change; in no mean")
    return tuple(found)


def _plain(share: float | None, unit: str = "") -> Cell:
    return Cell("") if share is None else Cell(f"{100 * share:.1f}{unit}", value=100 * share)


def _drop(found: Estimate | None) -> Cell:
    return _plain(None if found is None else found.value)


def _cost(found: Estimate | None) -> Cell:
    """A difference of drops: what is more is a loss."""
    if found is None:
        return Cell("")
    cell = gain_cell(found)
    return replace(cell, shade=-cell.shade)


def _logit(found: Estimate | None) -> Cell:
    if found is None:
        return Cell("")
    sure = not found.low <= 0 <= found.high
    text = f"{found.value:+.2f} ±{(found.high - found.low) / 2:.2f}"
    return Cell(text, value=found.value, sure=sure)


def _doubt(line: Interaction) -> str:
    """The mark of noise that may change labels."""
    return "" if line.labels == "preserving" else " (?)"


def _curves(lines: Sequence[Interaction]) -> dict[str, list[dict[str, Any]]]:
    """Panel -> points lost at every severity; those panels with most cells.

    The baseline stands beside every intermediate, on the cells where both have headroom; it is
    drawn once, where those are most.
    """
    found: dict[str, dict[tuple[str, float], tuple[int, dict[str, Any]]]] = defaultdict(dict)
    cells: dict[str, int] = defaultdict(int)
    for line in lines:
        if line.over != "script" or line.baseline is None or line.own is None:
            continue
        noise = parse_noise(line.perturbation)
        panel = f"{noise.name}, {line.name}{_doubt(line)}"
        cells[panel] += line.cells
        sides = ((BASELINE, line.baseline), (line.intermediate, line.own))
        changed = f"{100 * line.changed_subwords:.0f} % of sub-words changed"
        for after, drop in sides:
            for severity, cost in ((0.0, 0.0), (noise.severity, 100 * drop.value)):
                about = f"{cost:.1f} at {severity:g}" + f", {changed}" * bool(severity)
                point = {"after": after, "severity": severity, "lost": cost, "about": about}
                if line.cells > found[panel].get((after, severity), (-1, {}))[0]:
                    found[panel][after, severity] = line.cells, point
    kept = sorted(found, key=lambda panel: -cells[panel])[:MOST_PANELS]
    return {
        panel: [point for _, point in points.values()]
        for panel, points in found.items()
        if panel in kept
    }


def _draw(curves: dict[str, list[dict[str, Any]]], alt: Any) -> Any:
    x = alt.X("severity:Q", title=None, axis=alt.Axis(tickCount=4, format="~g"))
    # One scale for all: a panel where nothing is lost should look like one.
    lost = [point["lost"] for points in curves.values() for point in points]
    scale = alt.Scale(domain=[min(0.0, *lost), max(1.0, *lost)])
    y = alt.Y("lost:Q", title=None, scale=scale, axis=alt.Axis(tickCount=5))
    names = list(dict.fromkeys(point["after"] for points in curves.values() for point in points))
    made = [
        alt.Chart(inline(alt, points))
        .mark_line(point=alt.OverlayMarkDef(size=34), strokeWidth=1.8)
        .encode(
            x=x,
            y=y,
            order="severity:Q",
            tooltip=["after:N", alt.Tooltip("about:N", title="points lost")],
            **by_condition(alt, names),
        )
        .properties(title=panel, width=190, height=150)
        for panel, points in curves.items()
    ]
    return panels(alt, made, columns=4)


def _attacks(found: Sequence[Attacked]) -> Sheet:
    rows = tuple(
        (
            *map(Cell, (one.intermediate, one.target, one.search)),
            Cell(f"{one.items:.0f}", value=one.items),
            Cell(f"{one.queries:.0f}", value=one.queries),
            *(_plain(one.baseline.value), _plain(one.own.value), _cost(one.interaction)),
            *(_plain(one.from_baseline.value), _plain(one.from_own.value)),
        )
        for one in found
    )
    header = (
        *("intermediate", "target", "attack", "items", "queries", "fall on the baseline"),
        *("fall after it", "difference", "found on the baseline", "found after it"),
    )
    below = (
        "of the items that both get right, % that fall within one budget; a mean over languages",
        "found on the baseline: those cases put to the other; found after it: the other way round",
    )
    title = "Attacks: a few slips of a finger, searched for"
    return Sheet("attacks", title, header, rows, below, (0, 1, 2), style="matrix")

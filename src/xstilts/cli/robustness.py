"""``xstilts robustness``: does noise cost more, or less, after an intermediate task?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer  # noqa: TC002 (typer reads annotations at run time)

from xstilts.cli import asked, output
from xstilts.cli.options import STORE, Json, Paths, StoreFolder, TaskFiles, about_a_study
from xstilts.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

    from xstilts.analysis.attacked import Attacked
    from xstilts.analysis.estimate import Estimate
    from xstilts.analysis.robustness import Interaction


@about_a_study
def robustness(
    context: typer.Context,
    paths: Paths = None,
    task: TaskFiles = None,
    store: StoreFolder = STORE,
    json_: Json = False,
) -> int:
    """Print what noise and attacks cost with and without an intermediate task."""
    from xstilts.analysis import outcomes
    from xstilts.analysis.attacked import attacked
    from xstilts.analysis.gains import Gains
    from xstilts.analysis.rates import counted
    from xstilts.analysis.robustness import Robustness
    from xstilts.report.screen import show
    from xstilts.store import Store

    catalogue, kept = asked.catalogue(task), Store(store)
    plan = asked.plan(context, paths or [], catalogue)
    if not plan.perturbed and not plan.attacks:
        raise UserError(
            'the study has neither "perturbations" nor "attacks": add some, as in '
            '"perturbations: [keyboard@0.1]"; "xstilts studies" lists ready-made ones'
        )
    found = counted(outcomes.load(plan, kept, catalogue, perturbed=True))
    lines = Robustness(found, plan, kept, catalogue).all()
    fallen = attacked(plan, kept, catalogue)
    if json_:
        document = {
            "interactions": [line.row() for line in lines],
            "attacks": [one.row() for one in fallen],
            "refused": plan.refused,
            **output.state(found),
        }
        output.put(document)
        return 0
    for model in found.models:
        mine = [line for line in lines if line.model == model]
        several = len(found.models) > 1
        show(*_shown(mine, f" ({model})" if several else ""))
    if fallen:
        show("attacks: of the items that both get right, % that fall", _attacks(fallen), "")
    if plan.attacks and not fallen:
        show("attacks: no language has ten items that a baseline and another both get right", "")
    if not lines and not fallen:
        nothing = "nothing pairs up yet: a baseline, an intermediate and their perturbed rows"
        show(*(output.unpaired(Gains(found)) or [nothing]))
    show(*_notes(lines, fallen))
    left = found.unfinished
    show(*(f"not run: {what}: {why}" for what, why in {**found.absent, **plan.refused}.items()))
    show(*[f"unfinished: {left} scores are still to come"] * bool(left))
    return 0


def _shown(lines: Sequence[Interaction], model: str) -> list[object]:
    """The tables of one model, each with its title."""
    from xstilts.analysis.robustness import worst

    parts: list[object] = []
    titles = {
        "mean": f"what noise costs, in points{model}",
        "perturbation": f"by perturbation{model}",
        "script": f"by script: severities compare within one perturbation and one script{model}",
        "language": f"worst languages{model}",
    }
    for over, title in titles.items():
        mine = [line for line in lines if line.over in (over, "target" if over == "mean" else over)]
        if over == "language":
            mine = worst(mine)
        if mine:
            parts += [title, _table(mine), ""]
    return parts


def _table(lines: Sequence[Interaction]) -> Table:
    from xstilts.report.cells import p_text
    from xstilts.report.screen import grid

    table = grid(
        *("intermediate", "", "perturbation", ">sub-words changed", ">drop of the baseline"),
        *(">drop after it", ">interaction", ">logit", ">both right", ">p", "verdict"),
    )
    for line in lines:
        sure = "" if line.labels == "preserving" else " (?)"
        table.add_row(
            *(line.intermediate, line.name or "mean", line.perturbation + sure),
            f"{100 * line.changed_subwords:.1f} %",
            *(_value(line.baseline), _value(line.own), output.interval(line.points)),
            *(output.interval(line.logit, 1, 2), output.interval(line.both_right)),
            *(p_text(line.p), line.verdict),
        )
    return table


def _attacks(found: Sequence[Attacked]) -> Table:
    from xstilts.report.screen import grid

    table = grid(
        *("intermediate", "target", "attack", ">items", ">queries", ">on the baseline"),
        *(">after it", ">interaction", ">found on the baseline", ">found after it"),
    )
    for one in found:
        table.add_row(
            *(one.intermediate, one.target, one.search, f"{one.items:.0f}", f"{one.queries:.0f}"),
            *(_value(one.baseline), _value(one.own), output.interval(one.interaction)),
            *(_value(one.from_baseline), _value(one.from_own)),
        )
    return table


def _value(found: Estimate | None) -> str:
    return "" if found is None else f"{100 * found.value:.1f}"


def _notes(lines: Sequence[Interaction], fallen: Sequence[Attacked]) -> list[str]:
    estimates = [line.points for line in lines if line.points is not None]
    covers = dict.fromkeys(one.covers for one in estimates)
    notes = []
    if lines:
        notes.append(
            "interaction: the drop after the intermediate task minus the baseline's; above 0 it is "
            "more fragile; logit: the same on the logit scale; both right: on items that both get "
            "right clean"
        )
        notes.append(f"[low, high]: 95 % intervals; they cover {' or '.join(covers) or 'nothing'}")
        notes.append(
            "p: of the means alone, by Holm over the intermediates; all else is exploratory"
        )
        notes.append("no headroom: a clean score is within chance; such cells are in no mean")
    if any(line.labels != "preserving" for line in lines):
        notes.append("(?) labels possibly change: in no mean")
    if fallen:
        notes.append(
            "found on the baseline: those cases put to the other; found after it: the other way"
        )
    return notes

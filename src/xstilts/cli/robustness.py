"""``xstilts robustness``: does noise cost more, or less, after an intermediate task?"""

from __future__ import annotations

import typer  # noqa: TC002 (typer reads annotations at run time)

from xstilts.cli import asked, output
from xstilts.cli.options import STORE, Json, Paths, StoreFolder, TaskFiles, about_a_study
from xstilts.errors import UserError


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
    from xstilts.analysis.robustness import Robustness
    from xstilts.report.screen import show, show_sheets
    from xstilts.report.sections.robustness import LEAD, sheets
    from xstilts.store import Store

    catalogue, kept = asked.catalogue(task), Store(store)
    plan = asked.plan(context, paths or [], catalogue)
    if not plan.perturbed and not plan.attacks:
        raise UserError(
            'the study has neither "perturbations" nor "attacks": add some, as in '
            '"perturbations: [keyboard@0.1]"; "xstilts studies" lists ready-made ones'
        )
    found = outcomes.load(plan, kept, catalogue, perturbed=True)
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
    show(*[LEAD, ""] * bool(lines))
    show_sheets(sheets(lines, fallen))
    if plan.attacks and not fallen:
        show("attacks: no language has ten items that a baseline and another both get right", "")
    if not lines and not fallen:
        nothing = "nothing pairs up yet: a baseline, an intermediate and their perturbed rows"
        show(*(output.unpaired(Gains(found)) or [nothing]))
    left = found.unfinished
    show(*(f"not run: {what}: {why}" for what, why in {**found.absent, **plan.refused}.items()))
    show(*[f"unfinished: {left} scores are still to come"] * bool(left))
    return 0

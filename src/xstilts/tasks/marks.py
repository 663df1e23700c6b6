"""Cells that are no test of an intermediate task: marked, shown, and kept out of means.

In ``mnli > xnli`` the intermediate rows are those that the target is trained on anyway; in
``squad_v1 > tatoeba`` of XTREME-R, whose baseline is ``squad_v1 | tatoeba``, the intermediate task
is in the baseline already.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

from xstilts.resolve import resolve

if TYPE_CHECKING:
    from xstilts.path import Path
    from xstilts.resolve import Resolved
    from xstilts.tasks import Catalogue
    from xstilts.tasks.base import Source

Mark: TypeAlias = Literal["", "repeat", "same data"]


def mark(path: Path, baseline: Path, source: Source, catalogue: Catalogue) -> Mark:
    """What to call a cell beside its baseline.

    Args:
        path: with the intermediate stages, such as ``mnli > xnli``.
        baseline: without them, such as ``xnli`` or ``squad_v1 | tatoeba``.
        source: where the data comes from, which decides what targets are trained on.
        catalogue: the tasks.

    Returns:
        ``same data`` if an intermediate task has rows that the target is trained on, whatever their
        labels or language; ``repeat`` if one is in the baseline already; else "".

    Raises:
        UserError: if a path means nothing in that source.
    """
    tried, plain = resolve(path, source, catalogue), resolve(baseline, source, catalogue)
    intermediate = _intermediate(tried)
    of_target = {one.head for one in plain.evaluations if one.head}
    if any(_share_rows(one, other, catalogue) for one in intermediate for other in of_target):
        return "same data"
    return "repeat" if intermediate & (_intermediate(plain) - of_target) else ""


def _intermediate(resolved: Resolved) -> set[str]:
    """The tasks of the stages before the target's own; not the target's own rows of a control."""
    return {
        one.item.task
        for stage in resolved.stages
        if not stage.target
        for one in stage.items
        if one.steps_of is None
    }


def _share_rows(one: str, other: str, catalogue: Catalogue) -> bool:
    return (
        one == other or other in catalogue.get(one).contains or one in catalogue.get(other).contains
    )

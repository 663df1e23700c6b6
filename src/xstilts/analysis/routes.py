"""What of a path is intermediate, what it is compared with, and whether the comparison is fair."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from xstilts.path import Control, Mixture, parse
from xstilts.suites import MIXTURES
from xstilts.tasks import held

if TYPE_CHECKING:
    from collections.abc import Mapping

    from xstilts.analysis.outcomes import Outcome
    from xstilts.path import Item
    from xstilts.plan import Cell

Flag = Literal["", "repeat", "same data"]
CONTROLS: tuple[Control, ...] = ("same_steps", "shuffled", "text")  # of an intermediate task


@dataclass(frozen=True)
class Route:
    """A path cut in two.

    Attributes:
        before: the intermediate stages as text; "" is the baseline.
        last: what follows, as text: paths are compared where this is the same.
    """

    before: str
    last: str

    @property
    def stages(self) -> tuple[Mixture, ...]:
        """The intermediate stages."""
        return parse(self.before).stages if self.before else ()


def route(one: Outcome | Cell, baseline: str) -> Route:
    """The route of an outcome, or of a cell; see ``route_of``."""
    return route_of(one.path, one.target, trained=one.trained_on is not None, baseline=baseline)


def route_of(text: str, target: str, *, trained: bool = True, baseline: str = "") -> Route:
    """The route of a path and one of its targets: what the baseline has is not intermediate.

    The baseline is the suite's own, if it has stages of its own and the path ends in them; else the
    stage that trains the target's head, if one does.

    Args:
        text: of the path.
        target: what is evaluated.
        trained: whether a head was trained for it.
        baseline: the path of the suite's own baseline, or "".
    """
    path = parse(text)
    end = parse(baseline) if baseline else None
    if end and path.stages[-len(end.stages) :] == end.stages and path.evaluations:
        return Route(_joined(path.stages[: -len(end.stages)]), baseline)
    evaluated = next((str(e) for e in path.evaluations if e.task == target), "")
    if evaluated and not trained:  # "mnli | tatoeba" is "mnli > tatoeba"
        return Route(_joined(path.stages), evaluated)
    last = _joined(path.stages[-1:]) + (f" | {evaluated}" if evaluated else "")
    return Route(_joined(path.stages[:-1]), last)


def _joined(stages: tuple[Mixture, ...]) -> str:
    return " > ".join(map(str, stages))


def flag(one: Outcome) -> Flag:
    """Why the comparison of a path with its baseline says nothing about transfer.

    ``same data``: an intermediate task has rows that the target is trained on, whatever their
    labels or language (``mnli > xnli``). ``repeat``: one is in the baseline already (``squad_v1``
    before ``squad_v1 | tatoeba``).
    """
    before = route(one, one.baseline).before
    if one.trained_on and has_rows_of(before, one.trained_on):
        return "same data"
    end = parse(one.baseline).stages if one.baseline else ()
    there = {name for stage in end for name in _trained(stage)} - {one.trained_on}
    return "repeat" if _tasks(before) & there else ""


def has_rows_of(before: str, trained_on: str) -> bool:
    """Whether an intermediate has rows that a target is trained on."""
    return any(held(task) & held(trained_on) for task in _tasks(before))


def _tasks(before: str) -> set[str]:
    stages = parse(before).stages if before else ()
    return {name for stage in stages for name in _trained(stage)}


def _trained(stage: Mixture) -> set[str]:
    """The tasks of a stage; not the target's own rows of a control, nor what was imported."""
    items = (item for item in stage.items if item.control not in ("same_steps", "imported"))
    return {task for item in items for task in MIXTURES.get(item.task, (item.task,))}


def families(trained_on: Mapping[str, str]) -> dict[str, str]:
    """Targets by what they are trained on: those whose training data overlap are one family.

    Args:
        trained_on: target -> the task whose rows train its head.

    Returns:
        Target -> the first target of its family.
    """
    found: dict[str, str] = {}
    for target, own in trained_on.items():
        alike = next((t for t in found if held(trained_on[t]) & held(own)), None)
        found[target] = target if alike is None else found[alike]
    return found


def control_of(before: str) -> dict[str, str]:
    """The controls of a single intermediate task: control -> the text of its stage."""
    stages = parse(before).stages if before else ()
    if len(stages) != 1 or len(stages[0].items) != 1 or stages[0].items[0].control:
        return {}
    item = stages[0].items[0]
    return {one: str(Mixture((replace(item, control=one),))) for one in CONTROLS}


def task_of(before: str) -> str:
    """The one task of an intermediate that has only one."""
    ((item,),) = (stage.items for stage in parse(before).stages)
    return item.task


def is_control(before: str) -> bool:
    """Whether an intermediate stage is a control of another one; what was imported is none."""
    stages = parse(before).stages if before else ()
    return any(item.control not in (None, "imported") for one in stages for item in one.items)


def simpler(before: str) -> dict[str, str]:
    """What a variant of an intermediate is to be compared with: name of the comparison -> text.

    ``mlm``: without masked language modelling. ``other languages``: in the task's own language.
    ``without noise``: on clean training rows. ``single``: each of the members of a mixture, as
    ``single: mnli``.
    """
    stages = parse(before).stages if before else ()
    if len(stages) != 1:
        return {}
    items, found = stages[0].items, {}
    if any(item.noise for item in items):
        quiet = tuple(dict.fromkeys(replace(item, noise=None) for item in items))
        found["without noise"] = str(Mixture(quiet))
    rest = tuple(item for item in items if item.task != "mlm")
    if rest and len(rest) < len(items):
        found["mlm"] = str(Mixture(tuple(map(_unshared, rest))))
    if len(rest) == 1 == len(items) and rest[0].languages:
        found["other languages"] = str(Mixture((replace(rest[0], languages=()),)))
    # A mixture's name stands for its tasks; what is cut or in other languages is compared as such.
    members = [
        name for item in map(_unshared, rest) for name in MIXTURES.get(str(item), (str(item),))
    ]
    if len(members) > 1:
        found |= {f"single: {name}": name for name in members}
    return found


def members(before: str) -> set[str]:
    """The tasks of an intermediate of one stage, all of them trained on in full and in English."""
    stages = parse(before).stages if before else ()
    if len(stages) != 1 or any(
        item.control or item.rows or item.languages for item in stages[0].items
    ):
        return set()
    return _trained(stages[0])


def _unshared(item: Item) -> Item:
    return replace(item, share=None)

"""What remains to be done of a plan, which steps belong together, and what to call them.

All languages of a task with the same weights and options are one group: the model is loaded once
and the languages share one sorted stream.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from xstilts.engines import Job

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from xstilts.plan import Plan, Step
    from xstilts.store import Store


def remaining(plan: Plan, store: Store) -> list[Step]:
    """The steps to run, parents first: predictions and scores not there, and what they need.

    Weights are needed only by steps that are not finished. Where they were evicted, damaged, or
    never were here, their stage is trained (again): the same inputs give the same weights. So it
    is with predictions that came in a pack without them.
    """
    needed: set[str] = set()
    for step in reversed(plan.steps.values()):  # children first: a need travels up the path
        if _needed(plan, store, step, lambda child: child.id in needed):
            needed.add(step.id)
    return [step for step in plan.steps.values() if step.id in needed]


def still_needed(plan: Plan, store: Store, step: Step) -> bool:
    """Whether a step is among the `remaining` ones, asked for itself alone."""
    return _needed(plan, store, step, lambda child: still_needed(plan, store, child))


def _needed(plan: Plan, store: Store, step: Step, needs: Callable[[Step], bool]) -> bool:
    children = plan.children(step.id)
    wanted = any(map(needs, children))
    if step.kind == "train" and children and not wanted:
        return False
    return not (is_there(step, store) if wanted else store.sound(step.id))


def is_there(step: Step, store: Store) -> bool:
    """Whether a step's files can be read: it is finished and none of them was evicted."""
    return store.sound(step.id) and store.whole(step.id)


def grouped(steps: list[Step]) -> list[list[Step]]:
    """Steps in groups, in an order in which parents come before children.

    What is done `together` is one group, and the score steps of predictions that are another.
    """
    groups: dict[str, list[Step]] = {}
    group_of: dict[str, str] = {}
    for step in steps:
        key = step.together
        if step.kind == "score":
            key = "score " + group_of.get(step.parent, "")
        group_of[step.id] = key
        groups.setdefault(key, []).append(step)
    return list(groups.values())


def jobs(plan: Plan, todo: Sequence[Step], first: int = 1) -> list[Job]:
    """The steps' groups as jobs, numbered from ``first``, each after those that it needs."""
    groups = grouped(list(todo))
    last = first - 1 + len(groups)
    number_of: dict[str, int] = {}
    found = []
    for number, group in enumerate(groups, first):
        number_of |= {step.id: number for step in group}
        needs = frozenset(
            number_of[one] for step in group for one in step.needs if one in number_of
        )
        ids = tuple(step.id for step in group)
        found.append(Job(title(plan, group), ids, number, last, needs))
    return found


def is_intermediate(plan: Plan, stage: Step) -> bool:
    """Whether more is made of a stage than its heads' answers: further training, or retrieval."""
    below = [one for one in plan.children(stage.id) if not looks_back(one)]
    return any(one.kind == "train" or one.inputs["head"] is None for one in below)


def looks_back(step: Step) -> bool:
    """Whether a step only looks at a stage: at what it keeps, by a probe, or by a clock."""
    return "split" in step.inputs or step.kind in ("probe", "measure")


def evict(plan: Plan, store: Store, steps: Iterable[Step], left: Collection[str] = ()) -> set[str]:
    """Free weights that nothing still needs, as the study's ``keep`` allows.

    Args:
        plan: the study's.
        store: where they are.
        steps: whose weights.
        left: the ids of the steps that are still to be done.

    Returns:
        The ids of those whose weights are gone now.
    """
    freed: set[str] = set()
    if plan.keep == "all":
        return freed
    for step in steps:
        if step.kind != "train":
            continue
        if any(child.id in left for child in plan.children(step.id)):
            continue
        if plan.keep == "none" or not is_intermediate(plan, step):
            if is_there(step, store):
                store.evict(step.id)
            freed.add(step.id)
    return freed


def purpose(plan: Plan, stage: Step) -> str:
    """What a stage is for: ``intermediate``, or ``for`` the targets that its heads answer.

    It may be both: equal work is done once, and XQuAD's stage is SQuAD's before another target.
    """
    below = [one for one in plan.children(stage.id) if not looks_back(one)]
    heads = [one.inputs for one in below if one.kind == "predict"]
    targets = dict.fromkeys(one["task"] for one in heads if one["head"] is not None)
    parts = ["intermediate"] if is_intermediate(plan, stage) else []
    parts += [f"for {', '.join(targets)}"] if targets else []
    return " and ".join(parts)


def title(plan: Plan, group: list[Step]) -> str:
    """A group in a few words."""
    first = group[0]
    if first.kind == "train":
        return f"{first.label}, {purpose(plan, first) or 'a short run'}"
    if len(group) == 1:
        return first.label
    if first.kind == "probe":
        return f"{len(group)} probes"
    kind, task, *_ = first.label.split()
    languages = _counted(len({step.inputs["language"] for step in group}), "language")
    noises = {str(step.inputs.get("perturbation", "")) for step in group} - {""}
    more = f", {_counted(len(noises), 'perturbation')}" if noises else ""
    if "attack" in first.inputs:
        more = f" by {first.inputs['attack']['search']}"
    if "serve" in first.inputs:
        more = f" ({first.inputs['serve']})"
    return f"{kind} {task} in {languages}{more}"


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"

"""The plan, for people and for machines."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from xstilts import counting
from xstilts.engines.groups import grouped, looks_back, purpose, remaining
from xstilts.report import screen

if TYPE_CHECKING:
    from rich.tree import Tree

    from xstilts.plan import Plan, Step
    from xstilts.store import Store

SHOWN_LANGUAGES = 16  # more are counted, not listed


def document(plan: Plan, store: Store) -> dict[str, Any]:
    """The plan as JSON values: every step with its parent and whether it is finished."""
    left = {step.id for step in remaining(plan, store)}
    return {
        "steps": [
            {
                "id": step.id,
                "kind": step.kind,
                "label": step.label,
                "parent": step.parent or None,
                "finished": step.id not in left,
                "inputs": dict(step.inputs),
            }
            for step in plan.steps.values()
        ],
        "cells": len(plan.cells),
        "absent": plan.absent,
        "refused": plan.refused,
        "notes": plan.notes,
    }


def show(plan: Plan, store: Store) -> None:
    """Print the graph as a tree from every pretrained model, all languages of a task in one."""
    from rich.tree import Tree

    left = {step.id for step in remaining(plan, store)}
    sources = dict.fromkeys(cell.source for cell in plan.cells)
    trees: list[Any] = [f"rows of source {name}" for name in sources]
    for fingerprint, model in plan.models.items():
        tree = Tree(f"{model.name}  pretrained  {fingerprint}")
        roots = [
            step.id
            for step in plan.children("")
            if fingerprint in (step.inputs.get("parent"), step.inputs.get("weights"))
            or any(fingerprint == side["weights"] for side in step.inputs.get("sides", ()))
        ]
        _grow(tree, roots, plan, left)
        trees.append(tree)
    saved = counting.saving(plan, store)
    screen.show(*trees, *_sums(plan, left), *([str(saved)] if saved else []))


def _grow(tree: Tree, ids: list[str], plan: Plan, left: set[str]) -> None:
    """Add these steps and all below them; what differs in its seed alone is one line."""
    steps = [plan.steps[step_id] for step_id in ids]
    alike: dict[str, list[Step]] = {}
    for group in grouped([step for step in steps if step.kind != "score"]):
        alike.setdefault(_what(group, plan), []).extend(group)
    for what, group in alike.items():
        first = group[0]
        if first.kind == "train":
            seeds = ", ".join(str(step.inputs["seed"]) for step in group)
            named = what.replace("(seed", f"(seed{'s' * (len(group) > 1)} {seeds}", 1)
            more = f" and {len(group) - 1} more" if len(group) > 1 else ""
            branch = tree.add(f"{named}  {first.id}{more}  {_state(group, left)}")
            children = [child for step in group for child in plan.children(step.id)]
            parents = {step.id for step in group}
            _grow(branch, [one.id for one in children if one.parent in parents], plan, left)
        elif first.kind == "measure":
            tree.add(f"{first.label}  {first.id}  {_state(group, left)}")
        else:
            scored = [score for step in group for score in plan.children(step.id)]
            tree.add(f"{what}  {_state(scored, left)}")


def _what(group: list[Step], plan: Plan) -> str:
    """What a group does, whatever its seed."""
    first = group[0]
    if first.kind == "train":
        last = first.label.removeprefix("train ").rpartition(" > ")[2]  # the tree has the rest
        unseeded = last.replace(f"(seed {first.inputs['seed']}", "(seed", 1)
        return f"train {unseeded}  {purpose(plan, first)}"
    if first.kind == "measure":
        return first.id
    kept = f"kept of {first.inputs['task']}" if looks_back(first) else first.inputs["task"]
    how = f" ({first.inputs['serve']})" if "serve" in first.inputs else ""
    return f"{kept}{how}: {_languages(group)}"


def _state(group: list[Step], left: set[str]) -> str:
    done = sum(step.id not in left for step in group)
    if done in (0, len(group)):
        return "finished" if done else "to do"
    return f"{done} of {len(group)} finished"


def _languages(group: list[Step]) -> str:
    codes = dict.fromkeys(step.inputs["language"] for step in group)
    shown = " ".join(codes) if len(codes) <= SHOWN_LANGUAGES else f"{len(codes)} languages"
    noises = dict.fromkeys(
        step.inputs["perturbation"]["noise"] for step in group if "perturbation" in step.inputs
    )
    return f"{shown}; perturbed: {' '.join(noises)}" if noises else shown


def _sums(plan: Plan, left: set[str]) -> list[str]:
    lines = [f"not run: {path}: {reason}" for path, reason in plan.absent.items()]
    lines += [f"not run: {what}: {reason}" for what, reason in plan.refused.items()]
    lines += [f"note: {path}: {note}" for path, note in plan.notes.items()]
    kinds = Counter(step.kind for step in plan.steps.values())
    todo = Counter(step.kind for step in plan.steps.values() if step.id in left)
    parts = [f"{todo[kind]} of {n} {kind} steps" for kind, n in kinds.items() if todo[kind]]
    naive = sum(step.kind == "train" for cell in plan.cells for step in plan.lineage(cell.score))
    lines.append(f"to do: {', '.join(parts) or 'nothing'}")
    runs = f"{kinds['train']} training runs ({naive} if every score trained its own)"
    perturbed = f" and {len(plan.perturbed)} of perturbed rows" if plan.perturbed else ""
    return [*lines, f"{len(plan.cells)} scores{perturbed} from {runs}"]

"""From a path as written to what it means in one source.

``A > B`` with an evaluation task B is sugar: train on what B declares as its training data in that
source, with a new head, then evaluate; where B has none (retrieval) it is ``A | B``. Names become
tasks, mixtures their members, languages their defaults, and every evaluation its head.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from xstilts import languages, suites
from xstilts.errors import AbsentError, UserError
from xstilts.path import Evaluation, Item

if TYPE_CHECKING:
    from xstilts.path import Mixture, Path
    from xstilts.tasks import Catalogue
    from xstilts.tasks.base import Data, Source, Task


@dataclass(frozen=True)
class StageItem:
    """One task of a stage, everything filled in.

    Attributes:
        item: with its training languages; under ``same_steps`` its task is the target's.
        steps_of: the item whose steps are matched, under ``same_steps`` and in ``[1k as 10k]``.
    """

    item: Item
    steps_of: Item | None = None


@dataclass(frozen=True)
class Stage:
    """One training run.

    Attributes:
        items: what it trains on.
        target: the evaluation task it trains for, if it is the last stage of ``A > B``.
    """

    items: tuple[StageItem, ...]
    target: str = ""


@dataclass(frozen=True)
class TargetEvaluation:
    """One task to evaluate.

    Attributes:
        task: its name.
        languages: all of them, English first where it is one.
        head: the trained task whose head predicts; None in retrieval without training.
    """

    task: str
    languages: tuple[str, ...]
    head: str | None


@dataclass(frozen=True)
class Resolved:
    """A path in one source.

    Attributes:
        path: as it was written.
        stages: what is trained, in order.
        evaluations: what is evaluated after the last stage.
        note: what to know of its meaning here; "" if it is what one would expect.
    """

    path: Path
    stages: tuple[Stage, ...]
    evaluations: tuple[TargetEvaluation, ...]
    note: str = ""


def resolve(path: Path, source: Source, catalogue: Catalogue) -> Resolved:
    """What the path means in that source.

    Raises:
        UserError: if a name is unknown, or the path cannot be run.
        AbsentError: if the source lacks the data.
    """
    return _Resolver(source, catalogue).path(path)


class _Resolver:
    def __init__(self, source: Source, catalogue: Catalogue) -> None:
        self.source, self.catalogue = source, catalogue

    def path(self, path: Path) -> Resolved:
        found = self._path(path)
        every = [one for stage in found.stages for one in stage.items]
        controls = [one for one in every if one.item.control == "same_steps"]
        if not controls or any(_plain(one.item) != one.steps_of for one in controls):
            return found
        # The target's own data for as many steps as the target's own data: no control at all.
        treatment = _without_same_steps(path)
        if any(len(set(map(_data, one.items))) < len(one.items) for one in treatment.stages):
            return found
        target = found.evaluations[0].task
        note = (
            f'the very same as "{treatment}": in source {self.source}, {target} is trained on '
            f"{controls[0].item.task}"
        )
        return replace(self._path(treatment), path=path, note=note)

    def _path(self, path: Path) -> Resolved:
        _check_imported(path)
        mixtures = [self._expand(stage) for stage in path.stages]
        evaluations, target = path.evaluations, ""
        training: Item | None = None
        if not evaluations:
            target, training = self._sugar(mixtures.pop())
            evaluations = (Evaluation(target),)
        stages = [Stage(tuple(self._item(i, training) for i in items)) for items in mixtures]
        if training is not None:
            stages.append(Stage((self._item(training, None),), target))
        last = stages[-1].items if stages else ()
        found = tuple(self._evaluation(one, last) for one in evaluations)
        return Resolved(path, tuple(stages), found)

    def _expand(self, mixture: Mixture) -> tuple[Item, ...]:
        items: list[Item] = []
        for item in mixture.items:
            members = (item.task,) if item.control == "imported" else self._members(item.task)
            share = None if item.share is None else item.share / len(members)
            items += [replace(item, task=name, share=share) for name in members]
        seen: set[Any] = set()
        for item in items:
            place = (item.task, frozenset(item.languages), item.control, item.noise)
            if place in seen:
                raise UserError(
                    f'"{mixture}": {item.task} stands in it twice, by itself and in a mixture: '
                    "leave one out"
                )
            seen.add(place)
        return tuple(items)

    def _members(self, name: str) -> tuple[str, ...]:
        """The tasks of a mixture, which is run whole or not at all; a task is its own."""
        if name not in suites.MIXTURES:
            return (name,)
        here = {task.name for task in self.catalogue if self.source in task.sources}
        missing = [task for task in suites.MIXTURES[name] if task not in here]
        if missing:
            raise AbsentError(
                f'mixture "{name}" is not whole in source {self.source}; '
                f"it lacks: {', '.join(missing)}"
            )
        return suites.MIXTURES[name]

    def _sugar(self, items: tuple[Item, ...]) -> tuple[str, Item | None]:
        """The target that the last stage names, and what to train on for it (None: nothing)."""
        item = items[0]
        for code in item.languages:
            languages.get(code)
        imported = item.control == "imported"
        data = None if imported else self.catalogue.data(item.task, self.source)
        if data is None or len(items) > 1 or item.control or data.evaluate is None:
            text = " + ".join(map(str, items))
            fits = imported or (
                self.catalogue.get(item.task).labels == self.catalogue.get("xnli").labels
            )
            sign = "|" if fits else ">"  # a bar needs a head that fits
            raise UserError(
                f'path ends in "{text}", which has nothing to evaluate in source {self.source}: '
                "name what to evaluate, in quotes so that the shell leaves the signs alone, as in "
                f'"{text} {sign} xnli"'
            )
        if data.train_on:
            evaluated = data.languages or self.catalogue.get(item.task).languages
            have = self.catalogue.data(data.train_on, self.source).train_languages
            if any(code not in have for code in item.languages):
                restricted = Evaluation(item.task, item.languages)
                instead = f'; to evaluate in some only, write "{data.train_on} | {restricted}"'
                there = set(item.languages) <= set(evaluated)
                raise UserError(
                    f'"{item}": languages before the bar are those to train in, and '
                    f"{data.train_on} has {', '.join(have)}" + instead * there
                )
            return item.task, replace(item, task=data.train_on)
        if data.train is not None:
            return item.task, item
        if item.rows is not None or item.languages:
            raise UserError(
                f'"{item}": {item.task} has no training rows to choose from; languages to '
                f'evaluate stand after the bar, as in "| {Evaluation(item.task, item.languages)}"'
            )
        return item.task, None

    def _item(self, item: Item, training: Item | None) -> StageItem:
        """One item with its languages; ``training`` is the target's, for ``same_steps``."""
        if item.control == "imported":
            return StageItem(item)
        if item.control == "same_steps":
            if training is None:
                raise AbsentError(
                    f'"{item}" needs a target with training data after it, as in "{item} > xnli"'
                )
            rows = item.as_rows or item.rows
            other = self._filled(_plain(replace(item, rows=rows, as_rows=None)))
            own = replace(
                self._filled(training), control="same_steps", share=item.share, noise=item.noise
            )
            return StageItem(own, other)
        own = self._filled(replace(item, as_rows=None))
        if item.as_rows is None:
            return StageItem(own)
        return StageItem(own, _plain(replace(own, rows=item.as_rows)))

    def _filled(self, item: Item) -> Item:
        task = self.catalogue.get(item.task)
        data = self._training_data(task)
        have = data.train_languages
        asked = item.languages or (have if task.format == "mlm" else have[:1])
        for code in asked:
            languages.get(code)
            if code not in have:
                raise AbsentError(
                    f'"{item}": {task.name} has no training rows in {code} in source '
                    f"{self.source}; it has: {', '.join(have)}"
                )
        return replace(item, languages=asked)

    def _training_data(self, task: Task) -> Data:
        data = self.catalogue.data(task.name, self.source)
        if data.train is None:
            other = f"; it is trained on {data.train_on}" if data.train_on else ""
            raise AbsentError(
                f"{task.name} has no training rows of its own in source {self.source}{other}"
            )
        return data

    def _evaluation(self, asked: Evaluation, last: tuple[StageItem, ...]) -> TargetEvaluation:
        task = self.catalogue.get(asked.task)
        data = self.catalogue.data(task.name, self.source)
        if data.evaluate is None:
            raise AbsentError(f"{task.name} has nothing to evaluate in source {self.source}")
        have = data.languages or task.languages
        for code in asked.languages:
            languages.get(code)
            if code not in have:
                raise AbsentError(
                    f'"{asked}": {task.name} is not there in {code} in source {self.source}; '
                    f"it has: {', '.join(have)}"
                )
        as_it_is = task.format == "retrieval" and data.train is None
        head = None if as_it_is else self._head(task, data, last)
        return TargetEvaluation(task.name, asked.languages or have, head)

    def _head(self, task: Task, data: Data, last: tuple[StageItem, ...]) -> str:
        """Which of the last stage's heads can answer the task."""
        if last and last[0].item.control == "imported":
            return "imported"  # the plan knows what it has
        trained = [self.catalogue.get(one.item.task) for one in last if one.item.control != "text"]
        fitting = [t.name for t in trained if t.format == task.format and t.labels == task.labels]
        for preferred in (task.name, data.train_on):
            if preferred in fitting:
                return preferred
        if len(set(fitting)) == 1:
            return fitting[0]
        need = f"{task.format} head" + (f" for {', '.join(task.labels[:4])}" if task.labels else "")
        have = ", ".join(t.name for t in trained) or "nothing"
        what = f"more than one fits: {', '.join(fitting)}" if fitting else f"it trained: {have}"
        raise UserError(
            f'"{task.name}" after the bar needs one {need} from the last stage; {what}; '
            f'"> {task.name}" trains one'
        )


def _check_imported(path: Path) -> None:
    for number, stage in enumerate(path.stages):
        for item in stage.items:
            plain = Item(item.task, control="imported")
            if item.control == "imported" and (number or len(stage.items) > 1 or item != plain):
                raise UserError(
                    f'"{path}": what was imported stands alone at the beginning of a path, as in '
                    f'"{plain} > xnli"'
                )


def _plain(item: Item) -> Item:
    return replace(item, control=None, share=None, noise=None)


def _data(item: Item) -> tuple[str, tuple[str, ...]]:
    return item.task, item.languages


def _without_same_steps(path: Path) -> Path:
    """The path with every ``same_steps(A)`` as ``A``."""
    stages = tuple(
        replace(stage, items=tuple(map(_uncontrolled, stage.items))) for stage in path.stages
    )
    return replace(path, stages=stages)


def _uncontrolled(item: Item) -> Item:
    return replace(item, control=None) if item.control == "same_steps" else item

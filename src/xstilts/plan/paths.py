"""The paths of a study as they can be run with the data that its source has."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from xstilts import resolve, suites
from xstilts.errors import AbsentError, UserError
from xstilts.path import Evaluation, Mixture, parse
from xstilts.tasks import counts, held

if TYPE_CHECKING:
    from xstilts.path import Item, Path
    from xstilts.plan.graph import Plan
    from xstilts.resolve import Resolved, StageItem
    from xstilts.sources import Sources
    from xstilts.study import Study
    from xstilts.tasks import Catalogue


class Paths:
    """Resolves a study's paths, and tells the plan of targets, notes and what is absent."""

    def __init__(
        self,
        plan: Plan,
        study: Study,
        catalogue: Catalogue,
        sources: Sources,
        *,
        allow_absent: bool,
    ) -> None:
        self.plan, self.study, self.source = plan, study, study.source
        self.catalogue, self.sources, self.allow_absent = catalogue, sources, allow_absent

    def resolved(self) -> list[Resolved]:
        """The paths that can be run, in the order of the study.

        Raises:
            UserError: if one makes no sense.
            AbsentError: if data is absent and that is not allowed.
        """
        names, targets = self.targets, self.study.targets
        suite = suites.BENCHMARKS[targets] if isinstance(targets, str) else None
        found = []
        for path in self._spelt_out(names, suite):
            try:
                one = resolve.resolve(path, self.source, self.catalogue)
                found.append(self._in_languages(one, suite) if suite else one)
            except AbsentError as error:
                self.absent(str(path), error)
        for one in found:
            told = self.plan.notes.get(str(one.path))
            notes = (
                *(told, one.note, self._unsaid(one), _trained_elsewhere(one)),
                *(self._scarce(one), _same_data(one)),
            )
            if note := "; ".join(filter(None, notes)):
                self.plan.notes[str(one.path)] = note
        return found

    @property
    def targets(self) -> tuple[str, ...]:
        """The names of the study's targets, there or not."""
        targets = self.study.targets
        return suites.suite(targets) if isinstance(targets, str) else targets

    def absent(self, path: str, error: UserError) -> None:
        """List what cannot be run, or raise the error."""
        if not self.allow_absent:
            raise error
        self.plan.absent[path] = str(error)

    def labelled_languages(self, resolved: Resolved) -> set[str]:
        """The languages that a path's stages have labelled rows in."""
        items = [one.item for stage in resolved.stages for one in stage.items]
        labelled = [
            item
            for item in items
            if item.control not in ("text", "imported")
            and self.catalogue.get(item.task).format != "mlm"
        ]
        return {code for item in labelled for code in item.languages}

    def _spelt_out(self, targets: tuple[str, ...], suite: suites.Suite | None) -> tuple[Path, ...]:
        known = []
        for name in targets:
            try:
                self.catalogue.get(parse(name).stages[0].items[0].task)
                known.append(name)
            except UserError as error:
                if not isinstance(self.study.targets, str):
                    raise  # a suite may hold tasks that are not there; a person's list may not
                self.absent(name, error)
        tasks = [parse(name).stages[0].items[0].task for name in known]
        self.plan.targets = tuple(dict.fromkeys(tasks))
        if suite:
            self.plan.baselines = dict(suite.baselines)
            known = [suite.baselines.get(name, name) for name in known]
        paths = self.study.expand(tuple(known)) if known or self.study.paths else ()
        if not self.allow_absent:
            return paths
        return tuple(dict.fromkeys(map(self._of_what_is_there, paths)))  # two may become one

    def _of_what_is_there(self, path: Path) -> Path:
        """The path with a mixture that is not whole spelt out as the tasks that are there."""
        stages, lacking = [], dict[str, str]()
        for stage in path.stages:
            items: list[Item] = []
            for item in stage.items:
                absent = {
                    name: self._why_absent(name) for name in suites.MIXTURES.get(item.task, ())
                }
                there = [name for name, why in absent.items() if not why]
                if len(there) in (0, len(absent)):  # no mixture, nothing of one, or all of it
                    items.append(item)
                    continue
                lacking |= {name: why for name, why in absent.items() if why}
                share = None if item.share is None else item.share / len(there)
                items += [replace(item, task=name, share=share) for name in there]
            stages.append(Mixture(tuple(items)))
        if not lacking:
            return path
        found = replace(path, stages=tuple(stages))
        whys = "; ".join(f"{name} ({why})" for name, why in lacking.items())
        self.plan.absent[str(path)] = f'it lacks {whys}; in its place stands "{found}"'
        self.plan.notes[str(found)] = f'"{path}" without {", ".join(lacking)}'
        return found

    def _why_absent(self, name: str) -> str:
        """Why a task cannot be trained on in this source; "" where it can."""
        try:
            data = self.catalogue.data(name, self.source)
            self.sources.fingerprint(self.catalogue.get(name), data, "train", "en")
        except AbsentError as error:
            return str(error)
        return ""

    def _in_languages(self, resolved: Resolved, suite: suites.Suite) -> Resolved:
        """The path with its targets in the suite's languages; what is not there is listed."""
        named = {one.task for one in resolved.path.evaluations if one.languages}
        found = []
        for one in resolved.evaluations:
            listed = () if one.task in named else suite.languages.get(one.task, ())
            if lacking := tuple(code for code in listed if code not in one.languages):
                why = f"not there in source {self.source}, though the suite has them"
                self.plan.absent[str(Evaluation(one.task, lacking))] = why
            kept = tuple(code for code in one.languages if not listed or code in listed)
            found.append(replace(one, languages=kept))
        return replace(resolved, evaluations=tuple(found))

    def _unsaid(self, resolved: Resolved) -> str:
        """What to know of rows in a language that is evaluated and that the path does not name."""
        said = {code for stage in resolved.path.stages for i in stage.items for code in i.languages}
        evaluated = {code for one in resolved.evaluations for code in one.languages}
        codes = sorted((self.labelled_languages(resolved) & evaluated) - said - {"en"})
        if not codes:
            return ""
        named = ", ".join(codes)
        return (
            f"not zero-shot in {named}: it trains on rows in {named} without saying so; a language "
            "after the task says it, as in mnli:de"
        )

    def _scarce(self, resolved: Resolved) -> str:
        """What to know of a path that asks for more rows than there are."""
        for item in (one.item for stage in resolved.stages for one in stage.items):
            counted = counts.rows(item.task, self.source, "train")
            have = sum(counted.get(code, 0) for code in item.languages)
            if item.rows and set(item.languages) <= set(counted) and have < item.rows:
                return f"{item.task} has {have:,} training rows here, all of them are taken"
        return ""


def _trained_elsewhere(resolved: Resolved) -> str:
    """What to know of languages after the target's name, which are those to train in."""
    path = resolved.path
    if path.evaluations or not path.stages:
        return ""
    codes = path.stages[-1].items[0].languages
    if not codes:
        return ""
    only = [str(Evaluation(one.task, codes)) for one in resolved.evaluations]
    trained = " + ".join(str(replace(one.item, languages=())) for one in resolved.stages[-1].items)
    whole = " > ".join([*map(str, path.stages[:-1]), trained])
    return (
        f"trains on rows in {', '.join(codes)} and is evaluated in all languages; to evaluate in "
        f'{", ".join(codes)} only, write "{whole} | {", ".join(only)}"'
    )


def _same_data(resolved: Resolved) -> str:
    """What to know of a path that trains on some rows twice."""
    if resolved.note:  # which has said so
        return ""
    *before, last = [_trained(stage.items) for stage in resolved.stages] or [set[str]()]
    for task in sorted(set().union(*before)):
        for other in sorted(last):
            if held(task) & held(other):
                rows = "the rows" if task == other else f"rows of {other}"
                return f"{task} has {rows} of the last stage: more of the same data, no transfer"
    return ""


def _trained(items: tuple[StageItem, ...]) -> set[str]:
    """The tasks of a stage; not those of controls."""
    named = (one.item.task for one in items if one.item.control is None)
    return {task for name in named for task in suites.MIXTURES.get(name, (name,))}

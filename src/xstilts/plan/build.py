"""From a study to its plan: the steps of every path, model, recipe and seed, and their cells."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from xstilts import ladders
from xstilts.adversity import Adversity, Attack, pairs
from xstilts.errors import AbsentError, UserError, suggest
from xstilts.forgetting import Kept, Looks
from xstilts.path import parse
from xstilts.plan.graph import Cell, Plan, Step
from xstilts.plan.inputs import Inputs, scored
from xstilts.plan.paths import Paths
from xstilts.resolve import TargetEvaluation
from xstilts.study import ORDER

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from xstilts.imported import Imports
    from xstilts.models import Model
    from xstilts.recipes import Recipe
    from xstilts.resolve import Resolved, Stage, StageItem
    from xstilts.sizes import Architecture
    from xstilts.sources import Sources
    from xstilts.study import Study
    from xstilts.tasks import Catalogue

LARGE_HIDDEN, HOT_RATE = 512, 1e-4  # from here on a model is large, and a rate too high for it


def build(
    study: Study,
    recipe: Recipe,
    models: Iterable[Model],
    catalogue: Catalogue,
    sources: Sources,
    *,
    allow_absent: bool = True,
    imports: Imports | None = None,
    device: str = "cpu",
) -> Plan:
    """The plan of a study. Opens the data's files only to fingerprint them.

    Args:
        study: what was declared.
        recipe: how to train.
        models: the study's pretrained models, resolved.
        catalogue: the tasks.
        sources: fingerprints their rows.
        allow_absent: list conditions whose data is absent instead of raising.
        imports: what the store was given from elsewhere.
        device: where inference is measured, if it is.

    Raises:
        UserError: if a path cannot be run.
        AbsentError: if data is absent and ``allow_absent`` is False.
    """
    plan = Plan(keep=study.keep, analyses=study.analyses, margins=_margins(study))
    if recipe.text2text:
        _check_text_to_text(study, recipe)
    paths = Paths(plan, study, catalogue, sources, allow_absent=allow_absent)
    resolved = paths.resolved()
    adversity = Adversity(study, sources.mirror)
    for model in models:
        plan.models[model.fingerprint] = model
        for rung, its_recipe in ladders.rungs(study, model, recipe):
            plan.rungs.append(rung)
            if hot := _hot(model, its_recipe):
                plan.notes[model.name] = hot
            inputs = Inputs(study, its_recipe, catalogue, sources)
            builder = _Builder(plan, paths, inputs, imports, adversity)
            for one in resolved:
                try:
                    for seed in study.seeds if one.stages else (None,):
                        builder.add(replace(model, name=rung.name), one, seed)
                except AbsentError as error:
                    paths.absent(str(one.path), error)
    _check_margins(plan, paths.targets)
    _transfer(plan)
    plan.refused = adversity.refused(cell.perturbation for cell in plan.perturbed)
    plan.contents = sources.contents()
    if study.measure is not None:
        from xstilts import measures

        measures.add(plan, study, catalogue, device)
    return plan


def _hot(model: Model, recipe: Recipe) -> str:
    """What to know of a large model under a recipe for small ones; "" of any other."""
    shape = model.architecture
    if shape is None or shape.hidden < LARGE_HIDDEN or recipe.text2text or recipe.lora:
        return ""
    if recipe.learning_rate < HOT_RATE:
        return ""
    return (
        f"recipe {recipe.name} with its learning rate of {recipe.learning_rate:g} is for small "
        "encoders, and this one may learn nothing by it: --recipe authors (1e-05) is for large ones"
    )


def _shape(one: Architecture) -> str:
    return f"has {one.layers} layers of {one.hidden} and {one.vocabulary:,} pieces"


class _Builder:
    """Adds the steps and cells of paths to a plan, under one recipe."""

    def __init__(
        self,
        plan: Plan,
        paths: Paths,
        inputs: Inputs,
        imports: Imports | None,
        adversity: Adversity,
    ) -> None:
        self.plan, self.paths, self.inputs = plan, paths, inputs
        self.imports, self.adversity = imports, adversity
        self.study, self.recipe = inputs.study, inputs.recipe
        self.catalogue, self.sources = inputs.catalogue, inputs.sources
        self.source = inputs.source
        self._steps: list[Step] = []  # of the path under way

    def add(self, model: Model, resolved: Resolved, seed: int | None) -> None:
        """Add a path's steps and cells, all of them or, where data is absent, none."""
        weights, parent = model.fingerprint, ""
        self._steps, cells = [], []
        trained: list[tuple[Stage, str]] = []
        so_far: list[str] = []
        stages, imported = resolved.stages, ""
        rate = f", at {self.recipe.learning_rate:g}" if self.study.learning_rates else ""
        if stages and stages[0].items[0].item.control == "imported":
            imported, stages = stages[0].items[0].item.task, stages[1:]
            so_far = [f"imported({imported})"]
            parent = self._imported_stage(imported, model, seed or 0, needed=bool(stages))
            weights = parent or weights
        for stage in stages:
            assert seed is not None
            so_far.append(" + ".join(map(_shown, stage.items)))
            label = f"train {' > '.join(so_far)} (seed {seed}{rate})"
            inputs = self.inputs.train(stage, weights, seed)
            weights = parent = self._made(Step.of("train", inputs, parent, label))
            trained.append((stage, parent))
        seen = self.paths.labelled_languages(resolved)
        for evaluation in resolved.evaluations:
            data = self.catalogue.data(evaluation.task, self.source)
            main = self.catalogue.get(evaluation.task).main_metrics
            self.plan.main_metrics[evaluation.task] = main
            for language in evaluation.languages:
                given = ""
                if imported and not stages:
                    given = self._given(imported, evaluation, language, seed or 0, parent)
                    if not given and not parent:
                        continue  # there may be predictions in other languages
                score = self._evaluate(evaluation, language, weights, parent, given)
                cell = Cell(
                    model=model.name,
                    path=str(resolved.path),
                    seed=seed,
                    source=self.source,
                    trained_on=evaluation.head,
                    target=evaluation.task,
                    language=language,
                    split=data.split,
                    score=score,
                    zero_shot=None if imported else language not in seen,
                )
                cells.append(cell)
        if imported and not cells:
            assert self.imports is not None
            raise self.imports.absent(imported, f"nothing for {resolved.path}, seed {seed}")
        if ORDER in self.study.analyses and not imported:
            self._keep(model, [one for one in trained if not one[0].target], seed)
        if parent or not imported:  # imported predictions come without what made them
            self._adverse(cells, weights, parent)
        for step in self._steps:
            self.plan.add(step)
        self.plan.cells += cells

    def _adverse(self, cells: Sequence[Cell], weights: str, parent: str) -> None:
        """Add the perturbed evaluations and the attacks of a path's cells."""
        for cell in cells:
            task = self.catalogue.get(cell.target)
            evaluation = TargetEvaluation(cell.target, (cell.language,), cell.trained_on)
            for labels, about in self.adversity.noises(task, cell.language):
                score = self._evaluate(evaluation, cell.language, weights, parent, "", about)
                noise = {"perturbation": about["noise"], "labels": labels}
                self.plan.perturbed.append(replace(cell, score=score, **noise))
            if cell.seed is None or not cell.trained_on:
                continue
            for search, about in self.adversity.attacks(task, cell.language):
                inputs = {**self.inputs.predict(evaluation, cell.language, parent), **about}
                label = f"attack {task.name} {cell.language} {search}"
                step = self._made(Step.of("predict", inputs, parent, label))
                run = (cell.model, cell.path, cell.seed)
                place = (*run, task.name, cell.language, search)
                self.plan.attacks.append(Attack(*place, cell.path, step))

    def _keep(self, model: Model, stages: list[tuple[Stage, str]], seed: int | None) -> None:
        """Add what the stages keep of each other, and of the pretrained encoder."""
        for number in range(len(stages) + 1):
            parent = stages[number - 1][1] if number else ""
            names = tuple(" + ".join(map(_shown, one.items)) for one, _ in stages[:number])
            looks = Looks(self.study, self.recipe, self.catalogue, self.sources)
            for look in looks.after(parent or model.fingerprint, stages[:number]):
                head_of = look.inputs.get("head_of", parent)
                also = () if head_of == parent else (head_of,)
                label = f"{look.task} {look.language}, what is kept"
                predict = self._made(
                    Step.of("predict", dict(look.inputs), parent, f"predict {label}", also)
                )
                inputs = scored(predict, look.language, look.metrics)
                score = self._made(Step.of("score", inputs, predict, f"score {label}"))
                self.plan.kept[model.name, score] = Kept(
                    model=model.name,
                    stages=names,
                    seed=seed if number else None,
                    task=look.task,
                    head=look.head,
                    language=look.language,
                    score=score,
                )

    def _imported_stage(self, name: str, model: Model, seed: int, *, needed: bool) -> str:
        """The id of an imported checkpoint; "" where predictions alone were imported."""
        if self.imports is None:
            raise AbsentError(f'"imported({name})": nothing was imported')
        found = self.imports.checkpoint(name, seed)
        if found is None:
            if needed:
                raise self.imports.no_checkpoint(name, seed)
            return ""
        own, its = self.imports.architecture(found), model.architecture
        if own is not None and its is not None and own != its:
            self.plan.notes[f"imported({name})"] = (
                f"{_shape(own)}; the model {model.name}, whose baseline it is compared with, "
                f"{_shape(its)}: --model takes the encoder that it was trained from"
            )
        # Its identity is the import's; what other stages have is there for readers of the plan.
        inputs = {**found.inputs, "parent": model.fingerprint, "items": [], "max_steps": None}
        label = f"train imported({name}) (seed {seed})"
        self._steps.append(Step(found.id, "train", inputs, "", label))
        return found.id

    def _given(
        self, name: str, evaluation: TargetEvaluation, language: str, seed: int, stage: str
    ) -> str:
        """The id of imported predictions; "" where the imported stage is to predict.

        Raises:
            UserError: if that stage has no head that could.
        """
        assert self.imports is not None
        task = self.catalogue.get(evaluation.task)
        data = self.catalogue.data(task.name, self.source)
        rows = self.sources.fingerprint(task, data, "evaluate", language)
        found = self.imports.predictions(name, seed, task.name, rows, language)
        if found is not None:
            label = f"predict {task.name} {language}"
            self._steps.append(Step(found.id, "predict", found.inputs, "", label))
            return found.id
        head = (self._steps[0].inputs["head"] if stage else None) or {}
        have = head.get("format"), tuple(head.get("labels", ()))
        if stage and evaluation.head and have != (task.format, task.labels):
            raise UserError(
                f'"imported({name})" has no head for {task.name}: import it with --head, or train '
                f'one, as in "imported({name}) > {task.name}"'
            )
        return ""

    def _evaluate(
        self,
        evaluation: TargetEvaluation,
        language: str,
        weights: str,
        parent: str,
        given: str,
        perturbation: Mapping[str, Any] | None = None,
    ) -> str:
        """The score of a language, of given predictions or of those that are to be made."""
        task = self.catalogue.get(evaluation.task)
        inputs = self.inputs.predict(evaluation, language, weights)
        label = f"predict {task.name} {language}"
        if perturbation is not None:
            inputs["perturbation"] = perturbation
            label += f" ~{perturbation['noise']}"
        predict = given or self._made(Step.of("predict", inputs, parent, label))
        inputs = scored(predict, language, self.inputs.metrics(task))
        return self._made(
            Step.of("score", inputs, predict, f"score {label.removeprefix('predict ')}")
        )

    def _made(self, step: Step) -> str:
        """The name of a step of the path under way."""
        self._steps.append(step)
        return step.id


def _check_margins(plan: Plan, targets: Iterable[str]) -> None:
    """Refuse margins of what is no target."""
    planned = (parse(name).stages[0].items[0].task for name in targets)
    reached = (cell.target for cell in plan.cells)
    known = ["mean", "doubling", *dict.fromkeys([*planned, *reached])]
    for name in plan.margins:
        if name not in known:
            raise UserError(f'margins: "{name}" is no target of the study:{suggest(name, known)}')


def _transfer(plan: Plan) -> None:
    """Ask every model about the baseline's worst cases, and the baseline about its own."""
    for victim, source in [*pairs(plan.attacks, plan.baselines)]:
        asked = plan.steps[victim.step]
        inputs = {**asked.inputs, "found_on": source.step}
        label = asked.label.replace("attack", "transfer", 1)
        step = Step.of("predict", inputs, asked.parent, label, (source.step,))
        plan.add(step)
        plan.attacks.append(replace(victim, found_on=source.path, step=step.id))


def _check_text_to_text(study: Study, recipe: Recipe) -> None:
    """Refuse what asks for heads.

    Raises:
        UserError: naming it.
    """
    asked = {
        "attacks": bool(study.attacks),
        f"analyses: [{ORDER}]": ORDER in study.analyses,
    }
    for key, is_asked in asked.items():
        if is_asked:
            raise UserError(
                f"{key}: is for models with heads, and recipe {recipe.name} is text to text: "
                "take it out, or another recipe"
            )


def _margins(study: Study) -> dict[str, float]:
    pairs = (text.split("@") for text in study.margins)
    return {name: float(points) for name, points in pairs}


def _shown(one: StageItem) -> str:
    """An item without its languages where they are what anybody would expect."""
    item = one.item
    if one.steps_of is not None:
        item = replace(item, control=None)  # the words say it
    usual = item.languages == ("en",) or item.task == "mlm"
    shown = str(replace(item, languages=()) if usual else item)
    if one.steps_of is None:
        return shown
    other = one.steps_of
    return f"{shown} for as many steps as {replace(other, languages=()) if usual else other}"

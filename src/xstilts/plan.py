"""The plan: a study as a graph of steps, each named by the identity of all it depends on.

Equal work has one name, so it is done once: targets share an intermediate checkpoint, XQuAD and
MLQA a SQuAD model, sequences their prefixes.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from xstilts import ladders, metrics, resolve, suites
from xstilts.adversity import Adversity, Attack, pairs
from xstilts.errors import AbsentError, UserError, suggest
from xstilts.forgetting import Kept, Looks
from xstilts.formats import text2text
from xstilts.identity import fingerprint
from xstilts.path import Evaluation, Mixture, parse
from xstilts.perturb.declared import declared
from xstilts.perturb.validity import check
from xstilts.resolve import TargetEvaluation
from xstilts.steps import CODE_VERSIONS
from xstilts.study import ORDER

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from xstilts.imported import Imports
    from xstilts.ladders import Rung
    from xstilts.measures import Measured, Variant
    from xstilts.models import Model
    from xstilts.path import Item, Path
    from xstilts.recipes import Recipe
    from xstilts.resolve import Resolved, Stage, StageItem
    from xstilts.sources import Sources, Split
    from xstilts.study import Study
    from xstilts.tasks import Catalogue
    from xstilts.tasks.base import Data, Task

Kind = Literal["train", "predict", "score", "probe", "measure"]


@dataclass(frozen=True)
class Step:
    """One piece of work.

    Attributes:
        id: the fingerprint of kind, code version and inputs.
        kind: what it makes.
        inputs: JSON: all that its result depends on.
        parent: the step whose files it reads; "" where that is a pretrained model.
        label: for people.
        also: other steps whose files it reads, such as an attack on another model.
    """

    id: str
    kind: Kind
    inputs: Mapping[str, Any]
    parent: str
    label: str
    also: tuple[str, ...] = ()

    @property
    def needs(self) -> tuple[str, ...]:
        """All steps whose files it reads."""
        return tuple(one for one in (self.parent, *self.also) if one)


@dataclass(frozen=True)
class Cell:
    """One number of a study: where it will be found, and what it is.

    Attributes:
        seed: None for an evaluation without any training, which is a constant.
        perturbation: of the rows that were evaluated, as ``keyboard@0.1``; "": they are clean.
        labels: what it does to labels, ``preserving`` or ``possibly changing``; "": they are clean.
        trained_on: the task whose rows the target's head was trained on; None in retrieval.
        zero_shot: whether no labelled row of the language was trained on in any stage; None where
            something imported may have seen some.
    """

    model: str
    path: str
    seed: int | None
    source: str
    trained_on: str | None
    target: str
    language: str
    split: str
    score: str
    zero_shot: bool | None = None
    perturbation: str = ""
    labels: str = ""


@dataclass
class Plan:
    """The steps of a study, parents before children, its cells, and what cannot be run.

    Attributes:
        steps: id -> step.
        cells: of clean rows, in the order of the study.
        perturbed: of perturbed rows. They lie apart, so that nothing averages them with clean ones.
        attacks: on the models of the study, and those of the baseline's on others and back.
        refused: perturbed evaluations and attacks that are not made -> why.
        kept: score -> what sequences keep of earlier stages, where the study asks for it.
        absent: path -> why it is not run.
        notes: path -> what to know of its meaning in the source.
        models: fingerprint -> pretrained model.
        rungs: the models as cells name them, in the order of the study.
        keep: which weights stay when the study is done.
        targets: the study's target tasks, over which means are taken; empty: whatever is scored.
        analyses, margins: what the study declared.
        measured: what is measured of inference, in the order of the study.
        frontier: other ways to answer, with their scores and their times.
        baselines: target -> the path of the suite's own baseline, where it has stages of its own.
        contents: the files and datasets that were fingerprinted -> their fingerprints.
    """

    steps: dict[str, Step] = field(default_factory=dict)
    cells: list[Cell] = field(default_factory=list)
    perturbed: list[Cell] = field(default_factory=list)
    attacks: list[Attack] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    kept: dict[str, Kept] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    models: dict[str, Model] = field(default_factory=dict)
    rungs: list[Rung] = field(default_factory=list)
    keep: str = "all"
    targets: tuple[str, ...] = ()
    baselines: dict[str, str] = field(default_factory=dict)
    analyses: tuple[str, ...] = ()
    margins: Mapping[str, float] = field(default_factory=dict)
    measured: list[Measured] = field(default_factory=list)
    frontier: list[Variant] = field(default_factory=list)
    contents: dict[str, str] = field(default_factory=dict)
    _children: dict[str, list[Step]] = field(default_factory=dict, repr=False)

    def add(self, step: Step) -> None:
        """Add a step whose parent is there already; nothing happens where it is there itself."""
        if step.id not in self.steps:
            self.steps[step.id] = step
            for parent in (step.parent, *step.also):
                self._children.setdefault(parent, []).append(step)

    def children(self, step_id: str) -> list[Step]:
        """The steps that read this one's files."""
        return self._children.get(step_id, [])


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
    builder = _Builder(study, recipe, catalogue, sources, imports)
    plan = builder.build(models, allow_absent=allow_absent)
    if study.measure is not None:
        from xstilts import measures

        measures.add(plan, study, catalogue, device)
    return plan


class _Builder:
    def __init__(
        self,
        study: Study,
        recipe: Recipe,
        catalogue: Catalogue,
        sources: Sources,
        imports: Imports | None,
    ) -> None:
        self.study, self.declared, self.recipe = study, recipe, recipe
        self.catalogue, self.sources, self.imports = catalogue, sources, imports
        self.source = study.source
        self.plan = Plan(keep=study.keep, analyses=study.analyses, margins=_margins(study))
        self._steps: list[Step] = []  # of the path under way
        if recipe.text2text:
            _check_text_to_text(study, recipe)
        self.adversity = Adversity(study, sources.mirror)

    def build(self, models: Iterable[Model], *, allow_absent: bool) -> Plan:
        targets = self.study.targets
        names = suites.suite(targets) if isinstance(targets, str) else targets
        suite = suites.BENCHMARKS[targets] if isinstance(targets, str) else None
        resolved = []
        for path in self._paths(names, suite, allow_absent):
            try:
                found = resolve.resolve(path, self.source, self.catalogue)
                resolved.append(self._in_languages(found, suite) if suite else found)
            except AbsentError as error:
                self._absent(str(path), error, allow_absent)
        for one in resolved:
            notes = (self.plan.notes.get(str(one.path)), one.note, self._unsaid(one))
            if note := "; ".join(filter(None, notes)):
                self.plan.notes[str(one.path)] = note
        for model in models:
            self.plan.models[model.fingerprint] = model
            for rung, recipe in ladders.rungs(self.study, model, self.declared):
                self.plan.rungs.append(rung)
                self.recipe, named = recipe, replace(model, name=rung.name)
                for one in resolved:
                    try:
                        for seed in self.study.seeds if one.stages else (None,):
                            self._add(named, one, seed)
                    except AbsentError as error:
                        self._absent(str(one.path), error, allow_absent)
        self._check_margins(names)
        self._transfer()
        self.plan.refused = self.adversity.refused(c.perturbation for c in self.plan.perturbed)
        self.plan.contents = self.sources.contents()
        return self.plan

    def _paths(
        self, targets: tuple[str, ...], suite: suites.Suite | None, allow_absent: bool
    ) -> tuple[Path, ...]:
        known = []
        for name in targets:
            try:
                self.catalogue.get(parse(name).stages[0].items[0].task)
                known.append(name)
            except UserError as error:
                if not isinstance(self.study.targets, str):
                    raise  # a suite may hold tasks that are not there; a person's list may not
                self._absent(name, error, allow_absent)
        tasks = [parse(name).stages[0].items[0].task for name in known]
        self.plan.targets = tuple(dict.fromkeys(tasks))
        if suite:
            self.plan.baselines = dict(suite.baselines)
            known = [suite.baselines.get(name, name) for name in known]
        paths = self.study.expand(tuple(known)) if known or self.study.paths else ()
        return tuple(map(self._of_what_is_there, paths)) if allow_absent else paths

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

    def _check_margins(self, targets: tuple[str, ...]) -> None:
        planned = (parse(name).stages[0].items[0].task for name in targets)
        known = [
            "mean",
            "doubling",
            *dict.fromkeys([*planned, *(cell.target for cell in self.plan.cells)]),
        ]
        for name in self.plan.margins:
            if name not in known:
                raise UserError(
                    f'margins: "{name}" is no target of the study:{suggest(name, known)}'
                )

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

    def _absent(self, path: str, error: UserError, allow_absent: bool) -> None:
        if not allow_absent:
            raise error
        self.plan.absent[path] = str(error)

    def _add(self, model: Model, resolved: Resolved, seed: int | None) -> None:
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
            weights = parent = self._train(stage, weights, parent, seed, label)
            trained.append((stage, parent))
        seen = self._labelled_languages(resolved)
        for evaluation in resolved.evaluations:
            data = self.catalogue.data(evaluation.task, self.source)
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

    def _labelled_languages(self, resolved: Resolved) -> set[str]:
        """The languages that a path's stages have labelled rows in."""
        items = [one.item for stage in resolved.stages for one in stage.items]
        labelled = [
            item
            for item in items
            if item.control not in ("text", "imported")
            and self.catalogue.get(item.task).format != "mlm"
        ]
        return {code for item in labelled for code in item.languages}

    def _unsaid(self, resolved: Resolved) -> str:
        """What to know of rows in a language that is evaluated and that the path does not name."""
        said = {code for stage in resolved.path.stages for i in stage.items for code in i.languages}
        evaluated = {code for one in resolved.evaluations for code in one.languages}
        codes = sorted((self._labelled_languages(resolved) & evaluated) - said - {"en"})
        if not codes:
            return ""
        named = ", ".join(codes)
        return (
            f"not zero-shot in {named}: it trains on rows in {named} without saying so; a language "
            "after the task says it, as in mnli:de"
        )

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
                inputs = {**self._predicted(evaluation, cell.language, parent), **about}
                label = f"attack {task.name} {cell.language} {search}"
                step = self._step("predict", inputs, parent, label)
                run = (cell.model, cell.path, cell.seed)
                place = (*run, task.name, cell.language, search)
                self.plan.attacks.append(Attack(*place, cell.path, step))

    def _transfer(self) -> None:
        """Ask every model about the baseline's worst cases, and the baseline about its own."""
        for victim, source in [*pairs(self.plan.attacks)]:
            asked = self.plan.steps[victim.step]
            inputs = {**asked.inputs, "found_on": source.step}
            label = asked.label.replace("attack", "transfer", 1)
            step = self._step("predict", inputs, asked.parent, label, (source.step,))
            self.plan.add(self._steps[-1])
            self.plan.attacks.append(replace(victim, found_on=source.path, step=step))

    def _train(self, stage: Stage, weights: str, parent: str, seed: int, label: str) -> str:
        options = self.recipe.options()
        inputs = {
            "parent": weights,
            "seed": seed,
            "source": self.source,
            "items": [self._item(one, stage.target) for one in stage.items],
            "options": options,
            "max_steps": self.study.options.max_steps,
            "selection": self._selection(stage) if options["select_every"] else None,
        }
        if self.study.options.pause:
            inputs["pause"] = self.study.options.pause
        return self._step("train", inputs, parent, label)

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
                predict = self._step("predict", dict(look.inputs), parent, f"predict {label}", also)
                inputs = scored(predict, look.language, look.metrics)
                score = self._step("score", inputs, predict, f"score {label}")
                self.plan.kept[score] = Kept(
                    model=model.name,
                    stages=names,
                    seed=seed if number else None,
                    task=look.task,
                    head=look.head,
                    language=look.language,
                    score=score,
                )

    def _item(self, one: StageItem, target: str) -> dict[str, Any]:
        found = self._plain_item(one.item, target)
        if one.steps_of is not None:
            found["steps_of"] = self._plain_item(one.steps_of, "")
        return found

    def _plain_item(self, item: Item, target: str) -> dict[str, Any]:
        task = self.catalogue.get(item.task)
        data = self.catalogue.data(item.task, self.source)
        format_ = "mlm" if item.control == "text" else task.format
        if format_ != "mlm" and self.recipe.text2text and not self._as_text(task):
            raise UserError(
                f"{task.name}: a dual encoder is not trained from text to text: take a recipe "
                "with heads, such as mini"
            )
        return {
            "task": item.task,
            "control": item.control,
            "languages": list(item.languages),
            "rows": item.rows,
            "share": item.share,
            "data": [
                self.sources.fingerprint(task, data, "train", code) for code in item.languages
            ],
            "batch": self.recipe.batch[format_],
            "epochs": self.recipe.target_epochs.get(target, self.recipe.epochs[format_]),
            "max_length": self.recipe.max_length[format_],
            **({"noise": self._training_noise(item, task)} if item.noise else {}),
        }

    def _training_noise(self, item: Item, task: Task) -> dict[str, Any]:
        """The noise of an item's rows: by language what they depend on.

        Raises:
            UserError: if it would change labels, or there is no such perturbation.
        """
        assert item.noise is not None
        found = {}
        for code in item.languages:
            found[code] = declared(item.noise, code, self.sources.mirror)
            check(item.noise.name, task, code)
        return found

    def _selection(self, stage: Stage) -> list[str]:
        """Fingerprints of the English selection rows; raw text has none."""
        found = []
        for one in stage.items:
            task = self.catalogue.get(one.item.task)
            if task.format != "mlm" and one.item.control != "text":
                data = self.catalogue.data(task.name, self.source)
                found.append(self.sources.fingerprint(task, data, "select", "en"))
        return found

    def _imported_stage(self, name: str, model: Model, seed: int, *, needed: bool) -> str:
        """The id of an imported checkpoint; "" where predictions alone were imported."""
        if self.imports is None:
            raise AbsentError(f'"imported({name})": nothing was imported')
        found = self.imports.checkpoint(name, seed)
        if found is None:
            if needed:
                raise self.imports.absent(name, f"no checkpoint of seed {seed}")
            return ""
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
        inputs = self._predicted(evaluation, language, weights)
        label = f"predict {task.name} {language}"
        if perturbation is not None:
            inputs["perturbation"] = perturbation
            label += f" ~{perturbation['noise']}"
        predict = given or self._step("predict", inputs, parent, label)
        names = task.metrics + (text2text.metrics(task) if self._as_text(task) else ())
        inputs = scored(predict, language, names)
        return self._step("score", inputs, predict, f"score {label.removeprefix('predict ')}")

    def _predicted(
        self, evaluation: TargetEvaluation, language: str, weights: str
    ) -> dict[str, Any]:
        """The inputs of a predict step."""
        task = self.catalogue.get(evaluation.task)
        data = self.catalogue.data(task.name, self.source)
        return {
            "weights": weights,
            "task": task.name,
            "language": language,
            "source": self.source,
            "data": self.sources.fingerprint(task, data, "evaluate", language),
            "head": evaluation.head,
            "limits": {
                "max_length": self.recipe.max_length[task.format],
                "max_query_length": self.recipe.max_query_length,
                "doc_stride": self.recipe.doc_stride,
            },
            "precision": self.recipe.precision,
            "max_rows": self.study.options.max_eval_rows,
            **({"text2text": True} if self._as_text(task) else {}),
            **self._beside(task, data, language),
        }

    def _as_text(self, task: Task) -> bool:
        """Whether a task's rows are read and written as text."""
        return self.recipe.text2text and text2text.written(task)

    def _beside(self, task: Task, data: Data, language: str) -> dict[str, Any]:
        """Fingerprints of the candidates, and of what thresholds and layers are chosen on.

        ``tune`` is None where those rows are not there: nothing is chosen beforehand then.
        """
        found: dict[str, Any] = {}
        if data.pool is not None:
            codes = data.pool_languages or (language,)
            found["pool"] = [self.sources.fingerprint(task, data, "pool", code) for code in codes]
        silence = task.unanswerable and not self._as_text(task)  # else it is a word like others
        if data.tune is not None or silence:
            splits: tuple[Split, ...] = ("tune", "tune_pool") if data.tune_pool else ("tune",)
            codes = data.tune_languages or (language,)
            try:
                found["tune"] = [
                    self.sources.fingerprint(task, data, split, code)
                    for split in splits
                    for code in codes
                ]
            except AbsentError:
                found["tune"] = None
        return found

    def _step(
        self,
        kind: Kind,
        inputs: dict[str, Any],
        parent: str,
        label: str,
        also: tuple[str, ...] = (),
    ) -> str:
        step_id = fingerprint([kind, CODE_VERSIONS[kind], inputs])
        self._steps.append(Step(step_id, kind, inputs, parent, label, also))
        return step_id


def _check_text_to_text(study: Study, recipe: Recipe) -> None:
    """Refuse what asks for heads.

    Raises:
        UserError: naming it.
    """
    asked = {
        "measure": study.measure is not None,
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


def scored(predict: str, language: str, names: Iterable[str]) -> dict[str, Any]:
    """The inputs of a score step.

    Args:
        predict: the predictions.
        language: theirs.
        names: of the metrics.
    """
    versions = {name: metrics.get(name).version for name in names}
    return {"predictions": predict, "language": language, "metrics": versions}


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

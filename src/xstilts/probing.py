"""What has to be looked at before a path is chosen: a plan of probes and short runs.

Everything in it sees English training rows alone, and the score of a short run English selection
rows. It is a plan like any other, so what was looked at once is there for the next question.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from xstilts import counting, similarity
from xstilts import plan as planning
from xstilts.errors import AbsentError
from xstilts.forgetting import Looks
from xstilts.path import parse
from xstilts.similarity import FEATURES, SHORT_RUN, SHORT_SHARE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from xstilts.models import Model
    from xstilts.plan import Plan, Step
    from xstilts.recipes import Recipe
    from xstilts.similarity import Feature
    from xstilts.sources import Sources
    from xstilts.store import Store
    from xstilts.study import Study
    from xstilts.tasks import Catalogue

PRETRAINED = ""
Place = tuple[str, str, str]  # feature, intermediate stage under whose short run, task that is seen


@dataclass
class Probing:
    """A plan of probes, and where each of its numbers lies.

    Attributes:
        plan: of train (short), predict, score and probe steps.
        places: (feature, stage, rows of) -> step; the stage is "" under the pretrained encoder.
    """

    plan: Plan
    places: dict[Place, str] = field(default_factory=dict)


def build(
    study: Study,
    recipe: Recipe,
    model: Model,
    catalogue: Catalogue,
    sources: Sources,
    stages: Sequence[str],
    targets: Sequence[str],
    features: Sequence[str],
) -> Probing:
    """The probes of single-task stages before targets.

    Args:
        study: source, options and seeds; the first seed is taken.
        recipe, model, catalogue, sources: as for a plan.
        stages: intermediate stages of one task each, as text.
        targets: target stages as text, such as ``xnli[10k]``.
        features: names in `similarity.FEATURES`, or `similarity.SHORT_RUN`.
    """
    asked = [similarity.get(name) for name in features if name != SHORT_RUN]
    short = SHORT_RUN in features or any(one.short for one in asked)
    made = _Builder(study, recipe, model, catalogue, sources)
    return made.build(stages, targets, asked, short=short)


def passes(plan: Plan, store: Store) -> float:
    """What a plan costs, in forward passes over one row; training counts three."""
    found = 0.0
    for step in plan.steps.values():
        if step.kind == "train":
            steps, _ = counting.optimiser_steps(step, store)
            batch = max(item["batch"] for item in step.inputs["items"])
            found += 3 * steps * batch * step.inputs.get("pause", 1.0)
        elif step.kind == "probe":
            found += step.inputs["rows"] * FEATURES[step.inputs["feature"]].passes
    return found


def seconds(steps: Iterable[Step], store: Store) -> float:
    """What finished steps took; steps that were timed together count once."""
    return sum(counting.clocks(steps, store).values())


def _paths(texts: Iterable[str]) -> dict[str, Any]:
    """What makes a study one of these paths alone."""
    return {"paths": tuple(texts), "targets": (), "intermediate": ("none",), "controls": ()}


class _Builder:
    def __init__(
        self,
        study: Study,
        recipe: Recipe,
        model: Model,
        catalogue: Catalogue,
        sources: Sources,
    ) -> None:
        self.recipe, self.model = recipe, model
        self.catalogue, self.sources = catalogue, sources
        options = study.options.model_copy(update={"pause": SHORT_SHARE})
        self.study = study.model_copy(
            update={"options": options, "analyses": (), "seeds": study.seeds[:1]}
        )
        self.looks = Looks(self.study, recipe, catalogue, sources)
        self.found = Probing(planning.Plan(models={model.fingerprint: model}))

    def build(
        self,
        stages: Sequence[str],
        targets: Sequence[str],
        asked: Sequence[Feature],
        *,
        short: bool,
    ) -> Probing:
        before = [PRETRAINED, *stages]
        paths = {
            (stage, target): str(parse(f"{stage} > {target}" if stage else target))
            for stage in before
            for target in targets
        }
        whole = self._planned(paths.values())
        trained: dict[str, Mapping[str, Any]] = {}  # target or stage -> item it is trained on
        weights: dict[str, str] = {PRETRAINED: ""}  # stage -> its short run
        for (stage, target), path in paths.items():
            cell = next((one for one in whole.cells if one.path == path), None)
            last = whole.steps.get(self._stage_of(whole, cell)) if cell else None
            if last is None:  # not there, or evaluated without training of its own
                continue
            trained[target] = last.inputs["items"][0]
            if stage:
                weights[stage] = last.parent
                trained[stage] = whole.steps[last.parent].inputs["items"][0]
            if short:
                self._train(whole, last)
                self._select(stage, target, last)
        for feature in asked:
            for name, item in trained.items():
                self._probe(feature, PRETRAINED, "", name, item)
            for stage, step in weights.items():
                for target in targets:
                    if stage and feature.short and target in trained:
                        self._probe(feature, stage, step, target, trained[target])
        return self.found

    def _planned(self, paths: Iterable[str]) -> Plan:
        study = self.study.model_copy(update=_paths(paths))
        return planning.build(study, self.recipe, [self.model], self.catalogue, self.sources)

    @staticmethod
    def _stage_of(whole: Plan, cell: Any) -> str:
        return whole.steps[whole.steps[cell.score].parent].parent

    def _train(self, whole: Plan, last: Step) -> None:
        """The short runs of a path."""
        for stage in whole.lineage(last.id):
            self.found.plan.add(stage)

    def _select(self, stage: str, target: str, last: Step) -> None:
        """The score of a short run on English selection rows."""
        task = self.catalogue.get(last.inputs["items"][0]["task"])
        for look in self.looks.of_task(task, last.id, last.id, 0):
            if look.inputs["split"] != "select":
                continue
            predict = self._step("predict", look.inputs, last.id, f"{task.name} en, short run")
            versions = planning.scored(predict, look.language, look.metrics)
            score = self._step("score", versions, predict, f"{task.name} en, short run")
            self.found.places[SHORT_RUN, stage, target] = score

    def _probe(
        self, feature: Feature, stage: str, step: str, name: str, item: Mapping[str, Any]
    ) -> None:
        task = self.catalogue.get(item["task"])
        if task.format not in feature.formats:
            return
        data = self.catalogue.data(task.name, self.study.source)
        try:
            rows = self.sources.fingerprint(task, data, "train", "en")
        except AbsentError:
            return
        inputs = {
            "feature": feature.name,
            "version": feature.version,
            "weights": step or self.model.fingerprint,
            "task": task.name,
            "source": self.study.source,
            "data": rows,
            "rows": min(feature.rows, item["rows"] or feature.rows),
            "limits": {**self.recipe.limits(task.format), "max_length": item["max_length"]},
            "seed": self.study.seeds[0],
        }
        label = f"{feature.name} of {task.name}" + (f" after 5 % of {stage}" if stage else "")
        made = self._step("probe", inputs, step, label)
        self.found.places[feature.name, stage, name] = made

    def _step(self, kind: Any, inputs: Mapping[str, Any], parent: str, label: str) -> str:
        step = planning.Step.of(kind, dict(inputs), parent, f"{kind} {label}")
        self.found.plan.add(step)
        return step.id


def single_tasks(before: str) -> Iterator[str]:
    """The single-task stages that an intermediate is made of: of sequences and of mixtures."""
    for stage in parse(before).stages if before else ():
        for item in stage.items:
            if item.control is None:
                yield str(replace(item, share=None))

"""The measure steps of a study: which checkpoints are compared, on what, and how.

Every target's baseline is measured against every path that trains on something before, both in one
run; of a target of the frontier, the first such path is measured and scored under every variant.
The first seed is measured: a seed changes weights, not what is computed.
"""

from __future__ import annotations

import json
import pathlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from xstilts import hardware
from xstilts import plan as planning
from xstilts.errors import UserError
from xstilts.formats import text2text
from xstilts.models import Model
from xstilts.path import Path, parse
from xstilts.scenario import serving
from xstilts.sources.capped import cap_inputs
from xstilts.steps import HEADS_INDEX
from xstilts.study import BASELINE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from xstilts.plan import Plan, Step
    from xstilts.recipes import Recipe
    from xstilts.scenario import Measure, ScenarioName
    from xstilts.sources import Sources
    from xstilts.store import Finished
    from xstilts.study import Study
    from xstilts.tasks import Catalogue
    from xstilts.tasks.base import Source, Task


@dataclass(frozen=True)
class Measured:
    """One measurement.

    Attributes:
        model, path, target: the checkpoint and whose rows it answers.
        against: the path of the other one; "" where one alone is measured.
        scenario: of `xstilts.scenario`.
        serve: how both answer.
        step: where it is.
    """

    model: str
    path: str
    target: str
    against: str
    scenario: str
    serve: str
    step: str


@dataclass(frozen=True)
class Variant:
    """One way to answer, and what it is worth.

    Attributes:
        model, path, target: the checkpoint and whose rows it answers.
        serve: how it answers.
        base: how the other side answers, which it is compared with.
        scores: language -> score step.
        step: the measure step of the two; "" for the base itself.
    """

    model: str
    path: str
    target: str
    serve: str
    base: str
    step: str
    scores: Mapping[str, str] = field(default_factory=dict)


def add(plan: Plan, study: Study, catalogue: Catalogue, device: str) -> None:
    """Add a study's measurements to its plan.

    Args:
        plan: of the study, otherwise whole.
        study: says what to measure.
        catalogue: the tasks.
        device: where.

    Raises:
        UserError: if a target of the frontier is not one of the study's, or has no head.
    """
    assert study.measure is not None
    _Adding(plan, study, study.measure, catalogue, hardware.name(device)).add()


def of_checkpoints(
    checkpoints: Mapping[str, Model | Finished],
    target: str,
    measure: Measure,
    catalogue: Catalogue,
    sources: Sources,
    source: Source,
    recipe: Recipe,
    *,
    device: str,
    rows: int | None,
) -> Plan:
    """The plan that measures one or two checkpoints on a task's rows, without their paths.

    A checkpoint that has no head for the task gets one drawn at random: a head's values do not
    change how long it takes.

    Args:
        checkpoints: name -> an encoder in a folder, or a stage of the store.
        target: the task.
        measure: how.
        catalogue, sources, source: whose rows.
        recipe: gives lengths.
        device: where.
        rows: of a language, at most.

    Raises:
        UserError: if the task has no evaluation rows there.
    """
    task, data = catalogue.get(target), catalogue.data(target, source)
    if data.evaluate is None:
        raise UserError(f'"{target}" has no rows to evaluate on in source {source}')
    made, ends = planning.Plan(), {}
    rows_of = {
        code: sources.fingerprint(task, data, "evaluate", code)
        for code in data.languages or task.languages
    }
    headless = data.train_on == "" and data.train is None
    as_text = recipe.text2text and text2text.written(task)
    for name, one in checkpoints.items():
        weights, parent, folder = _added(made, name, one)
        shared = {
            "weights": weights,
            "head": None if headless else _fitting(folder, task),
            "source": source,
            "limits": recipe.limits(task.format),
            **cap_inputs(task, rows),
        }
        if as_text:
            shared |= {"text2text": True, "head": data.train_on or task.name}
        ends["", name, target] = [
            planning.Step("", "predict", {**shared, "language": code, "data": found}, parent, "")
            for code, found in rows_of.items()
        ]
    adding = _Adding(made, None, measure, catalogue, hardware.name(device))
    adding.ends = ends
    first, *others = checkpoints
    for scenario in measure.scenarios:
        for other in others or [""]:
            step = adding.step("", first, other, target, scenario, [measure.serve] * 2)
            made.measured.append(Measured("", first, target, other, scenario, measure.serve, step))
    return made


def _added(plan: Plan, name: str, one: Model | Finished) -> tuple[str, str, pathlib.Path]:
    """Add what a checkpoint begins with; its weights, the step that made them or "", its folder."""
    if isinstance(one, Model):
        plan.models[one.fingerprint] = one
        return one.fingerprint, "", pathlib.Path(one.location)
    plan.add(planning.Step(one.id, "train", one.record["inputs"], "", f"train {name}"))
    return one.id, one.id, one.folder


def check_writes(serve: str) -> None:
    """Refuse what a model that writes its answers cannot do.

    Raises:
        UserError: naming it.
    """
    how = serving(serve)
    if how.backend != "torch" or how.drop or how.vocabulary:
        raise UserError(
            f'"{serve}": a model that writes its answers is measured with torch: allowed are '
            "bf16 and max_length=64"
        )


def _fitting(folder: pathlib.Path, task: Task) -> str:
    """The name of a checkpoint's head that answers a task; "" where it has none."""
    index = folder / HEADS_INDEX
    heads = json.loads(index.read_text(encoding="utf-8")) if index.is_file() else {}
    wanted = {"format": task.format, "labels": list(task.labels)}
    return next((name for name, about in heads.items() if about == wanted), "")


Ends = dict[tuple[str, str, str], "list[Step]"]  # model, path, target -> predict steps


class _Adding:
    def __init__(
        self, plan: Plan, study: Study | None, measure: Measure, catalogue: Catalogue, machine: str
    ) -> None:
        self.plan, self.study, self.measure = plan, study, measure
        self.catalogue, self.machine = catalogue, machine
        self.ends: Ends = {}
        for cell in plan.cells:
            if study is None or cell.seed in (None, study.seeds[0]):
                predict = plan.steps[plan.steps[cell.score].parent]
                if not predict.inputs.keys() & {"imported", "split", "head_of"}:
                    self.ends.setdefault((cell.model, cell.path, cell.target), []).append(predict)

    def add(self) -> None:
        """Add all steps."""
        for model, path, against, target in self._pairs():
            for scenario in self.measure.scenarios:
                step = self.step(model, path, against, target, scenario, [self.measure.serve] * 2)
                how = self.measure.serve
                one = Measured(model, path, target, against, scenario, how, step)
                self.plan.measured.append(one)
        for target in self.measure.frontier:
            self._frontier(target)

    def _pairs(self) -> Iterator[tuple[str, str, str, str]]:
        """Model, path, the path it is compared with or "", and target."""
        for model, path, target in self.ends:
            others = [
                other
                for other in self._after(path)
                if (model, other, target) in self.ends and other != path
            ]
            for other in others:
                yield model, path, other, target
            if not others and not self._is_after(model, path, target):
                yield model, path, "", target

    def _after(self, path: str) -> list[str]:
        """The paths that train on something before this one's stages."""
        assert self.study is not None
        given = [text for text in self.study.intermediate if text != BASELINE]
        own = parse(path)
        found = [str(Path(parse(text).stages + own.stages, own.evaluations)) for text in given]
        literal = self.study.paths
        return [*found, *(literal[1:] if literal and path == literal[0] else ())]

    def _is_after(self, model: str, path: str, target: str) -> bool:
        return any(
            path in self._after(before)
            for other, before, name in self.ends
            if (other, name) == (model, target) and before != path
        )

    def step(
        self,
        model: str,
        path: str,
        against: str,
        target: str,
        scenario: ScenarioName,
        serves: Sequence[str],
    ) -> str:
        """Add one measure step; returns its id."""
        paths = [path, *[against] * bool(against)]
        ends = [self.ends[model, one, target] for one in paths]
        languages = [one.inputs["language"] for one in ends[0]]
        first = ends[0][0].inputs
        settings = self.measure.model_dump(include={"threads", "queries", "seconds"})
        settings["name"] = scenario
        if scenario != "singlestream":
            settings["batch"] = self.measure.batch
        if scenario == "server":
            settings["bound_ms"] = self.measure.bound_ms
        inputs = {
            "sides": [
                {
                    "weights": end[0].inputs["weights"],
                    "head": end[0].inputs["head"],
                    "serve": serve,
                }
                for end, serve in zip(ends, serves, strict=False)
            ],
            "task": target,
            "source": first["source"],
            "languages": languages,
            "data": [one.inputs["data"] for one in ends[0]],
            "limits": first["limits"],
            **{name: first[name] for name in ("max_rows", "capped") if name in first},
            "scenario": settings,
            "hardware": self.machine,
        }
        if first.get("text2text"):
            inputs["text2text"] = True
            for serve in serves:
                check_writes(serve)
        label = f"measure {scenario} of {target}: {path}"
        if against and against != path:
            label += f" and {against}"
        elif against:
            label += f" ({serves[0]} and {serves[1]})"
        parents = [end[0].parent for end in ends]
        also = tuple(one for one in parents[1:] if one and one != parents[0])
        return self._made(planning.Step.of("measure", inputs, parents[0], label, also))

    def _made(self, step: planning.Step) -> str:
        self.plan.add(step)
        return step.id

    def _frontier(self, target: str) -> None:
        found = [(model, path) for model, path, name in self.ends if name == target]
        if not found:
            raise UserError(f'measure.frontier: "{target}" is no target of the study that can run')
        for model in dict.fromkeys(model for model, _ in found):
            paths = [path for one, path in found if one == model]
            after = [path for path in paths if self._is_after(model, path, target)]
            self._variants(model, (after or paths)[0], target)

    def _variants(self, model: str, path: str, target: str) -> None:
        ends, base = self.ends[model, path, target], self.measure.serve
        if self.catalogue.get(target).format == "retrieval":
            raise UserError(
                f'measure.frontier: "{target}" is retrieval, which variants are not scored on: '
                "take a target of another format"
            )
        for serve in (base, *self.measure.variants):
            step = ""
            if serve != base:
                step = self.step(model, path, path, target, "singlestream", [base, serve])
            scores = {one.inputs["language"]: self._scored(one, serve) for one in ends}
            self.plan.frontier.append(Variant(model, path, target, serve, base, step, scores))

    def _scored(self, predict: Step, serve: str) -> str:
        """The score of a language when answered so; the usual one where that is the usual way."""
        how = serving(serve)
        (usual,) = (one for one in self.plan.children(predict.id) if one.kind == "score")
        if str(replace(how, precision="fp32")) == "torch" and (
            how.precision == predict.inputs["precision"]
        ):
            return usual.id
        inputs = {**predict.inputs, "serve": serve, "precision": how.precision}
        if how.max_length:
            limits = predict.inputs["limits"]
            shorter = min(limits["max_length"], how.max_length)
            inputs["limits"] = {**limits, "max_length": shorter}
        made = self._made(planning.Step.of("predict", inputs, predict.parent, predict.label))
        scored = {**usual.inputs, "predictions": made}
        return self._made(planning.Step.of("score", scored, made, usual.label))

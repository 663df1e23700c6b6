"""A study: what a person declares in one YAML file, as a frozen object.

A study is models x paths x seeds, with evaluations and analyses. Here its form is checked, and
its paths are spelled out; what its names stand for, the catalogue says. ``load`` answers every
mistake in a file with one line that names the file, the line and the key, and ``of`` every mistake
in values of Python.
"""

from __future__ import annotations

import pathlib
import re
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationError,
    model_validator,
)
from pydantic_core import PydanticCustomError

from xstilts import mistakes, orders
from xstilts.errors import UserError
from xstilts.path import Mixture, Path, parse, parse_noise
from xstilts.recipes import Lora
from xstilts.scenario import Measure
from xstilts.yamlfile import YamlFile

if TYPE_CHECKING:
    from collections.abc import Iterator

BASELINE = "none"  # the intermediate that stands for no intermediate task
ORDER = "order"  # the analysis of sequences; it tracks what earlier stages' tasks lose
READY_MADE = pathlib.Path(__file__).parent / "studies"  # those that come with xstilts


def _unexpected(expected: str, *key: str | int) -> PydanticCustomError:
    """The error for a value, or for what it holds at key: "found ..., expected ..."."""
    return PydanticCustomError("unexpected", "expected {what}", {"what": expected, "key": key})


def _fault(reason: str, *key: str | int) -> PydanticCustomError:
    """The error that says all there is to say in its own words."""
    return PydanticCustomError("fault", "{reason}", {"reason": reason, "key": key})


def _file_safe(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,79}", name):
        likely = re.sub(r"[^A-Za-z0-9_.-]+", "-", name).strip("-._")[:80]
        hint = f'; write "{likely}"' if likely else ""
        allowed = 'at most 80 letters, digits, "_", "-" and ".", the first a letter or a digit'
        raise _unexpected(allowed + hint)
    return name


def _path(text: str) -> str:
    try:
        return str(parse(text))
    except UserError as error:
        raise _fault(str(error)) from None


def _intermediate(text: str) -> str:
    if parse(text := _path(text)).evaluations:
        raise _unexpected("training stages alone; evaluations belong in targets or paths")
    return text


def _target(text: str) -> str:
    path = parse(text := _path(text))
    items = [item for stage in path.stages for item in stage.items]
    if path.evaluations or len(items) != 1 or items[0].control:
        raise _unexpected('one task; a whole path belongs in "paths"')
    return text


def _noise(text: str) -> str:
    try:
        return str(parse_noise(text))
    except UserError as error:
        raise _fault(str(error)) from None


T = TypeVar("T")


def _margin(text: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9_]*@(?=.*[1-9])[0-9]+(\.[0-9]+)?", text):
        raise _unexpected('a target, "mean" or "doubling", and points above 0, as in xnli@1.0')
    return text


def _is_ordered(entry: object) -> bool:
    return isinstance(entry, str) and orders.is_ordered(entry)


def _in_orders(key: str, entries: Any) -> tuple[Any, ...]:
    """The entries, each ``order(...)`` replaced by its paths, but for those that stand there."""
    found: list[Any] = []
    for index, entry in enumerate(entries):
        if not _is_ordered(entry):
            found.append(entry)
            continue
        try:
            spelled = map(str, orders.paths(entry))
        except UserError as error:
            raise _fault(str(error), key, index) from None
        found += [path for path in spelled if path not in found]
    return tuple(found)


def _each_once(entries: tuple[T, ...]) -> tuple[T, ...]:
    for index, entry in enumerate(entries):
        if entry in entries[:index]:
            raise _unexpected("each entry once", index)
    return entries


def _one_or_many(value: object) -> str | None:
    return "one" if isinstance(value, str) else "many" if isinstance(value, list | tuple) else None


Text = Annotated[str, Field(min_length=1)]
# The first three are families of tests; the others are questions.
Analysis = Literal[
    "gains", "controls", "targets", "claims", "scaling", "speed", "robustness", "order", "ladder"
]
Seed = Annotated[int, Field(strict=True, ge=0, lt=2**31)]
Limit = Annotated[int, Field(strict=True, ge=1, lt=2**31)]
Rate = Annotated[float, Field(gt=0, lt=1)]
Unique = Annotated[tuple[T, ...], AfterValidator(_each_once)]
Targets = Annotated[
    Annotated[Text, Tag("one")]
    | Annotated[Unique[Annotated[str, AfterValidator(_target)]], Tag("many")],
    Discriminator(
        _one_or_many,
        custom_error_type="unexpected",
        custom_error_message="expected {what}",
        custom_error_context={"what": "the name of a suite, or a list of tasks"},
    ),
]


class Options(BaseModel):
    """Caps for a quick look. They stand in every row of the results.

    Attributes:
        max_eval_rows: evaluate at most this many rows of a task and language: the first ones; where
            rows come article by article, one of each, then a second of each.
        max_steps: train at most this many optimiser steps a stage.
        pause: stop every stage after this share of its steps, its schedule being that of the whole.
        attack_rows: attack this many rows of a task and language.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_eval_rows: Limit | None = None
    max_steps: Limit | None = None
    pause: Annotated[float, Field(gt=0, lt=1)] | None = None
    attack_rows: Limit = 100


class LoraOptions(BaseModel):
    """Low-rank adapters, as `recipes.Lora` has them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rank: Limit = Lora.rank
    alpha: Annotated[float, Field(gt=0)] = Lora.alpha
    targets: Annotated[Unique[Text], Field(min_length=1)] = Lora.targets


_WITHIN: dict[str, type[BaseModel]] = {"options": Options, "measure": Measure, "lora": LoraOptions}


class Study(BaseModel):
    """One declared study. Lists hold each entry once; paths are kept as canonical text.

    Attributes:
        name: names the folder of the study's report.
        about: what it asks, in one line.
        models: Hugging Face names or folders of encoders.
        ladders: models that are one kind in several sizes, kind by kind; empty: all models are.
        learning_rates: every path is trained with each, in place of the recipe's; which one counts
            for a model is chosen on English selection rows.
        intermediate: what is trained before a target: ``none``, one stage, or several.
        targets: the name of a suite, or a list of tasks.
        paths: further paths, written out.
        seeds: each seed covers every path from its first stage on.
        controls: which controls to run for every intermediate that is a single task.
        perturbations: evaluated beside the clean rows, where labels hold; as ``keyboard@0.1``.
        attacks: searches for the few edits that change an answer.
        source: where the tasks' data comes from.
        recipe: the name of the training recipe.
        lora: train low-rank adapters; None: what the recipe says.
        analyses: what the study is for, declared before anything runs: families of tests, which
            get p-values (docs/statistics.md), and questions of a report.
        margins: the points within which a gain counts as none (equivalence), on a target or on the
            mean, as ``xnli@1.0`` or ``mean@0.5``; as ``doubling@0.3``, those that it may change by
            when a model doubles and still counts as constant.
        keep: which weights stay in the store when the study is done.
        options: caps for a quick look.
        measure: what is measured of inference; None: nothing.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, AfterValidator(_file_safe)]
    about: str = ""
    models: Annotated[Unique[Text], Field(min_length=1)] = ("mini",)
    ladders: tuple[Unique[Text], ...] = ()
    learning_rates: Unique[Rate] = ()
    intermediate: Unique[Annotated[str, AfterValidator(_intermediate)]] = (BASELINE,)
    targets: Targets = ()
    paths: Unique[Annotated[str, AfterValidator(_path)]] = ()
    seeds: Annotated[Unique[Seed], Field(min_length=1)] = (1,)
    controls: Unique[Literal["shuffled", "text", "same_steps"]] = ()
    perturbations: Unique[Annotated[str, AfterValidator(_noise)]] = ()
    attacks: Unique[Literal["greedy", "beam", "gradient"]] = ()
    source: Literal["hub", "mirror", "microworld", "files"] = "microworld"
    recipe: Text = "mini"
    lora: LoraOptions | None = None
    analyses: Unique[Analysis] = ()
    margins: Unique[Annotated[str, AfterValidator(_margin)]] = ()
    keep: Literal["all", "intermediates", "none"] = "all"
    options: Options = Options()
    measure: Measure | None = None

    @model_validator(mode="before")
    @classmethod
    def _orders_spelled_out(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        spelled: dict[str, Any] = {
            key: _in_orders(key, data[key])
            for key in ("intermediate", "paths")
            if _one_or_many(data.get(key)) == "many" and any(map(_is_ordered, data[key]))
        }
        analyses = data.get("analyses", ())
        if spelled and _one_or_many(analyses) == "many" and ORDER not in analyses:
            spelled["analyses"] = (*analyses, ORDER)
        return data | spelled

    @model_validator(mode="after")
    def _has_something_to_run(self) -> Study:
        if not self.targets and not self.paths:
            raise _fault('nothing to run; write "targets" (and "intermediate"), or "paths"')
        for key in ("intermediate", "controls"):
            if key in self.model_fields_set and getattr(self, key) and not self.targets:
                raise _fault('needs "targets", which is missing', key)
        if self.targets and not self.intermediate and not self.controls:
            raise _fault("names no path; write [none] for the baseline alone", "intermediate")
        if self.controls and not list(self._controlled()):
            raise _fault('needs an entry of one task in "intermediate", such as mnli', "controls")
        return self

    @model_validator(mode="after")
    def _has_its_ladders_models(self) -> Study:
        seen: set[str] = set()
        for number, rungs in enumerate(self.ladders):
            if len(rungs) < 2:
                raise _unexpected("two models or more", "ladders", number)
            for place, model in enumerate(rungs):
                if model not in self.models:
                    raise _unexpected('one of "models"', "ladders", number, place)
                if model in seen:
                    raise _unexpected("each model on one ladder", "ladders", number, place)
                seen.add(model)
        return self

    def _controlled(self) -> Iterator[Mixture]:
        """The controls of every intermediate of a single task."""
        for text in self.intermediate:
            stages = () if text == BASELINE else parse(text).stages
            if len(stages) == 1 and len(stages[0].items) == 1 and not stages[0].items[0].control:
                for control in self.controls:
                    yield Mixture((replace(stages[0].items[0], control=control),))

    def expand(self, targets: tuple[str, ...]) -> tuple[Path, ...]:
        """All paths of the study, each once, in the order of the file.

        Target by target: the baseline (where ``none`` is declared, and always beside controls),
        every intermediate, the controls. Then the study's literal paths.

        Args:
            targets: the target tasks, a suite replaced by its tasks; or the path of a target's
                baseline, which intermediate stages come before.
        """
        before = [() if text == BASELINE else parse(text).stages for text in self.intermediate]
        if self.controls or () in before:
            before = [(), *before]
        before += [(control,) for control in self._controlled()]
        last = [parse(target) for target in targets]
        planned = [Path(first + end.stages, end.evaluations) for end in last for first in before]
        return tuple(dict.fromkeys([*planned, *map(parse, self.paths)]))


def ready_made() -> dict[str, pathlib.Path]:
    """The studies that come with xstilts: name -> file."""
    return dict(sorted((path.stem, path) for path in READY_MADE.glob("*.yaml")))


def file_of(text: str) -> pathlib.Path | None:
    """The study file that a word of the command line stands for; None where it is a path.

    Args:
        text: a YAML file, the name of a ready-made study, or a path.
    """
    if text.endswith((".yaml", ".yml")):
        return pathlib.Path(text)
    return ready_made().get(text)


_MODELS = {"": Study} | _WITHIN


def of(fields: dict[str, Any]) -> Study:
    """The study of these fields, as Python has them.

    Raises:
        UserError: one line for the first that is wrong, with its key and its value.
    """
    try:
        return Study.model_validate(fields)
    except ValidationError as error:
        raise mistakes.first(error, "", partial(mistakes.in_values, fields), _MODELS) from None


def load(path: pathlib.Path) -> Study:
    """Reads a study from a YAML file.

    Raises:
        UserError: one line for whatever is wrong with the file, with its name, and the line, the
            key and the value where there is one.
    """
    ready = (
        f'"{path.stem}" without an ending is the ready-made study'
        if path.stem in ready_made()
        else '"xstilts studies" lists the ready-made ones'
    )
    file = YamlFile.read(path, ready)
    keys = file.keys()
    if "format" in keys and not keys & set(Study.model_fields) - {"name", "about"}:
        raise UserError(
            f"{path} is a task file, not a study: give --task {path} beside a path with the "
            "task's name in it"
        )
    return file.checked(Study.model_validate, _MODELS)

"""The graph of a study: steps, and the cells that say which score stands where."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from xstilts.identity import canonical_json, fingerprint
from xstilts.steps import CODE_VERSIONS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from xstilts.adversity import Attack
    from xstilts.forgetting import Kept
    from xstilts.ladders import Rung
    from xstilts.measures import Measured, Variant
    from xstilts.models import Model

Kind = Literal["train", "predict", "score", "probe", "measure"]
# What predictions of one sorted stream may differ in.
_IN_ONE_STREAM = ("language", "data", "pool", "tune", "perturbation", "moves", "found_on")


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

    @classmethod
    def of(
        cls,
        kind: Kind,
        inputs: Mapping[str, Any],
        parent: str,
        label: str,
        also: tuple[str, ...] = (),
    ) -> Step:
        """The step with its name; arguments as in the attributes."""
        name = fingerprint([kind, CODE_VERSIONS[kind], inputs])
        return cls(name, kind, inputs, parent, label, also)

    @property
    def together(self) -> str:
        """A name that steps share which are done in one go: of one clock, with one model loaded.

        All languages and perturbations of a task with the same weights and options are predicted
        together, and all tasks are probed together with one encoder. Others stand alone.
        """
        match self.kind:
            case "predict":
                alike = {k: v for k, v in self.inputs.items() if k not in _IN_ONE_STREAM}
                return canonical_json([alike, "found_on" in self.inputs])
            case "probe":
                return f"probe {self.inputs['weights']}"
            case _:
                return self.id

    @property
    def as_text(self) -> bool:
        """Whether it trains, or answers with, the whole of an encoder-decoder."""
        options = self.inputs.get("options", {})
        return bool(self.inputs.get("text2text") or options.get("text2text"))

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
        kept: (model, score) -> what sequences keep of earlier stages, where the study asks for it.
        absent: path -> why it is not run.
        notes: path -> what to know of its meaning in the source; model -> likewise of its recipe.
        models: fingerprint -> pretrained model.
        rungs: the models as cells name them, in the order of the study.
        keep: which weights stay when the study is done.
        targets: the study's target tasks, over which means are taken; empty: whatever is scored.
        analyses, margins: what the study declared.
        measured: what is measured of inference, in the order of the study.
        frontier: other ways to answer, with their scores and their times.
        main_metrics: target -> the metrics whose mean is the task's score.
        baselines: target -> the path of the suite's own baseline, where it has stages of its own.
        contents: the files and datasets that were fingerprinted -> their fingerprints.
    """

    steps: dict[str, Step] = field(default_factory=dict)
    cells: list[Cell] = field(default_factory=list)
    perturbed: list[Cell] = field(default_factory=list)
    attacks: list[Attack] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    kept: dict[tuple[str, str], Kept] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    models: dict[str, Model] = field(default_factory=dict)
    rungs: list[Rung] = field(default_factory=list)
    keep: str = "all"
    targets: tuple[str, ...] = ()
    main_metrics: dict[str, tuple[str, ...]] = field(default_factory=dict)
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

    def root(self, step: Step) -> str:
        """The fingerprint of the pretrained model that a step began with."""
        first = (*self.lineage(step.parent), step)[0]
        return str(first.inputs.get("parent") or first.inputs.get("weights"))

    def began_with(self, steps: Iterable[Step]) -> dict[str, Model]:
        """The pretrained models that steps and what they read began with; not what was imported."""
        found: dict[str, None] = {}
        for step in steps:
            found |= dict.fromkeys(map(self.root, (step, *self._also(step))))
            # What is measured may be a pretrained model itself, which no step of the plan made.
            found |= {side["weights"]: None for side in step.inputs.get("sides", ())}
        return {root: self.models[root] for root in found if root in self.models}

    def _also(self, step: Step) -> list[Step]:
        return [self.steps[one] for one in step.also if one in self.steps]

    def lineage(self, step_id: str) -> tuple[Step, ...]:
        """A step and what it was made from, the first one first; none of a pretrained model."""
        found: list[Step] = []
        while step_id in self.steps:
            found.insert(0, self.steps[step_id])
            step_id = found[0].parent
        return tuple(found)

    def children(self, step_id: str) -> list[Step]:
        """The steps that read this one's files."""
        return self._children.get(step_id, [])

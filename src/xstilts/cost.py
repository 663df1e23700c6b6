"""What a plan takes: tokens and FLOPs, hours of a device, disk; from shapes and row counts alone.

Nothing is opened and no weights are read, so this says what a study costs before anybody has a
cluster. It rests on assumptions, which it names: tokens of a unit, and the share of a device's peak
that training and prediction reach. An optimiser step also moves every parameter and its moments
through memory, which small steps of a large model spend much of their time on. What was measured is
better; this is for what was not.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from xstilts import sizes
from xstilts.cards import CARDS, PREDICTION_SHARE, Memory, Setup, fits, memory, training_hours
from xstilts.engines.groups import is_intermediate
from xstilts.tasks import counts

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from xstilts.plan import Plan, Step
    from xstilts.sizes import Architecture
    from xstilts.tasks import Catalogue

# Assumed, of a unit: pairs and questions as measured on XNLI and SQuAD (docs/clusters.md), others
# estimated; never more than the recipe's greatest length.
TOKENS: Mapping[str, int] = MappingProxyType(
    {
        "classification": 40,
        "multiple_choice": 360,
        "tagging": 35,
        "span": 175,
        "retrieval": 35,
        "mlm": 128,
    }
)
SEQUENCES: Mapping[str, int] = MappingProxyType({"multiple_choice": 4})
# Rows that the hub does not count: those that the datasets' papers give, per language.
ROWS: Mapping[tuple[str, str], int] = MappingProxyType(
    {
        ("ccg", "train"): 38_015,
        ("tydiqa", "train"): 3_696,
        ("mlm", "train"): 14_000,  # WikiANN: 20,000 in half of its languages, 100 in the smallest
        ("panx", "evaluate"): 7_500,
        ("mlqa", "evaluate"): 6_500,
        ("udpos", "evaluate"): 1_500,
        ("bucc2018", "evaluate"): 20_000,
    }
)
CARD_GIB = (24, 40, 80)  # that the smallest set-ups are shown for, unless one is asked for
USUAL_RANK = 16  # of adapters, where the plan has none
ROW_BYTES = 60  # of a row of predictions on the disk


@dataclass(frozen=True)
class Setting:
    """A card and how to use it.

    Attributes:
        card: its name.
        precision: of the recipe.
        cards: that one stage takes; 0 where `cards.MOST_CARDS` do not hold it.
        micro_batch: tokens of a micro-batch that fit.
        hours: of cards, for all stages and predictions.
    """

    card: str
    precision: str
    cards: int
    micro_batch: int
    hours: float


@dataclass
class Cost:
    """What a plan takes on one kind of model.

    Attributes:
        model: its name.
        parameters: of the encoder with its embeddings, which is what is used.
        embeddings: of them.
        whole_parameters: of the whole model, with a decoder if it has one.
        published: the same, as its paper gives it; "" where nobody does.
        length: the longest sequence of a stage.
        rank: of the plan's adapters; 0: everything is trained.
        text2text: whether the whole model is trained from text to text; hours and memory are those
            of the encoder even then.
        memory: of a card, by what is trained and how many share it.
        setups: the smallest that fit.
        stages: training runs.
        optimiser_steps: of all stages.
        training_tokens: of all stages.
        training_flops: of all stages.
        prediction_tokens: of all predictions.
        prediction_flops: of all predictions.
        widest: stages that can run side by side at most.
        longest: the path whose training takes longest, as (FLOPs, optimiser steps): no number of
            cards is faster.
        disk_bytes: ``keep`` -> weights, predictions and resume points of one stage under way.
        unknown: tasks whose rows nobody has counted; they are left out.
        settings: from the fewest hours on.
    """

    model: str
    parameters: int
    embeddings: int = 0
    whole_parameters: int = 0
    published: str = ""
    length: int = 1
    rank: int = 0
    text2text: bool = False
    memory: list[Memory] = field(default_factory=list)
    setups: list[Setup] = field(default_factory=list)
    stages: int = 0
    optimiser_steps: int = 0
    training_tokens: float = 0.0
    training_flops: float = 0.0
    prediction_tokens: float = 0.0
    prediction_flops: float = 0.0
    widest: int = 0
    longest: tuple[float, int] = (0.0, 0)
    disk_bytes: dict[str, float] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)
    settings: list[Setting] = field(default_factory=list)


def cost(plan: Plan, catalogue: Catalogue, gib: float | None = None) -> list[Cost]:
    """What a plan takes, for each of its models whose shape is known by name.

    Args:
        plan, catalogue: of the study.
        gib: memory of a card that set-ups are looked for on; None: on usual ones.
    """
    return [
        _Sum(plan, catalogue, shape, model.name).of(model.fingerprint, gib)
        for model in plan.models.values()
        if (shape := sizes.known(model.name)) is not None
    ]


class _Sum:
    """Adds up the steps of one model."""

    def __init__(self, plan: Plan, catalogue: Catalogue, shape: Architecture, name: str) -> None:
        self._plan, self._catalogue, self._shape = plan, catalogue, shape
        self._cost = Cost(
            name,
            shape.encoder_parameters,
            shape.embedding_parameters,
            shape.whole_parameters,
            sizes.PUBLISHED.get(name.rpartition("/")[2], ""),
        )
        self._unknown: set[str] = set()

    def of(self, model: str, gib: float | None) -> Cost:
        found = self._cost
        below = self._steps(model)
        stages = [step for step in below if step.kind == "train" and "imported" not in step.inputs]
        items = [item for step in stages for item in step.inputs["items"]]
        found.length = max((item["max_length"] for item in items), default=1)
        options = [step.inputs.get("options", {}) for step in stages]
        found.rank = max((one.get("lora", {}).get("rank", 0) for one in options), default=0)
        found.text2text = any(one.get("text2text") for one in options)
        so_far: dict[str, tuple[float, int]] = {}
        levels: defaultdict[int, int] = defaultdict(int)
        level: dict[str, int] = {}
        for step in stages:
            steps, tokens, flops = self._training(step)
            found.optimiser_steps += steps
            found.training_tokens += tokens
            found.training_flops += flops
            before = so_far.get(step.parent, (0.0, 0))
            so_far[step.id] = before[0] + flops, before[1] + steps
            level[step.id] = level.get(step.parent, 0) + 1
            levels[level[step.id]] += 1
        rows = 0.0
        for step in below:
            if step.kind == "predict":
                count, tokens, flops = self._prediction(step)
                rows += count
                found.prediction_tokens += tokens
                found.prediction_flops += flops
        found.stages = len(stages)
        found.widest = max(levels.values(), default=0)
        found.longest = max(so_far.values(), default=(0.0, 0))
        found.unknown = sorted(self._unknown)
        kept = sum(is_intermediate(self._plan, step) for step in stages)
        weights = sizes.WEIGHT_BYTES * self._shape.encoder_parameters
        under_way = 7 * weights + ROW_BYTES * rows  # two resume points and what is being written
        found.disk_bytes = {
            "all": weights * len(stages) + under_way,
            "intermediates": weights * kept + under_way,
            "none": under_way,
        }
        found.settings = sorted(self._settings(), key=lambda one: one.hours)
        found.memory = list(memory(self._shape, found.length, found.rank or USUAL_RANK))
        found.setups = [
            Setup(
                size,
                rank,
                precision,
                fits(self._shape, found.length, precision, size, rank)[0],
            )
            for size in ([gib] if gib else CARD_GIB)
            for rank in (0, found.rank or USUAL_RANK)
            for precision in sizes.PRECISIONS
        ]
        return found

    def _steps(self, model: str) -> list[Step]:
        found: list[Step] = []
        mine: set[str] = set()
        for step in self._plan.steps.values():
            start = step.inputs.get("parent" if step.kind == "train" else "weights")
            if step.parent in mine or start == model:
                mine.add(step.id)
                found.append(step)
        return found

    def _rows(self, task: str, source: str, split: str, languages: Iterable[str]) -> int:
        counted = counts.rows(task, source, split)
        usual = ROWS.get((task, split))
        if usual is None and split == "train":  # translations have as many rows
            usual = counted.get("en")
        found = 0
        for language in languages:
            rows = counted.get(language, usual)
            if rows is None:
                self._unknown.add(task)
            found += rows or 0
        return found

    def _unit(self, format_: str, longest: int) -> tuple[float, float]:
        """Tokens of a unit, and of each of its sequences."""
        sequences = SEQUENCES.get(format_, 1)
        length = min(TOKENS[format_] / sequences, longest)
        return sequences * length, length

    def _training(self, step: Step) -> tuple[int, float, float]:
        """Optimiser steps, tokens and FLOPs of a stage."""
        options, items = step.inputs["options"], step.inputs["items"]
        parts = []
        for item in items:
            rows = self._units(item, step.inputs["source"])
            if "steps_of" in item:
                steps = self._own_steps(item["steps_of"], step, len(items))
            else:
                steps = self._own_steps(item, step, len(items))
            cap = min(rows, options["cap"] or rows)
            weight = cap ** (1 / options["temperature"])
            parts.append((item, steps, weight))
        shares = sum(item["share"] or 0.0 for item, _, _ in parts)
        free = sum(steps for item, steps, _ in parts if item["share"] is None)
        total = free / (1 - shares) if free else sum(steps for _, steps, _ in parts)
        total = min(total, step.inputs["max_steps"] or total)
        weights = sum(weight for item, _, weight in parts if item["share"] is None)
        tokens = flops = 0.0
        for item, _, weight in parts:
            share = item["share"]
            if share is None:
                share = (1 - shares) * weight / weights if weights else 0.0
            each, length = self._unit(self._format(item), item["max_length"])
            mine = share * total * item["batch"] * each
            tokens += mine
            flops += mine * self._shape.training_flops(length)
        return round(total), tokens, flops

    def _format(self, item: Mapping[str, Any]) -> str:
        return "mlm" if item["control"] == "text" else self._catalogue.get(item["task"]).format

    def _units(self, item: Mapping[str, Any], source: str) -> int:
        rows = self._rows(item["task"], source, "train", item["languages"])
        return min(rows, item["rows"] or rows)

    def _own_steps(self, item: Mapping[str, Any], step: Step, items: int) -> int:
        units = self._units(item, step.inputs["source"])
        if items > 1 and (cap := step.inputs["options"]["cap"]):
            units = min(units, cap)
        return int(item["epochs"] * math.ceil(units / item["batch"]))

    def _prediction(self, step: Step) -> tuple[float, float, float]:
        """Rows, tokens and FLOPs of a prediction."""
        inputs = step.inputs
        task = self._catalogue.get(inputs["task"])
        rows = self._rows(task.name, inputs["source"], "evaluate", [inputs["language"]])
        rows = min(rows, inputs["max_rows"] or rows)
        each, length = self._unit(task.format, inputs["limits"]["max_length"])
        tokens = rows * each * (2 if task.format == "retrieval" else 1)
        return rows, tokens, tokens * self._shape.forward_flops(length)

    def _settings(self) -> Iterable[Setting]:
        found = self._cost
        for name, card in CARDS.items():
            for precision, tflops in card.tflops.items():
                cards, tokens = fits(self._shape, found.length, precision, card.gib, found.rank)
                work = found.training_flops, found.optimiser_steps
                hours = training_hours(*work, self._shape, card, precision, found.rank)
                hours += found.prediction_flops / PREDICTION_SHARE / (tflops * 1e12) / 3600
                yield Setting(name, precision, cards, tokens, hours if cards else math.inf)

"""Leaks of a whole plan: every split that it trains on or selects with beside what it evaluates.

What two splits share is a function of their rows, so it is kept in the store under their
fingerprints and found once. A run compares what is not known yet; a plan only says what is.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from xstilts.disk.files import disk_errors, make_folder, read_marker, write_marker
from xstilts.disk.scratch import scratch
from xstilts.identity import fingerprint
from xstilts.sources.leaks import VERSION, Leak, Texts

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator
    from pathlib import Path

    from xstilts.formats.examples import Example
    from xstilts.plan import Plan, Step
    from xstilts.sources import Split
    from xstilts.tasks import Catalogue
    from xstilts.tasks.base import Data, Source, Task

    Examples = Callable[[Task, Data, Split, str], list[Example]]

FOLDER = "leaks"  # in the store


@dataclass(frozen=True)
class Side:
    """One split in some languages.

    Attributes:
        data: fingerprints of its rows, in the order of the languages.
    """

    task: str
    split: Split
    languages: tuple[str, ...]
    data: tuple[str, ...]


@dataclass(frozen=True)
class Pair:
    """What is trained on or selected with, and what is evaluated after it."""

    source: Source
    seen: Side
    evaluated: Side

    @property
    def name(self) -> str:
        """The same for equal rows, whatever the plan."""
        return fingerprint([VERSION, list(self.seen.data), list(self.evaluated.data)])

    def told(self, leak: Leak) -> str:
        """A leak in one line."""
        role = "training" if self.seen.split == "train" else "selection"
        codes = " ".join(self.evaluated.languages[:3]) + " ..." * (
            len(self.evaluated.languages) > 3
        )
        return (
            f"leak: {role} rows of {self.seen.task} hold {leak.shared_paragraphs:,} of "
            f"{leak.paragraphs:,} paragraphs and {leak.shared_sentences:,} of {leak.sentences:,} "
            f"sentences of {self.evaluated.task} ({codes})"
        )


def pairs(plan: Plan, catalogue: Catalogue, steps: Collection[str] | None = None) -> list[Pair]:
    """The pairs of a plan, each once.

    Evaluation rows are compared in the languages of the training rows and in English; where the
    target has none of these (the English side of retrieval), in all of its own.

    Args:
        plan: the whole plan.
        catalogue: the tasks.
        steps: the ids of the predictions that matter; None: all of them.
    """
    evaluations: dict[tuple[str, str], dict[str, Any]] = {}  # (weights, task) -> by language
    for step in plan.steps.values():
        matters = steps is None or step.id in steps
        scores = step.kind == "predict" and "split" not in step.inputs  # not what is kept
        if scores and step.parent in plan.steps and matters:
            here = evaluations.setdefault((step.parent, step.inputs["task"]), {})
            here[step.inputs["language"]] = step.inputs
    found: dict[str, Pair] = {}
    for (stage_id, task), by_language in evaluations.items():
        source = next(iter(by_language.values()))["source"]
        for stage in plan.lineage(stage_id):
            for seen in _sides(stage, catalogue):
                common = [code for code in by_language if code in (*seen.languages, "en")]
                codes = tuple(common or by_language)
                data = tuple(by_language[code]["data"] for code in codes)
                pair = Pair(source, seen, Side(task, "evaluate", codes, data))
                found.setdefault(pair.name, pair)
    return list(found.values())


def known(plan: Plan, catalogue: Catalogue, store: Path) -> tuple[dict[Pair, Leak], int]:
    """What the store knows of a plan's pairs, and how many pairs it does not know."""
    asked = pairs(plan, catalogue)
    found = {pair: leak for pair in asked if (leak := _read(store, pair)) is not None}
    return found, len(asked) - len(found)


def compare(
    asked: Iterable[Pair], store: Path, examples: Examples, catalogue: Catalogue
) -> dict[Pair, Leak]:
    """What the pairs share; what is not known yet is found, and kept.

    Args:
        asked: the pairs.
        store: its folder.
        examples: reads the rows of a split in a language, as ``Sources.examples`` does.
        catalogue: the tasks.

    Raises:
        UserError: if rows are not as they should be.
    """
    found: dict[Pair, Leak] = {}
    unknown: dict[Side, list[Pair]] = {}
    for pair in asked:
        leak = _read(store, pair)
        if leak is None:
            unknown.setdefault(pair.seen, []).append(pair)
        else:
            found[pair] = leak
    evaluated: dict[tuple[str, str], Texts] = {}  # (task, language): languages are read once
    for seen, waiting in unknown.items():
        texts = _texts(seen, seen.languages, waiting[0].source, examples, catalogue)
        for pair in waiting:
            side, there = pair.evaluated, Texts({}, {})
            for code in side.languages:
                if (side.task, code) not in evaluated:
                    rows = _texts(side, (code,), pair.source, examples, catalogue)
                    evaluated[side.task, code] = rows
                there.paragraphs.update(evaluated[side.task, code].paragraphs)
                there.sentences.update(evaluated[side.task, code].sentences)
            found[pair] = texts.shared_with(there)
            _write(store, pair, found[pair])
    return found


def told(found: dict[Pair, Leak]) -> list[str]:
    """A line for every pair that shares something, most first."""
    shared = sorted(
        ((pair, leak) for pair, leak in found.items() if leak),
        key=lambda one: (-one[1].shared_paragraphs, -one[1].shared_sentences, one[0].name),
    )
    return [pair.told(leak) for pair, leak in shared]


def _sides(stage: Step, catalogue: Catalogue) -> Iterator[Side]:
    """The splits that a stage trains on and selects with; nothing is known of imported ones."""
    selected = iter(stage.inputs.get("selection") or ())
    for item in stage.inputs["items"]:
        name, text = item["task"], item["control"] == "text"
        yield Side(name, "train", tuple(item["languages"]), tuple(item["data"]))
        if stage.inputs.get("selection") and not text and catalogue.get(name).format != "mlm":
            yield Side(name, "select", ("en",), (next(selected),))


def _texts(
    side: Side, codes: tuple[str, ...], source: Source, examples: Examples, catalogue: Catalogue
) -> Texts:
    task = catalogue.get(side.task)
    data = catalogue.data(side.task, source)
    rows = (examples(task, data, side.split, code) for code in codes)
    return Texts.of(one for found in rows for one in found)


def _read(store: Path, pair: Pair) -> Leak | None:
    try:
        return Leak(**read_marker(store / FOLDER / f"{pair.name}.json"))
    except (OSError, ValueError, TypeError):
        return None  # not there, or damaged: it is found again


def _write(store: Path, pair: Pair, leak: Leak) -> None:
    path = store / FOLDER / f"{pair.name}.json"
    doing = f"keeping what {pair.seen.task} and {pair.evaluated.task} share"
    with disk_errors(doing, store), scratch(store, pair.name) as box:
        make_folder(path.parent)
        write_marker(path, asdict(leak), box)

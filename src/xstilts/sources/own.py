"""A user's own data as a task: a task file of ten lines, or a dataset of the hub by its name.

The rows themselves are read when a task is loaded, so that whatever is wrong with them is said
before anything is trained. What may stand in a task file: docs/adding-a-task.md.
"""

from __future__ import annotations

import math
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from xstilts.errors import UserError, suggest
from xstilts.formats.examples import Question
from xstilts.sources import Sources
from xstilts.sources.declared import FIELDS, Declaration, absolute
from xstilts.sources.guess import MOST_CLASSES
from xstilts.sources.scan import scan
from xstilts.sources.taskfile import TaskFile
from xstilts.tasks import RESERVED, TASKS
from xstilts.tasks.base import SOURCES, HoldOut, Hub, Task
from xstilts.yamlfile import YamlFile

if TYPE_CHECKING:
    from collections.abc import Mapping

    from xstilts.formats.examples import Example
    from xstilts.sources import Split
    from xstilts.tasks.base import Format

METRICS: Mapping[Format, tuple[str, ...]] = {  # all that can score the format
    "classification": ("accuracy",),
    "multiple_choice": ("accuracy",),
    "tagging": ("seqeval_f1", "pos_f1", "tag_accuracy"),
    "span": (
        *("squad_f1", "squad_exact_match", "squad_v2_f1", "squad_v2_exact_match"),
        *("mlqa_f1", "mlqa_exact_match"),
    ),
    "retrieval": ("retrieval_accuracy", "reciprocal_rank_at_20"),
    "mlm": (),
}
CHUNK_TAG = re.compile("O|[BIES](-.*)?")  # all that seqeval_f1 can read


def load(path: Path) -> Task:
    """The task that a task file declares, its rows checked.

    It is the same task in every source, so that it mixes with any built-in one.

    Raises:
        UserError: one line for whatever is wrong with the file or with the rows.
    """
    return _task(TaskFile.read(path))


def from_hub(name: str) -> tuple[Task | None, str]:
    """A dataset of the hub as a task, as far as its splits and columns tell.

    Args:
        name: ``org/dataset``, or a folder that starts with ``/``, ``./`` or ``../``; with or
            without ``hf:`` in front.

    Returns:
        The task, or None where a question is open; and the task file to start from, in which
        every open question is a line that starts with ``# ?``.

    Raises:
        UserError: if the dataset cannot be read.
    """
    import yaml

    from xstilts.sources import hub

    repo = absolute(name.removeprefix("hf:"), Path.cwd())
    found = hub.infer(repo)
    splits, config = found["splits"], found["config"]
    anywhere = Hub(repo=repo, config=config, split="")
    values = {
        "name": _free_name(repo),
        "hub": repo,
        "config": "" if config == "default" else config,
        "revision": "" if repo.startswith("/") else hub.resolve(anywhere, "en")["revision"],
        "format": found["format"],
        "train": splits.get("train"),
        "select": splits.get("select", "10%" if "train" in splits else ""),
        "evaluate": splits.get("evaluate"),
        "languages": ["en"],
        "columns": found["fields"],
        "labels": found["labels"],
    }
    text = yaml.safe_dump(
        {key: value for key, value in values.items() if value},
        sort_keys=False,
        default_flow_style=None,
        allow_unicode=True,
        width=100,
    )
    task, questions = None, found["unsure"]
    if not questions:
        try:
            task = _task(TaskFile.of(YamlFile.parse(f"hf:{repo}", text), Path.cwd()))
        except UserError as error:  # such as a test split without labels
            questions = [f"what should be done about this? {error}"]
    return task, text + "".join(f"# ? {question}\n" for question in questions)


def _free_name(repo: str) -> str:
    """A name for the task: the dataset's, with its owner's in front where that is taken."""
    owner, _, name = re.sub("[^a-z0-9/]+", "_", repo.lower()).strip("/").rpartition("/")
    owner = owner.rpartition("/")[2]
    if name in TASKS or name in RESERVED or not name[:1].isalpha():
        name = f"{owner}_{name}"
    return name if name[:1].isalpha() else f"own_{name}"


def _task(file: TaskFile) -> Task:
    """The task that the file declares, every row of it checked."""
    said = Declaration(file)
    trained_on = TASKS.get(said.data.train_on)  # None where that is another task of the user's own
    if trained_on and trained_on.format != said.format:
        raise file.wrong("train_on", f"a task of {said.format}; this one is {trained_on.format}")
    occurring: dict[Split, set[str]] = {"train": set(), "select": set(), "evaluate": set()}
    for split, code, rows in said.splits():
        occurring[split] |= scan(file, split, rows, code, said.columns)
    labels = _labels(said, trained_on, occurring["train"] or occurring["evaluate"])
    metrics = _metrics(said, labels)
    task = Task(
        name=said.name,
        about=file.text("about", f"own data: {file.text('hub') or Path(file.name).name}"),
        format=said.format,
        metrics=metrics,
        main=metrics if said.format == "span" else (),
        sources=dict.fromkeys(SOURCES, said.data),
        labels=labels,
        languages=said.languages,
        chance=_chance(said, labels),
        unanswerable=any(metric.startswith("squad_v2") for metric in metrics),
        grouped_by=" ".join(("column", *said.columns["group"]))
        if "group" in said.columns
        else Task.grouped_by,
        license=file.text("license"),
    )
    for split, code, _ in said.splits():
        _check_examples(said, task, split, code)
    return task


def _labels(said: Declaration, trained_on: Task | None, occurring: set[str]) -> tuple[str, ...]:
    """The file's labels, else those of the task that it is trained on, else the rows'."""
    if said.format not in ("classification", "tagging"):
        return ()
    if trained_on:
        if said.labels not in ((), trained_on.labels):
            expected = f"those of {trained_on.name}: {', '.join(trained_on.labels)}"
            raise said.file.wrong("labels", expected)
        return trained_on.labels
    if not said.labels and not 2 <= len(occurring) <= MOST_CLASSES:
        field = FIELDS[said.format][-1]
        raise said.file.fault(
            f"columns.{field}",
            f"labels in column {said.columns[field][0]}: {len(occurring)}, expected 2 to "
            f"{MOST_CLASSES}; name another column, or list all of them under labels",
        )
    return said.labels or tuple(sorted(occurring))


def _metrics(said: Declaration, labels: tuple[str, ...]) -> tuple[str, ...]:
    """The file's metrics, else the usual ones of the format."""
    possible, given = METRICS[said.format], said.file.texts("metrics")
    bare = [label for label in labels if not CHUNK_TAG.fullmatch(label)]
    for name in given:
        if name not in possible:
            hint = suggest(name, possible) if possible else " nothing does"
            raise said.file.fault("metrics", f"{name} does not score {said.format};{hint}")
        if name == "seqeval_f1" and bare:
            expected = f"pos_f1: the tag {bare[0]} is not O or B-, I- and a type"
            raise said.file.wrong("metrics", expected)
    if given or not possible:
        return given
    if said.format == "tagging":
        chunks = not bare and any(label.startswith("B-") for label in labels)
        return ("seqeval_f1" if chunks else "pos_f1", "tag_accuracy")
    return possible[:2] if said.format == "span" else possible[:1]


def _chance(said: Declaration, labels: tuple[str, ...]) -> float | None:
    """The score of guessing, where the file tells it."""
    outcomes = len(said.columns.get("choices", labels))
    if said.format == "span":
        return 0.0
    return 1 / outcomes if outcomes > 1 and said.format != "tagging" else None


def _check_examples(said: Declaration, task: Task, split: Split, language: str) -> None:
    """Every row becomes an example of the task."""
    sources, data = Sources(), said.data
    try:
        found = sources.examples(task, data, split, language)
    except UserError:
        if split == "evaluate" or not isinstance(data.select, HoldOut):
            raise
        rows = sources.examples(task, replace(data, select=None), "train", language)
        # No row is wrong, so the share leaves none to one side.
        raise _one_sided(said, data.select, rows, split) from None
    for one in found:
        if isinstance(one, Question):
            _check_starts(said, split, one)
        if isinstance(one, Question) and not one.answers and not task.unanswerable:
            raise said.file.fault(
                split,
                f'question "{one.id}" has no answer in {language}; if that is right, write '
                "metrics: [squad_v2_f1, squad_v2_exact_match]",
            )


def _check_starts(said: Declaration, split: Split, one: Question) -> None:
    """Answers stand where they are said to: bytes are easily counted instead of characters."""
    for text, start in zip(one.answers, one.starts, strict=True):
        if one.context[start : start + len(text)] != text:
            raise said.file.fault(
                split,
                f'question "{one.id}": "{text:.40}" does not stand at character {start} of its '
                "context; count characters, the first is 0",
            )


def _one_sided(
    said: Declaration, hold_out: HoldOut, rows: list[Example], split: Split
) -> UserError:
    """The error for a share that leaves no rows to ``split``, with how many it would take."""
    groups = len({one.group for one in rows})
    unit, of = ("rows", "") if groups == len(rows) else ("groups", f" in {groups} groups")
    share = hold_out.share if split == "select" else 1 - hold_out.share
    needed = math.ceil(math.log(0.05) / math.log1p(-share))  # then 19 of 20 such files have one
    other = "larger" if split == "select" else "smaller"
    return said.file.fault(
        "select",
        f"found {said.file.text('select')}: of {len(rows)} rows{of} none falls to {split}, which "
        f"takes about {needed:,} {unit}; write a {other} share, or name a file",
    )

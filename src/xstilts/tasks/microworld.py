"""Which tasks the microworld has rows for, and of what family.

Names, formats and labels are those of the real datasets; the rows are of a small generated world
(docs/microworld.md). A task is there in those of its published languages that the world has.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from xstilts.tasks.base import Data, Generated

if TYPE_CHECKING:
    from xstilts.tasks.base import Task

LANGUAGES = ("en", "ar", "de", "es", "hi", "ja", "ru", "sw", "tr", "zh")
TRAIN, SELECT, TEST = 2000, 200, 400  # rows
NOTE = "generated rows of a small world: nothing about the real task rests on them"

# Intermediate tasks: their own training rows, and a test set in English.
_TRAINED = {
    "taxinli": "inference",
    "mnli": "inference",
    "anli_plus": "inference",
    "qqp": "paraphrase",
    "hellaswag": "effect",
    "codah": "effect",
    "social_iqa": "effect_of_three",
    "cosmos_qa": "cause",
    "csqa": "person",
    "copa": "alternatives",
    "squad_dev": "answers",
    "squad_v1": "answers",
    "squad_v2": "answers_or_none",
    "ccg": "supertags",
}
# Targets: test rows in many languages; the task that they are trained on, "" where it is their own.
_TARGETS = {
    "xnli": ("inference", "mnli"),
    "pawsx": ("paraphrase", ""),
    "xcopa": ("alternatives", "copa"),
    "udpos": ("parts_of_speech", ""),
    "wikineural": ("entities", ""),
    "panx": ("entities", ""),
    "xquad": ("answers", "squad_v1"),
    "mlqa": ("answers", "squad_v1"),
    "tydiqa": ("answers", ""),
}


def with_microworld(task: Task) -> Task:
    """The task with its rows of the microworld, if the world has any."""
    here = tuple(code for code in task.languages if code in LANGUAGES)
    if task.name in _TRAINED:
        family = _TRAINED[task.name]
        trained_in = ("en",) if family == "supertags" else LANGUAGES
        data = _data(task.name, family, ("en",), trained_in)
    elif task.name in _TARGETS:
        family, train_on = _TARGETS[task.name]
        data = _data(task.name, family, here, LANGUAGES)
        if train_on:
            data = replace(
                data, train=None, select=None, train_languages=("en",), train_on=train_on
            )
    elif task.name == "tatoeba":
        pairs = Generated(task=task.name, family="bitext", pool="test", count=1000)
        data = Data(evaluate=pairs, split="generated", languages=here, note=NOTE)
    elif task.name == "mlm":
        text = Generated(task=task.name, family="text", pool="text", count=TRAIN)
        data = Data(train=text, train_languages=LANGUAGES, note=NOTE)
    else:
        return task
    return replace(task, sources={**task.sources, "microworld": data})


def _data(name: str, family: str, here: tuple[str, ...], trained_in: tuple[str, ...]) -> Data:
    return Data(
        train=Generated(task=name, family=family, pool="train", count=TRAIN),
        select=Generated(task=name, family=family, pool="select", count=SELECT),
        evaluate=Generated(task=name, family=family, pool="test", count=TEST),
        split="generated",
        languages=here,
        train_languages=trained_in,
        note=NOTE,
    )

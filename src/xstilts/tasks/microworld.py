"""Which tasks the microworld has rows for, and of what family.

Names, formats and labels are those of the real datasets; the rows are of a small generated world
(docs/microworld.md). A task is there in those of its published languages that the world has.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from xstilts.tasks.base import Data, Generated
from xstilts.tasks.candidates import answer_sentence, sentences

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xstilts.tasks.base import Row, Task

LANGUAGES = ("en", "ar", "de", "es", "hi", "ja", "ru", "sw", "tr", "zh")
TRAIN, SELECT, TEST = 2000, 200, 400  # rows
NOTE = "generated rows of a small world: nothing about the real task rests on them"

TUNED_ON = Generated(task="", family="answers_or_none", pool="select", count=SELECT)

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
    "copa": "belongings",
    "squad_dev": "answers",
    "squad_v1": "answers",
    "squad_v2": "answers_or_none",
    "ccg": "supertags",
}
# Targets: test rows in many languages; the task that they are trained on, "" where it is their own.
_TARGETS = {
    "xnli": ("inference", "mnli"),
    "pawsx": ("paraphrase", ""),
    "xcopa": ("belongings", "copa"),
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
    elif task.name == "bucc2018":
        data = _comparable(task.name, here)
    elif task.name == "lareqa":
        data = _answered(task.name, here)
    elif task.name == "mlm":
        text = Generated(task=task.name, family="text", pool="text", count=TRAIN)
        data = Data(train=text, train_languages=LANGUAGES, note=NOTE)
    else:
        return task
    if task.unanswerable:
        data = replace(data, tune=replace(TUNED_ON, task=task.name))
    return replace(task, sources={**task.sources, "microworld": data})


def _comparable(name: str, here: tuple[str, ...]) -> Data:
    """Two corpora: of every three sentences one is in both, one in either."""
    rows = partial(Generated, task=name, family="bitext", count=3 * TEST)
    test, tune = partial(rows, pool="test"), partial(rows, pool="select")
    return Data(
        evaluate=test(adapt=mined),
        pool=test(adapt=mined_for),
        tune=tune(adapt=mined, count=3 * SELECT),
        tune_pool=tune(adapt=mined_for, count=3 * SELECT),
        split="generated",
        languages=here,
        note=NOTE,
    )


def mined(row: Row) -> dict[str, Any] | None:
    """A sentence of the corpus of another language than English."""
    shared = int(row["id"]) % 3
    right = [row["id"]] if shared == 0 else []
    return {"id": row["id"], "query": row["text"], "right": right} if shared != 1 else None


def mined_for(row: Row) -> dict[str, Any] | None:
    """A sentence of the English corpus."""
    shared = int(row["id"]) % 3 != 2
    return {"id": row["id"], "text": row["english"], "answers": []} if shared else None


def _answered(name: str, here: tuple[str, ...]) -> Data:
    """Questions, and the sentences of all paragraphs in all languages."""
    rows = partial(Generated, task=name, family="answers")
    trained = partial(rows, adapt=answer_sentence)
    return Data(
        train=trained(pool="train", count=TRAIN),
        select=trained(pool="select", count=SELECT),
        train_languages=LANGUAGES,
        evaluate=rows(pool="test", count=TEST, adapt=asked),
        pool=rows(pool="test", count=TEST, expand=answering),
        pool_languages=here,
        split="generated",
        languages=here,
        note=NOTE,
    )


def asked(row: Row) -> dict[str, Any] | None:
    """The first question of a paragraph: its sentences are candidates once."""
    if not row["id"].endswith("-0"):
        return None
    return {"id": row["id"], "group": row["group"], "query": row["question"]}


def answering(row: Row) -> Iterator[dict[str, Any]]:
    """The sentences of a paragraph, and which of them answers its first question."""
    context, (begins,) = row["context"], row["answers"]["answer_start"]
    for place, (start, end) in enumerate(sentences(context) if asked(row) else ()):
        yield {
            "id": f"{row['group']}_{place}",
            "text": context[start:end].strip(),
            "context": context,
            "answers": [row["id"]] if start <= begins < end else [],
        }


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

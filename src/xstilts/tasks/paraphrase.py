"""Paraphrase identification: do two sentences mean the same?"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from xstilts.tasks.base import Data, Files, HoldOut, Hub, Task

if TYPE_CHECKING:
    from xstilts.tasks.base import Row


HUB_PAIR = {"text_a": "sentence1", "text_b": "sentence2"}
FILE_PAIR = {"text_a": "0", "text_b": "1", "label": "2"}

PAWSX_LANGUAGES = ("en", "de", "es", "fr", "ja", "ko", "zh")


def _translated(row: Row) -> dict[str, Any] | None:
    """A line of XTREME's translations; some of them have no label where it should be."""
    pair = {"text_a": row["2"], "text_b": row["3"], "label": row["4"]}
    return pair if row["4"] in ("0", "1") else None


def _whole(row: Row) -> Row | None:
    """A translated pair; of some a sentence is missing, or "NS" (paws issues 4 and 15)."""
    return None if {row["sentence1"].strip(), row["sentence2"].strip()} & {"", "NS"} else row


_PAWSX_HUB = partial(
    Hub,
    repo="google-research-datasets/paws-x",
    revision="4cd8187c404bda33cb1f62b49b001115862acf37",
    fields=HUB_PAIR,
)
PAWSX = Task(
    name="pawsx",
    about="paraphrase or word-order adversary in seven languages",
    format="classification",
    metrics=("accuracy",),
    labels=("0", "1"),
    words=("different_meaning", "paraphrase"),  # mT5's
    languages=PAWSX_LANGUAGES,
    chance=1 / 2,
    parallel=True,
    grouped_by="English sentence: pairs that share one, directly or through other pairs",
    tied_by=("text_a", "text_b"),
    protocol="XTREME: trained on the English training set, scored on the test set",
    license="free for any purpose, as named in its LICENSE",
    source_url="https://aclanthology.org/D19-1382",
    sources={
        "hub": Data(
            train=_PAWSX_HUB(config="en", split="train"),
            translated=_PAWSX_HUB(config="{lang}", split="train", adapt=_whole),
            train_languages=PAWSX_LANGUAGES,
            select=_PAWSX_HUB(config="en", split="validation"),
            evaluate=_PAWSX_HUB(config="{lang}", split="test"),
            split="test",
        ),
        "mirror": Data(
            train=Files(path="pawsx/dev-{lang}.tsv", reader="tsv", header=False, fields=FILE_PAIR),
            translated=Files(
                path="xtreme_translations/PAWSX/translate-train/en-{lang}-translated.tsv",
                reader="tsv",
                header=False,
                adapt=_translated,
            ),
            translated_by="none",  # of the training file, and English ones are of dev-en
            train_languages=PAWSX_LANGUAGES,
            select=HoldOut(share=0.1),
            evaluate=Files(
                path="pawsx/labelled_test/test_2k-{lang}.tsv", reader="tsv", fields=HUB_PAIR
            ),
            split="test",
            languages=("de", "zh"),
            note="trained and selected inside dev-en (the training file is absent); the dev sets "
            "are translations of each other, so only the labelled de and zh test sets are scored; "
            "groups follow the German sentences, as the English test set has no labels",
        ),
    },
)

_QQP_HUB = partial(
    Hub,
    repo="nyu-mll/glue",
    revision="bcdcba79d07bc864c1c254ccfcedcce55bcc9a8c",
    config="qqp",
    fields={"id": "idx", "text_a": "question1", "text_b": "question2"},
)
QQP = Task(
    name="qqp",
    about="Quora Question Pairs: do two questions ask the same?",
    format="classification",
    metrics=("accuracy", "positive_f1"),
    main=("accuracy", "positive_f1"),
    labels=("0", "1"),
    words=("not_duplicate", "duplicate"),  # T5's
    chance=1 / 2,
    grouped_by="pairs that share a question, directly or through other pairs",
    tied_by=("text_a", "text_b"),
    license="Quora's terms of service: not for redistribution",
    source_url="https://aclanthology.org/W18-5446",
    sources={
        "hub": Data(
            train=_QQP_HUB(split="train"),
            select=_QQP_HUB(split="validation"),
            evaluate=_QQP_HUB(split="validation"),
            split="dev",
        )
    },
)

TASKS = (PAWSX, QQP)

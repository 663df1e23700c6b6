"""Extractive question answering: the answer is a span of the context."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from xstilts.tasks.base import Data, Files, HoldOut, Hub, Task
from xstilts.tasks.xquad_overlap import without_xquad

if TYPE_CHECKING:
    from xstilts.tasks.base import Row


def _aligned(row: Row) -> dict[str, Any]:
    """The row with every answer start moved to the nearest place where the answer stands.

    Some copies on the hub stripped their contexts without moving the offsets.
    """
    context, answers = row["context"], row["answers"]
    starts = [
        _nearest(context, text, start)
        for text, start in zip(answers["text"], answers["answer_start"], strict=True)
    ]
    return {**row, "answers": {"text": answers["text"], "answer_start": starts}}


def _nearest(context: str, text: str, start: int) -> int:
    if context.startswith(text, start):
        return start
    before, after = context.rfind(text, 0, start + len(text)), context.find(text, start)
    places = [place for place in (before, after) if place >= 0]
    if not places:
        raise ValueError(f"answer {text!r:.40} does not stand in its context")
    return min(places, key=lambda place: abs(place - start))


SQUAD = ("squad_f1", "squad_exact_match")
MLQA_METRICS = ("mlqa_f1", "mlqa_exact_match")
SQUAD_V2 = ("squad_v2_f1", "squad_v2_exact_match")

SQUAD_DEV = Task(
    name="squad_dev",
    stands_for="squad_v1",
    about="9,380 questions of SQuAD v1.1's development set: all but XQuAD's paragraphs",
    format="span",
    metrics=SQUAD,
    main=SQUAD,
    chance=0.0,
    grouped_by="article",
    by_article=True,
    license="CC BY-SA 4.0",
    source_url="https://rajpurkar.github.io/SQuAD-explorer",
    sources={
        "mirror": Data(
            train=Files(path="squad/dev-v1.1.minus_xquad_paragraphs.json", reader="squad"),
            select=HoldOut(share=0.08),
            note="selection rows are held out by article; about 3 % of the answer positions are "
            "the first occurrence of the answer, not the marked one",
        )
    },
)

_SQUAD_V1_HUB = partial(
    Hub,
    repo="rajpurkar/squad",
    revision="7b6d24c440a36b6815f21b70d25016731768db1f",
    fields={"group": "title"},
)
_SQUAD_FILES = partial(Files, reader="squad")
# XTREME's machine translations of training sets: google-research/xtreme, README.
_TRANSLATED = "xtreme_translations/{folder}/translate-train/{name}.translate.train.en-{{lang}}.json"
XQUAD_TRANSLATED = ("en", "ar", "de", "el", "es", "hi", "ru", "th", "tr", "vi", "zh")
SQUAD_V1 = Task(
    name="squad_v1",
    about="SQuAD v1.1",
    format="span",
    metrics=SQUAD,
    main=SQUAD,
    chance=0.0,
    grouped_by="article",
    by_article=True,
    license="CC BY-SA 4.0",
    source_url="https://aclanthology.org/D16-1264",
    sources={
        "hub": Data(
            train=_SQUAD_V1_HUB(split="train"),
            select=_SQUAD_V1_HUB(split="validation", adapt=without_xquad),
            evaluate=_SQUAD_V1_HUB(split="validation"),
            split="dev",
            note="selection leaves out XQuAD's 240 paragraphs, which stand in this development set",
        ),
        "mirror": Data(
            train=_SQUAD_FILES(path="squad/train-v1.1.json"),
            select=_SQUAD_FILES(path="squad/dev-v1.1.json", adapt=without_xquad),
            evaluate=_SQUAD_FILES(path="squad/dev-v1.1.json"),
            split="dev",
            translated=_SQUAD_FILES(path=_TRANSLATED.format(folder="SQuAD", name="squad")),
            train_languages=XQUAD_TRANSLATED,
            note="selection leaves out XQuAD's 240 paragraphs; translations in XTREME's files",
        ),
    },
)

_SQUAD_V2_TASK_HUB = partial(
    Hub,
    repo="rajpurkar/squad_v2",
    revision="3ffb306f725f7d2ce8394bc1873b24868140c412",
    fields={"group": "title"},
)
SQUAD_V2_TASK = Task(
    name="squad_v2",
    about="SQuAD v2.0: half of the development questions have no answer",
    format="span",
    metrics=SQUAD_V2,
    main=SQUAD_V2,
    unanswerable=True,
    contains=(
        "squad_v1",
        "squad_whole",
        "squad_dev",
    ),  # v2.0 is v1.1's questions and more; so is its dev set
    grouped_by="article",
    by_article=True,
    license="CC BY-SA 4.0",
    source_url="https://aclanthology.org/P18-2124",
    sources={
        "hub": Data(
            train=_SQUAD_V2_TASK_HUB(split="train"),
            select=_SQUAD_V2_TASK_HUB(split="validation", adapt=without_xquad),
            tune=_SQUAD_V2_TASK_HUB(split="validation", adapt=without_xquad),
            tune_languages=("en",),
            evaluate=_SQUAD_V2_TASK_HUB(split="validation"),
            split="dev",
            note="selection, of the no-answer threshold too, leaves out the 173 of XQuAD's "
            "paragraphs in this development set; the other rows are those it is scored on",
        ),
        "mirror": Data(
            train=_SQUAD_FILES(path="squad/dev-v2.0.reconstructed.json", adapt=without_xquad),
            select=HoldOut(share=0.1),
            note="the development set serves as training rows, without the 173 of XQuAD's 240 "
            "paragraphs in it; its articles are XQuAD's still",
        ),
    },
)

# The authors' toolkit selects XQuAD's and MLQA's checkpoints on all of SQuAD's development set,
# with XQuAD's paragraphs in it. Whoever wants their protocol asks for it by name.
_LEAKS = (
    "selection sees all of the development set, and so the English text of XQuAD's 240 paragraphs, "
    "as in the authors' toolkit: to repeat their protocol, not to report transfer to XQuAD"
)
SQUAD_WHOLE_DEV = replace(
    SQUAD_V1,
    name="squad_whole",
    about='SQuAD v1.1, selection on all of its development set: "squad_whole | xquad, mlqa"',
    contains=("squad_v1",),
    sources={
        source: replace(data, select=data.evaluate, note=_LEAKS)
        for source, data in SQUAD_V1.sources.items()
    },
)

XQUAD = Task(
    name="xquad",
    about="240 paragraphs of SQuAD v1.1 dev with 1,190 questions, translated by people",
    format="span",
    metrics=SQUAD,
    main=SQUAD,
    languages=("en", "ar", "de", "el", "es", "hi", "ro", "ru", "th", "tr", "vi", "zh"),
    chance=0.0,
    parallel=True,
    protocol="XTREME: trained on the English SQuAD v1.1, last step kept; SQuAD's English rules in "
    "all languages",
    grouped_by="article of the English paragraph; on the hub, which has no titles, the paragraph",
    by_article=True,
    items="XQuAD",
    license="CC BY-SA 4.0",
    source_url="https://aclanthology.org/2020.acl-main.421",
    sources={
        "hub": Data(
            train_on="squad_v1",
            evaluate=Hub(
                repo="google/xquad",
                adapt=_aligned,
                fields={"group": "context"},
                revision="51adfef1c1287aab1d2d91b5bead9bcfb9c68583",
                config="xquad.{lang}",
                split="validation",
            ),
            split="test",
        ),
        "mirror": Data(
            train_on="squad_dev",
            evaluate=Files(path="xquad/xquad.{lang}.json", reader="squad"),
            split="test",
            note="paragraph-disjoint from squad_dev, not article-disjoint",
        ),
    },
)

MLQA = Task(
    name="mlqa",
    about="MLQA, question and context in the same language",
    format="span",
    metrics=MLQA_METRICS,
    main=MLQA_METRICS,
    languages=("en", "ar", "de", "es", "hi", "vi", "zh"),
    chance=0.0,
    parallel=True,
    protocol="XTREME: trained on the English SQuAD v1.1, last step kept; each language's own rules",
    grouped_by="English article",
    by_article=True,
    license="CC BY-SA 3.0",
    source_url="https://aclanthology.org/2020.acl-main.653",
    sources={
        "hub": Data(
            train_on="squad_v1",
            evaluate=Hub(
                repo="google/xtreme",
                revision="ec5f1f46e9af79639a90684a7a70a956c4998f04",
                adapt=_aligned,
                fields={"group": "title"},
                config="MLQA.{lang}.{lang}",
                split="test",
            ),
            split="test",
        ),
        "mirror": Data(
            train_on="squad_dev",
            evaluate=Files(path="mlqa/dev/dev-context-{lang}-question-{lang}.json", reader="squad"),
            split="dev",
            note="the development set (the labelled test set is absent)",
        ),
    },
)

_TYDIQA_HUB = partial(
    Hub,
    repo="google-research-datasets/tydiqa",
    adapt=_aligned,
    fields={"group": "context"},
    revision="da78f23f9119363459acbaf46bf89426ff26c259",
    config="secondary_task",
    id_prefix="{name}-",
)
_TYDIQA_MIRROR = partial(
    Files,
    path="tydiqa_goldp/tydiqa-goldp-v1.1-train/tydiqa.goldp.{lang}.train.json",
    reader="squad",
)
TYDIQA = Task(
    name="tydiqa",
    about="TyDiQA-GoldP: questions asked in each language by people who wanted to know",
    format="span",
    metrics=SQUAD,
    main=SQUAD,
    languages=("en", "ar", "bn", "fi", "id", "ko", "ru", "sw", "te"),
    chance=0.0,
    grouped_by="paragraph",
    protocol="XTREME: trained on the 3,696 English questions; SQuAD's English rules everywhere",
    license="Apache-2.0",
    source_url="https://aclanthology.org/2020.tacl-1.30",
    sources={
        "hub": Data(
            train=_TYDIQA_HUB(split="train"),
            select=HoldOut(share=0.1),
            evaluate=_TYDIQA_HUB(split="validation"),
            split="dev",
            note="the published test set is the development release, split by language; a tenth of "
            "the 3,696 English questions is held out for selection",
        ),
        "mirror": Data(
            train=_TYDIQA_MIRROR(),
            translated=Files(
                path=_TRANSLATED.format(folder="TyDiQA-GoldP", name="tydiqa"), reader="squad"
            ),
            translated_by="id",
            train_languages=("en", "ar", "bn", "fi", "id", "ko", "ru", "sw", "te"),
            select=HoldOut(share=0.1),
            evaluate=_TYDIQA_MIRROR(),
            split="train",
            languages=("ko", "sw"),
            note="scored on the Korean and Swahili training files (development answers are "
            "absent); trained on 3,364 of the 3,696 English questions, the rest is for selection",
        ),
    },
)

TASKS = (SQUAD_DEV, SQUAD_V1, SQUAD_WHOLE_DEV, SQUAD_V2_TASK, XQUAD, MLQA, TYDIQA)

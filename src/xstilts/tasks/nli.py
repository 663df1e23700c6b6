"""Natural language inference: three classes over a premise and a hypothesis."""

from __future__ import annotations

from functools import partial

from xstilts.tasks.base import Data, Files, HoldOut, Hub, Joined, Task

LABELS = ("contradiction", "entailment", "neutral")
HUB_ORDER = {"0": "entailment", "1": "neutral", "2": "contradiction", "-1": None}
PAIR = {"group": "premise", "text_a": "premise", "text_b": "hypothesis"}
XNLI_LANGUAGES = (
    *("en", "ar", "bg", "de", "el", "es", "fr", "hi", "ru", "sw", "th", "tr", "ur", "vi", "zh"),
)
XNLI_COMMIT = "b8dd5d7af51114dbda02c0e3f6133f332186418e"
# XTREME's files: premise, hypothesis, label; translations have the English pair in front.
XTREME_PAIR = {"group": "0", "text_a": "0", "text_b": "1", "label": "2"}
TRANSLATED_PAIR = {"group": "0", "text_a": "2", "text_b": "3", "label": "4"}
XTREME_LABELS = {"contradictory": "contradiction"}

TAXINLI = Task(
    name="taxinli",
    stands_for="mnli",
    about="10,071 pairs of MNLI, all genres, with their first labels (the 10k behind TaxiNLI)",
    format="classification",
    metrics=("accuracy",),
    labels=LABELS,
    chance=1 / 3,
    grouped_by="premise",
    license="Computational Use of Data Agreement 1.0",
    source_url="https://github.com/microsoft/TaxiNLI",
    sources={
        "mirror": Data(
            train=Files(
                path="taxinli_mnli10k/taxinli10k.tsv",
                reader="tsv",
                fields={"id": "pairID", "group": "prem", "text_a": "prem", "text_b": "hyp"},
            ),
            select=HoldOut(share=0.08),
            note="selection rows are held out of the training rows, by premise",
        )
    },
)

_MNLI_HUB = partial(
    Hub,
    repo="nyu-mll/multi_nli",
    revision="da70db2af9d09693783c3320c4249840212ee221",
    fields=PAIR,
    labels=HUB_ORDER,
)
_XTREME_PAIRS = partial(Files, reader="tsv", header=False, labels=XTREME_LABELS)
MNLI = Task(
    name="mnli",
    about="Multi-genre NLI; selection on the matched development set",
    format="classification",
    metrics=("accuracy",),
    labels=LABELS,
    chance=1 / 3,
    grouped_by="premise",
    contains=("taxinli",),
    license="OANC, CC BY-SA 3.0 and others by genre",
    source_url="https://aclanthology.org/N18-1101",
    sources={
        "hub": Data(
            train=_MNLI_HUB(split="train"),
            select=_MNLI_HUB(split="validation_matched"),
            evaluate=_MNLI_HUB(split="validation_matched"),
            split="dev (matched)",
            translated=Hub(
                repo="facebook/xnli",
                revision=XNLI_COMMIT,
                config="{lang}",
                split="train",
                fields=PAIR,
                labels=HUB_ORDER,
            ),
            train_languages=XNLI_LANGUAGES,
            note="the translations are those of the XNLI corpus",
        ),
        "mirror": Data(
            train=_XTREME_PAIRS(path="xnli/train-{lang}.tsv", fields=XTREME_PAIR),
            select=HoldOut(share=0.02),
            translated=_XTREME_PAIRS(
                path="xtreme_translations/XNLI/translate-train/en-{lang}-translated.tsv",
                fields=TRANSLATED_PAIR,
            ),
            train_languages=XNLI_LANGUAGES,
            note="training rows and translations in XTREME's files; selection rows are held out "
            "of the training rows, by premise",
        ),
    },
)

XNLI = Task(
    name="xnli",
    about="NLI in 15 languages, human translations of one set of English pairs",
    format="classification",
    metrics=("accuracy",),
    labels=LABELS,
    languages=XNLI_LANGUAGES,
    chance=1 / 3,
    parallel=True,
    grouped_by="English premise: three pairs each",
    protocol="XTREME: trained on the English MNLI, scored on the test set",
    license="CC BY-NC 4.0",
    source_url="https://aclanthology.org/D18-1269",
    sources={
        "hub": Data(
            train_on="mnli",
            evaluate=Hub(
                repo="facebook/xnli",
                revision=XNLI_COMMIT,
                config="{lang}",
                split="test",
                fields=PAIR,
                labels=HUB_ORDER,
            ),
            split="test",
        ),
        "mirror": Data(
            train_on="taxinli",
            evaluate=Files(
                path="xnli/test-{lang}.tsv",
                reader="tsv",
                header=False,
                fields=XTREME_PAIR,
            ),
            split="test",
        ),
    },
)

_SNLI = partial(
    Hub,
    repo="stanfordnlp/snli",
    revision="cdb5c3d5eed6ead6e5a341c8e56e669bb666725b",
    fields=PAIR,
    labels=HUB_ORDER,
)
_ANLI = partial(
    Hub,
    repo="facebook/anli",
    revision="8e4813d81f46d313dac7892e1c28076917cfcdf9",
    fields=PAIR | {"id": "uid"},
    labels=HUB_ORDER,
)
_ANLI_DEV = tuple(_ANLI(split=f"dev_r{round_}") for round_ in (1, 2, 3))
ANLI_PLUS = Task(
    name="anli_plus",
    about="SNLI, MNLI and all three rounds of ANLI: 1,104,934 pairs, one head, drawn in proportion",
    format="classification",
    metrics=("accuracy",),
    labels=LABELS,
    chance=1 / 3,
    grouped_by="premise",
    contains=("mnli", "taxinli"),
    license="CC BY-SA 4.0 (SNLI), CC BY-NC 4.0 (ANLI), by genre (MNLI)",
    source_url="https://aclanthology.org/2020.acl-main.441",
    sources={
        "hub": Data(
            train=Joined(
                (
                    _SNLI(split="train"),
                    _MNLI_HUB(split="train"),
                    *(_ANLI(split=f"train_r{round_}") for round_ in (1, 2, 3)),
                )
            ),
            select=Joined(
                (_SNLI(split="validation"), _MNLI_HUB(split="validation_matched"), *_ANLI_DEV)
            ),
            evaluate=Joined(_ANLI_DEV),
            split="dev (ANLI, three rounds)",
        )
    },
)

TASKS = (TAXINLI, MNLI, XNLI, ANLI_PLUS)

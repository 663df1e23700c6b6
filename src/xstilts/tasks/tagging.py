"""Tagging: one label a word. Words come as the corpus splits them.

No file of these corpora names its documents, so every sentence is a group of its own.
"""

from __future__ import annotations

from functools import partial

from xstilts.tasks.base import Data, Files, HoldOut, Hub, Task

UPOS = (  # in the order of the classes in the hub's copy of the treebanks
    *("ADJ", "ADP", "ADV", "AUX", "CCONJ", "DET", "INTJ", "NOUN", "NUM"),
    *("PART", "PRON", "PROPN", "PUNCT", "SCONJ", "SYM", "VERB", "X"),
)
ENTITIES = ("B-LOC", "B-ORG", "B-PER", "I-LOC", "I-ORG", "I-PER", "O")
HUB_ENTITIES = ("O", "B-PER", "I-PER", "B-ORG", "I-ORG", "B-LOC", "I-LOC")


def _numbered(names: tuple[str, ...]) -> dict[str, str | None]:
    return {str(index): name for index, name in enumerate(names)}


WIKINEURAL_COMMIT = "74c9b9dca034bb1606a6769457983904bd976803"
# Its classes stand in WikiAnn's order with MISC at the end; MISC is no entity here.
HUB_WIKINEURAL = _numbered((*HUB_ENTITIES, "O", "O"))

_UDPOS_HUB = partial(
    Hub,
    repo="google/xtreme",
    revision="ec5f1f46e9af79639a90684a7a70a956c4998f04",
    config="udpos.{name}",
    fields={"words": "tokens", "tags": "pos_tags"},
    labels=_numbered(UPOS),
)
_UDPOS_MIRROR = partial(Files, reader="conll", fields={"words": "0", "tags": "1"})
UDPOS = Task(
    name="udpos",
    about="part of speech (17 UPOS tags), all Universal Dependencies treebanks of a language",
    format="tagging",
    metrics=("pos_f1", "tag_accuracy"),
    labels=UPOS,
    languages=(
        *("en", "af", "ar", "bg", "de", "el", "es", "et", "eu", "fa", "fi", "fr", "he", "hi"),
        *("hu", "id", "it", "ja", "kk", "ko", "lt", "mr", "nl", "pl", "pt", "ro", "ru", "ta"),
        *("te", "th", "tl", "tr", "uk", "ur", "vi", "wo", "yo", "zh"),
    ),
    protocol="XTREME: trained on English; chunk F1 by seqeval, of runs of equal tags",
    license="by treebank, some non-commercial",
    source_url="https://universaldependencies.org",
    sources={
        "hub": Data(
            train=_UDPOS_HUB(split="train"),
            select=_UDPOS_HUB(split="validation"),
            evaluate=_UDPOS_HUB(split="test"),
            train_languages=(
                *("en", "af", "ar", "bg", "de", "el", "es", "et", "eu", "fa", "fi", "fr", "he"),
                *("hi", "hu", "id", "it", "ja", "ko", "mr", "nl", "pt", "ru", "ta", "te", "tr"),
                *("ur", "vi", "zh"),
            ),
            split="test",
            languages=(
                *("en", "af", "ar", "bg", "de", "el", "es", "et", "eu", "fa", "fi", "fr", "he"),
                *("hi", "hu", "id", "it", "ja", "kk", "ko", "mr", "nl", "pt", "ru", "ta", "te"),
                *("th", "tl", "tr", "ur", "vi", "yo", "zh"),
            ),
            note="the hub's selection of sentences is not the published one in every language",
        ),
        "mirror": Data(
            train=_UDPOS_MIRROR(path="udpos/train-{lang}.tsv"),
            select=_UDPOS_MIRROR(path="udpos/dev-{lang}.tsv"),
            evaluate=_UDPOS_MIRROR(path="udpos/test-{lang}.tsv"),
            train_languages=(
                *("en", "af", "ar", "bg", "el", "eu", "fi", "he", "hu", "id", "ja", "kk", "mr"),
                *("nl", "ta", "te", "tr", "uk", "ur", "vi", "zh"),
            ),
            split="test",
            languages=(
                *("en", "af", "ar", "bg", "el", "es", "et", "eu", "fa", "fi", "fr", "he", "hi"),
                *("hu", "id", "it", "ja", "kk", "ko", "mr", "nl", "pt", "ru", "ta", "te", "th"),
                *("tl", "tr", "uk", "ur", "vi", "yo", "zh"),
            ),
            note="21,787 English training sentences, not the published 21,253; no German test set",
        ),
    },
)

_WIKINEURAL_HUB = partial(
    Hub,
    repo="Babelscape/wikineural",
    revision=WIKINEURAL_COMMIT,
    fields={"words": "tokens", "tags": "ner_tags"},
    labels=HUB_WIKINEURAL,
)
_WIKINEURAL_MIRROR = partial(
    Files, reader="conll", fields={"words": "1", "tags": "2"}, labels={"B-MISC": "O", "I-MISC": "O"}
)
WIKINEURAL = Task(
    name="wikineural",
    stands_for="panx",
    about="WikiNEuRal named entities (PER, ORG, LOC; MISC as O), the stand-in for PAN-X",
    format="tagging",
    metrics=("seqeval_f1", "tag_accuracy"),
    labels=ENTITIES,
    languages=("en", "de", "es", "fr", "it", "nl", "pl", "pt", "ru"),
    license="CC BY-NC-SA 4.0",
    source_url="https://aclanthology.org/2021.findings-emnlp.215",
    sources={
        "hub": Data(
            train=_WIKINEURAL_HUB(split="train_en"),
            select=_WIKINEURAL_HUB(split="val_en"),
            evaluate=_WIKINEURAL_HUB(split="test_{lang}"),
            split="test",
        ),
        "mirror": Data(
            train=_WIKINEURAL_MIRROR(path="wikineural/{lang}/val.conllu"),
            select=HoldOut(share=0.1),
            evaluate=_WIKINEURAL_MIRROR(path="wikineural/{lang}/test.conllu"),
            split="test",
            note="the English validation file serves as training rows (no training file)",
        ),
    },
)

WIKIANN = partial(
    Hub,
    repo="unimelb-nlp/wikiann",
    revision="f0a3be6dc5564c0cc4150bb660144800a1f539d4",
    config="{lang}",
)
_PANX_HUB = partial(
    WIKIANN,
    fields={"words": "tokens", "tags": "ner_tags"},
    labels=_numbered(HUB_ENTITIES),
)
PANX = Task(
    name="panx",
    about="WikiAnn named entities, balanced splits",
    format="tagging",
    metrics=("seqeval_f1", "tag_accuracy"),
    labels=ENTITIES,
    languages=(
        *("en", "af", "ar", "az", "bg", "bn", "de", "el", "es", "et", "eu", "fa", "fi", "fr"),
        *("gu", "he", "hi", "hu", "id", "it", "ja", "jv", "ka", "kk", "ko", "lt", "ml", "mr"),
        *("ms", "my", "nl", "pa", "pl", "pt", "qu", "ro", "ru", "sw", "ta", "te", "th", "tl"),
        *("tr", "uk", "ur", "vi", "yo", "zh"),
    ),
    protocol="XTREME: trained on English; chunk F1 by seqeval",
    license="ODC-BY (annotations; unverified), CC BY-SA (text)",
    source_url="https://aclanthology.org/P19-1015",
    sources={
        "hub": Data(
            train=_PANX_HUB(split="train"),
            select=_PANX_HUB(split="validation"),
            evaluate=_PANX_HUB(split="test"),
            split="test",
        )
    },
)

SUPERTAGS = 1363
_CCG = partial(Files, reader="supertags", fields={"words": "words", "tags": "tags"})
CCG = Task(
    name="ccg",
    about="CCG supertags of the Wall Street Journal (CCGbank), 1,363 of them, by number",
    format="tagging",
    metrics=("tag_accuracy",),
    labels=tuple(map(str, range(SUPERTAGS))),
    license="LDC User Agreement (LDC2005T13): bring your own copy",
    source_url="https://aclanthology.org/J07-3004",
    sources=dict.fromkeys(
        ("hub", "mirror"),
        Data(
            train=_CCG(path="ccg/ccg.train"),
            select=_CCG(path="ccg/ccg.dev"),
            evaluate=_CCG(path="ccg/ccg.dev"),
            split="dev",
            note="files of the folder XSTILTS_MIRROR, made of your own copy: docs/tasks.md",
        ),
    ),
)

TASKS = (UDPOS, WIKINEURAL, PANX, CCG)

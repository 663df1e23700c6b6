"""Retrieval: find a translation, an answer or an entity among many candidates.

BUCC, LAReQA and Mewsli-X have metrics and a file format here, so that predictions can be scored;
no source has their rows yet.
"""

from __future__ import annotations

from xstilts.tasks.base import Data, Files, Hub, Task

TATOEBA = Task(
    name="tatoeba",
    about="up to 1,000 sentence pairs with English a language; queries English, nearest neighbour",
    format="retrieval",
    metrics=("retrieval_accuracy",),
    languages=(
        *("af", "ar", "az", "bg", "bn", "de", "el", "es", "et", "eu", "fa", "fi", "fr", "he"),
        *("hi", "hu", "id", "it", "ja", "jv", "ka", "kk", "ko", "lt", "ml", "mr", "nl", "pl", "pt"),
        *("ro", "ru", "sw", "ta", "te", "th", "tl", "tr", "uk", "ur", "vi", "zh"),
    ),
    chance=1 / 1000,
    grouped_by="English sentence, across languages: each language has its own thousand",
    protocol="XTREME: the pretrained encoder as it is, mean of all tokens of one layer (the 14th "
    "block of XLM-R Large); XTREME-R: after SQuAD v1.1",
    license="CC BY 2.0 FR",
    source_url="https://aclanthology.org/Q19-1038",
    sources={
        "hub": Data(
            evaluate=Hub(
                repo="mteb/tatoeba-bitext-mining",
                revision="69e8f12da6e31d59addadda9a9c8a2e601a0e282",
                config="{tatoeba}-eng",
                split="test",
                fields={"group": "sentence2", "text": "sentence1", "english": "sentence2"},
            ),
            split="test",
        ),
        "mirror": Data(
            evaluate=Files(
                path="tatoeba/tatoeba.{tatoeba}-eng.{tatoeba}",
                reader="parallel",
                fields={"group": "english", "text": "text", "english": "english"},
            ),
            split="test",
        ),
    },
)

BUCC2018 = Task(
    name="bucc2018",
    about="BUCC 2018: mine the sentence pairs of two comparable corpora, English on one side",
    format="retrieval",
    metrics=("bitext_f1",),
    languages=("de", "fr", "ru", "zh"),
    grouped_by="sentence of the other language",
    protocol="XTREME: ratio margin over 4 neighbours, the threshold tuned on the sample set's gold "
    "and carried to the test set, which is the shared task's training set",
    license="not stated",
    source_url="https://comparable.limsi.fr/bucc2018/bucc2018-task.html",
    sources={},
)

LAREQA = Task(
    name="lareqa",
    about="LAReQA (XQuAD-R): all answers to a question among 13,014 sentences of 11 languages",
    format="retrieval",
    metrics=("average_precision_at_20",),
    languages=("en", "ar", "de", "el", "es", "hi", "ru", "th", "tr", "vi", "zh"),
    grouped_by="question, across languages",
    protocol="XTREME-R: a dual encoder trained on SQuAD v1.1 by in-batch softmax, one pool of "
    "candidates; mAP@20",
    license="CC BY-SA 4.0",
    source_url="https://aclanthology.org/2020.emnlp-main.477",
    sources={},
)

MEWSLIX = Task(
    name="mewslix",
    about="Mewsli-X: link a mention in the news to one of 1,003,893 entities in 50 languages",
    format="retrieval",
    metrics=("reciprocal_rank_at_20",),
    languages=("en", "ar", "de", "es", "fa", "ja", "pl", "ro", "ta", "tr", "uk"),
    grouped_by="mention",
    protocol="XTREME-R: a dual encoder trained on English Wikipedia by in-batch softmax, MRR@20 "
    "(the scripts call it mAP@20); the released data differ from the paper's",
    license="not stated",
    source_url="https://aclanthology.org/2021.emnlp-main.802",
    sources={},
)

TASKS = (TATOEBA, BUCC2018, LAREQA, MEWSLIX)

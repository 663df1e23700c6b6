"""Retrieval: find a translation, an answer or an entity among many candidates.

Tatoeba and BUCC take the encoder as it is; LAReQA and Mewsli-X train it as a dual encoder. The
files of the last three are on no hub in their published form: bring your own (docs/tasks.md).
"""

from __future__ import annotations

from functools import partial

from xstilts.tasks.base import Data, Files, HoldOut, Hub, Task
from xstilts.tasks.candidates import answer_sentence, entity, mentions, paired

# Outside both suites, in four scripts, all with at least 722 pairs: layers may be chosen on them.
OTHER_LANGUAGES = ("be", "cs", "da", "hy", "km", "mk", "sq", "sv")
_TATOEBA_HUB = Hub(
    repo="mteb/tatoeba-bitext-mining",
    revision="69e8f12da6e31d59addadda9a9c8a2e601a0e282",
    config="{tatoeba}-eng",
    split="test",
    fields={"group": "sentence2", "text": "sentence1", "english": "sentence2"},
)
_TATOEBA_MIRROR = Files(
    path="tatoeba/tatoeba.{tatoeba}-eng.{tatoeba}",
    reader="parallel",
    fields={"group": "english", "text": "text", "english": "english"},
)
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
            evaluate=_TATOEBA_HUB,
            tune=_TATOEBA_HUB,
            tune_languages=OTHER_LANGUAGES,
            split="test",
        ),
        "mirror": Data(
            evaluate=_TATOEBA_MIRROR,
            tune=_TATOEBA_MIRROR,
            tune_languages=OTHER_LANGUAGES,
            split="test",
        ),
    },
)

_BUCC = partial(Files, reader="bucc")
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
    sources=dict.fromkeys(
        ("hub", "mirror"),
        Data(
            evaluate=_BUCC(path="bucc2018/{lang}-en.test.{lang}"),
            pool=_BUCC(path="bucc2018/{lang}-en.test.en"),
            tune=_BUCC(path="bucc2018/{lang}-en.dev.{lang}"),
            tune_pool=_BUCC(path="bucc2018/{lang}-en.dev.en"),
            split="test",
            note="the shared task's files under XTREME's names, in the folder XSTILTS_MIRROR; "
            "XTREME's download deletes the gold pairs of the test sets: keep them to score",
        ),
    ),
)

_LAREQA = partial(
    Data,
    evaluate=Files(path="lareqa/xquad-r/{lang}.json", reader="xquad_r"),
    pool=Files(path="lareqa/xquad-r/{lang}.json", reader="xquad_r_sentences"),
    pool_languages=("en", "ar", "de", "el", "es", "hi", "ru", "th", "tr", "vi", "zh"),
    split="test",
)
LAREQA = Task(
    name="lareqa",
    about="LAReQA (XQuAD-R): all answers to a question among 13,014 sentences of 11 languages",
    format="retrieval",
    metrics=("average_precision_at_20",),
    languages=("en", "ar", "de", "el", "es", "hi", "ru", "th", "tr", "vi", "zh"),
    parallel=True,
    contains=("squad_v1", "squad_dev"),  # whose questions it is trained on
    grouped_by="article of the English paragraph",
    by_article=True,
    items="XQuAD",
    lengths=(96, 256),
    protocol="XTREME-R: a dual encoder trained on SQuAD v1.1 by in-batch softmax, one pool of "
    "candidates; mAP@20",
    license="CC BY-SA 4.0",
    source_url="https://aclanthology.org/2020.emnlp-main.477",
    sources={
        "hub": _LAREQA(
            train=Hub(
                repo="rajpurkar/squad",
                revision="7b6d24c440a36b6815f21b70d25016731768db1f",
                fields={"group": "title"},
                split="train",
                adapt=answer_sentence,
            ),
            select=HoldOut(share=0.05),
            note="XQuAD-R's files in the folder XSTILTS_MIRROR; training sentences end at . ! ?; "
            "5 % of the articles are held out for selection",
        ),
        "mirror": _LAREQA(
            train=Files(
                path="squad/dev-v1.1.minus_xquad_paragraphs.json",
                reader="squad",
                adapt=answer_sentence,
            ),
            select=HoldOut(share=0.08),
            note="trained on squad_dev, which has none of these paragraphs; training sentences "
            "end at . ! ?; 8 % of the articles, 1,578 of 9,380 rows, are held out for selection",
        ),
    },
)

_PAIRS = partial(Files, reader="jsonl", adapt=paired)
MEWSLIX = Task(
    name="mewslix",
    about="Mewsli-X: link a mention in the news to one of 1,003,893 entities in 50 languages",
    format="retrieval",
    metrics=("reciprocal_rank_at_20",),
    languages=("en", "ar", "de", "es", "fa", "ja", "pl", "ro", "ta", "tr", "uk"),
    grouped_by="news article",
    by_article=True,
    lengths=(64, 64),
    protocol="XTREME-R: a dual encoder trained on English Wikipedia by in-batch softmax, MRR@20 "
    "(the scripts call it mAP@20); the released data differ from the paper's",
    license="not stated",
    source_url="https://aclanthology.org/2021.emnlp-main.802",
    sources=dict.fromkeys(
        ("hub", "mirror"),
        Data(
            train=_PAIRS(path="mewslix/wikipedia_pairs-train.jsonl"),
            select=_PAIRS(path="mewslix/wikipedia_pairs-dev.jsonl"),
            evaluate=Files(
                path="mewslix/wikinews_mentions-test.jsonl",
                reader="jsonl",
                expand=mentions,
                language_column="language",
            ),
            pool=Files(path="mewslix/candidate_set_entities.jsonl", reader="jsonl", adapt=entity),
            split="test",
            note="the published files, in the folder XSTILTS_MIRROR",
        ),
    ),
)

TASKS = (TATOEBA, BUCC2018, LAREQA, MEWSLIX)

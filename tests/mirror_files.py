"""A few rows of our own in the form of every file of the mirror, and the examples they are.

``FILES``: location, as the tasks declare it -> the file's text and its first example. Golds are
whole words between spaces, so that any tokenizer has a boundary at their ends.
"""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

from xstilts import languages
from xstilts.formats.examples import (
    Bitext,
    Candidate,
    Choice,
    Example,
    Line,
    Pair,
    Query,
    Question,
    Tagged,
)

if TYPE_CHECKING:
    from pathlib import Path


def _table(*rows: str) -> str:
    """Cells are parted by " | " here."""
    return "".join(row.replace(" | ", "\t") + "\n" for row in rows)


def _jsonl(*rows: dict[str, Any]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


_TAXONOMY = (
    "annotated_label lexical_linguistic syntactic_linguistic factivity_linguistic negation_logic "
    "boolean_logic quantifier_logic conditional_logic comparative_logic relational_reasoning "
    "spatial_reasoning temporal_reasoning causal_reasoning coreference_reasoning world_knowledge "
    "taxonomic_knowledge general_q2 subject_q2 object_q2"
).replace(" ", " | ")
_MARKS = "neutral" + 15 * " | 0" + 3 * " | -"
_TAXINLI = _table(
    f"prem | hyp | label | {_TAXONOMY} | pairID | genre",
    f"It rained all day. | The sun shone. | contradiction | {_MARKS} | 1c | fiction",
    f"It rained all day. | The day was wet. | entailment | {_MARKS} | 1e | fiction",
    f'She said "no" twice. | She was tired. | neutral | {_MARKS} | 2n | telephone',
)
_XNLI = _table(
    "We walked home. | We took the bus. | contradiction",
    "We walked home. | We got home. | entailment",
    "We walked home. | It was late. | neutral",
)
_PAWSX = _table(
    "Anna met Bert in Rome . | Bert met Anna in Rome . | 1",
    "Anna gave Bert a book . | Bert gave Anna a book . | 0",
)
_PAWSX_TEST = _table(
    "id | sentence1 | sentence2 | label",
    '10 | Anna mag "Bert". | Anna liebt Bert. | 1',
    "12 | Anna kam vor Bert. | Bert kam vor Anna. | 0",
)
_UDPOS = _table(
    *("# | SYM", "1 | NUM", "boat | NOUN", ""),
    *("she | PRON", "runs | VERB", ". | PUNCT", ""),
)
_WIKINEURAL = _table(
    *("0 | Anna | B-PER", "1 | Berg | I-PER", "2 | left | O", "3 | Rome | B-LOC", ""),
    *("0 | Easter | B-MISC", "1 | Monday | I-MISC", "2 | came | O"),
)
_CSQA = _jsonl(
    {
        "id": "c1",
        "question": "Where do boats sleep?",
        "choices": {"label": list("ABCDE"), "text": ["desk", "harbour", "tree", "hat", "moon"]},
        "answerKey": "B",
    },
    {
        "id": "c2",
        "question": "What is read?",
        "choices": {"label": list("ABCDE"), "text": ["soup", "sand", "wind", "rain", "books"]},
        "answerKey": "E",
    },
)
_HELLASWAG = _jsonl(
    {
        "ind": 24,
        "query": "Rowing: A man sits in a boat. He",
        "choices": ["rows.", "bakes a cake.", "is a cake.", "reads the boat."],
        "gold": 0,
    },
    {
        "ind": 25,
        "query": "Baking: A man mixes flour. He",
        "choices": ["rows.", "sinks.", "adds an egg.", "flies."],
        "gold": 2,
    },
)
_CODAH = _table(
    "n | The cook is out of salt. He | sings. | buys some salt. | drives the salt. | sleeps. | 1",
    "p | The dog barks. It | is a cat. | reads. | flies off. | hears somebody. | 3",
)
_SOCIAL_IQA = _jsonl(
    *(
        {
            "context": "Amina lost the race.",
            "question": f"How would {name} feel?",
            "answerA": "sad",
            "answerB": "a boat",
            "answerC": "proud of her",
            "correct": right,
        }
        for name, right in (("Amina", "A"), ("Others", "C"))
    )
)
_COPA_ROWS = (
    {"premise": "The boat sank.", "choice1": "It leaked.", "choice2": "It was red."}
    | {"question": "cause", "label": 0, "idx": 0},
    {"premise": "It rained.", "choice1": "The sun rose.", "choice2": "The street got wet."}
    | {"question": "effect", "label": 1, "idx": 1},
)
_COPA = _jsonl(*_COPA_ROWS)
_XCOPA = _jsonl(*(row | {"changed": False} for row in _COPA_ROWS))
_XNLI_TRANSLATED = _table(
    "It rained. | The sun shone. | Es regnete. | Die Sonne schien. | contradictory",
    "It rained. | The day was wet. | Es regnete. | Der Tag war nass. | entailment",
)
_PAWSX_TRANSLATED = _table(
    "Anna met Bert . | Bert met Anna . | Anna traf Bert. | Bert traf Anna. | 1",
    "Anna met Bert . | Bert met Anna . | Anna traf Bert. | Bert traf Anna. | Anna",  # no label
    "Anna saw Bert . | Bert saw Anna . | Anna sah Bert. | Bert sah Anna. | 0",
)
_CCG = "The boat sank .\tNP[nb]/N N S[dcl]\\NP .\nIt rained .\tNP S[dcl]\\NP .\n"
_CCG_NUMBERS = json.dumps({"NP[nb]/N": 0, "N": 1, "S[dcl]\\NP": 1362, ".": 3, "NP": 4})


STORY = 'It snowed , so we said " no " to\nthe trip .'


def _cosmos() -> str:
    made = io.StringIO()
    writer = csv.writer(made)
    answers = ["answer0", "answer1", "answer2", "answer3"]
    writer.writerow(["id", "context", "question", *answers, "label"])
    writer.writerow(
        ["3A##q1", STORY, "Why no trip ?", "Snow .", "Sun .", "None of the above .", "Fog .", 0]
    )
    writer.writerow(
        ["3A##q2", STORY, "What fell ?", "Rain .", "None of the above .", "Leaves .", "Snow .", 3]
    )
    return made.getvalue()


def _squad(*, title: bool = True, version: Any = "1.1", v2: bool = False) -> str:
    """One context with two questions; the second has no answer where ``v2`` allows that."""
    answers: list[list[dict[str, Any]]] = [
        [{"text": "red boat", "answer_start": 8}, {"text": "boat", "answer_start": 12}],
        [] if v2 else [{"text": "nine", "answer_start": 25}],
    ]
    asked = [
        {"id": f"q{n}", "question": question, "answers": answers[n]}
        | ({"is_impossible": not answers[n]} if v2 else {})
        for n, question in enumerate(("what left ?", "when did it leave ?"))
    ]
    article: dict[str, Any] = {"paragraphs": [{"context": CONTEXT, "qas": asked}]}
    article |= {"title": "Boats"} if title else {}
    return json.dumps({"version": version, "data": [article]})


CONTEXT = "the big red boat left at nine in the morning"  # "red boat" from 8 on, "nine" from 25
_ANSWERS = {"answers": ("red boat", "boat"), "starts": (8, 12)}
_TITLED = Question("q0", "Boats", CONTEXT, "what left ?", **_ANSWERS)
_UNTITLED = Question("q0", CONTEXT, CONTEXT, "what left ?", **_ANSWERS)
_CSQA_FIRST = Choice(
    "c1", "c1", "Where do boats sleep?", ("desk", "harbour", "tree", "hat", "moon"), 1
)
_CODAH_FIRST = Choice(
    *("0", "The cook is out of salt. He", "The cook is out of salt. He"),
    ("sings.", "buys some salt.", "drives the salt.", "sleeps."),
    1,
)
_TAGGED = Tagged("0", "0", ("#", "1", "boat"), ("SYM", "NUM", "NOUN"))
_SOCIAL_IQA_FIRST = Choice(
    *("0", "Amina lost the race.", "Amina lost the race. How would Amina feel?"),
    ("sad", "a boat", "proud of her"),
    0,
)
_COPA_FIRST = Choice(
    *("0", "0", "The boat sank. What was the cause?"), ("It leaked.", "It was red."), 0
)
_CCG_FIRST = Tagged("0", "0", ("The", "boat", "sank", "."), ("0", "1", "1362", "3"))
_ENTITIES = Tagged("0", "0", ("Anna", "Berg", "left", "Rome"), ("B-PER", "I-PER", "O", "B-LOC"))

_BUCC = "de-000000001\tEs regnet.\nde-000000002\tDas Boot ist rot.\n"
_BUCC_ENGLISH = "en-000000001\tThe boat is red.\nen-000000002\tIt rains.\n"
_BUCC_GOLD = "de-000000002\ten-000000001\n"
_XQUAD_R_CONTEXT = "The boat left at nine. It was red. It was red."
_XQUAD_R = json.dumps(
    {
        "version": "1.1",
        "data": [
            {
                "title": "Boats",
                "paragraphs": [
                    {
                        "context": _XQUAD_R_CONTEXT,
                        "sentences": ["The boat left at nine.", "It was red.", "It was red."],
                        "sentence_breaks": [[0, 22], [23, 34], [35, 46]],
                        "qas": [
                            {
                                "id": "q0",
                                "question": "When did it leave?",
                                "answers": [{"text": "nine", "answer_start": 17}],
                            },
                            {
                                "id": "q1",
                                "question": "What colour was it?",
                                "answers": [{"text": "red", "answer_start": 30}],
                            },
                        ],
                    }
                ],
            }
        ],
    }
)
_NEWS = {
    "document_title": "Rain",
    "document_url": "https://en.wikinews.org/wiki/Rain",
    "document_id": "en-17",
    "language": "en",
    "text": "It rained. A { boat } left Rome today. Nobody saw it.",
    "sentence_spans": [
        {"start": 0, "end": 10},
        {"start": 11, "end": 38},
        {"start": 39, "end": 53},
    ],
}
_MENTION = {
    "example_id": "en-17-0",
    "mention_span": {"start": 27, "end": 31, "text": "Rome"},
    "entity_id": "Q220",
}
_MENTION_TEXT = "Rome: A ( boat ) left { Rome } today."
_ENTITY = {
    "entity_id": "Q220",
    "title": "Roma",
    "description": "Roma è una città. È la capitale\nd'Italia. Altro.",
    "sentence_spans": [{"start": 0, "end": 17}, {"start": 18, "end": 41}],
    "description_language": "it",
    "description_url": "https://it.wikipedia.org/wiki/Roma",
}
_ENTITY_TEXT = "Roma è una città. È la capitale d'Italia."
_PAIRS = _jsonl(
    *(
        {
            "contextual_mention": {"context": _NEWS, "mention": {**_MENTION, "example_id": name}},
            "entity": _ENTITY,
        }
        for name in ("w1", "w2")
    )
)
_PAIR = Query("w1", "en-17", _MENTION_TEXT, (_ENTITY_TEXT,), ())
_MENTIONS = _jsonl(
    *(
        {
            "context": {**_NEWS, "language": code},
            "mentions": [_MENTION, {**_MENTION, "example_id": "en-17-1"}],
        }
        for code in ("en", "ar", "de", "es", "fa", "ja", "pl", "ro", "ta", "tr", "uk")
    )
)

FILES: dict[str, tuple[str, Example]] = {
    **{
        f"bucc2018/{{lang}}-en.{split}.{{lang}}": (
            _BUCC,
            Query("de-000000001", "de-000000001", "Es regnet.", (), ()),
        )
        for split in ("dev", "test")
    },
    **{
        f"bucc2018/{{lang}}-en.{split}.en": (
            _BUCC_ENGLISH,
            Candidate("en-000000001", "en-000000001", ("The boat is red.",), ()),
        )
        for split in ("dev", "test")
    },
    "lareqa/xquad-r/{lang}.json": (_XQUAD_R, Query("q0", "Boats", "When did it leave?", (), ())),
    "mewslix/wikipedia_pairs-train.jsonl": (_PAIRS, _PAIR),
    "mewslix/wikipedia_pairs-dev.jsonl": (_PAIRS, _PAIR),
    "mewslix/wikinews_mentions-test.jsonl": (
        _MENTIONS,
        Query("en-17-0", "en-17", _MENTION_TEXT, (), ("Q220",)),
    ),
    "mewslix/candidate_set_entities.jsonl": (
        _jsonl(_ENTITY, {**_ENTITY, "entity_id": "Q221"}),
        Candidate("Q220", "Q220", (_ENTITY_TEXT,), ()),
    ),
    "taxinli_mnli10k/taxinli10k.tsv": (
        _TAXINLI,
        Pair("1c", "It rained all day.", "It rained all day.", "The sun shone.", "contradiction"),
    ),
    "xnli/test-{lang}.tsv": (
        _XNLI,
        Pair("0", "We walked home.", "We walked home.", "We took the bus.", "contradiction"),
    ),
    "pawsx/dev-{lang}.tsv": (
        _PAWSX,
        Pair("0", "0", "Anna met Bert in Rome .", "Bert met Anna in Rome .", "1"),
    ),
    "pawsx/labelled_test/test_2k-{lang}.tsv": (
        _PAWSX_TEST,
        Pair("10", "10", 'Anna mag "Bert".', "Anna liebt Bert.", "1"),
    ),
    "udpos/train-{lang}.tsv": (_UDPOS, _TAGGED),
    "udpos/dev-{lang}.tsv": (_UDPOS, _TAGGED),
    "udpos/test-{lang}.tsv": (_UDPOS, _TAGGED),
    "wikineural/{lang}/val.conllu": (_WIKINEURAL, _ENTITIES),
    "wikineural/{lang}/test.conllu": (_WIKINEURAL, _ENTITIES),
    "commonsenseqa/train_rand_split.from_olmo.jsonl": (_CSQA, _CSQA_FIRST),
    "commonsenseqa/dev_rand_split.from_olmo.jsonl": (_CSQA, _CSQA_FIRST),
    "hellaswag/hellaswag_val_1000subset.jsonl": (
        _HELLASWAG,
        Choice(
            *("24", "24", "Rowing: A man sits in a boat. He"),
            ("rows.", "bakes a cake.", "is a cake.", "reads the boat."),
            0,
        ),
    ),
    "codah/cv_split/fold_0/train.tsv": (_CODAH, _CODAH_FIRST),
    "codah/cv_split/fold_0/dev.tsv": (_CODAH, _CODAH_FIRST),
    "codah/cv_split/fold_0/test.tsv": (_CODAH, _CODAH_FIRST),
    "cosmosqa/valid.csv": (
        _cosmos(),
        Choice(
            *("3A##q1", STORY, f"{STORY} Why no trip ?"),
            ("Snow .", "Sun .", "None of the above .", "Fog ."),
            0,
        ),
    ),
    "squad/dev-v1.1.minus_xquad_paragraphs.json": (_squad(), _TITLED),
    "squad/dev-v2.0.reconstructed.json": (_squad(v2=True), _TITLED),
    "xquad/xquad.{lang}.json": (_squad(), _TITLED),
    "mlqa/dev/dev-context-{lang}-question-{lang}.json": (_squad(version=1.0), _TITLED),
    "tydiqa_goldp/tydiqa-goldp-v1.1-train/tydiqa.goldp.{lang}.train.json": (
        _squad(title=False),
        _UNTITLED,
    ),
    "tatoeba/tatoeba.{tatoeba}-eng.{tatoeba}": (
        "Das Boot ist rot.\nEs regnet.\n",
        Bitext("0", "The boat is red.", "Das Boot ist rot.", "The boat is red."),
    ),
    "socialiqa/socialIQa_v1.4_tst.jsonl": (_SOCIAL_IQA, _SOCIAL_IQA_FIRST),
    "socialiqa/socialIQa_v1.4_dev.jsonl": (_SOCIAL_IQA, _SOCIAL_IQA_FIRST),
    "xcopa/en_copa_superglue/train-en.jsonl": (_COPA, _COPA_FIRST),
    "xcopa/en_copa_superglue/val-en.jsonl": (_COPA, _COPA_FIRST),
    "xcopa/data/{lang}/test.{lang}.jsonl": (_XCOPA, _COPA_FIRST),
    "xnli/train-{lang}.tsv": (
        _XNLI,
        Pair("0", "We walked home.", "We walked home.", "We took the bus.", "contradiction"),
    ),
    "xtreme_translations/XNLI/translate-train/en-{lang}-translated.tsv": (
        _XNLI_TRANSLATED,
        Pair("0", "It rained.", "Es regnete.", "Die Sonne schien.", "contradiction"),
    ),
    "xtreme_translations/PAWSX/translate-train/en-{lang}-translated.tsv": (
        _PAWSX_TRANSLATED,
        Pair("0", "0", "Anna traf Bert.", "Bert traf Anna.", "1"),
    ),
    "squad/train-v1.1.json": (_squad(), _TITLED),
    "squad/dev-v1.1.json": (_squad(), _TITLED),
    "xtreme_translations/SQuAD/translate-train/squad.translate.train.en-{lang}.json": (
        _squad(),
        _TITLED,
    ),
    "xtreme_translations/TyDiQA-GoldP/translate-train/tydiqa.translate.train.en-{lang}.json": (
        _squad(title=False),
        _UNTITLED,
    ),
    "ccg/ccg.train": (_CCG, _CCG_FIRST),
    "ccg/ccg.dev": (_CCG, _CCG_FIRST),
    "raw_text/ud_panx_train_detok/{lang}.txt": (
        "The boat is red.\nIt rains.\n",
        Line("0", "0", "The boat is red."),
    ),
}
_ENGLISH = "The boat is red.\nIt rains.\n"


def write(folder: Path, location: str, codes: tuple[str, ...]) -> None:
    """Write one location's file for these languages."""
    text, _ = FILES[location]
    for code in codes:
        path = folder / location.format(lang=code, tatoeba=languages.get(code).tatoeba)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
        if "{tatoeba}" in location:
            path.with_suffix(".eng").write_bytes(_ENGLISH.encode())
        if location.startswith("bucc2018/"):
            path.with_name(f"{path.stem}.gold").write_text(_BUCC_GOLD, encoding="utf-8")
        if location.startswith("ccg/"):
            path.with_name("tags_to_id.json").write_text(_CCG_NUMBERS, encoding="utf-8")

"""Queries and candidates of the dual encoders, from the rows that are published.

LAReQA is trained on SQuAD's questions with the sentence that holds the answer and the paragraph
around it; Mewsli-X on mentions in a sentence with the description of what is meant.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xstilts.tasks.base import Row

SENTENCE_END = re.compile(r"(?<=[.!?؟।॥])\s+|(?<=[。！？])\s*")
_OWN_MARKS = re.compile(r"\{(.*?)\}")  # the marks of a mention, where the text has them itself


def sentences(context: str) -> list[tuple[int, int]]:
    """Where the sentences of a paragraph begin and end: at the marks that end one."""
    ends = [match.end() for match in SENTENCE_END.finditer(context)]
    starts = [0, *ends]
    breaks = zip(starts, [*ends, len(context)], strict=True)
    return [(start, end) for start, end in breaks if context[start:end].strip()]


def answer_sentence(row: Row) -> dict[str, Any] | None:
    """A question of SQuAD with the sentence that its first answer begins in.

    The row's other columns stay as they are; a question without an answer is dropped.
    """
    answers, context = row["answers"], row["context"]
    if not answers["text"]:
        return None
    begins = int(answers["answer_start"][0])
    found = next((one for one in sentences(context) if one[0] <= begins < one[1]), None)
    if found is None:
        return None
    kept = {name: value for name, value in row.items() if name in ("id", "group", "title")}
    sentence = context[slice(*found)].strip()
    return {**kept, "query": row["question"], "answer": sentence, "context": context}


def paired(row: Row) -> dict[str, Any]:
    """A mention of Wikipedia and the entity that is meant, from ``wikipedia_pairs``."""
    cited = row["contextual_mention"]
    return {
        "id": cited["mention"]["example_id"],
        "group": cited["context"]["document_id"],
        "query": _marked(cited["context"], cited["mention"]["mention_span"]),
        "answer": _described(row["entity"]),
    }


def mentions(row: Row) -> Iterator[dict[str, Any]]:
    """Every mention of a piece of news, from ``wikinews_mentions``."""
    context = row["context"]
    for mention in row["mentions"] if "mentions" in row else [row["mention"]]:
        yield {
            "id": mention["example_id"],
            "group": context["document_id"],
            "language": context["language"],
            "query": _marked(context, mention["mention_span"]),
            "right": [mention["entity_id"]],
        }


def entity(row: Row) -> dict[str, Any]:
    """A candidate, from ``candidate_set_entities``."""
    return {"id": row["entity_id"], "text": _described(row), "answers": []}


def _marked(context: dict[str, Any], span: dict[str, Any]) -> str:
    """``mention: left { mention } right``, with the sentence of the mention (XTREME-R, utils)."""
    text, mention = context["text"], context["text"][span["start"] : span["end"]]
    around = next(
        (
            one
            for one in context["sentence_spans"]
            if one["start"] <= span["start"] and span["end"] <= one["end"]
        ),
        {"start": 0, "end": len(text)},
    )
    left, right = (
        _OWN_MARKS.sub(r"(\1)", text[start:end])
        for start, end in ((around["start"], span["start"]), (span["end"], around["end"]))
    )
    return _one_line(f"{mention}: {left} {{ {mention} }} {right}")


def _described(row: Row) -> str:
    """The sentences of an entity's description."""
    spans = row["sentence_spans"]
    return _one_line(" ".join(row["description"][one["start"] : one["end"]] for one in spans))


def _one_line(text: str) -> str:
    # As the official script does it: pairs of spaces become one, once.
    return " ".join(text.splitlines()).replace("  ", " ").strip()

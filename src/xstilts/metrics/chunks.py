"""Chunk F1: what seqeval computes, for named entities and, less obviously, for parts of speech.

XTREME scores both of its tagging tasks with ``seqeval.metrics.f1_score``: micro-averaged F1 over
labelled chunks. A part-of-speech tag is no chunk tag, and what seqeval makes of one depends on
its version. Release 0.0.12, which the authors' toolkit pins, takes the first letter of any tag for
its position in a chunk and the whole of a bare tag for its type. Hence, on bare UPOS tags:

* neighbours with the same tag are one chunk: one error in a run costs the whole run;
* SCONJ and SYM begin with S, "single": each token is a chunk of its own;
* SCONJ and CCONJ differ, as they should; release 1.2.2 also cuts the first letter off the type,
  and takes one for the other.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypeAlias

from xstilts.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Chunk: TypeAlias = tuple[str, int, int]  # type, first token, last token
IOB_TAG = re.compile(r"O|[BIES](-.*)?")


def split_iob(tag: str) -> tuple[str, str]:
    """``B-PER`` -> position ``B``, type ``PER``, as seqeval 1.2.2 does by default.

    Raises:
        UserError: for anything but IOB1, IOB2 or IOBES tags; seqeval's result is undefined there.
    """
    if not IOB_TAG.fullmatch(tag):
        raise UserError(
            f'metric "seqeval_f1": tag "{tag}" is not O or B-, I-, E-, S- and a type; '
            "pos_f1 and tag_accuracy take bare tags"
        )
    return tag[0], tag[2:]


def split_bare(tag: str) -> tuple[str, str]:
    """``SCONJ`` -> position ``S``, type ``SCONJ``, as seqeval 0.0.12 does."""
    return tag[0], tag.rpartition("-")[2]


def find_chunks(tags: Sequence[str], split: Callable[[str], tuple[str, str]]) -> set[Chunk]:
    """The labelled chunks of one sentence.

    A token continues the chunk before it if the types are equal, that chunk was not ended (E, S)
    and the token does not begin one itself (B, S). So an I without a B begins a chunk, and where
    the type changes, so does the chunk. On IOB tags and on UPOS tags these are seqeval's rules.

    Args:
        tags: the sentence's tags, [n_tokens].
        split: tells a tag's position letter from its type.
    """
    chunks: list[Chunk] = []
    before, type_before = "O", ""
    for token, (position, type_) in enumerate(map(split, tags)):
        if position != "O":
            open_before = before not in ("O", "E", "S")
            if open_before and type_ == type_before and position not in ("B", "S"):
                chunks[-1] = (type_, chunks[-1][1], token)
            else:
                chunks.append((type_, token, token))
        before, type_before = position, type_
    return set(chunks)


def chunk_counts(
    split: Callable[[str], tuple[str, str]], gold: Sequence[str], prediction: Sequence[str]
) -> tuple[float, float, float]:
    """Counts of one sentence: ``(chunks found, chunks predicted, gold chunks)``."""
    assert len(gold) == len(prediction), (len(gold), len(prediction))
    gold_chunks, predicted = find_chunks(gold, split), find_chunks(prediction, split)
    return float(len(gold_chunks & predicted)), float(len(predicted)), float(len(gold_chunks))


def iob_counts(gold: Sequence[str], prediction: Sequence[str]) -> tuple[float, float, float]:
    """Chunk counts of one sentence of IOB tags; see ``chunk_counts``."""
    return chunk_counts(split_iob, gold, prediction)


def pos_counts(gold: Sequence[str], prediction: Sequence[str]) -> tuple[float, float, float]:
    """Chunk counts of one sentence of bare tags; see ``chunk_counts``."""
    return chunk_counts(split_bare, gold, prediction)


def micro_f1(sums: Sequence[Any]) -> Any:
    """F1 of summed chunk counts; 0, as in seqeval, if there is no chunk on either side."""
    found, predicted, gold = sums
    chunks = predicted + gold
    return 2 * found / (chunks + (chunks == 0))

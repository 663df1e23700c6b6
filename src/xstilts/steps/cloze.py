"""Questions made of running text: a stretch with a gap, and the text that holds what fills it.

An encoder so learns to find in one text what another one asks for, in every language and without
labels, in the very form of extractive question answering. Spans that a context holds are asked for
in Ram et al. 2021, "Few-Shot Question Answering by Pretraining Span Selection"; here the question
is a text of its own, as in Lewis et al. 2019, "Unsupervised Question Answering by Cloze
Translation", without the translation. Legend: n rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from tokenizers import Tokenizer

    from xstilts.formats.encoded import Template

LEAST, MOST = 6, 16  # pieces of a question's stretch
WORDS = 3  # of an answer, at most
DROPPED = 0.5  # of a question's other pieces, at most: questions do not repeat what they ask about
IN_FRONT = 0.5  # how often the gap stands first, as question words do


def word_starts(tokenizer: Tokenizer) -> NDArray[np.bool_]:
    """Which pieces begin a word, ``[V]``: those that SentencePiece or byte pairs mark so."""
    found = np.zeros(tokenizer.get_vocab_size(), bool)
    for piece, number in tokenizer.get_vocab().items():
        found[number] = piece.startswith(("\u2581", "\u0120"))
    return found


def questions(
    stream: np.random.Generator,
    texts: Sequence[NDArray[np.int32]],
    starts: NDArray[np.bool_],
    template: Template,
    gap: int,
) -> tuple[list[NDArray[np.int32]], NDArray[np.int64]]:
    """A question to each text, and where its answer stands.

    Args:
        stream: what is drawn.
        texts: token ids without special tokens, ``MOST`` at least.
        starts: as `word_starts` has them; where words are not marked, any piece may begin one.
        template: the special tokens around two texts.
        gap: the piece that stands for what is asked for.

    Returns:
        The rows, question first, and the places of each answer's first and last piece, ``[n, 2]``.
    """
    rows, spans = [], []
    for text in texts:
        size = int(stream.integers(LEAST, MOST + 1))
        at = int(stream.integers(0, len(text) - size + 1))
        stretch = text[at : at + size]
        words = np.flatnonzero(starts[stretch])
        if len(words) < 2:
            words = np.arange(size)
        first = int(stream.integers(0, len(words) - 1))
        end = min(first + int(stream.integers(1, WORDS + 1)), len(words) - 1)
        begins, ends = int(words[first]), int(words[end])
        stays = stream.random(size) >= stream.uniform(0, DROPPED)
        before = stretch[:begins][stays[:begins]].tolist()
        after = stretch[ends:][stays[ends:]].tolist()
        question = [gap, *before, *after] if stream.random() < IN_FRONT else [*before, gap, *after]
        row, second = template.pair(question, text.tolist())
        rows.append(np.array(row, np.int32))
        spans.append((second + at + begins, second + at + ends - 1))
    return rows, np.array(spans, np.int64).reshape(-1, 2)

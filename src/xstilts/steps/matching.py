"""Rows of random pieces in two halves, from which an encoder learns to look across.

Few steps on functions of random tokens give attention what hundreds of millions of tokens of text
are needed for (Wu et al. 2022, "Insights into Pre-training via Simpler Synthetic Tasks", whose Set
and Copy these are). Pieces are drawn from the real vocabulary, evenly, so that what is learnt is to
compare pieces and not these pieces. Legend: T tokens.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from xstilts.formats.encoded import Template

LEAST, MOST = 8, 24  # pieces of a half


def shared(
    stream: np.random.Generator, template: Template, pieces: NDArray[np.int64], tokens: int
) -> tuple[list[NDArray[np.int32]], NDArray[np.int64]]:
    """Two halves that share some of their pieces, in any order; which of them?

    Args:
        stream: what is drawn.
        template: the special tokens around two texts.
        pieces: those to draw from.
        tokens: of all rows together, about.

    Returns:
        the rows, and for their tokens, one after the other, ``[T]``: 1 for a piece that the other
        half has, 0 for one that it has not, -1 for a special token.
    """
    length = int(stream.integers(LEAST, MOST + 1))
    rows, labels = [], []
    for _ in range(_count(length, template, tokens)):
        first, second = stream.choice(pieces, (2, length))
        common = int(stream.integers(1, length))
        places, taken = (stream.permutation(length)[:common] for _ in range(2))
        second[places] = first[taken]
        rows.append(_row(template, first, second))
        label = np.full(len(rows[-1]), -1, np.int64)
        begins = len(template.prefix)
        label[begins : begins + length] = np.isin(first, second)
        begins += length + len(template.middle)
        label[begins : begins + length] = np.isin(second, first)
        labels.append(label)
    return rows, np.concatenate(labels)


def repeated(
    stream: np.random.Generator, template: Template, pieces: NDArray[np.int64], tokens: int
) -> list[list[int]]:
    """A text and a stretch of it, two thirds long: what is hidden in one stands in the other.

    Arguments are those of ``shared``; returns the rows, special tokens included.
    """
    length = int(stream.integers(LEAST, MOST + 1))
    rows = []
    for _ in range(_count(length, template, tokens)):
        first = stream.choice(pieces, length)
        begins = int(stream.integers(0, length // 3 + 1))
        second = first[begins : begins + length - length // 3]
        rows.append(_row(template, first, second).tolist())
    return rows


def _count(length: int, template: Template, tokens: int) -> int:
    return max(tokens // (2 * length + template.pair_specials), 1)


def _row(
    template: Template, first: NDArray[np.int64], second: NDArray[np.int64]
) -> NDArray[np.int32]:
    return np.array(template.pair(first.tolist(), second.tolist())[0], np.int32)

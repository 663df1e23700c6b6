"""What a pretraining step sees: stretches of text and translations, languages tempered."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from xstilts.corpus.shards import Rows, Shards


class Sampler:
    """Draws token sequences from shards.

    Attributes:
        available_tokens: int64 ``[languages]``, how many the shards hold.
        drawn_tokens: int64 ``[languages]``, how many have been drawn.
        parallel: draws segments and their translations.
        dictionary: draws words and their translations.
    """

    def __init__(self, shards: Shards, alpha: float) -> None:
        self.shards = shards
        count = len(shards.languages)
        self.drawn_tokens = np.zeros(count, np.int64)
        ends = np.searchsorted(shards.mono_language, np.arange(count), side="right")
        starts = np.searchsorted(shards.mono_language, np.arange(count), side="left")
        self._mono = shards.mono_offsets[np.stack([starts, ends], 1)]  # token range a language
        sizes = np.diff(self._mono, axis=1)[:, 0]
        self._mono_chances = _tempered(sizes, alpha)
        english = shards.languages.index("en") if "en" in shards.languages else -1
        self.parallel, self.dictionary = (
            Pairs(rows, english, alpha, self.drawn_tokens)
            for rows in (shards.parallel, shards.dictionary)
        )
        self.available_tokens = sizes + self.parallel.tokens + self.dictionary.tokens

    def texts(
        self, stream: np.random.Generator, count: int, length: int
    ) -> list[NDArray[np.int32]]:
        """``count`` stretches of running text, each of one language, ``length`` tokens long."""
        found = []
        for language in stream.choice(len(self._mono), size=count, p=self._mono_chances):
            first, last = self._mono[language]
            start = first + int(stream.random() * max(last - first - length, 1))
            found.append(self.shards.mono_ids[start : min(start + length, last)].astype(np.int32))
            self.drawn_tokens[language] += len(found[-1])
        return found


class Pairs:
    """Draws pairs of translations from rows.

    Attributes:
        tokens: int64 ``[languages]``, how many the rows hold.
    """

    def __init__(
        self, rows: Rows, english: int, alpha: float, drawn_tokens: NDArray[np.int64]
    ) -> None:
        """Index the rows; ``drawn_tokens`` ``[languages]`` is counted up."""
        self.rows, self.drawn_tokens = rows, drawn_tokens
        sizes = np.diff(rows.offsets)
        order = np.argsort(rows.language, kind="stable")
        bounds = np.searchsorted(rows.language[order], np.arange(len(drawn_tokens) + 1))
        self._sides = [order[a:b] for a, b in pairwise(bounds)]
        self.tokens = np.array([sizes[sides].sum() for sides in self._sides], np.int64)
        self._chances = _tempered(self.tokens, alpha)
        self._row_of = np.repeat(np.arange(len(rows)), np.diff(rows.rows))
        self._english = english

    def draw(self, stream: np.random.Generator, count: int) -> list[tuple[NDArray, NDArray]]:
        """``count`` segments in two languages, one English at least half the time; rows differ.

        At most half of the rows, as those that are left get ever harder to draw.
        """
        count = min(count, max(len(self.rows) // 2, 1))
        found: list[tuple[NDArray, NDArray]] = []
        seen: set[int] = set()
        while len(found) < count:
            for language in stream.choice(len(self._sides), size=count, p=self._chances):
                side = int(stream.choice(self._sides[language]))
                row = int(self._row_of[side])
                if row in seen or len(found) == count:
                    continue
                seen.add(row)
                found.append((self._side(side), self._side(self._other(stream, side))))
        return found

    def _side(self, side: int) -> NDArray[np.int32]:
        ids = self.rows.side(side)
        self.drawn_tokens[self.rows.language[side]] += len(ids)
        return ids

    def _other(self, stream: np.random.Generator, side: int) -> int:
        row = self._row_of[side]
        first, last = self.rows.rows[row], self.rows.rows[row + 1]
        others = [other for other in range(first, last) if other != side]
        english = [o for o in others if self.rows.language[o] == self._english]
        if english and stream.random() < 0.5:
            return english[0]
        return int(stream.choice(others))


def _tempered(sizes: NDArray, alpha: float) -> NDArray[np.float64]:
    weights = np.where(sizes > 0, np.asarray(sizes, float).clip(1) ** alpha, 0.0)
    return weights / max(weights.sum(), 1e-300)

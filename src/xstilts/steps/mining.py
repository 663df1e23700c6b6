"""Bitext mining by margin: from the embeddings of two corpora to scored candidate pairs.

XTREME's set-up for BUCC 2018: equal sentences are one; cosine; four nearest neighbours in both
directions; a pair's score is its cosine over the mean of both sentences' mean cosine to their
neighbours (Artetxe & Schwenk 2019, the ratio margin); then the best pairs first, each sentence in
one pair at most.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from xstilts.metrics.bitext import Candidate

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

NEIGHBOURS = 4
BLOCK = (512, 16384)  # rows and columns of cosines at a time: 32 MiB


def mine(
    source: NDArray[np.float32],
    target: NDArray[np.float32],
    source_texts: Mapping[str, str],
    target_texts: Mapping[str, str],
    *,
    neighbours: int = NEIGHBOURS,
) -> list[Candidate]:
    """The candidate pairs of two corpora, best first.

    A mined sentence that several ids have is dropped, as in XTREME's script (the authors' toolkit
    makes a pair of every one of its ids).

    Args:
        source: embeddings of the source sentences, ``[n, width]``, of any length.
        target: embeddings of the target sentences, ``[m, width]``.
        source_texts: id -> sentence, in the order of the embeddings.
        target_texts: likewise.
        neighbours: how many nearest neighbours make the margin.
    """
    named = [_by_text(source_texts), _by_text(target_texts)]
    first, second = (
        _unit_length(vectors[np.array([places[0] for places, _ in texts], np.int64)])
        for vectors, texts in zip((source, target), named, strict=True)
    )
    found = []
    for row, column, score in _greedy(first, second, neighbours):
        ids = [named[0][row][1], named[1][column][1]]
        if len(ids[0]) == len(ids[1]) == 1:
            found.append(Candidate(ids[0][0], ids[1][0], score))
    return found


def _by_text(texts: Mapping[str, str]) -> list[tuple[list[int], list[str]]]:
    """For each different sentence its places and its ids, in the order of first occurrence."""
    found: dict[str, tuple[list[int], list[str]]] = {}
    for place, (name, text) in enumerate(texts.items()):
        places, names = found.setdefault(text.strip(), ([], []))
        places.append(place)
        names.append(name)
    return list(found.values())


def _unit_length(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    lengths = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))[:, None]
    return (vectors / np.where(lengths > 0, lengths, 1)).astype(np.float32, copy=False)


def _greedy(
    first: NDArray[np.float32], second: NDArray[np.float32], neighbours: int
) -> Sequence[tuple[int, int, float]]:
    """Pairs of rows, best first, each row of either side once, with scores above 0."""
    (forward, there), (backward, back) = (
        found.sorted() for found in _nearest(first, second, neighbours)
    )
    ahead, behind = forward.mean(axis=1), backward.mean(axis=1)
    margins = _ratio(forward, (ahead[:, None] + behind[there]) / 2)
    counter = _ratio(backward, (behind[:, None] + ahead[back]) / 2)
    rows, columns = np.arange(len(first)), np.arange(len(second))
    best, best_back = margins.argmax(axis=1), counter.argmax(axis=1)
    pairs = np.concatenate(
        [
            np.stack([rows, there[rows, best]], axis=1),
            np.stack([back[columns, best_back], columns], axis=1),
        ]
    )
    scores = np.concatenate([margins[rows, best], counter[columns, best_back]])
    used: tuple[set[int], set[int]] = (set(), set())
    found = []
    order = np.argsort(-scores, kind="stable")
    ranked = zip(pairs[order].tolist(), scores[order].tolist(), strict=True)
    for (row, column), score in ranked:
        if row not in used[0] and column not in used[1]:
            used[0].add(row)
            used[1].add(column)
            if score > 0:
                found.append((row, column, score))
    return found


def _ratio(cosines: NDArray[np.float32], means: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.divide(cosines, means, out=np.zeros_like(cosines), where=means != 0)


class _Neighbours:
    """The nearest neighbours found so far of each of n vectors.

    Attributes:
        cosines: ``[n, k]``, nearest first.
        rows: ``[n, k]``, the neighbours; of equally near ones at the end, any.
    """

    def __init__(self, n: int, k: int) -> None:
        self.cosines = torch.full((n, k), -torch.inf)
        self.rows = torch.zeros((n, k), dtype=torch.int64)

    def see(self, cosines: torch.Tensor, queries: int, candidates: int) -> None:
        """Take in more candidates.

        Args:
            cosines: ``[q, c]``, of q of the vectors and c candidates that they did not meet yet.
            queries: the first one of the q.
            candidates: the first one of the c.
        """
        # After the first blocks hardly any vector finds a nearer one: one look at the largest.
        better = (cosines.amax(1) > self.cosines[queries : queries + len(cosines), -1]).nonzero()[
            :, 0
        ]
        if len(better) == 0:
            return
        if len(better) < len(cosines):
            cosines = cosines[better]
        here = better + queries
        k = self.cosines.shape[1]
        found, rows = cosines.topk(min(k, cosines.shape[1]), dim=1)
        found = torch.cat([self.cosines[here], found], dim=1)
        rows = torch.cat([self.rows[here], rows + candidates], dim=1)
        self.cosines[here], order = found.topk(k, dim=1)
        self.rows[here] = rows.gather(1, order)

    def sorted(self) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Cosines and rows, both ``[n, k]``, nearest first, the lower row in a tie."""
        cosines, rows = self.cosines.numpy(), self.rows.numpy()
        order = np.lexsort((rows, -cosines), axis=1)
        return np.take_along_axis(cosines, order, 1), np.take_along_axis(rows, order, 1)


def _nearest(
    first: NDArray[np.float32], second: NDArray[np.float32], neighbours: int
) -> tuple[_Neighbours, _Neighbours]:
    """Exact neighbours of all rows of either side among the other's, from one pass of products."""
    one, other = torch.from_numpy(first), torch.from_numpy(second)
    ahead = _Neighbours(len(one), min(neighbours, len(other)))
    behind = _Neighbours(len(other), min(neighbours, len(one)))
    memory = torch.empty(BLOCK[0] * BLOCK[1])
    for row in range(0, len(one), BLOCK[0]):
        for column in range(0, len(other), BLOCK[1]):
            rows, columns = one[row : row + BLOCK[0]], other[column : column + BLOCK[1]]
            cosines = memory[: len(rows) * len(columns)].view(len(rows), len(columns))
            torch.mm(rows, columns.T, out=cosines)
            ahead.see(cosines, row, column)
            behind.see(cosines.T, column, row)
    return ahead, behind

"""Exact search with a ratio margin, both ways, against faiss.

    python benchmarks/retrieval.py [--only ROW]

``mining`` mines 15,000 x 10,000 sentences as BUCC does, vectors of 256. Theirs is a flat index of
faiss in both directions and the same margin by numpy; ours is `metrics.mining.mine` as it is
called. ``mining_memory`` does 150,000 x 100,000 once, for its memory, and takes minutes: it is run
only when asked for.
"""

from __future__ import annotations

import resource
from typing import TYPE_CHECKING

import numpy as np
import workload
from sides import Clock, Round, Row, Settings, Side, rows

from xstilts.steps import mining

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

WIDTH = 256


def planted(queries: int, candidates: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Vectors of unit length; each candidate is the partner of one query."""
    stream = np.random.default_rng(0)
    first = stream.standard_normal((queries, WIDTH), np.float32)
    second = first[:candidates] + 0.5 * stream.standard_normal((candidates, WIDTH), np.float32)
    return tuple(one / np.linalg.norm(one, axis=1, keepdims=True) for one in (first, second))


def ours(settings: Settings, sizes: tuple[int, int]) -> Callable[[], Round]:
    """As predict steps call it."""
    del settings
    first, second = planted(*sizes)
    texts = [{str(n): str(n) for n in range(len(side))} for side in (first, second)]

    def job() -> Round:
        clock = Clock()
        found = mining.mine(first, second, *texts)
        done = clock.round(sizes[0])
        right = sum(one.source == one.target for one in found)
        assert right > 0.999 * sizes[1]
        return done

    return job


def flat(settings: Settings, sizes: tuple[int, int]) -> Callable[[], Round]:
    """What a user of faiss would write."""
    import faiss

    faiss.omp_set_num_threads(settings.threads)
    first, second = planted(*sizes)

    def nearest(queries: NDArray[np.float32], index: NDArray[np.float32]) -> tuple:
        searched = faiss.IndexFlatIP(WIDTH)
        searched.add(index)
        return searched.search(queries, mining.NEIGHBOURS)

    def job() -> Round:
        clock = Clock()
        (forward, there), (backward, back) = nearest(first, second), nearest(second, first)
        ahead, behind = forward.mean(1), backward.mean(1)
        margins = forward / ((ahead[:, None] + behind[there]) / 2)
        counter = backward / ((behind[:, None] + ahead[back]) / 2)
        rows, columns = np.arange(sizes[0]), np.arange(sizes[1])
        best, best_back = margins.argmax(1), counter.argmax(1)
        pairs = [*zip(rows.tolist(), there[rows, best].tolist(), strict=True)]
        pairs += zip(back[columns, best_back].tolist(), columns.tolist(), strict=True)
        scores = np.concatenate([margins[rows, best], counter[columns, best_back]])
        taken: tuple[set[int], set[int]] = (set(), set())
        right = 0
        for place in np.argsort(-scores):  # as the script of XTREME picks its pairs
            row, column = pairs[place]
            if row not in taken[0] and column not in taken[1]:
                taken[0].add(row)
                taken[1].add(column)
                right += row == column
        assert right > 0.999 * sizes[1]
        return clock.round(sizes[0])

    return job


def search(settings: Settings) -> list[Row]:
    """15,000 x 10,000."""
    return _mined(settings, (15_000, 10_000))


def memory(settings: Settings) -> list[Row]:
    """150,000 x 100,000, once, for its memory."""
    found = _mined(Settings(1, settings.threads, settings.share), (150_000, 100_000))
    base = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    vectors = 250_000 * settings.share * WIDTH * 4 / 2**20
    for row in found:
        row.note = (
            f"mark: under 1,024 MiB beyond {vectors:,.0f} of vectors and {base:,.0f} of imports"
        )
    return found


def _mined(settings: Settings, whole: tuple[int, int]) -> list[Row]:
    sizes = (int(whole[0] * settings.share), int(whole[1] * settings.share))
    found = rows(
        settings,
        f"mine {sizes[0]:,} x {sizes[1]:,}",
        "queries/s",
        Side(f"xstilts, {settings.threads} threads", ours, (sizes,)),
        [
            (
                "faiss IndexFlatIP",
                Side(f"faiss, {settings.threads} threads", flat, (sizes,)),
                (1 / 1.1, 1.0, None),
            )
        ],
    )
    for row in found:  # each cosine once: a search needs no more
        row.limit = workload.limit(row.ours, 2.0 * sizes[1] * WIDTH, settings, unit="queries")
    return found


ROWS = {"mining": search, "mining_memory": memory}

if __name__ == "__main__":
    from everything import main

    main(ROWS)

"""Bitext mining on vectors whose cosines are known."""

from __future__ import annotations

import numpy as np
import pytest

from xstilts.steps import mining
from xstilts.steps.mining import mine

EAST, NORTH, UP = np.eye(3, dtype=np.float32)


def texts(prefix: str, *sentences: str) -> dict[str, str]:
    return {f"{prefix}{number}": text for number, text in enumerate(sentences)}


def test_margins_by_hand():
    """Two neighbours. First side: a = east, b = north. Second: x = east, y = (3, 4) / 5.

    Cosines: a-x 1, a-y 0.6, b-x 0, b-y 0.8. Mean of the two: a 0.8, b 0.4, x 0.5, y 0.7.
    Margins: a-x 1 / 0.65; b-y 0.8 / 0.55; a-y 0.6 / 0.75. Best first: a-x, then b-y.
    """
    first = np.stack([EAST, 2 * NORTH])  # lengths do not matter
    second = np.stack([EAST, 3 * EAST + 4 * NORTH])
    found = mine(first, second, texts("a", "eins", "zwei"), texts("x", "one", "two"), neighbours=2)
    assert [one.pair for one in found] == [("a0", "x0"), ("a1", "x1")]
    assert [one.score for one in found] == pytest.approx([1 / 0.65, 0.8 / 0.55], rel=1e-6)


def test_every_sentence_is_in_one_pair_at_most():
    """Two sources want the same target; the worse one gets what is left for it: nothing."""
    first = np.stack([EAST, EAST + 0.5 * NORTH])
    second = np.stack([EAST])
    found = mine(first, second, texts("a", "eins", "zwei"), texts("x", "one"))
    assert [one.pair for one in found] == [("a0", "x0")]


def test_fewer_sentences_than_neighbours_are_all_neighbours():
    (found,) = mine(EAST[None], EAST[None], {"a": "eins"}, {"x": "one"}, neighbours=4)
    assert found.score == pytest.approx(1)


def test_scores_of_0_and_below_are_no_candidates():
    assert mine(EAST[None], NORTH[None], {"a": "eins"}, {"x": "one"}) == []


def test_the_first_of_equals_wins():
    first = np.stack([EAST, NORTH])
    second = np.stack([EAST, EAST, NORTH])  # two different sentences with one embedding
    found = mine(first, second, texts("a", "1", "2"), texts("x", "1", "1!", "2"), neighbours=1)
    assert [one.pair for one in found] == [("a0", "x0"), ("a1", "x2")]


def test_sentences_of_several_ids_are_dropped():
    """As XTREME's script does."""
    first = np.stack([EAST, EAST, NORTH])
    second = np.stack([EAST, EAST, NORTH])
    one, other = texts("a", "ja", "ja ", "nein"), texts("x", "yes", "yes", "no")
    found = mine(first, second, one, other, neighbours=1)
    assert [one.pair for one in found] == [("a2", "x2")]


def test_a_zero_vector_is_far_from_everything():
    first = np.stack([0 * EAST, NORTH])
    found = mine(first, np.stack([EAST, NORTH]), texts("a", "1", "2"), texts("x", "1", "2"))
    assert found[0].pair == ("a1", "x1")
    assert np.isfinite([one.score for one in found]).all()


def test_blocks_do_not_matter(monkeypatch):
    stream = np.random.default_rng(0)
    first, second = stream.normal(size=(2, 40, 8)).astype(np.float32)
    ids = ({f"a{i}": f"s{i}" for i in range(40)}, {f"x{i}": f"t{i}" for i in range(40)})
    whole = mine(first, second, *ids)
    monkeypatch.setattr(mining, "BLOCK", (7, 11))
    parts = mine(first, second, *ids)
    assert [one.pair for one in parts] == [one.pair for one in whole]
    assert [one.score for one in parts] == pytest.approx([one.score for one in whole], rel=1e-5)


@pytest.mark.parametrize("sizes", [(300, 200), (3, 2)])
@pytest.mark.parametrize("block", [(512, 16384), (31, 17), (1, 1)])
def test_neighbours_are_those_of_faiss(sizes, block, monkeypatch):
    """Both ways; with ties: every fifth vector is another one's double."""
    faiss = pytest.importorskip("faiss")
    monkeypatch.setattr(mining, "BLOCK", block)
    stream = np.random.default_rng(3)
    sides = [stream.standard_normal((size, 16)).astype(np.float32) for size in sizes]
    for side in sides:
        side[::5] = side[: len(side[::5])]
    both_ways = mining._nearest(*sides, 4)
    for found, queries, candidates in zip(both_ways, sides, sides[::-1], strict=True):
        index = faiss.IndexFlatIP(16)
        index.add(candidates)
        expected, _ = index.search(queries, min(4, len(candidates)))
        cosines, rows = found.sorted()
        assert cosines == pytest.approx(expected, rel=1e-5)
        assert all(len(set(one)) == len(one) for one in rows.tolist())
        here = np.einsum("qd,qkd->qk", queries, candidates[rows])
        assert here == pytest.approx(cosines, rel=1e-5)

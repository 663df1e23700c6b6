"""BUCC: thresholds and extraction by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xstilts.metrics import get, score
from xstilts.metrics.bitext import Candidate, best_threshold, extract, units

GOLD = [("de-1", "en-1"), ("de-2", "en-2"), ("de-3", "en-3")]


def candidates(*scored: tuple[int, int, float]) -> list[Candidate]:
    return [Candidate(f"de-{one}", f"en-{other}", value) for one, other, value in scored]


def f1(gold, extracted) -> float:
    return score(get("bitext_f1"), units(gold, extracted), "de")


def test_a_threshold_is_midway_to_the_next_candidate():
    # F1 after each: 2*1/(1+3) = 1/2; 2*2/(2+3) = 4/5; 2*2/(3+3) = 2/3. The cut is after the second.
    mined = candidates((1, 1, 1.4), (2, 2, 1.2), (9, 9, 1.1))
    threshold = best_threshold(mined, GOLD)
    assert threshold == pytest.approx(1.15)
    assert extract(mined, threshold) == GOLD[:2]
    assert f1(GOLD, extract(mined, threshold)) == pytest.approx(4 / 5)


def test_the_best_cut_may_take_everything():
    """The official script reads past the end here (items[i + 1])."""
    mined = candidates((1, 1, 1.4), (2, 2, 1.2), (3, 3, 1.1))
    assert best_threshold(mined, GOLD) == 1.1
    assert f1(GOLD, extract(mined, 1.1)) == 1
    assert best_threshold(candidates((1, 1, 0.9)), GOLD) == 0.9


def test_nothing_right_is_threshold_0_and_everything_is_extracted():
    mined = candidates((1, 2, 1.4), (2, 1, 0.3))
    assert best_threshold(mined, GOLD) == 0
    assert extract(mined, 0) == [("de-1", "en-2"), ("de-2", "en-1")]
    assert f1(GOLD, extract(mined, 0)) == 0
    assert best_threshold([], GOLD) == 0


def test_a_tie_at_the_cut_is_extracted_whole():
    """The midpoint of equal scores is that score, and extraction takes what reaches it: the F1
    that comes out, 2*1/(2+3), is below the one that chose the cut, 2*1/(1+3)."""
    mined = candidates((1, 1, 1.2), (9, 9, 1.2), (8, 8, 1.0))
    assert best_threshold(mined, GOLD) == 1.2
    assert f1(GOLD, extract(mined, 1.2)) == pytest.approx(2 / 5)


def test_of_equally_good_cuts_the_first_counts():
    # With one gold pair of two: 2*1/(1+2) = 2/3, 2*1/(2+2), 2*1/(3+2), 2*2/(4+2) = 2/3 again.
    mined = candidates((1, 1, 4.0), (8, 8, 3.0), (9, 9, 2.0), (2, 2, 1.0))
    assert best_threshold(mined, GOLD[:2]) == 3.5


def test_a_threshold_is_carried_from_one_set_to_another():
    """Tuned on dev, the threshold of 1.15 costs test a pair that its own threshold would keep."""
    dev = candidates((1, 1, 1.4), (2, 2, 1.2), (9, 9, 1.1))
    test = candidates((1, 1, 1.3), (2, 2, 1.1), (9, 9, 1.0))
    carried, tuned = best_threshold(dev, GOLD), best_threshold(test, GOLD)
    assert f1(GOLD, extract(test, carried)) == pytest.approx(1 / 2)  # 2*1/(1+3)
    assert f1(GOLD, extract(test, tuned)) == pytest.approx(4 / 5)


def test_pairs_are_sets():
    """Pairs said twice count once, on either side; a sentence may have several partners."""
    gold = [("a", "x"), ("a", "y"), ("b", "z"), ("b", "z")]
    extracted = [("a", "x"), ("a", "x"), ("c", "x")]
    assert f1(gold, extracted) == pytest.approx(2 * 1 / (2 + 3))
    assert extract(candidates((1, 1, 2.0), (1, 1, 1.5)), 1) == [("de-1", "en-1")]


pairs = st.tuples(st.sampled_from("abcd"), st.sampled_from("wxyz"))
scored = st.lists(
    st.builds(lambda pair, value: Candidate(*pair, value), pairs, st.integers(1, 99).map(float)),
    max_size=12,
)


@given(mined=scored, gold=st.sets(pairs, min_size=1))
def test_no_threshold_between_different_scores_is_better(mined, gold):
    mined = list({one.score: one for one in mined}.values())  # no ties
    best = f1(gold, extract(mined, best_threshold(mined, gold)))
    for one in mined:
        assert f1(gold, extract(mined, one.score)) <= best + 1e-9

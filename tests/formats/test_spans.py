"""Span corruption: the example of the T5 paper, and what must hold for any length."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xstilts.formats.spans import apart, left_out


def test_the_example_of_the_paper():
    """Raffel et al. 2020, figure 2, without the last sentinel, which their code leaves out."""
    words = ["Thank", "you", "for", "inviting", "me", "to", "your", "party", "last", "week"]
    ids = np.arange(len(words), dtype=np.int32)
    hidden = np.isin(words, ["for", "inviting", "last"])
    source, target = apart(ids, hidden, sentinels=[100, 101, 102])
    names = dict(enumerate(words)) | {100: "<X>", 101: "<Y>"}
    assert " ".join(map(names.get, source)) == "Thank you <X> me to your party <Y> week"
    assert " ".join(map(names.get, target)) == "<X> for inviting <Y> last"


@pytest.mark.parametrize(
    ("tokens", "hidden", "spans"),
    [(1, 1, 1), (2, 1, 1), (10, 2, 1), (20, 3, 1), (40, 6, 2), (100, 15, 5), (512, 77, 26)],
)
def test_how_many_tokens_and_spans_a_length_has(tokens, hidden, spans):
    """15 % of the length, rounded, and a third of that; round(1.5) and round(2.5) are 2."""
    found = left_out(tokens, seed=1, most=100)
    assert found.sum() == hidden
    starts = found & ~np.r_[False, found[:-1]]
    assert starts.sum() == spans


@given(st.integers(2, 300), st.integers(0, 2**40), st.integers(1, 30))
def test_the_first_piece_is_kept_and_the_text_can_be_put_together(tokens, seed, most):
    found = left_out(tokens, seed, most)
    assert not found[0]
    assert found[-1]
    ids = np.arange(tokens, dtype=np.int32)
    sentinels = list(range(1000, 1000 + most))
    source, target = apart(ids, found, sentinels)
    spans: dict[int, list[int]] = {}
    for one in target:
        if one >= 1000:
            spans[one] = []
        else:
            spans[max(spans)].append(one)
    whole = [token for one in source for token in (spans[one] if one >= 1000 else [one])]
    assert whole == ids.tolist()
    assert list(spans) == sentinels[: len(spans)]


def test_all_ways_of_parting_are_equally_likely():
    """Seven tokens of 40 hidden would be six in two spans: (1,5) to (5,1), a fifth each."""
    lengths: Counter[int] = Counter()
    for seed in range(2000):
        found = np.flatnonzero(left_out(40, seed, most=100))
        lengths[int(np.argmax(np.diff(found) > 1)) + 1] += 1
    assert set(lengths) == {1, 2, 3, 4, 5}
    assert min(lengths.values()) > 320  # of 400 expected, with a standard deviation of 18

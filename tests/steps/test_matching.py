"""Rows of random pieces: what their labels say is so."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xstilts.formats.encoded import Template
from xstilts.steps import matching

TEMPLATES = [
    Template(prefix=(0,), single_suffix=(2,), middle=(2, 2), pair_suffix=(2,), second_type=0),
    Template(prefix=(101,), single_suffix=(102,), middle=(102,), pair_suffix=(102,), second_type=1),
]
PIECES = np.arange(200, 240)  # so few that a half may have one twice


def halves(row, template):
    """The two halves of a row, and where each begins."""
    length = (len(row) - template.pair_specials) // 2
    begins = len(template.prefix), len(template.prefix) + length + len(template.middle)
    return [(start, row[start : start + length].tolist()) for start in begins]


@pytest.mark.parametrize("template", TEMPLATES)
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_shared_pieces_are_those_that_the_other_half_has(template, seed):
    stream = np.random.default_rng(seed)
    rows, labels = matching.shared(stream, template, PIECES, 400)
    assert len(labels) == sum(map(len, rows))
    start = 0
    for row in rows:
        mine, start = labels[start : start + len(row)], start + len(row)
        (at, one), (then, other) = halves(row, template)
        assert mine[at : at + len(one)].tolist() == [piece in other for piece in one]
        assert mine[then : then + len(other)].tolist() == [piece in one for piece in other]
        assert (mine == -1).sum() == template.pair_specials
        assert 1 in mine
    assert 200 < sum(map(len, rows)) <= 400


def test_as_many_pieces_are_shared_as_not():
    rows, labels = matching.shared(
        np.random.default_rng(1), TEMPLATES[0], np.arange(10, 9000), 60_000
    )
    assert len(rows) > 500
    assert (labels == 1).sum() / (labels >= 0).sum() == pytest.approx(0.5, abs=0.03)


def test_the_second_half_is_a_stretch_of_the_first():
    template = TEMPLATES[0]
    rows = matching.repeated(np.random.default_rng(2), template, np.arange(10, 9000), 3_000)
    begins = set()
    for row in rows:
        middle = row.index(2)
        first, second = row[1:middle], row[middle + 2 : -1]
        place = first.index(second[0])
        assert first[place : place + len(second)] == second
        assert len(second) == len(first) - len(first) // 3
        begins.add(place)
    assert len(begins) > 2

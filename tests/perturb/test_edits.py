"""Edits: drawn from a seed, applied, and what is kept is found again."""

from __future__ import annotations

import pytest

from xstilts.perturb.base import Perturbation
from xstilts.perturb.edits import Edit, apply, draw, moved


def test_edits_are_applied_together():
    edits = [Edit(0, 1, "X"), Edit(2, 2, "--"), Edit(4, 6, "")]
    assert apply("abcdefg", edits) == "Xb--cdg"


@pytest.mark.parametrize(
    ("part", "text"),
    [
        ((0, 2), "Xb"),  # what is put at its end is outside
        ((2, 4), "cd"),  # and at its beginning
        ((1, 3), "b--c"),
        ((3, 6), "d"),
        ((6, 7), "g"),
        ((0, 7), "Xb--cdg"),
    ],
)
def test_a_part_is_found_again(part, text):
    edits = [Edit(0, 1, "X"), Edit(2, 2, "--"), Edit(4, 6, "")]
    assert apply("abcdefg", edits)[slice(*moved(part, edits))] == text


WHOLE = Perturbation("whole", "", lambda text, _: [(0, len(text))], lambda *_: ("x",))
LETTER = Perturbation(
    "letter",
    "",
    lambda text, _: [(i, i + 1) for i in range(len(text))],
    lambda text, site, _: (text[slice(*site)].upper(), ""),
)
GONE = Perturbation("gone", "", LETTER.sites, lambda *_: ("",))


def test_no_edit_reaches_over_the_end_of_a_kept_part():
    assert draw("abcd", WHOLE, 1, 1, "en") == [Edit(0, 4, "x")]
    assert draw("abcd", WHOLE, 1, 1, "en", keep=[(0, 4)]) == [Edit(0, 4, "x")]
    assert not draw("abcd", WHOLE, 1, 1, "en", keep=[(1, 2)])


def test_a_kept_part_is_never_left_blank():
    assert apply("abcd", draw("abcd", GONE, 1, 1, "en", keep=[(1, 3)])) == "bc"
    assert apply("a  d", draw("a  d", GONE, 1, 1, "en", keep=[(1, 3)])) == ""  # it was blank before


def test_the_draws_name_seed_perturbation_and_text():
    text = "abcdefgh" * 50
    first = draw(text, LETTER, 0.5, 1, "en")
    assert draw(text, LETTER, 0.5, 1, "en") == first
    others = [
        draw(text, LETTER, 0.5, 2, "en"),
        draw(text, GONE, 0.5, 1, "en"),
        draw(text + "!", LETTER, 0.5, 1, "en"),
    ]
    assert all([edit.start for edit in one] != [e.start for e in first] for one in others)
    assert {edit.text for edit in first} > {"", "A"}  # every option is taken


def test_edits_at_a_lower_severity_are_among_those_at_a_higher_one():
    text = "abcdefgh" * 50
    counts = []
    for severity in (0, 0.1, 0.3, 0.7, 1):
        found = set(draw(text, LETTER, severity, 1, "en"))
        counts.append(len(found))
        assert found <= set(draw(text, LETTER, 1, 1, "en"))
    assert counts[0] == 0
    assert counts[-1] == 400
    # Three standard deviations of a binomial count: 18, 27.5, 27.5.
    assert abs(counts[1] - 40) < 18
    assert abs(counts[2] - 120) < 28
    assert abs(counts[3] - 280) < 28

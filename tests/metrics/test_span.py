"""SQuAD v1.1 and v2.0, every value worked out by hand from the official scripts' rules.

With s shared tokens, F1 = 2s / (gold tokens + predicted tokens).
"""

from __future__ import annotations

import pytest

from xstilts.errors import UserError
from xstilts.metrics.span import (
    SQUAD,
    best_null_threshold,
    silenced,
    squad_exact_match,
    squad_f1,
    squad_v2_exact_match,
    squad_v2_f1,
)


@pytest.mark.parametrize(
    ("answer", "tokens"),
    [
        ("The Eiffel  Tower!", ["eiffel", "tower"]),
        # Punctuation goes first: the article that then stands alone is found, one that has
        # grown together with its neighbour is not.
        ("the-end", ["theend"]),
        ("T.H.E. end", ["end"]),
        ("a.n apple", ["apple"]),
        ("theatre an", ["theatre"]),
        ("$100", ["100"]),  # every ASCII symbol is punctuation ...
        ("100€", ["100€"]),  # ... and nothing else is
        ("1914–1918", ["1914–1918"]),
        ("“Hello”", ["“hello”"]),
        ("《史记》", ["《史记》"]),
        ("दिल्ली।", ["दिल्ली।"]),
        ("北京大学", ["北京大学"]),  # no spaces, one token
        ("北京\u3000大学", ["北京", "大学"]),  # the ideographic space is white space
        ("กรุงเทพ\u200bมหานคร", ["กรุงเทพ\u200bมหานคร"]),  # the zero-width space is not
        ("a\u00a0b", ["b"]),  # nor does a no-break space hide an article
        ("STRASSE Straße", ["strasse", "straße"]),  # lower-cased, not case-folded
        ("der Rhein", ["der", "rhein"]),  # English articles only
        ("la\u0301 a\u0301", ["la\u0301", "\u0301"]),  # a combining mark is no word character
        ("the", []),
        ("", []),
    ],
)
def test_squad_tokens(answer, tokens):
    assert SQUAD.tokens(answer) == tokens


@pytest.mark.parametrize(
    ("gold", "prediction", "exact", "f1"),
    [
        (["Denver Broncos"], "the denver broncos.", 1, 1),
        # {denver, broncos} and {broncos, won}: s = 1, 2 + 2 tokens.
        (["Denver Broncos"], "Broncos won", 0, 1 / 2),
        # The best of several gold answers.
        (["Denver Broncos", "The Broncos"], "Broncos", 1, 1),
        # Bags, not sets: s = min(2, 1) = 1 of 2 + 1; then s = min(2, 3) = 2 of 2 + 3.
        (["Bora Bora"], "Bora", 0, 2 / 3),
        (["Bora Bora"], "Bora Bora Bora", 0, 4 / 5),
        # Order does not matter to F1.
        (["one two"], "two one", 0, 1),
        # An empty prediction is wrong, and counts.
        (["Paris"], "", 0, 0),
        # Thai and Chinese: a part of a token is not that token.
        (["กรุงเทพมหานคร"], "กรุงเทพ", 0, 0),
        (["北京大学"], "北京", 0, 0),
        (["北京大学"], "北京大学", 1, 1),
        # Thai abbreviation: ASCII points go, {พศ, 2475} and {2475}: s = 1 of 2 + 1.
        (["พ.ศ. 2475"], "2475", 0, 2 / 3),
        # Full-width brackets and the danda stay.
        (["《史记》"], "史记", 0, 0),
        (["दिल्ली।"], "दिल्ली", 0, 0),
        # A foreign article is a token: {der, rhein} and {rhein}.
        (["der Rhein"], "Rhein", 0, 2 / 3),
        # An Arabic one is not even that.
        (["القاهرة"], "قاهرة", 0, 0),
        # A zero-width joiner makes another word.
        (["क्\u200dष"], "क्ष", 0, 0),
    ],
)
def test_squad_v1(gold, prediction, exact, f1):
    assert squad_exact_match(gold, prediction) == (exact, 1)
    assert squad_f1(gold, prediction) == (pytest.approx(f1), 1)
    # Where something can be matched, v2.0 agrees with v1.1.
    assert squad_v2_exact_match(gold, prediction) == (exact, 1)
    assert squad_v2_f1(gold, prediction) == (pytest.approx(f1), 1)


def test_when_nothing_is_left_v1_matches_without_overlap():
    # Both are empty after normalisation: equal, but no token is shared.
    assert squad_exact_match(["The"], "a") == (1, 1)
    assert squad_f1(["The"], "a") == (0, 1)
    # v2.0 has a rule for it: F1 of two empties is 1.
    assert squad_v2_exact_match(["The"], "a") == (1, 1)
    assert squad_v2_f1(["The"], "a") == (1, 1)


def test_v2_drops_gold_answers_without_tokens():
    # "The" would match silence exactly; beside "Paris" v2.0 drops it, v1.1 does not.
    assert squad_exact_match(["Paris", "The"], "") == (1, 1)
    assert squad_v2_exact_match(["Paris", "The"], "") == (0, 1)
    assert squad_v2_f1(["Paris", "The"], "") == (0, 1)


@pytest.mark.parametrize(
    ("gold", "prediction", "value"),
    [([], "", 1), ([], "Paris", 0), (["Paris"], "", 0), ([], "the", 1)],
)
def test_unanswerable(gold, prediction, value):
    assert squad_v2_exact_match(gold, prediction) == (value, 1)
    assert squad_v2_f1(gold, prediction) == (value, 1)


@pytest.mark.parametrize("metric", [squad_f1, squad_exact_match])
def test_v1_has_no_unanswerable_questions(metric):
    with pytest.raises(UserError, match="use squad_v2_f1"):
        metric([], "Paris")


def v2(gold: list[str], answer: str, null_odds: float) -> dict:
    return {"gold": gold, "answer": answer, "null_odds": null_odds}


def test_null_threshold_by_hand():
    """Silence everywhere earns 2 of 5. Answering from the lowest odds up: 3, 2, 3, 4, 4.

    The best, 4, is reached at odds 0.5, and again at none better. What is above 0.5 is silent.
    """
    units = [
        v2(["Oslo"], "Oslo", -2.0),
        v2([], "Rome", -1.0),
        v2(["Bonn"], "Bonn", 0.2),
        v2(["Bern"], "Bern", 0.5),
        v2([], "", 0.9),  # silence that costs nothing to keep
    ]
    assert best_null_threshold(units, squad_v2_exact_match) == 0.5
    rows = silenced(units, 0.5)
    assert [row["prediction"] for row in rows] == ["Oslo", "Rome", "Bonn", "Bern", ""]
    assert sum(squad_v2_exact_match(row["gold"], row["prediction"])[0] for row in rows) == 4


def test_null_threshold_where_silence_is_best():
    """Nothing beats silence: the script then says 0, whatever that does to odds below it."""
    units = [v2([], "Rome", -1.0), v2([], "Oslo", 1.0)]
    assert best_null_threshold(units, squad_v2_f1) == 0
    assert [row["prediction"] for row in silenced(units, 0)] == ["Rome", ""]


def test_f1_and_exact_match_have_thresholds_of_their_own():
    # Half an answer is worth 2/3 in F1 and nothing in exact match, where it never pays to give it.
    units = [v2(["Oslo"], "Oslo", -1.0), v2(["Bonn am Rhein"], "Bonn am", 0.4), v2([], "Rome", 0.8)]
    assert best_null_threshold(units, squad_v2_f1) == 0.4
    assert best_null_threshold(units, squad_v2_exact_match) == -1.0

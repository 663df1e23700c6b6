"""The four pieces of an attack, by hand: goal, transformation, constraint, search."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perturb.test_properties import SENTENCES
from xstilts.formats.examples import Choice, Pair, texts
from xstilts.identity import fingerprint
from xstilts.perturb.edits import Edit
from xstilts.steps.attacks import SEED, VERSION
from xstilts.steps.attacks.constraint import Budget, clashes, sound
from xstilts.steps.attacks.goal import margin, reached
from xstilts.steps.attacks.search import WIDTHS, Search
from xstilts.steps.attacks.step import subset
from xstilts.steps.attacks.transformation import Move, edited, offered, slips
from xstilts.tasks import TASKS

PAIR = Pair("1", "g", "the cat sleeps here", "no dog is awake", "no")
CHOICE = Choice("1", "g", "the cat", ("sat", "sap", "ran"), 1)


def move(field, start, end, text, guard):
    return Move(field, Edit(start, end, text), guard)


# --- goal --------------------------------------------------------------------------------------


def test_the_margin_is_the_right_answers_lead():
    labels = ("no", "maybe", "yes")
    assert margin({"gold": "maybe", "scores": [1.0, 3.5, 2.0]}, labels) == 1.5
    assert margin({"gold": 0, "scores": [1.0, 3.5]}, ()) == -2.5
    assert [reached(x) for x in (0.1, 0.0, -0.1)] == [False, False, True]


# --- transformation ----------------------------------------------------------------------------


def test_moves_are_applied_to_the_texts_as_they_were():
    moves = [move(1, 3, 6, "dgo", (3, 6)), move(0, 4, 5, "", (4, 7)), move(0, 8, 8, "x", (8, 14))]
    new = edited(PAIR, moves)
    assert texts(new) == ("the at xsleeps here", "no dgo is awake")
    assert (new.id, new.group, new.label) == ("1", "g", "no")
    assert edited(PAIR, []) == PAIR
    assert texts(edited(CHOICE, [move(2, 2, 3, "t", (0, 3))])) == ("the cat", "sat", "sat", "ran")


def test_slips_that_leave_labels_as_they_are():
    assert slips(TASKS["xnli"], "de") == ("keyboard", "swap", "drop", "insert", "repeat")
    assert slips(TASKS["xnli"], "zh") == ("repeat",)  # of a character, others may be words


@pytest.mark.parametrize("language", sorted(SENTENCES))
def test_both_models_are_offered_the_same_moves(language):
    one = Pair("1", "g", SENTENCES[language], SENTENCES[language] * 2, "no")
    names = slips(TASKS["xnli"], language)
    found = offered(one, names, language, SEED)
    again = offered(Pair("2", "h", one.text_a, one.text_b, "yes"), names, language, SEED)
    assert found == again
    assert found != sorted(found, key=lambda m: (m.field, m.edit.start))  # drawn, not in order
    for one_move in found:
        text = texts(one)[one_move.field]
        start, end, new = one_move.edit
        assert text[start:end] != new
        assert one_move.guard[0] <= start <= end <= one_move.guard[1]


# --- constraint --------------------------------------------------------------------------------


def test_one_edit_a_word():
    first = move(0, 4, 5, "", (4, 7))
    assert clashes(move(0, 5, 7, "ta", (4, 7)), [first])
    assert not clashes(move(1, 5, 7, "ta", (4, 7)), [first])  # another text
    assert not clashes(move(0, 9, 9, "x", (8, 14)), [first])


def test_an_edit_for_every_four_words():
    assert Budget(4, 60).of(PAIR) == Budget(2, 60)  # eight words
    assert Budget(1, 60).of(PAIR).edits == 1
    assert Budget(4, 60).of(Pair("1", "g", "a", None, "no")).edits == 1
    assert Budget(4, 60).of(Pair("1", "g", "猫" * 33, None, "no")).edits == 2  # by letters


def test_choices_stay_different():
    assert not sound(CHOICE, [move(2, 2, 3, "t", (0, 3))])
    assert sound(CHOICE, [move(2, 2, 3, "x", (0, 3))])


# --- search ------------------------------------------------------------------------------------

WORDS = [f"w{number}" for number in range(8)]
TEXT = " ".join(WORDS)


def worlds(gains, edits, queries, width):
    """A search on eight words whose edits take so much off a margin of 10, one by one."""
    moves = [move(0, 3 * n, 3 * n + 2, f"v{n}", (3 * n, 3 * n + 2)) for n in range(len(gains))]
    one = Pair("1", "g", TEXT, None, "no")
    return Search(one, moves, Budget(edits, queries), width, 10.0)


def left(search, gains):
    """The margin after each of the tries that were asked for."""
    return [10.0 - sum(gains[m.edit.start // 3] for m in moves) for moves in search._asked]


def run(search, gains, promise=None):
    rounds = 0
    while not search.over:
        search.ask(promise)
        search.tell(left(search, gains))
        rounds += 1
    return rounds


def test_greedy_takes_the_best_of_each_round():
    gains = [1, 2, 3, 4, 0, 0, 0, 0]
    search = worlds(gains, edits=2, queries=16, width=1)
    assert run(search, gains) == 2
    assert {m.edit.start // 3 for m in search.best.moves} == {2, 3}
    assert search.best.margin == 3.0
    assert search.queries == 8 + 7  # eight words, then the seven that are left


def test_it_ends_where_the_goal_is_reached():
    gains = [20, 1, 1, 1, 1, 1, 1, 1]
    search = worlds(gains, edits=4, queries=60, width=1)
    assert run(search, gains) == 1
    assert [m.edit.start for m in search.best.moves] == [0]


def test_a_beam_finds_what_greedy_misses():
    """Greedy takes 0, the best alone; 1 and 2 together are better."""

    def together(moves):
        places = {m.edit.start // 3 for m in moves}
        return 1.0 if places >= {1, 2} else 10.0 - 3 * (0 in places) - 2 * bool(places & {1, 2})

    found = {}
    for name in ("greedy", "beam"):
        search = worlds([0] * 3, edits=2, queries=60, width=WIDTHS[name])
        while not search.over:
            search.ask()
            search.tell([together(moves) for moves in search._asked])
        found[name] = search.best.margin
    assert found == {"greedy": 5.0, "beam": 1.0}


def test_a_guided_search_tries_first_what_promises_most():
    gains = [0, 0, 0, 0, 0, 0, 0, 20]
    search = worlds(gains, edits=4, queries=12, width=1)

    def promise(tries):
        return [-gains[moves[-1].edit.start // 3] for moves in tries]

    assert len(search.ask(promise)) == 3  # a quarter of the queries a round
    assert search._asked[0][0].edit.start == 21
    assert search.queries == 4  # the gradient counts
    search.tell(left(search, gains))
    assert search.over


def test_a_beam_asks_of_no_text_twice():
    """Two edits in either order are one text: it is one query, and one place in the beam."""
    gains, asked = [4.0, 3.0, 2.0, 1.0, 0.0, 0.0, 0.0, 0.0], []
    search = worlds([0.1 * gain for gain in gains], edits=4, queries=60, width=4)
    while not search.over:
        asked += [frozenset(moves) for moves in search.ask()]
        search.tell(left(search, [0.1 * gain for gain in gains]))
        assert len({frozenset(state.moves) for state in search.states}) == len(search.states)
    assert len(asked) == len(set(asked)) == search.queries


def test_a_search_without_further_moves_counts_what_it_asked():
    search = worlds([0, 0, 0], edits=2, queries=60, width=1)
    run(search, [0, 0, 0])
    assert search.over
    assert search.queries == 3  # nothing gained, so no state has a second edit to try


@given(
    st.lists(st.floats(-1, 3), min_size=8, max_size=8),
    st.integers(1, 4),
    st.integers(1, 40),
    st.sampled_from([1, 4]),
)
def test_no_search_exceeds_its_budget(gains, edits, queries, width):
    search = worlds(gains, edits, queries, width)
    run(search, gains)
    assert search.queries <= queries
    assert len(search.best.moves) <= edits
    assert len({m.guard for m in search.best.moves}) == len(search.best.moves)
    assert search.best.margin <= 10.0


# --- the items ---------------------------------------------------------------------------------


def rows(language, labels):
    return [Pair(f"r{n}", "g", language, "x", label) for n, label in enumerate(labels)]


def test_as_many_of_each_label_and_the_same_in_every_language():
    labels = ["a"] * 20 + ["b"] * 20 + ["c"] * 3
    found = subset(rows("de", labels), 12, "task")
    assert [one.label for one in found] == ["a"] * 5 + ["b"] * 4 + ["c"] * 3
    other = subset(rows("hi", labels)[::-1], 12, "task")
    assert {one.id for one in other} == {one.id for one in found}
    assert subset(rows("de", labels), 100, "task") == rows("de", labels)
    assert {one.id for one in subset(rows("de", labels), 12, "other")} != {o.id for o in found}


def test_no_move_changes_without_its_version():
    """Steps are named by the version: it is raised where this fingerprint changes."""
    moves = [
        [(m.field, *m.edit) for m in offered(PAIR, slips(TASKS["xnli"], code), code, SEED)]
        for code in ("en", "de", "zh")
    ]
    assert (VERSION, fingerprint(moves)) == (2, "b0d011056e12a85bdddc")

"""Orders spelled out: which ones, how balanced, and what is said of mistakes."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise, permutations
from math import factorial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xstilts import orders
from xstilts.errors import UserError
from xstilts.path import parse
from xstilts.study import Study


def texts(path: str) -> list[str]:
    return [str(one) for one in orders.paths(path)]


def positions(rows) -> Counter:
    return Counter((place, stage) for row in rows for place, stage in enumerate(row))


def test_without_order_a_path_is_itself():
    assert orders.paths("mnli > xnli") == (parse("mnli > xnli"),)
    assert texts("reorder > xnli") == ["reorder > xnli"]


def test_all_orders_of_the_issue():
    assert texts("order(mnli, squad_v1, csqa) > xnli") == [
        "mnli > squad_v1 > csqa > xnli",
        "mnli > csqa > squad_v1 > xnli",
        "squad_v1 > mnli > csqa > xnli",
        "squad_v1 > csqa > mnli > xnli",
        "csqa > mnli > squad_v1 > xnli",
        "csqa > squad_v1 > mnli > xnli",
    ]


def test_stages_may_be_whatever_a_stage_may_be_and_stand_between_others():
    assert texts("mlm > order ( shuffled(mnli[10k]), a + b@0.2 ) | tatoeba, bucc2018") == [
        "mlm > shuffled(mnli[10k]) > a + b@0.2 | tatoeba, bucc2018",
        "mlm > a + b@0.2 > shuffled(mnli[10k]) | tatoeba, bucc2018",
    ]


def test_the_sampled_orders_are_the_same_before_every_target():
    one = [t.removesuffix(" > xnli") for t in texts("order(a, b, c, d)[8] > xnli")]
    two = [t.removesuffix(" > udpos") for t in texts("order( a,b, c,d )[8]>udpos")]
    assert one == two
    assert one[:4] == ["a > b > c > d", "b > c > d > a", "c > d > a > b", "d > a > b > c"]


@given(st.integers(2, 6), st.integers(1, 6), st.text("ab", max_size=4))
def test_sampled_orders_are_balanced_and_different(stages, squares, stream):
    count = min(stages * squares, factorial(stages))
    drawn = orders.circular(stages, count, stream)
    assert len(set(drawn)) == count
    assert all(sorted(row) == list(range(stages)) for row in drawn)
    assert set(positions(drawn).values()) == {count // stages}


def test_all_circles_are_all_orders():
    assert set(orders.circular(4, 24, "x")) == set(permutations(range(4)))


# Williams (1949), as printed in textbooks for four treatments: 0 1 3 2 and its rotations.
def test_the_williams_square_of_four():
    assert orders.williams(4) == ((0, 1, 3, 2), (1, 2, 0, 3), (2, 3, 1, 0), (3, 0, 2, 1))


@pytest.mark.parametrize("stages", range(2, 8))
def test_williams_designs_are_balanced_for_positions_and_neighbours(stages):
    rows = orders.williams(stages)
    times = 2 if stages % 2 else 1
    assert len(rows) == stages * times
    assert set(positions(rows).values()) == {times}
    follow = Counter(pair for row in rows for pair in pairwise(row))
    assert set(follow) == set(permutations(range(stages), 2))
    assert set(follow.values()) == {times}


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("order(a) > x", 'character 8: found ")", expected "," and another stage'),
        ("order(a, b > x", 'found the end, expected ")"'),
        ("order(a, b > c) > x", 'character 9: found "b > c", expected one stage'),
        ("order(a, b, a) > x", 'character 12: found "a" again'),
        ("order(a, b)[] > x", 'found "[]", expected a multiple of 2'),
        ("order(a, b)[3] > x", 'found "[3]", expected a multiple of 2'),
        ("order(a, b)[4] > x", 'found "[4]", expected at most 2'),
        ("order(a, b)[wiliams] > x", 'or "williams"'),
        ("order(a, b) > order(c, d) > x", "a second order("),
        ("order(a, B) > x", 'write "b" (a stage of an order)'),
        ("order(a, b, c, d, e, f, g, h, i) > x", "how many of the 362,880 orders, as in [9]"),
    ],
)
def test_mistakes_are_named(path, said):
    with pytest.raises(UserError) as caught:
        orders.paths(path)
    assert said in str(caught.value)


def test_a_study_spells_orders_out_and_tracks_what_is_forgotten():
    study = Study(
        name="a",
        targets=("xnli",),
        intermediate=["none", "b > a", "order(a, b)", "a + b"],
        paths=["order(a, b) | tatoeba"],
        analyses=["gains"],
    )
    assert study.intermediate == ("none", "b > a", "a > b", "a + b")
    assert study.paths == ("a > b | tatoeba", "b > a | tatoeba")
    assert study.analyses == ("gains", "order")
    assert Study(name="a", targets=("xnli",), intermediate=["a > b"]).analyses == ()


def test_a_mistake_in_a_study_names_its_place(tmp_path):
    from xstilts.study import load

    file = tmp_path / "s.yaml"
    file.write_text("name: a\ntargets: [xnli]\nintermediate: [none, 'order(a, b)[3]']\n")
    with pytest.raises(UserError, match=r"line 3, intermediate\[1\]: path .* a multiple of 2"):
        load(file)

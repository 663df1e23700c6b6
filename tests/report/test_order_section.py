"""The section of orders: there when a study asks, and in the numbers that it was given."""

from __future__ import annotations

import pytest

from analysis import orders
from report import synthetic
from xstilts.report.sections import order


def effect(path):
    return 0.02 if path[-1:] == ("c",) and len(path) == 3 else 0.0


@pytest.fixture(scope="module")
def found():
    study = orders.study(effect, seed_sd=0.01, run_sd=0.001, item_sd=0.001)
    return synthetic.of(study, "orders")


def test_a_study_that_does_not_ask_has_no_section():
    study = orders.study()
    study.analyses = ()
    assert not order.section(synthetic.of(study)).blocks


def test_its_tables_hold_the_answers(found):
    sheets = {one.name: one for one in order.section(found).sheets()}
    assert list(sheets) == ["order-variance", "order-best", "order-ends"]
    variance = {row[0].text: row[2].text for row in sheets["order-variance"].rows}
    assert set(variance) == {"set", "position", "order", "seed", "rest"}
    assert float(variance["position"]) > float(variance["rest"])
    best = {tuple(c.text for c in row[:3]): row[3] for row in sheets["order-best"].rows}
    assert best["a, b, c", "mean", "multi-task"].value == pytest.approx(2.0, abs=0.2)
    ends = {(row[0].text, row[1].text): row[2].value for row in sheets["order-ends"].rows}
    assert ends["c", "last"] == pytest.approx(4 / 3, abs=0.2)


def test_every_set_is_drawn(found):
    alt = pytest.importorskip("altair")
    chart = next(iter(order.section(found).blocks)).draw(alt).to_dict()
    assert [one["title"] for one in chart["concat"]] == [
        "a, b, c",
        "a, b, d",
        "a, c, d",
        "b, c, d",
    ]
    rows = chart["datasets"][chart["concat"][0]["data"]["name"]]
    assert len(rows) == 6 + 1 + 3

"""The queries of docs/statistics.md run, and its rules are those there are."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest

from xstilts.analysis import claims
from xstilts.analysis.gains import FAMILIES

TEXT = (Path(__file__).parents[2] / "docs" / "statistics.md").read_text("utf-8")


@pytest.mark.parametrize("number", range(5))
def test_a_query_of_the_page_runs(results, number):
    pytest.importorskip("pandas")
    import duckdb

    connection = duckdb.connect()
    for name in ("scores", "gains", "predictions"):
        connection.register(name, getattr(results, name)())
    query = re.findall(r"```sql\n(.*?)```", TEXT, re.DOTALL)[number]
    found = connection.sql(query)
    assert found.columns
    rows = found.fetchall()
    assert rows or "high < 0" in query
    if number == 0:  # the mean over seeds of what counts: of tags F1 alone, accuracy stands beside
        every = results.scores().query("headline").groupby(["target", "language"])["value"].mean()
        assert {(target, code): value for target, code, value, _ in rows} == pytest.approx(
            every.to_dict()
        )


def test_every_rule_and_family_is_on_the_page():
    union = get_args(get_args(claims.Claim)[0])
    rules = {get_args(model.model_fields["rule"].annotation)[0] for model in union}
    assert rules == set(re.findall(r"^\| `(\w+)` \|", TEXT, re.MULTILINE))
    for family in FAMILIES:
        assert f"`{family}` (" in TEXT

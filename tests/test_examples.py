"""What docs and examples show to be typed works: the notebook's cells, and the queries."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from analysis.conftest import results  # noqa: F401 (a fixture)

ROOT = Path(__file__).parents[1]
NOTEBOOK = ROOT / "examples" / "first-study.ipynb"
QUERIES = re.findall(
    r"```sql\n(.*?)```", (ROOT / "docs" / "queries.md").read_text("utf-8"), re.DOTALL
)


def test_the_notebook_is_one_and_holds_no_outputs():
    notebook = json.loads(NOTEBOOK.read_text("utf-8"))
    assert notebook["nbformat"] == 4
    assert len({cell["id"] for cell in notebook["cells"]}) == len(notebook["cells"])
    assert not any(cell.get("outputs") for cell in notebook["cells"])


def test_the_notebook_runs(tiny, tmp_path, monkeypatch):
    """Every cell, in its order and in one namespace, at a tiny size."""
    for package in ("pandas", "altair", "vl_convert"):
        pytest.importorskip(package)
    monkeypatch.chdir(tmp_path)
    smaller = {
        r"QUICK = .*": 'QUICK = {"max_steps": 1, "max_eval_rows": 3}',
        r'source="microworld"': f'source="microworld", model="{tiny}"',
    }
    names = {}
    for cell in json.loads(NOTEBOOK.read_text("utf-8"))["cells"]:
        if cell["cell_type"] == "code":
            source = cell["source"]
            for pattern, instead in smaller.items():
                source = re.sub(pattern, instead, source)
            exec(compile(source, cell["id"], "exec"), names)
    assert set(names["main"]["language"]) == {"ar", "de", "en", "es", "hi", "ru", "sw", "tr", "zh"}
    assert set(names["gains"]["versus"]) == {"baseline", "same_steps"}
    assert len(names["predictions"]) == 3 * 2 * 9 * 3
    assert "<title>run · xstilts</title>" in (tmp_path / "first-study.html").read_text("utf-8")


def test_the_queries_run_on_a_store(results):  # noqa: F811
    """The views first, then five questions; some find nothing in a store this small."""
    import duckdb

    questions = [query for query in QUERIES if not query.startswith(("CREATE", "SET"))]
    assert len(questions) == 5
    connection = duckdb.connect(config={"memory_limit": "1GB", "threads": 1})
    found = {}
    for query in QUERIES:
        here = query.replace(".xstilts", str(results.store.root)).replace("'xnli'", "'s_xnli'")
        rows = connection.execute(here).fetchall()
        if query in questions:
            found[query] = (rows, [column[0] for column in connection.description])
    scored, trained, confused, _, hours = found.values()
    assert {"s_xnli", "s_tags", "s_tatoeba"} <= {row[0] for row in scored[0]}
    assert trained[1] == ["id", "seed", "data", "steps", "loss"]
    assert all(row[3] == 2 for row in trained[0])
    assert all(row[1] != row[2] for row in confused[0])
    assert {row[0] for row in hours[0]} == {"train", "predict", "score"}

"""BibTeX for every task."""

from __future__ import annotations

import re

import pytest

from xstilts.suites import SUITES
from xstilts.tasks import TASKS
from xstilts.tasks.citations import _entries, bibtex

KEY = re.compile(r"^@\w+\{(\w+),$", re.MULTILINE)


@pytest.mark.parametrize("name", [name for name in TASKS if name != "mlm"])
def test_every_dataset_is_cited(name):
    keys = KEY.findall(bibtex([name]))
    assert keys[0] == "phang2020english"
    assert len(keys) > 1
    assert "tasks =" not in bibtex([name])


def test_entries_are_whole_and_name_tasks():
    keys = []
    for names, entry in _entries():
        assert names <= {"*", *TASKS}
        assert entry.count("{") == entry.count("}")
        assert all(f"  {field} = {{" in entry for field in ("title", "author", "year"))
        keys += KEY.findall(entry)
    assert len(set(keys)) == len(keys) == len(_entries())


def test_a_suite_is_cited_once():
    keys = KEY.findall(bibtex(SUITES["xtreme"]))
    assert keys.count("hu2020xtreme") == 1
    assert len(set(keys)) == len(keys)
    assert KEY.findall(bibtex([])) == ["phang2020english"]

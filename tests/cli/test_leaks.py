"""``xstilts leaks``."""

from __future__ import annotations

import json

import pytest

import mirror_files
from xstilts.tasks import TASKS


@pytest.fixture
def a_mirror(tmp_path, monkeypatch):
    monkeypatch.setenv("XSTILTS_MIRROR", str(tmp_path))
    for location in (
        "xcopa/en_copa_superglue/train-en.jsonl",
        "xcopa/en_copa_superglue/val-en.jsonl",
    ):
        mirror_files.write(tmp_path, location, ("en",))
    mirror_files.write(tmp_path, "xcopa/data/{lang}/test.{lang}.jsonl", TASKS["xcopa"].languages)


def test_leaks(cli, a_mirror):
    """Training and selection rows beside the eleven languages, none of which is theirs."""
    ran = cli("leaks", "xcopa", "--source", "mirror")
    assert ran.code == 0
    rows = [line.split() for line in ran.out.splitlines() if line.startswith("copa")]
    assert [row[1] for row in rows] == ["select", "train"]
    assert rows[0][2:7] == ["xcopa", "et", "ht", "id", "..."]
    assert rows[0][7:] == ["0", "of", "0", "0", "of", "0"]  # our sentences are too short to count
    (select, _) = json.loads(cli("leaks", "xcopa", "--source", "mirror", "--json").out)
    assert (select["seen"], select["split"], select["target"]) == ("copa", "select", "xcopa")
    assert select["leak"]["shared_sentences"] == 0


def test_mistakes(cli):
    ran = cli("leaks", "xnli", "--source", "miror")
    assert (ran.code, ran.out) == (2, "")
    assert '--source "miror" is not known: did you mean "mirror"?' in ran.err
    assert 'no task is called "xnlj"' in cli("leaks", "xnlj").err

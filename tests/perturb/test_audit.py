"""Audit sheets: written for a person, read back as a rate."""

from __future__ import annotations

import csv

import pytest

from xstilts.errors import UserError
from xstilts.formats.examples import Choice, Pair, Question
from xstilts.perturb import audit

OLD = [Pair(str(i), "g", f"a{i}", "b", "yes") for i in range(10)]
NEW = [Pair(str(i), "g", f"A{i}" if i % 2 else f"a{i}", "b", "yes") for i in range(10)]
NAMED = ("xnli", "en", "case@0.1", 1)


def judge(path, answers):
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    for row, answer in zip(rows, answers, strict=True):
        row["label_holds"] = answer
    with path.open("w", encoding="utf-8", newline="") as file:
        sheet = csv.DictWriter(file, audit.COLUMNS)
        sheet.writeheader()
        sheet.writerows(rows)


def test_only_what_was_changed_is_drawn():
    assert [old.id for old, _ in audit.sample(OLD, NEW, 50, 1)] == ["1", "3", "5", "7", "9"]
    assert len(audit.sample(OLD, NEW, 3, 1)) == 3
    assert audit.sample(OLD, OLD, 3, 1) == []


def test_a_sheet_there_and_back(tmp_path):
    path = tmp_path / "sheet.csv"
    audit.write(path, NAMED, audit.sample(OLD, NEW, 50, 1))
    with path.open(encoding="utf-8-sig", newline="") as file:
        first = next(csv.DictReader(file))
    assert first == {
        "task": "xnli",
        "language": "en",
        "noise": "case@0.1",
        "seed": "1",
        "id": "1",
        "label": "yes",
        "before": "a1\nb",
        "after": "A1\nb",
        "label_holds": "",
    }
    with pytest.raises(UserError, match="nothing is judged yet"):
        audit.read(path)
    judge(path, ["yes", "Y", "no", "1", ""])
    assert audit.read(path) == audit.Audit("xnli", "en", "case@0.1", 3, 4, 5)
    with pytest.raises(UserError, match="is there already"):
        audit.write(path, NAMED, [])
    judge(path, ["yes", "perhaps", "", "", ""])
    with pytest.raises(UserError, match=r'example 2 \(id 3\): "perhaps"'):
        audit.read(path)
    path.write_text("a,b\n", "utf-8")
    with pytest.raises(UserError, match="is no audit sheet"):
        audit.read(path)


def test_wilson():
    """z = 1.96: with 8 of 10, (0.8 + z2/20) / (1 + z2/10) = 0.7167 +- 0.2265."""
    assert audit.wilson(8, 10) == pytest.approx((0.4902, 0.9433), abs=1e-4)
    assert audit.wilson(10, 10) == pytest.approx((0.7225, 1), abs=1e-4)
    assert audit.wilson(0, 10)[0] == pytest.approx(0)


def test_what_a_person_reads():
    choice = Choice("1", "1", "Why?", ("a", "b"), 1)
    assert (audit.shown(choice), audit.label(choice)) == (("Why?", "0: a", "1: b"), "1")
    question = Question("1", "1", "c", "q", ("a", "a", "b"), (0, 0, 0))
    assert (audit.shown(question), audit.label(question)) == (("c", "q"), "a | b")

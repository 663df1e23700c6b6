"""``xstilts export submission``: refused with a list where it is not whole."""

from __future__ import annotations

import pytest

from xstilts import submitting


def test_an_unfinished_study_is_refused_and_nothing_is_written(cli, at_mirror, tiny, tmp_path):
    where = ("--source", "mirror", "--model", tiny, "--store", tmp_path / "store")
    ran = cli("export", "submission", "taxinli > xnli", *where, "--out", tmp_path / "out")
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert ran.err.startswith("xstilts: no submission to xtreme, as 162 of 162 files would not be")
    assert "whole: xnli ar bg de el en es fr hi ru sw th tr ur vi zh: not finished; " in ran.err
    assert "; bucc2018 de fr ru zh: not in the study; " in ran.err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("suite", ["mirror", "xtremer"])
def test_only_leaderboards_take_submissions(cli, suite):
    ran = cli("export", "submission", "xnli", "--suite", suite)
    assert ran.code == 2
    assert f'--suite "{suite}" has no leaderboard:' in ran.err


def test_what_is_written_is_said(cli, at_mirror, tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(submitting, "entries", lambda *_: ["one"])
    monkeypatch.setattr(submitting, "write", lambda *_: None)
    where = ("--source", "mirror", "--model", tiny, "--store", tmp_path / "store")
    ran = cli("export", "submission", "| tatoeba", *where, "--suite", "xtreme-r")
    assert (ran.code, ran.out) == (0, "xtreme-r\n")
    assert "1 files; read back, they give the stored scores" in ran.err

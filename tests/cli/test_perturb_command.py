"""``xstilts perturb``."""

from __future__ import annotations

import pytest


@pytest.fixture
def a_mirror(tmp_path, monkeypatch):
    monkeypatch.setenv("XSTILTS_MIRROR", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "xnli").mkdir()
    rows = [f"Die Katze schläft {i} Tage.\tSie ist wach.\tcontradiction\n" for i in range(8)]
    for code in ("de", "en"):
        (tmp_path / "xnli" / f"test-{code}.tsv").write_text("".join(rows), "utf-8")
    return tmp_path


def perturb(cli, *more):
    return cli("perturb", "xnli", *more, "--source", "mirror")


def test_before_and_after(cli, a_mirror):
    ran = perturb(cli, "--with", "repeat@1", "--language", "de", "--n", "2")
    assert ran.code == 0
    assert ran.out.splitlines()[:9] == [
        "xnli, de, repeat@1, seed 1: 8 of 8 examples changed",
        "labels: preserving (readers skip a repeated letter)",
        "",
        "id 0  contradiction",
        "  - Die Katze schläft 0 Tage.",
        "  + DDiiee KKaattzzee sscchhllääfftt 0 TTaaggee.",
        "  - Sie ist wach.",
        "  + SSiiee iisstt wwaacchh.",
        "",
    ]
    assert ran.out.count("\nid ") == 2
    assert perturb(cli, "--with", "repeat@1", "--language", "de", "--n", "2").out == ran.out


def test_nothing_to_show(cli, a_mirror):
    out = perturb(cli, "--with", "repeat@0", "--language", "de").out
    assert "0 of 8 examples changed" in out
    assert "\nid " not in out


def test_what_cannot_be_seen_is_shown(cli, a_mirror):
    out = perturb(cli, "--with", "zero_width@1", "--language", "de", "--n", "1").out
    assert any(mark in out for mark in ("<U+200B>", "<U+2060>", "<U+FEFF>"))


def test_all_perturbations_of_a_task(cli):
    out = cli("perturb", "xnli", "--language", "hi").out
    (case,) = [line for line in out.splitlines() if line.startswith("case ")]
    assert "not applicable" in case
    (word_drop,) = [line for line in out.splitlines() if line.startswith("word_drop ")]
    assert "invalid" in word_drop


def test_an_audit(cli, a_mirror):
    ran = perturb(cli, "--with", "case@0.5", "--language", "de", "--audit", "3")
    assert ran.out.startswith("audit-xnli-de-case@0.5.csv: 3 examples; write yes or no")
    sheet = a_mirror / "audit-xnli-de-case@0.5.csv"
    text = sheet.read_text("utf-8-sig")
    assert text.count(",\n") == 3
    sheet.write_text(text.replace(",\n", ",yes\n", 2), "utf-8")
    ran = perturb(cli, "--read-audit", sheet.name)
    # 2 of 2: from 2 / (2 + 3.8415) = 34.2 %
    assert ran.out == (
        "xnli, de, case@0.5: the label holds in 2 of 2, 100.0 % [34.2, 100.0]; 1 not judged yet\n"
    )
    ran = cli("perturb", "pawsx", "--read-audit", sheet.name)
    assert (ran.code, ran.out) == (2, "")
    assert 'is an audit of "xnli", not of "pawsx"' in ran.err


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--with", "word_drop@0.1"), 'dropping "not" changes the label'),
        (("--with", "keybord@0.1"), 'did you mean "keyboard"'),
        (("--with", "repeat@0.1", "--language", "ko"), 'no evaluate rows in "ko"'),
        (("--audit", "3"), "--audit needs --with"),
        (("--with", "code_switch@0.1", "--language", "en"), "give one with --lexicon"),
    ],
)
def test_mistakes(cli, a_mirror, more, message):
    ran = perturb(cli, *more)
    assert (ran.code, ran.out) == (2, "")
    assert message in ran.err

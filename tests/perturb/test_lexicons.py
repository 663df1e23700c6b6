"""Bilingual lexicons: the user's, the mirror's, microworld's."""

from __future__ import annotations

import pytest

from xstilts.errors import UserError
from xstilts.perturb import lexicons


def test_a_lexicon_of_ones_own(tmp_path):
    file = tmp_path / "words.tsv"
    file.write_text("Cat\tKatze\ncat\tKater\nhot dog\tWurst\nsame\tSame\n", "utf-8")
    assert lexicons.find("en", own=file) == {"cat": ("Katze", "Kater")}  # single words alone
    file.write_text("cat Katze\n", "utf-8")
    with pytest.raises(UserError, match='line 1: "cat Katze" is not'):
        lexicons.find("en", own=file)


def test_the_lexicons_of_a_mirror(tmp_path):
    (tmp_path / "lexicons/gatitos").mkdir(parents=True)
    (tmp_path / "lexicons/wiktionary-dict").mkdir()
    (tmp_path / "lexicons/gatitos/en_cs.tsv").write_text("dog\tpes\na lot\thodně\n", "utf-8")
    (tmp_path / "lexicons/wiktionary-dict/en-cs-enwiktionary.txt").write_text(
        "# comment :: x\ncat {n} (animal) :: kočka {f} /kotʃka/, kocour {m}\n", "utf-8"
    )
    assert lexicons.find("cs", mirror=tmp_path) == {
        "pes": ("dog",),
        "kočka": ("cat",),
        "kocour": ("cat",),
    }


def test_the_nouns_of_microworld():
    found = lexicons.find("hi")
    assert found["औरतें"] == ("women",)
    assert found["औरत"] == ("woman",)
    assert "f" not in found  # the gender is no word


def test_none_is_there():
    with pytest.raises(UserError, match="needs a lexicon for Amharic, none is there"):
        lexicons.find("am")
    with pytest.raises(UserError, match="into which language"):
        lexicons.find("en")

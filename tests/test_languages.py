"""The language table: complete, clean, and true to the text that it describes."""

from __future__ import annotations

import csv
import itertools
import json
import os
import re
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest
import regex

from xstilts import languages
from xstilts.errors import UserError
from xstilts.languages import Language, in_corpora, table

# XTREME: the union of the task lists in google-research/xtreme evaluate.py.
XTREME_CODES = """
    af ar bg bn de el en es et eu fa fi fr he hi hu id it ja jv
    ka kk ko ml mr ms my nl pt ru sw ta te th tl tr ur vi yo zh
"""
XTREME_R_ADDS = "az gu ht lt pa pl qu ro uk wo"

# google-research/xtreme utils_preprocess.py, tatoeba_preprocess (English left out).
OFFICIAL_TATOEBA = """
    afr:af ara:ar bul:bg ben:bn deu:de ell:el spa:es est:et eus:eu pes:fa fin:fi fra:fr heb:he
    hin:hi hun:hu ind:id ita:it jpn:ja jav:jv kat:ka kaz:kk kor:ko mal:ml mar:mr nld:nl por:pt
    rus:ru swh:sw tam:ta tel:te tha:th tgl:tl tur:tr urd:ur vie:vi cmn:zh aze:az lit:lt pol:pl
    ukr:uk ron:ro
"""

# mBART (Liu et al. 2020), Table 1: the same crawl, published independently of XLM-R's table.
CC25 = """
    en:55608:300.8 ru:23408:278.0 vi:24757:137.3 ja:530:69.3 de:10297:66.6 ro:10354:61.4
    fr:9780:56.8 fi:6730:54.3 ko:5644:54.2 es:9374:53.3 zh:259:46.9 it:4983:30.2 nl:5025:29.3
    ar:2869:28.0 tr:2736:20.9 hi:1715:20.2 cs:2498:16.3 lt:1835:13.7 lv:1198:8.8 kk:476:6.4
    et:843:6.1 gu:140:1.9 my:56:1.6
"""

MIRROR = Path(os.environ.get("XSTILTS_MIRROR", "/nonexistent"))
UNICODE_SCRIPTS = {"Jpan": ("Hani", "Hira", "Kana"), "Hans": ("Hani",), "Hant": ("Hani",)}


XTREME_R_CODES = [row.code for row in table().values() if row.xtreme_r]


def needs_mirror(test):
    absent = "XSTILTS_MIRROR" not in os.environ
    return pytest.mark.mirror(pytest.mark.skipif(absent, reason="XSTILTS_MIRROR is not set")(test))


def test_the_benchmarks_have_exactly_their_languages():
    xtreme = [row.code for row in table().values() if row.xtreme]
    assert sorted(XTREME_CODES.split()) == xtreme
    assert sorted(XTREME_CODES.split() + XTREME_R_ADDS.split()) == XTREME_R_CODES
    assert (len(xtreme), len(XTREME_R_CODES)) == (40, 50)


def test_the_file_is_sorted_unique_and_clean():
    text = files("xstilts").joinpath("languages.csv").read_text(encoding="utf-8")
    header, *rows = csv.reader(text.splitlines())
    codes = [row[0] for row in rows]
    assert header == list(Language.__slots__)
    assert codes == sorted(set(codes))
    assert text.endswith("\n")
    assert "\r" not in text
    for row in rows:
        assert len(row) == len(header)
        assert [cell.strip() for cell in row] == row


@pytest.mark.parametrize("language", table().values(), ids=list(table()))
def test_every_value_has_its_form(language):
    assert re.fullmatch("[a-z]{2,3}", language.code)
    assert re.fullmatch("([a-z]{3})?", language.iso639_3)
    assert re.fullmatch("([a-z]{3})?", language.tatoeba)
    assert re.fullmatch("[A-Z][a-z]{3}", language.script)
    assert language.word_order in {"SVO", "SOV", "VSO", "VOS", "none", ""}
    assert language.name
    assert language.family
    assert bool(language.branch) == (language.family != "Constructed")
    assert (language.xlmr_gib is None) == (language.xlmr_tokens_m is None)
    assert language.xtreme_r or not language.xtreme
    if len(language.code) == 3:
        assert language.iso639_3 in {language.code, ""}


@pytest.mark.parametrize("column", ["iso639_3", "name", "tatoeba"])
def test_no_two_languages_share(column):
    values = [getattr(row, column) for row in table().values() if getattr(row, column)]
    assert len(values) == len(set(values))


def test_tatoeba_codes_are_the_official_ones():
    official = {two: three for three, two in (pair.split(":") for pair in OFFICIAL_TATOEBA.split())}
    ours = {code: table()[code].tatoeba for code in XTREME_R_CODES if table()[code].tatoeba}
    assert ours == official | {"ms": "zsm"}  # LASER has a pair that XTREME does not use


def test_xlmr_sizes_agree_with_the_table_in_the_mbart_paper():
    for entry in CC25.split():
        code, tokens_m, gib = entry.split(":")
        language = table()[code]
        assert (language.xlmr_tokens_m, language.xlmr_gib) == (float(tokens_m), float(gib))


def test_languages_unseen_by_xlmr():
    # not in the list of 100 languages in fairseq's examples/xlmr/README.md
    unseen = {code for code in XTREME_R_CODES if table()[code].xlmr_gib is None}
    assert unseen == {"ht", "qu", "wo", "yo"}
    assert table()["bho"].xlmr_gib is None


def test_get():
    assert languages.get("de") is table()["de"]
    assert languages.get("de").name == "German"
    assert languages.get("zh").script == "Hans"


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("german", '"de" (German)'),
        ("Germn", '"de" (German)'),
        ("DE", '"de" (German)'),
        ("deu", '"de" (German)'),
        ("cmn", '"zh" (Chinese)'),
        ("haitian creole", '"ht" (Haitian Creole)'),
        ("zh-CN", '"zh" (Chinese)'),
        ("pt_BR", '"pt" (Portuguese)'),
        ("iw", '"he" (Hebrew)'),
        ("fil", '"tl" (Tagalog)'),
    ],
)
def test_get_suggests_the_code(written, meant):
    message = f'language "{written}" is not a known code: did you mean {meant}?'
    with pytest.raises(UserError, match=f"^{re.escape(message)}$"):
        languages.get(written)


@pytest.mark.parametrize("code", ["", "ach", "ger", "qq", "nonsense of a name"])
def test_codes_that_only_look_alike_are_not_guessed(code):
    message = f'language "{code}" is not a known code: "xstilts languages" lists the 167 there are'
    with pytest.raises(UserError, match=f"^{re.escape(message)}$"):
        languages.get(code)


def test_the_table_is_read_at_first_use():
    script = (
        "import xstilts.languages as module\n"
        "assert module.table.cache_info().currsize == 0\n"
        "assert len(module.table()) > 50\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def sample(language: Language) -> str:
    """The first 1,000 lines of the language's text on the mirror."""
    code, three = language.code, language.iso639_3
    candidates = (
        MIRROR / f"xnli/test-{code}.tsv",
        MIRROR / f"tatoeba/tatoeba.{language.tatoeba}-eng.{language.tatoeba}",
        MIRROR / f"udpos/test-{code}.tsv",
        MIRROR / f"ntrex128/newstest2019-ref.{three}.txt",
        MIRROR / f"xcopa/data/{code}/test.{code}.jsonl",
    )
    path = next(path for path in candidates if path.exists())
    with path.open(encoding="utf-8") as file:
        lines = list(itertools.islice(file, 1000))
    if path.suffix == ".jsonl":
        return "\n".join(json.loads(line)["premise"] for line in lines)
    return "\n".join(line.split("\t")[0] for line in lines)  # labels stand in later columns


@needs_mirror
@pytest.mark.parametrize("language", in_corpora().values(), ids=list(in_corpora()))
def test_the_script_is_that_of_the_text(language):
    text = sample(language)
    scripts = UNICODE_SCRIPTS.get(language.script, (language.script,))
    own = regex.findall("|".join(rf"\p{{Script={script}}}" for script in scripts), text)
    letters = regex.findall(r"[\p{L}\p{M}]", text)
    assert len(own) > len(letters) / 2


@needs_mirror
@pytest.mark.parametrize("code", ["wuu", "yue", "zh"])
def test_simplified_or_traditional(code):
    # GB 2312 holds simplified characters, Big5 traditional ones; most characters are in both.
    han = regex.findall(r"\p{Script=Hani}", sample(table()[code]))
    held = {
        script: sum(bool(character.encode(codec, errors="ignore")) for character in han)
        for script, codec in {"Hans": "gb2312", "Hant": "big5"}.items()
    }
    assert max(held, key=held.__getitem__) == table()[code].script


@needs_mirror
def test_the_tatoeba_files_are_the_ones_named():
    pairs = {path.name.split(".")[1] for path in MIRROR.glob("tatoeba/tatoeba.*-eng.eng")}
    assert pairs == {f"{row.tatoeba}-eng" for row in table().values() if row.tatoeba}
    for row in table().values():
        if row.tatoeba:
            assert (MIRROR / f"tatoeba/tatoeba.{row.tatoeba}-eng.{row.tatoeba}").exists()


@needs_mirror
@pytest.mark.parametrize(
    ("pattern", "code"),
    [
        ("udpos/*-*.tsv", r"-(\w+)\.tsv$"),
        ("xnli/test-*.tsv", r"-(\w+)\.tsv$"),
        ("pawsx/dev-*.tsv", r"-(\w+)\.tsv$"),
        ("wikineural/*/test.conllu", r"(\w+)/test\.conllu$"),
        ("xcopa/data/*/test.*.jsonl", r"\.(\w+)\.jsonl$"),
        ("xquad/xquad.*.json", r"\.(\w+)\.json$"),
        ("raw_text/ud_panx_train_detok/*.txt", r"(\w+)\.txt$"),
    ],
)
def test_every_language_of_the_mirror_has_a_row(pattern, code):
    found = {re.search(code, path.as_posix())[1] for path in MIRROR.glob(pattern)}
    assert found
    assert found <= set(table())

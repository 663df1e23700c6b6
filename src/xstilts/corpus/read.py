"""The layouts that raw text comes in. Nothing is cleaned here but what a layout itself adds.

A source of running text yields one stream of lines a language; a parallel source yields rows, a
mapping of language codes to the sides of one segment, English first where there is English.
"""

from __future__ import annotations

import re
import zipfile
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from xstilts import languages
from xstilts.corpus.evaluation import as_published, lines, sentences
from xstilts.corpus.hashing import hashes
from xstilts.corpus.licences import sources
from xstilts.errors import UserError, suggest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

Row = dict[str, str]

BIBLES = {  # the language codes inside these files are not ISO codes: "ss" is Swahili, "co" Coptic
    "Armenian-PART": "hy",
    "Basque-NT": "eu",
    "Estonian-PART": "et",
    "Gaelic-PART": "gd",
    "Gujarati-NT": "gu",
    "Kabyle-NT": "kab",
    "Latvian-NT": "lv",
    "Quichua-NT": "qu",
    "Swahili-NT": "sw",
    "Ukranian-NT": "uk",
    "Wolof-NT": "wo",
}
# Where a file's name is not the ISO 639-3 code of our table, or several files would do.
NTREX = {
    "ar": "arb",
    "az": "aze-Latn",
    "pt": "por-BR",
    "sr": "srp-Latn",
    "tl": "fil",
    "zh": "zho-CN",
}
UDHR = {
    "ar": "arb",
    "az": "azj_latn",
    "bs": "bos_latn",
    "el": "ell_monotonic",
    "fa": "pes_1",
    "fy": "fri",
    "ht": "hat_popular",
    "mn": "khk",
    "ms": "mly_latn",
    "no": "nob",
    "oc": "lnc",
    "pt": "por_BR",
    "qu": "quz",
    "sq": "als",
    "sr": "srp_latn",
    "sw": "swh",
    "tk": "tuk_latn",
    "ug": "uig_arab",
    "uz": "uzn_latn",
    "yi": "ydd",
    "zh": "cmn_hans",
}
UDHR_ARTICLES = 30
UDHR_ALIKE = 27  # articles with as many paragraphs as in English; fewer, and it is another layout
UD_SHARE_ALIKE = frozenset({"be", "da", "fo", "vi"})  # by the README of their only treebank

_SEGMENT = re.compile(r'<seg id="([^"]+)"[^>]*>(.*?)</seg>', re.DOTALL)
_WIKI_QUOTES = re.compile(r"'(?: ?')+")
_BETWEEN_ARTICLES = re.compile(r"\n(?:   )?\n")
_SPACE_BEFORE_MARK = re.compile(r" +(?=[.,;:!?)，。、；：！？）」』])")


def text(corpus: Path, mirror: Path) -> Iterator[tuple[str, str, Iterable[str]]]:
    """All running text: source, language, lines.

    Raises:
        UserError: for a folder that no row of ``sources.csv`` names.
    """
    for folder in _folders(corpus):
        for path in sorted(folder.glob("*.txt")):
            yield folder.name, path.stem, lines(path)
    for path in sorted((mirror / "raw_text/ud_panx_train_detok").glob("*.txt")):
        yield from _wikipedia_and_treebank(path, mirror)


def parallel(corpus: Path, mirror: Path) -> Iterator[tuple[str, Iterable[Row]]]:
    """All parallel text: source, rows.

    Raises:
        UserError: as ``text``.
    """
    for folder in _folders(corpus):
        for path in sorted(folder.glob("parallel*.tsv")):
            yield folder.name, _table(path)
    if (bibles := mirror / "raw_text/bible-corpus").is_dir():
        yield "bible_corpus", _bibles(bibles)
    if (archive := mirror / "raw_text/nltk_udhr2/udhr2.zip").is_file():
        yield "udhr", _declaration(archive)
    if (ntrex := mirror / "ntrex128").is_dir():
        yield "ntrex128", _ntrex(ntrex)


def _folders(corpus: Path) -> Iterator[Path]:
    known = sources()
    found = {path.name: path for path in sorted(corpus.iterdir()) if path.is_dir()}
    for name in sorted(found.keys() - known.keys()):
        raise UserError(
            f'{corpus} has a folder "{name}" whose licence is not on record: add a row to '
            f"sources.csv, or remove it;{suggest(name, known)}"
        )
    yield from (found[name] for name in known if name in found)


def _table(path: Path) -> Iterator[Row]:
    rows = lines(path)
    _, *codes = next(rows, "").split("\t")
    for number, line in enumerate(rows, start=2):
        _, *cells = line.split("\t")
        if len(cells) != len(codes):
            raise UserError(
                f"{path} line {number}: {len(cells) + 1} columns, the first line has "
                f"{len(codes) + 1}: the file is truncated or not tsv"
            )
        yield {code: cell for code, cell in zip(codes, cells, strict=True) if cell}


def _wikipedia_and_treebank(path: Path, mirror: Path) -> Iterator[tuple[str, str, list[str]]]:
    """Split a file of PAN-X and UD sentences, whose licences differ, by what is in UD's train."""
    every = list(lines(path))
    treebank = mirror / f"udpos/train-{path.stem}.tsv"
    known = hashes(sentences(0)(treebank) if treebank.is_file() else ())
    in_treebank = np.isin(hashes(every), known).tolist()
    split: dict[bool, list[str]] = {True: [], False: []}
    for line, which in zip(every, in_treebank, strict=True):
        split[which].append(line)
    name = "ud_train_share_alike" if path.stem in UD_SHARE_ALIKE else "ud_train"
    yield name, path.stem, split[True]
    yield "panx_wikipedia", path.stem, [_without_wiki_marks(line) for line in split[False]]


def _without_wiki_marks(line: str) -> str:
    """PAN-X has ''italics'', '''bold''', marks of lists and, in some languages, # for a space."""
    line = _WIKI_QUOTES.sub(" ", line).replace("#", " ")
    return _SPACE_BEFORE_MARK.sub("", line).lstrip(" :;*")


def _bibles(folder: Path) -> Iterator[Row]:
    verses: dict[str, Row] = {}
    for name, code in BIBLES.items():
        if (path := folder / f"{name}.xml").is_file():
            with as_published(path):
                text = path.read_text(encoding="utf-8")
            for verse, words in _SEGMENT.findall(text):
                verses.setdefault(verse, {})[code] = words
    yield from verses.values()


def _ntrex(folder: Path) -> Iterator[Row]:
    sides = {"en": list(lines(folder / "newstest2019-src.eng.txt"))}
    for code, language in languages.in_corpora().items():
        path = folder / f"newstest2019-ref.{NTREX.get(code, language.iso639_3)}.txt"
        if path.is_file():
            sides[code] = list(lines(path))
    with as_published(folder):
        for segment in zip(*sides.values(), strict=True):
            yield dict(zip(sides, segment, strict=True))


def _declaration(archive: Path) -> Iterator[Row]:
    """The paragraphs of the articles of the Universal Declaration of Human Rights."""
    with as_published(archive), zipfile.ZipFile(archive) as files:
        rows = [
            [{"en": paragraph} for paragraph in article]
            for article in _articles(files.read("udhr2/eng.txt"))[-UDHR_ARTICLES:]
        ]
        for code, language in languages.in_corpora().items():
            name = f"udhr2/{UDHR.get(code, language.iso639_3)}.txt"
            if code != "en" and name in files.NameToInfo:
                _align(rows, code, _articles(files.read(name)))
    yield from chain.from_iterable(rows)


def _articles(content: bytes) -> list[list[str]]:
    """Paragraphs by article: blank lines stand between articles, a heading begins each."""
    blocks = _BETWEEN_ARTICLES.split(content.decode())
    return [[line.strip() for line in one.split("\n") if line.strip()][1:] for one in blocks]


def _align(rows: list[list[Row]], code: str, articles: list[list[str]]) -> None:
    """Add a language to the rows, at the offset where most articles have as many paragraphs."""

    def alike(start: int) -> list[tuple[list[Row], list[str]]]:
        pairs = zip(rows, articles[start:], strict=False)
        return [(ours, theirs) for ours, theirs in pairs if len(ours) == len(theirs)]

    best = max(map(alike, range(len(articles))), key=len)
    if len(best) >= UDHR_ALIKE:
        for ours, theirs in best:
            for row, paragraph in zip(ours, theirs, strict=True):
                row[code] = paragraph

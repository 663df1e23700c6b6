"""File formats -> raw rows. A row is a mapping of column names to values; nothing is renamed here.

Files without a header have columns "0", "1", ... Errors name the file and the line.
"""

from __future__ import annotations

import csv
import json
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO

from xstilts import jsontext
from xstilts.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from xstilts.tasks.base import Files, Reader

# CoNLL-U has ten columns, and lines that are no words: "2-3" of several, "4.1" of one left out.
CONLLU_COLUMNS = 10
_NO_WORD = re.compile(r"\d+[-.]\d+")
SUPERTAG_NUMBERS = "tags_to_id.json"  # beside the files of CCG: supertag -> number


def read(location: Files, path: Path) -> Iterator[dict[str, Any]]:
    """The raw rows of one file.

    Raises:
        UserError: if the file is missing, unreadable, not UTF-8, or not what the reader expects.
    """
    try:
        yield from _READERS[location.reader](location, path)
    except FileNotFoundError as error:
        raise UserError(f"no file {error.filename}: check the source's folder") from None
    except OSError as error:
        raise UserError(f"cannot read {error.filename or path}: {error.strerror}") from None
    except (KeyError, IndexError, TypeError) as error:
        raise UserError(
            f"{path}: not as {location.reader} files are ({error!r:.80}): another dataset's file?"
        ) from None


@contextmanager
def _text(path: Path, newline: str | None = None) -> Iterator[TextIO]:
    """The file as text, without the byte order mark that some programs put in front of it."""
    with path.open(encoding="utf-8-sig", newline=newline) as file:
        try:
            yield file
        except UnicodeDecodeError:
            line = _first_undecodable(path)
            raise UserError(f"{path} line {line} is not UTF-8: convert the file first") from None


def _first_undecodable(path: Path) -> int:
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                line.decode()
            except UnicodeDecodeError:
                return number
    raise AssertionError(f"{path} is UTF-8")


def _delimited(location: Files, path: Path) -> Iterator[dict[str, Any]]:
    with _text(path, newline="") as file:
        if location.reader == "csv":
            reader = csv.reader(file, strict=True)
            lines: Iterator[tuple[int, list[str]]]
            lines = ((reader.line_num, cells) for cells in reader if cells)
        else:  # the official tsv files do not quote: a quotation mark is text
            lines = enumerate((line.rstrip("\r\n").split("\t") for line in file), start=1)
        names: list[str] = []
        try:
            for number, cells in lines:
                if not names:
                    names = cells if location.header else [str(i) for i in range(len(cells))]
                    if location.header:
                        continue
                if len(cells) != len(names):
                    why = f"the file is truncated or not {location.reader}"
                    if location.reader == "csv" and len(cells) > len(names):
                        why = "put text that holds a comma in quotes"
                    raise UserError(
                        f"{path} line {number}: {len(cells)} columns, the first line has "
                        f"{len(names)}: {why}"
                    )
                yield dict(zip(names, cells, strict=True))
        except csv.Error as error:
            raise UserError(f"{path}: not a csv file ({error})") from None


def _jsonl(_location: Files, path: Path) -> Iterator[dict[str, Any]]:
    with _text(path) as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                row = jsontext.parse(line)
            except json.JSONDecodeError as error:
                raise UserError(f"{path} line {number}: not JSON ({error.msg})") from None
            if not isinstance(row, dict):
                raise UserError(f"{path} line {number}: a row must be a JSON object")
            yield row


def _conll(_location: Files, path: Path) -> Iterator[dict[str, Any]]:
    with _text(path) as file:
        sentence: list[list[str]] = []
        for number, line in enumerate(file, start=1):
            text = line.rstrip("\r\n")
            if not text.strip():
                if sentence:
                    yield _columns(sentence)
                sentence = []
                continue
            # A comment stands before its sentence and has no tab; otherwise "#" is a word.
            if text.startswith("#") and "\t" not in text and not sentence:
                continue
            cells = text.split("\t") if "\t" in text else text.split()
            if sentence and len(cells) != len(sentence[0]):
                raise UserError(
                    f"{path} line {number}: {len(cells)} columns, the sentence began with "
                    f"{len(sentence[0])}: the file is truncated or not CoNLL"
                )
            if not (len(cells) == CONLLU_COLUMNS and _NO_WORD.fullmatch(cells[0])):
                sentence.append(cells)
        if sentence:
            yield _columns(sentence)


def _supertags(_location: Files, path: Path) -> Iterator[dict[str, Any]]:
    """Words, a tab and their tags, all parted by spaces; tags become numbers by another file."""
    with _text(path.with_name(SUPERTAG_NUMBERS)) as file:
        try:
            numbers = jsontext.parse(file.read())
        except json.JSONDecodeError as error:
            raise UserError(f"{path.with_name(SUPERTAG_NUMBERS)}: not JSON ({error.msg})") from None
    with _text(path) as file:
        for number, line in enumerate(file, start=1):
            words, tab, tags = line.strip().partition("\t")
            if not tab:
                raise UserError(f"{path} line {number}: no tab between words and supertags")
            if unknown := next((tag for tag in tags.split() if tag not in numbers), None):
                raise UserError(f"{path} line {number}: {SUPERTAG_NUMBERS} has no {unknown}")
            yield {"words": words.split(), "tags": [str(numbers[tag]) for tag in tags.split()]}


def _columns(sentence: list[list[str]]) -> dict[str, list[str]]:
    return {str(i): list(column) for i, column in enumerate(zip(*sentence, strict=True))}


def _squad(_location: Files, path: Path) -> Iterator[dict[str, Any]]:
    try:
        with _text(path) as file:
            articles = jsontext.parse(file.read())["data"]
        for article in articles:
            for paragraph in article["paragraphs"]:
                context = paragraph["context"]
                for question in paragraph["qas"]:
                    answers = question.get("answers", [])
                    yield {
                        "id": question["id"],
                        "group": article.get("title") or context,
                        "context": context,
                        "question": question["question"],
                        "answers": {
                            "text": [answer["text"] for answer in answers],
                            "answer_start": [answer["answer_start"] for answer in answers],
                        },
                    }
    except json.JSONDecodeError as error:
        raise UserError(
            f"{path} line {error.lineno}: not JSON ({error.msg}): the file is truncated or broken"
        ) from None
    except KeyError as error:
        raise UserError(f"{path}: not SQuAD's JSON, no {error}") from None
    except (AttributeError, TypeError) as error:
        raise UserError(f"{path}: not SQuAD's JSON ({error})") from None


def _parallel(_location: Files, path: Path) -> Iterator[dict[str, Any]]:
    english = path.with_suffix(".eng")
    sides = [_sentences(side) for side in (path, english)]
    if len(sides[0]) != len(sides[1]):
        raise UserError(
            f"{path} has {len(sides[0])} lines, {english.name} has {len(sides[1])}: "
            "line-parallel files must be equally long"
        )
    for text, translation in zip(*sides, strict=True):
        yield {"text": text, "english": translation}


def _sentences(path: Path) -> list[str]:
    # Not str.splitlines, which also breaks at marks that are text, such as U+2028.
    with _text(path) as file:
        return [line.rstrip("\n") for line in file]


def _bucc(_location: Files, path: Path) -> Iterator[dict[str, Any]]:
    """Sentences with their ids (BUCC 2018): what is mined for; the gold pairs lie beside them.

    A file whose second ending is the English side's has the candidates. The test sets of XTREME's
    download have no gold pairs; they can be mined and not scored.
    """
    gold, partners = gold_pairs(path), dict[str, list[str]]()
    for number, cells in _two_columns(gold) if gold.is_file() else ():
        if not all(cells):
            raise UserError(f"{gold} line {number}: expected two ids with a tab between them")
        partners.setdefault(cells[0], []).append(cells[1])
    for _, (name, text) in _two_columns(path):
        if path.suffix == ".en":
            yield {"id": name, "text": text, "answers": []}
        else:
            yield {"id": name, "query": text, "right": partners.get(name, [])}


def gold_pairs(path: Path) -> Path:
    """Where the gold pairs of a BUCC file lie: ``de-en.dev.de`` and ``de-en.dev.gold``."""
    return path.with_name(f"{path.stem}.gold")


def _two_columns(path: Path) -> Iterator[tuple[int, tuple[str, str]]]:
    with _text(path) as file:
        for number, line in enumerate(file, start=1):
            first, tab, second = line.rstrip("\r\n").partition("\t")
            if not tab:
                raise UserError(f"{path} line {number}: no tab after the id")
            yield number, (first, second)


def _xquad_r(_location: Files, path: Path) -> Iterator[dict[str, Any]]:
    """The questions of LAReQA; who answers them, the sentences say."""
    for title, _, paragraph in _paragraphs(path):
        for question in paragraph["qas"]:
            yield {"id": question["id"], "group": title, "query": question["question"]}


def _xquad_r_sentences(_location: Files, path: Path) -> Iterator[dict[str, Any]]:
    """The candidates of LAReQA: every sentence, with its paragraph and whom it answers.

    An answer is in the sentence that it begins in. Sentences of a paragraph that read the same
    answer the same (XTREME-R, utils_lareqa.py).
    """
    for _, number, paragraph in _paragraphs(path):
        context = paragraph["context"]
        sentences = [context[start:end] for start, end in paragraph["sentence_breaks"]]
        asked: dict[str, list[str]] = {sentence: [] for sentence in sentences}
        for question in paragraph["qas"]:
            begins = question["answers"][0]["answer_start"]
            breaks = zip(paragraph["sentence_breaks"], sentences, strict=True)
            for (start, end), sentence in breaks:
                if start <= begins < end:
                    asked[sentence].append(question["id"])
                    break
        for place, sentence in enumerate(sentences):
            name = f"{number}_{place}"
            answers = asked[sentence]
            yield {"id": name, "text": sentence, "context": context, "answers": answers}


def _paragraphs(path: Path) -> Iterator[tuple[str, int, dict[str, Any]]]:
    """The title of the article, the number of the paragraph in the file from 1, the paragraph."""
    number = 0
    try:
        with _text(path) as file:
            articles = jsontext.parse(file.read())["data"]
        for article in articles:
            for paragraph in article["paragraphs"]:
                number += 1
                yield article["title"], number, paragraph
    except (json.JSONDecodeError, KeyError, TypeError, IndexError, ValueError) as error:
        raise UserError(f"{path}, paragraph {number}: not XQuAD-R's JSON ({error!r:.80})") from None


def _lines(_location: Files, path: Path) -> Iterator[dict[str, Any]]:
    with _text(path) as file:
        for line in file:
            if text := line.strip():
                yield {"text": text}


_READERS: dict[Reader, Callable[[Files, Path], Iterator[dict[str, Any]]]] = {
    "csv": _delimited,
    "tsv": _delimited,
    "jsonl": _jsonl,
    "conll": _conll,
    "supertags": _supertags,
    "squad": _squad,
    "parallel": _parallel,
    "lines": _lines,
    "bucc": _bucc,
    "xquad_r": _xquad_r,
    "xquad_r_sentences": _xquad_r_sentences,
}

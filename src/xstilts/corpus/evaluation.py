"""Every text of the mirror that something is evaluated, selected or trained on, by set."""

from __future__ import annotations

import csv
import zlib
from contextlib import contextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeAlias
from zipfile import BadZipFile

from xstilts import jsontext
from xstilts.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

_DAMAGE = (csv.Error, BadZipFile, zlib.error)
Reader: TypeAlias = "Callable[[Path], Iterator[str]]"


def texts(mirror: Path, name: str) -> Iterator[str]:
    """The texts of one set, file after file; nothing where the mirror does not have it.

    Raises:
        KeyError: if no set is called so.
        UserError: if a file is not as it was published.
    """
    for pattern, reader in SETS[name]:
        for path in sorted(mirror.glob(pattern)):
            with as_published(path):
                yield from reader(path)


@contextmanager
def as_published(path: Path) -> Iterator[None]:
    """Turn what a file of another layout does to a reader into one line for the user."""
    try:
        yield
    except UserError:
        raise
    except (ValueError, LookupError, TypeError, RuntimeError, OSError, *_DAMAGE) as error:
        what = f"{type(error).__name__}: {error}"
        raise UserError(
            f"{path} is not as it was published ({what:.100}): fetch it again, or take it away"
        ) from None


def lines(path: Path, remedy: str = "convert it first") -> Iterator[str]:
    """The lines of a file.

    Raises:
        UserError: if it is not UTF-8, with what to do.
    """
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                yield line.decode().rstrip("\r\n")
            except UnicodeDecodeError:
                raise UserError(f"{path} line {number} is not UTF-8: {remedy}") from None


def _cells(*columns: int) -> Reader:
    """Columns of a tsv file; the official ones do not quote."""

    def read(path: Path) -> Iterator[str]:
        for line in lines(path):
            cells = line.split("\t")
            yield from (cells[column] for column in columns)

    return read


def sentences(column: int) -> Reader:
    """The words of one column of a CoNLL file, a sentence at a time."""

    def read(path: Path) -> Iterator[str]:
        words: list[str] = []
        for line in lines(path):
            if line.strip():
                words.append(line.split("\t")[column])
            elif words:
                yield " ".join(words)
                words = []
        if words:
            yield " ".join(words)

    return read


def _named(*names: str) -> Reader:
    """Strings, and lists of strings, under these names anywhere in a JSON or JSON-lines file."""

    def strings(value: Any, name: str) -> Iterator[str]:
        if isinstance(value, str):
            if name in names:
                yield value
        elif isinstance(value, dict):
            for key, one in value.items():
                yield from strings(one, key)
        elif isinstance(value, list):
            for one in value:
                yield from strings(one, name)

    def read(path: Path) -> Iterator[str]:
        text = path.read_text(encoding="utf-8")
        for document in filter(None, text.split("\n")) if path.suffix == ".jsonl" else [text]:
            yield from strings(jsontext.parse(document), "")

    return read


def _codah(path: Path) -> Iterator[str]:
    for line in lines(path):
        _, prompt, *answers, _ = line.split("\t")
        yield from (f"{prompt} {answer}" for answer in answers)


def _cosmos(path: Path) -> Iterator[str]:
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            yield from (row["context"], row["question"])


_squad = _named("context", "question")

SETS: Mapping[str, tuple[tuple[str, Reader], ...]] = MappingProxyType(
    {
        "xnli": tuple((f"xnli/{one}*.tsv", _cells(0, 1)) for one in ("", "kornli/")),
        "pawsx": (
            ("pawsx/dev-*.tsv", _cells(0, 1)),
            ("pawsx/test_unlabelled/*.tsv", _cells(0, 1)),
            ("pawsx/labelled_test/*.tsv", _cells(1, 2)),
        ),
        "udpos": tuple((f"udpos/{one}-*.tsv", sentences(0)) for one in ("dev", "test")),
        "wikineural": (("wikineural/*/*.conllu", sentences(1)),),
        "xquad": (("xquad/*.json", _squad),),
        "mlqa": (("mlqa/dev/*.json", _squad),),
        "tydiqa": (("tydiqa_goldp/*/*.json", _squad),),
        "tatoeba": (("tatoeba/tatoeba.*", lines),),
        "xcopa": tuple(
            (f"xcopa/{one}/*.jsonl", _named("premise", "choice1", "choice2"))
            for one in ("data/*", "en_copa_superglue")
        ),
        "lareqa": (("lareqa/xquad-r/*.json", _named("context", "question", "sentences")),),
        "squad": (("squad/*.json", _squad),),
        "hellaswag": (("hellaswag/*.jsonl", _named("query", "choices")),),
        "codah": (("codah/full_data.tsv", _codah),),
        "cosmosqa": (("cosmosqa/*.csv", _cosmos),),
        "commonsenseqa": (("commonsenseqa/dev*.jsonl", _named("question")),),
        "socialiqa": (("socialiqa/*.jsonl", _named("context")),),
        "taxinli": (("taxinli_mnli10k/taxinli10k.tsv", _cells(0, 1)),),
        "bucc2018": (("bucc2018/*-en.*.??", _cells(1)),),  # not the gold pairs, which are ids
        "mewslix": (("mewslix/wikinews_mentions-*.jsonl", _named("text")),),
        "ccg": (("ccg/ccg.dev", _cells(0)),),
        "textfooler": (("textfooler_nli1k/*.tsv", _cells(1, 2)),),
    }
)

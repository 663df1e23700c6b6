"""Leaks: which evaluation text stands in the rows that a path trains on or selects with.

Texts are compared by their letters and digits, whatever their case, spacing and punctuation, at two
levels: the *paragraph* (a context, or any other whole field of a row) and the *sentence* (what
lies between marks that end one). Short sentences recur by chance and are not counted.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from itertools import product
from typing import TYPE_CHECKING

import regex

from xstilts.errors import AbsentError
from xstilts.formats.controls import lines
from xstilts.formats.examples import Question

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from xstilts.formats.examples import Example
    from xstilts.resolve import Resolved
    from xstilts.sources import Sources, Split
    from xstilts.tasks import Catalogue
    from xstilts.tasks.base import Source

VERSION = 2  # of what counts as the same; raised when that changes
SENTENCE_END = regex.compile(r"(?<=[.!?。！？؟।॥۔။។։።])\s*|\n+")
BESIDE_LETTERS = regex.compile(r"[^\p{L}\p{N}\p{M}]+")
LEAST_LETTERS = 30  # of a sentence
LEAST_DENSE = 12  # in scripts that write a syllable or a word in one letter
DENSE = regex.compile(r"[\u0e00-\u0e7f\u3040-\u30ff\u4e00-\u9fff\uac00-\ud7af]")


@dataclass(frozen=True)
class Leak:
    """How much of an evaluation set's text stands in other rows.

    Attributes:
        paragraphs: different ones in the evaluation rows.
        shared_paragraphs: those that the other rows have too.
        sentences: different ones in the evaluation rows.
        shared_sentences: those that the other rows have too.
        example: the longest shared sentence, or "".
    """

    paragraphs: int
    shared_paragraphs: int
    sentences: int
    shared_sentences: int
    example: str

    def __bool__(self) -> bool:
        """Whether anything is shared."""
        return bool(self.shared_paragraphs or self.shared_sentences)


@dataclass(frozen=True)
class Compared:
    """One training or selection split beside one evaluation.

    Attributes:
        seen: the task whose rows are trained on or selected with.
        split: which of the two.
        target: the task that is evaluated.
        languages: of the evaluation rows that were compared.
        leak: what they share.
    """

    seen: str
    split: Split
    target: str
    languages: tuple[str, ...]
    leak: Leak


def compare(
    paths: Iterable[Resolved], source: Source, catalogue: Catalogue, sources: Sources
) -> list[Compared]:
    """Every split that one of the paths trains on or selects with beside all that it evaluates.

    Rows are read once, however many paths use them, and of two equal comparisons one is returned.

    Evaluation rows are compared in the languages of the training rows and in English; where the
    target has none of them (the English side of retrieval), in all of its own.

    Raises:
        UserError: if rows are not as they should be.
        AbsentError: if training or evaluation rows are not there.
    """

    @cache
    def texts(name: str, split: Split, code: str) -> Texts:
        data = catalogue.data(name, source)
        return Texts.of(sources.examples(catalogue.get(name), data, split, code))

    @cache
    def together(name: str, split: Split, codes: tuple[str, ...]) -> Texts:
        return Texts.united(texts(name, split, code) for code in codes)

    found: dict[tuple[str, Split, tuple[str, ...], str, tuple[str, ...]], Compared] = {}
    for resolved in paths:
        for (name, split, codes), (target, asked) in product(
            _splits(resolved), [(one.task, one.languages) for one in resolved.evaluations]
        ):
            common = tuple(code for code in asked if code in (*codes, "en")) or asked
            if (key := (name, split, codes, target, common)) in found:
                continue
            try:
                seen = together(name, split, codes)
            except AbsentError:
                if split == "train":
                    raise
                continue  # not every task selects
            leak = seen.shared_with(together(target, "evaluate", common))
            found[key] = Compared(name, split, target, common, leak)
    return list(found.values())


def _splits(resolved: Resolved) -> list[tuple[str, Split, tuple[str, ...]]]:
    """Tasks, splits and languages of the rows that a path trains on or selects with."""
    items = {
        (one.item.task, one.item.languages) for stage in resolved.stages for one in stage.items
    }
    splits: list[tuple[str, Split, tuple[str, ...]]] = []
    for name, trained in sorted(items):
        splits += [(name, "train", trained), (name, "select", ("en",))]
    return splits


@dataclass(frozen=True)
class Texts:
    """The texts of rows by their keys: key -> a text that has it."""

    paragraphs: dict[str, str]
    sentences: dict[str, str]

    @classmethod
    def of(cls, examples: Iterable[Example]) -> Texts:
        """The texts of examples, as far as they are long enough to mean something."""
        rows = list(examples)
        fields = [line.text for line in lines(rows)]
        contexts = {one.context for one in rows if isinstance(one, Question)}
        pieces = (piece for text in fields for piece in SENTENCE_END.split(text))
        return cls(dict(_keys(contexts or fields)), dict(_keys(pieces)))

    @classmethod
    def united(cls, parts: Iterable[Texts]) -> Texts:
        """All texts of several."""
        paragraphs: dict[str, str] = {}
        sentences: dict[str, str] = {}
        for part in parts:
            paragraphs |= part.paragraphs
            sentences |= part.sentences
        return cls(paragraphs, sentences)

    def shared_with(self, evaluated: Texts) -> Leak:
        """What evaluation rows share with these."""
        shared = [text for key, text in evaluated.sentences.items() if key in self.sentences]
        return Leak(
            paragraphs=len(evaluated.paragraphs),
            shared_paragraphs=len(evaluated.paragraphs.keys() & self.paragraphs.keys()),
            sentences=len(evaluated.sentences),
            shared_sentences=len(shared),
            example=max(shared, key=len, default=""),
        )


def _keys(texts: Iterable[str]) -> Iterator[tuple[str, str]]:
    for text in texts:
        bare = BESIDE_LETTERS.sub("", text.casefold())
        least = LEAST_DENSE if len(DENSE.findall(bare)) * 2 > len(bare) else LEAST_LETTERS
        if len(bare) >= least:
            yield hashlib.sha256(bare.encode("utf-8", "surrogatepass")).hexdigest()[:16], text

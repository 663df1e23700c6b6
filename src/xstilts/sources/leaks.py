"""Leaks: which evaluation text stands in the rows that a path trains on or selects with.

Texts are compared by their letters and digits, whatever their case, spacing and punctuation, at two
levels: the *paragraph* (a context, or any other whole field of a row) and the *sentence* (what
lies between marks that end one). Short sentences recur by chance and are not counted.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

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

VERSION = 1  # of what counts as the same; raised when that changes
SENTENCE_END = re.compile(r"(?<=[.!?。！？؟।॥])\s*|\n+")
LEAST_LETTERS = 30  # of a sentence
LEAST_DENSE = 12  # in scripts that write a syllable or a word in one letter
DENSE = re.compile(r"[\u0e00-\u0e7f\u3040-\u30ff\u4e00-\u9fff\uac00-\ud7af]")


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
    resolved: Resolved, source: Source, catalogue: Catalogue, sources: Sources
) -> Iterator[Compared]:
    """Every split that a path trains on or selects with beside everything it evaluates.

    Evaluation rows are compared in the languages of the training rows; where the target has none of
    them (the English side of retrieval), in all of its own.

    Raises:
        UserError: if rows are not as they should be.
        AbsentError: if training or evaluation rows are not there.
    """
    items = {
        (one.item.task, one.item.languages) for stage in resolved.stages for one in stage.items
    }
    for name, trained in sorted(items):
        task, data = catalogue.get(name), catalogue.data(name, source)
        splits: list[tuple[Split, tuple[str, ...]]] = [("train", trained), ("select", ("en",))]
        for split, codes in splits:
            try:
                rows = [sources.examples(task, data, split, code) for code in codes]
            except AbsentError:
                if split == "train":
                    raise
                continue  # not every task selects
            seen = Texts.of(chain.from_iterable(rows))
            for evaluation in resolved.evaluations:
                target = catalogue.get(evaluation.task)
                there = catalogue.data(target.name, source)
                common = tuple(code for code in evaluation.languages if code in (*codes, "en"))
                compared = common or evaluation.languages
                found = [sources.examples(target, there, "evaluate", code) for code in compared]
                leak = seen.shared_with(Texts.of(chain.from_iterable(found)))
                yield Compared(name, split, target.name, compared, leak)


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
        bare = "".join(filter(_counts, text.casefold()))
        least = LEAST_DENSE if len(DENSE.findall(bare)) * 2 > len(bare) else LEAST_LETTERS
        if len(bare) >= least:
            yield hashlib.sha256(bare.encode("utf-8", "surrogatepass")).hexdigest()[:16], text


def _counts(character: str) -> bool:
    return character.isalnum() or unicodedata.category(character).startswith("M")

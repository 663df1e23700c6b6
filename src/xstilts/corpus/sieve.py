"""Lines and rows in, those worth keeping out, and every one that is dropped counted by reason."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from xstilts.corpus import clean
from xstilts.corpus.hashing import Windows, batches

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from xstilts.corpus.overlap import Match, Overlap

ROWS = 100  # parallel rows looked at together, of up to 80 languages
MOST_LETTERS = 40  # of an entry in a dictionary


class Sieve:
    """Remembers what it has let through, so that nothing passes twice.

    Attributes:
        text: (language, source) -> counts of the lines that were given to ``lines``.
        parallel: the same of the cells that were given to ``rows``.
        dictionary: the same of those that were given to ``entries``.
        repeats: evaluation set -> how many lines and cells repeat a ``sentence`` or a ``gram``.
    """

    def __init__(self, overlap: Overlap) -> None:
        self.text: defaultdict[tuple[str, str], Counter[str]] = defaultdict(Counter)
        self.parallel: defaultdict[tuple[str, str], Counter[str]] = defaultdict(Counter)
        self.dictionary: defaultdict[tuple[str, str], Counter[str]] = defaultdict(Counter)
        self.repeats = {name: Counter(sentence=0, gram=0) for name in overlap.texts}
        self._overlap = overlap
        self._lines: defaultdict[str, set[int]] = defaultdict(set)
        self._entries: set[int] = set()
        self._pairs: defaultdict[str, set[tuple[int, int]]] = defaultdict(set)

    def lines(
        self, lines: Iterable[str], code: str, source: str, *, only_sentences: bool = False
    ) -> Iterator[str]:
        """The lines worth keeping of running text in one language.

        Args:
            lines: as they are in the source.
            code: the language.
            source: where they are from.
            only_sentences: drop what does not end like a sentence.
        """
        counts, seen = self.text[code, source], self._lines[code]
        for batch in batches(lines):
            passed = []
            for line in batch:
                counts["lines"] += 1
                counts["bytes"] += _bytes(line)
                counts["split"] -= 1  # the first piece is no gain
                for piece in clean.pieces(clean.normalise(line)):
                    counts["split"] += 1
                    fault = clean.fault(piece, code)
                    if fault is None and only_sentences and not clean.is_sentence(piece):
                        fault = "fragment"
                    if fault is None:
                        passed.append(piece)
                    else:
                        counts[fault] += 1
            for line, key, match in self._look_up(passed):
                if match is not None:
                    counts["overlap"] += 1
                elif key in seen:
                    counts["duplicate"] += 1
                else:
                    seen.add(key)
                    _keep(counts, line)
                    yield line

    def rows(self, rows: Iterable[dict[str, str]], source: str) -> Iterator[dict[str, str]]:
        """The rows worth keeping, each with the cells worth keeping, of at least two languages.

        The first good cell of a row, English where there is English, is its anchor. A cell is
        dropped as ``untranslated`` if it repeats the anchor, as ``duplicate`` if the same language
        has the same translation of the same anchor already, and as ``alone`` if none is left
        beside it.
        """
        for batch in batches(rows, ROWS):
            cells: list[tuple[int, str, str]] = []
            for number, row in enumerate(batch):
                for code, raw in row.items():
                    counts = self.parallel[code, source]
                    counts["lines"] += 1
                    counts["bytes"] += _bytes(raw)
                    text = clean.normalise(raw)
                    fault = clean.fault(text, code)
                    if fault is None:
                        cells.append((number, code, text))
                    else:
                        counts[fault] += 1
            yield from self._assemble(cells, source)

    def entries(self, rows: Iterable[dict[str, str]], source: str) -> Iterator[dict[str, str]]:
        """The entries of a dictionary worth keeping, of at least two languages.

        A side may be a single letter, as in Chinese; one of over ``MOST_LETTERS`` is an
        explanation. What is kept of an entry is counted in ``dictionary``.
        """
        for batch in batches(rows, ROWS):
            sides = []
            for number, row in enumerate(batch):
                for code, raw in row.items():
                    counts = self.dictionary[code, source]
                    counts["lines"] += 1
                    text = clean.normalise(raw)
                    if (fault := clean.entry_fault(text, code, MOST_LETTERS)) is None:
                        sides.append((number, code, text))
                    else:
                        counts[fault] += 1
            found = self._look_up([text for _, _, text in sides])
            kept: defaultdict[int, dict[str, str]] = defaultdict(dict)
            for (number, code, _), (text, _, match) in zip(sides, found, strict=True):
                if match is None:
                    kept[number][code] = text
                else:
                    self.dictionary[code, source]["overlap"] += 1
            for row in kept.values():
                known = hash(tuple(sorted(row.items())))
                fate = (
                    "alone" if len(row) == 1 else "duplicate" if known in self._entries else "kept"
                )
                self._entries.add(known)
                for code in row:
                    self.dictionary[code, source][fate] += 1
                if fate == "kept":
                    yield row

    def _assemble(self, cells: list[tuple[int, str, str]], source: str) -> Iterator[dict[str, str]]:
        kept: defaultdict[int, dict[str, str]] = defaultdict(dict)
        anchors: dict[int, int] = {}
        found = self._look_up([text for _, _, text in cells])
        for (number, code, _), (text, key, match) in zip(cells, found, strict=True):
            counts = self.parallel[code, source]
            anchor = anchors.get(number)
            if match is not None:
                counts["overlap"] += 1
            elif anchor is None:
                anchors[number] = key
                kept[number][code] = text
            elif key == anchor:
                counts["untranslated"] += 1
            elif (anchor, key) in self._pairs[code]:
                counts["duplicate"] += 1
            else:
                self._pairs[code].add((anchor, key))
                kept[number][code] = text
        for row in kept.values():
            if len(row) == 1:
                self.parallel[next(iter(row)), source]["alone"] += 1
            else:
                for code, text in row.items():
                    _keep(self.parallel[code, source], text)
                yield row

    def _look_up(self, texts: list[str]) -> Iterator[tuple[str, int, Match | None]]:
        """Each text with its key and what it repeats of the evaluation sets."""
        windows = Windows(texts)
        matches = self._overlap.find(windows)
        for match in matches:
            if match is not None:
                for name in match.sentence:
                    self.repeats[name]["sentence"] += 1
                for name in match.gram:
                    self.repeats[name]["gram"] += 1
        yield from zip(texts, windows.texts().tolist(), matches, strict=True)


def _keep(counts: Counter[str], text: str) -> None:
    counts["kept"] += 1
    counts["kept_bytes"] += _bytes(text)


def _bytes(text: str) -> int:
    """With the end of the line."""
    return len(text.encode()) + 1

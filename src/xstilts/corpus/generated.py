"""Text of the microworld for a corpus: what an encoder has to have read before it meets the demo.

Its pool is the one that no labelled row, of training or of evaluation, ever speaks of.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from xstilts import microworld

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from xstilts.corpus.read import Row

NAME = "microworld"


def text(count: int) -> Iterator[tuple[str, str, Iterable[str]]]:
    """Running text: source, language, ``count`` lines; nothing where that is 0."""
    for code in microworld.LANGUAGES if count else ():
        yield NAME, code, _lines("running", count, code)


def parallel(count: int) -> Iterator[tuple[str, Iterable[Row]]]:
    """Other lines in all languages at once: source, ``count`` rows; nothing where that is 0."""
    if count:
        codes = microworld.LANGUAGES
        sides = zip(*(_lines("parallel", count, code) for code in codes), strict=True)
        yield NAME, (dict(zip(codes, side, strict=True)) for side in sides)


def _lines(use: str, count: int, code: str) -> list[str]:
    return [row["text"] for row in microworld.rows(f"corpus {use}", "text", "text", count, code)]

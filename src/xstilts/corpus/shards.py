"""Token shards: a cleaned corpus as flat arrays of token ids, memory-mapped.

Files (``.npy``): ``mono_ids`` ``[T]``, uint16 or, for larger vocabularies, uint32;
``mono_offsets`` int64 ``[S+1]`` (sentences, one language after the other); ``mono_language`` int16
``[S]``; ``parallel_ids``, ``parallel_offsets``, ``parallel_language`` alike for all sides of all
rows; ``parallel_rows`` int64 ``[R+1]`` (row ``r`` is sides ``rows[r]`` to ``rows[r+1]``); where
there are dictionaries, ``dictionary_*`` as ``parallel_*``. ``languages.json`` names the languages.
No special tokens.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from itertools import islice, pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from xstilts.corpus.cleaned import dictionary_rows, lines, parallel_rows, text_files
from xstilts.failpoints import failpoint

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    from numpy.typing import NDArray
    from tokenizers import Tokenizer

CHUNK = 20_000
STRETCH = 100  # lines


@dataclass(frozen=True)
class Rows:
    """Segments in several languages; arrays as ``parallel_*`` in the module's description."""

    ids: NDArray[np.unsignedinteger]
    offsets: NDArray[np.int64]
    language: NDArray[np.int16]
    rows: NDArray[np.int64]

    @classmethod
    def open(cls, folder: Path, name: str) -> Rows:
        """Map the files of a folder into memory; none: no rows."""
        if not (folder / f"{name}_rows.npy").exists():
            none, start = np.zeros(0, np.int16), np.zeros(1, np.int64)
            return cls(none.astype(np.uint16), start, none, start)
        arrays = ("ids", "offsets", "language", "rows")
        return cls(*(np.load(folder / f"{name}_{one}.npy", mmap_mode="r") for one in arrays))

    def __len__(self) -> int:
        return len(self.rows) - 1

    def __iter__(self) -> Iterator[list[NDArray[np.int32]]]:
        """Every row as its sides' token ids."""
        for first, last in pairwise(self.rows):
            yield [self.side(side) for side in range(first, last)]

    def side(self, number: int) -> NDArray[np.int32]:
        """The token ids of one side of a row."""
        return self.ids[self.offsets[number] : self.offsets[number + 1]].astype(np.int32)


@dataclass(frozen=True)
class Shards:
    """An opened folder of shards; arrays as in the module's description.

    Attributes:
        languages: codes, by number.
    """

    languages: tuple[str, ...]
    mono_ids: NDArray[np.unsignedinteger]
    mono_offsets: NDArray[np.int64]
    mono_language: NDArray[np.int16]
    parallel: Rows
    dictionary: Rows

    @classmethod
    def open(cls, folder: Path) -> Shards:
        """Map the files of a folder into memory."""
        return cls(
            tuple(json.loads((folder / "languages.json").read_text())),
            np.load(folder / "mono_ids.npy", mmap_mode="r"),
            np.load(folder / "mono_offsets.npy", mmap_mode="r"),
            np.load(folder / "mono_language.npy", mmap_mode="r"),
            parallel=Rows.open(folder, "parallel"),
            dictionary=Rows.open(folder, "dictionary"),
        )

    def frequencies(self, vocabulary: int) -> NDArray[np.int64]:
        """How often each token occurs in running and parallel text, ``[V]``."""
        both = (self.mono_ids, self.parallel.ids)
        return sum(np.bincount(ids, minlength=vocabulary) for ids in both)  # type: ignore[return-value]


def build(
    corpus: Path,
    tokenizer: Tokenizer,
    out: Path,
    languages: Collection[str] = (),
    most_tokens: int = 0,
    seed: int = 0,
) -> dict[str, Any]:
    """Tokenise a corpus into shards.

    Args:
        corpus: a folder with ``text/``, ``parallel.jsonl`` and ``dictionary.jsonl``.
        tokenizer: of the encoder.
        out: a folder.
        languages: codes to take; none: all.
        most_tokens: of one language's running text, about; 0: all of it. What is taken are
            stretches of lines from all over the file.
        seed: of the choice of stretches.

    Returns:
        ``languages``: code -> monolingual tokens, parallel tokens and characters a token.
    """
    texts = text_files(corpus, languages)
    codes = sorted(
        {path.stem for path in texts} | {c for row in parallel_rows(corpus, languages) for c in row}
    )
    number = {code: index for index, code in enumerate(codes)}
    mono = _Writer(tokenizer)
    for path in texts:
        texts_of = lines(path)
        if most_tokens:
            texts_of = _stretches(texts_of, tokenizer, most_tokens, seed)
        mono.add(texts_of, number[path.stem])
    mono.save(out, "mono")
    parallel = _save_rows(parallel_rows(corpus, languages), number, tokenizer, out, "parallel")
    if (corpus / "dictionary.jsonl").exists():
        entries = (
            {code: text for code, text in row.items() if code in number}
            for row in dictionary_rows(corpus, languages)
        )
        _save_rows((row for row in entries if len(row) > 1), number, tokenizer, out, "dictionary")
    (out / "languages.json").write_text(json.dumps(codes))
    return {
        code: {
            "mono_tokens": mono.tokens[index],
            "parallel_tokens": parallel.tokens[index],
            "characters_per_token": (mono.characters[index] + parallel.characters[index])
            / max(mono.tokens[index] + parallel.tokens[index], 1),
        }
        for code, index in number.items()
    }


def _save_rows(
    found: Iterator[dict[str, str]],
    number: dict[str, int],
    tokenizer: Tokenizer,
    out: Path,
    name: str,
) -> _Writer:
    """Write the arrays of rows; their sides stand in the order of their codes."""
    writer = _Writer(tokenizer)
    rows = [0]
    for chunk in _chunks(found, CHUNK):
        sides = [(number[code], text) for row in chunk for code, text in sorted(row.items())]
        writer.add([text for _, text in sides], [code for code, _ in sides])
        for row in chunk:
            rows.append(rows[-1] + len(row))
    writer.save(out, name)
    np.save(out / f"{name}_rows.npy", np.array(rows, np.int64))
    return writer


def _stretches(lines: list[str], tokenizer: Tokenizer, most: int, seed: int) -> list[str]:
    """Stretches of lines, in their order, of about ``most`` tokens together."""
    starts = range(0, len(lines), STRETCH)
    sizes = [
        sum(len(one.ids) for one in tokenizer.encode_batch_fast(lines[start : start + STRETCH]))
        for start in starts
    ]
    order = np.random.default_rng(seed).permutation(len(sizes))
    taken = np.cumsum(np.array(sizes)[order]) <= most
    chosen = np.sort(order[taken])
    return [line for place in chosen for line in lines[starts[place] : starts[place] + STRETCH]]


class _Writer:
    """Collects token ids of sentences in the order they come."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._dtype = np.uint16 if tokenizer.get_vocab_size() <= 2**16 else np.uint32
        self._ids: list[NDArray[np.unsignedinteger]] = []
        self._lengths: list[int] = []
        self._language: list[int] = []
        self.tokens: Counter[int] = Counter()
        self.characters: Counter[int] = Counter()

    def add(self, texts: list[str], language: int | list[int]) -> None:
        codes = language if isinstance(language, list) else [language] * len(texts)
        for start in range(0, len(texts), CHUNK):
            piece = texts[start : start + CHUNK]
            found = self._tokenizer.encode_batch_fast(piece, add_special_tokens=False)
            for code, text, one in zip(codes[start : start + CHUNK], piece, found, strict=True):
                self._ids.append(np.array(one.ids, self._dtype))
                self._lengths.append(len(one.ids))
                self._language.append(code)
                self.tokens[code] += len(one.ids)
                self.characters[code] += len(text)

    def save(self, out: Path, name: str) -> None:
        ids = np.concatenate(self._ids) if self._ids else np.zeros(0, self._dtype)
        np.save(out / f"{name}_ids.npy", ids)
        failpoint("shards.half")
        np.save(out / f"{name}_offsets.npy", np.cumsum([0, *self._lengths], dtype=np.int64))
        np.save(out / f"{name}_language.npy", np.array(self._language, np.int16))


def _chunks(rows: Iterator[dict[str, str]], size: int) -> Iterator[list[dict[str, str]]]:
    while chunk := list(islice(rows, size)):
        yield chunk

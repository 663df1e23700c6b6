"""The tokenizer of an encoder: Unigram within words, punctuation marks and unspaced stretches.

Text in running form and text split into words (as in treebanks) must give the same tokens, or a
small encoder has to learn everything twice. Hence a mark of punctuation is a word of its own, and
``▁`` stands before words only where the script puts spaces between them.
"""

from __future__ import annotations

import json
import unicodedata
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from xstilts.corpus.cleaned import lines as lines_of
from xstilts.corpus.cleaned import parallel_rows, text_files

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from pathlib import Path

    from tokenizers import Tokenizer

SPECIALS = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")
# Scripts written without spaces between words.
UNSPACED = ("Han", "Hiragana", "Katakana", "Thai", "Lao", "Khmer", "Myanmar", "Tibetan")
# The ``▁`` that says nothing: before these scripts and before punctuation (ASCII symbols included,
# as `tokenizers` has it).
IDLE_MARK = "▁(?=[" + "".join(rf"\p{{{script}}}" for script in UNSPACED) + r"\p{P}$+<=>^`|~])"
SURPLUS = 1.1  # pieces with punctuation inside, found in training, are of no use afterwards
COVERAGE = 0.9995  # of each language's characters; rarer ones become <unk>, as in XLM-R


def sample_lines(
    corpus: Path, languages: Collection[str], count: int, alpha: float, seed: int
) -> Iterator[str]:
    """Lines for a tokenizer, languages in proportion to (their bytes)^alpha.

    Bytes, because a Chinese character says as much as several Latin letters. A language's
    characters beyond `COVERAGE` are replaced by spaces: the trainer would make a piece of each.

    Args:
        corpus: a folder with ``text/`` and ``parallel.jsonl``.
        languages: codes to take; none: all.
        count: how many lines, about.
        alpha: as in ``Pretraining``.
        seed: of the sample.
    """
    lines: dict[str, list[str]] = {}
    for path in text_files(corpus, languages):
        lines[path.stem] = lines_of(path)
    for row in parallel_rows(corpus, languages):
        for code, text in row.items():
            lines.setdefault(code, []).append(text)
    sizes = {code: sum(map(_bytes, mine)) ** alpha for code, mine in sorted(lines.items())}
    stream = np.random.default_rng(seed)
    for code, size in sizes.items():
        wanted = round(count * size / sum(sizes.values()))
        counts: Counter[str] = Counter()
        for line in lines[code]:
            counts.update(line)
        rare = dict.fromkeys(_rare(counts), " ")
        for place in stream.permutation(len(lines[code]))[:wanted]:
            yield unicodedata.normalize("NFKC", lines[code][place]).translate(rare)


def _bytes(line: str) -> int:
    return len(line.encode())


def _rare(counts: Counter[str]) -> list[int]:
    """The code points of a language's characters beyond `COVERAGE`."""
    allowed = COVERAGE * counts.total()
    seen, rare = 0, []
    for character, times in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])):
        if seen >= allowed:
            rare.append(ord(character))
        seen += times
    return rare


def train_tokenizer(lines: Iterable[str], vocabulary: int) -> Tokenizer:
    """A Unigram tokenizer (Kudo 2018) with the special tokens and templates of XLM-R.

    The library's training breaks ties differently in every process: keep the result.
    """
    from tokenizers import (
        Regex,
        Tokenizer,
        decoders,
        models,
        normalizers,
        pre_tokenizers,
        processors,
        trainers,
    )

    split = pre_tokenizers.WhitespaceSplit()
    marks = [
        pre_tokenizers.Metaspace(prepend_scheme="always"),
        pre_tokenizers.Split(Regex(IDLE_MARK), "removed"),
    ]
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.NFKC()
    # The trainer takes for a piece only what occurs in two different words, so that it has to see
    # "stop." and "stop," to find "stop".
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, *marks])
    trainer = trainers.UnigramTrainer(
        vocab_size=round(vocabulary * SURPLUS),
        special_tokens=list(SPECIALS),
        unk_token=SPECIALS[3],
        show_progress=False,
    )
    tokenizer.train_from_iterator(lines, trainer)
    pieces = json.loads(tokenizer.to_str())["model"]["vocab"]
    tokenizer.model = models.Unigram(_usable(pieces, vocabulary), unk_id=SPECIALS.index("<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [split, pre_tokenizers.Punctuation("isolated"), *marks]
    )
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>",
        pair="<s> $A </s> </s> $B </s>",
        special_tokens=[("<s>", 0), ("</s>", 2)],
    )
    return tokenizer


def _usable(pieces: list[tuple[str, float]], count: int) -> list[tuple[str, float]]:
    """The likeliest pieces without punctuation inside, all characters among them."""
    pairs = [(piece, score) for piece, score in pieces]
    special, found = pairs[: len(SPECIALS)], pairs[len(SPECIALS) :]
    single = [pair for pair in found if len(pair[0]) == 1]
    longer = [pair for pair in found if len(pair[0]) > 1 and not any(map(_is_mark, pair[0]))]
    longer.sort(key=lambda pair: -pair[1])
    return [*special, *single, *longer[: max(count - len(special) - len(single), 0)]]


def _is_mark(character: str) -> bool:
    return unicodedata.category(character).startswith("P") or character in "$+<=>^`|~"

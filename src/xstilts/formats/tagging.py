"""Tagging: words in, one tag a word out, read at the word's first sub-token.

A sentence longer than the limit is split at word boundaries into several units and rejoined when
decoded, so that no word goes unscored (jiant truncates: its issue 1169).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from xstilts.formats.encoded import Builder, Encoded, Template

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray
    from tokenizers import Tokenizer

    from xstilts.formats import Limits
    from xstilts.formats.examples import Tagged
    from xstilts.tasks.base import Task

IGNORE = -100


def encode(task: Task, examples: Sequence[Tagged], tokenizer: Tokenizer, limits: Limits) -> Encoded:
    """Pieces of sentences. Target ``tags``: int64 ``[T]``, -100 but at first sub-tokens."""
    template, builder = Template.of(tokenizer), Builder()
    index = {tag: i for i, tag in enumerate(task.labels)}
    room = limits.max_length - template.single_specials
    unknown = _unknown_id(tokenizer)
    tags: list[int] = []

    def close(piece: list[int], piece_tags: list[int], owner: int) -> None:
        builder.sequence(template.single(piece))
        builder.end_unit(owner)
        tags.extend([IGNORE] * len(template.prefix))
        tags.extend(piece_tags)
        tags.extend([IGNORE] * len(template.single_suffix))

    for owner, words in enumerate(_words(examples, tokenizer)):
        piece: list[int] = []
        piece_tags: list[int] = []
        for ids, tag in zip(words, examples[owner].tags, strict=True):
            # A word that is nothing to the tokenizer, or longer than a whole piece, is unknown.
            word = ids if 0 < len(ids) <= room else [unknown]
            if len(piece) + len(word) > room:
                close(piece, piece_tags, owner)
                piece, piece_tags = [], []
            piece = piece + word
            piece_tags = [*piece_tags, index[tag], *[IGNORE] * (len(word) - 1)]
        close(piece, piece_tags, owner)
    return builder.build(template.second_type, tags=np.array(tags, np.int64))


def decode(
    task: Task, examples: Sequence[Tagged], encoded: Encoded, outputs: NDArray[np.int64]
) -> Iterator[dict[str, Any]]:
    """Prediction rows from the best tag at every token, ``[T]``."""
    predicted: list[list[str]] = [[] for _ in examples]
    for unit, owner in enumerate(encoded.owner):
        start, end = encoded.offsets[unit], encoded.offsets[unit + 1]
        first_tokens = encoded.targets["tags"][start:end] != IGNORE
        predicted[owner] += [task.labels[i] for i in outputs[start:end][first_tokens]]
    for example, tags in zip(examples, predicted, strict=True):
        yield {
            "id": example.id,
            "group": example.group,
            "gold": list(example.tags),
            "prediction": tags,
        }


def _words(examples: Sequence[Tagged], tokenizer: Tokenizer) -> Iterator[list[list[int]]]:
    """The token ids of each word of each sentence; every word is tokenised as in running text."""
    led = " " if _needs_spaces(tokenizer) else ""
    encodings = tokenizer.encode_batch(
        [[word if n == 0 else led + word for n, word in enumerate(one.words)] for one in examples],
        is_pretokenized=True,
        add_special_tokens=False,
    )
    for example, encoding in zip(examples, encodings, strict=True):
        words: list[list[int]] = [[] for _ in example.words]
        for token, word in zip(encoding.ids, encoding.word_ids, strict=True):
            if word is not None:
                words[word].append(token)
        yield words


def _needs_spaces(tokenizer: Tokenizer) -> bool:
    """Whether words that are given apart lose the space before them, as in byte-level tokenizers.

    XLM-R's and BERT's put back, or never had, what tells a word's first piece.
    """
    apart = tokenizer.encode(["a", "a"], is_pretokenized=True, add_special_tokens=False).ids
    return apart != tokenizer.encode("a a", add_special_tokens=False).ids


def _unknown_id(tokenizer: Tokenizer) -> int:
    for name in ("<unk>", "[UNK]", "<pad>", "[PAD]"):
        if (found := tokenizer.token_to_id(name)) is not None:
            return found
    return 0

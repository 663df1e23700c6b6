"""Span corruption: text with pieces left out in, the pieces out; what T5 is pretrained on.

Source: Raffel et al. 2020, section 3.3.4 (15 % of the tokens in spans of 3 on average), and the
order of its code (t5/data/preprocessors.py, ``random_spans_noise_mask``): the first piece is kept,
the last one left out, and the target ends without a sentinel of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

SHARE = 0.15
MEAN_LENGTH = 3.0


def left_out(tokens: int, seed: int, most: int) -> NDArray[np.bool_]:
    """Which tokens are left out, bool ``[tokens]``.

    How many, and in how many spans, follows from the length alone; where they lie is drawn, all
    ways of parting the tokens being equally likely.

    Args:
        tokens: at least 1.
        seed: of this sequence in this step.
        most: how many spans there may be.
    """
    if tokens < 2:
        return np.ones(tokens, bool)
    hidden = min(max(round(tokens * SHARE), 1), tokens - 1)
    spans = min(max(round(hidden / MEAN_LENGTH), 1), tokens - hidden, most)
    stream = np.random.default_rng(seed)
    kept, gone = (_parts(n, spans, stream) for n in (tokens - hidden, hidden))
    lengths = np.stack([kept, gone], axis=1).ravel()
    return np.repeat(np.arange(2 * spans) % 2 == 1, lengths)


def _parts(tokens: int, parts: int, stream: np.random.Generator) -> NDArray[np.int64]:
    """The lengths of so many parts, each at least 1, int64 ``[parts]``."""
    cuts = np.sort(stream.choice(tokens - 1, parts - 1, replace=False)) + 1
    return np.diff([0, *cuts, tokens])


def apart(
    ids: NDArray[np.int32], hidden: NDArray[np.bool_], sentinels: Sequence[int]
) -> tuple[list[int], list[int]]:
    """A sequence with a sentinel in the place of every span, and the spans, sentinels before them.

    Args:
        ids: int32 ``[T]``, without special tokens.
        hidden: bool ``[T]``, from ``left_out``.
        sentinels: their ids, in order.
    """
    source: list[int] = []
    target: list[int] = []
    used = -1
    for place, (one, gone) in enumerate(zip(ids.tolist(), hidden.tolist(), strict=True)):
        if not gone:
            source.append(one)
            continue
        if place == 0 or not hidden[place - 1]:
            used += 1
            source.append(sentinels[used])
            target.append(sentinels[used])
        target.append(one)
    return source, target

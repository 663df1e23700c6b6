"""Model inputs as flat arrays: no padding, ready to be packed, sorted or memory-mapped.

Legend: T tokens of all sequences together, S sequences, U units. A *unit* is what an optimiser
step counts as one example: one sequence, or all the choices of one multiple-choice question.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray
    from tokenizers import Tokenizer


@dataclass(frozen=True)
class Encoded:
    """A split, encoded.

    Attributes:
        ids: int32 ``[T]``, token ids of all sequences, one after the other.
        types: int8 ``[T]``, segment ids; all zero for models without segments.
        offsets: int64 ``[S+1]``; sequence ``s`` is ``ids[offsets[s]:offsets[s+1]]``.
        units: int64 ``[U+1]``; unit ``u`` is sequences ``units[u]`` to ``units[u+1]``.
        owner: int64 ``[U]``, the index of the example the unit comes from.
        targets: arrays of length U, S or T, named by the format.
        kinds: int32 ``[K]``, the different ids; None where nobody counted them.
    """

    ids: NDArray[np.int32]
    types: NDArray[np.int8]
    offsets: NDArray[np.int64]
    units: NDArray[np.int64]
    owner: NDArray[np.int64]
    targets: dict[str, NDArray] = field(default_factory=dict)
    kinds: NDArray[np.int32] | None = None

    def __len__(self) -> int:
        """The number of units."""
        return len(self.units) - 1

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens of each sequence, ``[S]``."""
        return np.diff(self.offsets)

    def sequence(self, number: int) -> NDArray[np.int32]:
        """The token ids of one sequence."""
        return self.ids[self.offsets[number] : self.offsets[number + 1]]

    def slices(self, numbers: Iterable[int]) -> list[slice]:
        """Where the tokens of some sequences stand."""
        return [slice(self.offsets[number], self.offsets[number + 1]) for number in numbers]

    def token_places(self, numbers: Iterable[int]) -> NDArray[np.int64]:
        """The places of the tokens of some sequences, one sequence after the other."""
        ranges = (np.arange(self.offsets[number], self.offsets[number + 1]) for number in numbers)
        return np.concatenate(list(ranges))

    def sequence_lengths(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """Tokens of some sequences, ``[n]``; the others are not looked at."""
        return self.offsets[numbers + 1] - self.offsets[numbers]

    def tokens_of(self, units: NDArray[np.int64]) -> NDArray[np.int64]:
        """Tokens of some units, ``[n]``."""
        return self.offsets[self.units[units + 1]] - self.offsets[self.units[units]]

    @property
    def unit_tokens(self) -> NDArray[np.int64]:
        """Tokens of each unit, ``[U]``."""
        return np.diff(self.offsets[self.units])


@dataclass(frozen=True)
class Template:
    """The special tokens a tokenizer puts around one text or two, read off the tokenizer itself.

    XLM-R: ``<s> A </s>`` and ``<s> A </s></s> B </s>``. BERT: ``[CLS] A [SEP] B [SEP]`` with
    segment 1 for B.
    """

    prefix: tuple[int, ...]
    single_suffix: tuple[int, ...]
    middle: tuple[int, ...]
    pair_suffix: tuple[int, ...]
    second_type: int

    @classmethod
    def of(cls, tokenizer: Tokenizer) -> Template:
        """Read the template off a tokenizer with a post-processor.

        Args:
            tokenizer: a ``tokenizers`` tokenizer, without truncation or padding.
        """
        single, pair = tokenizer.encode("a"), tokenizer.encode("a", "a")
        first = [i for i, sequence in enumerate(pair.sequence_ids) if sequence == 0]
        second = [i for i, sequence in enumerate(pair.sequence_ids) if sequence == 1]
        last = max(i for i, sequence in enumerate(single.sequence_ids) if sequence == 0)
        return cls(
            prefix=tuple(pair.ids[: first[0]]),
            single_suffix=tuple(single.ids[last + 1 :]),
            middle=tuple(pair.ids[first[-1] + 1 : second[0]]),
            pair_suffix=tuple(pair.ids[second[-1] + 1 :]),
            second_type=pair.type_ids[second[0]],
        )

    @property
    def single_specials(self) -> int:
        """How many special tokens go around one text."""
        return len(self.prefix) + len(self.single_suffix)

    @property
    def pair_specials(self) -> int:
        """How many special tokens go around and between two texts."""
        return len(self.prefix) + len(self.middle) + len(self.pair_suffix)

    def single(self, ids: Sequence[int]) -> list[int]:
        """One text with its special tokens."""
        return [*self.prefix, *ids, *self.single_suffix]

    def pair(self, first: Sequence[int], second: Sequence[int]) -> tuple[list[int], int]:
        """Two texts with their special tokens, and the position of the second one's first token."""
        head = [*self.prefix, *first, *self.middle]
        return [*head, *second, *self.pair_suffix], len(head)


class Builder:
    """Collects sequences and turns them into ``Encoded``."""

    def __init__(self) -> None:
        self._ids: list[list[int]] = []
        self._second: list[int] = []  # where segment 1 begins; -1: nowhere
        self._units: list[int] = [0]
        self._owner: list[int] = []

    def sequence(self, ids: list[int], second: int = -1) -> None:
        """Add a sequence to the unit under way."""
        self._ids.append(ids)
        self._second.append(second)

    def end_unit(self, owner: int) -> None:
        """End the unit under way; it came from example ``owner``."""
        self._units.append(len(self._ids))
        self._owner.append(owner)

    def build(self, second_type: int, **targets: NDArray) -> Encoded:
        """Everything added so far, as flat arrays."""
        lengths = np.fromiter(map(len, self._ids), np.int64, len(self._ids))
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        ids = np.fromiter(chain.from_iterable(self._ids), np.int32, int(offsets[-1]))
        types = np.zeros(len(ids), np.int8)
        if second_type:
            for start, end, second in zip(offsets, offsets[1:], self._second, strict=False):
                if second >= 0:
                    types[start + second : end] = second_type
        units, owner = np.array(self._units, np.int64), np.array(self._owner, np.int64)
        return Encoded(ids, types, offsets, units, owner, targets)


def token_ids(tokenizer: Tokenizer, texts: Sequence[str]) -> list[list[int]]:
    """Token ids of each text, without special tokens."""
    return [one.ids for one in tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)]


def fit_pair(
    first: list[int], second: list[int], room: int, *, keep_end: bool = False
) -> tuple[list[int], list[int]]:
    """Shorten two texts to ``room`` tokens together, always taking from the longer one.

    Args:
        first: token ids.
        second: token ids.
        room: the most tokens the two may have together.
        keep_end: drop tokens from the front instead of the end, as the authors' toolkit does for
            multiple choice (the question stands at the end of the prompt).
    """
    over = len(first) + len(second) - room
    if over <= 0:
        return first, second
    # Cut the longer one down to the other's length, then both alike, the second one first.
    from_first = min(max(len(first) - len(second), 0), over)
    from_second = min(max(len(second) - len(first), 0), over)
    rest = over - from_first - from_second
    from_first, from_second = from_first + rest // 2, from_second + rest - rest // 2
    if keep_end:
        return first[from_first:], second[from_second:]
    return first[: len(first) - from_first], second[: len(second) - from_second]

"""What an attack may not exceed: edits, queries, and one edit a word, so that people still read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from xstilts.formats.examples import Choice, texts
from xstilts.perturb.clusters import letters, words
from xstilts.steps.attacks.transformation import edited

if TYPE_CHECKING:
    from collections.abc import Iterable

    from xstilts.formats.examples import Example
    from xstilts.steps.attacks.transformation import Move

WORDS_AN_EDIT, LETTERS_AN_EDIT = 4, 16


@dataclass(frozen=True)
class Budget:
    """The most that may be done to one example.

    Attributes:
        edits: places that may be edited.
        queries: texts that the model may be asked about; a gradient counts as one.
    """

    edits: int
    queries: int

    def of(self, one: Example) -> Budget:
        """Of this example: an edit for every four words (sixteen letters), and at least one."""
        all_texts = texts(one)
        room = max(
            sum(len(words(text)) for text in all_texts) // WORDS_AN_EDIT,
            sum(len(letters(text)) for text in all_texts) // LETTERS_AN_EDIT,
        )
        return Budget(max(1, min(self.edits, room)), self.queries)


def clashes(move: Move, taken: Iterable[Move]) -> bool:
    """Whether a move touches a word that is edited already."""
    a, b = move.guard
    return any(move.field == o.field and a < o.guard[1] and o.guard[0] < b for o in taken)


def sound(one: Example, moves: Iterable[Move]) -> bool:
    """Whether the label still means something: no two choices have become the same."""
    new = edited(one, moves)
    if isinstance(one, Choice) and isinstance(new, Choice):
        return len(set(new.choices)) == len(set(one.choices))
    return True

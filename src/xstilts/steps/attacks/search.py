"""The search of an attack: which edits to try next, given what the model said of the last ones.

A search asks and is told, so that the questions of all examples go through the model together. A
state is a few edits and the margin that is left. Every round, each of the best states is tried with
more edits; the best ``width`` of all that is known go on. Greedy has one state, a beam several. A
guided search first tries the edits that promise most by the gradient, others in the order drawn.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from xstilts.steps.attacks.constraint import clashes, sound
from xstilts.steps.attacks.goal import reached

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from xstilts.formats.examples import Example
    from xstilts.steps.attacks.constraint import Budget
    from xstilts.steps.attacks.transformation import Move

WIDTHS = {"greedy": 1, "beam": 4, "gradient": 1}
CONSIDERED = 96  # moves a round that a guided search ranks


@dataclass(frozen=True)
class State:
    """Some edits of an example.

    Attributes:
        moves: in the order they were found.
        margin: what is left of the right answer's lead.
    """

    moves: tuple[Move, ...]
    margin: float


@dataclass
class Search:
    """The search on one example.

    Attributes:
        example: as it is.
        offered: every move, in the order they are tried.
        budget: the most of it.
        width: how many states go on.
        clean: the margin before any edit.
        queries: how many were made.
        states: those that go on, the best first.
    """

    example: Example
    offered: Sequence[Move]
    budget: Budget
    width: int
    clean: float
    queries: int = 0
    states: list[State] = field(default_factory=list)
    _tried: set[frozenset[Move]] = field(default_factory=set)  # in any order the same text
    _asked: list[tuple[Move, ...]] = field(default_factory=list)
    _at: int = 0
    _dry: bool = False  # nothing is left to try

    def __post_init__(self) -> None:
        self.states = [State((), self.clean)]

    @property
    def best(self) -> State:
        """The state with the least margin."""
        return self.states[0]

    @property
    def over(self) -> bool:
        """Whether nothing more is to be asked."""
        spent = self._dry or self.queries >= self.budget.queries
        return reached(self.best.margin) or spent or not self._open()

    def _open(self) -> list[State]:
        return [state for state in self.states if len(state.moves) < self.budget.edits]

    def ask(
        self, promise: Callable[[Sequence[tuple[Move, ...]]], Sequence[float]] | None = None
    ) -> list[tuple[Move, ...]]:
        """The edits to try in this round; none: the search is over.

        Args:
            promise: of a guided search: edits of the best state -> the margin that each is thought
                to leave. It counts as one query.
        """
        self._asked = []
        room = self.budget.queries - self.queries - (promise is not None)
        share = -(-self.budget.queries // self.budget.edits)
        states = self._open()
        for number, state in enumerate(states):
            each = min(share, room) // len(states) + (number < min(share, room) % len(states))
            found = self._next(state, each if promise is None else CONSIDERED)
            if promise is not None and found:
                self.queries += 1
                promised = promise(found)
                order = sorted(range(len(found)), key=lambda place: promised[place])
                found = [found[place] for place in order[:each]]
            self._tried.update(map(frozenset, found))
            self._asked += found
        self.queries += len(self._asked)
        return self._asked

    def _next(self, state: State, most: int) -> list[tuple[Move, ...]]:
        """At most so many moves more on a state that were not tried on it."""
        found: list[tuple[Move, ...]] = []
        for step in range(len(self.offered)):
            if len(found) >= most:
                break
            move = self.offered[(self._at + step) % len(self.offered)]
            new = (*state.moves, move)
            if frozenset(new) in self._tried or clashes(move, state.moves):
                continue
            if not sound(self.example, new):
                continue
            found.append(new)
        self._at += len(found)
        return found

    def tell(self, margins: Sequence[float]) -> None:
        """What the model said of the edits that were asked for last."""
        new = [State(moves, m) for moves, m in zip(self._asked, margins, strict=True)]
        every = sorted([*self.states, *new], key=lambda state: (state.margin, len(state.moves)))
        self.states = every[: self.width]
        self._dry = not new

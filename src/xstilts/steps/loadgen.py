"""MLPerf's scenarios as loops over an injected clock: they know queries and nothing of models.

`xstilts.scenario` names the definitions. Checkpoints that are compared answer the same query one
after the other, in an order drawn anew each time, so that whatever else the machine does falls on
all of them alike. Examples are drawn with replacement, as MLPerf's generator draws them, language
after language so that each has as many; warm-up queries are drawn too and not counted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    Library = Mapping[str, Sequence[Any]]
    Told = Callable[[int, int, int], object]

WARM_UP = 16  # queries of each checkpoint and language, and no more than a tenth of all
CONFIRMATIONS = 5  # runs that a rate must pass, as in LoadGen's server search
HALVINGS = 6
STEP_BACK = 0.95  # of a rate that failed a confirmation
HOPELESS = 20  # times the bound: a run whose queue is so late has failed


class Answered(NamedTuple):
    """What one query took.

    Attributes:
        tokenise_s, forward_s, post_s: texts to token ids; ids to outputs; outputs to predictions.
        tokens: of all its sequences, special ones included.
        characters: of its texts.
        output_tokens: that were written, ends included; 0 where a head answers.
    """

    tokenise_s: float
    forward_s: float
    post_s: float
    tokens: int
    characters: int
    output_tokens: int = 0

    @property
    def seconds(self) -> float:
        """The latency."""
        return self.tokenise_s + self.forward_s + self.post_s


class Side(Protocol):
    """A checkpoint that answers."""

    def answer(self, rows: Sequence[Any]) -> Answered:
        """Answer some examples at once."""


@dataclass(frozen=True)
class Query:
    """One query and one checkpoint.

    Attributes:
        round: the same for all checkpoints that answered it.
        side: which of them.
        language: of its examples.
        examples: how many.
        answered: what it took.
    """

    round: int
    side: str
    language: str
    examples: int
    answered: Answered


def single_stream(
    sides: Mapping[str, Side],
    library: Library,
    *,
    queries: int,
    seconds: float,
    rng: np.random.Generator,
    clock: Callable[[], float],
    told: Told,
) -> Iterator[Query]:
    """One example a query, until there are enough queries and enough time has passed.

    Args:
        sides: name -> checkpoint.
        library: language -> its examples.
        queries: of each checkpoint, at least.
        seconds: at least.
        rng: draws examples and orders.
        clock: in seconds.
        told: how many rounds are done, of how many, and tokens.
    """
    codes = list(library)
    warm = min(WARM_UP * len(codes), -(-queries // 10))
    began, tokens, number = clock(), 0, -warm
    while number < queries or clock() - began < seconds:
        if number == 0:
            began = clock()
        language = codes[number % len(codes)]
        rows = library[language]
        row = rows[int(rng.integers(len(rows)))]
        for side in rng.permutation(list(sides)):
            answered = sides[side].answer([row])
            if number >= 0:
                tokens += answered.tokens
                yield Query(number, str(side), language, 1, answered)
        number += 1
        if number > 0:
            told(number, max(number, queries), tokens)


def offline(
    sides: Mapping[str, Side],
    library: Library,
    *,
    batch: int,
    queries: int,
    seconds: float,
    rng: np.random.Generator,
    clock: Callable[[], float],
    told: Told,
) -> Iterator[Query]:
    """Everything is there at the start: whole passes over it, in batches of similar length.

    Args:
        sides, library, rng, clock, told: as in `single_stream`.
        batch: examples at a time, all of one language.
        queries: examples of each checkpoint, at least.
        seconds: at least.
    """
    blocks = [
        (code, block) for code, rows in library.items() for block in _sorted_blocks(rows, batch)
    ]
    for side in sides.values():
        for _, block in blocks[:: max(1, len(blocks) // 4)]:
            side.answer(block)
    size = sum(len(block) for _, block in blocks)
    began, done, tokens, number = clock(), 0, 0, 0
    while done < queries or clock() - began < seconds:
        for place in rng.permutation(len(blocks)):
            code, block = blocks[int(place)]
            for side in rng.permutation(list(sides)):
                answered = sides[side].answer(block)
                tokens += answered.tokens
                yield Query(number, str(side), code, len(block), answered)
            number += 1
            done += len(block)
            told(done, max(size * -(-done // size), queries), tokens)


def _sorted_blocks(rows: Sequence[Any], batch: int) -> Iterator[list[Any]]:
    """All rows, the shortest first."""
    order = sorted(rows, key=lambda row: len(str(row)))
    for start in range(0, len(order), batch):
        yield order[start : start + batch]


def arrivals(
    rate: float, queries: int, seconds: float, rng: np.random.Generator
) -> NDArray[np.float64]:
    """When queries arrive, in seconds: a Poisson process, so gaps are exponential.

    Args:
        rate: queries a second.
        queries: at least so many.
        seconds: and at least so long.
        rng: draws the gaps.
    """
    found = np.cumsum(rng.exponential(1 / rate, max(queries, int(rate * seconds) + 1)))
    while found[-1] < seconds:
        more = np.cumsum(rng.exponential(1 / rate, len(found)))
        found = np.concatenate([found, found[-1] + more])
    return found[: max(queries, int(np.searchsorted(found, seconds)) + 1)]


def serve(
    side: Side,
    rows: Sequence[Any],
    times: NDArray[np.float64],
    *,
    batch: int,
    give_up_s: float,
    clock: Callable[[], float],
    sleep: Callable[[float], object],
) -> NDArray[np.float64]:
    """Answer queries as they arrive, whatever waits together; latencies from their arrival.

    Args:
        side: the checkpoint.
        rows: of each query.
        times: when it arrives, ``[n]``, ascending.
        batch: queries answered at once, at most.
        give_up_s: a run is over when a query has waited so long.
        clock, sleep: in seconds.

    Returns:
        ``[n]``, infinite for those that were given up.
    """
    found = np.full(len(times), np.inf)
    start, first = clock(), 0
    while first < len(times):
        now = clock() - start
        if now < times[first]:
            sleep(times[first] - now)
            now = times[first]
        if now - times[first] > give_up_s:
            break
        waiting = int(np.searchsorted(times, now, side="right"))
        last = min(waiting, first + batch)
        side.answer(rows[first:last])
        found[first:last] = clock() - start - times[first:last]
        first = last
    return found


def largest_rate(passes: Callable[[float], bool], guess: float) -> float:
    """The largest rate that passes, found by bisection and confirmed five times.

    LoadGen's search for the server scenario: a rate that fails a confirmation is lowered a little.

    Args:
        passes: one run at a rate.
        guess: somewhere near; nothing depends on it but how long it takes.

    Returns:
        0 where no rate down to a thousandth of the guess passes.
    """
    low, high = 0.0, guess
    while passes(high):
        low, high = high, 2 * high
    while not low:
        if high < guess / 1000:
            return 0.0
        if passes(high / 2):
            low = high / 2
        else:
            high /= 2
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if passes(middle) else (low, middle)
    while low >= guess / 1000:
        if all(passes(low) for _ in range(CONFIRMATIONS)):
            return low
        low *= STEP_BACK
    return 0.0

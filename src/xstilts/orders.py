"""``order(a, b, c) > xnli``: one line of text that stands for many paths, a sequence each.

    sequences := [stage ">"]* "order(" stage ("," stage)+ ")" ["[" how "]"] [">" stage]* ["|" ...]
    how       := a multiple of the number of stages  |  "williams"

Without ``[how]`` these are all orders. ``[6]`` is six of them, ``[williams]`` a Williams design. In
each of the three every stage stands equally often in every position; in all orders and in a
Williams design every stage also follows every other one equally often. An order takes as many
optimiser steps as its stages do apart, which is what ``a + b + c`` takes in one stage.
"""

from __future__ import annotations

import re
from itertools import permutations
from math import factorial
from typing import TYPE_CHECKING

import numpy as np

from xstilts.errors import UserError
from xstilts.identity import stream_seed
from xstilts.path import parse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xstilts.path import Path

_OPENS = re.compile(r"(?<![a-z0-9_])order\s*\(")
_HOW = re.compile(r"\s*\[\s*(\w*)\s*\]")
MOST_STAGES = 8  # 40,320 orders; more are a slip of the pen
WILLIAMS = "williams"


def paths(text: str) -> tuple[Path, ...]:
    """The paths that a text stands for: one, or all those of its ``order(...)``.

    Raises:
        UserError: where the text is no path; names the character, what stands there and what was
            expected.
    """
    opened = _OPENS.search(text)
    if opened is None:
        return (parse(text),)
    end = _closing(text, opened.end())
    stages = _stages(text, opened.end(), end)
    how = _HOW.match(text, end + 1)
    rest = end + 1 if how is None else how.end()
    if second := _OPENS.search(text, rest):
        raise _refused(text, second.start(), "a second order(", "one order(...) in a path")
    drawn = _drawn(text, end + 1, how[1] if how else None, stages)
    before, after = text[: opened.start()], text[rest:]
    one_by_one = (" > ".join(stages[place] for place in order) for order in drawn)
    return tuple(parse(f"{before}{middle}{after}") for middle in one_by_one)


def is_ordered(text: str) -> bool:
    """Whether a text has an ``order(...)`` in it."""
    return _OPENS.search(text) is not None


def circular(stages: int, orders: int, stream: str) -> tuple[tuple[int, ...], ...]:
    """Orders in which every stage stands equally often in every position.

    All n! orders fall into (n - 1)! circles, each of them read from its n beginnings: a cyclic
    Latin square. Whole circles are drawn, the one as it is written first, no circle twice.

    Args:
        stages: n.
        orders: how many, a multiple of n, at most n!.
        stream: names the random stream.
    """
    rng = np.random.default_rng(stream_seed("order", stream))
    drawn = {tuple(range(stages)): None}  # each circle as it is read from stage 0
    while len(drawn) * stages < orders:
        drawn[0, *(int(place) + 1 for place in rng.permutation(stages - 1))] = None
    return tuple(
        tuple(circle[(begin + place) % stages] for place in range(stages))
        for circle in drawn
        for begin in range(stages)
    )


def williams(stages: int) -> tuple[tuple[int, ...], ...]:
    """A Williams design: Latin, and every stage follows every other one equally often.

    The first row goes 0, 1, n-1, 2, n-2, ...; the others add 1 to it, modulo n. With an odd number
    of stages the rows read backwards are part of it, so that there are 2n (Williams 1949).
    """
    steps = range(1, stages)
    first = [0, *((step + 1) // 2 if step % 2 else stages - step // 2 for step in steps)]
    rows = [tuple((stage + add) % stages for stage in first) for add in range(stages)]
    return tuple(rows + [row[::-1] for row in rows] if stages % 2 else rows)


def _drawn(text: str, at: int, how: str | None, stages: Sequence[str]) -> Sequence[tuple[int, ...]]:
    """The orders of the stages that are asked for, as places among them."""
    count = len(stages)
    every = factorial(count)
    if how is None:
        if count > MOST_STAGES:
            expected = f"how many of the {every:,} orders, as in [{count}]"
            raise _refused(text, at, "nothing", expected)
        return tuple(permutations(range(count)))
    if how == WILLIAMS:
        return williams(count)
    if not (how.isascii() and how.isdigit() and int(how) and int(how) % count == 0):
        expected = f'a multiple of {count}, so that positions are balanced, or "{WILLIAMS}"'
        raise _refused(text, at, f'"[{how}]"', expected)
    if int(how) > every:
        raise _refused(text, at, f'"[{how}]"', f"at most {every:,}, which is all orders")
    return circular(count, int(how), ", ".join(stages))


def _closing(text: str, start: int) -> int:
    """Where the bracket closes that opened right before ``start``."""
    depth = 1
    for place in range(start, len(text)):
        depth += {"(": 1, ")": -1}.get(text[place], 0)
        if not depth:
            return place
    raise _refused(text, len(text), "the end", '")"')


def _stages(text: str, start: int, end: int) -> list[str]:
    """The stages between the brackets, each as canonical text."""
    found: list[str] = []
    for piece in text[start:end].split(","):
        try:
            path = parse(piece)
        except UserError as error:
            raise UserError(f"{error} (a stage of an order)") from None
        if len(path.stages) != 1 or path.evaluations:
            raise _refused(text, start, f'"{piece.strip()}"', 'one stage, "," between stages')
        if str(path) in found:
            raise _refused(text, start, f'"{path}" again', "each stage of an order once")
        found.append(str(path))
        start += len(piece) + 1
    if len(found) < 2:
        raise _refused(text, end, '")"', '"," and another stage: one alone has no order')
    return found


def _refused(text: str, at: int, found: str, expected: str) -> UserError:
    place = f'path "{" ".join(text.split())}", character {at + 1}'
    return UserError(f"{place}: found {found}, expected {expected}")

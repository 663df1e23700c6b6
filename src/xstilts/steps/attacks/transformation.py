"""What an attack may do to an example: one slip of a finger at one place, in the script's terms.

The places and what may stand there instead are those of the perturbations, so that an attack does
nothing that random noise could not. Their order is drawn from the text alone: two models are
offered the same edits in the same order.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from xstilts import languages, perturb
from xstilts.formats.examples import Choice, Pair, texts
from xstilts.identity import stream_seed
from xstilts.perturb.clusters import words
from xstilts.perturb.edits import Edit, apply
from xstilts.perturb.validity import validity

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from xstilts.formats.examples import Example
    from xstilts.perturb.clusters import Range
    from xstilts.tasks.base import Task

SLIPS = ("keyboard", "swap", "drop", "insert", "repeat")


@dataclass(frozen=True)
class Move:
    """One edit of one text of an example.

    Attributes:
        field: which of its texts, in the order of ``formats.examples.texts``.
        edit: in code points of the text as it was.
        guard: the word it is in, which no other edit may touch; where nothing parts words, the
            place itself.
    """

    field: int
    edit: Edit
    guard: Range


def slips(task: Task, language: str) -> tuple[str, ...]:
    """The slips that leave the task's labels as they are in the language; none: no attack."""
    verdicts = ((name, validity(name, task, language).verdict) for name in SLIPS)
    return tuple(name for name, verdict in verdicts if verdict == "preserving")


def with_texts(one: Example, new: Sequence[str]) -> Example:
    """The example with other texts; id, group and label stay."""
    match one:
        case Pair():
            return replace(one, text_a=new[0], text_b=new[1] if len(new) > 1 else None)
        case Choice():
            return replace(one, prompt=new[0], choices=tuple(new[1:]))
        case _:
            raise AssertionError("attacks are for classification and multiple choice")


def edited(one: Example, moves: Iterable[Move]) -> Example:
    """The example after some moves that do not clash."""
    new = list(texts(one))
    made = sorted(moves, key=lambda move: move.edit.start)
    for field, text in enumerate(new):
        new[field] = apply(text, [move.edit for move in made if move.field == field])
    return with_texts(one, new)


def offered(one: Example, names: Sequence[str], language: str, seed: int) -> list[Move]:
    """Every move on an example, one a place and perturbation, in an order drawn from its texts.

    Args:
        one: the example as it is.
        names: of perturbations of letters.
        language: of its texts.
        seed: of every draw.
    """
    found = [
        move
        for field, text in enumerate(texts(one))
        for name in names
        for move in _of_text(field, text, name, language, seed)
    ]
    stream = np.random.default_rng(stream_seed("attack", seed, *texts(one)))
    return [found[place] for place in stream.permutation(len(found))]


def _of_text(field: int, text: str, name: str, language: str, seed: int) -> Iterator[Move]:
    perturbation = perturb.get(name)
    sites = perturbation.sites(text, language)
    stream = np.random.default_rng(stream_seed("attack", name, seed, text))
    spaced = languages.get(language).spaced
    known = words(text) if spaced else []
    for site, drawn in zip(sites, stream.random(len(sites)), strict=True):
        options = perturbation.options(text, site, language)
        guard = next((w for w in known if w[0] <= site[0] and site[1] <= w[1]), site)
        yield Move(field, Edit(*site, options[int(drawn * len(options))]), guard)

"""What there is in the world, the same in every language: ``concepts.csv``, one row a concept."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files


@dataclass(frozen=True, slots=True)
class Concept:
    """One concept.

    Attributes:
        name: the id that every lexicon uses.
        kind: person, name, animal, class, object, place, city, organisation, intransitive,
            transitive, state, action, attribute, time, numeral or function.
        is_a: male or female of persons and names; the class of an object; of a city, the person
            of the same name.
        opposite: of attributes.
        takes: kinds or names of what an intransitive verb takes as its agent, a transitive one as
            its patient; of a state, the action that it leads to.
        number: its place within its kind, from 0, people by gender; pools are made of it.
    """

    name: str
    kind: str
    is_a: str
    opposite: str
    takes: tuple[str, ...]
    number: int


@cache
def table() -> dict[str, Concept]:
    """All concepts by name. ``person`` and ``animal`` are the classes of their kinds."""
    text = files("xstilts.microworld").joinpath("concepts.csv").read_text(encoding="utf-8")
    counts: dict[str, int] = {}
    found = {}
    for row in csv.DictReader(text.splitlines()):
        counted_with = row["is_a"] if row["kind"] in ("person", "name") else row["kind"]
        number = counts.get(counted_with, 0)
        counts[counted_with] = number + 1
        found[row["concept"]] = Concept(
            row["concept"],
            row["kind"],
            row["is_a"],
            row["opposite"],
            tuple(row["takes"].split()),
            number,
        )
    return found


def get(name: str) -> Concept:
    """The concept of that name."""
    return table()[name]


@cache
def of(*kinds: str) -> tuple[str, ...]:
    """The names of all concepts of these kinds, in their order."""
    return tuple(one.name for one in table().values() if one.kind in kinds)


def gender(name: str) -> str:
    """Male or female, of a person; male where the world says nothing."""
    return get(name).is_a if get(name).kind in ("person", "name") else "male"


def class_of(name: str) -> str:
    """What the concept is an instance of: person, animal, fruit, or "" for nothing with a word."""
    concept = get(name)
    if concept.kind in ("person", "name"):
        return "person"
    return "animal" if concept.kind == "animal" else concept.is_a * (concept.kind == "object")

"""Meanings, which all languages share: things and events.

Everything happened in the past. Who acts is known ("the dog"), an inanimate thing that is acted
upon is new ("a book"), counted things are always new.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from xstilts.microworld import concepts

Role: TypeAlias = Literal["agent", "patient", "place", "time"]
Pool: TypeAlias = Literal["text", "train", "test", "select"]

POOLS: tuple[Pool, ...] = ("text", "train", "test", "select")
ANIMATE = ("person", "name", "animal")


@dataclass(frozen=True, slots=True)
class Thing:
    """A participant.

    Attributes:
        concept: a person, name, animal, object or class.
        attribute: its attribute, or "".
        number: 1, or 3 to 10.
    """

    concept: str
    attribute: str = ""
    number: int = 1

    @property
    def animate(self) -> bool:
        """Whether it is a person or an animal."""
        return concepts.get(self.concept).kind in ANIMATE or self.concept in ("person", "animal")


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened, or did not.

    Attributes:
        predicate: a verb, a state or an action.
        agent: who.
        patient: whom or what, of transitive verbs.
        place: a place, city or organisation, or "".
        time: a time, or "".
        negated: whether it did not happen.
    """

    predicate: str
    agent: Thing
    patient: Thing | None = None
    place: str = ""
    time: str = ""
    negated: bool = False

    @property
    def bare(self) -> Event:
        """The event without attributes, number, place and time."""
        patient = Thing(self.patient.concept) if self.patient else None
        return Event(self.predicate, Thing(self.agent.concept), patient, negated=self.negated)


def pool(event: Event) -> Pool:
    """The only part of the data that may speak of such an event.

    A pure function of (predicate, agent, patient): a combination that stands in a test row, in
    whatever template, is in no training row of any task and in no raw text. It adds up the
    concepts' numbers, so that events whose parts change places stay in one pool. Of states and the
    actions that follow from them, the pool is that of who is in them: all eight states of a person
    are in one pool, and other persons' are in the others.
    """
    parts = [event.agent.concept, event.patient.concept if event.patient else ""]
    if concepts.get(event.predicate).kind not in ("state", "action"):
        parts.append(event.predicate)
    return POOLS[sum(concepts.get(part).number for part in parts if part) % len(POOLS)]

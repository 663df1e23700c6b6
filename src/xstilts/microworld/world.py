"""Drawing from the world: who does what where, within one pool.

What is drawn depends on the seed alone, never on a language, so that a row says the same in all of
them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from xstilts.microworld import concepts
from xstilts.microworld.meaning import POOLS, Event, Thing, pool

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

    from xstilts.microworld.meaning import Pool

PEOPLE = ("person", "name")
ANIMALS_DO = ("see", "find", "push", "wake")  # of the transitive verbs
VERBS = ("intransitive", "transitive")


class World:
    """The part of the world that one pool may speak of.

    Attributes:
        pool: of every event that is drawn.
        random: where draws come from.
    """

    def __init__(self, pool: Pool, random: Random) -> None:
        self.pool, self.random = pool, random

    def has(self, event: Event) -> bool:
        """Whether the event is in this pool."""
        return pool(event) == self.pool

    def event(
        self,
        frames: Sequence[str] = VERBS,
        agents: Sequence[str] = ("person", "name", "animal"),
        patients: Sequence[str] = ("person", "name", "animal", "object"),
    ) -> Event:
        """A bare event of this pool.

        Args:
            frames: kinds of the predicate.
            agents: kinds of who may act.
            patients: kinds of whom or what it may be done to.
        """
        while True:
            predicate = self.random.choice(concepts.of(self.random.choice(frames)))
            agent = self.random.choice(concepts.of(self.random.choice(agents)))
            taken = _taken(predicate, patients)
            if not can(agent, predicate) or taken == ():
                continue
            patient = self.random.choice(taken) if taken else None
            event = Event(predicate, Thing(agent), Thing(patient) if patient else None)
            if patient != agent and self.has(event):
                return event

    def dressed(self, event: Event) -> Event:
        """The event with attributes, numbers, a place and a time, each or not."""
        event = self.somewhere(event) if self.chance(0.7) else event
        event = replace(event, time=self.time()) if self.chance(0.6) else event
        agent, patient = self._dressed(event.agent), event.patient
        return replace(event, agent=agent, patient=self._dressed(patient) if patient else None)

    def somewhere(self, event: Event) -> Event:
        """The event with a place; only people are at organisations."""
        human = concepts.get(event.agent.concept).kind in PEOPLE
        kinds = ("place", "city", "organisation") if human else ("place", "city")
        place = self.random.choice(concepts.of(self.random.choice(kinds)))
        return replace(event, place=place)

    def time(self) -> str:
        """A time."""
        return self.random.choice(concepts.of("time"))

    def attribute(self) -> str:
        """An attribute."""
        return self.random.choice(concepts.of("attribute"))

    def number(self) -> int:
        """A number from 3 to 10."""
        return int(self.random.choice(concepts.of("numeral")))

    def chance(self, share: float) -> bool:
        """True in this share of the draws."""
        return self.random.random() < share

    def shuffled(self, things: Sequence[str]) -> list[str]:
        """The things in a random order."""
        return self.random.sample(things, len(things))

    def alike(self, count: int, kinds: Sequence[str] = PEOPLE, like: str = "") -> list[str]:
        """People of one gender who may change places in any event without leaving its pool.

        Args:
            count: how many, up to three.
            kinds: person, name.
            like: one of them, who comes first; "": anyone.
        """
        everyone = concepts.of(*kinds)
        while True:
            first = like or self.random.choice(everyone)
            others = [one for one in everyone if one != first and _exchangeable(one, first)]
            if len(others) >= count - 1:
                return [first, *self.random.sample(others, count - 1)]

    def inhabitants(self, count: int, *, one_gender: bool = True) -> list[str]:
        """People whose states are in this pool."""
        everyone = [one for one in concepts.of(*PEOPLE) if self.has(Event("be_hungry", Thing(one)))]
        genders = {"male", "female"}
        if one_gender:
            genders = {self.random.choice(("male", "female"))}
        found = [one for one in everyone if concepts.gender(one) in genders]
        if len(found) < count:
            found = [one for one in everyone if concepts.gender(one) == "male"]
        return self.random.sample(found, count)

    def _dressed(self, thing: Thing) -> Thing:
        kind = concepts.get(thing.concept).kind
        if kind in PEOPLE:
            return thing
        number = self.number() if self.chance(0.25) else 1
        return replace(thing, attribute=self.attribute() if self.chance(0.4) else "", number=number)


def can(agent: str, predicate: str) -> bool:
    """Whether one of this kind does such things."""
    kind, does = concepts.get(agent).kind, concepts.get(predicate)
    if kind in PEOPLE:
        return True
    return "animal" in does.takes if does.kind == "intransitive" else predicate in ANIMALS_DO


def _taken(predicate: str, patients: Sequence[str]) -> tuple[str, ...] | None:
    """What the predicate may be done to; None if it is done to nothing."""
    concept = concepts.get(predicate)
    if concept.kind != "transitive":
        return None
    found: list[str] = []
    for taken in concept.takes:
        kinds = PEOPLE if taken == "person" else (taken,)
        if taken in ("person", "animal", "object"):
            found += concepts.of(*(kind for kind in kinds if kind in patients))
        elif "object" in patients:
            found.append(taken)
    return tuple(found)


def _exchangeable(one: str, other: str) -> bool:
    apart = concepts.get(one).number - concepts.get(other).number
    return apart % len(POOLS) == 0 and concepts.gender(one) == concepts.gender(other)

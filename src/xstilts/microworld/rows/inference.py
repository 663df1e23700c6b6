"""Natural language inference: entailment, contradiction and neutral, three rows an item.

Premise and hypothesis speak of the same occasion: another number, the opposite attribute or a
negation contradicts; what is only left out is entailed; what is only added is neutral.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from xstilts.microworld import concepts
from xstilts.microworld.meaning import Event, Thing
from xstilts.microworld.realise import say
from xstilts.microworld.words import text
from xstilts.microworld.world import PEOPLE, can

if TYPE_CHECKING:
    from collections.abc import Callable

    from xstilts.microworld.world import World

LABELS = ("entailment", "contradiction", "neutral")


def rows(world: World, number: int, language: str) -> list[dict[str, Any]]:
    """Three rows: every other item is crossed."""
    kind, pairs = ("crossed", _crossed(world)) if number % 2 else ("plain", _plain(world))
    return [
        {
            "id": f"{kind}-{number}-{place}",
            "group": f"{kind}-{number}",
            "text_a": text(say(language, *premise), language),
            "text_b": text(say(language, hypothesis), language),
            "label": label,
        }
        for place, (premise, hypothesis, label) in enumerate(pairs)
    ]


Pairs = list[tuple[list[Event], Event, str]]


def _crossed(world: World) -> Pairs:
    """Of three people one did it, one did not, and one did something else; did this one?

    Who is who changes with the label and nothing else does: the three premises have the same words
    in the same sentence frames, and the hypothesis is the same.
    """
    did = world.event(agents=PEOPLE)
    people = world.alike(3, like=did.agent.concept)
    while True:
        other = world.event(agents=PEOPLE)
        if other.predicate != did.predicate and not _involves(other, people):
            break
    other = replace(other, agent=did.agent)
    if not world.has(other) or _involves(did, people[1:]):
        return _crossed(world)
    place = world.somewhere(did).place
    frames = [
        replace(did, place=place),
        replace(did, negated=True),
        replace(other, negated=world.chance(0.5)),
    ]
    order = world.random.sample(range(3), 3)
    hypothesis = replace(did, negated=world.chance(0.5))
    agents = {label: _agents(people, label, hypothesis.negated) for label in LABELS}
    found = []
    for label in world.shuffled(LABELS):
        premise = [replace(frames[i], agent=Thing(agents[label][i])) for i in order]
        found.append((premise, hypothesis, label))
    return found


def _agents(people: list[str], label: str, negated: bool) -> list[str]:
    """Who did it, who did not, who did something else; the hypothesis is about the first."""
    first, second, third = people
    if label == "neutral":
        return [second, third, first]
    return [first, second, third] if (label == "entailment") != negated else [second, first, third]


def _involves(event: Event, people: list[str]) -> bool:
    return event.patient is not None and event.patient.concept in people


def _plain(world: World) -> Pairs:
    premise = world.dressed(world.event())
    while not (premise.place or premise.time):
        premise = world.dressed(premise)
    changes: dict[str, list[Callable[[World, Event], Event | None]]] = {
        "entailment": [_shorter, _broader],
        "contradiction": [_denied, _opposite, _miscounted],
        "neutral": [_longer, _another],
    }
    found = []
    for label in world.shuffled(LABELS):
        hypothesis = None
        while hypothesis is None:
            hypothesis = world.random.choice(changes[label])(world, premise)
        found.append(([premise], hypothesis, label))
    return found


def _shorter(world: World, event: Event) -> Event:
    """Without some of what is said of its place, its time and its attributes."""
    there = [part for part in ("place", "time") if getattr(event, part)]
    there += [role for role in ("agent", "patient") if _attribute(event, role)]
    for part in world.random.sample(there, world.random.randint(1, len(there))):
        kept = "" if part in ("place", "time") else replace(getattr(event, part), attribute="")
        event = replace(event, **{part: kept})  # type: ignore[arg-type]
    return event


def _attribute(event: Event, role: str) -> str:
    thing: Thing | None = getattr(event, role)
    return thing.attribute if thing else ""


def _broader(world: World, event: Event) -> Event | None:
    """With a class for the agent or the patient: "the animal" for "the dog"."""
    role = world.random.choice(("agent", "patient"))
    thing: Thing | None = getattr(event, role)
    if thing is None or not (wider := concepts.class_of(thing.concept)):
        return None
    found = replace(_shorter(world, event), **{role: replace(thing, concept=wider)})  # type: ignore[arg-type]
    return found if world.has(found) else None


def _denied(world: World, event: Event) -> Event | None:
    """Not so. What is counted is denied by another number instead."""
    if event.agent.number > 1 or (event.patient and event.patient.number > 1):
        return None
    return replace(_shorter(world, event) if world.chance(0.5) else event, negated=True)


def _opposite(world: World, event: Event) -> Event | None:
    for role in ("agent", "patient"):
        thing: Thing | None = getattr(event, role)
        if thing and thing.attribute:
            opposite = replace(thing, attribute=concepts.get(thing.attribute).opposite)
            return replace(_shorter(world, event), **{role: opposite})  # type: ignore[arg-type]
    return None


def _miscounted(world: World, event: Event) -> Event | None:
    for role in ("agent", "patient"):
        thing: Thing | None = getattr(event, role)
        if thing and thing.number > 1:
            number = world.number()
            while number == thing.number:
                number = world.number()
            other = replace(thing, number=number)
            return replace(_shorter(world, event), **{role: other})  # type: ignore[arg-type]
    return None


def _longer(world: World, event: Event) -> Event | None:
    """With an attribute, a place or a time that the premise says nothing of."""
    if event.patient and not event.patient.attribute and not event.patient.animate:
        patient = replace(event.patient, attribute=world.attribute())
        return replace(_shorter(world, event), patient=patient)
    if not event.place:
        return world.somewhere(event)
    return None if event.time else replace(event, time=world.time())


def _another(world: World, event: Event) -> Event:
    """Done by another one, of whom the premise says nothing."""
    while True:
        other = world.random.choice(concepts.of(*PEOPLE, "animal"))
        found = replace(event, agent=Thing(other))
        known = {event.agent.concept, event.patient.concept if event.patient else ""}
        if other not in known and can(other, event.predicate) and world.has(found):
            return _shorter(world, found)

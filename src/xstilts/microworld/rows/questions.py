"""Questions about a paragraph; the answer is a span of it, or is not in it.

Crossed questions cannot be answered by finding words: of three people each did the same to the
next, or of two people each did what the question asks of the other.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from xstilts import languages
from xstilts.microworld.meaning import Event, Thing
from xstilts.microworld.realise import ask, say
from xstilts.microworld.words import spanned, text
from xstilts.microworld.world import PEOPLE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xstilts.microworld.meaning import Role
    from xstilts.microworld.world import World

Row = dict[str, Any]


def answers(world: World, number: int, language: str) -> list[Row]:
    """Two questions about a paragraph, both with an answer; every other paragraph is crossed."""
    events, asked = _ring(world) if number % 2 else _told(world)
    return [
        _row(language, number, place, events, events[which], role, answer=events[which])
        for place, (which, role) in enumerate(asked)
    ]


def answers_or_none(world: World, number: int, language: str) -> list[Row]:
    """Two questions about a paragraph, one of them with no answer; every other is crossed."""
    if number % 2:
        events, one, absent = _exchanged(world)
        role: Role = "patient"
    else:
        events, asked = _told(world)
        which, role = asked[0]
        one = events[which]
        absent = _absent(world, events, one)
    pairs = [(one, one), (absent, None)]
    if world.chance(0.5):
        pairs.reverse()
    return [
        _row(language, number, place, events, event, role, answer=answer)
        for place, (event, answer) in enumerate(pairs)
    ]


def _absent(world: World, events: Sequence[Event], like: Event) -> Event:
    """An event of the same frame by someone else, of which the paragraph says nothing."""
    frame = "transitive" if like.patient else "intransitive"
    while True:
        absent = world.event([frame], PEOPLE, (*PEOPLE, "object"))
        if not any(_same(absent, event) for event in events):
            return absent


def _told(world: World) -> tuple[list[Event], list[tuple[int, Role]]]:
    """Four events by different people doing different things, and two questions."""
    events: list[Event] = []
    while len(events) < 4:
        event = world.event(agents=PEOPLE, patients=(*PEOPLE, "object"))
        if not any(_same(event, other) for other in events):
            events.append(replace(world.somewhere(event), time=world.time()))
    asked: list[tuple[int, Role]] = []
    for which in world.random.sample(range(4), 2):
        roles: list[Role] = ["agent", "place", "time"]
        roles += ["patient"] if events[which].patient else []
        asked.append((which, world.random.choice(roles)))
    return events, asked


def _ring(world: World) -> tuple[list[Event], list[tuple[int, Role]]]:
    """A did it to B, B to C and C to A; who did it to B, and to whom did B do it?"""
    while True:
        event = world.event(["transitive"], PEOPLE, PEOPLE)
        people = world.alike(3)
        event = replace(event, agent=Thing(people[0]), patient=Thing(people[1]))
        if world.has(event):
            break
    ring = [
        replace(event, agent=Thing(one), patient=Thing(other))
        for one, other in zip(people, [*people[1:], people[0]], strict=True)
    ]
    ring = [world.somewhere(one) for one in world.random.sample(ring, 3)]
    one, other = world.random.sample(range(3), 2)
    return ring, [(one, "agent"), (other, "patient")]


def _exchanged(world: World) -> tuple[list[Event], Event, Event]:
    """Two events; one to ask about, and it with the other's agent, of which nothing is said."""
    while True:
        first = world.event(["transitive"], PEOPLE, ["object"])
        second = world.event(["transitive"], PEOPLE, ["object"])
        other = world.alike(2, like=first.agent.concept)[1]
        second = replace(second, agent=Thing(other))
        if first.predicate != second.predicate and world.has(second):
            break
    told = [world.somewhere(first), world.somewhere(second)]
    return world.random.sample(told, 2), first, replace(first, agent=Thing(other))


def _same(event: Event, other: Event) -> bool:
    """Whether a question about one might be about the other."""
    return event.predicate == other.predicate or event.agent.concept == other.agent.concept


def _row(
    language: str,
    number: int,
    place: int,
    events: Sequence[Event],
    event: Event,
    role: Role,
    *,
    answer: Event | None,
) -> Row:
    context = ""
    found: dict[str, list[Any]] = {"text": [], "answer_start": []}
    for one in events:
        sentence, start, end = spanned(say(language, one), language, role)
        context += " " if context and languages.get(language).spaced else ""
        if answer is not None and one.bare == answer.bare:
            found = {"text": [sentence[start:end]], "answer_start": [len(context) + start]}
        context += sentence
    kind = "crossed" if number % 2 else "plain"
    return {
        "id": f"{kind}-{number}-{place}",
        "group": f"{kind}-{number}",
        "context": context,
        "question": text(ask(language, event.bare, role), language),
        "answers": found,
    }

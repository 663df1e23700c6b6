"""Two choices about things: what somebody did with what they had come by, or how they came by it.

One sells the car that one chose, not another. In crossed items somebody else came by the other
thing, so that both choices have their words in the prompt and only who is who tells the right one.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from xstilts.microworld import concepts
from xstilts.microworld.meaning import Event, Thing
from xstilts.microworld.realise import say, why
from xstilts.microworld.words import paragraph, text
from xstilts.microworld.world import PEOPLE

if TYPE_CHECKING:
    from xstilts.microworld.world import World

GAINED = ("find", "buy", "take", "choose")
USED = ("sell", "hide", "wash", "break", "send")


def rows(world: World, number: int, language: str) -> list[dict[str, Any]]:
    """An effect or a cause, of two (as in COPA); both kinds are crossed every other time."""
    crossed, asks_why = bool(number % 2), number % 4 >= 2
    told, right, wrong, other = _drawn(world, asks_why=asks_why)
    events = [told]
    if crossed:
        events.insert(world.random.randrange(2), replace(other, agent=_another(world, other)))
    prompt = text(say(language, *events), language)
    if asks_why:
        prompt = paragraph([prompt, text(why(language), language)], language)
    choices = [text(say(language, event), language) for event in (right, wrong)]
    label = world.random.randrange(2)
    return [
        {
            "id": f"{'crossed' if crossed else 'plain'}-{number}",
            "prompt": prompt,
            "choices": choices[::-1] if label else choices,
            "label": label,
        }
    ]


def _drawn(world: World, *, asks_why: bool) -> tuple[Event, Event, Event, Event]:
    """What is told, what goes with it, what does not, and what the latter would go with."""
    draw = world.random.choice
    while True:
        someone = Thing(draw(concepts.of(*PEOPLE)))
        told, answer = (draw(USED), draw(GAINED)) if asks_why else (draw(GAINED), draw(USED))
        thing, other = (Thing(one) for one in world.random.sample(concepts.of("object"), 2))
        events = [
            Event(predicate, someone, patient)
            for patient in (thing, other)
            for predicate in (told, answer)
        ]
        if all(_possible(event) and world.has(event) for event in events):
            first, right, second, wrong = events
            return first, right, wrong, second


def _possible(event: Event) -> bool:
    takes = concepts.get(event.predicate).takes
    return event.patient is not None and ("object" in takes or event.patient.concept in takes)


def _another(world: World, event: Event) -> Thing:
    """Somebody else who may do the same without leaving the pool."""
    _, other = world.alike(2, like=event.agent.concept)
    return Thing(other)

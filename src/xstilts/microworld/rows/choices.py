"""Multiple choice about states and what people do because of them.

Crossed items tell of as many people as there are choices, each in another state, so that every
choice has its word in the prompt and only who is who tells the right one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xstilts.microworld import concepts
from xstilts.microworld.meaning import Event, Thing
from xstilts.microworld.realise import ask, say, why
from xstilts.microworld.words import paragraph, spanned, text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xstilts.microworld.world import World

Row = dict[str, Any]


def effect(world: World, number: int, language: str, count: int = 4) -> list[Row]:
    """What happens next: people's states, then four actions of one of them."""
    people, states = _cast(world, count)
    told = [Event(state, person) for person, state in zip(people, states, strict=True)]
    right, order, shown = _drawn(world, number, count)
    prompt = say(language, *_told(told, right, shown))
    actions = [Event(_action(states[i]), people[right]) for i in order]
    return [_row(number, text(prompt, language), _said(language, actions), order.index(right))]


def cause(world: World, number: int, language: str) -> list[Row]:
    """Why it was: people's actions, then four states of one of them."""
    people, states = _cast(world, 4)
    told = [Event(_action(state), person) for person, state in zip(people, states, strict=True)]
    right, order, shown = _drawn(world, number, 4)
    prompt = text(say(language, *_told(told, right, shown)), language)
    prompt = paragraph([prompt, text(why(language), language)], language)
    reasons = [Event(states[i], people[right]) for i in order]
    return [_row(number, prompt, _said(language, reasons), order.index(right))]


def person(world: World, number: int, language: str) -> list[Row]:
    """Who did it: five people's states, then their names."""
    people, states = _cast(world, 5, one_gender=False)
    told = [Event(state, one) for one, state in zip(people, states, strict=True)]
    right, order, _ = _drawn(world, number, 5)
    if not number % 2:  # one who was in a state at all
        told = told[right : right + 1]
    question = text(ask(language, Event(_action(states[right]), people[right]), "agent"), language)
    prompt = paragraph([text(say(language, *told), language), question], language)
    names = [_named(language, people[i]) for i in order]
    return [_row(number, prompt, names, order.index(right))]


def _cast(world: World, count: int, *, one_gender: bool = True) -> tuple[list[Thing], list[str]]:
    people = [Thing(one) for one in world.inhabitants(count, one_gender=one_gender)]
    return people, world.random.sample(concepts.of("state"), count)


def _drawn(world: World, number: int, count: int) -> tuple[int, list[int], bool]:
    """The right one, the order of the choices, whether all are told of (crossed)."""
    order = world.random.sample(range(count), count)
    return world.random.randrange(count), order, bool(number % 2)


def _told(events: Sequence[Event], right: int, everyone: bool) -> Sequence[Event]:
    return events if everyone else events[right : right + 1]


def _action(state: str) -> str:
    return concepts.get(state).takes[0]


def _said(language: str, events: Sequence[Event]) -> list[str]:
    return [text(say(language, event), language) for event in events]


def _named(language: str, one: Thing) -> str:
    sentence, start, end = spanned(say(language, Event("be_hungry", one)), language, "agent")
    return sentence[start:end]


def _row(number: int, prompt: str, choices: list[str], label: int) -> Row:
    kind = "crossed" if number % 2 else "plain"
    return {"id": f"{kind}-{number}", "prompt": prompt, "choices": choices, "label": label}

"""Sentences by themselves: raw text, and pairs with English."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xstilts.microworld import concepts
from xstilts.microworld.meaning import Event, Thing
from xstilts.microworld.realise import say
from xstilts.microworld.words import paragraph
from xstilts.microworld.words import text as written

if TYPE_CHECKING:
    from xstilts.microworld.world import World


def bitext(world: World, number: int, language: str) -> list[dict[str, Any]]:
    """One sentence and its English translation."""
    event, fronted = world.dressed(world.event()), world.chance(0.3)
    sentence, english = (
        written(say(code, event, fronted=fronted), code) for code in (language, "en")
    )
    return [{"id": str(number), "group": english, "text": sentence, "english": english}]


def text(world: World, number: int, language: str) -> list[dict[str, Any]]:
    """A line: a sentence of one clause or two, or some people's states and what came of them."""
    if number % 3 == 0:
        people = world.inhabitants(world.random.randint(2, 4))
        states = world.random.sample(concepts.of("state"), len(people))
        came = [concepts.get(state).takes[0] for state in states]
        sentences = [
            [Event(name, Thing(one)) for name, one in zip(names, people, strict=True)]
            for names in (states, came)
        ]
        line = paragraph([written(say(language, *told), language) for told in sentences], language)
    else:
        clauses = [world.dressed(world.event()) for _ in range(number % 3)]
        line = written(say(language, *clauses, fronted=world.chance(0.3)), language)
    return [{"id": str(number), "text": line}]

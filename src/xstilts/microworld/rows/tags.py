"""Tagging: parts of speech, named entities, and supertags of English."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from xstilts.microworld.meaning import Event, Thing
from xstilts.microworld.realise import ask, say
from xstilts.microworld.rows import categories
from xstilts.microworld.world import PEOPLE

if TYPE_CHECKING:
    from xstilts.microworld.meaning import Role
    from xstilts.microworld.words import Word
    from xstilts.microworld.world import World

Row = dict[str, Any]
AMBIGUOUS = ("Sofia", "Victoria", "Santiago")  # people and cities


def parts_of_speech(world: World, number: int, language: str) -> list[Row]:
    """One sentence or, every fourth time, question."""
    if number % 4 == 3:
        event = world.dressed(world.event(agents=PEOPLE, patients=(*PEOPLE, "object")))
        words = ask(language, event, _role(world, event))
    else:
        event = world.dressed(world.event())
        words = say(language, event, fronted=world.chance(0.3))
    return [_row("plain", number, words, [word.tag for word in words])]


def entities(world: World, number: int, language: str) -> list[Row]:
    """One sentence. Every third is crossed: a person and a city that have each other's names."""
    if number % 3 == 2:
        kind, event = "crossed", _namesakes(world)
    else:
        kind, event = "plain", world.somewhere(world.dressed(world.event()))
    words = say(language, event, fronted=world.chance(0.3))
    return [_row(kind, number, words, [word.entity for word in words])]


def supertags(world: World, number: int, language: str) -> list[Row]:
    """One English sentence with the number of a category for each word (see ``categories``)."""
    event, fronted = world.dressed(world.event()), world.chance(0.4)
    words = say(language, event, fronted=fronted)
    tags = categories.of(words, transitive=event.patient is not None)
    numbers = [str(categories.CATEGORIES.index(tag)) for tag in tags]
    return [_row("plain", number, words, numbers)]


def _namesakes(world: World) -> Event:
    one, other = world.random.sample(AMBIGUOUS, 2)
    while True:
        event = world.event(agents=["name"], patients=["object", "animal"])
        event = replace(event, agent=Thing(one), place=f"{other}_city")
        if world.has(event):
            return replace(event, time=world.time()) if world.chance(0.5) else event


def _role(world: World, event: Event) -> Role:
    roles: list[Role] = ["agent"]
    roles += ["patient"] if event.patient else []
    roles += ["place"] if event.place else []
    roles += ["time"] if event.time else []
    return world.random.choice(roles)


def _row(kind: str, number: int, words: list[Word], tags: list[str]) -> Row:
    return {"id": f"{kind}-{number}", "words": [word.text for word in words], "tags": tags}

"""The twenty meanings whose sentences were written by hand in every language."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xstilts.microworld.meaning import Event, Thing
from xstilts.microworld.realise import ask, say

if TYPE_CHECKING:
    from collections.abc import Callable

    from xstilts.microworld.words import Word


def event(predicate: str, agent: str | Thing, patient: str | Thing = "", **rest) -> Event:
    """An event; a plain name is a thing without number and attribute."""
    doer = Thing(agent) if isinstance(agent, str) else agent
    undergoer = Thing(patient) if patient and isinstance(patient, str) else patient or None
    return Event(predicate, doer, undergoer, **rest)


def told(*events: Event, fronted: bool = False) -> Callable[[str], list[Word]]:
    return lambda language: say(language, *events, fronted=fronted)


def asked(one: Event, role: str) -> Callable[[str], list[Word]]:
    return lambda language: ask(language, one, role)


SENTENCES: list[Callable[[str], list[Word]]] = [
    told(event("see", "teacher", "dog", place="garden")),
    told(event("buy", "Anna", Thing("book", "red"), place="market", time="yesterday")),
    told(event("sell", "Omar", Thing("chair", "new", 3), time="last_week"), fronted=True),
    told(event("help", "Maria", "Ivan", negated=True)),
    told(event("sleep", Thing("dog", "big"), place="kitchen")),
    told(event("play", Thing("cat", "white", 5), place="street")),
    told(event("thank", "woman", "doctor", place="hospital")),
    told(event("buy", "king", "car", negated=True)),
    told(event("work", "Yuki", place="Toyota", time="on_monday")),
    told(event("dance", "Ali", place="New_York", time="last_year"), fronted=True),
    told(event("find", "boy", Thing("key", "old", 4), place="forest")),
    told(event("see", "Juma", Thing("elephant", "", 3), place="Nairobi", time="this_morning")),
    asked(event("buy", "Anna", "lamp", place="Berlin"), "agent"),
    asked(event("lose", "Olga", "book", place="Cairo"), "patient"),
    asked(event("wake", "queen", "Anna"), "patient"),
    asked(event("choose", "Ravi", "shirt", place="market"), "place"),
    asked(event("wash", "student", "cup", time="yesterday"), "time"),
    told(event("be_hungry", "Anna"), event("be_tired", "Omar"), event("be_thirsty", "Ivan")),
    told(event("eat_bread", "girl")),
    told(event("laugh", "Priya"), event("sing", "soldier", negated=True)),
]

"""Paraphrase or not: the same words, with people in each other's places.

Every row is crossed. A sentence has one paraphrase and one that says something else, and the two
have the same words and word order frames.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from xstilts.microworld.meaning import Event, Thing
from xstilts.microworld.realise import say
from xstilts.microworld.words import text

if TYPE_CHECKING:
    from xstilts.microworld.world import World


def rows(world: World, number: int, language: str) -> list[dict[str, Any]]:
    """Two rows."""
    draw = _two_clauses if number % 2 else _one_clause
    sentence, same, different, fronted = draw(world)
    pairs = [(same, "1"), (different, "0")]
    if world.chance(0.5):
        pairs.reverse()
    return [
        {
            "id": f"crossed-{number}-{place}",
            "text_a": text(say(language, *sentence), language),
            "text_b": text(say(language, *other, fronted=fronted), language),
            "label": label,
        }
        for place, (other, label) in enumerate(pairs)
    ]


Draw = tuple[list[Event], list[Event], list[Event], bool]


def _one_clause(world: World) -> Draw:
    """A sentence, and the time moved to the front; who and whom exchanged or not."""
    event = world.event(["transitive"], ["name"], ["name"])
    event = replace(world.somewhere(event), time=world.time())
    assert event.patient
    return [event], [event], [replace(event, agent=event.patient, patient=event.agent)], True


def _two_clauses(world: World) -> Draw:
    """Two clauses, and their order exchanged; their agents exchanged or not."""
    first = world.event(agents=["name"], patients=["object", "animal"])
    one, other = world.alike(2, ["name"], first.agent.concept)
    second = world.event(agents=["name"], patients=["object", "animal"])
    while second.predicate == first.predicate or not world.has(_by(second, other)):
        second = world.event(agents=["name"], patients=["object", "animal"])
    first, second = world.dressed(first), world.dressed(_by(second, other))
    different = [_by(second, one), _by(first, other)]
    return [first, second], [second, first], different, False


def _by(event: Event, agent: str) -> Event:
    return replace(event, agent=Thing(agent))

"""Raw text, training rows, test rows: no two speak of the same (predicate, agent, patient)."""

from __future__ import annotations

from itertools import combinations

import pytest

from xstilts import microworld
from xstilts.microworld import concepts
from xstilts.microworld.grammar import Grammar
from xstilts.microworld.meaning import POOLS, Event, Thing, pool
from xstilts.microworld.rows import FAMILIES
from xstilts.tasks import TASKS, Generated

USED = {
    (rows.family, rows.pool)
    for task in TASKS.values()
    if (data := task.sources.get("microworld"))
    for rows in (data.train, data.select, data.evaluate)
    if isinstance(rows, Generated)
}


@pytest.fixture
def spoken(monkeypatch) -> list[tuple]:
    """Every (event, template) that is put into words."""
    found = []
    clause, ask = Grammar.clause, Grammar.ask

    def told(self, event, *, fronted):
        found.append((event, "fronted" if fronted else "told"))
        return clause(self, event, fronted=fronted)

    def asked(self, event, role):
        found.append((event, f"asked {role}"))
        return ask(self, event, role)

    monkeypatch.setattr(Grammar, "clause", told)
    monkeypatch.setattr(Grammar, "ask", asked)
    return found


def combination(event: Event, template: str) -> tuple[str, str, str, str]:
    patient = event.patient.concept if event.patient else ""
    return event.predicate, event.agent.concept, patient, template


def test_every_family_is_used_and_every_pool():
    assert {family for family, _ in USED} == set(FAMILIES)
    assert {pool for _, pool in USED} == set(POOLS)


def test_no_combination_is_in_two_pools(spoken):
    """Of all tasks together, whatever the template: raw text, train, test and selection rows."""
    seen: dict[str, set] = {name: set() for name in POOLS}
    for family, name in sorted(USED):
        spoken.clear()
        microworld.rows("pools", family, name, 300, "en")
        assert {pool(event) for event, _ in spoken} == {name}, family
        seen[name] |= {combination(event, template) for event, template in spoken}
    for one, other in combinations(POOLS, 2):
        assert not seen[one] & seen[other]
        assert not {key[:3] for key in seen[one]} & {key[:3] for key in seen[other]}
    assert min(map(len, seen.values())) > 300


def test_sentences_of_one_pool_are_in_no_other():
    lines = {
        name: {row["text"] for row in microworld.rows("pools", "bitext", name, 400, "en")}
        for name in POOLS
    }
    assert not set.intersection(*lines.values())
    assert len(set.union(*lines.values())) == 1600


def test_a_pool_keeps_exchanges_and_modifiers():
    event = Event("see", Thing("Anna"), Thing("Omar"))
    assert pool(event) == pool(Event("see", Thing("Omar"), Thing("Anna")))
    dressed = Event("see", Thing("Anna"), Thing("Omar"), "garden", "yesterday", negated=True)
    assert pool(event) == pool(dressed)
    hungry = Event("be_hungry", Thing("Anna"))
    assert {pool(Event(name, Thing("Anna"))) for name in concepts.of("state", "action")} == {
        pool(hungry)
    }


def test_every_pool_has_people_of_both_genders():
    """Four men at least, for stories of four people of one gender, and three women."""
    for name in POOLS:
        people = [
            one
            for one in concepts.of("person", "name")
            if pool(Event("be_hungry", Thing(one))) == name
        ]
        genders = [concepts.gender(one) for one in people]
        assert genders.count("male") >= 4
        assert genders.count("female") >= 3

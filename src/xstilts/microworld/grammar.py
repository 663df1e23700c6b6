"""What the ten grammars share: an event's parts as words, put in the order of the language.

A grammar says in what order the parts stand and how each is worded (``parts``); agreement, case
and negation are there. Orders are written as names of parts, with "," for a comma.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

from xstilts.microworld import concepts, lexicon
from xstilts.microworld.meaning import Thing
from xstilts.microworld.words import Word, punctuation, with_role

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xstilts.microworld.meaning import Event, Role

Parts: TypeAlias = dict[str, list[Word]]


class Grammar:
    """One language.

    Attributes:
        code: of the language.
        told: the order of a statement.
        fronted: the order of a statement that begins with the time.
        asked_agent: the order of a question after the agent.
        asked: the order of any other question; ``wh`` is the question word, which stands in the
            place of what is asked for where the order has no ``wh``.
        stop, comma, question: marks.
        comma_before_and: whether the last of several clauses has a comma before "and".
    """

    code: str
    told: str
    fronted: str
    asked_agent: str
    asked: str
    stop, comma, question = ".", ",", "?"
    comma_before_and = False

    def __init__(self) -> None:
        self.lexicon = lexicon.load(self.code)

    def parts(self, event: Event, asked: str) -> Parts:
        """The parts of the event as words; ``asked`` is the role that a question is after."""
        raise NotImplementedError

    def asking(self, event: Event, role: Role) -> list[Word]:
        """The question word or phrase for a role."""
        assert role != "patient" or event.patient
        human = role == "patient" and event.patient is not None and event.patient.animate
        word = {"agent": "who", "patient": "whom" if human else "what"}.get(role)
        return self.lexicon.phrase("function", word or {"place": "where", "time": "when"}[role])

    def clause(self, event: Event, *, fronted: bool) -> list[Word]:
        """A statement, without capital and full stop."""
        order = self.fronted if fronted and event.time else self.told
        return self._ordered(self._all(event, ""), order)

    def ask(self, event: Event, role: Role) -> list[Word]:
        """A question after one role, with its mark."""
        parts = self._all(_generic(event, role), role)
        order = self.asked_agent if role == "agent" else self.asked
        slot = "wh" if "wh" in order.split() else role
        parts[role] = []
        parts[slot] = self.asking(event, role)
        return self.finished(self._ordered(parts, order), self.question)

    def join(self, clauses: Sequence[list[Word]]) -> list[Word]:
        """Clauses one after the other, with "and" before the last."""
        words: list[Word] = []
        for number, clause in enumerate(clauses):
            last = number == len(clauses) - 1
            if number and (not last or self.comma_before_and):
                words.append(punctuation(self.comma))
            if number and last:
                words += self.conjunction(clause)
            words += clause
        return words

    def conjunction(self, clause: list[Word]) -> list[Word]:  # noqa: ARG002 (some look at it)
        """The word for "and" before a clause."""
        return self.lexicon.phrase("function", "and")

    def finished(self, words: list[Word], mark: str) -> list[Word]:
        """A sentence with its capital and its mark."""
        first, *rest = words
        return [self.capital(first), *rest, punctuation(mark)]

    def capital(self, word: Word) -> Word:
        """The word as the first of a sentence."""
        return replace(word, text=word.text[:1].upper() + word.text[1:])

    def _all(self, event: Event, asked: str) -> Parts:
        found = {
            "place": self.lexicon.phrase("place", event.place) if event.place else [],
            "time": self.lexicon.phrase("time", event.time) if event.time else [],
            **self.parts(event, asked),
        }
        return {
            role: with_role(words, role) if role in ("place", "time") else words
            for role, words in found.items()
        }

    def _ordered(self, parts: Parts, order: str) -> list[Word]:
        words: list[Word] = []
        for name in order.split():
            words += [punctuation(self.comma)] if name == "," else parts.get(name, [])
        return words

    # Shared by the grammars.

    def name(self, thing: Thing, role: str) -> list[Word] | None:
        """A person's name as it is in the lexicon; None if the thing has none."""
        if concepts.get(thing.concept).kind != "name":
            return None
        form = self.lexicon.get("name", thing.concept)["form"]
        return [Word(form, "PROPN", "B-PER", role)]

    def predicate(self, event: Event) -> list[Word] | None:
        """A state or an action, which is one phrase; None if the predicate is a verb."""
        if not self.lexicon.has("state", event.predicate):
            return None
        entry = self.lexicon.get("state", event.predicate)
        column = concepts.gender(event.agent.concept)
        return self.lexicon.phrase(
            "state", event.predicate, column if entry.get(column) else "male"
        )

    def numeral(self, thing: Thing, column: str = "form") -> Word:
        """The number of a thing."""
        return Word(self.lexicon.get("numeral", str(thing.number))[column], "NUM")


def is_definite(thing: Thing, role: str) -> bool:
    """Whether hearers know it: see ``meaning``."""
    return thing.number == 1 and (role == "agent" or thing.animate)


def _generic(event: Event, role: Role) -> Event:
    """The event with a man or a box in the place of what is asked for, for agreement."""
    if role == "agent":
        return replace(event, agent=Thing("man"))
    if role == "patient" and event.patient is not None:
        return replace(event, patient=Thing("man" if event.patient.animate else "box"))
    return replace(event, **{role: ""})  # type: ignore[arg-type]

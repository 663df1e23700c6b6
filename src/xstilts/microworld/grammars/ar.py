"""Arabic: the verb comes first and is singular; numerals from 3 to 10 take the other gender.

Text has no vowel signs. A new masculine patient ends in ا, the sign of the accusative.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from xstilts.microworld import concepts
from xstilts.microworld.grammar import Grammar, Parts, is_definite
from xstilts.microworld.words import Word, with_role

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xstilts.microworld.meaning import Event, Role, Thing


class Arabic(Grammar):
    """Arabic."""

    code = "ar"
    told = "not verb agent patient place time"
    fronted = "time not verb agent patient place"
    asked_agent = "wh not verb patient place time"
    asked = "wh not verb agent patient place time"
    question = "؟"

    def parts(self, event: Event, asked: str) -> Parts:
        """See ``Grammar``."""
        agent = self._noun_phrase(event.agent, "agent")
        phrase = self.predicate(event)
        if phrase is not None:
            return {"verb": phrase[:1], "agent": agent, "patient": phrase[1:]}
        form = self._verb(event)
        if asked == "patient" and event.patient and event.patient.animate:
            form = _with_pronoun(form)
        return {
            "agent": agent,
            "not": self.lexicon.phrase("function", "not") if event.negated else [],
            "verb": [Word(form, "VERB")],
            "patient": self._noun_phrase(event.patient, "patient") if event.patient else [],
        }

    def asking(self, event: Event, role: Role) -> list[Word]:
        """See ``Grammar``: "who is it that he saw", so that no one takes it for the agent."""
        if role == "patient" and event.patient and event.patient.animate:
            return self.lexicon.phrase("function", "who")
        return super().asking(event, role)

    def join(self, clauses: Sequence[list[Word]]) -> list[Word]:
        """See ``Grammar``: "and" before every clause but the first, written as one with it."""
        words = list(clauses[0])
        for clause in clauses[1:]:
            first, *rest = clause
            words += [*self.lexicon.phrase("function", "and"), replace(first, glued=True), *rest]
        return words

    def _gender(self, thing: Thing) -> str:
        if self.lexicon.has("name", thing.concept):
            return concepts.gender(thing.concept)
        female = self.lexicon.get("noun", thing.concept)["gender"] == "f"
        return "female" if female else "male"

    def _verb(self, event: Event) -> str:
        forms, gender = self.lexicon.get("verb", event.predicate), self._gender(event.agent)
        if not event.negated:
            return forms[gender]
        return forms["jussive"] if gender == "male" else "ت" + forms["jussive"][1:]

    def _noun_phrase(self, thing: Thing, role: str) -> list[Word]:
        if name := self.name(thing, role):
            return name
        forms, gender = self.lexicon.get("noun", thing.concept), self._gender(thing)
        adjective = self.lexicon.get("adjective", thing.attribute) if thing.attribute else {}
        if thing.number > 1:  # things and animals in the plural have feminine adjectives
            words = [self.numeral(thing, f"with_{gender}"), Word(forms["plural"], "NOUN")]
            form = adjective.get("female", "")
        elif is_definite(thing, role):
            words, form = [Word(forms["definite"], "NOUN")], "ال" + adjective.get(gender, "")
        elif gender == "male":
            words, form = [Word(forms["singular"] + "ا", "NOUN")], adjective.get("accusative", "")
        else:
            words, form = [Word(forms["singular"], "NOUN")], adjective.get("female", "")
        if thing.attribute:
            words.append(Word(form, "ADJ"))
        return with_role(words, role)


def _with_pronoun(verb: str) -> str:
    """The verb with "him": رأى becomes رآه, نادى becomes ناداه."""
    if verb.endswith("أى"):
        return verb[:-2] + "آه"
    return verb[:-1] + "اه" if verb.endswith("ى") else verb + "ه"


GRAMMAR = Arabic()

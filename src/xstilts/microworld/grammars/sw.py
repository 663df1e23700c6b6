"""Swahili: noun classes; verbs agree with living subjects and objects, adjectives with all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xstilts.microworld.grammar import Grammar, Parts
from xstilts.microworld.words import Word, with_role

if TYPE_CHECKING:
    from xstilts.microworld.meaning import Event, Thing


class Swahili(Grammar):
    """Swahili."""

    code = "sw"
    told = "agent verb patient place time"
    fronted = "time , agent verb patient place"
    asked_agent = asked = told
    comma_before_and = True

    def parts(self, event: Event, asked: str) -> Parts:  # noqa: ARG002
        """See ``Grammar``."""
        return {
            "agent": self._noun_phrase(event.agent, "agent"),
            "verb": self.predicate(event) or self._verb(event),
            "patient": self._noun_phrase(event.patient, "patient") if event.patient else [],
        }

    def _verb(self, event: Event) -> list[Word]:
        """Subject, tense, living object, stem: a-li-mw-ona, ha-ku-mw-ona."""
        many = event.agent.number > 1
        subject = {
            (False, False): "ali",
            (True, False): "wali",
            (False, True): "haku",
            (True, True): "hawaku",
        }[many, event.negated]
        stem = self.lexicon.get("verb", event.predicate)["stem"]
        patient = ""
        if event.patient and event.patient.animate:
            one = "mw" if stem[0] in "aeiou" else "m"
            patient = one if event.patient.number == 1 else "wa"
        after = self.lexicon.phrase("verb", event.predicate, "after")
        return [Word(subject + patient + stem, "VERB"), *after]

    def _noun_phrase(self, thing: Thing, role: str) -> list[Word]:
        if name := self.name(thing, role):
            return name
        forms = self.lexicon.get("noun", thing.concept)
        many = thing.number > 1
        noun_class = forms["plural_class" if many else "class"]
        words = [Word(forms["plural" if many else "singular"], "NOUN")]
        if thing.attribute:
            form = self.lexicon.get("adjective", thing.attribute)[noun_class]
            *linked, last = form.split()  # "wa kijani", of green
            words += [Word(link, "ADP") for link in linked]
            words.append(Word(last, "NOUN" if linked else "ADJ"))
        if many:
            words.append(self.numeral(thing, noun_class))
        return with_role(words, role)


GRAMMAR = Swahili()

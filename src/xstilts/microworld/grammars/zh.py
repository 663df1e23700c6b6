"""Chinese: no inflection; classifiers between number and noun; 了 after the verb, or 没 before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xstilts.microworld.grammar import Grammar, Parts, is_definite
from xstilts.microworld.words import Word, with_role

if TYPE_CHECKING:
    from xstilts.microworld.meaning import Event, Thing


class Chinese(Grammar):
    """Chinese."""

    code = "zh"
    told = "agent time not place verb patient"
    fronted = "time agent not place verb patient"
    asked_agent = asked = told
    stop, comma, question = "。", "，", "？"
    comma_before_and = True

    def parts(self, event: Event, asked: str) -> Parts:  # noqa: ARG002
        """See ``Grammar``."""
        verb = self.predicate(event)
        if verb is None:
            verb = [Word(self.lexicon.get("verb", event.predicate)["form"], "VERB")]
            verb += [] if event.negated else [Word("了", "AUX")]
        return {
            "agent": self._noun_phrase(event.agent, "agent", bare=False),
            "not": self.lexicon.phrase("function", "not") if event.negated else [],
            "verb": verb,
            "patient": self._noun_phrase(event.patient, "patient", bare=event.negated)
            if event.patient
            else [],
        }

    def _noun_phrase(self, thing: Thing, role: str, *, bare: bool) -> list[Word]:
        if name := self.name(thing, role):
            return name
        forms = self.lexicon.get("noun", thing.concept)
        words = [Word(forms["form"], "NOUN")]
        if thing.attribute:
            words = [*self.lexicon.phrase("adjective", thing.attribute), *words]
        if thing.number > 1:
            words = [self.numeral(thing), Word(forms["classifier"], "NOUN"), *words]
        elif not is_definite(thing, role) and not bare:
            words = [Word("一", "NUM"), Word(forms["classifier"], "NOUN"), *words]
        return with_role(words, role)


GRAMMAR = Chinese()

"""Japanese: the verb comes last; particles mark who and whom; counters after numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xstilts.microworld.grammar import Grammar, Parts
from xstilts.microworld.words import Word, punctuation, with_role

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xstilts.microworld.meaning import Event, Role, Thing


class Japanese(Grammar):
    """Japanese."""

    code = "ja"
    told = "agent time place patient verb"
    fronted = "time agent place patient verb"
    asked_agent = asked = told
    stop, comma, question = "。", "、", "？"

    def parts(self, event: Event, asked: str) -> Parts:
        """See ``Grammar``."""
        topic = "は" if event.agent.number == 1 else "が"
        verb, patient = self.predicate(event), []
        if verb is None:
            column = "negative" if event.negated else "past"
            verb = self.lexicon.phrase("verb", event.predicate, column)
            if event.patient:
                particle = self.lexicon.get("verb", event.predicate)["particle"]
                patient = [*self._noun_phrase(event.patient, "patient"), Word(particle, "ADP")]
        if asked:
            verb = [*verb, Word("か", "PART")]
        agent = [*self._noun_phrase(event.agent, "agent"), Word(topic, "ADP")]
        return {"agent": agent, "patient": patient, "verb": verb}

    def asking(self, event: Event, role: Role) -> list[Word]:
        """See ``Grammar``: with the particle of what is asked for."""
        words = super().asking(event, role)
        if role == "agent":
            return [*words, Word("が", "ADP")]
        if role == "patient":
            return [*words, Word(self.lexicon.get("verb", event.predicate)["particle"], "ADP")]
        return words

    def join(self, clauses: Sequence[list[Word]]) -> list[Word]:
        """See ``Grammar``: a sentence each, the last with そして."""
        words = list(clauses[0])
        for number, clause in enumerate(clauses[1:], start=2):
            words.append(punctuation(self.stop))
            words += self.conjunction(clause) if number == len(clauses) else []
            words += clause
        return words

    def _noun_phrase(self, thing: Thing, role: str) -> list[Word]:
        if name := self.name(thing, role):
            return name
        forms = self.lexicon.get("noun", thing.concept)
        words = [Word(forms["form"], "NOUN")]
        if thing.attribute:
            words = [*self.lexicon.phrase("adjective", thing.attribute), *words]
        if thing.number > 1:
            counter = Word(forms["counter"], "NOUN")
            words = [self.numeral(thing), counter, Word("の", "ADP"), *words]
        return with_role(words, role)


GRAMMAR = Japanese()

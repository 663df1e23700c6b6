"""Spanish: gender and number on articles and adjectives; "a" before known living patients."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from xstilts.microworld.grammar import Grammar, Parts, is_definite
from xstilts.microworld.words import Word, with_role

if TYPE_CHECKING:
    from xstilts.microworld.meaning import Event, Thing


class Spanish(Grammar):
    """Spanish."""

    code = "es"
    told = "agent not verb patient place time"
    fronted = "time , agent not verb patient place"
    asked_agent = "wh not verb patient place time"
    asked = "wh not verb agent patient place time"

    def parts(self, event: Event, asked: str) -> Parts:  # noqa: ARG002
        """See ``Grammar``."""
        number = "singular" if event.agent.number == 1 else "plural"
        patient = self._noun_phrase(event.patient, "patient") if event.patient else []
        if event.patient and is_definite(event.patient, "patient"):
            patient = _after_a(patient)
        return {
            "agent": self._noun_phrase(event.agent, "agent"),
            "not": self.lexicon.phrase("function", "not") if event.negated else [],
            "verb": self.predicate(event) or self.lexicon.phrase("verb", event.predicate, number),
            "patient": patient,
        }

    def conjunction(self, clause: list[Word]) -> list[Word]:
        """See ``Grammar``: "e" before the sound of i."""
        before_i = clause[0].text.casefold().startswith(("i", "í", "hi"))
        return [Word("e" if before_i else "y", "CCONJ")]

    def finished(self, words: list[Word], mark: str) -> list[Word]:
        """See ``Grammar``: a question has a mark on both sides."""
        done = super().finished(words, mark)
        if mark != self.question:
            return done
        return [Word("¿", "PUNCT"), replace(done[0], glued=True), *done[1:]]

    def _noun_phrase(self, thing: Thing, role: str) -> list[Word]:
        if name := self.name(thing, role):
            return name
        forms = self.lexicon.get("noun", thing.concept)
        number = "singular" if thing.number == 1 else "plural"
        female = forms["gender"] == "f"
        if thing.number > 1:
            words = [self.numeral(thing)]
        elif is_definite(thing, role):
            words = [Word("la" if female else "el", "DET")]
        else:
            words = [Word("una" if female else "un", "DET")]
        words.append(Word(forms[number], "NOUN"))
        if thing.attribute:
            form = self.lexicon.get("adjective", thing.attribute)["form"]
            form = form[:-1] + "a" if female and form.endswith("o") else form
            words.append(Word(form + "s" * (thing.number > 1), "ADJ"))
        return with_role(words, role)


def _after_a(patient: list[Word]) -> list[Word]:
    if patient[0].text == "el":
        return [Word("al", "ADP"), *patient[1:]]
    return [Word("a", "ADP"), *patient]


GRAMMAR = Spanish()

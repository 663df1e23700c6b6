"""Hindi: the verb comes last; agents of transitive verbs have ने, known patients have को.

The verb agrees with whichever of agent and patient has no such mark, or with nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from xstilts.microworld import concepts
from xstilts.microworld.grammar import Grammar, Parts
from xstilts.microworld.words import Word, with_role

if TYPE_CHECKING:
    from xstilts.microworld.meaning import Event, Role, Thing


class Hindi(Grammar):
    """Hindi."""

    code = "hi"
    told = "agent time place patient verb"
    fronted = "time agent place patient verb"
    asked_agent = asked = told
    stop = "।"

    def parts(self, event: Event, asked: str) -> Parts:  # noqa: ARG002
        """See ``Grammar``."""
        forms = self._forms(event)
        agent = self._noun_phrase(event.agent, "agent", oblique=bool(forms["marks_agent"]))
        if forms["marks_agent"]:
            agent.append(Word("ने", "ADP"))
        phrase = self.predicate(event)
        if phrase is not None:
            return {"agent": agent, "verb": phrase}
        patient, agreeing = [], None if forms["marks_agent"] else event.agent
        if event.patient:
            marked = event.patient.animate
            patient = self._noun_phrase(event.patient, "patient", oblique=marked)
            if marked:
                patient.append(Word(forms["marker"], "ADP"))
            else:
                agreeing = event.patient
                if event.patient.number == 1 and not event.negated:
                    patient.insert(0, Word("एक", "DET", role="patient"))
        verb = Word(forms[self._agreement(agreeing)], "VERB")
        negation = self.lexicon.phrase("function", "not") if event.negated else []
        before = self.lexicon.phrase("verb", event.predicate, "before")
        return {"agent": agent, "patient": patient, "verb": [*before, *negation, verb]}

    def asking(self, event: Event, role: Role) -> list[Word]:
        """See ``Grammar``: question words have the case of what they stand for."""
        if role == "agent" and self._forms(event)["marks_agent"]:
            return self.lexicon.phrase("function", "by_whom")
        if role == "patient" and self._forms(event).get("marker") == "की":
            return self.lexicon.phrase("function", "whose")
        return super().asking(event, role)

    def _forms(self, event: Event) -> dict[str, str]:
        section = "state" if self.lexicon.has("state", event.predicate) else "verb"
        return self.lexicon.get(section, event.predicate)

    def _agreement(self, thing: Thing | None) -> str:
        if thing is None:
            return "male"
        return self._gender(thing) + "_plural" * (thing.number > 1)

    def _gender(self, thing: Thing) -> str:
        if self.lexicon.has("name", thing.concept):
            return concepts.gender(thing.concept)
        female = self.lexicon.get("noun", thing.concept)["gender"] == "f"
        return "female" if female else "male"

    def _noun_phrase(self, thing: Thing, role: str, *, oblique: bool) -> list[Word]:
        if name := self.name(thing, role):
            return name
        forms = self.lexicon.get("noun", thing.concept)
        many = thing.number > 1
        column = "oblique" + "_plural" * many if oblique else "plural" if many else "singular"
        words = [Word(forms[column], "NOUN")]
        if thing.attribute:
            adjective = self.lexicon.get("adjective", thing.attribute)
            male = "oblique" if oblique or many else "male"
            form = adjective["female" if forms["gender"] == "f" else male]
            words.insert(0, Word(form, "ADJ"))
        if many:
            words.insert(0, self.numeral(thing))
        return with_role(words, role)


GRAMMAR = Hindi()

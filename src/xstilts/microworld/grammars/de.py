"""German: the finite verb comes second; three genders, case on articles and adjectives, "kein"."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xstilts.microworld.grammar import Grammar, Parts, is_definite
from xstilts.microworld.words import Word, with_role

if TYPE_CHECKING:
    from xstilts.microworld.meaning import Event, Role, Thing

THE = {
    "nominative": {"m": "der", "f": "die", "n": "das"},
    "accusative": {"m": "den", "f": "die", "n": "das"},
    "dative": {"m": "dem", "f": "der", "n": "dem"},
}
A = {"m": "einen", "f": "eine", "n": "ein"}  # accusative: new things are never subjects
AFTER_THE = {
    "nominative": {"m": "e", "f": "e", "n": "e"},
    "accusative": {"m": "en", "f": "e", "n": "e"},
    "dative": {"m": "en", "f": "en", "n": "en"},
}
AFTER_A = {"m": "en", "f": "e", "n": "es"}


class German(Grammar):
    """German."""

    code = "de"
    told = "agent verb time patient not place"
    fronted = "time verb agent patient not place"
    asked_agent = "wh verb time patient not place"
    asked = "wh verb agent time patient not place"

    def parts(self, event: Event, asked: str) -> Parts:  # noqa: ARG002
        """See ``Grammar``."""
        verb, patient, negation = self.predicate(event), [], event.negated
        if verb is None:
            forms = self.lexicon.get("verb", event.predicate)
            verb = [Word(forms["singular" if event.agent.number == 1 else "plural"], "VERB")]
            if event.patient:
                new = event.patient.number == 1 and not is_definite(event.patient, "patient")
                article = "k" if new and event.negated else ""
                patient = self._noun_phrase(event.patient, "patient", forms["case"], article)
                negation = event.negated and not new
        return {
            "agent": self._noun_phrase(event.agent, "agent", "nominative"),
            "verb": verb,
            "patient": patient,
            "not": self.lexicon.phrase("function", "not") if negation else [],
        }

    def asking(self, event: Event, role: Role) -> list[Word]:
        """See ``Grammar``: "wem" with verbs of the dative."""
        verb = self.lexicon.get("verb", event.predicate) if role == "patient" else {}
        if verb.get("case") == "dative":
            return self.lexicon.phrase("function", "to_whom")
        return super().asking(event, role)

    def _noun_phrase(self, thing: Thing, role: str, case: str, k: str = "") -> list[Word]:
        if name := self.name(thing, role):
            return name
        forms = self.lexicon.get("noun", thing.concept)
        gender = forms["gender"]
        if thing.number > 1:
            article, ending = self.numeral(thing), "e"
            noun = forms["plural"]
        else:
            noun = forms["singular" if case == "nominative" else "accusative"]
            if is_definite(thing, role):
                article, ending = Word(THE[case][gender], "DET"), AFTER_THE[case][gender]
            else:
                article, ending = Word(k + A[gender], "DET"), AFTER_A[gender]
        words = [article]
        if thing.attribute:
            stem = self.lexicon.get("adjective", thing.attribute)["stem"]
            words.append(Word(stem + ending, "ADJ"))
        return with_role([*words, Word(noun, "NOUN")], role)


GRAMMAR = German()

"""Russian: no articles; case, gender, animacy, and nouns counted in the genitive."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xstilts.microworld import concepts
from xstilts.microworld.grammar import Grammar, Parts
from xstilts.microworld.words import Word, with_role

if TYPE_CHECKING:
    from xstilts.microworld.meaning import Event, Role, Thing


class Russian(Grammar):
    """Russian."""

    code = "ru"
    told = "agent time not verb patient place"
    fronted = "time agent not verb patient place"
    asked_agent = "wh time not verb patient place"
    asked = "wh agent time not verb patient place"
    comma_before_and = True

    def parts(self, event: Event, asked: str) -> Parts:  # noqa: ARG002
        """See ``Grammar``."""
        verb, patient = self.predicate(event), []
        if verb is None:
            forms = self.lexicon.get("verb", event.predicate)
            verb = [Word(_past(forms, self._agreement(event.agent)), "VERB")]
            if event.patient:
                patient = self._noun_phrase(event.patient, "patient", forms["case"])
        return {
            "agent": self._noun_phrase(event.agent, "agent", "nominative"),
            "not": self.lexicon.phrase("function", "not") if event.negated else [],
            "verb": verb,
            "patient": patient,
        }

    def asking(self, event: Event, role: Role) -> list[Word]:
        """See ``Grammar``: "кому" with verbs of the dative."""
        verb = self.lexicon.get("verb", event.predicate) if role == "patient" else {}
        if verb.get("case") == "dative":
            return self.lexicon.phrase("function", "to_whom")
        return super().asking(event, role)

    def _agreement(self, thing: Thing) -> str:
        if thing.number > 1:
            return "plural"
        if self.lexicon.has("name", thing.concept):
            return concepts.gender(thing.concept)
        gender = self.lexicon.get("noun", thing.concept)["gender"]
        return {"m": "male", "f": "female", "n": "neuter"}[gender]

    def _noun_phrase(self, thing: Thing, role: str, case: str) -> list[Word]:
        if name := self.name(thing, role):
            return [Word(_name(name[0].text, case), "PROPN", "B-PER", role)]
        if thing.number > 1:
            return with_role(self._counted(thing, case), role)
        forms = self.lexicon.get("noun", thing.concept)
        noun = _noun(forms, case, animate=thing.animate)
        words = [Word(noun, "NOUN")]
        if thing.attribute:
            form = self._singular(thing, forms["gender"], case)
            words.insert(0, Word(form, "ADJ"))
        return with_role(words, role)

    def _singular(self, thing: Thing, gender: str, case: str) -> str:
        """An adjective with one thing, nominative or accusative."""
        adjective = self.lexicon.get("adjective", thing.attribute)
        if gender == "f":
            return adjective["stem"] + ("ую" if case == "accusative" else "ая")
        if gender == "n":
            return adjective["stem"] + "ое"
        if case == "accusative" and thing.animate:
            return adjective["stem"] + "ого"
        return adjective["stem"] + adjective["male"]

    def _counted(self, thing: Thing, case: str) -> list[Word]:
        """Three or four take the genitive singular, five and more the genitive plural."""
        forms = self.lexicon.get("noun", thing.concept)
        few = thing.number < 5
        oblique = case == "accusative" and thing.animate
        numeral = self.numeral(thing, "animate_accusative" if oblique else "form")
        noun = Word(forms["genitive" if few and not oblique else "genitive_plural"], "NOUN")
        if not thing.attribute:
            return [numeral, noun]
        adjective = self.lexicon.get("adjective", thing.attribute)
        nominative = few and not oblique and forms["gender"] == "f"
        ending = adjective["plural"] + ("е" if nominative else "х")
        return [numeral, Word(adjective["stem"] + ending, "ADJ"), noun]


def _past(forms: dict[str, str], agreement: str) -> str:
    if agreement != "neuter":
        return forms[agreement]
    female = forms["female"]  # спала, смеялась: спало, смеялось
    return female[:-3] + "ось" if female.endswith("сь") else female[:-1] + "о"


def _noun(forms: dict[str, str], case: str, *, animate: bool) -> str:
    nominative, genitive = forms["singular"], forms["genitive"]
    if case == "accusative" and nominative[-1] not in "ая":
        return genitive if animate and forms["gender"] == "m" else nominative
    if case == "dative" and nominative[-1] not in "ая":
        return genitive[:-1] + {"а": "у", "я": "ю"}[genitive[-1]]
    return _name(nominative, case)


def _name(nominative: str, case: str) -> str:
    """A name, or a noun in -а or -я; those that end in another vowel never change."""
    stem, last = nominative[:-1], nominative[-1]
    if case == "nominative" or last in "иоуэы":
        return nominative
    if last in "ая":
        if case == "accusative":
            return stem + {"а": "у", "я": "ю"}[last]
        return stem + ("и" if stem[-1] == "и" else "е")
    return nominative + {"accusative": "а", "dative": "у"}[case]


GRAMMAR = Russian()

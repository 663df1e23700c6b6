"""Turkish: the verb comes last; suffixes follow the vowels of the word (vowel harmony)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from xstilts.microworld.grammar import Grammar, Parts, is_definite
from xstilts.microworld.words import Word, with_role

if TYPE_CHECKING:
    from xstilts.microworld.meaning import Event, Role, Thing

VOWELS = "aıoueiöü"
BACK = "aıou"
HIGH = {"a": "ı", "ı": "ı", "o": "u", "u": "u", "e": "i", "i": "i", "ö": "ü", "ü": "ü"}


class Turkish(Grammar):
    """Turkish."""

    code = "tr"
    told = "agent time place patient verb"
    fronted = "time agent place patient verb"
    asked_agent = asked = told

    def parts(self, event: Event, asked: str) -> Parts:  # noqa: ARG002
        """See ``Grammar``."""
        verb, patient = self.predicate(event), []
        if verb is None:
            forms = self.lexicon.get("verb", event.predicate)
            before = self.lexicon.phrase("verb", event.predicate, "before")
            verb = [*before, Word(past(forms["stem"], negated=event.negated), "VERB")]
            if event.patient:
                patient = self._patient(event.patient, forms["case"], bare=event.negated)
        return {"agent": self._noun_phrase(event.agent, "agent"), "verb": verb, "patient": patient}

    def asking(self, event: Event, role: Role) -> list[Word]:
        """See ``Grammar``: "kime" with verbs of the dative."""
        verb = self.lexicon.get("verb", event.predicate) if role == "patient" else {}
        if verb.get("case") == "dative":
            return self.lexicon.phrase("function", "to_whom")
        return super().asking(event, role)

    def capital(self, word: Word) -> Word:
        """See ``Grammar``: the capital of i has a dot."""
        return (
            replace(word, text="İ" + word.text[1:])
            if word.text[0] == "i"
            else super().capital(word)
        )

    def _patient(self, thing: Thing, case: str, *, bare: bool) -> list[Word]:
        """What is known has its case; a new thing has none, and "bir" unless it is denied."""
        words = self._noun_phrase(thing, "patient")
        last = words[-1]
        if is_definite(thing, "patient"):
            if last.tag == "PROPN":
                form = last.text + "'" + suffix(last.text, case)
            elif case == "accusative":
                form = self.lexicon.get("noun", thing.concept)["accusative"]
            else:
                form = last.text + suffix(last.text, case)
            return [*words[:-1], replace(last, text=form)]
        if thing.number == 1 and not bare:
            return [*words[:-1], Word("bir", "DET", role="patient"), last]
        return words

    def _noun_phrase(self, thing: Thing, role: str) -> list[Word]:
        if name := self.name(thing, role):
            return name
        words = [Word(self.lexicon.get("noun", thing.concept)["singular"], "NOUN")]
        if thing.attribute:
            words.insert(0, Word(self.lexicon.get("adjective", thing.attribute)["form"], "ADJ"))
        if thing.number > 1:
            words.insert(0, self.numeral(thing))
        return with_role(words, role)


def last_vowel(word: str) -> str:
    """The vowel that suffixes follow."""
    lower = word.replace("I", "ı").replace("İ", "i").casefold()
    return next(letter for letter in reversed(lower) if letter in VOWELS)


def suffix(word: str, case: str) -> str:
    """The ending of the accusative or the dative after a word."""
    vowel = last_vowel(word)
    ending = HIGH[vowel] if case == "accusative" else "a" if vowel in BACK else "e"
    return ending if word[-1].casefold() not in VOWELS else "y" + ending


def past(stem: str, *, negated: bool) -> str:
    """The past of a verb: gör-dü, gör-me-di."""
    if negated:
        return stem + ("madı" if last_vowel(stem) in BACK else "medi")
    return stem + ("t" if stem[-1] in "fstkçşhp" else "d") + HIGH[last_vowel(stem)]


GRAMMAR = Turkish()

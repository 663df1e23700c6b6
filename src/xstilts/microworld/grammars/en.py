"""English: subject, verb, object; "do" in negations and questions; a or an."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xstilts.microworld.grammar import Grammar, Parts, is_definite
from xstilts.microworld.words import Word, with_role

if TYPE_CHECKING:
    from xstilts.microworld.meaning import Event, Thing

DID = Word("did", "AUX")


class English(Grammar):
    """English."""

    code = "en"
    told = "agent not verb patient place time"
    fronted = "time , agent not verb patient place"
    asked_agent = "wh not verb patient place time"
    asked = "wh did agent verb patient place time"

    def parts(self, event: Event, asked: str) -> Parts:
        """See ``Grammar``."""
        phrase = self.predicate(event)
        inverted = asked not in ("", "agent")
        if phrase is None:
            forms = self.lexicon.get("verb", event.predicate)
            phrase = [Word(forms["base" if event.negated or inverted else "past"], "VERB")]
        return {
            "agent": self._noun_phrase(event.agent, "agent"),
            "did": [DID],
            "not": [DID, *self.lexicon.phrase("function", "not")] if event.negated else [],
            "verb": phrase,
            "patient": self._noun_phrase(event.patient, "patient") if event.patient else [],
        }

    def _noun_phrase(self, thing: Thing, role: str) -> list[Word]:
        if name := self.name(thing, role):
            return name
        forms = self.lexicon.get("noun", thing.concept)
        noun = [Word(forms["singular" if thing.number == 1 else "plural"], "NOUN")]
        if thing.attribute:
            noun.insert(0, Word(self.lexicon.get("adjective", thing.attribute)["form"], "ADJ"))
        if thing.number > 1:
            return with_role([self.numeral(thing), *noun], role)
        if is_definite(thing, role):
            return with_role([Word("the", "DET"), *noun], role)
        article = "an" if noun[0].text[0] in "aeiou" else "a"
        return with_role([Word(article, "DET"), *noun], role)


GRAMMAR = English()

r"""Categories of combinatory categorial grammar for the words of an English sentence.

Written as in CCGbank (Hockenmaier & Steedman 2007): ``(S[dcl]\NP)/NP`` is a transitive verb. Rows
have their numbers in ``CATEGORIES``, which are not those of the authors' toolkit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xstilts.microworld.words import Word

VERB_MODIFIER = "(S\\NP)\\(S\\NP)"
SENTENCE_MODIFIER = "S/S"
CATEGORIES = (
    *(",", ".", "N", "N/N", "NP[nb]/N"),
    *("(S\\NP)\\(S\\NP)", "((S\\NP)\\(S\\NP))/NP", "((S\\NP)\\(S\\NP))/N"),
    *("S/S", "(S/S)/NP", "(S/S)/N"),
    *("S[dcl]\\NP", "(S[dcl]\\NP)/NP", "S[b]\\NP", "(S[b]\\NP)/NP", "(S[dcl]\\NP)/(S[b]\\NP)"),
)


def of(words: Sequence[Word], *, transitive: bool) -> list[str]:
    """The category of each word of a statement."""
    negated = any(word.text == "did" for word in words)
    verb = ("S[b]\\NP" if negated else "S[dcl]\\NP", "/NP" if transitive else "")
    found = []
    for number, word in enumerate(words):
        fronted = not any(one.role == "agent" for one in words[:number])
        modifier = SENTENCE_MODIFIER if fronted else VERB_MODIFIER
        if word.tag == "VERB":
            found.append(f"({verb[0]}){verb[1]}" if transitive else verb[0])
        elif word.role in ("place", "time"):
            found.append(_modifying(words, number, modifier))
        else:
            found.append(_plain(word))
    return found


def _plain(word: Word) -> str:
    if word.tag == "PUNCT":
        return word.text
    if word.text == "did":
        return "(S[dcl]\\NP)/(S[b]\\NP)"
    if word.text == "not":
        return VERB_MODIFIER
    return {"DET": "NP[nb]/N", "ADJ": "N/N", "NUM": "N/N", "NOUN": "N", "PROPN": "N"}[word.tag]


def _modifying(words: Sequence[Word], number: int, modifier: str) -> str:
    """A word of a place or a time, of which the first makes a modifier of the whole."""
    word = words[number]
    alone = all(other.role != word.role for i, other in enumerate(words) if i != number)
    if alone:
        return modifier
    first = all(other.role != word.role for other in words[:number])
    if first:
        return f"({modifier})/" + ("NP" if word.tag == "ADP" else "N")
    if word.tag == "DET":
        return "NP[nb]/N"
    last = number + 1 == len(words) or words[number + 1].role != word.role
    return "N" if last else "N/N"

"""The rules a line of text must meet. Each is one test; the first that fails names the fault."""

from __future__ import annotations

import html
import re
import unicodedata
from typing import TYPE_CHECKING, Literal, TypeAlias

import regex

from xstilts.corpus.scripts import letters

if TYPE_CHECKING:
    from collections.abc import Iterator

Fault: TypeAlias = Literal["too_short", "too_long", "markup", "wrong_script", "fragment"]

MIN_LETTERS = 3
MAX_CHARACTERS = 700

# Zero-width joiners are spelling in Persian and in Indic scripts; all else here is invisible.
_INVISIBLE = regex.compile(r"(?V1)[\p{Cf}\p{Co}\p{Cs}--\u200c\u200d]")
_MARKUP = re.compile(
    r"</?[A-Za-z!]|\[\[|\]\]|[{}\\]|\w_\w|==|\*\*|&\w+;|^\||\|\|"
    r"|https?://|www\.|%[sd]\b|\.(?:jpe?g|png|svg|gif|JPG|PNG)\b"
)
# UTF-8 read as Latin-1 or Windows-1252, and what is left of characters that were lost.
_MOJIBAKE = re.compile(r"\ufffd|[ÂÃ][\u0080-\u00bf]|â€|[ÐÑ][\u0080-\u00bf]|ï»¿")
_SENTENCE_END = regex.compile(r"(?<=[.!?…؟۔।॥።։။])\s+|(?<=[。！？])\s*")
_ENDS_SENTENCE = regex.compile(r"[.!?…؟۔।॥።։။。！？][\p{Pe}\p{Pf}\"'”“»]*$")


def normalise(text: str) -> str:
    """The text in NFC, no entities or invisible characters, one space for any white space.

    Doubled apostrophes and accents, the quotation marks of typewriters, become one character.
    """
    if "&" in text:
        text = html.unescape(text)
    text = unicodedata.normalize("NFC", text)
    if not text.isprintable():  # most lines are, and this is quick to know
        text = _INVISIBLE.sub("", text)
        text = "".join(one if unicodedata.category(one) != "Cc" else " " for one in text)
    return " ".join(text.replace("''", '"').replace("``", '"').split())


def pieces(text: str) -> Iterator[str]:
    """A text of at most ``MAX_CHARACTERS`` as it is; a longer one as runs of whole sentences."""
    start = end = 0
    if len(text) > MAX_CHARACTERS:
        for boundary in (*(found.end() for found in _SENTENCE_END.finditer(text)), len(text)):
            if end > start and len(text[start:boundary].rstrip()) > MAX_CHARACTERS:
                yield text[start:end].rstrip()
                start = end
            end = boundary
    yield text[start:]


def fault(text: str, code: str) -> Fault | None:
    """The first rule that a normalised text in a language breaks; None where it breaks none.

    Raises:
        UserError: if the language is not in the table.
    """
    if len(text) > MAX_CHARACTERS:
        return "too_long"
    every, own = letters(text, code)
    if every < MIN_LETTERS:
        return "too_short"
    if _MARKUP.search(text) or _MOJIBAKE.search(text):
        return "markup"
    if 2 * own < every:
        return "wrong_script"
    return None


def entry_fault(text: str, code: str, most_letters: int) -> Fault | None:
    """As ``fault``, of a word or phrase in a dictionary."""
    every, own = letters(text, code)
    if every == 0:
        return "too_short"
    if every > most_letters:
        return "too_long"
    if _MARKUP.search(text) or "/" in text:
        return "markup"
    return "wrong_script" if 2 * own < every else None


def is_sentence(text: str) -> bool:
    """Whether a text ends like a sentence, as titles, redirects and list items do not."""
    return _ENDS_SENTENCE.search(text) is not None

"""Text of others, made safe for a terminal: what could move the cursor or turn text around shows.

Data sets, file names and models' answers hold whatever somebody wrote. Escape sequences can rewrite
what stands on the screen, and marks of direction can make a line read as another.
"""

from __future__ import annotations

import re

# Control characters but tab and newline; line and paragraph separators; the marks that embed,
# override and isolate directions. Joiners stay: Persian and Indic scripts are written with them.
_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)
_COLOUR = re.compile(r"(\x1b\[[0-9;]*m)")


def plain(text: str) -> str:
    r"""The text with every unsafe character as its number: ``\x1b``, ``\u202e``."""
    return _UNSAFE.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


def coloured(text: str) -> str:
    """The same for text that was drawn for a terminal: colours stay, which can do no harm."""
    return "".join(
        part if number % 2 else plain(part) for number, part in enumerate(_COLOUR.split(text))
    )

"""Errors meant for the person at the keyboard: one line, what, where, allowed, next step."""

from __future__ import annotations

import unicodedata
from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class UserError(Exception):
    """Something the user can put right. Shown as one line, without a traceback; exit code 2."""


class AbsentError(UserError):
    """Data, or a task, that is not to be had here; a study goes on without the condition."""


def first_line(error: BaseException) -> str:
    """Somebody else's error in one line: the first of its message, or its kind."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def look_alike(value: str, allowed: Iterable[str]) -> str:
    """What to say where a value only looks like an allowed one: other spaces, another form."""

    def seen(text: str) -> str:
        return " ".join(unicodedata.normalize("NFKC", text).split())

    same = next((one for one in allowed if one != value and seen(one) == seen(value)), None)
    return "" if same is None else f" (they look alike: {value!a} here, {same!a} allowed)"


def suggest(value: str, allowed: Iterable[str], command: str = "") -> str:
    """The tail of an error message: the closest allowed value, or the short list of all of them.

    Args:
        value: what the user wrote.
        allowed: every value that would have been accepted.
        command: what lists all of them, said where the list is cut.

    Returns:
        ``' did you mean "xnli"?'`` where something is close; else ``" allowed: a, b, c"``, cut
        after twelve.
    """
    choices = sorted(allowed)
    near = get_close_matches(value, choices, n=1, cutoff=0.6)
    if near:
        return f' did you mean "{near[0]}"?'
    shown = ", ".join(choices[:12])
    if len(choices) > 12:
        shown += f" (`{command}` lists all)" if command else ", ..."
    return f" allowed: {shown}" if choices else ""


def near(value: str, allowed: Iterable[str], ending: str = "") -> str:
    """``'; did you mean "a"?'`` where something is close; for lists that are shown already."""
    match = get_close_matches(value, allowed, n=1)
    return f'; did you mean "{match[0]}{ending}"?' if match else ""

"""Meaning to words: what an event is in a language."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from xstilts.microworld.grammar import Grammar
    from xstilts.microworld.meaning import Event, Role
    from xstilts.microworld.words import Word


@cache
def grammar(language: str) -> Grammar:
    """The grammar of a language: ``grammars/xx.py``."""
    found: Grammar = import_module(f"xstilts.microworld.grammars.{language}").GRAMMAR
    return found


def say(language: str, *events: Event, fronted: bool = False) -> list[Word]:
    """One sentence that says all the events.

    Args:
        language: its code.
        events: told in this order.
        fronted: whether a clause begins with its time, if it has one.
    """
    speaker = grammar(language)
    clauses = [speaker.clause(event, fronted=fronted) for event in events]
    return speaker.finished(speaker.join(clauses), speaker.stop)


def ask(language: str, event: Event, role: Role) -> list[Word]:
    """The question who, whom or what, where, or when it was."""
    return grammar(language).ask(event, role)


def why(language: str) -> list[Word]:
    """The question "Why?"."""
    speaker = grammar(language)
    return speaker.finished(speaker.lexicon.phrase("function", "why"), speaker.question)

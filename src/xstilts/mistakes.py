"""What is wrong with values that were declared, and where, in one line."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, TypeAlias

from xstilts.errors import UserError, suggest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pydantic import BaseModel, ValidationError
    from pydantic_core import ErrorDetails

    # From a place to its line (0 where there is none), its dotted key and what stands there.
    Find: TypeAlias = Callable[[tuple[str | int, ...]], tuple[int, str, str]]


LAST = 2**31  # a line after all others

_EXPECTED = {
    "unexpected": "{what}",
    "string_type": "text (in quotes)",
    "string_unicode": "text",
    "string_too_short": "text",
    "tuple_type": "a list such as [a, b]",
    "too_short": "at least one entry",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "greater_than": "more than {gt}",
    "greater_than_equal": "{ge} or more",
    "less_than": "less than {lt}",
    "less_than_equal": "{le} or less",
    "model_type": "keys and values",
}


def first(
    error: ValidationError, name: str, find: Find, models: Mapping[str, type[BaseModel]]
) -> UserError:
    """The first mistake, in one line.

    Args:
        error: all of them.
        name: of the file; "" where there is none.
        find: what stands at a place.
        models: of the whole, by "", and of what lies below a key.
    """
    told = [_explained(detail, name, find, models) for detail in error.errors()]
    return UserError(min(told, key=lambda one: one[0])[1])


def _explained(
    detail: ErrorDetails, name: str, find: Find, models: Mapping[str, type[BaseModel]]
) -> tuple[int, str]:
    """One validation error as its line (0 where there is none) and all there is to say of it."""
    kind, context = detail["type"], detail.get("ctx", {})
    line, key, source = find((*detail["loc"], *context.get("key", ())))
    where = ", ".join(part for part in (name, f"line {line}" if line else "", key) if part)
    found = f"found {source or 'nothing'}"
    if kind in ("extra_forbidden", "invalid_key"):
        *above, last = map(str, detail["loc"])
        owner = next((part for part in reversed(above) if part in models), "")
        message = f"unknown key;{suggest(last, models[owner].model_fields)}"
    elif kind == "missing":
        message = f"found no {detail['loc'][-1]}; it needs one"
        line = LAST  # a key that is missing is often one that is misspelt
    elif kind == "union_tag_not_found":
        needed = context["discriminator"][1:-1]
        message = f"found no {needed}; it needs one"
        if slip := get_close_matches(needed, map(str, detail["input"]), n=1):
            message = f'found "{slip[0]}" where "{needed}" should be'
    elif kind == "union_tag_invalid":
        allowed = re.findall(r"'(\w+)'", context["expected_tags"])
        message = f"found {context['tag']};{suggest(context['tag'], allowed)}"
    elif kind == "literal_error":
        allowed = re.findall(r"'(\w+)'", context["expected"])
        message = f"{found};{suggest(str(detail['input']), allowed)}"
    elif kind in _EXPECTED:
        message = f"{found}, expected {_EXPECTED[kind].format(**context)}"
    elif kind in ("fault", "value_error"):  # they say all there is to say
        message = detail["msg"].removeprefix("Value error, ")
    else:
        message = f"{found}: {detail['msg']}"
    return line, f"{where}: {message}" if where else message


def in_values(fields: Any, loc: tuple[str | int, ...]) -> tuple[int, str, str]:
    """No line, the dotted key and the value that an error is about."""
    dotted, value = "", fields
    for part in loc:
        if isinstance(value, list | tuple) and part in range(len(value)):
            value, dotted = value[int(part)], f"{dotted}[{part}]"
        elif isinstance(value, dict) and part in value:
            value, dotted = value[part], f"{dotted}.{part}".lstrip(".")
    return 0, dotted, cut(repr(value))


def cut(text: str) -> str:
    """A text on one line, cut after 60 characters."""
    line = one_line(text)
    return line if len(line) <= 60 else f"{line[:57]}..."


def one_line(text: str) -> str:
    """A text with single spaces in place of breaks and runs of them."""
    return " ".join(text.split())

"""JSON from outside, with the ways to be wrong that Python's parser does not call so."""

from __future__ import annotations

import json
from typing import Any


def parse(text: str | bytes) -> Any:
    """What a JSON document says.

    Raises:
        json.JSONDecodeError: if it is none, nested more deeply than Python's stack allows, holds
            a number of thousands of digits, or half a character.
        UnicodeDecodeError: if bytes are not text.
    """
    try:
        found = json.loads(text)
    except RecursionError:
        raise json.JSONDecodeError("nested too deeply", "", 0) from None
    except (json.JSONDecodeError, UnicodeDecodeError):
        raise
    except ValueError as error:
        raise json.JSONDecodeError(str(error), "", 0) from None
    marks = (r"\ud", r"\uD") if isinstance(text, str) else (rb"\ud", rb"\uD")
    if any(mark in text for mark in marks):  # type: ignore[operator]
        try:
            json.dumps(found, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise json.JSONDecodeError(r"half a character, such as \ud83d", "", 0) from None
    return found

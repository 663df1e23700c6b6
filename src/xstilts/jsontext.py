"""JSON from outside, where nesting too deep for the parser is one more way to be wrong."""

from __future__ import annotations

import json
from typing import Any


def parse(text: str | bytes) -> Any:
    """What a JSON document says.

    Raises:
        json.JSONDecodeError: if it is none, or nested more deeply than Python's stack allows.
        UnicodeDecodeError: if bytes are not text.
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise json.JSONDecodeError("nested too deeply", "", 0) from None

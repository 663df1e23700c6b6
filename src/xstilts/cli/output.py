"""What commands print alike: a JSON document, an interval, what of a study is still to come."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from xstilts.analysis.estimate import Estimate
    from xstilts.analysis.gains import Gains
    from xstilts.analysis.outcomes import Outcomes


def put(document: Any) -> None:
    """Print one JSON document."""
    sys.stdout.write(json.dumps(document, ensure_ascii=False, default=list) + "\n")


def state(outcomes: Outcomes) -> dict[str, Any]:
    """What is not in a study's outcomes, for its JSON document."""
    return {"absent": dict(outcomes.absent), "unfinished": outcomes.unfinished}


def left(outcomes: Outcomes) -> list[str]:
    """The same in lines."""
    lines = [f"not run: {path}: {reason}" for path, reason in outcomes.absent.items()]
    number = outcomes.unfinished
    return [*lines, f"unfinished: {number} scores are still to come"] if number else lines


def unpaired(found: Gains) -> list[str]:
    """What to add where paths stand alone."""
    if found.outcomes.unfinished:
        return []
    if not found.intermediates:
        first = next(iter(found.outcomes)).path
        other = f"mnli {first}" if first.startswith("|") else f"mnli > {first}"
        return [f'no intermediate task: give a path that has one, as "{other}", beside "{first}"']
    missing = found.unpaired().items()
    return [f'no baseline: give "{baseline}" beside "{path}"' for path, baseline in missing]


def interval(found: Estimate | None, scale: float = 100, digits: int = 1) -> str:
    """A difference with its interval, in points unless another scale is given."""
    if found is None:
        return ""
    value, low, high = (scale * number for number in (found.value, found.low, found.high))
    return f"{value:+.{digits}f} [{low:+.{digits}f}, {high:+.{digits}f}]"

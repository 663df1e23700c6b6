"""What commands print alike: a JSON document, an interval, what of a study is still to come."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from xstilts.analysis.estimate import Estimate
    from xstilts.analysis.gains import Gains
    from xstilts.analysis.outcomes import Outcomes


def put(document: Any) -> None:
    """Print one JSON document; what is infinite or no number is null, as JSON has neither."""
    text = json.dumps(_finite(document), ensure_ascii=False, default=list, allow_nan=False)
    sys.stdout.write(text + "\n")


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {name: _finite(one) for name, one in value.items()}
    return [_finite(one) for one in value] if isinstance(value, list | tuple) else value


def state(outcomes: Outcomes) -> dict[str, Any]:
    """What is not in a study's outcomes, for its JSON document."""
    return {"absent": dict(outcomes.absent), "unfinished": outcomes.unfinished}


def left(outcomes: Outcomes) -> list[str]:
    """The same in lines."""
    lines = [f"not run: {path}: {reason}" for path, reason in outcomes.absent.items()]
    number = outcomes.unfinished
    return [*lines, f"unfinished: {number} scores are still to come"] if number else lines


def unpaired(found: Gains) -> list[str]:
    """What is not compared, and what to add where paths stand alone."""
    aside = [
        f'not compared: "{path}": its target stands twice, and gains are of "{last}"'
        for path, last in found.set_aside().items()
    ]
    if found.outcomes.unfinished:
        return aside
    if not found.intermediates:
        first = next(iter(found.outcomes)).path
        other = f"mnli {first}" if first.startswith("|") else f"mnli > {first}"
        return [f'no intermediate task: give a path that has one, as "{other}", beside "{first}"']
    missing = found.unpaired().items()
    alone = [f'no baseline: give "{baseline}" beside "{path}"' for path, baseline in missing]
    return [*aside, *alone]


def interval(found: Estimate | None, scale: float = 100, digits: int = 1) -> str:
    """A difference with its interval, in points unless another scale is given."""
    if found is None:
        return ""
    value, low, high = (scale * number for number in (found.value, found.low, found.high))
    return f"{value:+.{digits}f} [{low:+.{digits}f}, {high:+.{digits}f}]"

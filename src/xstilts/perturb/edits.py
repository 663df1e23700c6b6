"""Edits of a text, drawn from a seed, and where a part of the text stands after them.

Every site of a text has two numbers of its own, drawn from the seed, the perturbation and the
text: the site is edited where the first is below the severity, and the second picks what comes
instead. So the edits at a lower severity are among those at a higher one, and equal texts are
perturbed alike wherever they stand.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from xstilts.identity import stream_seed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xstilts.perturb.base import Perturbation
    from xstilts.perturb.clusters import Range


class Edit(NamedTuple):
    """The text from ``start`` to ``end``, in code points, becomes ``text``."""

    start: int
    end: int
    text: str


def draw(
    text: str,
    perturbation: Perturbation,
    severity: float,
    seed: int,
    language: str,
    keep: Sequence[Range] = (),
) -> list[Edit]:
    """The edits of a text, in order; none overlaps another.

    Args:
        text: of one language.
        perturbation: what is done.
        severity: the share of the sites that is edited, from 0 to 1.
        seed: of the draws.
        language: its code.
        keep: parts that must be found again, such as answers and the words of a sentence: no edit
            reaches over the end of one, and none is left blank.
    """
    sites = perturbation.sites(text, language) if severity > 0 else ()
    stream = np.random.default_rng(stream_seed("perturb", perturbation.name, seed, text))
    draws = stream.random((len(sites), 2))
    walls = {wall for part in keep for wall in part}
    found: list[Edit] = []
    for place in np.flatnonzero(draws[:, 0] < severity).tolist():
        start, end = sites[place]
        if any(start < wall < end for wall in walls):
            continue
        options = perturbation.options(text, (start, end), language)
        found.append(Edit(start, end, options[int(draws[place, 1] * len(options))]))
    return _without_blanks(text, found, keep) if keep else found


def apply(text: str, edits: Sequence[Edit]) -> str:
    """The text after the edits."""
    pieces, at = [], 0
    for edit in edits:
        pieces += [text[at : edit.start], edit.text]
        at = edit.end
    return "".join([*pieces, text[at:]])


def moved(part: Range, edits: Sequence[Edit]) -> Range:
    """Where a kept part of the text stands after the edits; what is put beside it is outside."""
    start, end = part
    before = [edit for edit in edits if edit.end <= start]
    inside = [edit for edit in edits if edit.end > start and edit.start < end]
    new_start = start + sum(map(_growth, before))
    return new_start, new_start + end - start + sum(map(_growth, inside))


def _growth(edit: Edit) -> int:
    return len(edit.text) - (edit.end - edit.start)


def _without_blanks(text: str, edits: list[Edit], keep: Sequence[Range]) -> list[Edit]:
    """The edits but for those in a part that would hold nothing any more."""
    for part in keep:
        inside = [edit for edit in edits if edit.end > part[0] and edit.start < part[1]]
        if inside and text[slice(*part)].strip():
            new = apply(text, inside)
            if not new[slice(*moved(part, inside))].strip():
                edits = [edit for edit in edits if edit not in inside]
    return edits

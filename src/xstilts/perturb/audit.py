"""An audit: a sheet of perturbed examples for a person, and what the person found, as a rate.

The sheet is a CSV file. The person writes yes or no into its last column: does the label still
hold after the edit?
"""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from xstilts.disk.whole import whole
from xstilts.errors import UserError
from xstilts.formats.examples import Bitext, Candidate, Choice, Pair, Question, Tagged
from xstilts.identity import stream_seed

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from xstilts.formats.examples import Example

COLUMNS = ("task", "language", "noise", "seed", "id", "label", "before", "after", "label_holds")
_ANSWERS = {"yes": True, "y": True, "1": True, "no": False, "n": False, "0": False}
_Z = 1.959964  # of a two-sided interval of 95 %


@dataclass(frozen=True)
class Audit:
    """What a person found.

    Attributes:
        task: as the sheet says.
        language: as the sheet says.
        noise: as the sheet says.
        held: examples whose label still holds.
        judged: examples with a yes or a no.
        rows: examples of the sheet.
    """

    task: str
    language: str
    noise: str
    held: int
    judged: int
    rows: int

    @property
    def rate(self) -> float:
        """The share of the judged examples whose label still holds."""
        return self.held / self.judged

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the rate, by Wilson's score."""
        return wilson(self.held, self.judged)


def wilson(hits: int, n: int) -> tuple[float, float]:
    """The 95 % score interval of a share (Wilson 1927): from, to."""
    rate, z2 = hits / n, _Z**2
    middle = (rate + z2 / (2 * n)) / (1 + z2 / n)
    half = _Z / (1 + z2 / n) * math.sqrt(rate * (1 - rate) / n + z2 / (4 * n * n))
    return max(0.0, middle - half), min(1.0, middle + half)


def sample(
    before: Sequence[Example], after: Sequence[Example], n: int, seed: int
) -> list[tuple[Example, Example]]:
    """At most n of the examples that were changed, drawn without replacement, in their order."""
    changed = [pair for pair in zip(before, after, strict=True) if pair[0] != pair[1]]
    stream = np.random.default_rng(stream_seed("audit", seed))
    drawn = stream.choice(len(changed), size=min(n, len(changed)), replace=False)
    return [changed[i] for i in sorted(drawn)]


def write(
    path: Path,
    named: tuple[str, str, str, int],
    pairs: Iterable[tuple[Example, Example]],
) -> None:
    """Write a sheet.

    Args:
        path: of the file.
        named: task, language, noise, seed.
        pairs: examples before and after.

    Raises:
        UserError: if the file is there; somebody may have filled it in.
    """
    if path.exists():
        raise UserError(f"{path} is there already: move it away, or read it with --read-audit")
    # The encoding's mark is for spreadsheets.
    with whole(path) as part, part.open("w", encoding="utf-8-sig", newline="") as file:
        sheet = csv.writer(file)
        sheet.writerow(COLUMNS)
        for old, new in pairs:
            texts = ("\n".join(shown(one)) for one in (old, new))
            sheet.writerow([*named, old.id, label(old), *texts, ""])


def read(path: Path) -> Audit:
    """What the person wrote into a sheet.

    Raises:
        UserError: if it is no such sheet, nothing is judged, or an answer is neither yes nor no.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            sheet = csv.DictReader(file, strict=True)
            if tuple(sheet.fieldnames or ()) != COLUMNS:
                wanted = ", ".join(COLUMNS)
                raise UserError(f"{path} is no audit sheet: its columns should be {wanted}")
            rows = list(sheet)
    except (csv.Error, UnicodeDecodeError) as error:
        raise UserError(f"{path} is no audit sheet: not CSV in UTF-8 ({error!s:.80})") from None
    if any(None in row or None in row.values() for row in rows):
        raise UserError(f"{path}: a row has more or fewer cells than columns: save it as CSV again")
    judged = []
    for number, row in enumerate(rows, start=1):
        answer = row["label_holds"].strip().casefold()
        if answer and answer not in _ANSWERS:
            raise UserError(
                f'{path}, example {number} (id {row["id"]}): "{answer:.40}" in label_holds is '
                "neither yes nor no"
            )
        if answer:
            judged.append(_ANSWERS[answer])
    if not judged:
        raise UserError(f"{path}: nothing is judged yet: write yes or no into label_holds")
    first = rows[0]
    return Audit(
        first["task"], first["language"], first["noise"], sum(judged), len(judged), len(rows)
    )


def shown(one: Example) -> tuple[str, ...]:
    """The texts of an example that can be edited."""
    match one:
        case Pair():
            return (one.text_a,) if one.text_b is None else (one.text_a, one.text_b)
        case Choice():
            return (one.prompt, *(f"{i}: {choice}" for i, choice in enumerate(one.choices)))
        case Tagged():
            return (" ".join(one.words),)
        case Question():
            return (one.context, one.question)
        case Candidate():
            return one.texts
        case _:
            return (one.text,)


def label(one: Example) -> str:
    """What should still hold, for people."""
    match one:
        case Pair():
            return one.label
        case Choice():
            return str(one.label)
        case Tagged():
            return " ".join(one.tags)
        case Question():
            return " | ".join(dict.fromkeys(one.answers))
        case Bitext():
            return one.english
        case _:
            return ""

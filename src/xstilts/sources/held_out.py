"""Which rows are held out for selection: whole groups, the same ones in every language.

Translated training rows are held out with the English rows that they are of.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from xstilts.errors import UserError
from xstilts.identity import stream_seed
from xstilts.tasks.base import HoldOut

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from xstilts.formats.examples import Example
    from xstilts.tasks import Task
    from xstilts.tasks.base import Data


def held_by(data: Data, split: str, language: str) -> str:
    """What says whether a row is held out, see `xstilts.tasks.base.Data.translated_by`."""
    is_translated = split == "train" and language != "en" and data.translated is not None
    return data.translated_by if is_translated else "group"


def without(
    found: Sequence[Example],
    task: Task,
    data: Data,
    language: str,
    english: Callable[[str], Sequence[Example]],
) -> list[Example]:
    """The training rows of a language that are not held out.

    Args:
        found: its training rows, those that are to be held out among them.
        task, data: of the rows; selection rows are a `HoldOut`.
        language: code.
        english: split -> the English rows on that side.

    Raises:
        UserError: if rows are held out by ids and no row has the id of an English one.
    """
    by, hold_out = held_by(data, "train", language), data.select
    assert isinstance(hold_out, HoldOut)
    if by == "none":
        return list(found)
    if by == "group":
        return [one for one in found if not is_held_out(task.name, one.group, hold_out)]
    held, trained = ({one.id for one in english(split)} for split in ("select", "train"))
    if not any(one.id in held | trained for one in found):
        raise UserError(
            f'task "{task.name}": no row in {language} has the id of an English one, so that '
            "translations of selection rows cannot be left out: the files are not of one set"
        )
    return [one for one in found if one.id not in held]


def is_held_out(task: str, group: str, hold_out: HoldOut) -> bool:
    """Whether a group is, by a hash of its name."""
    return stream_seed("hold-out", task, group) < hold_out.share * 2**63

"""Rows known by name alone: to see what a study takes where its data cannot be had."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xstilts.identity import fingerprint
from xstilts.sources import Sources, locate
from xstilts.tasks.base import Hub, Joined

if TYPE_CHECKING:
    from xstilts.sources import Split
    from xstilts.tasks.base import Data, Task


class NominalSources(Sources):
    """Fingerprints of the hub's rows that say which rows are meant, not what is in them.

    A plan made with them has the right shape. Its identities are nobody else's.
    """

    def fingerprint(self, task: Task, data: Data, split: Split, language: str) -> str:
        """As that of its parent, but nothing of the hub is asked for."""
        rows, _ = locate(task, data, split, language)
        if isinstance(rows, Hub | Joined):
            return fingerprint(["nominal", task.name, split, language])
        return super().fingerprint(task, data, split, language)

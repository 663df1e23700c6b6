"""The mirror: a folder of the datasets' original files, with a folder for each dataset."""

from __future__ import annotations

from pathlib import Path

from xstilts.errors import UserError
from xstilts.tasks import TASKS
from xstilts.tasks.base import Files


def check(mirror: Path) -> None:
    """See that a folder is a mirror, whole or in part.

    Raises:
        UserError: if it is no folder, or holds no dataset that a task knows.
    """
    wrong = f'XSTILTS_MIRROR is "{mirror}", '
    if not mirror.is_dir():
        raise UserError(
            f"{wrong}which is no folder: set it to the folder of the datasets' original files"
        )
    if _holds_datasets(mirror):
        return
    near = next(filter(_holds_datasets, (mirror.parent, *sorted(mirror.iterdir()))), None)
    hint = f'did you mean "{near}"?' if near else "set it to the folder that these lie in"
    raise UserError(f"{wrong}which holds none of the datasets' folders ({_some()}): {hint}")


def _folders() -> set[str]:
    """The folders that the built-in tasks' files lie in."""
    found = set()
    for task in TASKS.values():
        data = task.sources.get("mirror")
        for rows in (data.train, data.select, data.evaluate) if data else ():
            if isinstance(rows, Files):
                found.add(Path(rows.path).parts[0])
    return found


def _holds_datasets(folder: Path) -> bool:
    return any((folder / name).is_dir() for name in _folders())


def _some() -> str:
    return ", ".join([*sorted(_folders())[:4], "..."])

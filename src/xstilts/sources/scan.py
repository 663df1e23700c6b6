"""Raw rows against a task file: each has its columns, with values of the right kind in them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from xstilts.errors import UserError, look_alike, near
from xstilts.sources import readers
from xstilts.sources.taskfile import shown
from xstilts.tasks.base import Files, Hub

FILLED = ("text_a", "prompt", "context", "question", "text", "english", "query")

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from xstilts.sources import Split
    from xstilts.sources.taskfile import TaskFile
    from xstilts.tasks.base import Row, Rows


def scan(
    file: TaskFile,
    split: Split,
    rows: Rows,
    language: str,
    columns: Mapping[str, tuple[str, ...]],
) -> set[str]:
    """Read one split in one language to its last row.

    Args:
        file: the task file, for errors.
        split: its key that names the rows.
        rows: where they are.
        language: fills the gaps in their names.
        columns: field -> its column, or all its columns.

    Returns:
        The labels that occur, by the task's names for them.

    Raises:
        UserError: if the rows cannot be opened, there are none, or one of them does not fit.
    """
    where, opened = _open(file, split, rows, language)
    # Raw text may have empty lines, and rows of the hub are not the user's to mend.
    filled = isinstance(rows, Files) and file.text("format") != "mlm"
    labelled = [field for field in ("label", "tags") if field in columns]
    labels: set[str] = set()
    number = 0
    for number, row in enumerate(opened, start=1):
        place = f"{where}, row {number}"
        for field, names in columns.items():
            for name in names:
                _check(file, field, name, row, place, alone=len(names) == 1, filled=filled)
        for field in labelled:
            value = row[columns[field][0]]
            for raw in map(str, value if field == "tags" else [value]):
                if not raw or (rows.labels and raw not in rows.labels):
                    expected = f"one of: {', '.join(rows.labels)}" if rows.labels else "a label"
                    found = f"{place}: found {raw or 'nothing'}, expected {expected}"
                    found += look_alike(raw, rows.labels)
                    raise file.fault(f"columns.{field}", found)
                label = rows.labels.get(raw, raw)
                labels.update([] if label is None else [label])
    if number == 0:
        raise file.fault(split, f"{where} has no rows")
    if labelled and not labels:
        raise file.fault(split, f"{where}: no row has a label")
    return labels


def _open(file: TaskFile, split: Split, rows: Rows, language: str) -> tuple[str, Iterator[Row]]:
    """The rows, and what messages call the place that they come from."""
    if isinstance(rows, Hub):
        from xstilts.sources import hub

        try:
            return f"{rows.repo} ({rows.split})", hub.rows(rows, language)
        except UserError as error:
            raise file.fault(split, str(error)) from None
    assert isinstance(rows, Files)  # people's own rows are never generated
    path = Path(rows.folder or "", rows.path.format(lang=language))
    for one in (path, path.with_suffix(".eng")) if rows.reader == "parallel" else (path,):
        if not one.is_file():
            share = ", or a share of the training rows such as 10%" if split == "select" else ""
            there = [other.stem for other in one.parent.glob(f"*{one.suffix}")]
            hint = near(one.stem, there, one.suffix)
            raise file.wrong(split, f"a file{share}; there is no {one}{hint}")
    return str(path), readers.read(rows, path)


def _check(
    file: TaskFile, field: str, column: str, row: Row, where: str, *, alone: bool, filled: bool
) -> None:
    """The row has the column, and in it what the field needs.

    Args:
        alone: whether it is the field's only column.
        filled: whether text must say something.
    """
    key = f"columns.{field}"
    if column not in row:
        expected = f"a column of {where}: {', '.join(row)}"
        if file.at(key) is None:
            raise file.wrong(key, expected)
        raise file.fault(key, f"found {column}, expected {expected}{near(column, row)}")
    expected = _expected(field, row[column], alone=alone)
    if filled and field in FILLED and not str(row[column]).strip():
        expected = "text"
    if expected:
        found = f"found {shown(row[column])} in column {column}"
        raise file.fault(key, f"{where}: {found}, expected {expected}")


def _expected(field: str, value: Any, *, alone: bool) -> str:
    """What the value of a field should be, if it is something else."""
    if field == "answers":
        return "" if _is_answers(value) else 'such as {"text": ["a"], "answer_start": [0]}'
    if field == "words":
        return "" if _is_list(value, str) else "a list of words"
    if field == "tags":
        return "" if _is_list(value, str | int) else "a list of tags"
    if field == "choices" and alone:
        good = _is_list(value, str | int | float)
        return "" if good else "a list; several columns are written [a, b]"
    if field in ("choices", "label"):
        return "" if isinstance(value, str | int | float) else "text or a number"
    return "" if field in ("id", "group") or isinstance(value, str) else "text"


def _is_list(value: Any, kind: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, kind) for one in value)


def _is_answers(value: Any) -> bool:
    if not isinstance(value, dict) or not {"text", "answer_start"} <= value.keys():
        return False
    texts, starts = value["text"], value["answer_start"]
    return _is_list(texts, str) and _is_list(starts, int) and len(texts) == len(starts)

"""Sources: from a task and a split to typed examples, and to the fingerprint of the data.

One way in for training, selection and evaluation rows alike, whatever the source.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from xstilts import languages, microworld
from xstilts.errors import AbsentError, UserError
from xstilts.formats.examples import BadRowError, example
from xstilts.identity import fingerprint, known_sha256
from xstilts.sources import groups, readers
from xstilts.sources.held_out import held_by, is_held_out, without
from xstilts.sources.kept import Kept
from xstilts.tasks import TASKS, stand_in
from xstilts.tasks.base import Files, Generated, HoldOut, Hub, Joined, Rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from xstilts.formats.examples import Example
    from xstilts.microworld.meaning import Pool
    from xstilts.tasks.base import Data, Task

# The last three of retrieval: candidates, and what thresholds and layers are chosen on.
Split = Literal["train", "select", "evaluate", "pool", "tune", "tune_pool"]
# Folders of files that are on no hub: people bring their own, whatever the source.
BROUGHT = ("ccg", "bucc2018", "lareqa", "mewslix")


@dataclass
class Sources:
    """Opens rows. One object a run; it remembers files it has hashed and rows it has read.

    Attributes:
        mirror: the folder of the datasets' original files, for source ``mirror``. A user's own
            files have a folder of their own.
        commits: dataset of the hub -> the commit that its rows were read at.
        read_seconds: what reading rows has taken.
    """

    mirror: Path | None = None
    commits: dict[str, str] = field(default_factory=dict)
    read_seconds: float = 0.0
    _hashes: dict[Path, str] = field(default_factory=dict, repr=False)
    _groups: dict[str, dict[str, str]] = field(default_factory=dict, repr=False)
    _kept: Kept = field(default_factory=Kept, repr=False)

    def __getstate__(self) -> dict[str, Any]:
        """It travels between processes without what it remembers."""
        return self.__dict__ | {"_hashes": {}, "_groups": {}, "_kept": Kept()}

    @classmethod
    def from_environment(cls) -> Sources:
        """With the mirror that ``XSTILTS_MIRROR`` names, if it is set."""
        mirror = os.environ.get("XSTILTS_MIRROR")
        return cls(mirror=Path(mirror).absolute() if mirror else None)

    def examples(self, task: Task, data: Data, split: Split, language: str) -> list[Example]:
        """All examples of one split in one language, in the order of the file.

        Raises:
            UserError: if there is no such split, or a file or row is not as it should be.
        """
        began = time.perf_counter()
        try:
            content = self.fingerprint(task, data, split, language)
            key = (task.name, split, language, content)
            return self._kept.get(key, lambda: self._read(task, data, split, language))
        finally:
            self.read_seconds += time.perf_counter() - began

    def _read(self, task: Task, data: Data, split: Split, language: str) -> list[Example]:
        rows, hold_out = locate(task, data, split, language)
        found = self._grouped(task, rows, language)
        if split == "evaluate" and task.parallel:
            found = groups.named(found, self._group_names(task, data))
        if hold_out is not None and split == "select":
            found = [one for one in found if is_held_out(task.name, one.group, hold_out)]
        elif hold_out is not None:
            english = partial(self.examples, task, data, language="en")
            found = without(found, task, data, language, english)
        if not found:
            where = self._where(rows, language)
            why = f"no group of {where} fell to it" if hold_out else f"{where} holds none"
            raise UserError(f'task "{task.name}" has no {split} rows in {language}: {why}')
        return found

    def _group_names(self, task: Task, data: Data) -> dict[str, str]:
        """Id -> group of a translated test set, as its first language says."""
        first = _first_language(task, data)
        key = self.fingerprint(task, data, "evaluate", first)
        if key not in self._groups:
            rows = self._grouped(task, locate(task, data, "evaluate")[0], first)
            self._groups[key] = {one.id: one.group for one in rows}
        return self._groups[key]

    def _grouped(self, task: Task, rows: Rows | Joined, language: str) -> list[Example]:
        if isinstance(rows, Joined):
            parts = enumerate(rows.parts, start=1)
            found = _in_proportion([[*self._examples(task, p, language, n)] for n, p in parts])
        else:
            found = list(self._examples(task, rows, language))
        return groups.tied(found, task.tied_by) if task.tied_by else found

    def fingerprint(self, task: Task, data: Data, split: Split, language: str) -> str:
        """The identity of a split's rows: content of the files and how columns are read.

        Raises:
            UserError: as ``examples``.
        """
        try:
            return self._fingerprint(task, data, split, language)
        except AbsentError as error:
            raise AbsentError(f"{error}{stand_in(task.name)}") from None

    def _fingerprint(self, task: Task, data: Data, split: Split, language: str) -> str:
        rows, hold_out = locate(task, data, split, language)
        reading: dict[str, Any] = {
            "task_labels": list(task.labels),
            "hold_out": [hold_out.share, split] if hold_out else None,
        }
        if hold_out and task.name not in TASKS:
            reading["held_out_of"] = task.name  # which rows they are goes by it, too
        if hold_out and (by := held_by(data, split, language)) != "group":
            english = self._fingerprint(task, data, "select", "en") if by == "id" else None
            reading["held_by"] = [by, english]
        if task.tied_by:
            reading["tied_by"] = [*task.tied_by, f"but for {groups.NO_SENTENCE}"]
        first = _first_language(task, data)
        if split == "evaluate" and task.parallel and language != first:
            reading["groups"] = self._fingerprint(task, data, split, first)
        if isinstance(rows, Joined):
            each = [[*self._content(part, language), reading] for part in rows.parts]
            return fingerprint([*each, "in proportion"])
        content, columns = self._content(rows, language)
        return fingerprint([content, columns | reading])

    def _content(self, rows: Rows, language: str) -> tuple[Any, dict[str, Any]]:
        """What identifies the rows of one place, and how their columns are read."""
        if isinstance(rows, Hub):
            from xstilts.sources import hub

            content: Any = hub.resolve(rows, language)
            self.commits[rows.repo] = content["revision"]
        elif isinstance(rows, Generated):
            content = microworld.content(*_drawn(rows), language)
        else:
            content = [self._sha256(path) for path in self._paths(rows, language)]
        columns = {
            "fields": dict(rows.fields),
            "labels": dict(rows.labels),
            "adapt": rows.adapt.__name__ if rows.adapt else None,
        }
        if rows.expand:
            columns["expand"] = rows.expand.__name__
        if isinstance(rows, Files) and rows.language_column:
            columns["language"] = [rows.language_column, language]
        if isinstance(rows, Files) and rows.folder is not None:  # a user may correct what was said
            columns |= {"reader": rows.reader, "header": rows.header}
        return content, columns

    def _examples(self, task: Task, rows: Rows, language: str, part: int = 0) -> Iterator[Example]:
        seen: dict[str, int] = {}
        where = self._where(rows, language)
        for number, raw in enumerate(self._raw(rows, language)):
            try:
                fields = _fields(rows, raw)
                if fields is None:
                    continue
                name = f"{part}:" * bool(part) + str(fields.get("id", number))
                seen[name] = seen.get(name, 0) + 1
                if seen[name] > 1:  # some official files repeat ids
                    name = f"{name}#{seen[name]}"
                yield example(task, fields, name)
            except BadRowError as error:
                raise UserError(f"{where}, row {number + 1}: {error}") from None

    def _where(self, rows: Rows | Joined, language: str) -> str:
        """What messages call the place that the rows come from."""
        if not isinstance(rows, Files):
            return rows.place
        return str(self._paths(rows, language)[0])

    def _raw(self, rows: Rows, language: str) -> Iterator[dict[str, Any]]:
        found: Iterator[dict[str, Any]]
        if isinstance(rows, Hub):
            from xstilts.sources import hub

            found = hub.rows(rows, language)
        elif isinstance(rows, Generated):
            found = iter(microworld.rows(*_drawn(rows), language))
        else:
            found = readers.read(rows, self._paths(rows, language)[0])
        if rows.expand is not None:
            found = _expanded(rows, found)
        if isinstance(rows, Files) and rows.language_column:
            found = (row for row in found if row.get(rows.language_column) == language)
        return found

    def _paths(self, rows: Files, language: str) -> list[Path]:
        """The files of one split in one language, which are there; the English side comes last."""
        name = rows.path.format(lang=language, tatoeba=languages.get(language).tatoeba)
        folder = self.mirror if rows.folder is None else Path(rows.folder)
        if folder is None and not Path(name).is_absolute():
            if name.partition("/")[0] in BROUGHT:
                raise AbsentError(f"{name} lies in the folder XSTILTS_MIRROR, which is not set")
            raise UserError(
                "source mirror needs XSTILTS_MIRROR, the folder of the datasets' original files: "
                "set it, or use --source hub"
            )
        path = (folder or Path()) / name
        beside = {
            "parallel": [path.with_suffix(".eng")],
            "supertags": [path.with_name(readers.SUPERTAG_NUMBERS)],
        }
        paths = [path, *beside.get(rows.reader, [])]
        for one in paths:
            if not one.is_file():
                raise AbsentError(f"no file {one}: check the source's folder")
        gold = readers.gold_pairs(path)
        return [*paths, gold] if rows.reader == "bucc" and gold.is_file() else paths

    def contents(self) -> dict[str, str]:
        """What was fingerprinted: absolute path -> SHA-256 of the file, dataset -> its commit."""
        files = {str(path.resolve()): sha for path, sha in self._hashes.items()}
        return files | {f"dataset {repo}": commit for repo, commit in self.commits.items()}

    def _sha256(self, path: Path) -> str:
        self._hashes[path] = known_sha256(path)
        return self._hashes[path]


def _in_proportion(parts: Sequence[Sequence[Example]]) -> list[Example]:
    """All rows, so that the first ones of them hold of each part what is its share of the whole."""
    placed = [
        ((place + 0.5) / len(part), number, one)
        for number, part in enumerate(parts)
        for place, one in enumerate(part)
    ]
    return [one for *_, one in sorted(placed, key=lambda row: row[:2])]


def _expanded(rows: Rows, found: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The several rows that each raw row holds."""
    assert rows.expand is not None
    for raw in found:
        try:
            yield from map(dict, rows.expand(raw))
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise UserError(
                f"{rows.place}: unexpected columns, {error!r:.80}: {', '.join(raw)}"
            ) from None


def _drawn(rows: Generated) -> tuple[str, str, Pool, int]:
    return rows.task, rows.family, rows.pool, rows.count


def locate(
    task: Task, data: Data, split: Split, language: str = "en"
) -> tuple[Rows | Joined, HoldOut | None]:
    """Where the split's rows are in a language, and what part of them it is.

    Raises:
        UserError: if the task has no such split in this source.
    """
    rows = getattr(data, split)
    if isinstance(rows, HoldOut):
        rows = data.train
    if split == "train" and language != "en" and data.translated is not None:
        rows = data.translated
    if rows is None:
        raise AbsentError(
            f'task "{task.name}" has no {split} rows in this source{_hint(task, split)}'
        )
    hold_out = data.select if isinstance(data.select, HoldOut) else None
    return rows, hold_out if split in ("train", "select") else None


def _hint(task: Task, split: Split) -> str:
    """What to do about selection rows that are not there: only some recipes ask for them."""
    if split != "select":
        return ""
    own = "" if task.name in TASKS else 'add "select: 10%" to its task file, or '
    return f": {own}take a recipe that keeps the last step, such as mini"


def _first_language(task: Task, data: Data) -> str:
    """The language whose rows name the groups of a translated test set."""
    return (data.languages or task.languages)[0]


def _fields(rows: Rows, raw: dict[str, Any]) -> dict[str, Any] | None:
    """The raw row with the format's field names and the task's labels; None drops the row."""
    if rows.adapt is not None:
        try:
            adapted = rows.adapt(raw)
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise BadRowError(f"unexpected columns, {error!r}: {', '.join(raw)}") from None
        if adapted is None:
            return None
        raw = dict(adapted)
    fields = dict(raw)
    for name, column in rows.fields.items():
        if column not in raw:
            raise BadRowError(f'no column "{column}"; the columns are: {", ".join(raw)}')
        fields[name] = raw[column]
    if rows.labels:
        for key in ("label", "tags"):
            if key in fields:
                fields[key] = _relabel(rows, fields[key])
        if fields.get("label", "") is None:
            return None
    return fields


def _relabel(rows: Rows, value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [rows.labels.get(str(one), str(one)) for one in value]
    return rows.labels.get(str(value), str(value))

"""What a task file says, before any row is read."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

from xstilts import languages
from xstilts.errors import UserError
from xstilts.tasks.base import Data, Files, HoldOut, Hub

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from xstilts.sources import Split
    from xstilts.sources.taskfile import TaskFile
    from xstilts.tasks.base import Format, Reader, Row, Rows

KEYS = (
    *("name", "about", "license", "format", "train", "select", "evaluate", "train_on"),
    *("languages", "train_languages", "columns", "labels", "metrics", "hub"),
)
FILE_KEYS = ("reader", "header")  # go without hub
HUB_KEYS = ("config", "revision")  # go with hub

FIELDS: Mapping[Format, tuple[str, ...]] = {
    "classification": ("text_a", "label"),
    "multiple_choice": ("prompt", "choices", "label"),
    "tagging": ("words", "tags"),
    "span": ("context", "question", "answers"),
    "retrieval": ("text", "english"),
    "mlm": ("text",),
}
OPTIONAL_FIELDS = ("id", "group")  # and text_b in classification
READERS: Mapping[Format, tuple[Reader, ...]] = {
    "classification": ("csv", "tsv", "jsonl"),
    "multiple_choice": ("csv", "tsv", "jsonl"),
    "tagging": ("conll", "jsonl", "supertags"),
    "span": ("squad", "jsonl"),
    "retrieval": ("csv", "tsv", "jsonl", "parallel"),
    "mlm": ("lines", "csv", "tsv", "jsonl"),
}
ENDINGS: Mapping[str, tuple[Reader, ...]] = {
    ".csv": ("csv",),
    ".tsv": ("tsv",),
    ".jsonl": ("jsonl",),
    ".json": ("squad", "jsonl"),
    ".conll": ("conll",),
    ".conllu": ("conll",),
    ".txt": ("conll", "lines"),
}


def absolute(repo: str, folder: Path) -> str:
    """A dataset's name on the hub as it is; that of a folder as an absolute path."""
    return str((folder / repo).resolve()) if repo.startswith(("/", "./", "../")) else repo


class Declaration:
    """A task file, understood as far as it goes without the rows.

    Attributes:
        file: as it was read.
        name: of the task.
        format: of the task.
        columns: field -> its column, or all its columns.
        labels: in the order of the head's outputs; empty where the rows must tell.
        languages: those of ``evaluate`` (of ``train`` in mlm), English first if it is one.
        data: where the rows are.

    Raises:
        UserError: for the first thing that is wrong.
    """

    def __init__(self, file: TaskFile) -> None:
        self.file = file
        if "format" not in file.values and {"paths", "targets"} & file.values.keys():
            raise UserError(f"{file.name} is a study, not a task file: give it in place of paths")
        file.check_keys(KEYS + FILE_KEYS + HUB_KEYS)
        self._repo = absolute(file.text("hub"), file.folder)
        for key in FILE_KEYS if self._repo else HUB_KEYS:
            if key in file.values:
                raise file.fault(key, f"goes {'without' if self._repo else 'with'} the key hub")
        self.name = file.text("name")
        if not re.fullmatch("[a-z][a-z0-9_]*", self.name):
            raise file.wrong("name", 'lower-case letters, digits and "_", a letter first')
        self.format = cast("Format", file.one_of("format", FIELDS))
        self.columns = self._columns()
        self.labels, self._renamed = self._labels()
        self.languages = self._codes("languages") or ("en",)
        self.data = self._data()

    def splits(self) -> Iterator[tuple[Split, str, Rows]]:
        """Every split and language that may be asked for; selection rows are always English."""
        data = self.data
        if data.train is not None:
            for code in data.train_languages:
                yield "train", code, cast("Rows", data.train)
        select = data.train if isinstance(data.select, HoldOut) else data.select
        if select is not None:
            yield "select", "en", cast("Rows", select)
        if data.evaluate is not None:
            for code in self.languages:
                yield "evaluate", code, cast("Rows", data.evaluate)

    def _columns(self) -> dict[str, tuple[str, ...]]:
        """Field -> its column, or all its columns; a needed field's is called as the field is."""
        needed = FIELDS[self.format]
        optional = (("text_b",) if self.format == "classification" else ()) + OPTIONAL_FIELDS
        columns: dict[str, tuple[str, ...]] = {field: (field,) for field in needed}
        for field, column in self.file.mapping("columns").items():
            key = f"columns.{field}"
            if field not in needed + optional:
                fields = ", ".join(needed + optional)
                raise self.file.fault(key, f"no field of {self.format}; its fields are: {fields}")
            several = field == "choices" and isinstance(column, list) and len(column) > 1
            names = column if several else [column]
            if not all(isinstance(name, str) for name in names):
                raise self.file.wrong(key, "the name of a column")
            columns[field] = tuple(names)
        return columns

    def _labels(self) -> tuple[tuple[str, ...], dict[str, str | None]]:
        """The labels in the order of the head's outputs, if given; raw label -> label."""
        file, given = self.file, self.file.at("labels")
        if given is not None and not {"label", "tags"} & set(FIELDS[self.format]):
            raise file.fault("labels", f"{self.format} has no labels; remove the key")
        if not isinstance(given, dict):
            names = file.texts("labels")
            if self.format == "multiple_choice":
                return (), {name: str(index) for index, name in enumerate(names)}
            renamed: dict[str, str | None] = {}
        else:
            renamed = file.mapping("labels")
            allowed = (str,) if self.format == "tagging" else (str, type(None))
            if not all(isinstance(name, allowed) and name != "" for name in renamed.values()):
                raise file.wrong("labels", "a label for each key")
            if self.format == "multiple_choice":
                return (), renamed
            names = tuple({name for name in renamed.values() if name is not None})
        if given is not None and len(names) < 2:
            raise file.wrong("labels", "two labels or more")
        return tuple(sorted(names)), renamed

    def _codes(self, key: str) -> tuple[str, ...]:
        """Languages, English first where it is one of them."""
        codes = self.file.texts(key)
        for code in codes:
            try:
                languages.get(code)
            except UserError as error:
                raise self.file.fault(key, str(error)) from None
        return tuple(sorted(codes, key=lambda code: code != "en"))

    def _data(self) -> Data:
        file = self.file
        if not file.text("train") and not file.text("evaluate"):
            raise UserError(f"{file.name}: found neither train nor evaluate, expected one or both")
        for key, refused, reason in (
            ("train", self.format == "retrieval", "retrieval has no training"),
            ("evaluate", self.format == "mlm", "mlm has no evaluation"),
            ("select", self.format == "mlm", "mlm has no selection"),
            ("select", not file.text("train"), "there is no train to select for"),
            ("train_on", bool(file.text("train")), "train says that already"),
            ("train_languages", self.format == "mlm", "languages says that in mlm"),
        ):
            if refused and file.at(key) is not None:
                raise file.fault(key, f"{reason}; remove the key")
        train, evaluate = self._rows("train"), self._rows("evaluate")
        select = self._share() if file.text("select").endswith("%") else self._rows("select")
        trained = self._codes("train_languages") or ("en",)
        trained = self.languages if self.format == "mlm" else trained
        for key, rows, codes in (("train", train, trained), ("evaluate", evaluate, self.languages)):
            if rows is not None and len(codes) > 1 and not self._has_gap(key):
                raise file.wrong(key, f"{{lang}} in it, for the languages {', '.join(codes)}")
        return Data(
            train=train,
            select=select,
            evaluate=evaluate,
            split=file.text("evaluate"),
            train_languages=trained,
            train_on=file.text("train_on"),
        )

    def _has_gap(self, key: str) -> bool:
        return "{" in self.file.text(key) + self.file.text("config")

    def _share(self) -> HoldOut:
        text = self.file.text("select")
        if not re.fullmatch(r"\d+(\.\d+)?%", text) or not 0 < float(text[:-1]) < 100:
            raise self.file.wrong("select", "more than 0% and less than 100%, or a file")
        return HoldOut(share=float(text[:-1]) / 100)

    def _rows(self, key: str) -> Rows | None:
        """Where the rows are that the key names."""
        if not self.file.text(key):
            return None
        given = {field: self.columns[field] for field in self.file.mapping("columns")}
        several = next((names for names in given.values() if len(names) > 1), ())
        return replace(
            self._on_hub(key) if self._repo else self._in_files(key),
            fields={field: names[0] for field, names in given.items() if names != several},
            labels=self._renamed,
            adapt=_choices(several) if several else None,
        )

    def _on_hub(self, key: str) -> Rows:
        return Hub(
            repo=self._repo,
            config=self._text_with_gaps("config", "{lang}", "{name}"),
            split=self._text_with_gaps(key, "{lang}", "{name}"),
            revision=self.file.text("revision"),
        )

    def _in_files(self, key: str) -> Rows:
        name = self._text_with_gaps(key, "{lang}")
        reader = self._reader(key, name)
        header = self.file.text("header", "true")
        if header not in ("true", "false"):
            raise self.file.wrong("header", "true or false")
        if self.file.at("header") is not None and reader not in ("csv", "tsv"):
            raise self.file.fault("header", f"{reader} files have no header; remove the key")
        folder = str(self.file.folder)
        return Files(path=name, reader=reader, header=header == "true", folder=folder)

    def _reader(self, key: str, name: str) -> Reader:
        possible = READERS[self.format]
        if self.file.at("reader") is not None:
            return cast("Reader", self.file.one_of("reader", possible))
        known = {
            ending: next(one for one in readers if one in possible)
            for ending, readers in ENDINGS.items()
            if set(readers) & set(possible)
        }
        ending = Path(name).suffix.lower()
        if ending not in known:
            endings, names = ", ".join(known), ", ".join(possible)
            share = "a share such as 10%, or " if key == "select" else ""
            expected = f"{share}a name that ends in {endings}, or a reader: {names}"
            raise self.file.wrong(key, expected)
        return known[ending]

    def _text_with_gaps(self, key: str, *gaps: str) -> str:
        rest = text = self.file.text(key)
        for gap in gaps:
            rest = rest.replace(gap, "")
        if "{" in rest or "}" in rest:
            raise self.file.wrong(key, f"no braces but {' and '.join(gaps)}")
        return text


def _choices(columns: tuple[str, ...]) -> Callable[[Row], Row]:
    """A function that gathers the choices of a row from several columns."""

    def gather(row: Row) -> Row:
        return {**row, "choices": [row[column] for column in columns]}

    gather.__name__ = f"choices({', '.join(map(repr, columns))})"  # part of the data's identity
    return gather

"""A task file as its author wrote it: every value is text, and every key knows its line.

YAML by itself would make False of the language ``no`` and a number of the label ``1.0``. Here a
value is the text that stands there, and None where nothing or ``null`` does.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import yaml

from xstilts.errors import UserError, suggest
from xstilts.yamlfile import YamlFile

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

NULL_TAG = "tag:yaml.org,2002:null"
SHOWN_CHARACTERS = 60


@dataclass(frozen=True)
class TaskFile:
    """Keys and values, and the words for what is wrong with them.

    Attributes:
        name: what messages call the file.
        folder: what the paths in it are relative to, as the user wrote it.
        values: key -> text, None, a list or a mapping of such.
        lines: key -> its line, from 1; a key in a mapping is written ``columns.label``.
    """

    name: str
    folder: Path
    values: Mapping[str, Any]
    lines: Mapping[str, int]

    @classmethod
    def read(cls, path: Path) -> Self:
        """The task file at that path.

        Raises:
            UserError: if it cannot be read, or is not keys and values in YAML.
        """
        return cls.of(YamlFile.read(path, "check the path"), path.parent)

    @classmethod
    def of(cls, file: YamlFile, folder: Path) -> Self:
        """What stands in a file.

        Raises:
            UserError: if it is not keys and values.
        """
        if not isinstance(file.root, yaml.MappingNode):
            found = file.source(file.root)
            raise UserError(
                f'{file.name}: found {found}, expected keys and values such as "name: a"'
            )
        lines: dict[str, int] = {}
        try:
            return cls(file.name, folder, _value(file.root, "", lines), lines)
        except RecursionError:
            raise UserError(f"{file.name}: found a value that holds itself") from None

    def at(self, key: str) -> Any:
        """The value at a key, None where there is none."""
        outer, dot, inner = key.partition(".")
        value = self.values.get(outer)
        if not dot:
            return value
        return value.get(inner) if isinstance(value, dict) else None

    def fault(self, key: str, problem: str) -> UserError:
        """The error for what is wrong at a key (``columns.label``), with its line."""
        place = key
        while place not in self.lines and "." in place:
            place = place.rpartition(".")[0]
        line = f", line {self.lines[place]}" if place in self.lines else ""
        return UserError(f"{self.name}{line}, {key}: {problem}")

    def wrong(self, key: str, expected: str) -> UserError:
        """The error for a value that should be another one."""
        return self.fault(key, f"found {shown(self.at(key))}, expected {expected}")

    def unknown(self, key: str, allowed: Collection[str]) -> UserError:
        """The error for a value that is none of the allowed ones."""
        value = self.at(key)
        hint = suggest(value if isinstance(value, str) else "", allowed)
        return self.fault(key, f"found {shown(value)};{hint}")

    def check_keys(self, allowed: Collection[str]) -> None:
        """Refuse any key but these."""
        for key in self.values:
            if key not in allowed:
                raise self.fault(key, f"unknown key;{suggest(key, allowed)}")

    def text(self, key: str, default: str = "") -> str:
        """The text at a key."""
        value = self.values.get(key)
        if value is not None and not (isinstance(value, str) and value):
            raise self.wrong(key, "text")
        return default if value is None else value

    def texts(self, key: str) -> tuple[str, ...]:
        """The list of different texts at a key; one text is a list of one."""
        value = self.values.get(key)
        value = [] if value is None else [value] if isinstance(value, str) else value
        if not isinstance(value, list) or not all(isinstance(one, str) and one for one in value):
            raise self.wrong(key, "a list such as [a, b]")
        if len(set(value)) < len(value):
            raise self.wrong(key, "each entry once")
        return tuple(value)

    def mapping(self, key: str) -> dict[str, Any]:
        """The mapping at a key."""
        value = self.values.get(key)
        if value is not None and not isinstance(value, dict):
            raise self.wrong(key, "keys and values such as {a: b}")
        return value or {}

    def one_of(self, key: str, allowed: Collection[str]) -> str:
        """The text at a key, one of the allowed ones."""
        if self.text(key) not in allowed:
            raise self.unknown(key, allowed)
        return self.text(key)


def shown(value: Any) -> str:
    """A value on one line, cut after 60 characters."""
    if value is None:
        return "nothing"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    text = " ".join(text.split()) or '""'
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[: SHOWN_CHARACTERS - 3]}..."


def _value(node: yaml.Node | None, key: str, lines: dict[str, int]) -> Any:
    if isinstance(node, yaml.MappingNode):
        found: dict[str, Any] = {}
        for name, value in node.value:
            inner = f"{key}.{name.value}" if key else name.value
            lines[inner] = name.start_mark.line + 1
            found[name.value] = _value(value, inner, lines)
        return found
    if isinstance(node, yaml.SequenceNode):
        return [_value(one, key, lines) for one in node.value]
    return None if node is None or node.tag == NULL_TAG else node.value

"""A YAML file that a person wrote: its text, the nodes that know their lines, and its values.

Studies, task files, pretraining files and claims are read here, so that each says alike what is
wrong with a file, and where. No key stands twice: YAML itself would keep the last in silence.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self, TypeVar

import yaml
from pydantic import ValidationError

from xstilts import mistakes
from xstilts.errors import UserError, near

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from pydantic import BaseModel

T = TypeVar("T")

# What PyYAML lets out of values such as 2024-02-30, "\UFFFFFFFF", !!bool x and 10,000 brackets.
_VALUE_FAULTS = (
    yaml.YAMLError,
    ValueError,
    ArithmeticError,
    LookupError,
    AttributeError,
    RecursionError,
)


@dataclass(frozen=True)
class YamlFile:
    """One file.

    Attributes:
        name: what messages call it.
        text: what stands in it.
        root: the node of all of it; None where it is empty.
    """

    name: str
    text: str
    root: yaml.Node | None

    @classmethod
    def read(cls, path: Path, otherwise: str = "") -> Self:
        """The file at that path.

        Args:
            path: where it should be.
            otherwise: the next step if it is not there and no other has a name like it.

        Raises:
            UserError: if it cannot be read, is not YAML, or has a key twice.
        """
        try:
            text = path.read_text(encoding="utf-8-sig")
        except FileNotFoundError:
            there = [file.stem for file in path.parent.glob("*.yaml")]
            hint = near(path.stem, there, ".yaml") or f"; {otherwise}"
            raise UserError(f"{path}: no such file{hint}") from None
        except UnicodeDecodeError as error:
            at = error.start + 1
            raise UserError(f"{path}: byte {at} is not UTF-8; save it as UTF-8") from None
        except OSError as error:
            raise UserError(f"{path}: {error.strerror}; expected a YAML file") from None
        return cls.parse(str(path), text)

    @classmethod
    def parse(cls, name: str, text: str) -> Self:
        """A file of that text.

        Raises:
            UserError: if it is not YAML, or has a key twice.
        """
        try:
            file = cls(name, text, yaml.compose(text, Loader=yaml.SafeLoader))
            file._check_keys(file.root, "", set())
        except yaml.MarkedYAMLError as error:
            where = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
            inside = "while parsing a flow" in str(error.context)  # between brackets
            close = 'close every "[" and "{", and ' * inside
            text = 'put text with "[", "{", "," or ": ", or with |, >, @ or % in front, in quotes'
            raise UserError(f"{name}{where}: not YAML: {error.problem}; {close}{text}") from None
        except _VALUE_FAULTS as error:
            raise UserError(f"{name}: not YAML: {mistakes.one_line(str(error))}") from None
        return file

    def keys(self) -> set[str]:
        """The outermost keys."""
        pairs = self.root.value if isinstance(self.root, yaml.MappingNode) else ()
        return {key.value for key, _ in pairs}

    def values(self) -> Any:
        """Its values, as ``yaml.safe_load`` gives them.

        Raises:
            UserError: if one is not what its tag or form says, such as a date.
        """
        try:
            return self.root and yaml.SafeLoader("").construct_document(self.root)
        except _VALUE_FAULTS as error:
            raise UserError(f"{self.name}: not YAML: {mistakes.one_line(str(error))}") from None

    def checked(self, check: Callable[[Any], T], models: Mapping[str, type[BaseModel]]) -> T:
        """What its values declare.

        Args:
            check: from the values to it.
            models: of the whole, by "", and of what lies below a key.

        Raises:
            UserError: for the first mistake in it, with its line, its key and what stands there.
        """
        try:
            return check(self.values())
        except ValidationError as error:
            raise mistakes.first(error, self.name, self._at, models) from None

    def source(self, node: yaml.Node | None) -> str:
        """What it says at a node, on one line, cut after 60 characters."""
        if node is None:
            return "nothing"
        return mistakes.cut(self.text[node.start_mark.index : node.end_mark.index]) or "nothing"

    def _at(self, loc: tuple[str | int, ...]) -> tuple[int, str, str]:
        """The line (0: none), the dotted key and the source that an error is about."""
        line, dotted, node = 0, "", self.root
        for part in loc:
            if isinstance(node, yaml.SequenceNode) and part in range(len(node.value)):
                node = node.value[int(part)]
                line, dotted = node.start_mark.line + 1, f"{dotted}[{part}]"
            elif isinstance(node, yaml.MappingNode):
                for key, value in node.value:
                    if key.value == str(part):
                        node, line = value, key.start_mark.line + 1
                        dotted = f"{dotted}.{part}".lstrip(".")
                        break
        return line, dotted, self.source(node)

    def _check_keys(self, node: yaml.Node | None, prefix: str, seen: set[int]) -> None:
        """Every key is text, and stands once."""
        if id(node) in seen:  # an alias
            return
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            for one in node.value:
                self._check_keys(one, prefix, seen)
        if not isinstance(node, yaml.MappingNode):
            return
        lines: dict[str, int] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            where = f"{self.name}, line {line}"
            if not isinstance(key, yaml.ScalarNode):
                raise UserError(f"{where}: found {self.source(key)}, expected a key")
            if key.value in lines:
                first = f"first in line {lines[key.value]}"
                raise UserError(f"{where}, {prefix}{key.value}: stands twice, {first}; keep one")
            lines[key.value] = line
            self._check_keys(value, f"{prefix}{key.value}.", seen)

"""The path language: ``mnli[10k] > xnli`` as text, and as frozen objects.

A path is a sequence of training stages, then evaluations. This module knows the syntax alone;
which tasks exist, and what training on an evaluation task means, the catalogue says.

    path       := [stage (">" stage)*] ["|" evaluation ("," evaluation)*]
    stage      := item ("+" item)*
    item       := (data | control "(" data ")") ["@" share] ["~" noise]
    data       := name [":" language ("/" language)*] ["[" rows ["as" rows] "]"]
    noise      := name "@" severity
    evaluation := name [":" language ("/" language)*]
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Literal, NoReturn, cast, get_args

from xstilts.errors import UserError, suggest
from xstilts.identity import fingerprint

Control = Literal["shuffled", "text", "same_steps", "imported"]
CONTROLS: tuple[str, ...] = get_args(Control)

_NAME = re.compile(r"[a-z][a-z0-9_]*")
_LANGUAGE = re.compile(r"[a-z]{2,3}")
_ROWS = re.compile(r"([1-9][0-9]{0,11})([kM]?)")
_SHARE = re.compile(r"0?\.[0-9]+")
_SEVERITY = re.compile(r"0|0?\.[0-9]+|1(\.0+)?")
_UNITS = {"M": 1_000_000, "k": 1_000, "": 1}  # the largest first: 2000000 prints as 2M

_SLUG = str.maketrans(
    {
        " ": "",
        ">": "--",
        "|": ",,",
        ":": "-",
        "/": "-",
        "[": "-",
        "]": "",
        "(": ".",
        ")": "",
        "@": "=",
        "~": "=",  # of a noise, whose name starts with a letter; shares start with a digit
    }
)
_LONGEST_SLUG = 120  # characters; file systems stop at 255 bytes, and suffixes must still fit
_SLUG_HEAD = 90


@dataclass(frozen=True)
class Noise:
    """A perturbation and how much of it; which ones there are, the perturbations' room knows.

    Attributes:
        name: of the perturbation.
        severity: the share of the places it can act on, from 0 to 1.
    """

    name: str
    severity: float

    def __str__(self) -> str:
        return f"{self.name}@{_decimal(self.severity)}"


@dataclass(frozen=True)
class Item:
    """One task in a stage.

    Attributes:
        task: the task's name, or the name of a mixture.
        languages: training languages; empty means the task's own default.
        rows: how many training rows, taken from the first; None means all of them.
        share: the share of the stage's optimiser steps, between 0 and 1, both excluded; None
            means a part of what the other items leave.
        control: ``shuffled`` trains on shuffled labels; ``text`` runs masked language modelling
            on the task's text alone; ``same_steps`` trains on the target's own data for as many
            steps as the task would take; ``imported`` is no training but what was brought in
            under that name.
        as_rows: train for as many steps as so many rows would take; None means as many as these do.
        noise: what the training rows are perturbed with; None: nothing.
    """

    task: str
    languages: tuple[str, ...] = ()
    rows: int | None = None
    share: float | None = None
    control: Control | None = None
    as_rows: int | None = None
    noise: Noise | None = None

    def __str__(self) -> str:
        data = _restricted(self.task, self.languages)
        length = "" if self.as_rows is None else f" as {_rows_text(self.as_rows)}"
        data += "" if self.rows is None else f"[{_rows_text(self.rows)}{length}]"
        data = data if self.control is None else f"{self.control}({data})"
        data = data if self.share is None else f"{data}@{_decimal(self.share)}"
        return data if self.noise is None else f"{data} ~{self.noise}"


@dataclass(frozen=True)
class Mixture:
    """One stage: the tasks trained together, in one run."""

    items: tuple[Item, ...]

    def __post_init__(self) -> None:
        assert self.items, "a stage has at least one task"

    def __str__(self) -> str:
        return " + ".join(map(str, self.items))


@dataclass(frozen=True)
class Evaluation:
    """One evaluation after the bar; without languages, all the languages of the task."""

    task: str
    languages: tuple[str, ...] = ()

    def __str__(self) -> str:
        return _restricted(self.task, self.languages)


@dataclass(frozen=True)
class Path:
    """Stages in order, then evaluations; at least one of either. Its text is canonical."""

    stages: tuple[Mixture, ...]
    evaluations: tuple[Evaluation, ...] = ()

    def __post_init__(self) -> None:
        assert self.stages or self.evaluations, "a path has a stage or an evaluation"

    def __str__(self) -> str:
        trained = " > ".join(map(str, self.stages))
        evaluated = "| " + ", ".join(map(str, self.evaluations)) if self.evaluations else ""
        return f"{trained} {evaluated}".strip()

    @property
    def slug(self) -> str:
        """A readable file name of ASCII letters, digits and ``_-.+=,``; no two paths share one.

        Names hold none of the marks, languages are letters and rows start with a digit, so the
        text can be read back. A long slug ends in ``...`` (which no short one holds) and the
        path's fingerprint. Slugs stay different where the file system ignores case.
        """
        slug = str(self).translate(_SLUG)
        if len(slug) <= _LONGEST_SLUG:
            return slug
        return f"{slug[:_SLUG_HEAD]}...{fingerprint(str(self))}"


def parse(text: str) -> Path:
    """The path that a text stands for; ``str`` of the result is its canonical text.

    Raises:
        UserError: where the text is no path; names the character, what stands there and what
            was expected.
    """
    reader = _Reader(text)
    stages, evaluations = [], list[Evaluation]()
    if not reader.sees("|"):
        stages.append(reader.stage())
        while reader.take(">"):
            stages.append(reader.stage())
    if reader.take("|"):
        evaluations.append(reader.evaluation(evaluations))
        while reader.take(","):
            evaluations.append(reader.evaluation(evaluations))
    if not reader.at_end():
        reader.fail('"," or the end' if evaluations else '"+", ">", "|" or the end')
    return Path(tuple(stages), tuple(evaluations))


def parse_noise(text: str) -> Noise:
    """The noise that a text such as ``keyboard@0.1`` stands for, whatever its name.

    Raises:
        UserError: where the text is none; names the character, what stands there and what was
            expected.
    """
    reader = _Reader(text, "noise")
    noise = reader.noise()
    if not reader.at_end():
        reader.fail("the end")
    return noise


class _Reader:
    """Reads one path from left to right, and says where it stops making sense."""

    def __init__(self, text: str, what: str = "path") -> None:
        self.text, self.what = text, what
        self.at = 0  # the character to read next; never white space
        self._step(0)

    def _step(self, length: int) -> None:
        self.at += length
        while self.at < len(self.text) and self.text[self.at].isspace():
            self.at += 1

    def at_end(self) -> bool:
        return self.at == len(self.text)

    def sees(self, symbol: str) -> bool:
        return self.text.startswith(symbol, self.at)

    def take(self, symbol: str) -> bool:
        """Whether the symbol stands here; if so, steps over it."""
        seen = self.sees(symbol)
        self._step(len(symbol) if seen else 0)
        return seen

    def word(self, form: re.Pattern[str], expected: str, lump: str = r"\w+") -> str:
        """Steps over the whole lump of characters that stands here, which must have the form."""
        match = re.compile(lump).match(self.text, self.at)
        if match is None or not form.fullmatch(match[0]):
            self.fail(expected, form, lump)
        self._step(len(match[0]))
        return match[0]

    def name(self) -> str:
        return self.word(_NAME, "a task name")

    def stage(self) -> Mixture:
        start = self.at
        items = [self.item([])]
        while self.take("+"):
            items.append(self.item(items))
        self.check_shares(start, items)
        return Mixture(tuple(items))

    def item(self, earlier: list[Item]) -> Item:
        start = self.at
        name = self.name()
        control: Control | None = None
        if self.take("("):
            if name not in CONTROLS:
                self.refuse(start, f'"{name}("', f"a control;{suggest(name, CONTROLS)}")
            control = cast("Control", name)
            name = self.name()
        languages = self.languages()
        rows, as_rows = self.rows() if self.take("[") else (None, None)
        if control and not self.take(")"):
            self.fail('")"')
        share = self.share() if self.take("@") else None
        noise = self.noise() if self.take("~") else None
        same = (name, set(languages), control, noise)
        if any((o.task, set(o.languages), o.control, o.noise) == same for o in earlier):
            self.refuse(start, f'"{name}" again', "each task of a stage once")
        return Item(name, languages, rows, share, control, as_rows=as_rows, noise=noise)

    def noise(self) -> Noise:
        name = self.word(_NAME, "the name of a perturbation")
        if not self.take("@"):
            self.fail(f'"@" and how much of it, as in {name}@0.1')
        expected = "a severity from 0 to 1, such as 0.1"
        text = self.word(_SEVERITY, expected, r"[\w.%]+(,[0-9]+)?")
        return Noise(name, float(text))

    def evaluation(self, earlier: list[Evaluation]) -> Evaluation:
        start = self.at
        name, languages = self.name(), self.languages()
        if any((other.task, set(other.languages)) == (name, set(languages)) for other in earlier):
            self.refuse(start, f'"{name}" again', "each evaluation once")
        return Evaluation(name, languages)

    def languages(self) -> tuple[str, ...]:
        languages: list[str] = []
        more = self.take(":")
        while more:
            start = self.at
            language = self.word(_LANGUAGE, "a language code of 2 or 3 letters")
            if language in languages:
                self.refuse(start, f'"{language}" again', "each language once")
            languages.append(language)
            more = self.take("/")
        return tuple(languages)

    def rows(self) -> tuple[int, int | None]:
        rows, as_rows = self.number_of_rows(), None
        if self.take("as"):
            start = self.at
            as_rows = self.number_of_rows()
            if as_rows == rows:
                self.refuse(start, _quoted(_rows_text(rows)), "another number of rows")
        if not self.take("]"):
            self.fail('"]"')
        return rows, as_rows

    def number_of_rows(self) -> int:
        text = self.word(_ROWS, "a number of rows such as 1500, 10k or 1M", r"[\w.,]+")
        digits = text.rstrip("kM")
        return int(digits) * _UNITS[text[len(digits) :]]

    def share(self) -> float:
        start = self.at
        expected = "a share above 0 and below 1, such as 0.2"
        text = self.word(_SHARE, expected, r"[\w.%]+(,[0-9]+)?")
        if not 0 < float(text) < 1:
            self.refuse(start, f'"{text}"', expected)
        return float(text)

    def check_shares(self, start: int, items: list[Item]) -> None:
        """The shares leave something for the items without one; else they are the whole."""
        total = sum(Fraction(str(item.share)) for item in items if item.share is not None)
        needy = next((item.task for item in items if item.share is None), None)
        if total > 1:
            expected = "at most 1"
        elif total == 1 and needy:
            expected = f'less than 1, because "{needy}" has no share'
        elif total < 1 and not needy:
            expected = "1, or a task without a share for the rest"
        else:
            return
        shown = _decimal(float(total))
        self.refuse(start, f"shares that sum to {shown}", expected)

    def fail(self, expected: str, form: re.Pattern[str] = _NAME, lump: str = r"\w+") -> NoReturn:
        """Refuses what stands here: a lump of characters, an arrow, one character or the end."""
        match = re.compile(f"{lump}|->|=>|.", re.DOTALL).match(self.text, self.at)
        if match is None:
            self.refuse(self.at, "the end", expected)
        self.refuse(self.at, _quoted(match[0]), expected + _hint(match[0], form))

    def refuse(self, at: int, found: str, expected: str) -> NoReturn:
        place = f"{self.what} {_quoted(self.text)}, character {at + 1}"
        raise UserError(f"{place}: found {found}, expected {expected}")


_ORDER = (
    "training is written task:languages[rows]@share ~noise@severity, an evaluation task:languages"
)
_HINTS = (
    dict.fromkeys(("→", "⇒", "➔", "➜", "⟶", "⟹", "›", "»", "->", "=>"), 'write ">"')
    | dict.fromkeys((":", "[", "@", "~"), _ORDER)
    | {"-": 'write "_"', "&": 'write "+"', "、": 'write ","'}
)


def _hint(found: str, form: re.Pattern[str]) -> str:
    """The next step where what was found is a look-alike of what has the form, or of a mark."""
    if found in _HINTS and (found != "-" or form is _NAME):  # -5 is no name
        return f"; {_HINTS[found]}"
    plain = unicodedata.normalize("NFKC", found)  # full-width characters become ASCII
    for likely in (plain, plain.lower(), plain.swapcase()):
        if likely != found and (form.fullmatch(likely) or likely in ">+|,:/[]@~()"):
            why = "names are lower case, " if form is _NAME and likely == found.lower() else ""
            return f'; {why}write "{likely}"'
    return ""


def _quoted(text: str) -> str:
    """The text in quotes, on one line whatever is in it."""
    shown = (c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return f'"{"".join(shown)}"'


def _restricted(task: str, languages: tuple[str, ...]) -> str:
    return f"{task}:{'/'.join(languages)}" if languages else task


def _rows_text(rows: int) -> str:
    unit, size = next((unit, size) for unit, size in _UNITS.items() if rows % size == 0)
    return f"{rows // size}{unit}"


def _decimal(share: float) -> str:
    """Digits without an exponent, and none for nothing: 0.00001, where ``str`` has 1e-05; 1."""
    return format(Decimal(str(share)).normalize(), "f")

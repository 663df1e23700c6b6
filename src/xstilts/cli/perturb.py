"""``xstilts perturb``: a task's examples before and after, and the audit of a perturbation."""

from __future__ import annotations

import sys
from itertools import islice
from operator import ne
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from xstilts.cli import asked
from xstilts.cli.options import SourceName, TaskFiles
from xstilts.errors import UserError, suggest
from xstilts.report import screen

if TYPE_CHECKING:
    from xstilts.formats.examples import Example
    from xstilts.path import Noise
    from xstilts.sources import Sources
    from xstilts.tasks import Data, Task

_SHOWN = 160  # characters of a text
_BEFORE = 40  # of them before the first change


def perturb(
    name: Annotated[str, typer.Argument(metavar="TASK", help="A task, by its name.")],
    with_: Annotated[
        str,
        typer.Option("--with", metavar="NOISE", help="As in keyboard@0.1. None: lists them."),
    ] = "",
    language: Annotated[
        str, typer.Option("--language", metavar="CODE", help="Default: the task's first.")
    ] = "",
    n: Annotated[int, typer.Option("--n", min=1, help="Examples shown.")] = 5,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of every draw.")] = 1,
    source: SourceName = "hub",
    lexicon: Annotated[
        Path | None,
        typer.Option("--lexicon", metavar="FILE", help='For code_switch: "word<TAB>translation".'),
    ] = None,
    audit: Annotated[
        int, typer.Option("--audit", metavar="N", min=0, help="Write a sheet of N examples.")
    ] = 0,
    read_audit: Annotated[
        Path | None, typer.Option("--read-audit", metavar="FILE", help="Read a filled-in sheet.")
    ] = None,
    task: TaskFiles = None,
) -> int:
    """Show a task's examples before and after a perturbation, or audit it."""
    where = asked.source(source)
    catalogue = asked.catalogue(task)
    known = catalogue.get(name)
    if read_audit is not None:
        return _read(known, read_audit)
    if not with_ and audit:
        raise UserError("--audit needs --with, the perturbation to audit, as in keyboard@0.1")
    if not with_:
        return _list(known, language or known.languages[0])

    from xstilts.perturb import lexicons, parse
    from xstilts.perturb.examples import perturbed
    from xstilts.perturb.validity import check
    from xstilts.sources import Sources

    noise, rows = parse(with_), Sources.from_environment()
    data = catalogue.data(name, where)  # a user's own task is the same in every source
    language = language or (data.languages or known.languages)[0]
    valid, words = check(noise.name, known, language), None
    if noise.name == "code_switch":
        words = lexicons.find(language, rows.mirror, lexicon)
    before = _examples(known, data, rows, language)
    after = perturbed(known, before, noise, language, seed, words)
    if audit:
        return _write(known, language, noise, seed, audit, (before, after))
    share = f"{sum(map(ne, before, after)):,} of {len(before):,} examples changed"
    screen.show(
        f"{name}, {language}, {noise}, seed {seed}: {share}",
        f"labels: {valid.verdict} ({valid.reason})",
        *_before_and_after(before, after, n),
    )
    return 0


def _examples(task: Task, data: Data, rows: Sources, language: str) -> list[Example]:
    """The rows that are evaluated, or the training rows where there are none."""
    split: Any = "evaluate" if data.evaluate is not None else "train"
    codes = (data.languages or task.languages) if data.evaluate else data.train_languages
    if language not in codes:
        hint = suggest(language, codes, f"xstilts tasks {task.name}")
        raise UserError(f'task "{task.name}" has no {split} rows in "{language}":{hint}')
    return rows.examples(task, data, split, language)


def _list(task: Task, language: str) -> int:
    """Every perturbation, with what it does to the labels of the task."""
    from xstilts.perturb import PERTURBATIONS
    from xstilts.perturb.validity import validity

    table = screen.grid("perturbation", "labels", "what it does", "why")
    for name, about in PERTURBATIONS.items():
        found = validity(name, task, language)
        table.add_row(name, found.verdict, screen.cut(about), screen.cut(found.reason))
    screen.show(f"{task.name}, {language}", table)
    return 0


def _before_and_after(before: list[Example], after: list[Example], n: int) -> list[str]:
    """The first n examples that were changed."""
    from xstilts.perturb import audit

    lines = []
    changed = (pair for pair in zip(before, after, strict=True) if pair[0] != pair[1])
    for old, new in islice(changed, n):
        lines.append(f"\nid {old.id}  {_label(old)}")
        for one, other in zip(audit.shown(old), audit.shown(new), strict=True):
            lines += _difference(one, other)
    return lines


def _label(one: Example) -> str:
    """The label of an example, on one line."""
    from xstilts.perturb import audit

    return _visible(audit.label(one))[:_SHOWN]


def _difference(old: str, new: str) -> list[str]:
    """The lines before and after, around the first change; one line where nothing changed."""
    differing = (i for i, pair in enumerate(zip(old, new, strict=False)) if pair[0] != pair[1])
    first = next(differing, min(len(old), len(new)))
    start = max(0, first - _BEFORE) if old != new else 0
    old, new = (
        "..." * bool(start)
        + _visible(text[start : start + _SHOWN])
        + "..." * (len(text) > start + _SHOWN)
        for text in (old, new)
    )
    return [f"    {old}"] if old == new else [f"  - {old}", f"  + {new}"]


def _visible(text: str) -> str:
    """The text on one line, with the characters that nobody sees as <U+200B>."""
    return "".join(
        c if c.isprintable() or c in "\u200c\u200d" else " " if c == "\n" else f"<U+{ord(c):04X}>"
        for c in text
    )


def _write(
    task: Task,
    language: str,
    noise: Noise,
    seed: int,
    n: int,
    rows: tuple[list[Example], list[Example]],
) -> int:
    from xstilts.perturb import audit

    pairs = audit.sample(*rows, n, seed)
    if not pairs:
        raise UserError(f"{noise} changes no example of {task.name} in {language}")
    path = Path(f"audit-{task.name}-{language}-{noise}.csv")
    audit.write(path, (task.name, language, str(noise), seed), pairs)
    sys.stdout.write(
        f"{path}: {len(pairs)} examples; write yes or no into label_holds, then: "
        f"xstilts perturb {task.name} --read-audit {path}\n"
    )
    return 0


def _read(task: Task, path: Path) -> int:
    from xstilts.perturb import audit

    found = audit.read(path)
    if found.task != task.name:
        raise UserError(f'{path} is an audit of "{found.task}", not of "{task.name}"')
    low, high = (100 * bound for bound in found.interval)
    missing = found.rows - found.judged
    sys.stdout.write(
        f"{found.task}, {found.language}, {found.noise}: the label holds in {found.held} of "
        f"{found.judged}, {100 * found.rate:.1f} % [{low:.1f}, {high:.1f}]"
        + f"; {missing} not judged yet" * bool(missing)
        + "\n"
    )
    return 0

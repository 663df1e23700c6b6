"""``xstilts report`` and ``xstilts compare``: answers to be handed on."""

from __future__ import annotations

import shlex
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from xstilts.cli import asked, output
from xstilts.cli.answers import ClaimsFile
from xstilts.cli.options import (
    STORE,
    Json,
    Paths,
    StoreFolder,
    TaskFiles,
    about_a_study,
)
from xstilts.disk.whole import whole
from xstilts.errors import UserError
from xstilts.plain import plain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xstilts.analysis.compare import Comparison
    from xstilts.analysis.outcomes import Outcomes
    from xstilts.tasks import Catalogue

Format = Annotated[
    Literal["html", "latex", "markdown", "csv", "parquet"],
    typer.Option("--format", help="A page, tables for papers, or a row a number."),
]
Out = Annotated[
    Path | None,
    typer.Option(
        "--out", metavar="FILE", help="Where to; a folder for csv and parquet. Default: its name."
    ),
]
ENDINGS = {
    "html": ".html",
    "latex": ".tex",
    "markdown": ".md",
    "csv": "-csv",
    "parquet": "-parquet",
}


@about_a_study
def report(
    context: typer.Context,
    paths: Paths = None,
    format_: Format = "html",
    out: Out = None,
    claims_file: ClaimsFile = None,
    task: TaskFiles = None,
    store: StoreFolder = STORE,
) -> int:
    """Write what is finished of a study as one HTML file, or as tables; prints what it wrote."""
    from xstilts import study
    from xstilts.analysis import claims
    from xstilts.report import findings, formats
    from xstilts.report.page import page
    from xstilts.store import Store
    from xstilts.tasks.citations import bibtex

    catalogue = asked.catalogue(task)
    own = claims.load(claims_file) if claims_file else ()
    plan = asked.plan(context, paths or [], catalogue)
    file = asked.study_file(paths or [], catalogue)
    name, about = (paths or [""])[0], ""
    if file is not None:
        declared = study.load(file)
        name, about = declared.name, declared.about
    given = shlex.join(_given(context))
    again = [f"xstilts {command} {given}" for command in ("run", "gains", "report")]
    found = findings.collect(name, plan, Store(store), catalogue, own, about=about, commands=again)
    out = out or Path(_file_name(name) + ENDINGS[format_])
    _check_out(out, format_)
    if format_ in ("csv", "parquet"):
        written = (formats.csv if format_ == "csv" else formats.parquet)(found, out)
    else:
        text = page(found) if format_ == "html" else getattr(formats, format_)(found)
        texts = {out: text}
        if format_ == "latex":
            texts[out.with_suffix(".bib")] = bibtex(found.tasks)
        for path, content in texts.items():
            try:
                with whole(path) as part:
                    part.write_text(content, encoding="utf-8")
            except OSError as error:
                raise UserError(
                    f"cannot write {path} ({error.strerror}): choose another --out"
                ) from None
        written = list(texts)
    if format_ == "html":
        from xstilts.report.answer import sentences

        sys.stdout.write(f"{plain(' '.join(sentences(found)))}\n")
        sys.stdout.write(f"report written: {out} (open it in a browser)\n")
    else:
        sys.stdout.write("".join(f"{path}\n" for path in written))
    return 0


def _check_out(out: Path, format_: str) -> None:
    if format_ in ("csv", "parquet"):
        if out.exists() and not out.is_dir():
            raise UserError(
                f'--out "{out}" is a file: {format_} is several, name a folder for them'
            )
    elif out.is_dir():
        raise UserError(f'--out "{out}" is a folder: {format_} is one file, name it')
    elif format_ == "latex" and out.suffix == ".bib":
        raise UserError(
            f'--out "{out}": name the file of the tables, as in "{out.with_suffix(".tex")}"; the '
            "bibliography is written beside it"
        )


def _given(context: typer.Context) -> Iterator[str]:
    """Paths and options that any command on the study takes; its store is the reader's own."""
    yield from context.params["paths"] or ()
    for parameter in context.command.params:
        found = context.get_parameter_source(parameter.name or "")
        own = parameter.name in ("paths", "out", "format_", "claims_file", "store")
        if found and found.name == "COMMANDLINE" and not own:
            value = context.params[parameter.name or ""]
            for one in value if isinstance(value, list) else [value]:
                yield from (parameter.opts[0], str(one))


def _file_name(name: str) -> str:
    """A study's name as it is; a path by its slug, an ``order(...)`` by its first path's."""
    from xstilts import orders

    return orders.paths(name)[0].slug if any(mark in name for mark in "> |:[(") else name


First = Annotated[str, typer.Argument(metavar="A", help="A study or, in quotes, a path.")]
Second = Annotated[str, typer.Argument(metavar="B", help="Another one.")]


@about_a_study
def compare(
    context: typer.Context,
    first: First,
    second: Second,
    task: TaskFiles = None,
    store: StoreFolder = STORE,
    json_: Json = False,
) -> int:
    """Print what differs between two studies, or two paths: B minus A, paired, with intervals."""
    from xstilts.analysis import compare as comparing

    catalogue = asked.catalogue(task)
    files = [asked.study_file([one], catalogue) for one in (first, second)]
    if (files[0] is None) != (files[1] is None):
        raise UserError(f'compare "{first}" with "{second}": give two studies, or two paths')
    one, two = (_side(context, what, catalogue, store) for what in (first, second))
    if files[0] and files[1]:
        found, changed = comparing.studies(one, two), _changed(files[0], files[1])
    else:
        found, changed = comparing.paths(one, two), {"path": (first, second)}
    if not found.differences:
        raise UserError(
            f'"{first}" and "{second}" share no finished target with a seed and a language of both'
        )
    if json_:
        document = {"changed": changed, **asdict(found)}
        document["differences"] = [one.row() for one in found.differences]
        output.put(document)
        return 0
    _show(found, changed)
    return 0


def _side(context: typer.Context, what: str, catalogue: Catalogue, store: Path) -> Outcomes:
    """The outcomes of one side, which an error names."""
    try:
        return asked.outcomes(context, [what], catalogue, store)
    except UserError as error:
        raise UserError(f'"{what}": {error}') from None


def _changed(one: Path, two: Path) -> dict[str, tuple[Any, Any]]:
    """What two studies declare otherwise; names and questions apart."""
    from xstilts import study

    first, second = (study.load(file).model_dump(mode="json") for file in (one, two))
    differing = (key for key in first if first[key] != second[key])
    return {key: (first[key], second[key]) for key in differing if key not in ("name", "about")}


def _show(found: Comparison, changed: dict[str, tuple[Any, Any]]) -> None:
    from xstilts.report.screen import grid, show

    table = grid("what differs", "A", "B")
    for key, values in changed.items():
        table.add_row(key, *(_short(value) for value in values))
    show(table if changed else "what differs: nothing that the studies declare", "")
    for over in ("target", "language"):
        table = grid(over, ">A", ">B", ">B - A", ">interval", ">seeds")
        for one in found.differences:
            if one.over in (over, "mean" if over == "target" else over):
                estimate = one.estimate
                table.add_row(
                    one.name or "mean",
                    f"{100 * one.first:.1f}",
                    f"{100 * one.second:.1f}",
                    f"{100 * estimate.value:+.1f}{'!' if estimate.collapsed else ''}",
                    f"{100 * estimate.low:+.1f} to {100 * estimate.high:+.1f}",
                    f"{estimate.seeds or ''}",
                )
        show(table, "")
    covers = dict.fromkeys(one.estimate.covers for one in found.differences)
    show(f"points, paired by seed and item; 95 % intervals cover {' or '.join(covers)}")
    if any(one.estimate.collapsed for one in found.differences):
        show("! holds runs that did not learn")
    for name, lonely in (("A", found.only_first), ("B", found.only_second)):
        if lonely:
            show(f"only in {name}: {', '.join(lonely)}")


def _short(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    if isinstance(value, dict):
        return ", ".join(f"{k} {v}" for k, v in value.items() if v is not None) or "none"
    return str(value)

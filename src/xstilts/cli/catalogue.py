"""``xstilts tasks`` and ``xstilts languages``: what there is. Offline unless asked otherwise."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from xstilts.cli import asked, checking, measuring, output
from xstilts.cli.options import Json, TaskFiles, completing, task_names
from xstilts.errors import AbsentError, UserError
from xstilts.plain import plain
from xstilts.report import screen
from xstilts.tasks import TASKS, counts
from xstilts.tasks.base import HoldOut
from xstilts.tasks.citations import bibtex

if TYPE_CHECKING:
    from xstilts.tasks.base import Data, Source, Task


def tasks(
    name: Annotated[
        str,
        typer.Argument(
            help="A task in full: its name, task file or hf:org/dataset.",
            autocompletion=completing(task_names),
        ),
    ] = "",
    task: TaskFiles = None,
    source: Annotated[
        str, typer.Option(help="Whose rows to measure; without it, those that are at hand.")
    ] = "",
    check: Annotated[
        bool, typer.Option("--check", help="Ask the hub whether it has them.")
    ] = False,
    json_: Json = False,
) -> int:
    """List the tasks, or show one in full; for hf:org/dataset, show what can be inferred."""
    if name.startswith("hf:"):
        from xstilts.sources import own

        _, text = own.from_hub(name.removeprefix("hf:"))
        sys.stdout.write(plain(text) if sys.stdout.isatty() else text)  # a file keeps all
        return 0
    if name.endswith((".yaml", ".yml")):
        shown = list(asked.catalogue([*(task or []), name]))[-1:]
    else:
        catalogue = asked.catalogue(task)
        shown = [catalogue.get(name)] if name else list(catalogue)
    if source and (check or json_ or not name):
        raise UserError(
            f"--source says whose rows of one task to measure: xstilts tasks NAME --source {source}"
        )
    if check:
        return checking.ask_hub(shown, every_language=bool(name))
    if json_:
        output.put([_document(one) for one in shown])
    elif name:
        _one(shown[0])
        sys.stdout.flush()  # measuring takes a moment
        measuring.show(shown[0], source)
    else:
        _all(shown)
    return 0


def languages(
    code: Annotated[str, typer.Argument(help="One language, by its code.")] = "",
    json_: Json = False,
) -> int:
    """List the languages: family, script, word order, share in XLM-R's pretraining."""
    from dataclasses import asdict

    from xstilts import languages as known

    shown = [known.get(code)] if code else list(known.table().values())
    if json_:
        output.put([asdict(one) for one in shown])
        return 0
    table = screen.grid("code", "name", "script", "order", ">XLM-R GiB", "in", "family")
    for one in shown:
        size = "" if one.xlmr_gib is None else f"{one.xlmr_gib:g}"
        suite = "XTREME" if one.xtreme else "XTREME-R" if one.xtreme_r else ""
        family = f"{one.family}, {one.branch}" if one.branch else one.family
        table.add_row(
            one.code, one.name, one.script, one.word_order, size, suite, screen.cut(family)
        )
    screen.show(table)
    return 0


def _document(task: Task) -> dict[str, Any]:
    return {
        "name": task.name,
        "about": task.about,
        "format": task.format,
        "metrics": list(task.metrics),
        "labels": list(task.labels),
        "languages": list(task.languages),
        "chance": task.chance,
        "protocol": task.protocol,
        "license": task.license,
        "bibtex": bibtex([task.name]),
        "source_url": task.source_url,
        "sources": {source: _roles(task, source, data) for source, data in task.sources.items()},
    }


def _roles(task: Task, source: str, data: Data) -> dict[str, Any]:
    return {
        "trains": data.train is not None,
        "train_on": data.train_on or None,
        "evaluates": data.evaluate is not None,
        "split": data.split,
        "languages": list(data.languages),
        "rows": {
            split: dict(found)
            for split in ("train", "select", "evaluate")
            if (found := counts.rows(task.name, source, split))
        },
        "note": data.note,
    }


def _all(shown: list[Task]) -> None:
    table = screen.grid("task", "format", ">training", "languages", "about")
    table.columns[-1].header = screen.cut("about")  # which is what there may be no room for
    for one in shown:
        table.add_row(one.name, one.format, _training(one), _languages(one), screen.cut(one.about))
    screen.show(table)


def _training(task: Task) -> str:
    """English training rows as published, those that are held out of them with them.

    What is only known of the mirror, which may be a stand-in, is marked so.
    """
    for source in ("hub", "mirror"):
        found = counts.rows(task.name, source, "train").get("en", 0)
        if found and isinstance(task.sources[source].select, HoldOut):
            found += counts.rows(task.name, source, "select").get("en", 0)
        if found:
            return f"{found:,}" + " (mirror)" * (source == "mirror")
    return ""


def _rows(task: Task, source: str) -> list[str]:
    """A line of row counts, where there are any."""
    parts = []
    for split, called in (("train", "training"), ("select", "selection"), ("evaluate", "scored")):
        found = counts.rows(task.name, source, split)
        if found:
            low, high = min(found.values()), max(found.values())
            many = f" in each of {len(found)} languages" if len(found) > 1 else ""
            spread = f" to {high:,} in {len(found)} languages"
            parts.append(f"{called} {low:,}{many if low == high else spread}")
    return [f"             rows: {'; '.join(parts)}"] if parts else []


def _languages(task: Task) -> str:
    """How many languages a task has in each source: those of its test rows, if it has any."""
    counts = {
        source: len(data.languages or task.languages)
        if data.evaluate
        else len(data.train_languages)
        for source, data in task.sources.items()
    }
    if task.name not in TASKS:  # the same in every source
        return f"own data {max(counts.values())}"
    return " ".join(f"{source} {count}" for source, count in counts.items()) or "scored only"


def _one(task: Task) -> None:
    lines = [
        f"{task.name}: {task.about}",
        f"  format     {task.format}",
        f"  metrics    {', '.join(task.metrics) or 'none'}",
        f"  labels     {', '.join(task.labels) or 'none'}",
        f"  languages  {' '.join(task.languages)}",
        f"  chance     {'not defined' if task.chance is None else f'{100 * task.chance:.1f} %'}",
        f"  licence    {task.license or 'not said'}",
        *([f"  protocol   {task.protocol}"] if task.protocol else []),
    ]
    if task.source_url:
        lines.append(f"  described  {task.source_url}")
    if task.name in TASKS:
        for source, data in task.sources.items():
            codes = f" in {' '.join(data.languages)}" if data.languages else ""
            lines += _use(source, data, "its own rows", f"{data.split}{codes}")
            lines += _missing(task, source)
            lines += _rows(task, source)
    else:  # the same in every source
        data = next(iter(task.sources.values()))
        trained, scored = (rows.place if rows else "" for rows in (data.train, data.evaluate))
        lines += _use("own data", data, trained, scored)
    screen.show(*lines)


def _missing(task: Task, source: Source) -> list[str]:
    """A line where the files are not in the folder that is set."""
    from xstilts.sources import Sources

    sources, data = Sources.from_environment(), task.sources[source]
    if source != "mirror" or sources.mirror is None:
        return []
    try:
        if data.train is not None:
            sources.fingerprint(task, data, "train", "en")
        if data.evaluate is not None:
            sources.fingerprint(task, data, "evaluate", (data.languages or task.languages)[0])
    except AbsentError as error:
        return [f"             not all is here: {error}"]
    return []


def _use(source: str, data: Data, train: str, evaluate: str) -> list[str]:
    """What a source's rows serve for."""
    trained = data.train_on or (train if data.train else "nothing")
    scored = evaluate if data.evaluate else "nothing"
    lines = [f"  {source:9}  trains on {trained}; evaluates {scored}"]
    if data.evaluate is not None and data.select == data.evaluate:
        lines.append("             checkpoints are chosen on the rows it is evaluated on")
    if data.note:
        lines.append(f"             {data.note}")
    return lines

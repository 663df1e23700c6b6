"""``xstilts import``: what was trained or predicted elsewhere, beside our own."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from xstilts.cli import asked
from xstilts.cli.options import STORE, SourceName, StoreFolder
from xstilts.errors import UserError, suggest

if TYPE_CHECKING:
    from xstilts.tasks import Catalogue, Task

app = typer.Typer(
    help="Bring in a checkpoint or predictions that were made elsewhere.", no_args_is_help=True
)
Name = Annotated[
    str,
    typer.Option("--as", metavar="NAME", help='What paths call it: "imported(NAME) > xnli".'),
]
Seed = Annotated[int, typer.Option("--seed", metavar="N", help="The seed it stands for.")]


@app.command("checkpoint")
def checkpoint(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="A Hugging Face folder with safetensors.")
    ],
    name: Name,
    head: Annotated[
        str, typer.Option("--head", metavar="TASK", help="What its head answers; else it has none.")
    ] = "",
    labels: Annotated[
        str,
        typer.Option("--labels", metavar="A,B,C", help="Of the head's outputs, in their order."),
    ] = "",
    seed: Seed = 1,
    store: StoreFolder = STORE,
) -> int:
    """Make a Hugging Face folder a stage, to be trained further or evaluated as it is."""
    from xstilts import imported
    from xstilts.store import Store

    _check(name, seed)
    task = _task(head)[0] if head else None
    order = [one.strip() for one in labels.split(",")] if labels else []
    step_id = imported.checkpoint(Store(store), folder, name, seed, task, order)
    path = f"imported({name}) | {task.name}" if task else f"imported({name}) > xnli"
    sys.stderr.write(
        f'step {step_id}; next: xstilts run "{path}" --model M, where M is the encoder that it '
        "was trained from: its baseline is what the scores are compared with\n"
    )
    sys.stdout.write(f"{step_id}\n")
    return 0


@app.command("predictions")
def predictions(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help=".jsonl of id and prediction, .json, or lines.")
    ],
    name: Name,
    task: Annotated[str, typer.Option("--task", metavar="TASK", help="Or your own task's file.")],
    language: Annotated[str, typer.Option("--language", metavar="CODE", help="Of the rows.")],
    source: SourceName = "hub",
    seed: Seed = 1,
    store: StoreFolder = STORE,
) -> int:
    """Make predictions of your own scripts, or of a language model, a step that is scored."""
    from xstilts import imported
    from xstilts.sources import Sources
    from xstilts.steps import given_predictions
    from xstilts.store import Store

    _check(name, seed)
    where = asked.source(source)
    found, catalogue = _task(task)
    data = catalogue.data(found.name, where)
    if data.evaluate is None:
        raise UserError(
            f'{found.name} has no rows to evaluate in source "{where}": '
            f'"xstilts tasks {found.name}" shows where it has'
        )
    if language not in (data.languages or found.languages):
        have = data.languages or found.languages
        hint = suggest(language, have)
        raise UserError(f'{found.name} has no rows to predict in "{language}":{hint}')
    sources = Sources.from_environment()
    examples = sources.examples(found, data, "evaluate", language)
    rows = given_predictions.align(file, found, examples)
    inputs = {
        "imported": name,
        "seed": seed,
        "task": found.name,
        "language": language,
        "source": source,
        "data": sources.fingerprint(found, data, "evaluate", language),
    }
    step_id = imported.predictions(Store(store), rows, file, inputs)
    if strange := given_predictions.not_labels(rows, found):
        sys.stderr.write(
            f"note: {len(strange):,} predictions are no label of {found.name} and count as wrong, "
            f"such as {strange[0]!a:.60}\n"
        )
    own = f" --task {task}" if found.name != task else ""
    run = f'xstilts run "imported({name}) | {found.name}" --source {source}{own}'
    sys.stderr.write(f"{len(rows):,} predictions, step {step_id}; next: {run}\n")
    sys.stdout.write(f"{step_id}\n")
    return 0


def _check(name: str, seed: int) -> None:
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise UserError(
            f'--as "{name}" is no name for a path: allowed: lower-case letters, digits and "_", '
            "the first a letter"
        )
    if not 0 <= seed < 2**31:
        raise UserError(f"--seed {seed}: allowed: 0 to {2**31 - 1}")


def _task(name: str) -> tuple[Task, Catalogue]:
    """A task by its name or its file."""
    own = name.startswith("hf:") or Path(name).suffix in (".yaml", ".yml")
    catalogue = asked.catalogue([name] if own else None)
    return (asked.own_task(name) if own else catalogue.get(name)), catalogue

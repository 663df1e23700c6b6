"""``xstilts export``: take a trained stage, or a study's predictions, elsewhere."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from xstilts.cli import asked
from xstilts.cli.options import STORE, StoreFolder, TaskFiles
from xstilts.cli.store import chosen, opened
from xstilts.cli.submission import submission

app = typer.Typer(
    help="Take a trained stage, or a study's predictions, elsewhere.", no_args_is_help=True
)


@app.callback()
def _root() -> None:
    """Take a trained stage, or a study's predictions, elsewhere."""


@app.command("onnx")
def onnx(
    step: Annotated[str, typer.Argument(metavar="STEP", help="Its id, or how it begins.")],
    head: Annotated[
        str,
        typer.Option(
            "--head", metavar="TASK", help='Which head; "vectors": none, sentence vectors.'
        ),
    ] = "",
    int8: Annotated[bool, typer.Option("--int8", help="Dynamically quantised.")] = False,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FOLDER", help="A new folder. Default: path, seed and head."),
    ] = None,
    task: TaskFiles = None,
    store: StoreFolder = STORE,
) -> int:
    """Write a stage and a head as an ONNX folder, checked against torch on real rows."""
    from xstilts import serving_folder
    from xstilts.report import model_card

    found = opened(store)
    (step_id,) = chosen(found, [step])
    name = serving_folder.head_of(found, step_id, head)
    suffix = f"-{name or 'vectors'}-{'int8' if int8 else 'fp32'}"
    folder = out or Path(model_card.stage(found, step_id).name + suffix)
    checked = serving_folder.export(found, step_id, name, folder, asked.catalogue(task), int8=int8)
    sys.stderr.write(
        f"checked on {checked.rows} rows: largest difference {checked.largest_difference:.2g}, "
        f"agreement {checked.agreement:.4f}\n"
    )
    sys.stdout.write(f"{folder}\n")
    return 0


@app.command("hub")
def hub(
    step: Annotated[str, typer.Argument(metavar="STEP", help="Its id, or how it begins.")],
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FOLDER", help="A new folder. Default: path and seed."),
    ] = None,
    push: Annotated[
        str,
        typer.Option("--push", metavar="ORG/NAME", help="Upload it; a new repository is private."),
    ] = "",
    task: TaskFiles = None,
    store: StoreFolder = STORE,
) -> int:
    """Write a stage as a Hugging Face folder with a model card, and upload it if asked to."""
    from xstilts.report import model_card

    found = opened(store)
    (step_id,) = chosen(found, [step])
    folder = out or Path(model_card.stage(found, step_id).name)
    files = model_card.export(found, step_id, folder, asked.catalogue(task))
    sys.stderr.write(f"{len(files)} files of step {step_id}\n")
    if push:
        sys.stderr.write(f"pushed to {model_card.push(folder, push)}\n")
    sys.stdout.write(f"{folder}\n")
    return 0


app.command("submission")(submission)

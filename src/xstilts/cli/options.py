"""Options that several commands share. typer reads these annotations at run time."""

from __future__ import annotations

from functools import wraps
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from xstilts.hardware import DEVICES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


def completing(names: Callable[[], Iterable[str]]) -> Callable[[str], list[str]]:
    """What the shell is told of names that begin so; they are looked up when it asks."""

    def complete(begun: str) -> list[str]:
        return [name for name in names() if name.startswith(begun)]

    return complete


def task_names() -> Iterable[str]:
    """Of the catalogue."""
    from xstilts.tasks import TASKS

    return TASKS


def _paths() -> Iterable[str]:
    from xstilts.study import ready_made

    return [*ready_made(), *task_names()]


def _sources() -> Iterable[str]:
    from xstilts.tasks.base import SOURCES

    return SOURCES


def _recipes() -> Iterable[str]:
    from xstilts.recipes import RECIPES

    return RECIPES


def _shipped() -> Iterable[str]:
    from xstilts.models import shipped

    return shipped()


Paths = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="PATH",
        help='Paths in quotes, as in "taxinli > xnli", or one study: a file or a ready-made one.',
        autocompletion=completing(_paths),
    ),
]
_WHAT, _WHERE, _LIMITS, _OUTPUT = "What to run", "Where", "A quick look", "Output"


def _whole(given: str | int) -> int:
    """A number of the command line, or the default as it is."""
    text = str(given)
    if not text.isascii() or not text.isdigit():
        raise typer.BadParameter(f'"{text}" is not a whole number, 0 or more')
    return int(text)


def _device(name: str) -> str:
    if not DEVICES.fullmatch(name):
        raise typer.BadParameter(f'"{name}" is none of auto, cpu, cuda, cuda:1 and so on')
    return name


def _engine(name: str) -> str:
    if name not in ("local", "ray", "slurm"):
        raise typer.BadParameter(f'"{name}" is none of local, ray, slurm')
    return name


ModelName = Annotated[
    str,
    typer.Option(
        "--model",
        metavar="NAME",
        help="A Hugging Face folder or hub name.",
        rich_help_panel=_WHAT,
        autocompletion=completing(_shipped),
    ),
]
SourceName = Annotated[
    str,
    typer.Option(
        "--source",
        metavar="NAME",
        help="hub, mirror, microworld or files.",
        rich_help_panel=_WHAT,
        autocompletion=completing(_sources),
    ),
]
Seeds = Annotated[
    str,
    typer.Option("--seeds", metavar="LIST", help="As in 1,2,3.", rich_help_panel=_WHAT),
]
RecipeName = Annotated[
    str,
    typer.Option(
        "--recipe",
        metavar="NAME",
        help=(
            "authors, mini or demo; mt5 or mt5-mini, from text to text; mini:bf16 in bfloat16, "
            "mini:lora with low-rank adapters, mini:even with batches of equally many tokens."
        ),
        rich_help_panel=_WHAT,
        autocompletion=completing(_recipes),
    ),
]
TaskFiles = Annotated[
    list[str] | None,
    typer.Option(
        "--task",
        metavar="FILE",
        help="Your own task: a YAML file, or hf:org/dataset. Repeatable.",
        rich_help_panel=_WHAT,
    ),
]
StoreFolder = Annotated[
    Path,
    typer.Option(
        "--store",
        metavar="FOLDER",
        help="Where finished work lives.",
        envvar="XSTILTS_STORE",
        rich_help_panel=_WHERE,
    ),
]
Keep = Annotated[
    str,
    typer.Option(
        "--keep",
        metavar="WHICH",
        help="Weights to keep: all, intermediates (what other targets can start from), none.",
        rich_help_panel=_WHERE,
    ),
]
Device = Annotated[
    str,
    typer.Option(
        "--device",
        metavar="NAME",
        parser=_device,
        help="cpu, cuda, cuda:1; auto picks.",
        rich_help_panel=_WHERE,
    ),
]
Threads = Annotated[
    int,
    typer.Option(
        "--threads",
        metavar="N",
        parser=_whole,
        help="CPU threads. 0: all cores.",
        rich_help_panel=_WHERE,
    ),
]
EngineName = Annotated[
    str,
    typer.Option(
        "--engine",
        metavar="NAME",
        parser=_engine,
        help="local, ray or slurm: docs/clusters.md.",
        rich_help_panel=_WHERE,
    ),
]
Address = Annotated[
    str,
    typer.Option(
        "--address",
        metavar="HOST:PORT",
        help="Of a Ray cluster. Without it: the one of this machine, else a new one.",
        rich_help_panel=_WHERE,
    ),
]
Slurm = Annotated[
    list[str] | None,
    typer.Option(
        "--slurm",
        metavar="KEY=VALUE",
        help="Of sbatch, as in partition=gpu or time=720 (minutes). Repeatable.",
        rich_help_panel=_WHERE,
    ),
]
Devices = Annotated[
    int,
    typer.Option(
        "--devices",
        metavar="N",
        parser=_whole,
        help="Devices, or processes on a CPU, that one training stage is spread over.",
        rich_help_panel=_WHERE,
    ),
]
MaxSteps = Annotated[
    int,
    typer.Option(
        "--max-steps",
        metavar="N",
        parser=_whole,
        help="At most N optimiser steps a stage. 0: no cap.",
        rich_help_panel=_LIMITS,
    ),
]
MaxRows = Annotated[
    int,
    typer.Option(
        "--max-eval-rows",
        metavar="N",
        parser=_whole,
        help="At most N rows a language. 0: no cap.",
        rich_help_panel=_LIMITS,
    ),
]
Json = Annotated[
    bool,
    typer.Option(
        "--json",
        help="One JSON document on stdout; none where a mistake stops it (exit code 2).",
        rich_help_panel=_OUTPUT,
    ),
]
Detect = Annotated[
    float | None,
    typer.Option(
        "--detect",
        metavar="POINTS",
        help="Seeds and hours to see a mean gain of so many points.",
        rich_help_panel=_LIMITS,
    ),
]
Forecast = Annotated[
    bool,
    typer.Option(
        "--forecast",
        help="Steps, time, disk and memory, from a rehearsal of half a minute.",
        rich_help_panel=_LIMITS,
    ),
]
GpuMemory = Annotated[
    float | None,
    typer.Option(
        "--gpu-memory",
        metavar="GB",
        min=1,
        help="The smallest set-up on cards of so much memory, for models known by name.",
        rich_help_panel=_WHERE,
    ),
]
Track = Annotated[
    str,
    typer.Option(
        "--track",
        metavar="NAME",
        help="Training curves also to tensorboard, wandb, ...: a tracker of Accelerate's.",
        rich_help_panel=_OUTPUT,
    ),
]

STORE = Path(".xstilts")


def _study(
    model: ModelName = "mini",
    source: SourceName = "hub",
    seeds: Seeds = "1",
    recipe: RecipeName = "mini",
    task: TaskFiles = None,
    store: StoreFolder = STORE,
    max_steps: MaxSteps = 0,
    max_eval_rows: MaxRows = 0,
) -> None:
    """The options that say which study is meant."""


def about_a_study(command: Callable[..., int]) -> Callable[..., int]:
    """Give a command the options that say which study is meant; `asked.plan` reads them.

    The command declares those that it reads itself, and its own.
    """
    own = signature(command, eval_str=True).parameters
    shared = signature(_study, eval_str=True).parameters
    every = {**shared, **own}
    order = sorted(every.values(), key=lambda one: one.default is not Parameter.empty)

    @wraps(command)
    def with_options(**given: Any) -> int:
        return command(**{name: given[name] for name in own})

    with_options.__signature__ = Signature(order)  # type: ignore[attr-defined]
    with_options.__annotations__ = {one.name: one.annotation for one in order}
    return with_options

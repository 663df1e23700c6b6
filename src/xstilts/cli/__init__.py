"""The command line: thin doors to the rooms. Nothing heavy is imported before it is needed.

Exit codes: 0 done; 2 something to put right, said in one line on stderr; 130 and 143 interrupted
(Ctrl-C, SIGTERM), 141 nobody reads the output any more. What was finished is always kept.
"""

from __future__ import annotations

import os
import re
import shlex
import signal
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperGroup

from xstilts._version import __version__
from xstilts.errors import UserError, suggest
from xstilts.plain import plain

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import FrameType

_NO_MEMORY = re.compile("MemoryError|out of memory|allocate memory")
EXAMPLES = """\
Examples:

\b
  xstilts run demo                    the whole idea in minutes, no data
  xstilts studies                     the other ready-made studies
  xstilts tasks                       what can be trained on and evaluated
  xstilts plan "mnli > xnli"          what would be done
  xstilts run "csqa > xnli" --model xlm-roberta-base --recipe authors
  xstilts run study.yaml              your own study

docs/tutorial.md leads from the demo to your own model, task and predictions.
"""
_DEBUG = "--debug"
COMPLETING = "_XSTILTS_COMPLETE"  # set by the shell's completion of typer


class _Commands(TyperGroup):
    """Commands by name; a path that stands where a command should is told where it belongs."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name = args[0]
        known = self.get_command(ctx, name) is not None
        if not known and not name.startswith("-") and not ctx.resilient_parsing:
            where = ctx.command_path
            if name in _ready_made():
                raise UserError(f'"{name}" is a study, not a command: xstilts run {name} runs it')
            if any(mark in name for mark in ">| "):
                raise UserError(f'"{name}" is a path, not a command: xstilts run "{name}" runs it')
            hint = suggest(name, self.list_commands(ctx))
            raise UserError(f'no command is called "{where} {name}":{hint}')
        return super().resolve_command(ctx, args)


def _ready_made() -> Iterable[str]:
    from xstilts.study import ready_made

    return ready_made()


# Where each command is, in the order of the help page. A module is imported when it is asked for.
_COMMANDS = {
    "run": "run.run",
    "plan": "run.plan",
    "gains": "answers.gains",
    "scaling": "answers.scaling",
    "claims": "answers.claims",
    "ladder": "ladder.ladder",
    "order": "order.order",
    "rank": "rank.rank",
    "robustness": "robustness.robustness",
    "speed": "speed.speed",
    "bench": "speed.bench",
    "report": "report.report",
    "compare": "report.compare",
    "pretrain": "pretrain.pretrain",
    "corpus": "pretrain.corpus",
    "score": "scoring.score",
    "leaks": "leaks.leaks",
    "perturb": "perturb.perturb",
    "studies": "studies.studies",
    "tasks": "catalogue.tasks",
    "languages": "catalogue.languages",
    "status": "status.status",
}
_GROUPS = {"store": "store.app", "import": "imports.app", "export": "export.app"}
_SHOWN_BELOW = ("run", "plan")  # the examples


def built(only: str = "") -> typer.Typer:
    """The command line: of all commands, or of one alone, which takes half as long."""
    app = typer.Typer(
        name="xstilts",
        cls=_Commands,
        help="English intermediate-task training for zero-shot cross-lingual transfer.",
        epilog=EXAMPLES,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
        callback=_root,
    )
    for name, place in _COMMANDS.items():
        if only in ("", name):
            app.command(name, epilog=EXAMPLES if name in _SHOWN_BELOW else None)(_found(place))
    for name, place in _GROUPS.items():
        if only in ("", name):
            app.add_typer(_found(place), name=name, cls=_Commands)
    return app


def _found(place: str) -> Any:
    module, _, name = place.partition(".")
    return getattr(import_module(f"xstilts.cli.{module}"), name)


def _version(show: bool) -> None:
    if show:
        sys.stdout.write(f"xstilts {__version__}\n")
        raise typer.Exit


def _root(
    version: bool = typer.Option(
        False, "--version", help="Show the version.", callback=_version, is_eager=True
    ),
    debug: bool = typer.Option(
        False, _DEBUG, help="Show the traceback of an error; with any command."
    ),
) -> None:
    """English intermediate-task training for zero-shot cross-lingual transfer."""


def main(arguments: list[str] | None = None) -> None:
    """Run a command and exit; whatever a user can put right ends in one line and exit code 2."""
    if COMPLETING in os.environ:
        built()(prog_name="xstilts")  # answers the shell and ends
    given = sys.argv[1:] if arguments is None else arguments
    arguments = [one for one in given if one != _DEBUG]
    signal.signal(signal.SIGTERM, _terminate)
    try:
        code = _invoke(arguments)
        sys.stdout.flush()
    except KeyboardInterrupt as stop:
        again = shlex.join(["xstilts", *arguments])
        _say(f"interrupted: what was finished is kept; this goes on from there: {again}")
        code = 143 if stop.args == (signal.SIGTERM,) else 130
    except BrokenPipeError:  # `| head`: there is nobody left to tell
        nobody = os.open(os.devnull, os.O_WRONLY)
        for stream in (sys.stdout, sys.stderr):
            os.dup2(nobody, stream.fileno())
        code = 141
    except Exception as error:
        message = _message(error)
        if message is None or _DEBUG in given:
            raise
        if message:
            _say(message)
        code = 2
    raise SystemExit(code)


def _invoke(arguments: list[str]) -> int:
    only = arguments[0] if arguments and arguments[0] in {**_COMMANDS, **_GROUPS} else ""
    # Not called as it is: it would answer Ctrl-C and closed pipes itself, and keep silent of them.
    command = typer.main.get_command(built(only))
    try:
        # What was given is kept for those who tell how to go on.
        with command.make_context("xstilts", [*arguments], obj=arguments) as context:
            return command.invoke(context) or 0
    except typer.Exit as leave:
        return leave.exit_code


def _terminate(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt(signal.SIGTERM)


def _message(error: Exception) -> str | None:
    """What to say of an error that a user can put right; None for any other."""
    if isinstance(error, UserError):
        return str(error)
    if hasattr(error, "format_message"):
        return _usage(error)
    if isinstance(error, OSError):
        reason = f"{error.filename}: {error.strerror}" if error.filename else str(error)
        return f"{reason}; put it right and give the same command again (--debug shows more)"
    if isinstance(error, MemoryError | RuntimeError) and _NO_MEMORY.search(f"{error!r}"):
        return (
            f"out of memory ({error!s:.100}): what was finished is kept; take a smaller model or "
            "another machine, and give the same command again"
        )
    return None


def _usage(error: Any) -> str:
    """A mistake in options or arguments in one line; "" where the help has been shown instead."""
    where = error.ctx.command_path if error.ctx else "xstilts"
    if hasattr(error, "possibilities"):
        hint = suggest(error.option_name, error.possibilities or ())
        hint = f";{hint}" if hint else ""
        return f"{where} has no option {error.option_name}{hint} ({where} --help lists all)"
    given, is_choice, allowed = getattr(error, "message", "").rpartition(" is not one of ")
    if is_choice and getattr(error, "param", None):
        value = given.removeprefix("Value error, ")[1:-1]
        hint = suggest(value, re.findall("'([^']*)'", allowed))
        return f'{error.param.opts[0]} "{value}" is not known:{hint}'
    text = error.format_message().rstrip(".")
    return f"{text} ({where} --help says more)" if text else ""


def _say(message: str) -> None:
    sys.stderr.write(f"xstilts: {plain(' '.join(message.split()))}\n")

"""From a command line to what is asked for: the catalogue, the plan, the bench."""

from __future__ import annotations

import select
import sys
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xstilts import hardware
from xstilts.errors import UserError, suggest
from xstilts.tasks.base import SOURCES

if TYPE_CHECKING:
    from collections.abc import Mapping

    import typer

    from xstilts.analysis.outcomes import Outcomes
    from xstilts.engines import Bench, Engine
    from xstilts.models import Model
    from xstilts.plan import Plan
    from xstilts.scenario import Measure
    from xstilts.study import Study
    from xstilts.tasks import Catalogue, Task
    from xstilts.tasks.base import Source


def catalogue(task: list[str] | None) -> Catalogue:
    """The built-in tasks, and those of ``--task``."""
    from xstilts.tasks import Catalogue

    return Catalogue([own_task(one) for one in task or ()])


def own_task(name: str) -> Task:
    """A user's own task: a task file, or a dataset of the hub as ``hf:org/dataset``.

    Raises:
        UserError: if the file or the dataset is not as it should be.
    """
    from xstilts.sources import own

    if not name.startswith("hf:"):
        return own.load(Path(name))
    found, text = own.from_hub(name.removeprefix("hf:"))
    if found is None:
        raise UserError(
            f"{name}: not everything could be inferred: "
            f'"xstilts tasks {name}" shows a task file to complete'
            + "".join(
                f"; {line[2:].strip()}" for line in text.splitlines() if line.startswith("# ?")
            )
        )
    return found


def plan(
    context: typer.Context,
    paths: list[str],
    tasks: Catalogue,
    measure: Measure | None = None,
    *,
    nominal: bool = False,
) -> Plan:
    """The plan of the paths, or of the study, under the options of the command.

    Args:
        context: of the command.
        paths: or one study.
        tasks: the catalogue.
        measure: what is measured of inference; None: what the study says.
        nominal: know models and the hub's rows by their names alone: the plan's shape is right,
            its identities are not.

    Raises:
        UserError: if something of it is wrong, or nothing of it can be run.
    """
    from xstilts import plan as planning
    from xstilts import recipes
    from xstilts.imported import Imports
    from xstilts.sources import Sources, mirror
    from xstilts.sources.nominal import NominalSources
    from xstilts.store import Store

    file, study = declared(context, paths, tasks)
    if measure is not None:
        frontier = _targets(paths) if measure.variants else ()
        study = study.model_copy(
            update={"measure": measure.model_copy(update={"frontier": frontier})}
        )
    recipe = recipes.of(study)
    named_by = None if "model" in _given(context) else file
    sources = (NominalSources if nominal else Sources).from_environment()
    if study.source == "mirror" and sources.mirror:
        mirror.check(sources.mirror)
    found = planning.build(
        study,
        recipe,
        [_model(name, named_by, nominal=nominal) for name in study.models],
        tasks,
        sources,
        allow_absent=file is not None,  # a study lists what is absent; a path must be there
        imports=Imports(Store(context.params["store"])),
        device=hardware.device(context.params.get("device", "cpu")) if study.measure else "cpu",
    )
    if not found.cells:
        path, reason = next(iter(found.absent.items()))
        raise UserError(f"{paths[0]}: nothing of it can be run, such as {path}: {reason}")
    return found


def _model(name: str, file: Path | None, *, nominal: bool) -> Model:
    """A model; where it cannot be had, the study that names it is named as well."""
    from xstilts import models

    try:
        return models.named(name) if nominal else models.find(name)
    except UserError as error:
        raise type(error)(f"{file}, models: {error}" if file else str(error)) from None


def outcomes(
    context: typer.Context, paths: list[str] | None, tasks: Catalogue, store: Path
) -> Outcomes:
    """The finished scores of the paths, or of the study.

    Raises:
        UserError: as ``plan``; if nothing of it is finished, or the store is damaged.
    """
    from xstilts.analysis.outcomes import load
    from xstilts.store import Store

    return load(plan(context, paths or [], tasks), Store(store), tasks)


def source(name: str) -> Source:
    """The source of that name.

    Raises:
        UserError: if there is none.
    """
    for one in SOURCES:
        if one == name:
            return one
    raise UserError(f'--source "{name}" is not known:{suggest(name, SOURCES)}')


def declared(
    context: typer.Context, paths: list[str], tasks: Catalogue
) -> tuple[Path | None, Study]:
    """The study that paths and options make, and its file; None where paths are written out.

    Raises:
        UserError: if something of it is wrong.
    """
    _shell_traps(paths, tasks)
    if not paths:
        raise UserError(
            f'{context.command_path} needs a path in quotes, as in "taxinli > xnli", a study file, '
            f'or a ready-made study: "{context.command_path} demo" needs no data, and "xstilts '
            'studies" lists all'
        )
    file = study_file(paths, tasks)
    return file, _study(context, paths, file)


def plan_to_look_at(context: typer.Context, paths: list[str], tasks: Catalogue) -> tuple[Plan, str]:
    """As ``plan``; where the hub cannot be reached, by names alone, with a line that says so.

    Raises:
        UserError: as ``plan``, if a model's shape is not known by its name either.
    """
    from xstilts import models

    try:
        return plan(context, paths, tasks), ""
    except models.UnreachableError as error:
        try:
            found = plan(context, paths, tasks, nominal=True)
        except UserError:
            raise error from None
        note = "the hub was not reached: this is the plan's shape and cost; its ids are not a run's"
        return found, note


def study_file(paths: list[str], tasks: Catalogue) -> Path | None:
    """The file of the study that is asked for; None where paths are.

    The user's own task goes before a ready-made study of the same name.

    Raises:
        UserError: if a study does not stand alone, or a name is nearly that of a ready-made one.
    """
    from xstilts import study

    names = [task.name for task in tasks]
    ready = study.ready_made()
    files = [file for path in paths if path not in names and (file := study.file_of(path))]
    if files and len(paths) > 1:
        raise UserError("a study stands alone: leave the other paths out, or put them in it")
    near = get_close_matches(paths[0], [*names, *ready], n=1)
    if not files and near and near[0] in ready and paths[0] not in names:
        raise UserError(
            f'no task and no ready-made study is called "{paths[0]}": did you mean "{near[0]}"?'
        )
    return files[0] if files else None


def _study(context: typer.Context, paths: list[str], file: Path | None) -> Study:
    """The study that paths and options make, or that of a file with what options replace in it."""
    from xstilts import orders, study

    if file is None:
        spelled = {path: orders.paths(path) for path in paths}  # says what is wrong with them
        once = tuple(
            dict.fromkeys(path if len(own) > 1 else str(own[0]) for path, own in spelled.items())
        )
        fields = _fields(context.params)
        if "model" not in _given(context):
            fields.pop("models", None)  # the study's default is the option's
        return study.of({"name": "run", "paths": once, **fields})
    declared = study.load(file)
    fields = _fields({name: context.params[name] for name in _given(context)})
    options = declared.options.model_copy(update=fields.pop("options"))
    return declared.model_copy(update={**fields, "options": options})


def _given(context: typer.Context) -> list[str]:
    """The options that stand on the command line."""
    sources = {name: context.get_parameter_source(name) for name in context.params}
    return [name for name, source in sources.items() if source and source.name == "COMMANDLINE"]


def _fields(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options of the command line as the fields of a study; ``options`` is always there."""
    fields = {name: options[name] for name in ("source", "recipe", "keep") if name in options}
    if "model" in options:
        fields["models"] = (options["model"] or ".",)
    if "seeds" in options:
        fields["seeds"] = _seeds(options["seeds"])
    if "recipe" in fields:
        from xstilts import recipes

        recipes.get(fields["recipe"])  # a name that is none is told here
    if "source" in fields:
        source(fields["source"])
    allowed = ("all", "intermediates", "none")
    if "keep" in fields and fields["keep"] not in allowed:
        raise UserError(
            f'--keep "{fields["keep"]}" is not known:{suggest(fields["keep"], allowed)}'
        )
    caps = {
        name: options[name] or None for name in ("max_steps", "max_eval_rows") if name in options
    }
    return {**fields, "options": caps}


def _seeds(text: str) -> tuple[int, ...]:
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isascii() and part.isdigit() for part in parts):
        raise UserError(f'--seeds "{text}" is not a list of whole numbers, as in 1,2,3')
    seeds = tuple(map(int, parts))
    if len(set(seeds)) < len(seeds) or max(seeds) >= 2**31:
        raise UserError(f'--seeds "{text}": each seed once, from 0 to {2**31 - 1}')
    return seeds


def engine(name: str, address: str, slurm: list[str]) -> Engine:
    """The engine of that name.

    Raises:
        UserError: if a setting is another engine's, or none.
    """
    if address and name != "ray":
        raise UserError(f'--address "{address}" is of a Ray cluster: give --engine ray, too')
    if slurm and name != "slurm":
        raise UserError(f'--slurm "{slurm[0]}" is for Slurm: give --engine slurm, too')
    if name == "ray":
        from xstilts.engines.ray import RayEngine

        return RayEngine(address)
    if name == "slurm":
        from xstilts.engines.slurm import SlurmEngine

        for one in slurm:
            key, equals, value = one.partition("=")
            if not (key and equals and value) or (key == "time" and not value.isdigit()):
                raise UserError(
                    f'--slurm "{one}" is not KEY=VALUE, as in partition=gpu or time=720 (minutes)'
                )
        return SlurmEngine(dict(one.split("=", 1) for one in slurm))
    from xstilts.engines.local import LocalEngine

    return LocalEngine()


def bench(
    store: Path,
    tasks: Catalogue | None,
    device_name: str,
    threads: int,
    track: str = "",
    devices: int = 1,
) -> Bench:
    """Where work is done; without tasks, at the built-in ones."""
    from xstilts.engines import Bench, token_budget
    from xstilts.sources import Sources
    from xstilts.store import Store
    from xstilts.tasks import Catalogue

    found = hardware.device(device_name)
    return Bench(
        store=Store(store),
        catalogue=tasks or Catalogue(),
        sources=Sources.from_environment(),
        device=found,
        threads=threads,
        token_budget=token_budget(found),
        track=track,
        devices=devices,
    )


def _targets(paths: list[str]) -> tuple[str, ...]:
    """The tasks that paths end in."""
    from xstilts.path import parse

    found: dict[str, None] = {}
    for path in map(parse, paths):
        ends = [one.task for one in path.evaluations or path.stages[-1].items]
        found |= dict.fromkeys(ends)
    return tuple(found)


def _shell_traps(paths: list[str], tasks: Catalogue) -> None:
    """Without quotes the shell takes ">" and "|" of a path for itself."""
    if sys.stdout.isatty() or not paths:
        return
    given = " ".join(paths)
    if _nobody_reads() and not any(mark in given for mark in ">|"):
        raise UserError(
            'nobody reads the output: if the shell took "|" as a pipe, put the path in quotes, as '
            f'in "{given} | tatoeba"'
        )
    try:
        target = Path("/proc/self/fd/1").readlink()
    except OSError:
        return
    is_task = target.name in {task.name for task in tasks}
    if is_task and target.is_file() and not target.stat().st_size:
        raise UserError(
            f'the shell took ">" as a redirection and is writing a file called {target.name}: '
            f'put the path in quotes, as in "{given} > {target.name}", and remove that file'
        )


def _nobody_reads() -> bool:
    """Whether stdout is a pipe whose other end is closed, as after a command not found."""
    poll = select.poll()
    poll.register(1, 0)
    return any(event & select.POLLERR for _, event in poll.poll(0))

"""What was trained or predicted elsewhere, as steps of the store.

An import has a name, which the path language uses: ``imported(my_mnli) > xnli``. Under one name lie
a checkpoint for every seed, predictions for tasks, languages and seeds, or both. An imported step's
identity is its name, its seed and the content of its files, so that what is made from it can never
be taken for what another file gave. Nothing is said of how it came about: that it was imported
stands in every path and row.
"""

from __future__ import annotations

import json
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from xstilts import models, sizes
from xstilts._version import __version__
from xstilts.errors import AbsentError, UserError, suggest
from xstilts.identity import fingerprint
from xstilts.store.records import Corrupt, read_record
from xstilts.store.upkeep import step_folders

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from xstilts.store import Store
    from xstilts.tasks.base import Task

VERSION = 1
HEAD = "imported"  # what an imported head is called in its stage


class Found(NamedTuple):
    """An imported step: its id and the inputs in its record."""

    id: str
    inputs: dict[str, Any]


class Imports:
    """What was imported into a store, looked up when a path asks for it."""

    def __init__(self, store: Store) -> None:
        self._store = store

    @cached_property
    def _all(self) -> list[Found]:
        found = []
        for folder in step_folders(self._store.root):
            try:
                inputs = read_record(folder)["inputs"]
            except (Corrupt, OSError):  # whoever needs it is told that it is not there
                continue
            if "imported" in inputs:
                found.append(Found(folder.name, inputs))
        return found

    def checkpoint(self, name: str, seed: int) -> Found | None:
        """The checkpoint of that name and seed; None where there is none.

        Raises:
            UserError: if there are several.
        """
        return self._one(name, seed, task=None)

    def architecture(self, found: Found) -> sizes.Architecture | None:
        """The shape of an imported checkpoint; None where its folder does not tell."""
        try:
            text = (self._store.folder(found.id) / "config.json").read_text(encoding="utf-8")
            return sizes.of_config(json.loads(text))
        except (OSError, ValueError):  # whoever loads it says what is wrong
            return None

    def predictions(
        self, name: str, seed: int, task: str, data: str, language: str
    ) -> Found | None:
        """Predictions on rows with that fingerprint; None where there are none.

        Raises:
            UserError: if there are several.
        """
        return self._one(name, seed, task=task, data=data, language=language)

    def _one(self, name: str, seed: int, **wanted: Any) -> Found | None:
        def fits(inputs: Mapping[str, Any]) -> bool:
            mine = {key: inputs.get(key) for key in wanted}
            return (inputs["imported"], inputs["seed"], mine) == (name, seed, wanted)

        found = [one for one in self._all if fits(one.inputs)]
        if len(found) > 1:
            ids = ", ".join(one.id for one in found)
            raise UserError(
                f'"{name}" (seed {seed}) was imported {len(found)} times with different content: '
                f"{ids}; next: remove the folders of those that are wrong from {self._store.root}"
            )
        return found[0] if found else None

    def no_checkpoint(self, name: str, seed: int) -> AbsentError:
        """The error that says that it is predictions, if it is, or what is there instead."""
        mine = [one.inputs for one in self._all if one.inputs["imported"] == name]
        tasks = [one["task"] for one in mine if one.get("task")]
        if not tasks or len(tasks) < len(mine):
            return self.absent(name, f"no checkpoint of seed {seed}")
        return AbsentError(
            f'"{name}" is predictions on {", ".join(dict.fromkeys(tasks))}, which nothing can be '
            f'trained from: they are scored after a bar, as in "imported({name}) | {tasks[0]}"'
        )

    def absent(self, name: str, what: str) -> AbsentError:
        """The error that says what is there instead."""
        mine = [one.inputs for one in self._all if one.inputs["imported"] == name]
        if not mine:
            hint = suggest(name, {one.inputs["imported"] for one in self._all})
            hint = f";{hint}" if hint else ""
            return AbsentError(
                f'nothing was imported as "{name}" into {self._store.root}{hint}'
                " (xstilts import --help says how)"
            )
        seeds = ", ".join(str(seed) for seed in sorted({one["seed"] for one in mine}))
        return AbsentError(f'"{name}" has {what}; what was imported has seeds {seeds}')


def checkpoint(
    store: Store, folder: Path, name: str, seed: int, task: Task | None, labels: Sequence[str]
) -> str:
    """Make a Hugging Face folder a stage; returns its id.

    Args:
        store: where it goes.
        folder: config.json, safetensors and a fast tokenizer.
        name: what paths call it.
        seed: which seed it stands for.
        task: what its head answers; without one the encoder alone is imported.
        labels: of the head's outputs, in order; where none are given, config.json's.

    Raises:
        UserError: if the folder is not complete, its head does not fit the task, or another
            checkpoint has that name and seed.
    """
    from xstilts.steps import checkpoint as stages
    from xstilts.steps import foreign_head

    content = models.find(str(folder.absolute())).fingerprint
    inputs = {
        "imported": name,
        "seed": seed,
        "files": content,
        "head": task and {"format": task.format, "labels": list(task.labels), "given": [*labels]},
    }
    step_id = fingerprint(["imported", VERSION, inputs])
    _check_free(Imports(store).checkpoint(name, seed), step_id, name, seed)
    if store.has(step_id):
        return step_id
    encoder, tokenizer = stages.load(folder)
    heads, about = {}, {}
    if task is not None:
        heads[HEAD] = foreign_head.load(folder, encoder, task, labels)
        about[HEAD] = (task.format, task.labels)
    with store.writing(step_id) as out:
        stages.save(out, encoder, tokenizer, heads, about)
        result = {"parameters": sum(p.numel() for p in encoder.parameters()), "steps": 0}
        store.finish(step_id, out, _record("train", inputs, folder, result))
    return step_id


def predictions(
    store: Store, rows: list[dict[str, Any]], file: Path, inputs: Mapping[str, Any]
) -> str:
    """Make predictions a predict step; returns its id.

    Args:
        store: where it goes.
        rows: what `given_predictions.align` made of the file.
        file: for the record.
        inputs: ``imported``, ``seed``, ``task``, ``language``, ``source``, and ``data``, the
            fingerprint of the rows that were predicted.

    Raises:
        UserError: if other predictions of that name and seed are there.
    """
    from xstilts.steps import predict

    given = fingerprint([[row["id"], row["prediction"]] for row in rows])
    whole = {**inputs, "weights": given, "head": None, "max_rows": None}
    step_id = fingerprint(["imported", VERSION, whole])
    keys = ("seed", "task", "data", "language")
    name = str(inputs["imported"])
    there = Imports(store).predictions(name, **{key: inputs[key] for key in keys})
    _check_free(there, step_id, name, int(inputs["seed"]))
    if not store.has(step_id):
        with store.writing(step_id) as out:
            record = _record("predict", whole, file, predict.write(rows, out))
            store.finish(step_id, out, record)
    return step_id


def _check_free(there: Found | None, step_id: str, name: str, seed: int) -> None:
    if there is not None and there.id != step_id:
        raise UserError(
            f'"{name}" (seed {seed}) was imported before with other content, as step {there.id}; '
            "give another name or seed"
        )


def _record(kind: str, inputs: dict[str, Any], place: Path, result: Any) -> dict[str, Any]:
    provenance: dict[str, Any] = {
        "xstilts": __version__,
        "engine": "import",
        "from": str(place.absolute()),
        "versions": {},
        "device": "elsewhere",
        "threads": None,
        "seconds": None,
    }
    return {
        "kind": kind,
        "inputs": inputs,
        "provenance": provenance,
        "result": result,
        "evictable": [],
    }

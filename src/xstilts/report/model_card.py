"""A trained stage as a folder for the Hugging Face hub: its files, and a card that says what it is.

The card is made of the store's records alone: how the stage was trained, from what, and every score
of predictions that it made.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

from xstilts import models
from xstilts._version import __version__
from xstilts.disk.whole import check_free, whole
from xstilts.errors import UserError
from xstilts.path import Item, Mixture, Path, parse_noise
from xstilts.report.licences import licences
from xstilts.tasks.base import Hub
from xstilts.tasks.citations import bibtex

if TYPE_CHECKING:
    import pathlib
    from collections.abc import Iterator, Mapping, Sequence

    from xstilts.store import Store
    from xstilts.tasks import Catalogue
    from xstilts.tasks.base import Task

CARD = "README.md"
# What the hub calls the formats.
TASK_TYPES = {
    "classification": "text-classification",
    "multiple_choice": "multiple-choice",
    "tagging": "token-classification",
    "span": "question-answering",
    "retrieval": "sentence-similarity",
    "mlm": "fill-mask",
}


@dataclass(frozen=True)
class Score:
    """One number of a card: a share, of ``n`` units, by a version of the metric."""

    task: str
    source: str
    language: str
    metric: str
    value: float
    n: int
    version: int


@dataclass(frozen=True)
class Stage:
    """A trained stage and what it came from.

    Attributes:
        id: of the step.
        records: of all stages on its way, the first one trained first.
        base: fingerprint of the pretrained encoder.
        base_name: its name, where it is one of ours; else "".
        scores: of the predictions that it made.
    """

    id: str
    records: tuple[Mapping[str, Any], ...]
    base: str
    base_name: str
    scores: tuple[Score, ...]

    @property
    def path(self) -> Path:
        """The path of the stages."""
        return Path(tuple(_mixture(record["inputs"]) for record in self.records))

    @property
    def name(self) -> str:
        """A file-safe name: path and seed."""
        return f"{self.path.slug}-seed{self.records[-1]['inputs'].get('seed', 0)}"


def stage(store: Store, step_id: str) -> Stage:
    """A trained stage with all that the store knows of it.

    Raises:
        UserError: if the step is no stage, or is not finished.
    """
    kind = store.record(step_id)["kind"]
    if kind != "train":
        raise UserError(
            f"step {step_id} is a {kind} step: only a trained stage can be exported "
            '("xstilts store ls" shows which steps are train steps)'
        )
    if "shards" in store.record(step_id)["inputs"]:
        raise UserError(
            f"step {step_id} is a pretraining run: its folder is a Hugging Face folder already "
            f"({store.folder(step_id)})"
        )
    records, at = [], step_id
    while store.has(at):
        records.append(store.record(at))
        at = records[-1]["inputs"].get("parent", "")
    ours = {models.find(name).fingerprint: name for name in models.shipped()}
    found = sorted(_scores(store, step_id), key=lambda s: (s.task, s.metric, s.language))
    return Stage(step_id, tuple(reversed(records)), at, ours.get(at, ""), tuple(found))


def export(store: Store, step_id: str, out: pathlib.Path, catalogue: Catalogue) -> list[str]:
    """Write a stage's files and its card into a new folder; returns the names of the files.

    Raises:
        UserError: if the step is no stage, its weights were evicted, or the folder is in use.
    """
    about = stage(store, step_id)
    finished = store.open(step_id)
    files = {name: finished.path(name) for name in finished.record["files"]}
    check_free(out)
    with whole(out) as part:
        for name, source in files.items():
            (part / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, part / name)
        (part / CARD).write_text(card(about, catalogue), encoding="utf-8")
    return [*files, CARD]


def push(folder: pathlib.Path, repo: str) -> str:
    """Upload a folder to a model repository, made private if it is new; returns its address.

    Raises:
        UserError: if the hub refuses, or cannot be reached.
    """
    from huggingface_hub import HfApi

    try:
        api = HfApi()
        where = api.create_repo(repo, private=True, exist_ok=True)
        api.upload_folder(
            repo_id=where.repo_id, folder_path=folder, commit_message="xstilts export"
        )
    except Exception as error:  # noqa: BLE001 - the hub's client raises many kinds
        line = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise UserError(
            f'"{repo}" cannot be pushed ({line:.160}): the folder {folder} stays; sign in with '
            '"hf auth login", or upload it by hand'
        ) from None
    return str(where)


def card(about: Stage, catalogue: Catalogue) -> str:
    """The card in Markdown, its front matter as the hub reads it."""
    known = {task.name: task for task in catalogue}
    trained = [known[name] for name in _trained(about) if name in known]
    front = yaml.safe_dump(_front(about, known), sort_keys=False, allow_unicode=True)
    first = about.records[-1]
    heads = ", ".join(dict.fromkeys(item["task"] for item in first["inputs"].get("items", ())))
    base = f"`{about.base_name}`" if about.base_name else "the encoder"
    parts = [
        f"---\n{front}---\n",
        f"# {about.path}\n",
        (
            f"{base[0].upper()}{base[1:]} with fingerprint `{about.base}`, trained along "
            f"`{about.path}` (seed {first['inputs'].get('seed', 0)}) by xstilts {__version__}. "
            f"Step `{about.id}`.\n"
        ),
        "## Stages\n",
        _table(("stage", "data", "languages", "source", "steps", "settings"), _stages(about)),
        "## Scores\n",
        _scores_said(about),
        "## Data and licences\n",
        _table(("data", "licence", "described at"), licences(trained, _sources(about))),
        "A model trained on these data may be bound by their licences.\n",
        "## Use\n",
        (
            "```python\nfrom transformers import AutoModel, AutoTokenizer\n\n"
            'encoder = AutoModel.from_pretrained("FOLDER")\n'
            'tokenizer = AutoTokenizer.from_pretrained("FOLDER")\n```\n'
        ),
        (
            f"`heads.safetensors` holds what answers {heads or 'nothing'}; "
            "`xstilts import checkpoint FOLDER --as NAME` trains the encoder further.\n"
        ),
        "## Citation\n",
        f"```bibtex\n{bibtex([*(t.name for t in trained), *(s.task for s in about.scores)])}```\n",
    ]
    return "\n".join(parts)


def _front(about: Stage, known: Mapping[str, Task]) -> dict[str, Any]:
    languages = dict.fromkeys(
        code
        for record in about.records
        for item in record["inputs"].get("items", ())
        for code in item["languages"]
    )
    source = about.records[-1]["inputs"].get("source")
    data = [known[name].sources.get("hub") for name in _trained(about) if name in known]
    places = [one.train for one in data if one is not None and source == "hub"]
    repos = dict.fromkeys(place.repo for place in places if isinstance(place, Hub))
    front: dict[str, Any] = {
        "license": "other",
        "license_name": "licences-of-the-data",
        "language": list(languages),
        "library_name": "transformers",
        "tags": ["xstilts", "cross-lingual", "intermediate-task-training"],
        "datasets": list(repos),
    }
    if about.scores:
        results = [_result(score, known) for score in about.scores]
        front["model-index"] = [{"name": about.name, "results": results}]
    return {name: value for name, value in front.items() if value}


def _result(score: Score, known: Mapping[str, Task]) -> dict[str, Any]:
    task = known.get(score.task)
    kind = TASK_TYPES.get(task.format, "other") if task else "other"
    # Rows of a stand-in, or generated ones, must not stand beside the dataset's own on a board.
    rows = task.sources["hub"].evaluate if task and score.source == "hub" else None
    place = rows.repo if isinstance(rows, Hub) else f"{score.task}-{score.source}"
    name = f"{score.task} ({score.source})"
    return {
        "task": {"type": kind, "name": score.task},
        "dataset": {"type": place, "name": name, "config": score.language},
        "metrics": [
            {
                "type": score.metric,
                "value": round(score.value, 6),
                "name": f"{score.metric} (n = {score.n})",
            }
        ],
    }


def _trained(about: Stage) -> list[str]:
    items = [item for record in about.records for item in record["inputs"].get("items", ())]
    return list(dict.fromkeys(item["task"] for item in items))


def _mixture(inputs: Mapping[str, Any]) -> Mixture:
    """The stage in the path language."""
    if "imported" in inputs:
        return Mixture((Item(inputs["imported"], control="imported"),))
    return Mixture(tuple(_item(item) for item in inputs["items"]))


def _item(item: Mapping[str, Any]) -> Item:
    counted = item.get("steps_of")
    controls = item["control"] == "same_steps"
    said = counted if controls and counted else item  # the control is called after the other task
    usual = said["task"] == "mlm" or said["languages"] == ["en"]
    noise = next((one["noise"] for one in item.get("noise", {}).values()), None)
    return Item(
        said["task"],
        () if usual else tuple(said["languages"]),
        said["rows"],
        item["share"],
        item["control"],
        as_rows=None if controls or counted is None else counted["rows"],
        noise=None if noise is None else parse_noise(noise),
    )


def _scores(store: Store, step_id: str) -> Iterator[Score]:
    """Every score of what a stage predicted of clean rows; of retrieval, the layer that counts.

    What only looks at it is none: noise, attacks, other ways to answer, and selection rows.
    """
    others = {"perturbation", "attack", "serve", "split"}
    records = [store.record(one.id) for one in store.ls() if one.kind in ("predict", "score")]
    mine = {
        record["id"]: record["inputs"]
        for record in records
        if record["inputs"].get("weights") == step_id and not others & record["inputs"].keys()
    }
    for record in records:
        if record["inputs"].get("predictions") in mine:
            inputs = mine[record["inputs"]["predictions"]]
            for row in record["result"]:
                if row["main"]:
                    place = (inputs["task"], inputs["source"], record["inputs"]["language"])
                    yield Score(
                        *place, row["metric"], row["value"], row["n"], row["metric_version"]
                    )


def _stages(about: Stage) -> Iterator[tuple[str, ...]]:
    for number, record in enumerate(about.records, 1):
        inputs = record["inputs"]
        options, result = inputs.get("options", {}), record["result"] or {}
        settings = {
            "learning rate": options.get("learning_rate"),
            "precision": options.get("precision"),
            "at most": inputs.get("max_steps") and f"{inputs['max_steps']} steps",
        }
        languages = dict.fromkeys(c for item in inputs.get("items", ()) for c in item["languages"])
        yield (
            str(number),
            str(_mixture(inputs)),
            " ".join(languages),
            inputs.get("source", ""),
            str(result.get("steps", "")),
            ", ".join(f"{name} {value}" for name, value in settings.items() if value),
        )


def _scores_said(about: Stage) -> str:
    if not about.scores:
        return "Nothing was scored with it.\n"
    rows = (
        (s.task, s.source, s.language, s.metric, f"{100 * s.value:.1f}", f"{s.n:,}")
        for s in about.scores
    )
    used = sorted({(score.metric, score.version) for score in about.scores})
    versions = ", ".join(f"{name} version {version}" for name, version in used)
    return (
        _table(("task", "source", "language", "metric", "percent", "n"), rows)
        + f"\nOne run: no interval over training. {versions}.\n"
    )


def _sources(about: Stage) -> set[str]:
    return {record["inputs"].get("source", "") for record in about.records}


def _table(header: Sequence[str], rows: Any) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "".join("| " + " | ".join(_cell(cell) for cell in line) + " |\n" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")

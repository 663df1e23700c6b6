"""Rows from the Hugging Face hub, or from a folder laid out like a dataset of the hub.

Rows are read at one commit, which is part of the data's identity. What the library prepares is
kept one folder a commit: without a network it falls back on whatever it prepared last, which may
then be that commit's rows and no other's.
"""

from __future__ import annotations

import os
import re
import sys
from contextlib import contextmanager, suppress
from dataclasses import replace
from difflib import get_close_matches
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from xstilts.errors import UserError, suggest
from xstilts.identity import fingerprint, known_sha256
from xstilts.tasks.base import Hub

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

COMMIT = re.compile("[0-9a-f]{40}")
_SETTINGS = ".huggingface.yaml"  # says what README.md does, and goes before it
HUB_TIMEOUT_SECONDS = 10.0


class UnreachableError(UserError):
    """The hub does not answer."""


def resolve(location: Hub, language: str) -> dict[str, str]:
    """The identity of one split's rows, without reading them.

    Args:
        location: the split. A revision that is no commit is resolved to one: the same one for as
            long as the process lives.
        language: the code of the language that fills the gaps in the location's names.

    Returns:
        ``repo``, ``config``, ``split``, ``revision`` (a commit) and, where it chooses the rows,
        ``id_prefix``. A folder is called by its last name, and its revision is the fingerprint
        of its files, so that it may move.

    Raises:
        UserError: if there is no such dataset, folder or revision, or the hub cannot be reached.
    """
    _need_library()
    place = _at_commit(_filled(location, language))
    identity = {
        "repo": Path(place.repo).name if _is_folder(place) else place.repo,
        "config": place.config,
        "split": place.split,
        "revision": place.revision,
    }
    return identity | ({"id_prefix": place.id_prefix} if place.id_prefix else {})


def rows(location: Hub, language: str) -> Iterator[dict[str, Any]]:
    """The rows of one split, as they are and in their order; a class is the integer it is.

    Raises:
        UserError: as ``resolve``, and if there is no such configuration or split, or the files
            cannot be read.
    """
    place, builder = _split(location, language)
    dataset = _prepared(builder, place)
    if place.id_prefix:
        ids = enumerate(dataset["id"])
        dataset = dataset.select([row for row, name in ids if name.startswith(place.id_prefix)])
    return iter(dataset)


def _split(location: Hub, language: str) -> tuple[Hub, Any]:
    """Where a split lies, and the library's builder of it."""
    place = _at_commit(_filled(location, language))
    builder, splits = _open(place)
    if place.split not in splits:
        near = suggest(place.split, splits)
        raise UserError(f'{_named(place)} has no split "{place.split}":{near}')
    return place, builder


def published_rows(location: Hub, language: str) -> int | None:
    """How many rows the hub says that a split has, without reading them; None: it does not say.

    Raises:
        UserError: as ``rows``.
    """
    place, builder = _split(location, language)
    told = (builder.info.splits or {}).get(place.split)
    some = place.id_prefix or place.adapt  # rows of the split, not all of them
    return None if told is None or some else told.num_examples or None


def infer(repo: str) -> dict[str, Any]:
    """What kind of task a dataset is, guessed from its splits, its columns and their values.

    Args:
        repo: ``org/name`` (read at its current commit) or a folder.

    Returns:
        ``config``; ``splits``: train, select and evaluate -> the dataset's split; ``format``,
        ``fields`` and ``labels`` as in ``guess.task``; ``unsure``: a question for each thing that
        the dataset does not tell.

    Raises:
        UserError: as ``rows``.
    """
    from xstilts.sources import guess

    place = _at_commit(Hub(repo=repo, split=""))
    library = _library()
    with _reading(place):
        _refuse_strangers(place)
        configs = library.get_dataset_config_names(**_address(place))
        default = library.get_dataset_default_config_name(**_address(place))
    place = replace(place, config=default or configs[0])
    builder, names = _open(place)
    splits, split_questions = guess.splits(names)
    dataset = _prepared(builder, replace(place, split=splits.get("train", names[0])))
    found = guess.task(dataset.features, dataset.unique)
    if len(configs) > 1:
        question = f"which configuration? this is {place.config}, of: {', '.join(configs)}"
        found["unsure"].insert(0, question)
    found["unsure"] += split_questions
    return {"config": place.config, "splits": splits, **found}


def _filled(location: Hub, language: str) -> Hub:
    """The location with the language's code and names put in."""
    if "{" not in location.config + location.split + location.id_prefix:
        return location
    from xstilts import languages

    known = languages.get(language)
    names = {"lang": language, "name": known.name, "tatoeba": known.tatoeba}
    return replace(
        location,
        config=location.config.format_map(names),
        split=location.split.format_map(names),
        id_prefix=location.id_prefix.format_map(names).lower(),
    )


def _is_folder(place: Hub) -> bool:
    return place.repo.startswith(("/", "./", "../"))


def _at_commit(place: Hub) -> Hub:
    """The place with its revision resolved: to a commit, or to a folder's fingerprint."""
    if _is_folder(place):
        return replace(place, revision=_folder_fingerprint(Path(place.repo)))
    if COMMIT.fullmatch(place.revision):
        return place
    return replace(place, revision=_commit(place.repo, place.revision))


def _folder_fingerprint(folder: Path) -> str:
    if not folder.is_dir():
        raise UserError(f"no folder {folder}: check the path, or write org/name for the hub")
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*")}
    return fingerprint(
        {
            name: known_sha256(path)
            for name, path in files.items()
            if path.is_file()
            and (name == _SETTINGS or not any(part.startswith(".") for part in name.split("/")))
        }
    )


@cache  # a push between two languages must not mix commits in one run
def _commit(repo: str, revision: str) -> str:
    """Ask the hub for the commit of a branch, tag or commit; ``""`` is the main branch."""
    from huggingface_hub import HfApi, errors

    try:
        info = HfApi().dataset_info(repo, revision=revision or None, timeout=HUB_TIMEOUT_SECONDS)
    except errors.HFValidationError:
        raise UserError(
            f'"{repo}" names no dataset: write org/name, or a folder that starts with / or ./'
        ) from None
    except errors.RevisionNotFoundError:
        raise UserError(
            f'"{repo}" has no revision "{revision}": give a commit, or nothing for the newest'
        ) from None
    except errors.RepositoryNotFoundError:
        near = suggest(repo, get_close_matches(repo, _neighbours(repo), n=1))
        raise UserError(
            f'no dataset "{repo}" that you may read on the hub:{near or " check the name"} '
            "(private and gated ones need `hf auth login`)"
        ) from None
    except (_http_error(), ConnectionError) as error:
        raise _unreachable(Hub(repo=repo, split="", revision=revision), error) from None
    assert info.sha is not None
    return info.sha


def _neighbours(repo: str) -> list[str]:
    """Datasets of the same name or owner, as far as the hub tells."""
    from huggingface_hub import HfApi

    owner, _, name = repo.rpartition("/")
    with suppress(_http_error(), ConnectionError):
        found = list(HfApi().list_datasets(search=name, limit=100))
        found += HfApi().list_datasets(author=owner, limit=100) if owner else []
        return [info.id for info in found]
    return []


def _open(place: Hub) -> tuple[Any, list[str]]:
    """The library's builder of a configuration, and the names of its splits."""
    from huggingface_hub import is_offline_mode

    datasets = _library()
    if not is_offline_mode():  # the library asks a hub that is away six times, in half a minute
        _ask_hub(place)
    prepared = Path(datasets.config.HF_DATASETS_CACHE) / "xstilts" / place.revision
    with _reading(place):
        _refuse_strangers(place)
        try:
            builder = datasets.load_dataset_builder(
                name=place.config or None, cache_dir=str(prepared), **_address(place)
            )
        except ValueError:  # so the library says that a configuration is missing
            _ask_hub(place)
            configs = datasets.get_dataset_config_names(**_address(place))
            if place.config in configs:
                raise
            near = suggest(place.config, configs)
            raise UserError(
                f'{_named(place)} has no configuration "{place.config}":{near}'
            ) from None
    return builder, [str(split) for split in builder.info.splits or builder.config.data_files]


def _refuse_strangers(place: Hub) -> None:
    """A dataset's card may name files of other hosts, or of this machine: none of them is read.

    Asked before the library reads the card, as it would speak to that host at once.
    """
    import yaml
    from huggingface_hub.repocard import REGEX_YAML_BLOCK

    match = REGEX_YAML_BLOCK.search(_beside(place, "README.md"))  # as the library finds it
    named: list[Any] = []
    for text in (match[2] if match else "", _beside(place, _SETTINGS)):
        try:
            front = yaml.safe_load(text)
        except (yaml.YAMLError, ValueError, ArithmeticError, RecursionError):
            continue  # the library says what is wrong with it
        configs = front.get("configs") if isinstance(front, dict) else None
        for one in configs if isinstance(configs, list) else ():
            if isinstance(one, dict):
                named += [one.get("data_files"), one.get("data_dir")]
    for file in _texts(named):
        if ":" in file or file.startswith(("/", "~")) or ".." in file.split("/"):
            raise UserError(
                f'{_named(place)} sends to "{file}", which is no file of its own: it is not read; '
                "fetch what you trust, and declare it as your own files (docs/adding-a-task.md)"
            )


def _beside(place: Hub, name: str) -> str:
    """A dataset's file; "" where it cannot be had: then the library cannot read it either."""
    from huggingface_hub import hf_hub_download

    try:
        if _is_folder(place):
            path = Path(place.repo) / name
        else:
            found = hf_hub_download(place.repo, name, repo_type="dataset", revision=place.revision)
            path = Path(found)
        return path.read_text(encoding="utf-8", errors="replace")
    except (_http_error(), OSError, ValueError):
        return ""


def _texts(value: Any) -> Iterator[str]:
    """All texts in lists and mappings of them."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for one in value.values() if isinstance(value, dict) else value:
            yield from _texts(one)


def _address(place: Hub) -> dict[str, str]:
    """Where the library finds the dataset: never in a folder that happens to have its name."""
    if _is_folder(place):
        return {"path": place.repo}
    return {"path": f"hf://datasets/{place.repo}", "revision": place.revision}


def _prepared(builder: Any, place: Hub) -> Any:
    with _reading(place):
        builder.download_and_prepare()
        return builder.as_dataset(split=place.split)


@contextmanager
def _reading(place: Hub) -> Iterator[None]:
    """Turn what the library raises into one line for the user."""
    from datasets.exceptions import DatasetsError

    try:
        yield
    except (_http_error(), ConnectionError) as error:
        raise _unreachable(place, error) from None
    except (DatasetsError, OSError, ValueError, RuntimeError) as error:
        _ask_hub(place)
        reason = str(error.__cause__ or error).partition("\n")[0]
        raise UserError(f"{_named(place)} cannot be read: {reason}") from None


def _ask_hub(place: Hub) -> None:
    """Raise what the hub has to say, if it is the dataset, the commit or the network."""
    if not _is_folder(place):
        _commit(place.repo, place.revision)


def _unreachable(place: Hub, error: Exception) -> UnreachableError:
    from huggingface_hub import constants, is_offline_mode

    address = urlsplit(constants.ENDPOINT)
    host = f"{address.hostname}:{address.port}" if address.port else address.hostname
    status = getattr(getattr(error, "response", None), "status_code", None)
    why = f"answers {status}" if status else f"cannot be reached ({type(error).__name__})"
    there = "mirror" if os.environ.get("XSTILTS_MIRROR") else "microworld, generated rows"
    instead = f", or use --source {there}"
    if COMMIT.fullmatch(place.revision) and is_offline_mode():
        wrong = f"{_named(place)} is not in the cache and {host} {why}"
        return UnreachableError(f"{wrong}: get online once{instead}")
    if COMMIT.fullmatch(place.revision):
        cached = ", or set HF_HUB_OFFLINE=1 if it was read before"
        return UnreachableError(f"{_named(place)}: {host} {why}: get online{instead}{cached}")
    return UnreachableError(
        f'the newest commit of "{place.repo}" is unknown because {host} {why}: '
        f"get online{instead}, or pin its revision to a commit"
    )


def _named(place: Hub) -> str:
    return f'dataset "{place.repo}" at {place.revision[:7]}'


def _http_error() -> type[Exception]:
    """The base of whatever HTTP library the hub's client stands on."""
    from huggingface_hub.errors import HTTPError  # type: ignore[attr-defined]

    return HTTPError


def _need_library() -> None:
    if find_spec("datasets") is None:
        raise UserError(
            'rows from the hub need the package "datasets", which is not installed: '
            'pip install "xstilts[hub]"'
        )


def _library() -> ModuleType:
    """The ``datasets`` package, told to be quiet and to speak to one host only."""
    _need_library()
    import datasets
    from huggingface_hub.utils.tqdm import disable_progress_bars

    datasets.config.HF_UPDATE_DOWNLOAD_COUNTS = False  # counted at another host, at every load
    datasets.logging.set_verbosity(datasets.logging.CRITICAL)  # what fails is raised and explained
    if not sys.stderr.isatty():
        datasets.disable_progress_bars()
        disable_progress_bars()
    return datasets

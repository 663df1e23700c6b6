"""From a pretraining file and a cleaned corpus to an encoder: two steps in the store.

``shards`` makes the tokenizer and the token arrays, ``train`` the encoder; both are named by their
inputs, so a second run with another shape or schedule finds its shards ready.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xstilts import models
from xstilts.disk.files import read_marker
from xstilts.engines.desk import settle
from xstilts.engines.reported import reported
from xstilts.engines.worker import provenance
from xstilts.errors import UserError, suggest
from xstilts.identity import file_sha256, fingerprint
from xstilts.pretraining import BUDGET, Pretraining
from xstilts.steps import CODE_VERSIONS
from xstilts.store.records import MARKER, Corrupt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import torch

    from xstilts.corpus.shards import Shards
    from xstilts.engines import Bench, Watcher
    from xstilts.model.tokenizer import LoadedTokenizer
    from xstilts.models import Model
    from xstilts.steps.desk import Desk
    from xstilts.store import Finished, Store
    from xstilts.store.work import WorkArea


def pretrain(config: Pretraining, corpus: Path | str, bench: Bench, watcher: Watcher) -> Finished:
    """Run what is not finished of a pretraining.

    Args:
        config: what was declared.
        corpus: a folder with ``text/<code>.txt`` and ``parallel.jsonl``, or the id of a step in
            the store that holds its shards: they may have come from another machine.
        bench: store and device.
        watcher: told how far it is.

    Raises:
        UserError: if the corpus or the encoder to continue is not there, the loss stops being a
            number, or another process is doing the same or a run on the same plateau.
    """
    with reported(watcher, bench.store.root) as told:
        try:
            return _pretrain(config, corpus, bench, told)
        except Corrupt as fault:
            if isinstance(corpus, str) or not bench.store.discard_damaged(fault.step_id):
                raise  # shards that came from another machine cannot be made again
            told.note(f"{fault.problem}: the step is redone")
            return _pretrain(config, corpus, bench, told)


def _pretrain(config: Pretraining, corpus: Path | str, bench: Bench, watcher: Watcher) -> Finished:
    continued = _continued(config)
    given = models.find(config.tokenizer.of) if config.tokenizer.of else continued
    if continued is not None and given != continued:
        raise UserError(
            f"tokenizer.of: found {config.tokenizer.of}, but {config.start} goes on with its own "
            "tokenizer: take the key out"
        )
    desk = settle(bench, watcher)
    if isinstance(corpus, str):
        shards = _given_shards(corpus, bench.store)
    else:
        shards = _shards(config, given, corpus, bench, watcher, desk)
    for name in shards.record["files"]:
        shards.path(name)  # verified
    # Defaults stay out, so that a new key of the file leaves old runs what they are.
    declared = config.model_dump(mode="json", exclude_defaults=True)
    inputs = {
        "shards": shards.id,
        # Not a function of its inputs: the library's training differs from process to process.
        "tokenizer": file_sha256(shards.path("tokenizer.json")),
        "config": declared,
    }
    if continued is not None:
        inputs["start"] = continued.fingerprint
    step_id = fingerprint(["pretrain", CODE_VERSIONS["pretrain"], inputs])
    if bench.store.has(step_id) and bench.store.whole(step_id):
        return bench.store.open(step_id)
    from xstilts.corpus.shards import Shards
    from xstilts.model import encoder
    from xstilts.steps import pretrain

    shared = {key: value for key, value in declared.items() if key not in ("name", *BUDGET)}
    trunk = fingerprint(["trunk", CODE_VERSIONS["pretrain"], inputs | {"config": shared}])
    opened = Shards.open(shards.path("languages.json").parent)
    _check_rows(config, opened)
    watcher.begin(f"pretrain {config.name}", 2, 2)
    if continued is not None and _seed_of(continued) == config.seed:
        watcher.note(
            f"{config.start} was pretrained with seed {config.seed}, too: where the objectives are "
            "the same, this run reads the same text again; another seed reads on"
        )
    started = time.monotonic()
    # Runs of other lengths go on from the same plateau, and write there.
    with (
        _alone(bench.store, trunk, f"a run on the plateau of {config.name}"),
        _alone(bench.store, step_id, config.name),
        bench.store.writing(step_id) as folder,
    ):
        if bench.store.has(step_id) and bench.store.whole(step_id):  # by another, just before
            return bench.store.open(step_id)
        last = bench.store.work(step_id)
        plateau_end = config.steps - config.falling_steps
        points = _Points(bench.store.work(trunk), last, plateau_end, desk.note)
        start = _start(config, continued, opened, shards.folder)
        result = pretrain.pretrain(config, opened, shards.folder, start, folder, points, desk)
        record = {
            "kind": "train",
            "inputs": inputs,
            "provenance": provenance(desk),
            "result": result,
            "evictable": [encoder.WEIGHTS],
        }
        finished = bench.store.finish(step_id, folder, record)
    last.clear()
    watcher.end(config.name, time.monotonic() - started)
    return finished


def _check_rows(config: Pretraining, shards: Shards) -> None:
    """Every language and every objective has something to learn from."""
    if lost := sorted(set(config.languages) - set(shards.languages)):
        raise UserError(
            f"languages: the corpus has nothing in {', '.join(lost)};"
            f"{suggest(lost[0], shards.languages)}"
        )
    for name in ("mlm", "matching", "cloze", "spans"):
        if getattr(config.objectives, name) and not len(shards.mono_ids):
            raise UserError(
                f"objectives.{name}: the corpus has no running text in these languages: take the "
                "objective out, or languages in"
            )
    for name, file in {
        "tlm": "parallel",
        "ranking": "parallel",
        "dictionary": "dictionary",
    }.items():
        if getattr(config.objectives, name) and not len(getattr(shards, file)):
            raise UserError(
                f"objectives.{name}: {file}.jsonl of the corpus has no rows in these languages: "
                "take the objective out, or languages in"
            )


@contextmanager
def _alone(store: Store, step_id: str, what: str) -> Iterator[None]:
    """Hold a step's lease.

    Raises:
        UserError: if another process holds it.
    """
    if (lease := store.lease(step_id)) is None:
        holder = store.holder(step_id)
        where = f" in process {holder.pid} on {holder.host}" if holder else ""
        raise UserError(
            f"{what} is under way{where}, in this store: wait until it is done (xstilts status "
            "shows how far it is) and give the same command again"
        )
    try:
        yield
    finally:
        lease.release()


def _continued(config: Pretraining) -> Model | None:
    """The encoder that the run goes on from; None for a new one."""
    return None if config.start in ("random", "factorised") else models.find(config.start)


def _seed_of(model: Model) -> int | None:
    """The seed of the run that made a model; None where `xstilts pretrain` did not."""
    record = Path(model.location).resolve() / MARKER  # markers are read at no link
    if not record.is_file():
        return None
    try:
        config = read_marker(record)["inputs"].get("config", {})
    except (ValueError, KeyError):
        return None
    usual = Pretraining.model_fields["seed"].default  # defaults are not in records
    return int(config.get("seed", usual))


def _given_shards(step_id: str, store: Store) -> Finished:
    shards = store.open(step_id)
    if (kind := shards.record["kind"]) != "shards":
        raise UserError(f"step {step_id} is a {kind} step: --shards takes the id of shards")
    return shards


def _shards(
    config: Pretraining,
    given: Model | None,
    corpus: Path,
    bench: Bench,
    watcher: Watcher,
    desk: Desk,
) -> Finished:
    from xstilts.corpus import cleaned

    rows = [path for path in map(corpus.joinpath, cleaned.ROWS) if path.exists()]
    files = sorted([*(corpus / "text").glob("*.txt"), *rows])
    if not files:
        raise UserError(f"{corpus} holds no text/*.txt and no parallel.jsonl: build a corpus first")
    inputs: dict[str, Any] = {
        "corpus": fingerprint({str(p.relative_to(corpus)): file_sha256(p) for p in files}),
        "tokenizer": _pieces(given) if given else config.tokenizer.model_dump(exclude={"of"}),
        "languages": sorted(config.languages),
        "alpha": config.alpha,
        "seed": config.seed,
    }
    if config.most_tokens:
        inputs["most_tokens"] = config.most_tokens
    step_id = fingerprint(["shards", CODE_VERSIONS["shards"], inputs])
    if bench.store.has(step_id):
        return bench.store.open(step_id)
    from xstilts.corpus import shards

    watcher.begin("tokenizer and shards", 1, 2)
    started = time.monotonic()
    with _alone(bench.store, step_id, "shards"), bench.store.writing(step_id) as folder:
        if bench.store.has(step_id):  # by another, just before
            return bench.store.open(step_id)
        tokenizer = _tokenizer(config, given, corpus)
        watcher.note(f"tokenizer ready after {time.monotonic() - started:.0f} s")
        tokenizer.save(folder)
        record = {
            "kind": "shards",
            "inputs": inputs,
            "provenance": provenance(desk),
            "result": shards.build(
                corpus,
                tokenizer.backend,
                folder,
                config.languages,
                config.most_tokens,
                config.seed,
            ),
            "evictable": [],
        }
        finished = bench.store.finish(step_id, folder, record)
    watcher.end("shards", time.monotonic() - started)
    return finished


def _pieces(given: Model) -> str:
    """The identity of a model's tokenizer: what goes on from what it began shares its shards."""
    from xstilts.model import tokenizer

    loaded = tokenizer.load(given.location, given.revision)
    return fingerprint([loaded.backend.to_str(), loaded.hugging_face.special_tokens_map])


def _tokenizer(config: Pretraining, given: Model | None, corpus: Path) -> LoadedTokenizer:
    from xstilts.corpus import vocabulary
    from xstilts.model import tokenizer

    if given is not None:
        return tokenizer.load(given.location, given.revision)
    size = config.tokenizer
    lines = vocabulary.sample_lines(
        corpus, config.languages, size.sample_lines, config.alpha, config.seed
    )
    return tokenizer.wrap(vocabulary.train_tokenizer(lines, size.vocabulary))


def _start(config: Pretraining, continued: Model | None, shards: Shards, folder: Path) -> Any:
    """A model to continue, embeddings float32 ``[V, H]``, or None for a random start."""
    from xstilts.model import encoder, text_to_text, tokenizer

    if continued is not None:
        load = text_to_text.load if config.objectives.spans else encoder.load
        return load(continued.location, continued.revision)
    if config.start == "random":
        return None
    from xstilts.steps.factorise import factorise

    special = tokenizer.load(folder).special
    width = config.model.hidden_size
    return factorise(
        shards.parallel, len(special), width, special=special, seed=config.seed
    ).embeddings


class _Points:
    """Resume points: those of the plateau are kept for longer runs, those of the decay are not.

    A run that leaves the plateau before the point kept there starts anew and keeps to itself, so
    that the longer plateau is not lost.
    """

    def __init__(
        self, trunk: WorkArea, last: WorkArea, plateau_end: int, note: Callable[[str], object]
    ) -> None:
        self._trunk, self._last, self._plateau_end, self._note = trunk, last, plateau_end, note

    def save(
        self, step: int, tensors: Mapping[str, torch.Tensor], state: Mapping[str, Any]
    ) -> None:
        area = self._trunk if step <= self._plateau_end else self._last
        area.save(step, tensors, state)

    def load(self) -> tuple[dict[str, torch.Tensor], dict[str, Any], int] | None:
        if (found := self._last.load()) is not None:
            return found
        found = self._trunk.load()
        if found is not None and found[2] > self._plateau_end:
            self._note(
                f"starts anew: the plateau that is kept is at step {found[2]:,}, and this run "
                f"leaves it after {self._plateau_end:,}; to go on from there, steps x (1 - decay) "
                "has to be as much"
            )
            self._trunk = self._last
            return None
        return found

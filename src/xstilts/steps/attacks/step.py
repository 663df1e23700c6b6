"""An attack as a predict step: the worst case of every example, as data.

The same examples are attacked whatever the model, so many of each label, chosen by their ids: in a
parallel task they are the same in every language.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

import torch

from xstilts.formats import Limits
from xstilts.formats.examples import Choice, Pair, texts
from xstilts.identity import stream_seed
from xstilts.sources.capped import capped
from xstilts.steps import checkpoint
from xstilts.steps.attacks.constraint import Budget
from xstilts.steps.attacks.goal import margin, reached
from xstilts.steps.attacks.search import WIDTHS, Search
from xstilts.steps.attacks.transformation import edited, offered, with_texts
from xstilts.steps.attacks.victim import Victim
from xstilts.steps.forward import precision
from xstilts.steps.predict import head_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from xstilts.formats.examples import Example
    from xstilts.steps.attacks.transformation import Move
    from xstilts.steps.checkpoint import Weights
    from xstilts.steps.desk import Desk
    from xstilts.tasks.base import Task

Rows = list[dict[str, Any]]


def attack(
    jobs: Sequence[Mapping[str, Any]], weights: Weights, desk: Desk
) -> Iterator[tuple[int, Rows]]:
    """The worst cases of several languages of one task for one model.

    Args:
        jobs: the inputs of predict steps with an ``attack`` that differ in language only.
        weights: folder and hub revision.
        desk: rows, device, progress.

    Yields:
        The number of a job and its rows: ``id``, ``group``, ``gold``, ``clean_prediction`` and
        ``clean_scores``, ``prediction`` and ``scores`` after the edits, ``queries``, ``edits``, and
        ``before`` and ``after``, the texts. What was wrong before any edit is left as it is.
    """
    victim, task = _victim(jobs[0], weights, desk)
    for number, job in enumerate(jobs):
        about = job["attack"]
        examples = _subset(task, job, desk)
        with precision(job["precision"], desk):
            clean = victim.rows(examples)
            searches = {
                place: Search(
                    one,
                    offered(one, job["moves"], job["language"], about["seed"]),
                    Budget(about["edits"], about["queries"]).of(one),
                    WIDTHS[about["search"]],
                    left,
                )
                for place, one in enumerate(examples)
                if not reached(left := margin(clean[place], task.labels))
            }
            _run(victim, list(searches.values()), guided=about["search"] == "gradient", desk=desk)
            found = {place: search.best.moves for place, search in searches.items()}
            after = [edited(one, found.get(place, ())) for place, one in enumerate(examples)]
            rows = victim.rows(after)
        made = []
        for place, one in enumerate(examples):
            spent = {
                "queries": searches[place].queries if place in searches else 0,
                "edits": len(found.get(place, ())),
            }
            made.append({**_row(clean[place], rows[place], one, after[place]), **spent})
        yield number, made


def transfer(
    jobs: Sequence[Mapping[str, Any]],
    weights: Weights,
    found: Sequence[Path],
    desk: Desk,
) -> Iterator[tuple[int, Rows]]:
    """What one model answers to worst cases that were found on another.

    Args:
        jobs: as of ``attack``.
        weights: of the model that is asked.
        found: for every job, the predictions of the attack on the other.
        desk: rows, device, progress.

    Yields:
        As ``attack``, with the edits and queries of the other.
    """
    from pyarrow import parquet

    victim, task = _victim(jobs[0], weights, desk)
    for number, job in enumerate(jobs):
        given = parquet.read_table(found[number]).to_pylist()
        before = _subset(task, job, desk)
        after = [with_texts(one, row["after"]) for one, row in zip(before, given, strict=True)]
        with precision(job["precision"], desk):
            both = victim.rows([*before, *after])
        made = []
        for place, row in enumerate(given):
            old, new = both[place], both[len(before) + place]
            spent = {name: row[name] for name in ("queries", "edits")}
            made.append({**_row(old, new, before[place], after[place]), **spent})
        yield number, made


def _run(victim: Victim, searches: Sequence[Search], *, guided: bool, desk: Desk) -> None:
    """Rounds of questions, those of all examples together, until every search is over."""
    asked, labels = 0, victim.task.labels
    while under_way := [search for search in searches if not search.over]:
        tries = _guided(victim, under_way) if guided else [search.ask() for search in under_way]
        candidates = [
            edited(search.example, moves)
            for search, mine in zip(under_way, tries, strict=True)
            for moves in mine
        ]
        rows = iter(victim.rows(candidates))
        for search, mine in zip(under_way, tries, strict=True):
            search.tell([margin(next(rows), labels) for _ in mine])
        asked += len(candidates)
        done = len(searches) - len(under_way)
        desk.progress(done, len(searches), asked)


def _guided(victim: Victim, searches: Sequence[Search]) -> list[list[tuple[Move, ...]]]:
    """What each search tries next by the slopes of the model where it stands."""
    here = [edited(search.example, search.best.moves) for search in searches]
    gradients = victim.gradients(here, victim.rows(here))
    found = []
    for search, gradient in zip(searches, gradients, strict=True):

        def promise(
            tries: Sequence[tuple[Move, ...]], gradient: Any = gradient, search: Search = search
        ) -> list[float]:
            encoded = victim.encoded([edited(search.example, moves) for moves in tries])
            return list(gradient.promised(encoded))

        found.append(search.ask(promise))
    return found


def _victim(job: Mapping[str, Any], weights: Weights, desk: Desk) -> tuple[Victim, Task]:
    task = desk.catalogue.get(job["task"])
    encoder, tokenizer = checkpoint.load(*weights)
    head = head_of(weights[0], job["head"], task, encoder)
    device = torch.device(desk.device)
    encoder.to(device).eval()
    head.to(device).eval()
    return Victim(task, encoder, head, tokenizer, Limits(**job["limits"]), desk), task


def _subset(task: Task, job: Mapping[str, Any], desk: Desk) -> list[Example]:
    data = desk.catalogue.data(task.name, job["source"])
    examples = desk.sources.examples(task, data, "evaluate", job["language"])
    examples = capped(task, examples, job["max_rows"])
    return subset(examples, job["attack"]["rows"], f"{task.name}/{job['attack']['seed']}")


def subset(examples: Sequence[Example], rows: int, stream: str) -> list[Example]:
    """At most so many examples, as many of each label as there are, in their order.

    Args:
        examples: of one language.
        rows: how many.
        stream: names the draw; which examples it takes depends on their ids alone.
    """
    by_label: dict[Any, list[Example]] = defaultdict(list)
    for one in examples:
        assert isinstance(one, Pair | Choice)
        by_label[one.label].append(one)
    for mine in by_label.values():
        mine.sort(key=lambda one: stream_seed("attacked", stream, one.id))
    taken: set[str] = set()
    depth = 0
    while len(taken) < min(rows, len(examples)):
        for label in sorted(by_label, key=str):
            if depth < len(by_label[label]) and len(taken) < rows:
                taken.add(by_label[label][depth].id)
        depth += 1
    return [one for one in examples if one.id in taken]


def _row(
    clean: Mapping[str, Any], row: Mapping[str, Any], before: Example, after: Example
) -> dict[str, Any]:
    return {
        "id": row["id"],
        "group": row["group"],
        "gold": row["gold"],
        "clean_prediction": clean["prediction"],
        "clean_scores": clean["scores"],
        "prediction": row["prediction"],
        "scores": row["scores"],
        "before": list(texts(before)),
        "after": list(texts(after)),
    }

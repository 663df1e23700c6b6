"""Prediction where queries are answered from a pool of candidates.

A dual encoder (LAReQA, Mewsli-X) ranks them, and the candidates are encoded once for all languages.
An encoder as it is (BUCC) mines pairs by margin: on the tuning set at every layer, on the test set,
whose vectors would not fit into memory, at the layer of the paper and at the one that did best.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xstilts import formats
from xstilts.formats import Limits
from xstilts.formats.examples import Candidate, Query
from xstilts.metrics import bitext, chunks
from xstilts.sources.capped import capped
from xstilts.steps import forward, noisy
from xstilts.steps.layers import best_layer, retrieval_layer
from xstilts.steps.mining import mine

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import torch
    from torch import nn

    from xstilts.formats.examples import Example
    from xstilts.metrics.bitext import Pair
    from xstilts.model.encoder import Encoder
    from xstilts.model.tokenizer import LoadedTokenizer
    from xstilts.sources import Split
    from xstilts.steps.desk import Desk
    from xstilts.tasks.base import Data, Task

PORTION = 20_000  # candidates encoded at a time


class Pools:
    """One model and one task with a pool."""

    def __init__(
        self,
        task: Task,
        data: Data,
        encoder: Encoder,
        tokenizer: LoadedTokenizer,
        head: nn.Module | None,
        desk: Desk,
    ) -> None:
        self.task, self.data, self.desk = task, data, desk
        self.encoder, self.tokenizer, self.head = encoder, tokenizer, head
        self._encoded: tuple[str, dict[str, list[str]], list[str], torch.Tensor] | None = None

    def rows(self, job: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The predictions of one language.

        Raises:
            UserError: if rows are not as they should be.
        """
        return list(self._mined(job) if self.head is None else self._ranked(job))

    def _ranked(self, job: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        limits, language = Limits(**job["limits"]), job["language"]
        answered, names, index = self._pool(job, language, limits)
        queries = self._queries("evaluate", job)
        asked = self._vectors(queries, limits)[0]
        single = "reciprocal_rank_at_20" in self.task.metrics
        for one, best in zip(queries, forward.nearest(asked, index), strict=True):
            right = list(one.right) or answered.get(one.id, [])
            yield {
                "id": one.id,
                "group": one.group,
                "gold": (right or [""])[0] if single else right,
                "prediction": [names[place] for place in best],
            }

    def _pool(
        self, job: Mapping[str, Any], language: str, limits: Limits
    ) -> tuple[dict[str, list[str]], list[str], torch.Tensor]:
        """Query -> the candidates that say they answer it; all candidates' ids; their vectors."""
        key = str(job["pool"])
        if self._encoded is None or self._encoded[0] != key:
            named: list[tuple[str, Candidate]] = []
            for code in self.data.pool_languages or (language,):
                prefix = f"{code}_" if self.data.pool_languages else ""
                named += [(prefix + one.id, one) for one in self._candidates("pool", code)]
            answered: dict[str, list[str]] = {}
            for name, one in named:
                for asked in one.answers:
                    answered.setdefault(asked, []).append(name)
            index = self._vectors([one for _, one in named], limits)[0]
            self._encoded = key, answered, [name for name, _ in named], index
        return self._encoded[1:]

    def _mined(self, job: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        depth = int(self.encoder.config.num_hidden_layers)
        layers: Sequence[int] = range(depth + 1)
        if job.get("tune"):
            scores = {}
            for layer, gold, candidates in self._pairs(job, "tune", layers):
                scores[layer] = _best_f1(gold, candidates)
                yield from _mined_rows("tune", layer, gold, candidates)
            layers = sorted({retrieval_layer(depth), best_layer(scores)})
        for layer, gold, candidates in self._pairs(job, "evaluate", layers):
            yield from _mined_rows("evaluate", layer, gold, candidates)

    def _pairs(
        self, job: Mapping[str, Any], split: Split, layers: Sequence[int]
    ) -> Iterator[tuple[int, list[Pair], list[bitext.Candidate]]]:
        """For each layer the right pairs and the mined ones."""
        limits, language = Limits(**job["limits"]), job["language"]
        queries = self._queries(split, job)
        pool = self._candidates("pool" if split == "evaluate" else "tune_pool", language)
        gold = [(one.id, right) for one in queries for right in one.right]
        sides = [
            ({one.id: one.text for one in queries}, self._vectors(queries, limits, layers)),
            ({one.id: one.texts[0] for one in pool}, self._vectors(pool, limits, layers)),
        ]
        (texts, first), (other_texts, second) = sides
        for place, layer in enumerate(layers):
            found = mine(first[place].numpy(), second[place].numpy(), texts, other_texts)
            yield layer, gold, found

    def _queries(self, split: Split, job: Mapping[str, Any]) -> list[Query]:
        """What is asked; only what is scored is perturbed."""
        rows = self.desk.sources.examples(self.task, self.data, split, job["language"])
        asked = [one for one in rows if isinstance(one, Query)]
        found = capped(self.task, asked, job["max_rows"])
        if split != "evaluate":
            return found
        perturbed = noisy.rows(self.task, found, job, self.desk)
        return [one for one in perturbed if isinstance(one, Query)]

    def _candidates(self, split: Split, language: str) -> list[Candidate]:
        rows = self.desk.sources.examples(self.task, self.data, split, language)
        return [one for one in rows if isinstance(one, Candidate)]

    def _vectors(
        self, rows: Sequence[Example], limits: Limits, layers: Sequence[int] | None = None
    ) -> torch.Tensor:
        """``[layers, rows, H]``; texts become tokens a portion at a time."""
        import torch

        found = []
        for start in range(0, len(rows), PORTION):
            part = rows[start : start + PORTION]
            encoded = formats.encode(self.task, part, self.tokenizer.backend, limits)
            found.append(forward.vectors(self.encoder, self.head, encoded, self.desk, layers))
        return torch.cat(found, dim=1)


def _mined_rows(
    part: str, layer: int, gold: Sequence[Pair], candidates: Sequence[bitext.Candidate]
) -> Iterator[dict[str, Any]]:
    """A row a sentence that has a right partner or a mined one."""
    mined = {one.source: one for one in candidates}  # each sentence is mined once at most
    right: dict[str, list[str]] = {}
    for source, target in gold:
        right.setdefault(source, []).append(target)
    for source in dict.fromkeys([*right, *mined]):
        one = mined.get(source)
        yield {
            "id": source,
            "group": source,
            "part": part,
            "layer": layer,
            "gold": right.get(source, []),
            "prediction": [one.target] if one else [],
            "margin": one.score if one else None,
        }


def _best_f1(gold: Sequence[Pair], candidates: Sequence[bitext.Candidate]) -> float:
    """F1 at the threshold that is best on this very set."""
    extracted = bitext.extract(candidates, bitext.best_threshold(candidates, gold))
    units = bitext.units(gold, extracted)
    counts = [bitext.pair_counts(unit["gold"], unit["prediction"]) for unit in units]
    return chunks.micro_f1([sum(column) for column in zip(*counts, strict=True)])

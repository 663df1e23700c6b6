"""The items of a target drawn again: what every score would have been on other test sets.

Whole groups are drawn (premise, article, passage, query), never single rows, and the metric is
computed anew from the summed counts, so corpus metrics such as F1 need nothing special. Where a
group is in several languages, it is drawn for all of them at once. In retrieval the queries are
drawn and the pool stays. The draws of a target are a function of its name alone, or of what its
items are called where other tasks ask about them too (XQuAD, LAReQA), so they are the same for
every condition. Of mined pairs (BUCC) the groups are what some run mined, and differ with the runs
that are looked at: there each group has draws of its own, Poisson's with mean 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from xstilts import metrics
from xstilts.analysis.draws import RESAMPLES
from xstilts.identity import fingerprint, stream_seed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from xstilts.metrics import Metric
    from xstilts.tasks import Task


@dataclass(frozen=True)
class Counts:
    """Counts of one task, language and metric, summed by group, in several runs.

    Attributes:
        groups: int64 ``[groups]``, sorted hashes of their names.
        sums: float64 ``[groups, runs, counts]``.
    """

    groups: NDArray[np.int64]
    sums: NDArray[np.float64]


class Items:
    """The groups of one target and how often each is in every resample."""

    def __init__(
        self,
        target: str,
        groups: Mapping[str, NDArray[np.int64]],
        *,
        shared: bool,
        sparse: bool = False,
        resamples: int = RESAMPLES,
    ) -> None:
        """Draw.

        Args:
            target: names the random stream.
            groups: language -> its groups, sorted.
            shared: a group of the same name is the same in every language.
            sparse: what a group's draws are must not depend on which others there are.
            resamples: how many.
        """
        self._target, self._resamples, self._groups = target, resamples, dict(groups)
        self._all = np.unique(np.concatenate(list(groups.values()))) if shared else None
        self._drawn = None
        if self._all is not None:
            self._drawn = self._poisson(self._all) if sparse else self._draw("", len(self._all))
        sizes = [len(self._all)] if self._all is not None else map(len, groups.values())
        self.fewest = min(sizes)

    @classmethod
    def of(
        cls, task: Task, groups: Mapping[str, NDArray[np.int64]], resamples: int = RESAMPLES
    ) -> Items:
        """The items of a task, drawn as they are for another task with the very same ones.

        Args:
            task: whose they are.
            groups: language -> its groups, sorted.
            resamples: how many.
        """
        # Elsewhere equal names of groups mean nothing: they are numbers of rows.
        shared = task.parallel or task.format == "retrieval"
        name = task.name
        if task.items:
            every = np.unique(np.concatenate(list(groups.values())))
            name = f"{task.items} {fingerprint(every.tolist())}"
        sparse = any(metrics.get(one).sparse for one in task.main_metrics)
        return cls(name, groups, shared=shared, sparse=sparse, resamples=resamples)

    def groups_of(self, language: str) -> NDArray[np.int64]:
        """The groups of a language, sorted."""
        return self._groups[language]

    def _draw(self, language: str, groups: int) -> NDArray[np.float32]:
        stream = np.random.default_rng(stream_seed("items", self._target, language))
        weights = np.empty((self._resamples, groups), np.float32)
        for row in weights:
            row[:] = np.bincount(stream.integers(0, groups, groups), minlength=groups)
        return weights

    def _poisson(self, groups: NDArray[np.int64]) -> NDArray[np.float32]:
        stream = stream_seed("items", self._target)
        weights = np.empty((self._resamples, len(groups)), np.float32)
        for column, group in zip(weights.T, groups.astype(np.uint64).tolist(), strict=True):
            column[:] = np.random.default_rng([stream, group]).poisson(1, self._resamples)
        return weights

    def values(self, metric: Metric, language: str, counts: Counts) -> NDArray[np.float64]:
        """The metric in every run: observed, then in every resample: ``[runs, 1 + resamples]``.

        Resampled values are drawn apart by sqrt(G / (G - 1)) for G groups, so that their variance
        is unbiased where groups are few.
        """
        size, runs, parts = counts.sums.shape
        if self._all is None or self._drawn is None:
            weights, total = self._draw(language, size), size
        else:
            weights = self._drawn[:, np.searchsorted(self._all, counts.groups)]
            total = len(self._all)
        drawn = (weights @ counts.sums.reshape(size, -1)).reshape(-1, runs, parts)
        observed = [metric.value(sums.tolist()) for sums in counts.sums.sum(axis=0)]
        with np.errstate(invalid="ignore", divide="ignore"):
            resampled = metric.value([*np.moveaxis(drawn, 2, 0)])
        middle = np.array(observed)[:, None]
        apart = np.nan_to_num(resampled.T - middle)  # nothing of a tiny language was drawn
        return np.hstack([middle, middle + apart * np.sqrt(total / max(total - 1, 1))])

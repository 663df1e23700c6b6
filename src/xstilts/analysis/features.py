"""Features of pairs of tasks, read from finished probes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from xstilts.probing import PRETRAINED
from xstilts.similarity import FEATURES, SHORT_RUN
from xstilts.steps import FEATURE_ARRAYS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from xstilts.probing import Probing
    from xstilts.store import Store


class Features:
    """How alike stages and targets are, by feature; None where it is not defined or not done."""

    def __init__(self, probing: Probing, store: Store) -> None:
        self._probing, self._store = probing, store
        self._arrays: dict[str, dict[str, NDArray[Any]]] = {}
        self._values: dict[tuple[str, str, str], float | None] = {}

    def value(self, feature: str, stage: str, other: str) -> float | None:
        """Of an intermediate stage and a target (or, but for short runs, another stage).

        Args:
            feature: its name.
            stage, other: as text.
        """
        place = (feature, stage, other)
        if place not in self._values:
            self._values[place] = self._value(*place)
        return self._values[place]

    def _value(self, feature: str, stage: str, other: str) -> float | None:
        if feature == SHORT_RUN:
            with_it, without = self._score(stage, other), self._score(PRETRAINED, other)
            return None if with_it is None or without is None else with_it - without
        one = FEATURES[feature]
        if one.short:
            after, before = self._read(feature, stage, other), self._read(feature, "", other)
        else:
            after, before = self._read(feature, "", stage), self._read(feature, "", other)
        if after is None or before is None:
            return None
        return one.compare(_shaped(after), _shaped(before))

    def _score(self, stage: str, target: str) -> float | None:
        step = self._probing.places.get((SHORT_RUN, stage, target))
        if step is None or not self._store.has(step):
            return None
        rows = self._store.record(step)["result"]
        return float(np.mean([row["value"] for row in rows if row["main"]]))

    def _read(self, feature: str, stage: str, name: str) -> dict[str, NDArray[Any]] | None:
        from safetensors.numpy import load_file

        step = self._probing.places.get((feature, stage, name))
        if step is None or not self._store.has(step):
            return None
        if step not in self._arrays:
            self._arrays[step] = load_file(self._store.open(step).path(FEATURE_ARRAYS))
        return self._arrays[step]


def _shaped(arrays: dict[str, NDArray[Any]]) -> Any:
    """What a feature compares: an array, or states with their labels."""
    if "labels" in arrays:
        return arrays["states"], arrays["labels"]
    (only,) = arrays.values()
    return only

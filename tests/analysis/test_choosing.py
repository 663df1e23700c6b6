"""Retention and features, from stores that were written by hand."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import pytest
from safetensors.numpy import save_file

from xstilts.analysis import retention
from xstilts.analysis.choosing import BY_COST
from xstilts.analysis.features import Features
from xstilts.forgetting import Kept
from xstilts.plan import Plan
from xstilts.probing import Probing
from xstilts.similarity import FEATURES, SHORT_RUN


@dataclass
class Files:
    folder: object

    def path(self, name):
        return self.folder / name


@dataclass
class Shelf:
    """A store of scores and arrays."""

    folder: object = None
    scores: dict = field(default_factory=dict)

    def has(self, step):
        return step in self.scores or (self.folder is not None and (self.folder / step).exists())

    def record(self, step):
        return {"result": [{"value": self.scores[step], "main": True}]}

    def open(self, step):
        return Files(self.folder / step)


def test_what_is_kept_is_compared_with_when_it_was_learnt():
    plan, shelf = Plan(), Shelf()

    def add(stages, seed, task, head, value, language="en"):
        name = f"{len(plan.kept)}"
        plan.kept[name] = Kept("m", stages, seed, task, head, language, name)
        shelf.scores[name] = value

    for seed, drop in ((1, 0.1), (2, 0.3)):
        add(("a",), seed, "a", 1, 0.8)
        add(("a", "b"), seed, "a", 1, 0.8 - drop)
        add(("a", "b"), seed, "b", 2, 0.6)
        for language, loss in (("de", 2.0), ("ru", 4.0)):
            add(("a",), seed, "mlm", 0, math.exp(-loss - drop), language)
    for language, loss in (("de", 1.0), ("ru", 3.0)):
        add((), None, "mlm", 0, math.exp(-loss), language)
    plan.kept["unfinished"] = Kept("m", ("b",), 1, "b", 1, "en", "unfinished")
    found = {(one.task, one.since): one for one in retention.retained(plan, shelf)}
    lost = found["a", 1]
    assert (lost.value, lost.change, lost.seeds) == pytest.approx((0.6, -0.2, 2))
    # Two seeds, -0.1 and -0.3: a standard error of 0.1, and 12.7 of them.
    assert lost.half == pytest.approx(1.2706, abs=1e-3)
    assert found["a", 0].change == 0
    loss = found["mlm", 1]
    assert loss.is_loss
    assert (loss.value, loss.change) == pytest.approx((3.2, 1.2))
    assert found["mlm", 0].value == pytest.approx(2.0)


def test_features_are_of_finished_probes(tmp_path):
    probing = Probing(Plan())

    def put(step, place, **arrays):
        (tmp_path / step).mkdir()
        save_file(arrays, tmp_path / step / "features.safetensors")
        probing.places[place] = step

    put("p1", ("vocabulary", "", "a"), counts=np.array([1.0, 1.0, 0.0]))
    put("p2", ("vocabulary", "", "t"), counts=np.array([1.0, 1.0, 0.0]))
    rows = np.random.default_rng(0).normal(size=(8, 3))
    put("p3", ("cka", "a", "t"), states=rows)
    put("p4", ("cka", "", "t"), states=2 * rows)
    labels = np.array([0, 1] * 4)
    put("p5", ("logme", "a", "t"), states=rows, labels=labels)
    put("p6", ("logme", "", "t"), states=rows, labels=labels)
    probing.places["short_run", "a", "t"] = "s1"
    probing.places["short_run", "", "t"] = "s2"
    found = Features(probing, Shelf(tmp_path, {"s1": 0.5, "s2": 0.4}))
    assert found.value("vocabulary", "a", "t") == pytest.approx(1)
    assert found.value("vocabulary", "b", "t") is None
    assert found.value("cka", "a", "t") == pytest.approx(1)
    assert found.value("logme", "a", "t") == pytest.approx(0)
    assert found.value("short_run", "a", "t") == pytest.approx(0.1)
    assert found.value("short_run", "b", "t") is None


def test_every_feature_has_its_place_in_the_budget():
    assert sorted(BY_COST) == sorted([*FEATURES, SHORT_RUN])

"""Findings of studies whose truth is known, with steps that are not there."""

from __future__ import annotations

from dataclasses import replace
from itertools import count

import numpy as np

from analysis import simulator
from xstilts import languages
from xstilts.report import findings
from xstilts.tasks import Catalogue

FORTY = ("en", *(row.code for row in languages.table().values() if row.xtreme and row.code != "en"))


def of(outcomes, name="synthetic", **more):
    """Findings of outcomes, with a row a score."""
    made = findings.of(name, outcomes, Catalogue())
    return replace(made, rows=_rows(outcomes), **more)


def _rows(outcomes):
    numbers = count()
    return [
        {
            "model": one.model,
            "path": one.path,
            "target": one.target,
            "seed": seed,
            "language": code,
            "source": "hub",
            "metric": "accuracy",
            "main": True,
            "layer": None,
            "n": 2000,
            "weights_id": f"{next(numbers):020x}",
            "score_id": f"{next(numbers):020x}",
        }
        for one in outcomes
        for seed in one.seeds or (None,)
        for code in one.languages
    ]


def table2(**more):
    """Three intermediates, one control and three sizes over nine targets."""
    gains = {
        "squad_v1": {**dict.fromkeys(simulator.TARGETS, 3.0), "tatoeba": 9.0, "bucc2018": 8.0},
        "mnli": 2.0,
        "ccg": -3.0,
        "same_steps(squad_v1)": 0.5,
        "qqp[1k]": 0.5,
        "qqp[10k]": 1.0,
        "qqp[100k]": 1.5,
    }
    study = simulator.study(
        gains, seed_sd=0.004, item_sd=0.004, selected=dict.fromkeys(("", *gains), 0.5)
    )
    study.analyses = ("gains", "controls")
    return of(study, "table2", **more)


def forty():
    """40 languages x 12 targets x 9 intermediates, three seeds."""
    rng = np.random.default_rng(1)
    targets = {f"task{n}": (f"train{n}" if n < 10 else None, " ".join(FORTY)) for n in range(12)}
    nine = (
        "anli_plus",
        "mnli",
        "qqp",
        "squad_v1",
        "squad_v2",
        "hellaswag",
        "ccg",
        "cosmos_qa",
        "csqa",
    )
    gains = {name: {target: float(rng.normal(1, 2)) for target in targets} for name in nine}
    return of(simulator.study(gains, targets=targets), "forty")

"""Plans in the store, so that workers elsewhere are given identities and no steps.

``<root>/plans/<id>.json`` is named by what it holds: equal plans are one file. Without it nothing
is lost but the ability of workers that are still waiting to read it.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from xstilts import models
from xstilts.disk.files import disk_errors
from xstilts.disk.whole import whole
from xstilts.errors import UserError
from xstilts.identity import fingerprint
from xstilts.plan import Plan, Step

if TYPE_CHECKING:
    from xstilts.store import Store

FOLDER = "plans"


def save(plan: Plan, store: Store) -> str:
    """Write what workers need of a plan: steps and pretrained models; returns its id.

    Raises:
        UserError: if the disk is full or not writable.
    """
    body = {
        "steps": [vars(step) | {"inputs": dict(step.inputs)} for step in plan.steps.values()],
        "models": [
            asdict(model) | {"location": str(model.location)} for model in plan.models.values()
        ],
    }
    name = fingerprint(body)
    path = store.root / FOLDER / f"{name}.json"
    with disk_errors("writing the plan", store.root):
        if not path.exists():
            with whole(path) as part:
                part.write_text(json.dumps(body, ensure_ascii=False), encoding="utf-8")
    return name


@lru_cache(maxsize=4)
def load(root: Path, name: str) -> Plan:
    """The plan of that id; encoders that come with xstilts are this machine's.

    Raises:
        UserError: if it cannot be read.
    """
    path = root / FOLDER / f"{name}.json"
    try:
        with disk_errors("reading the plan", root):
            body = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path} is not in the store any more: give the command again") from None
    plan = Plan()
    for one in body["steps"]:
        plan.add(Step(**{**one, "also": tuple(one["also"])}))
    for one in body["models"]:
        model = models.Model(**one)
        if model.revision is None:
            ours = models.SHIPPED / model.name
            place = ours if model.name in models.shipped() else Path(model.location)
            model = models.Model(model.name, place, None, model.fingerprint)
        plan.models[model.fingerprint] = model
    return plan

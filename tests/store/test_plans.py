"""A plan goes through the store whole, under one name for equal ones."""

from __future__ import annotations

from dataclasses import asdict

import pytest

import small_tasks
from xstilts import models
from xstilts.errors import UserError
from xstilts.store import Store, plans


def test_a_plan_comes_back_as_it_was(small, tiny, tmp_path):
    plan = small_tasks.plan(small, tiny, "s_nli > s_xnli", "s_tatoeba", seeds=(1, 2))
    store = Store(tmp_path)
    name = plans.save(plan, store)
    assert plans.save(plan, store) == name
    assert [file.stem for file in (tmp_path / "plans").iterdir()] == [name]
    found = plans.load(store.root, name)
    assert list(map(asdict, found.steps.values())) == list(map(asdict, plan.steps.values()))
    assert found.models == plan.models
    for step in plan.steps:
        assert [one.id for one in found.children(step)] == [one.id for one in plan.children(step)]


def test_an_encoder_that_comes_with_xstilts_is_this_machines(small, tmp_path):
    plan = small_tasks.plan(small, "mini", "s_tatoeba")
    (model,) = plan.models.values()
    elsewhere = models.Model(model.name, "/elsewhere/mini", None, model.fingerprint)
    plan.models = {model.fingerprint: elsewhere}
    store = Store(tmp_path)
    found = plans.load(store.root, plans.save(plan, store))
    assert found.models == {model.fingerprint: model}


def test_a_plan_that_is_gone_is_said(tmp_path):
    with pytest.raises(UserError, match="is not in the store any more: give the command again"):
        plans.load(tmp_path, "0" * 20)

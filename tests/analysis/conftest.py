"""A small study that has run, and commands to ask about it."""

from __future__ import annotations

import pytest

import small_tasks
from cli.conftest import at_mirror, cli, pristine  # noqa: F401 (fixtures)
from xstilts.engines import Silent
from xstilts.engines.local import LocalEngine
from xstilts.session import Results
from xstilts.store import Store
from xstilts.tasks import Catalogue

PATHS = (
    "s_xnli",
    "s_squad > s_xnli",
    "s_squad > s_tags",
    "s_tags",
    "s_tatoeba",
    "s_nli > s_tatoeba",
)


@pytest.fixture(scope="session")
def results(small, tiny, tmp_path_factory) -> Results:
    """Six paths over the small tasks, two seeds, two steps a stage; selection on."""
    store = Store(tmp_path_factory.mktemp("analysed"))
    recipe = small_tasks.recipe(select_every=1)
    plan = small_tasks.plan(
        small, tiny, *PATHS, seeds=(1, 2), options={"max_steps": 2}, recipe=recipe
    )
    outcome = LocalEngine().run(plan, small_tasks.bench(small, store.root), Silent())
    assert not outcome.failures
    return Results(plan, store, Catalogue(small_tasks.tasks(small)))

"""A store for each test."""

from __future__ import annotations

import pytest

from xstilts.store import Store


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")

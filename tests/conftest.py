"""What several tests share."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

# Before anyone imports torch: two workers on two cores, whose threads would only spin, and one
# order of summation for tests that compare bits.
os.environ["OMP_NUM_THREADS"] = "1"

import pytest
from hypothesis import settings

import small_tasks
import tiny_encoder

if TYPE_CHECKING:
    from tokenizers import Tokenizer

# The same examples in every run, and no clock: two busy cores are slow now and then.
settings.register_profile("ours", deadline=None, derandomize=True)
settings.load_profile("ours")


def pytest_terminal_summary(terminalreporter) -> None:
    """What slow tests saw of the clusters they started: how many machines, which jobs."""
    for report in terminalreporter.stats.get("passed", []):
        for name, value in getattr(report, "user_properties", ()):
            if name == "seen" and report.when == "call":
                terminalreporter.write_line(value)


@pytest.fixture(autouse=True)
def no_given_width(monkeypatch) -> None:
    """Tables are as wide as they need: pytest's workers come with a width of their own."""
    monkeypatch.delenv("COLUMNS", raising=False)


@pytest.fixture
def mirror() -> Path:
    """The folder of the datasets' original files."""
    if not (folder := os.environ.get("XSTILTS_MIRROR")):
        pytest.skip("XSTILTS_MIRROR is not set")
    return Path(folder)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory) -> Path:
    """A tiny XLM-R with random weights, and a tokenizer of several scripts."""
    folder = tmp_path_factory.mktemp("tiny")
    return tiny_encoder.make(folder, small_tasks.texts(), vocabulary=250)


@pytest.fixture(scope="session")
def tiny_tokenizer(tiny) -> Tokenizer:
    """The tokenizer of the tiny encoder, as the formats take it."""
    from tokenizers import Tokenizer

    return Tokenizer.from_file(str(tiny / "tokenizer.json"))


@pytest.fixture(scope="session")
def small(tmp_path_factory) -> Path:
    """The files of the small tasks."""
    return small_tasks.write(tmp_path_factory.mktemp("small"))

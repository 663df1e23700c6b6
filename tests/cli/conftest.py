"""Running commands in this process, on a little mirror and a tiny encoder."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from cli import little_mirror
from xstilts.cli import main

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Cli = "Callable[..., Ran]"


@dataclass(frozen=True)
class Ran:
    """What a command left."""

    code: int
    out: str
    err: str


@pytest.fixture(autouse=True)
def _nobodys_store(monkeypatch) -> None:
    """Not that of whoever runs the tests."""
    monkeypatch.delenv("XSTILTS_STORE", raising=False)


@pytest.fixture
def cli(capsys) -> Callable[..., Ran]:
    """Give a command line, get its exit code and what it wrote."""

    def run(*arguments: object) -> Ran:
        capsys.readouterr()
        with pytest.raises(SystemExit) as exit_:
            main([str(one) for one in arguments])
        return Ran(exit_.value.code, *capsys.readouterr())

    return run


@pytest.fixture(scope="session")
def pristine(tmp_path_factory) -> Path:
    """The little mirror; tests that change a file take ``world``."""
    return little_mirror.write(tmp_path_factory.mktemp("mirror"))


@pytest.fixture
def at_mirror(pristine, monkeypatch) -> Path:
    """The little mirror, set up as the mirror."""
    monkeypatch.setenv("XSTILTS_MIRROR", str(pristine))
    return pristine


@pytest.fixture
def world(pristine, tmp_path, monkeypatch) -> Path:
    """A copy of the little mirror, set up as the mirror."""
    copy = tmp_path / "mirror"
    shutil.copytree(pristine, copy)
    monkeypatch.setenv("XSTILTS_MIRROR", str(copy))
    return copy

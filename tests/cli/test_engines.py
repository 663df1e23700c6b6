"""Engines on the command line: which there are, and settings that are another one's."""

from __future__ import annotations

import pytest

from xstilts.cli import asked
from xstilts.engines.local import LocalEngine
from xstilts.engines.ray import RayEngine
from xstilts.engines.slurm import SlurmEngine
from xstilts.errors import UserError


@pytest.mark.parametrize(
    ("arguments", "engine"),
    [
        (("local", "", []), LocalEngine),
        (("ray", "", []), RayEngine),
        (("ray", "10.0.0.1:6379", []), RayEngine),
        (("slurm", "", ["partition=gpu", "time=720", "constraint=a=b"]), SlurmEngine),
    ],
)
def test_engines_by_name(arguments, engine):
    assert isinstance(asked.engine(*arguments), engine)
    assert asked.engine(*arguments).name == arguments[0]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("local", "10.0.0.1:6379", []), '--address "10.0.0.1:6379" is of a Ray cluster'),
        (("ray", "", ["partition=gpu"]), '--slurm "partition=gpu" is for Slurm'),
        (("slurm", "", ["partition"]), '--slurm "partition" is not KEY=VALUE'),
        (("slurm", "", ["time=2h"]), '--slurm "time=2h" is not KEY=VALUE'),
        (("slurm", "", ["=gpu"]), '--slurm "=gpu" is not KEY=VALUE'),
    ],
)
def test_settings_of_another_engine_are_refused(arguments, said):
    with pytest.raises(UserError) as raised:
        asked.engine(*arguments)
    assert said in str(raised.value)


def test_an_engine_that_nobody_knows_is_refused(cli):
    ran = cli("run", "xnli", "--engine", "cloud")
    assert (ran.code, ran.out) == (2, "")
    assert '"cloud" is none of local, ray, slurm' in ran.err

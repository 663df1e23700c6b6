"""On a device beside the CPU every kind of step finds its tensors, and makes the same of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import small_tasks


def test_every_step_finds_its_tensors_on_a_device_beside_the_cpu(small, tiny, tmp_path):
    pytest.importorskip("peft")
    program = Path(small_tasks.__file__).with_name("card.py")
    command = [sys.executable, program, small, tiny, tmp_path]
    env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    ran = subprocess.run(command, capture_output=True, text=True, env=env, check=False)
    assert ran.returncode == 0, ran.stderr
    kinds = json.loads(ran.stdout.splitlines()[-1])
    for kind, (here, there) in kinds.items():
        assert here["failed"] == there["failed"] == {}, kind
        assert list(here["made"]) == list(there["made"]), kind
        for label, numbers in here["made"].items():
            assert there["made"][label] == pytest.approx(numbers, rel=1e-6), (kind, label)
    assert set(kinds) == {"heads", "kept", "padded", "t5", "text", "adapters", "probes"}

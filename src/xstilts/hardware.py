"""What computes, in one line: part of a measurement's identity."""

from __future__ import annotations

import os
import platform
from pathlib import Path


def name(device: str) -> str:
    """A processor with its number of cores, or a CUDA device.

    Args:
        device: ``cpu``, ``cuda``, ``cuda:1``.
    """
    if device != "cpu":
        import torch

        return torch.cuda.get_device_name(device)
    return f"{_processor()}, {os.cpu_count()} cores"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()

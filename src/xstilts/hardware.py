"""What computes: the device that is asked for, and its name, part of a measurement's identity."""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path

from xstilts.errors import UserError, first_line

DEVICES = re.compile(r"auto|cpu|cuda(:\d+)?")  # the names of devices


def device(name: str) -> str:
    """The device that a name stands for: ``auto`` is the GPU where there is one, else the CPU.

    Args:
        name: ``auto``, ``cpu``, ``cuda``, ``cuda:1``.

    Raises:
        UserError: if it is none of these.
    """
    if not DEVICES.fullmatch(name):
        raise UserError(f'device "{name}" is none of auto, cpu, cuda, cuda:1 and so on')
    if name != "auto":
        return name
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def cores() -> int:
    """How many cores this process may use, which on a cluster are fewer than there are."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def check(device: str, devices: int = 1) -> None:
    """Make sure that it is there.

    Args:
        device: ``cpu``, ``cuda``, ``cuda:1``.
        devices: of its kind, together.

    Raises:
        UserError: if it cannot be used, or there are fewer.
    """
    import torch

    try:
        (torch.zeros(1, device=device) + 1).item()  # a kernel runs, which not all builds have
    except (RuntimeError, AssertionError, ImportError) as error:
        why = first_line(error)
        raise UserError(
            f'device "{device}" cannot be used ({why:.100}): use --device cpu'
        ) from None
    if device != "cpu" and devices > (there := torch.cuda.device_count()):
        raise UserError(f"--devices {devices}: this machine has {there}")


def name(device: str) -> str:
    """A processor with its number of cores, or a CUDA device.

    Args:
        device: ``cpu``, ``cuda``, ``cuda:1``.

    Raises:
        UserError: if it cannot be used.
    """
    if device != "cpu":
        import torch

        check(device)
        return torch.cuda.get_device_name(device)
    return f"{_processor()}, {os.cpu_count()} cores"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()

"""Memory of this process: how to keep what is freed, and the most that was taken.

On Linux the C library gives large blocks back to the system at every free. Each step of training
then asks for the same blocks again and the kernel clears every page of them. Keeping them made
pretraining of a 6 x 256 encoder 1.7 times as fast (8,200 to 13,800 tokens/s).
"""

from __future__ import annotations

import ctypes
import resource
import sys

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4  # mallopt(3)
_RSS_UNIT = 1 if sys.platform == "darwin" else 1024  # bytes; getrusage(2)


def peak_bytes() -> int:
    """The most memory that this process had so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _RSS_UNIT


def keep_freed_memory() -> None:
    """Let this process keep what it frees, up to its largest use. Does nothing where not glibc."""
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_MMAP_MAX, 0)
        mallopt(_TRIM_THRESHOLD, 2**31 - 1)

"""Memory that stays: on Linux the C library gives large blocks back to the system at every free.

Each step of training then asks for the same blocks again and the kernel clears every page of them.
Keeping them made pretraining of a 6 x 256 encoder 1.7 times as fast (8,200 to 13,800 tokens/s).
"""

from __future__ import annotations

import ctypes
import sys

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4  # mallopt(3)


def keep_freed_memory() -> None:
    """Let this process keep what it frees, up to its largest use. Does nothing where not glibc."""
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_MMAP_MAX, 0)
        mallopt(_TRIM_THRESHOLD, 2**31 - 1)

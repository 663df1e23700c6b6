"""Memory of this process: how to keep what is freed, and the most that was taken.

On Linux the C library gives large blocks back to the system at every free. Each step of training
then asks for the same blocks again and the kernel clears every page of them. Keeping them made
pretraining of a 6 x 256 encoder 1.7 times as fast (8,200 to 13,800 tokens/s).
"""

from __future__ import annotations

import ctypes
import mmap
import resource
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4  # mallopt(3)
_PAGE_OUT = 21  # madvise(2): MADV_PAGEOUT, Linux 5.4 and later
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


def give_back_freed_memory() -> None:
    """Give the system what this process has freed and kept. Does nothing where not glibc."""
    if sys.platform == "linux" and (trim := getattr(ctypes.CDLL(None), "malloc_trim", None)):
        trim(0)


def page_out(tensor: Tensor) -> None:
    """Let the system take back the memory of a tensor that is not read for long; its values stay.

    Pages of a mapped file (weights as safetensors loads them) are read from there when they are
    wanted again; others go to the swap space, if there is one. Does nothing where not Linux.

    Args:
        tensor: contiguous, on the CPU.
    """
    if sys.platform != "linux":
        return
    size = tensor.numel() * tensor.element_size()
    start = -(-tensor.data_ptr() // mmap.PAGESIZE) * mmap.PAGESIZE
    length = (tensor.data_ptr() + size) // mmap.PAGESIZE * mmap.PAGESIZE - start
    if length > 0:  # whole pages of its own
        advise = ctypes.CDLL(None).madvise
        advise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
        advise(start, length, _PAGE_OUT)  # advice: an older system refuses it, and nothing is lost

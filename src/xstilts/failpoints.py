"""Places where a test may kill the process, to prove that the store survives it.

``XSTILTS_FAILPOINT=name:count`` ends the process with SIGKILL at the count-th passage of that
place (counted from 1). The variable is read once; unset, a passage costs one comparison. The
places, each inside another kind of write:

=====================  ==========================================================================
``scratch.created``    a scratch folder exists; nothing is in it
``lease.created``      a lease exists, and does not yet say whose it is
``marker.created``     a marker's temporary file exists, empty
``marker.half``        half of its bytes are written
``marker.fsync``       all of its bytes are written, not yet forced to disk
``marker.rename``      forced to disk, not yet renamed to its place
``marker.renamed``     in its place, the folder not yet forced to disk
``seal.fsync``         a payload file (step or resume point) is not yet forced to disk
``finish.rename``      a step is complete in scratch, not yet in its place
``finish.renamed``     in its place, scratch not yet removed
``restore.moved``      one evicted file of a redone step is back, its marker does not know yet
``evict.marked``       a step's marker says "evicted", the files are still there
``evict.removed``      one evicted file is removed
``aside.moved``        something unwanted left its place, its space not yet freed
``work.saved``         a resume point's tensors are in scratch, its marker is not
``work.rename``        a resume point is complete in scratch, not yet in its place
``work.renamed``       in its place, older points not yet removed
=====================  ==========================================================================
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from functools import cache

_passages: Counter[str] = Counter()


@cache
def _armed() -> tuple[str, int]:
    name, _, count = os.environ.get("XSTILTS_FAILPOINT", "").partition(":")
    return name, int(count or 1)


def failpoint(name: str) -> None:
    """Kill this process here if the environment asks for it; otherwise do nothing."""
    armed, count = _armed()
    if name != armed:
        return
    _passages[name] += 1
    if _passages[name] == count:
        os.kill(os.getpid(), signal.SIGKILL)

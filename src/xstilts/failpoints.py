"""Places where a test may end the process or fill the disk, to prove that nothing is lost there.

``XSTILTS_FAILPOINT=name:count:act`` does something at the count-th passage of a place (counted from
1; ``*`` is any place): ``kill`` ends the process with SIGKILL (the default), ``term`` sends it
SIGTERM, ``full`` behaves as a disk without space, at this passage and all later ones. The variable
is read once; unset, a passage costs one comparison. Whoever writes a file passes a place: a test
lists all that write.
"""

from __future__ import annotations

import errno
import os
import signal
from collections import Counter
from functools import cache

PLACES = {
    # of the store
    "scratch.created": "a scratch folder exists; nothing is in it",
    "lease.created": "a lease's file exists, and it is not known yet whether others do",
    "marker.created": "a marker's temporary file exists, empty",
    "marker.half": "half of its bytes are written",
    "marker.fsync": "all of its bytes are written, not yet forced to disk",
    "marker.rename": "forced to disk, not yet renamed to its place",
    "marker.renamed": "in its place, the folder not yet forced to disk",
    "seal.fsync": "a payload file (step or resume point) is not yet forced to disk",
    "finish.rename": "a step is complete in scratch, not yet in its place",
    "finish.renamed": "in its place, scratch not yet removed",
    "restore.moved": "one evicted file of a redone step is back, its marker does not know yet",
    "evict.marked": "a step's marker says evicted, the files are still there",
    "evict.removed": "one evicted file is removed",
    "aside.moved": "something unwanted left its place, its space not yet freed",
    "work.saved": "a resume point's tensors are in scratch, its marker is not",
    "work.rename": "a resume point is complete in scratch, not yet in its place",
    "work.renamed": "in its place, older points not yet removed",
    "status.written": "what a process says of itself is written beside its place",
    "pack.member": "a pack under way holds one file more",
    "merge.file": "a file of a step that is merged exists, empty",
    # of what steps write
    "weights.saved": "an encoder's weights are written, its configuration is not",
    "tokenizer.saved": "a tokenizer is written, what else a step holds is not",
    "heads.saved": "heads are written, what they answer is not",
    "curve.saved": "a stage is written to the last byte, its step is not finished",
    "predictions.saved": "the predictions of a language are written, its step is not finished",
    "scores.saved": "scores are written, the counts behind them are not",
    "encoded.array": "a portion of one array of encoded rows is written, the others are not",
    "features.saved": "the features of a probe are written, its step is not finished",
    "shards.half": "the ids of token shards are written, where they begin is not",
    # of files that people ask for
    "corpus.text": "running text of a corpus is written, its parallel rows are not",
    "whole.rename": "a report, table, export or pack is complete, not yet in its place",
}

passages: Counter[str] = Counter()  # counted only where the variable is set


@cache
def _armed() -> tuple[str, int, str]:
    name, count, act, *_ = [*os.environ.get("XSTILTS_FAILPOINT", "").split(":"), "", ""]
    return name, int(count or 1), act or "kill"


def failpoint(name: str) -> None:
    """Die or fail here if the environment asks for it; otherwise do nothing.

    Raises:
        OSError: no space left on the device, where the environment asks for that.
    """
    armed, count, act = _armed()
    if not armed:
        return
    passages[name] += 1
    passed = passages.total() if armed == "*" else passages[name] if armed == name else 0
    if act == "full" and passed >= count:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    if passed == count:
        os.kill(os.getpid(), signal.SIGTERM if act == "term" else signal.SIGKILL)

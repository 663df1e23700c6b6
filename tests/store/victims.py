"""Processes that write into a store until they are killed.

As a program, `python victims.py kill FOLDER` forks a child for every passage of every failpoint,
lets it be killed there, and leaves its store for the tests.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import traceback
from itertools import count
from pathlib import Path

from store.steps import CONTENT, WEIGHTS, A, B, finish, tensors_at
from xstilts import failpoints
from xstilts.store import Store

# The places of the store itself; tests/test_failpoints.py goes through all there are.
OWN = re.compile("(scratch|lease|marker|seal|finish|restore|evict|aside|work)[.]")
FAILPOINTS = [name for name in failpoints.PLACES if OWN.match(name)]


def store_life(root, done):
    """Finish, evict, bring back, lose a marker, replace, discard."""
    store = Store(root)
    if not store.has(A):
        finish(store, A)
    done("A finished")
    store.evict(A)
    done("A evicted")
    if not store.whole(A):
        finish(store, A)
    done("A restored")
    if not store.has(B):
        finish(store, B)
    done("B loses its marker")
    (store.folder(B) / "step.json").unlink()
    finish(store, B)
    done("B replaced")
    store.discard(B)


def work_life(root, done):
    """Save three resume points, so that one is dropped, then clear."""
    work = Store(root).work(A)
    loaded = work.load()
    for step in range(loaded[2] + 1 if loaded else 1, 4):
        work.save(step, tensors_at(step), {"step": step, "rng": [2**63, None]})
        done(f"saved {step}")
    done("clearing")
    work.clear()


LIVES = {"store": store_life, "work": work_life}


def kill_everywhere(base):
    """Fork, arm and kill; print for each life and failpoint how many passages were fatal."""
    import torch  # noqa: F401 (once, not in every child)

    kills = {life: {} for life in LIVES}
    for life, run in LIVES.items():
        for name in FAILPOINTS:
            for passage in count(1):
                root = base / life / name / str(passage)
                root.parent.mkdir(parents=True, exist_ok=True)
                if not killed(run, root, f"{name}:{passage}"):
                    break
                kills[life][name] = passage
    say(json.dumps(kills))


def killed(run, root, armed):
    if pid := os.fork():
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        assert status in {0, -signal.SIGKILL}, (status, root)
        return status != 0
    try:
        os.environ["XSTILTS_FAILPOINT"] = armed
        with root.with_suffix(".log").open("a", buffering=1) as log:
            run(root, lambda line: log.write(f"{line}\n"))
        os._exit(0)
    except BaseException:  # noqa: BLE001 (never back into the parent's code)
        traceback.print_exc()
        os._exit(1)


def race(root):
    """Four processes finish the same ten steps at once, each with its own bytes."""
    wait, go = os.pipe()
    children = []
    for number in range(4):
        if pid := os.fork():
            children.append(pid)
            continue
        try:
            os.close(go)
            os.read(wait, 1)  # until the parent closes its end
            store = Store(root)
            for step in range(10):
                mine = {name: data + b"%d" % number for name, data in CONTENT.items()}
                theirs = finish(store, f"{step:020x}", mine)
                theirs.path(WEIGHTS)
                say(json.dumps(theirs.record["files"]))
            os._exit(0)
        except BaseException:  # noqa: BLE001 (never back into the parent's code)
            traceback.print_exc()
            os._exit(1)
    os.close(go)
    assert [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children] == [0] * 4


def hold(root):
    """Write for ever."""
    with Store(root).writing(A) as folder:
        (folder / WEIGHTS).write_bytes(b"half")
        say(folder)
        signal.pause()


def victim(what, folder, **options):
    command = [sys.executable, __file__, what, str(folder)]
    env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env, **options)


def say(line):
    """One line, in one piece, whoever else writes to the same pipe."""
    os.write(1, f"{line}\n".encode())


if __name__ == "__main__":
    {"kill": kill_everywhere, "race": race, "hold": hold}[sys.argv[1]](Path(sys.argv[2]))

"""Runs a small study in processes that are killed again and again, and says what became of it.

    python kill_harness.py DATA MODEL FOLDER --kills 12 [--cold 2] [--seed 1] [--bugs]
    python kill_harness.py DATA MODEL FOLDER --together never never step:5

This process imports everything and then only forks: it runs no torch operation and writes nothing
to a store, so its children start in milliseconds and each is as fresh as a new process. Every
round runs the study in a store of its own, one child after another, until a child finishes it. A
child is killed in one of these ways, all of them SIGKILL:

    time:S             by us, S seconds after its start
    cold:S             the same, of a process that was not forked but started from nothing
    step:N             by itself, at the N-th optimiser step that it does
    failpoint:NAME:N   by itself, at the N-th passage of that place in the store

With ``--bugs`` come rounds in which resuming is broken on purpose: a harness that is worth anything
must say that their results differ. The output is JSON: see ``Harness.run`` and ``report``.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import signal
import sys
import time
import traceback
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

os.environ["OMP_NUM_THREADS"] = "1"  # one order of summation, and nothing that a fork would lose
os.environ["TOKENIZERS_PARALLELISM"] = "false"

# All that a child needs is imported here, once.
import accelerate  # noqa: F401
import pyarrow.parquet  # noqa: F401
import transformers.models.xlm_roberta.modeling_xlm_roberta  # noqa: F401

import small_tasks
from xstilts import failpoints
from xstilts.engines import local
from xstilts.report.rows import score_rows
from xstilts.steps import predict, score, train  # noqa: F401
from xstilts.store import Store
from xstilts.study import Options

if TYPE_CHECKING:
    from collections.abc import Callable

    from xstilts.plan import Plan

# A mixture with raw text and its target (19 + 15 optimiser steps), and a stage with selection (18).
PATHS = (
    ("s_nli + s_text@0.2 > s_xnli", small_tasks.recipe(epochs=3)),
    ("s_tags", small_tasks.recipe(epochs=3, select_every=4)),
)
CHECKPOINT_SECONDS = 0.03
# Not reached: files are brought back only by a later study.
FAILPOINTS = [
    name
    for name in re.findall(r"^``([a-z.]+)``", failpoints.__doc__, re.MULTILINE)
    if name != "restore.moved"
]


def plan(data: Path, model: Path) -> Plan:
    """Both paths as one plan."""
    whole, other = (
        small_tasks.plan(
            *(data, model, path),
            recipe=recipe,
            keep="intermediates",
            options=Options(max_eval_rows=4),
        )
        for path, recipe in PATHS
    )
    for step in other.steps.values():
        whole.add(step)
    whole.cells += other.cells
    return whole


# --- in a child --------------------------------------------------------------------------------


class Log:
    """Lines that survive the process; it is also the engine's watcher."""

    def __init__(self, path: Path, die_at: int = 0) -> None:
        self.file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self.steps, self.die_at, self.label = 0, die_at, ""

    def say(self, *words: object) -> None:
        os.write(self.file, f"{' '.join(map(str, words))}\n".encode())

    def begin(self, label: str, number: int, total: int) -> None:
        self.label = label
        self.say("begin", label)

    def progress(self, done: int, total: int, tokens: int) -> None:
        if self.label.startswith("train"):
            self.say("step", done)
            self.steps += 1
            if self.steps == self.die_at:
                os.kill(os.getpid(), signal.SIGKILL)

    def note(self, text: str) -> None:
        """Where training is resumed; its next step says so too."""

    def end(self, label: str, seconds: float) -> None:
        self.say("end", label)

    def failed(self, step, reason: str) -> None:
        self.say("failed", step.label, reason)


class LoggedStore(Store):
    """Says when work begins on a step that is finished."""

    def __init__(self, root: Path, log: Log) -> None:
        super().__init__(root)
        self.log = log

    def writing(self, step_id: str):
        if self.has(step_id):
            self.log.say("repeat", step_id)
        return super().writing(step_id)


def forget_moments(run) -> None:
    run.optimizer.state.clear()


def forget_step(run) -> None:
    run.step = 0


BUGS = {"moments": forget_moments, "step": forget_step}


def plant(bug: str) -> None:
    """Break resuming: all is restored, then one thing forgotten."""
    restore = train._Run._restore

    def forgetful(run) -> None:
        restore(run)
        if run.step:
            BUGS[bug](run)

    train._Run._restore = forgetful


def work(data: Path, model: Path, root: Path, how: str, bug: str) -> int:
    """Do what is left of the study; returns the exit status."""
    kind, _, rest = how.partition(":")
    if kind == "failpoint":
        os.environ["XSTILTS_FAILPOINT"] = rest
        failpoints._armed.cache_clear()  # our parent has passed some, unarmed
    try:
        log = Log(root.with_suffix(".log"), int(rest) if kind == "step" else 0)
        if bug:
            plant(bug)
        bench = small_tasks.bench(data, root, checkpoint_seconds=CHECKPOINT_SECONDS)
        bench = replace(bench, store=LoggedStore(root, log))
        outcome = local.LocalEngine().run(plan(data, model), bench, log)
    except BaseException:  # noqa: BLE001 (never back into the parent's code)
        traceback.print_exc()
        return 1
    return 1 if outcome.failures else 0


# --- the one who kills -------------------------------------------------------------------------


class Harness:
    """Starts children, kills them, and keeps count."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options, self.random = options, random.Random(options.seed)
        self.kills: Counter[str] = Counter()
        self.cold, self.ways, self.bug = options.cold, list(options.ways), ""

    def run(self) -> dict:
        """The study in peace, then rounds until enough children were killed, then the bugs.

        Returns:
            ``kills``: how many, by where they landed, and how many ``cold`` ones among them;
            ``rounds`` and ``bugs``: what every round left, compared with peace.
        """
        self.options.folder.mkdir(parents=True, exist_ok=True)
        started = time.monotonic()
        self.finish("peace", lambda: "never")
        seconds = time.monotonic() - started
        rounds = []
        while sum(self.kills.values()) - self.kills["cold"] < self.options.kills:
            rounds.append(self.finish(f"round{len(rounds)}", lambda: self.way(seconds)))
        kills, bugs = dict(self.kills), {}
        for bug in BUGS if self.options.bugs else ():
            self.bug = bug
            ways = iter(["step:15"])  # of the first stage's 19, well after the first resume point
            bugs[bug] = self.finish(bug, lambda ways=ways: next(ways, "never"))
        return {"kills": kills, "rounds": rounds, "bugs": bugs}

    def together(self, ways: list[str]) -> dict:
        """The study in peace, then by children that work on one store at the same time.

        Returns:
            What they left, compared with peace; ``begun``, what each began; how each ``ended``;
            ``steps_in_peace``, which count those of selection too, as ``steps`` does.
        """
        self.options.folder.mkdir(parents=True, exist_ok=True)
        self.finish("peace", lambda: "never")
        root = self.options.folder / "together"
        children = [self.start(root, how) for how in ways]
        ended = [wait(pid, 300.0) for pid in children]
        begun = [line.removeprefix("begin ") for line in log_of(root) if line.startswith("begin")]
        peace = report(self.options, self.options.folder / "peace")["steps"]
        left = report(self.options, root)
        return {**left, "begun": begun, "ended": ended, "steps_in_peace": peace}

    def finish(self, name: str, way: Callable[[], str]) -> dict:
        """Run children on a store of their own until one finishes the study."""
        root = self.options.folder / name
        while not self.attempt(root, way()):
            pass
        return report(self.options, root)

    def way(self, seconds: float) -> str:
        """How the next child is to die."""
        if self.ways:
            return self.ways.pop(0)
        if self.cold:
            return f"cold:{self.random.uniform(0, seconds / 2):.3f}"
        match self.random.choice(("time", "time", "step", "failpoint")):
            case "time":
                return f"time:{self.random.uniform(0.02, seconds / 2):.3f}"
            case "step":
                return f"step:{self.random.randint(1, 12)}"
            case _:
                return f"failpoint:{self.random.choice(FAILPOINTS)}:{self.random.randint(1, 4)}"

    def attempt(self, root: Path, how: str) -> bool:
        """Run a child; returns whether it finished the study instead of being killed."""
        kind, _, rest = how.partition(":")
        lines = len(log_of(root))
        pid = self.start(root, how)
        # It is still importing; or it found nothing left to do, and is gone without a word.
        while kind == "cold" and len(log_of(root)) == lines and not ended(pid):
            time.sleep(0.01)
        seconds = float(rest) if kind in ("time", "cold") else 600.0
        status = wait(pid, seconds)
        if status == 0:
            return True
        assert status == -signal.SIGKILL, f"child ended with {status} ({how})"
        training = log_of(root)[-1:] and log_of(root)[-1].startswith("step")
        where = "write" if kind == "failpoint" else "training" if training else "elsewhere"
        self.kills[where] += 1
        if kind == "cold":
            self.kills["cold"] += 1
            self.cold -= 1
        return False

    def start(self, root: Path, how: str) -> int:
        """The process id of a child: forked, or a cold one, from nothing."""
        options = self.options
        if how.startswith("cold"):
            places = map(str, (options.data, options.model, root))
            command = [sys.executable, __file__, *places, "--child", how]
            return os.posix_spawn(sys.executable, command, os.environ)
        if pid := os.fork():
            return pid
        os._exit(work(options.data, options.model, root, how, self.bug))


def ended(pid: int) -> bool:
    """Whether a child is dead; it can still be waited for."""
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def wait(pid: int, seconds: float) -> int:
    """The exit status of a child that is killed after so many seconds."""
    until = time.monotonic() + seconds
    while True:
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() >= until:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        time.sleep(0.002)


def log_of(root: Path) -> list[str]:
    path = root.with_suffix(".log")
    return path.read_text().splitlines() if path.exists() else []


def report(options: argparse.Namespace, root: Path) -> dict:
    """What a finished round left.

    Returns:
        ``unfinished``: steps that are not there; ``differences``: files and score rows that are
        not those of the run in peace; ``faults``: what verification finds; ``strays``: what is
        left after ``gc`` beside finished steps; ``repeats``: work begun on finished steps, and
        failures; ``resumed``: how often training went on from a later step than its first;
        ``planned_steps`` of the optimiser, and ``steps``, those done by all children together.
    """
    found, store = plan(options.data, options.model), Store(root)
    store.gc()
    log = log_of(root)
    mine, theirs = (contents(found, Store(options.folder / name)) for name in (root.name, "peace"))
    trained = [s.id for s in found.steps.values() if s.kind == "train" and store.has(s.id)]
    begun = [after for line, after in pairwise(log) if line.startswith("begin")]
    return {
        "unfinished": [step.label for step in found.steps.values() if not store.has(step.id)],
        "differences": sorted(k for k in mine | theirs if mine.get(k) != theirs.get(k)),
        "faults": [str(fault) for fault in store.verify()],
        "strays": [str(p) for place in ("tmp", "work") for p in (root / place).glob("*")],
        "repeats": [line for line in log if line.startswith(("repeat", "failed"))],
        "resumed": sum(line.startswith("step") and line != "step 1" for line in begun),
        "planned_steps": sum(store.record(one)["result"]["steps"] for one in trained),
        "steps": sum(line.startswith("step") for line in log),
    }


def contents(found: Plan, store: Store) -> dict[str, object]:
    """Checksums of all files of all steps, evicted ones too, and the score rows without clocks."""
    files = {
        f"{step.label} {name}": sealed["sha256"]
        for step in found.steps.values()
        if store.has(step.id)
        for name, sealed in store.record(step.id)["files"].items()
    }
    rows = [{k: v for k, v in row.items() if k != "seconds"} for row in score_rows(found, store)]
    return files | {f"score row {number}": row for number, row in enumerate(rows)}


def main() -> None:
    parser = argparse.ArgumentParser()
    for name in ("data", "model", "folder"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--kills", type=int, default=12)
    parser.add_argument("--cold", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--bugs", action="store_true")
    parser.add_argument("--ways", nargs="*", default=[], help="how the first children die")
    parser.add_argument("--child", default="", help="be one, to die so")
    parser.add_argument("--together", nargs="*", help="children at the same time, how each dies")
    options = parser.parse_args()
    if options.together:
        sys.stdout.write(json.dumps(Harness(options).together(options.together)) + "\n")
        return
    if options.child:
        sys.exit(work(options.data, options.model, options.folder, options.child, ""))
    sys.stdout.write(json.dumps(Harness(options).run()) + "\n")


if __name__ == "__main__":
    main()

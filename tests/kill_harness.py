"""Runs a small study in processes that are killed again and again, and says what became of it.

    python kill_harness.py DATA MODEL FOLDER --kills 12 [--cold 2] [--seed 1] [--bugs]
    python kill_harness.py DATA MODEL FOLDER --together never never step:5

This process imports everything and then only forks: it runs no torch operation and writes nothing
to a store, so its children start in milliseconds and each is as fresh as a new process. Every
round runs the study in a store of its own, one child after another, until a child finishes it. A
child is killed in one of these ways; those that begin with "term" are SIGTERM, which it answers as
the command line does, all others SIGKILL:

    time:S, term:S          by us, S seconds after its start
    cold:S                  the same, of a process that was not forked but started from nothing
    step:N, termstep:N      by itself, at the N-th optimiser step that it does
    failpoint:NAME:N:ACT    by itself, at the N-th passage of that place (ACT is kill or term)

With ``--bugs`` come rounds in which resuming is broken on purpose: a harness that is worth anything
must say that their results differ. The output is JSON: see ``Harness.run`` and ``report``.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import signal
import sys
import time
import traceback
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from itertools import cycle, pairwise
from pathlib import Path
from typing import TYPE_CHECKING

os.environ["OMP_NUM_THREADS"] = "1"  # one order of summation, and nothing that a fork would lose
os.environ["TOKENIZERS_PARALLELISM"] = "false"

# All that a child needs is imported here, once.
import accelerate  # noqa: F401
import pyarrow.parquet  # noqa: F401
import transformers.models.xlm_roberta.modeling_xlm_roberta  # noqa: F401

import small_tasks
from xstilts import cli, failpoints
from xstilts.engines import local
from xstilts.report.rows import score_rows
from xstilts.steps import predict, score, train  # noqa: F401
from xstilts.store import Store
from xstilts.study import Options

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from xstilts.plan import Plan

# A mixture with raw text and its target (19 + 15 optimiser steps), and a stage with selection (18).
PATHS = (
    ("s_nli + s_text@0.2 > s_xnli", small_tasks.recipe(epochs=3)),
    ("s_tags", small_tasks.recipe(epochs=3, select_every=4)),
)
CHECKPOINT_SECONDS = 0.03
# How children die, and how often; of those that die at a failpoint, some are asked to.
WAYS = {"step": 8, "termstep": 4, "time": 2, "term": 2, "failpoint": 4}
ACTS = ("kill", "kill", "term")
STRAYS = ("tmp", "work", "leases", "status")  # where nothing is left after gc
TERMINATED = 143  # how a child ends that was asked to


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
    whole.main_metrics |= other.main_metrics
    return whole


# --- in a child --------------------------------------------------------------------------------


class Log:
    """Lines that survive the process; it is also the engine's watcher."""

    def __init__(self, path: Path, die_at: int = 0, how: int = signal.SIGKILL) -> None:
        self.file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self.steps, self.die_at, self.how, self.label = 0, die_at, how, ""

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
                os.kill(os.getpid(), self.how)

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
    signal.signal(signal.SIGTERM, cli._terminate)
    if kind == "failpoint":
        os.environ["XSTILTS_FAILPOINT"] = rest
        failpoints._armed.cache_clear()  # our parent has passed some, unarmed
    try:
        steps = int(rest) if kind in ("step", "termstep") else 0
        dies = signal.SIGTERM if kind == "termstep" else signal.SIGKILL
        log = Log(root.with_suffix(".log"), steps, dies)
        if bug:
            plant(bug)
        bench = small_tasks.bench(data, root, checkpoint_seconds=CHECKPOINT_SECONDS)
        bench = replace(bench, store=LoggedStore(root, log))
        outcome = local.LocalEngine().run(plan(data, model), bench, log)
        if failpoints.passages:
            log.say("passed", *failpoints.passages)
    except KeyboardInterrupt:
        return TERMINATED
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
        self.places: Counter[str] = Counter()
        self.cold, self.ways, self.bug = options.cold, list(options.ways), ""
        self.failpoints: Iterator[str] = iter(())

    def run(self) -> dict:
        """The study in peace, then rounds until enough children were killed, then the bugs.

        Returns:
            ``kills``: how many, by where they landed (``training``, ``write``, ``elsewhere``), and
            how many of them were ``cold`` or ``term``; ``places``: the same in detail; ``rounds``
            and ``bugs``: what every round left, compared with peace; ``cpu_seconds`` of all.
        """
        self.options.folder.mkdir(parents=True, exist_ok=True)
        started = time.monotonic()
        self.finish("peace", lambda: "failpoint:*:0")
        seconds = time.monotonic() - started
        (passed,) = (line for line in log_of(self.options.folder / "peace") if "passed" in line)
        places = passed.split()[1:]
        self.random.shuffle(places)
        self.failpoints = cycle(places)  # every kind of write has its turn
        rounds = []
        while not self.enough():
            rounds.append(self.finish(f"round{len(rounds)}", lambda: self.way(seconds)))
        kills, bugs = dict(self.kills), {}
        for bug in BUGS if self.options.bugs else ():
            self.bug = bug
            ways = iter(["step:15"])  # of the first stage's 19, well after the first resume point
            bugs[bug] = self.finish(bug, lambda ways=ways: next(ways, "never"))
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return {
            "kills": kills,
            "places": dict(self.places),
            "rounds": rounds,
            "bugs": bugs,
            "cpu_seconds": used.ru_utime + used.ru_stime,
        }

    def enough(self) -> bool:
        """Whether as many were killed as was asked for, where it was asked for."""
        kills, options = self.kills, self.options
        total = kills["training"] + kills["write"] + kills["elsewhere"] - kills["cold"]
        there = kills["training"] >= options.training and kills["write"] >= options.writes
        return total >= options.kills and there

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
        match self.random.choices(*zip(*WAYS.items(), strict=True))[0]:
            case "time" | "term" as kind:
                return f"{kind}:{self.random.uniform(0.02, seconds / 2):.3f}"
            case "step" | "termstep" as kind:
                return f"{kind}:{self.random.randint(1, 8)}"
            case _:
                place, act = next(self.failpoints), self.random.choice(ACTS)
                return f"failpoint:{place}:{self.random.randint(1, 4)}:{act}"

    def attempt(self, root: Path, how: str) -> bool:
        """Run a child; returns whether it finished the study instead of being killed."""
        kind, _, rest = how.partition(":")
        lines = len(log_of(root))
        pid = self.start(root, how)
        # It is still importing; or it found nothing left to do, and is gone without a word.
        while kind == "cold" and len(log_of(root)) == lines and not ended(pid):
            time.sleep(0.01)
        seconds = float(rest) if kind in ("time", "cold", "term") else 600.0
        status = wait(pid, seconds, signal.SIGTERM if kind == "term" else signal.SIGKILL)
        if status == 0:
            return True
        asked = kind.startswith("term") or how.endswith(":term")
        expected = (TERMINATED, -signal.SIGTERM) if asked else (-signal.SIGKILL,)
        assert status in expected, f"child ended with {status} ({how})"
        self.count(kind, rest, log_of(root), asked)
        return False

    def count(self, kind: str, rest: str, log: list[str], asked: bool) -> None:
        """Count a kill by where it landed."""
        last = log[-1] if log else "nothing"
        training = last.startswith("step")
        where = "write" if kind == "failpoint" else "training" if training else "elsewhere"
        begun = [line.split()[1] for line in log if line.startswith("begin")]
        place = "after a step of train" if training else ["beginning", *begun][-1]
        if kind == "failpoint":
            place = rest.partition(":")[0]
        self.places[f"{where}: {place}"] += 1
        self.kills[where] += 1
        self.kills["term"] += asked
        if kind == "cold":
            self.kills["cold"] += 1
            self.cold -= 1

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


def wait(pid: int, seconds: float, how: int = signal.SIGKILL) -> int:
    """The exit status of a child that is killed after so many seconds."""
    until = time.monotonic() + seconds
    while True:
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() >= until:
            with suppress(ProcessLookupError):
                os.kill(pid, how)
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
        "strays": [str(p) for place in STRAYS for p in (root / place).glob("*")],
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
    parser.add_argument("--training", type=int, default=0, help="at least so many in training")
    parser.add_argument("--writes", type=int, default=0, help="at least so many in writes")
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

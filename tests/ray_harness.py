"""Runs a small study on a Ray cluster of this machine, one of whose machines is killed meanwhile.

    python ray_harness.py DATA MODEL FOLDER

The cluster is real but for the network: a head and two more raylets, each with its own workers. In
the middle of a training step the raylet whose worker is doing it gets SIGKILL. The output is JSON:
what became of the study, beside the same one by the local engine.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

os.environ |= {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}

from ray.cluster_utils import Cluster

import small_tasks
from engines import same
from xstilts.engines.local import LocalEngine
from xstilts.engines.ray import RayEngine
from xstilts.study import Options

PATHS = ("s_nli > s_tags", "s_nli > s_xnli", "s_squad > s_xquad")
NODE = {"num_cpus": 1, "object_store_memory": 80 * 2**20}


class Nobody:
    """Watches nothing."""

    def begin(self, label, number, total): ...
    def progress(self, done, total, tokens): ...
    def note(self, text): ...
    def end(self, label, seconds): ...
    def failed(self, step, reason): ...


def parent(pid: int) -> int:
    """The process that a process was started by; 0 if it is gone."""
    with suppress(OSError):
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return 0


def main() -> None:
    data, model, folder = map(Path, sys.argv[1:])
    plan = small_tasks.plan(
        *(data, model, *PATHS),
        recipe=small_tasks.recipe(epochs=60),
        options=Options(max_eval_rows=6),
    )
    quick = {"checkpoint_seconds": 0.2}
    local = small_tasks.bench(data, folder / "local", **quick)
    LocalEngine().run(plan, local, Nobody())
    bench = small_tasks.bench(data, folder / "ray", **quick)
    store, killed = bench.store, {}
    stages = [step for step in plan.steps.values() if step.kind == "train"]
    cluster = Cluster(initialize_head=True, head_node_args={**NODE, "include_dashboard": False})
    try:
        others = [cluster.add_node(**NODE) for _ in range(2)]
        raylets = {n.all_processes["raylet"][0].process.pid: n.node_id for n in others}

        def kill() -> None:
            while not killed:
                time.sleep(0.02)
                before = same.markers(store) if store.root.exists() else {}
                for step in stages if before else ():
                    holder = store.holder(step.id)
                    raylet = parent(holder.pid) if holder else 0
                    if raylet in raylets and (store.root / "work" / step.id).exists():
                        os.kill(raylet, signal.SIGKILL)
                        killed.update(
                            node=raylets[raylet], step=step.id, worker=holder.pid, before=before
                        )
                        break

        threading.Thread(target=kill, daemon=True).start()
        outcome = RayEngine(cluster.address).run(plan, bench, Nobody())
    finally:
        cluster.shutdown()
    after = same.markers(store)
    engines = {store.record(one)["provenance"]["engine"] for one in plan.steps}
    found = {
        "raylets": 1 + len(others),
        "killed": {name: killed[name] for name in ("node", "step", "worker")},
        "finished_before": len(killed["before"]),
        "kept": all(after[one] == marker for one, marker in killed["before"].items()),
        # What was finished while its machine died, so that no report came, counts as kept.
        "done": len({*outcome.done, *outcome.kept}),
        "failures": outcome.failures,
        "steps": len(plan.steps),
        "missing": [one for one in plan.steps if not store.has(one)],
        "engines": sorted(engines),
        "damage": [str(one) for one in store.verify()],
        "same_scores": same.scores(plan, store) == same.scores(plan, local.store),
        "flips": same.flips(plan, store, local.store),
        "logs": len(list((store.root / "logs").glob("*.log"))),
        "leases": len(list((store.root / "leases").iterdir())),
    }
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()

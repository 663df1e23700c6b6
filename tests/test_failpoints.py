"""Whatever is written: a process that dies in it, or a disk that fills up, costs nothing finished.

Every function that writes passes a place of ``failpoints.PLACES`` or is listed here with a reason.
Run as a program, ``python test_failpoints.py FOLDER``, this file is the proof: a child is forked
for every place, to die at its last passage, or to find no space from its first one on.
Then the stores are looked at, the same work is done again without trouble, and has to end where it
ends in peace.
"""

from __future__ import annotations

import ast
import json
import os
import shutil
import signal
import subprocess
import sys
import traceback
from collections import defaultdict
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import xstilts
from xstilts import cli, failpoints
from xstilts.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SOURCE = Path(xstilts.__file__).parent

# --- who writes ---------------------------------------------------------------------------------

WRITES = {
    *("write_text", "write_bytes", "save_file", "write_table", "write_csv", "save_pretrained"),
    *("copyfile", "copytree", "tofile", "savez", "rename", "touch", "symlink_to", "hardlink_to"),
}
# Function: why no place of its own. What is written inside `whole` or a place of the store passes
# theirs; whoever calls a writer is not asked again.
NO_PLACE = {
    "corpus/__init__.py _write_text": "inside build",
    "corpus/__init__.py _write_rows": "inside build",
    "corpus/shards.py build": "passes shards.half in its _Writer",
    "corpus/shards.py _save_rows": "passes shards.half in its _Writer",
    "engines/remote.py _say": "a line at the end of a log",
    "steps/isolated.py write": "in a step's scratch folder, in a process of its own",
    "steps/measure.py _isolated": "a job and its complaints, in a step's scratch folder",
    "steps/onnx_folder.py export": "inside the whole of serving_folder.export",
    "store/merging.py _record": "a scratch file, read at once",
}
ATOMIC = {"whole", "write_marker"}  # what is written by them, or inside them, passes their places


def writers() -> Iterator[tuple[str, bool]]:
    """Every function that writes, and whether it passes a place or writes through who does."""
    for path in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef):
                calls = [one for one in ast.walk(node) if isinstance(one, ast.Call)]
                if any(map(_writes, calls)):
                    passed = {_name(one) for one in calls} & {"failpoint", *ATOMIC}
                    yield f"{path.relative_to(SOURCE)} {node.name}", bool(passed)


def _name(call: ast.Call) -> str:
    return getattr(call.func, "attr", getattr(call.func, "id", ""))


def _writes(call: ast.Call) -> bool:
    name, owner = _name(call), getattr(getattr(call.func, "value", None), "id", "")
    texts = [one.value for one in call.args if isinstance(one, ast.Constant)]
    if name in ("open", "memmap", "open_memmap"):
        creates = any(getattr(flag, "attr", "") == "O_CREAT" for flag in ast.walk(call))
        return creates or any(set(str(text)) & set("wxa+") and len(str(text)) < 4 for text in texts)
    if name == "save":
        return owner == "np"
    if name == "replace":  # of a path; that of a text has two arguments
        return len(call.args) == 1 and not call.keywords
    return name in WRITES


def test_whoever_writes_passes_a_place():
    found = dict(writers())
    assert len(found) > 20
    without = {name for name, passes in found.items() if not passes}
    assert without - NO_PLACE.keys() == set(), (
        "these write files and pass no failpoint: add one, with its line in failpoints.PLACES, and "
        "let a life of this file go there; or write through `whole`; or say in NO_PLACE why not"
    )
    assert NO_PLACE.keys() - without == set()  # nothing is excused that need not be


def test_places_are_those_that_are_passed():
    passed = {
        node.args[0].value
        for path in SOURCE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "failpoint"
    }
    assert passed == failpoints.PLACES.keys()


# --- lives: work that can be done again after any end --------------------------------------------


class Quiet:
    """A watcher that says nothing."""

    def begin(self, *_: Any) -> None:
        pass

    progress = note = end = failed = begin


def study(inputs: Path, folder: Path) -> None:
    """Leaks, two stages with resume points, predictions, scores, eviction."""
    import small_tasks
    from xstilts import preflight
    from xstilts.engines.groups import remaining
    from xstilts.engines.local import LocalEngine
    from xstilts.study import Options

    plan = small_tasks.plan(
        *(inputs / "data", inputs / "tiny", "s_nli[16] > s_xnli:en"),
        recipe=small_tasks.recipe(epochs=1, batch=8),
        keep="intermediates",
        options=Options(max_eval_rows=4, max_steps=2),
    )
    bench = small_tasks.bench(inputs / "data", folder / "store", checkpoint_seconds=0.0)
    preflight.check(plan, remaining(plan, bench.store), bench)
    outcome = LocalEngine().run(plan, bench, Quiet())
    if outcome.failures:
        raise UserError("; ".join(set(outcome.failures.values())))


def pretraining(inputs: Path, folder: Path) -> None:
    """Tokenizer, shards, an encoder."""
    from xstilts.engines import Bench, pretrain
    from xstilts.pretraining import Pretraining
    from xstilts.sources import Sources
    from xstilts.store import Store
    from xstilts.tasks import Catalogue

    config = {
        "name": "toy",
        "start": "random",
        "tokenizer": {"vocabulary": 100, "sample_lines": 100},
        "model": {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2},
        "objectives": {"mlm": 1.0},
        "sequences": [16],
        "batch_tokens": 64,
        "steps": 2,
        "warmup": 1,
        "decay": 0.5,
    }
    bench = Bench(
        Store(folder / "store"),
        Catalogue(),
        Sources(mirror=None),
        checkpoint_seconds=0.0,
        threads=1,
    )
    pretrain.pretrain(Pretraining(**config), inputs / "corpus", bench, Quiet())


def probes(inputs: Path, folder: Path) -> None:
    """What is looked at of tasks before a path is chosen."""
    import small_tasks
    from xstilts import models, probing
    from xstilts.engines.local import LocalEngine
    from xstilts.sources import Sources
    from xstilts.study import Study
    from xstilts.tasks import Catalogue

    found = probing.build(
        *(Study(name="p", paths=("s_nli > s_tags",), source="files"), small_tasks.RECIPE),
        *(models.find(str(inputs / "tiny")), Catalogue(small_tasks.tasks(inputs / "data"))),
        *(Sources(), ["s_nli[16]"], ["s_tags[16]"], ["vocabulary"]),
    )
    bench = small_tasks.bench(inputs / "data", folder / "store")
    outcome = LocalEngine().run(found.plan, bench, Quiet())
    if outcome.failures:
        raise UserError("; ".join(set(outcome.failures.values())))


def imports(inputs: Path, folder: Path) -> None:
    """A checkpoint and predictions that were made elsewhere."""
    import small_tasks
    from xstilts import imported
    from xstilts.sources import Sources
    from xstilts.steps import given_predictions
    from xstilts.store import Store
    from xstilts.tasks import Catalogue

    store, tasks = Store(folder / "store"), Catalogue(small_tasks.tasks(inputs / "data"))
    imported.checkpoint(store, inputs / "tiny", "mine", 1, None, ())
    task, data = tasks.get("s_xnli"), tasks.data("s_xnli", "files")
    rows = Sources().examples(task, data, "evaluate", "de")
    made = given_predictions.align(inputs / "predictions.txt", task, rows)
    about = {"imported": "llm", "seed": 1, "task": "s_xnli", "language": "de", "source": "files"}
    imported.predictions(store, made, inputs / "predictions.txt", about | {"data": "0" * 20})


def travel(inputs: Path, folder: Path) -> None:
    """A pack, and a store that it is merged into."""
    from xstilts.store import Store, merging, packing

    here = Store(inputs / "here")
    pack = folder / "all.tar.zst"
    if not pack.exists():
        packing.pack(here, pack, [one.id for one in here.ls()], lambda *_: None)
    merged = merging.merge(Store(folder / "there"), pack, lambda *_: None)
    assert not merged.refused


def upkeep(inputs: Path, folder: Path) -> None:
    """Weights go and come back; a step is thrown away."""
    from store.steps import A, B, finish
    from xstilts.store import Store

    store = Store(folder / "store")
    if not store.has(A):
        finish(store, A)
    store.evict(A)
    finish(store, A)
    if not store.has(B):
        finish(store, B)
    store.discard(B)
    store.gc()


def corpus(inputs: Path, folder: Path) -> None:
    """A cleaned corpus."""
    from xstilts import corpus as cleaning

    if not (folder / "corpus").exists():
        cleaning.build(inputs / "raw", inputs / "mirror", folder / "corpus", lambda _: None)


def report(inputs: Path, folder: Path) -> None:
    """A file that is written anew each time."""
    from xstilts.disk.whole import whole

    with whole(folder / "report.html") as part:
        part.write_text("x" * 9999)


LIVES = {
    one.__name__: one
    for one in (study, probes, pretraining, imports, travel, upkeep, corpus, report)
}
# Of the lives whose other writes are the study's: the places that differ.
ONLY = {
    "probes": ("features.saved",),
    "pretraining": ("tokenizer.saved", "shards.half", "weights.saved", "curve.saved"),
    "imports": ("weights.saved", "heads.saved", "predictions.saved", "finish.rename"),
}
NOT_A_FUNCTION = {"pretraining"}  # the tokenizer library's training differs between processes
NO_ENGINE = {"corpus", "report"}
PARTS = 12  # disks of so many sizes, up to twice what the study leaves


# --- the proof ----------------------------------------------------------------------------------


def prepare(inputs: Path) -> None:
    """What the lives read."""
    import small_tasks
    import tiny_encoder
    from corpus.mirror import plant
    from store.steps import A, B, finish
    from xstilts.store import Store

    small_tasks.write(inputs / "data")
    (inputs / "tiny").mkdir()
    tiny_encoder.make(inputs / "tiny", small_tasks.texts(), vocabulary=250)
    (inputs / "corpus" / "text").mkdir(parents=True)
    for code, words in small_tasks.WORDS.items():
        lines = (" ".join(words[(i * k) % len(words)] for k in (1, 2, 5)) for i in range(40))
        (inputs / "corpus" / "text" / f"{code}.txt").write_text("\n".join(lines) + "\n")
    (inputs / "predictions.txt").write_text("yes\n" * small_tasks.TEST_ROWS)
    finish(Store(inputs / "here"), A)
    finish(Store(inputs / "here"), B, {"x": b"x"}, evictable=[])
    plant(inputs / "mirror", "xnli", "Twelve grey geese flew over the quiet harbour.")
    text = inputs / "raw" / "eltec_novels" / "en.txt"
    text.parent.mkdir(parents=True)
    text.write_text("A good line.\nAnother line of it.\n")


def child(act: Callable[[], object], said: Path, armed: str = "") -> int:
    """Do something in a child; returns its exit status, 2 where it said a line for the user."""
    if pid := os.fork():
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    status = 1
    try:
        os.environ["XSTILTS_FAILPOINT"] = armed
        failpoints._armed.cache_clear()
        failpoints.passages.clear()
        act()
        said.write_text(json.dumps(failpoints.passages))
        status = 0
    except Exception as error:  # noqa: BLE001 (never back into the parent's code)
        if (line := cli._message(error)) is None:
            traceback.print_exc()
        else:
            said.write_text(line)
            status = 2
    finally:
        os._exit(status)


def left(folder: Path) -> dict[str, Any]:
    """What stands in a folder: of stores the content of their steps, of anything else the names."""
    from xstilts.store import Store

    found: dict[str, Any] = {}
    for place in sorted(folder.glob("*/steps")):
        store = Store(place.parent)
        faults = [str(fault) for fault in store.verify()]
        assert not faults, faults
        store.gc()
        for one in store.ls():
            record = store.record(one.id)
            found[one.id] = [record["kind"], record["files"], record["evicted"]]
    names = [path.relative_to(folder).as_posix() for path in folder.rglob("*")]
    kept = ["/steps", "/leaks/"]  # which splits are compared depends on what is left to do
    kept += ["/work"] if folder.parent.name == "pretraining" else []  # a plateau stays
    found["else"] = sorted(name for name in names if not any(part in name for part in kept))
    return found


def prove(base: Path, lives: list[str]) -> dict[str, Any]:
    """For every life and place: at which passage a child died, and at which it found no space."""
    inputs = base / "inputs"
    inputs.mkdir()
    assert child(partial(prepare, inputs), base / "said") == 0
    proven: dict[str, Any] = {}
    for life in lives:
        peace = base / life / "peace"
        peace.mkdir(parents=True)
        assert child(partial(LIVES[life], inputs, peace), base / "said", "*:0") == 0
        passages = json.loads((base / "said").read_text())
        expected = left(peace)
        counts: dict[str, dict[str, int]] = defaultdict(dict)
        for place in ONLY.get(life, passages):
            # How often a status is written depends on the clock; the first one is always there.
            last = 1 if place == "status.written" else passages[place]
            for act, count in (("kill", last), ("full", 1)):
                folder = base / life / f"{place}.{act}"
                folder.mkdir()
                trouble(life, inputs, folder, f"{place}:{count}:{act}", expected)
                counts[place][act] = count
        proven[life] = counts
    return proven


def trouble(life: str, inputs: Path, folder: Path, armed: str, expected: dict[str, Any]) -> None:
    """One child in trouble, what it left, and the work done again."""
    said = folder.parent / "said"
    said.unlink(missing_ok=True)
    status = child(partial(LIVES[life], inputs, folder), said, armed)
    if armed.endswith("kill"):
        assert status == -signal.SIGKILL, (armed, status)
    elif status:  # what is only looked at, as a status, may do without
        line = said.read_text()
        assert status == 2, (armed, status)
        assert "No space left on device" in line, (armed, line)
        assert "\n" not in line, (armed, line)
        assert life in NO_ENGINE or "nothing finished was lost; next: free" in line, (armed, line)
    left(folder)  # what is there is whole
    assert child(partial(LIVES[life], inputs, folder), said) == 0, (life, armed)
    now = left(folder)
    assert now["else"] == expected["else"], (life, armed, now["else"])
    if life not in NOT_A_FUNCTION:
        assert now == expected, (life, armed)


def small_disks(base: Path, _: list[str]) -> dict[str, int]:
    """The study on file systems of their own, too small for it at one place or another.

    Returns:
        How many runs ended for want of space, and how many had enough.
    """
    from xstilts import preflight

    preflight._check_disk = lambda *_: None  # it would see at once that there is too little
    inputs, said, ends = base / "inputs", base / "said", {"full": 0, "enough": 0}
    inputs.mkdir()
    assert child(partial(prepare, inputs), said) == 0
    with disk(base / "peace", "64m") as (folder, _):
        assert child(partial(study, inputs, folder), said) == 0
        expected = left(folder)
        whole = sum(path.stat().st_blocks * 512 for path in folder.rglob("*"))
    for part in range(1, PARTS + 1):
        with disk(base / str(part), str(2 * whole * part // PARTS)) as (folder, enlarge):
            said.unlink(missing_ok=True)
            status = child(partial(study, inputs, folder), said)
            if status:
                line = said.read_text()
                assert status == 2, line
                assert "No space left on device" in line, line
                assert "nothing finished was lost; next: free some space" in line, line
                assert "\n" not in line, line
            ends["full" if status else "enough"] += 1
            before = left(folder)
            enlarge()
            assert child(partial(study, inputs, folder), said) == 0, said.read_text()
            now = left(folder)
            assert now == expected, part
            assert all(now[one][:2] == content[:2] for one, content in before.items() if one in now)
    return ends


@contextmanager
def disk(folder: Path, size: str) -> Iterator[tuple[Path, Callable[[], object]]]:
    """A file system of so many bytes, and what makes it large enough for anything."""

    def mount(*options: str) -> None:
        subprocess.run(["mount", "-t", "tmpfs", *options, "none", str(folder)], check=True)

    folder.mkdir()
    mount("-o", f"size={size}")
    try:
        yield folder, partial(mount, "-o", "remount,size=64m")
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_real_disks_that_fill_up_cost_nothing_finished(tmp_path):
    """Small file systems in memory, which need no rights in a name space of our own."""
    alone = ["unshare", "--map-root-user", "--mount"]
    if shutil.which("unshare") is None or subprocess.run([*alone, "true"], check=False).returncode:
        pytest.skip("no name spaces here: what disks refuse is only acted (the test below)")
    ends = program(*alone, sys.executable, __file__, tmp_path, "--disks")
    assert ends["full"] >= PARTS // 2
    assert ends["full"] + ends["enough"] == PARTS


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_no_end_of_a_process_and_no_full_disk_costs_anything_finished(tmp_path):
    proven = program(sys.executable, __file__, tmp_path)
    assert {place for counts in proven.values() for place in counts} == failpoints.PLACES.keys()
    for counts in proven.values():
        assert all(acts.keys() == {"kill", "full"} for acts in counts.values())


def program(*command: object) -> Any:
    """What this file says when it is run."""
    env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    words = [str(one) for one in command]
    done = subprocess.run(words, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


if __name__ == "__main__":
    # All that children need is imported here, once; no operation of torch runs in this process.
    import accelerate  # noqa: F401
    import pyarrow.parquet  # noqa: F401
    import transformers.models.xlm_roberta.modeling_xlm_roberta  # noqa: F401

    from xstilts.engines import local, pretrain  # noqa: F401
    from xstilts.steps import predict, score, train  # noqa: F401

    place, *lives = sys.argv[1:]
    whole = prove if lives != ["--disks"] else small_disks
    sys.stdout.write(json.dumps(whole(Path(place), lives or [*LIVES])) + "\n")

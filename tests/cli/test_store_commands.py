from __future__ import annotations

import json

import pytest

from xstilts.store import Store

RECORD = {"kind": "score", "inputs": {}, "provenance": {}, "result": [], "evictable": []}
IDS = ["0" * 20, "f" * 20]


@pytest.fixture
def store(tmp_path) -> Store:
    """Two finished steps of one file each."""
    made = Store(tmp_path / "store")
    for step_id in IDS:
        with made.writing(step_id) as folder:
            (folder / "data").write_text("12345")
            made.finish(step_id, folder, RECORD)
    return made


def test_ls(cli, store):
    ran = cli("store", "ls", "--store", store.root)
    lines = ran.out.splitlines()
    assert ran.code == 0
    assert [line.split()[:2] for line in lines] == [[step_id, "score"] for step_id in IDS]
    total = sum(step.bytes for step in store.ls())
    assert ran.err == f"2 steps (2 score), {total:,} bytes in {store.root}\n"


def test_ls_says_what_steps_are(cli, tmp_path):
    """A stage, evicted; a prediction of it; its score, which is of what its prediction is of."""
    made = Store(tmp_path)
    ids = ["a" * 20, "b" * 20, "c" * 20]
    inputs = [
        {"items": [{"task": "mnli"}, {"task": "mlm"}], "seed": 2},
        {"task": "xnli", "language": "sw", "weights": ids[0]},
        {"predictions": ids[1], "language": "sw"},
    ]
    for step_id, kind, about in zip(ids, ("train", "predict", "score"), inputs, strict=True):
        with made.writing(step_id) as folder:
            (folder / "data").write_text("12345")
            evictable = ["data"] if kind == "train" else []
            changed = {"kind": kind, "inputs": about, "evictable": evictable}
            made.finish(step_id, folder, RECORD | changed)
    made.evict(ids[0])
    lines = cli("store", "ls", "--store", tmp_path).out.splitlines()
    assert [line.split("  ")[-1] for line in lines] == [
        "mnli + mlm (seed 2), weights evicted",
        "xnli sw",
        "xnli sw",
    ]
    document = json.loads(cli("store", "ls", "--store", tmp_path, "--json").out)
    assert [one["about"] for one in document] == ["mnli + mlm (seed 2)", "xnli sw", "xnli sw"]
    assert document[0]["evicted"] is True


def test_ls_takes_the_store_from_the_environment(cli, store, monkeypatch):
    monkeypatch.setenv("XSTILTS_STORE", str(store.root))
    assert cli("store", "ls").out.count("\n") == 2


def test_verify(cli, store):
    ran = cli("store", "verify", "--store", store.root)
    assert (ran.code, ran.out, ran.err) == (0, "", "2 steps read, 0 faults\n")
    file = store.folder(IDS[1]) / "data"
    file.write_text("12354")
    ran = cli("store", "verify", "--store", store.root)
    assert ran.code == 2
    assert ran.err == (
        "2 steps read, 1 fault: --discard removes these steps, and their study, run again, "
        "redoes them\n"
    )
    assert ran.out == f'file "data" of step {IDS[1]} has other bytes than were written\n'
    gone = cli("store", "verify", "--discard", "--store", store.root)
    assert (gone.code, gone.out) == (0, ran.out)
    assert gone.err == "2 steps read, 1 fault, 1 step removed: run their study again\n"
    assert [step.id for step in store.ls()] == IDS[:1]
    assert cli("store", "verify", "--store", store.root).err == "1 step read, 0 faults\n"


def test_gc(cli, store):
    left = store.root / "tmp" / f"{IDS[0]}.gone.0"
    left.mkdir(parents=True)
    (left / "half").write_text("123")
    dry = cli("store", "gc", "--dry-run", "--store", store.root)
    assert (dry.code, dry.out, dry.err) == (0, f"{left}\n", "3 bytes would be freed\n")
    assert left.exists()
    wet = cli("store", "gc", "--store", store.root)
    assert (wet.code, wet.out, wet.err) == (0, f"{left}\n", "3 bytes freed\n")
    assert not left.exists()
    assert cli("store", "gc", "--store", store.root).err == "0 bytes freed\n"
    assert store.verify() == []


def test_pack_and_merge(cli, store, tmp_path):
    out, other = tmp_path / "one.tar.zst", tmp_path / "other"
    packed = cli("store", "pack", out, "f", "--store", store.root)
    assert (packed.code, packed.out) == (0, f"xstilts store merge {out}\n")
    assert packed.err.startswith("1 step, ")
    merged = cli("store", "merge", out, "--store", other)
    assert merged.code == 0
    assert merged.err.startswith("1 step added, 0 here before")
    assert [step.id for step in Store(other).ls()] == IDS[1:]
    assert cli("store", "pack", tmp_path / "all", "--store", store.root).err.startswith("2 steps")
    assert cli("store", "merge", tmp_path / "all", "--store", other).err.startswith("1 step added")
    assert Store(other).verify() == []


def test_a_refused_step_is_named(cli, store, tmp_path):
    other = Store(tmp_path / "other")
    with other.writing(IDS[0]) as folder:
        (folder / "data").write_text("other")
        other.finish(IDS[0], folder, RECORD)
    merged = cli("store", "merge", store.root, "--store", other.root)
    assert merged.code == 2
    assert merged.out.startswith(f"refused: {IDS[0]}: ")
    assert 'another "data"' in merged.out
    assert merged.err.startswith("1 step added, 0 here before")


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["0", "1"], "no step of"),
        (["0", ""], "2 steps of"),
        (["0", "--study", "s.yaml"], "steps or --study, not both"),
        (["--study", "s.yaml"], "s.yaml"),
        (["--study", "mnli > xnli"], "nothing to pack"),
    ],
)
def test_what_to_pack_must_be_clear(cli, store, tmp_path, arguments, why):
    ran = cli("store", "pack", tmp_path / "out", *arguments, "--store", store.root)
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert why in ran.err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("command", ["ls", "verify", "gc"])
def test_no_store_is_made_by_looking(cli, tmp_path, command):
    ran = cli("store", command, "--store", tmp_path / "none")
    assert (ran.code, ran.out) == (2, "")
    assert "give --store FOLDER, or run something first" in ran.err
    assert not (tmp_path / "none").exists()


def test_the_steps_of_a_study_travel_and_nothing_is_left_to_do(cli, at_mirror, tiny, tmp_path):
    study, out = tmp_path / "s.yaml", tmp_path / "s.tar.zst"
    study.write_text(
        f"name: s\nmodels: [{tiny}]\npaths: ['taxinli | xnli:de']\nsource: mirror\n"
        "options: {max_steps: 1, max_eval_rows: 2}\n"
    )
    here, there = ("--store", tmp_path / "here"), ("--store", tmp_path / "there")
    assert cli("run", study, *here, "--threads", 1).code == 0
    packed = cli("store", "pack", out, "--study", study, "--no-weights", *here)
    assert packed.err.startswith("3 steps, ")
    assert cli("store", "merge", out, *there).err.startswith("3 steps added")
    again = cli("run", study, *there)
    assert again.code == 0
    assert "3 steps, 3 finished before" in again.err
    assert "xnli" in again.out


def test_scores_travel_without_rows_and_say_the_same(cli, at_mirror, tiny, tmp_path):
    study, out = tmp_path / "s.yaml", tmp_path / "s.tar.zst"
    study.write_text(
        f"name: s\nmodels: [{tiny}]\nsource: mirror\nseeds: [1, 2]\n"
        "paths: ['taxinli | xnli:de', 'csqa > taxinli | xnli:de']\n"
        "options: {max_steps: 1, max_eval_rows: 2}\n"
    )
    here, there = ("--store", tmp_path / "here"), ("--store", tmp_path / "there")
    assert cli("run", study, *here, "--threads", 1).code == 0
    assert cli("store", "pack", out, "--study", study, "--scores", *here).code == 0
    assert cli("store", "merge", out, *there).code == 0
    steps = list(Store(tmp_path / "there").ls())
    assert {one.kind for one in steps if one.evicted} == {"train", "predict"}
    said = [cli("gains", study, *store, "--json").out for store in (here, there)]
    assert said[0] == said[1]
    assert '"csqa"' in said[0]
    assert cli("report", study, *there, "--format", "markdown", "--out", tmp_path / "r").code == 0
    assert "to do: nothing" in cli("plan", study, *there).out
    assert "14 steps, 14 finished before" in cli("run", study, *there, "--threads", 1).err
    lost = next(one.id for one in steps if one.kind == "score")
    Store(tmp_path / "there").discard(lost)
    redone = cli("run", study, *there, "--threads", 1).err  # with what it is made from
    assert all(done in redone for done in ("train ", "predict xnli de", "score xnli de"))
    assert cli("gains", study, *there, "--json").out == said[0]
    assert cli("store", "merge", tmp_path / "here", *there).code == 0  # and the rest comes after
    assert not [one for one in Store(tmp_path / "there").ls() if one.evicted]

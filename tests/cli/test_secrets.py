"""A token in the environment goes to the hub that is configured, and nowhere else."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from cli.test_report_commands import notebook
from hub_server import HubServer

TOKEN = "hf_" + "PlantedAndNeverToBeSeen" * 2
NAMES = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "WANDB_API_KEY")


@pytest.fixture(autouse=True)
def planted(monkeypatch):
    for name in NAMES:
        monkeypatch.setenv(name, TOKEN)


def anywhere(folder):
    """The files under a folder that hold the token, or their names do."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert files
    return [path for path in files if TOKEN.encode() in path.read_bytes() or TOKEN in str(path)]


def test_what_a_run_says_stores_and_tracks_holds_no_token(
    cli, at_mirror, tiny, tmp_path, monkeypatch
):
    told = notebook(monkeypatch)
    store = ("--store", tmp_path / "store")
    words = ("taxinli | xnli:en", "--source", "mirror", "--model", tiny, "--max-steps", 2)
    common = (*words, "--max-eval-rows", 2, *store)
    said = [
        cli("run", *common, "--threads", 1, "--json", "--track", "notebook"),
        cli("plan", *common, "--json"),
        cli("status", *store),
        cli("store", "ls", *store),
        cli("store", "pack", tmp_path / "pack", *store),
        cli("report", *common, "--out", tmp_path / "report.html"),
    ]
    assert [one.code for one in said] == [0] * len(said), said
    assert told
    assert TOKEN not in f"{said}{told}"
    assert anywhere(tmp_path) == []


@pytest.mark.parametrize("debug", [(), ("--debug",)])
def test_errors_of_the_hub_hold_no_token(tmp_path, debug):
    """A private dataset, a model that is not there, a hub that is away; with tracebacks too."""
    (tmp_path / "hub" / "datasets" / "org" / "mine").mkdir(parents=True)
    (tmp_path / "hub" / "datasets" / "org" / "mine" / "train.jsonl").write_text('{"a": 1}\n')
    with HubServer(tmp_path / "hub") as server:
        server.gated.add("datasets/org/mine")
        ends = [
            run(tmp_path, endpoint, *command, *debug)
            for endpoint in (server.url, "http://127.0.0.1:9")
            for command in (
                ("tasks", "hf:org/mine"),
                ("run", "taxinli > xnli", "--source", "microworld", "--model", "org/none"),
            )
        ]
    for done in ends:
        assert done.returncode == (1 if debug else 2), done
        assert ("Traceback" in done.stderr) == bool(debug)
        assert TOKEN not in done.stdout + done.stderr
    assert anywhere(tmp_path) == []


def run(folder, endpoint, *command):
    env = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(sys.path),
        "HF_ENDPOINT": endpoint,
        "HF_HOME": str(folder / "home"),
    }
    words = [sys.executable, "-m", "xstilts", *command]
    return subprocess.run(words, cwd=folder, env=env, capture_output=True, text=True, check=False)

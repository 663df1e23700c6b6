"""Nothing that is read can run code, and nothing that is shown can pose as something else."""

from __future__ import annotations

import ast
import json
import pickle
import re
from pathlib import Path

import pytest
import torch

import small_tasks
import xstilts
from xstilts import models
from xstilts.engines.local import LocalEngine
from xstilts.errors import UserError
from xstilts.model import encoder, tokenizer
from xstilts.report import screen
from xstilts.report.watch import Lines
from xstilts.study import Options

SOURCES = sorted(Path(xstilts.__file__).parent.rglob("*.py"))
PICKLES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
CALLS = {
    ("torch", "load"),
    ("yaml", "load"),
    ("yaml", "unsafe_load"),
    ("yaml", "full_load"),
    ("os", "system"),
}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_no_source_reads_pickles_or_runs_text(path):
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        assert not {name.partition(".")[0] for name in names} & PICKLES
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            owner = node.func.value
            assert (getattr(owner, "id", None), node.func.attr) not in CALLS
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in {"eval", "exec"}
        if isinstance(node, ast.keyword):
            assert (node.arg, getattr(node.value, "value", None)) not in {
                ("allow_pickle", True),
                ("trust_remote_code", True),
                ("shell", True),
            }


def test_a_run_and_its_resumption_unpickle_nothing(small, tiny, tmp_path, monkeypatch):
    def refuse(*_args, **_more):
        raise AssertionError("a pickle was read")

    for name in ("load", "loads", "Unpickler"):
        monkeypatch.setattr(pickle, name, refuse)
    monkeypatch.setattr(torch, "load", refuse)
    plan = small_tasks.plan(
        small, tiny, "s_nli > s_tags", options=Options(max_steps=4, max_eval_rows=2)
    )

    class Stops(Lines):
        def progress(self, done, total, tokens):
            if done == 2:
                raise KeyboardInterrupt

    bench = small_tasks.bench(small, tmp_path, checkpoint_seconds=0.0)
    with pytest.raises(KeyboardInterrupt):
        LocalEngine().run(plan, bench, Stops())
    assert list(tmp_path.glob("work/*/point-*"))
    outcome = LocalEngine().run(plan, bench, Lines())
    assert (len(outcome.done), outcome.failures) == (len(plan.steps), {})


def test_weights_in_a_pickle_are_refused(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "pytorch_model.bin").write_bytes(b"")
    with pytest.raises(UserError, match=r"in a pickle \(\.bin\).*save_pretrained"):
        models.find(str(tmp_path))


def test_code_of_a_checkpoint_is_never_run(tiny, tmp_path):
    for file in tiny.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    planted = tmp_path / "ran"
    (tmp_path / "evil.py").write_text(f"open({str(planted)!r}, 'w')\n")
    names = ("AutoConfig", "AutoModel", "AutoModelForMaskedLM", "AutoTokenizer")
    for name in ("config.json", "tokenizer_config.json"):
        about = json.loads((tmp_path / name).read_text())
        about["model_type"] = "evil"
        about["auto_map"] = dict.fromkeys(names, "evil.Evil")
        (tmp_path / name).write_text(json.dumps(about))
    for load in (encoder.load, tokenizer.load):
        try:
            load(tmp_path)
        except UserError as error:
            assert re.match("cannot load", str(error))  # noqa: PT017 (it may also be loaded)
    assert not planted.exists()


@pytest.mark.parametrize("unsafe", ["\x1b[2J", "\x1b]0;t\x07", "\u202e", "\x9b1A"])
def test_text_of_others_is_harmless_on_the_screen(capsys, unsafe):
    table = screen.grid("name")
    table.add_row(f"label{unsafe}x")
    screen.show(table, f"line{unsafe}x")
    Lines().say(f"told{unsafe}x")
    shown = "".join(capsys.readouterr())
    assert unsafe not in shown
    assert shown.count("\\u202e" if unsafe == "\u202e" else "\\x") >= 3

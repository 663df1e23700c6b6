"""``xstilts.run``: what it says of mistakes, of progress and of its results, and where it runs."""

from __future__ import annotations

import io
import re
import sys
from types import SimpleNamespace

import pytest

import xstilts
from xstilts import hardware, imported, session
from xstilts import study as studies
from xstilts.engines import Outcome
from xstilts.engines.local import LocalEngine
from xstilts.errors import UserError
from xstilts.session import Results
from xstilts.store import Store


@pytest.mark.parametrize(
    ("paths", "fields", "message"),
    [
        (
            ["xnli"],
            {"source": "microwrld"},
            "source: found 'microwrld'; did you mean \"microworld\"?",
        ),
        (["xnli"], {"seed": 1}, 'seed: unknown key; did you mean "seeds"?'),
        (["xnli"], {"modles": ["a"]}, 'modles: unknown key; did you mean "models"?'),
        (["xnli"], {"seeds": "a"}, "seeds: found 'a', expected a list such as [a, b]"),
        (["xnli"], {"seeds": 1}, "seeds: found 1, expected a list such as [a, b]"),
        (["xnli"], {"seeds": [1, "a"]}, "seeds[1]: found 'a', expected a whole number"),
        (["xnli"], {"seeds": [1, 1]}, "seeds[1]: found 1, expected each entry once"),
        (
            ["xnli"],
            {"options": {"max_step": 1}},
            'options.max_step: unknown key; did you mean "max_steps"?',
        ),
        (
            ["xnli"],
            {"options": {"max_steps": 0}},
            "options.max_steps: found 0, expected 1 or more",
        ),
        (["xnli"], {"options": 3}, "options: found 3, expected keys and values"),
        (["xnli"], {"keep": "x" * 90}, f"keep: found '{'x' * 56}...; allowed: all, "),
        (["xnli"], {"controls": ["text"]}, 'controls: needs "targets", which is missing'),
        ([], {}, 'nothing to run; write "targets" (and "intermediate"), or "paths"'),
        ([["xnli"]], {}, "paths[0]: found ['xnli'], expected text (in quotes)"),
        (["xnli >"], {}, "paths[0]: "),
        (["demo"], {"seed": 1}, 'seed: unknown key; did you mean "seeds"?'),
        (["demo"], {"seeds": [1, 1]}, "seeds[1]: found 1, expected each entry once"),
        (["xnli"], {"source": "microworld", "recipe": "minii"}, "recipe"),
    ],
)
def test_a_mistake_is_told_in_one_line(paths, fields, message, tmp_path):
    with pytest.raises(UserError) as caught:
        xstilts.run(*paths, store=tmp_path, **fields)
    said = str(caught.value)
    assert message in said
    assert len(said.splitlines()) == 1
    assert "pydantic" not in said


def quick(tiny, store, seed, **more):
    """Two steps of training and three rows to answer."""
    return xstilts.run(
        "xnli[20]",
        model=str(tiny),
        source="microworld",
        seeds=range(seed, seed + 1),
        store=store,
        options={"max_steps": 2, "max_eval_rows": 3},
        **more,
    )


class Terminal(io.StringIO):
    """A terminal that keeps what it shows."""

    def isatty(self) -> bool:
        return True


def test_a_terminal_sees_how_far_it_is_and_a_pipe_nothing(tiny, tmp_path, monkeypatch, capsys):
    quick(tiny, tmp_path, 1)
    assert capsys.readouterr() == ("", "")
    monkeypatch.setenv("TERM", "xterm")
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stderr", Terminal())
        quick(tiny, tmp_path, 2)
        seen = sys.stderr.getvalue()
    assert re.search(r"\[1/\d+\] train mnli.*: done in \d+ s", seen)
    assert "score" in seen
    with monkeypatch.context() as patch:  # finished: nothing to tell
        patch.setattr(sys, "stderr", Terminal())
        quick(tiny, tmp_path, 2)
        assert sys.stderr.getvalue() == ""


def test_an_interactive_session_elsewhere_sees_lines(tiny, tmp_path, monkeypatch, capsys):
    """As in a notebook, which has prompts and no terminal."""
    monkeypatch.setattr(sys, "ps1", "In : ", raising=False)
    quick(tiny, tmp_path, 1)
    assert re.search(r"(?m)^\[1/\d+\] train mnli.*: done in \d+ s\n", capsys.readouterr().err)


def test_results_say_in_one_line_what_they_are(results):
    steps, scores = len(results.plan.steps), len(results.plan.cells)
    assert repr(results) == (
        f'<Results of "s_xnli" and 5 more: {steps} of {steps} steps finished, {scores} scores; '
        f"store {results.store.root}>"
    )
    named = Results(results.plan, results.store, results.catalogue, "mine")
    assert repr(named).startswith('<Results of study "mine": ')
    empty = SimpleNamespace(cells=[], steps={})
    assert repr(Results(empty, results.store, results.catalogue)) == (
        f'<Results of "nothing": 0 of 0 steps finished, 0 scores; store {results.store.root}>'
    )


@pytest.mark.parametrize(
    ("there", "asked", "device"),
    [(True, {}, "cuda"), (False, {}, "cpu"), (True, {"device": "cpu"}, "cpu")],
)
def test_it_runs_on_the_gpu_where_there_is_one(tiny, tmp_path, monkeypatch, there, asked, device):
    benches = []

    def run(_self, _plan, bench, _watcher):
        benches.append(bench)
        return Outcome()

    monkeypatch.setattr(LocalEngine, "run", run)
    monkeypatch.setattr("xstilts.preflight.check", lambda *_: [])
    monkeypatch.setattr("torch.cuda.is_available", lambda: there)
    quick(tiny, tmp_path, 1, **asked)
    assert [one.device for one in benches] == [device]
    assert benches[0].token_budget == (4096 if device == "cpu" else 16384)


def test_a_device_that_is_none_is_refused(tiny, tmp_path):
    assert hardware.device("cuda:1") == "cuda:1"
    with pytest.raises(UserError, match='device "gpu" is none of auto, cpu, cuda, cuda:1'):
        quick(tiny, tmp_path, 1, device="gpu")


def test_everything_is_checked_before_the_first_step(tiny, tmp_path, monkeypatch):
    def refuse(*_):
        raise UserError("the disk is full")

    monkeypatch.setattr("xstilts.preflight.check", refuse)
    with pytest.raises(UserError, match="the disk is full"):
        quick(tiny, tmp_path, 1)
    assert not list(tmp_path.rglob("step.json"))


def test_what_was_imported_is_found(tiny, tmp_path):
    store = Store(tmp_path)
    imported.checkpoint(store, tiny, "mine", 1, None, ())
    found = xstilts.run(
        "imported(mine) > xnli[20]",
        model=str(tiny),
        source="microworld",
        store=tmp_path,
        options={"max_steps": 2, "max_eval_rows": 3},
    )
    assert {row.path for row in found.scores().itertuples()} == {"imported(mine) > xnli[20]"}
    with pytest.raises(UserError, match='nothing was imported as "other"'):
        xstilts.run("imported(other) > xnli", source="microworld", store=tmp_path)


def test_what_is_given_beside_a_study_stands_in_its_place(tiny, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(session, "_finish", lambda plan, *_: asked.append(plan))
    xstilts.run("demo", store=tmp_path)
    xstilts.run("demo", store=tmp_path, model=str(tiny), seeds=[7], options={"max_steps": 1})
    whole, changed = asked
    assert {cell.seed for cell in whole.cells} == {1, 2, None}
    assert {cell.seed for cell in changed.cells} == {7, None}
    assert [one.name for one in changed.models.values()] == [str(tiny)]
    stages = [one for one in changed.steps.values() if one.kind == "train"]
    assert all(one.inputs["max_steps"] == 1 for one in stages)
    assert {cell.path for cell in changed.cells} == {cell.path for cell in whole.cells}


@pytest.mark.parametrize("name", studies.ready_made())
def test_a_study_read_back_from_its_fields_is_the_same(name):
    declared = studies.load(studies.file_of(name))
    assert studies.of(declared.model_dump(exclude_unset=True)) == declared

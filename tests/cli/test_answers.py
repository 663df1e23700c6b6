"""What ``xstilts gains`` and ``claims`` print, of studies whose truth is known."""

from __future__ import annotations

import json

import pytest

from analysis import simulator
from xstilts.cli import asked

LONG = "taxinli + squad_dev + squad_v2 + csqa + hellaswag + cosmos_qa"
OWN = """
- {id: mine, text: csqa gains, source: a talk, rule: mean_gain, intermediate: [csqa], expected: 2}
"""


@pytest.fixture
def said(cli, monkeypatch):
    """What a command prints of these outcomes on a terminal of that width."""

    def say(outcomes, *words, width=80):
        monkeypatch.setattr(asked, "outcomes", lambda *_: outcomes)
        monkeypatch.setenv("COLUMNS", str(width))
        ran = cli(*words)
        assert ran.code == 0, ran.err
        return ran.out

    return say


@pytest.mark.parametrize("width", [80, 100])
@pytest.mark.parametrize("over", ["target", "language"])
def test_numbers_are_whole_on_a_narrow_terminal(said, width, over):
    study = simulator.study({"csqa": 2.0, LONG: {"tatoeba": -31.0}}, seed_sd=0.05)
    study.analyses = ("gains",)
    words = ("gains", "demo", "--over", over)
    out, whole = said(study, *words, width=width), said(study, *words, width=1000)
    assert "…" not in out
    tables = out[: out.index("best per target")]
    assert max(map(len, tables.splitlines())) <= width
    numbers = [word for word in whole.split() if word[0] in "+-±[" and word[-1].isdigit()]
    assert numbers
    assert set(numbers) <= set(out.split())
    assert "with these seeds and items a test finds a mean gain only if it is at least" in out


def test_a_path_without_its_baseline_says_what_to_add(said):
    study = simulator.study({"qqp": 1.0}, targets=simulator.TARGETS)
    study.all = [one for one in study.all if "qqp" in one.path]
    lines = said(study, "gains", "demo").splitlines()
    assert {line.partition(": ")[0] for line in lines} == {"no baseline"}
    assert lines[0] == 'no baseline: give "xnli" beside "qqp > xnli"'
    assert lines[-1] == 'no baseline: give "| tatoeba" beside "qqp > tatoeba"'


def test_a_baseline_alone_says_what_to_add(said):
    lines = said(
        simulator.study({}, targets={"xnli": ("mnli", "en de")}), "gains", "demo"
    ).splitlines()
    assert len(lines) == 1
    assert lines[0].startswith('no intermediate task: give a path that has one, as "mnli > ')


def test_claims_are_blocks_that_fold(said, tmp_path):
    (tmp_path / "own.yaml").write_text(OWN)
    study = simulator.study({"csqa": 2.0, "mnli": 1.0})
    words = ("claims", "demo", "--claims", tmp_path / "own.yaml")
    out = said(study, *words)
    assert max(map(len, out[: out.index("different conditions:")].splitlines())) <= 80
    first, *blocks, _ = out.split("\n\n")
    assert first == "claims of arXiv 2005.13013 (second version), and your own"
    by_id = {block.partition(":")[0]: block.splitlines() for block in blocks}
    verdict, text, claimed, found, *_, status = by_id["mnli-mean"]
    assert "its size: " in verdict
    assert text == "  MNLI as the intermediate task gains 7.5 points over the nine XTREME targets"
    assert claimed == "  claimed: +7.5 points"
    assert found.startswith("  found: mnli: +")
    assert status == "  status: unverified"
    assert by_id["mine"][-1].endswith("; source: a talk")
    document = json.loads(said(study, *words, "--json"))
    assert {one["claim"] for one in document["claims"]} <= set(by_id)


def test_claims_name_the_model_where_there_are_several(said):
    study = simulator.study({"mnli": 1.0})
    study.all += simulator.study({"mnli": 3.0}, model="mini").all
    assert "\nmnli-mean (mini): " in said(study, "claims", "demo")

"""``xstilts gains``, ``scaling`` and ``claims`` on the little mirror, and the same from Python."""

from __future__ import annotations

import json

import pytest

import xstilts

STUDY = """
name: small
models: [{model}]
paths:
  - "taxinli | xnli:en/de/sw"
  - "csqa > taxinli | xnli:en/de/sw"
  - "taxinli[8] > taxinli | xnli:en/de/sw"
  - "taxinli[16] > taxinli | xnli:en/de/sw"
  - "| tatoeba:de"
  - "csqa | tatoeba:de"
  - "taxinli[8] | tatoeba:de"
seeds: [1, 2]
source: mirror
analyses: [gains]
options: {{max_steps: 2}}
"""


@pytest.fixture(scope="module")
def ran(pristine, tiny, tmp_path_factory):
    """A study file that has run, and its store."""
    folder = tmp_path_factory.mktemp("asked")
    (folder / "study.yaml").write_text(STUDY.format(model=tiny))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XSTILTS_MIRROR", str(pristine))
        found = xstilts.run(str(folder / "study.yaml"), store=folder / "store")
    return found, folder


@pytest.fixture
def ask(ran, cli, at_mirror):
    folder = ran[1]

    def run(command, *options, code=0):
        found = cli(command, folder / "study.yaml", "--store", folder / "store", *options)
        assert found.code == code, found.err
        return found

    return run


def test_gains(ask, ran):
    shown = ask("gains").out
    for heading in ("mean gains in points", "gains by target", "best per target by official_dev"):
        assert heading in shown
    assert "not strictly zero-shot" in shown
    document = json.loads(ask("gains", "--json").out)
    means = {
        g["intermediate"]: g
        for g in document["gains"]
        if (g["over"], g["versus"]) == ("mean", "baseline")
    }
    assert set(means) == {"csqa", "taxinli[8]"}
    assert all(mean["family"] == "gains" for mean in means.values())
    for mean in means.values():  # where all runs say the same, nothing is known of chance
        assert mean["p"] is None if mean["low"] == mean["high"] else 0 <= mean["p"] <= 1
    # taxinli is what xnli is trained on: its cell is marked and counts only if asked for.
    assert means["taxinli[8]"]["targets"] == ["tatoeba"]
    again = json.loads(ask("gains", "--same-data", "--json").out)
    (mean,) = [
        g
        for g in again["gains"]
        if (g["intermediate"], g["over"], g["versus"]) == ("taxinli[8]", "mean", "baseline")
    ]
    assert mean["targets"] == ["xnli", "tatoeba"]
    shown = ask("gains", "--over", "family", "--over", "script").out
    assert "Indo-European" in shown
    assert "gains by script" in shown
    assert "gap to English" in shown
    assert document["unfinished"] == 0


def test_scaling(ask):
    # xnli is trained on taxinli there, and tatoeba has one language: nothing is left by itself.
    assert "no task has two sizes" in ask("scaling").out
    document = json.loads(ask("scaling", "--same-data", "--json").out)
    curves = {curve["outcome"]: curve for curve in document["curves"]}
    assert list(curves["mean"]["points"]) == ["8", "16"]
    assert curves["mean"]["arm"] == "fixed epochs, at most 2 steps"
    assert curves["mean"]["fit"] is None  # two sizes
    assert "taxinli, worst language" in ask("scaling", "--same-data").out


def test_claims(ask, tmp_path):
    document = json.loads(ask("claims", "--json").out)
    by_id = {row["claim"]: row for row in document["claims"]}
    assert by_id["squad-mean"]["direction"] == "not run"
    assert by_id["state-of-the-art"]["direction"] == "not testable"
    assert any("not xlm-roberta-large" in one for one in by_id["xnli-none"]["differences"])
    shown = ask("claims").out
    assert "unverified" in shown
    own = tmp_path / "own.yaml"
    own.write_text("- {id: own, text: a, source: me, rule: mean_gain, intermediate: [csqa]}\n")
    rows = json.loads(ask("claims", "--claims", own, "--json").out)["claims"]
    assert rows[-1]["claim"] == "own"
    assert rows[-1]["differences"] == ["at most 2 steps"]


def test_nothing_finished_is_said_in_one_line(ask, tmp_path):
    for command in ("gains", "scaling", "claims"):
        err = ask(command, "--store", tmp_path / "empty", code=2).err
        assert "nothing of it is finished in store" in err
        assert len(err.splitlines()) == 1


def test_python_finds_what_has_run_and_says_the_same(ran, at_mirror, tiny):
    pytest.importorskip("pandas")
    folder = ran[1]
    found = xstilts.run(
        "csqa > taxinli | xnli:en/de/sw",
        model=str(tiny),
        source="mirror",
        seeds=(1, 2),
        store=folder / "store",
        options={"max_steps": 2},
    )
    assert set(found.scores()["seed"]) == {1, 2}


def test_plan_says_what_a_difference_takes(ask, tmp_path):
    line = ask("plan", "--detect", "1.0").out.splitlines()[-1]
    assert "finished intermediates with 2 seeds" in line
    assumed = json.loads(ask("plan", "--detect", "2", "--store", tmp_path, "--json").out)["detect"]
    assert assumed["basis"].startswith("assumed")
    assert assumed["device_hours"] is None
    assert assumed["points"] <= 2
    assert "a difference in points above 0" in ask("plan", "--detect", "0", code=2).err

"""``xstilts ladder``: two sizes that have run on generated rows, at two learning rates."""

from __future__ import annotations

import json

import pytest

import tiny_encoder
from xstilts.cli import main

STUDY = """
name: sizes
models: [{small}, {large}]
paths: ["taxinli[16] | xnli:en/de", "ccg[16] > taxinli[16] | xnli:en/de"]
seeds: [1, 2]
source: microworld
recipe: demo
learning_rates: [1e-4, 1e-3]
analyses: [ladder]
margins: [doubling@0.5]
options: {{max_steps: 2, max_eval_rows: 4}}
"""


@pytest.mark.slow
def test_a_ladder_of_two_sizes(cli, tiny, tmp_path):
    texts = ["a man sleeps", "ein Mann schläft", "the colour of the sky"]
    large = tiny_encoder.make(tmp_path / "large", texts, hidden=64)
    study = tmp_path / "sizes.yaml"
    study.write_text(STUDY.format(small=tiny, large=large))
    store = ("--store", str(tmp_path / "store"))
    with pytest.raises(SystemExit) as ended:
        main(["run", str(study), *store, "--threads", "1"])
    assert ended.value.code == 0
    found = cli("ladder", study, *store)
    assert found.code == 0, found.err
    assert "2 sizes: no verdict from fewer than 3" in found.out
    (ladder,) = json.loads(cli("ladder", study, *store, "--json").out)["ladders"]
    assert [one["model"] for one in ladder["sizes"]] == [str(tiny), str(large)]
    assert all(set(one["tried"]) == {"0.0001", "0.001"} for one in ladder["sizes"])
    assert {one["verdict"] for one in ladder["trends"]} == {"too few sizes"}
    assert cli("report", study, *store, "--format", "markdown", "--out", tmp_path / "r").code == 0


def test_one_model_is_no_ladder(cli, at_mirror, tiny, tmp_path):
    found = cli("ladder", "xnli", "--source", "mirror", "--model", tiny, "--store", tmp_path)
    assert (found.code, found.out) == (2, "")
    assert "there is one model in it" in found.err
    assert len(found.err.splitlines()) == 1

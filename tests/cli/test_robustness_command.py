"""``xstilts robustness`` and perturbed evaluation from the command line, on generated rows."""

from __future__ import annotations

import json

import pytest

STUDY = """\
name: noisy
models: [micro]
intermediate: [none, "ccg[16]"]
targets: ["xnli[16]"]
perturbations: [keyboard@0.5, bidi@0.5]
attacks: [greedy]
source: microworld
recipe: demo
options: {max_eval_rows: 8, max_steps: 1, attack_rows: 3}
"""


@pytest.mark.slow
def test_a_study_from_run_to_answer(cli, tmp_path):
    file = tmp_path / "noisy.yaml"
    file.write_text(STUDY)
    store = ("--store", tmp_path / "store")
    ran = cli("run", file, "--json", "--threads", 1, *store)
    document = json.loads(ran.out)
    assert {row["perturbation"] for row in document["perturbed"]} == {"keyboard@0.5", "bidi@0.5"}
    assert all("perturbation" not in row for row in document["scores"])
    assert any(what.startswith("xnli ~bidi in") for what in document["refused"])
    found = json.loads(cli("robustness", file, "--json", *store).out)
    assert found["unfinished"] == 0
    assert {"mean", "target", "perturbation", "script", "language"} <= {
        one["over"] for one in found["interactions"]
    }
    out = cli("robustness", file, *store).out
    assert "sub-words changed" in out
    assert "not judged: one seed" in out or "no headroom" in out
    assert "perturbed: keyboard@0.5 bidi@0.5" in cli("plan", file, *store).out
    file.write_text(STUDY.replace("none, ", ""))
    alone = cli("robustness", file, *store).out
    assert 'no baseline: give "xnli[16]" beside "ccg[16] > xnli[16]"' in alone


def test_a_study_without_noise_says_what_to_add(cli, tmp_path):
    file = tmp_path / "quiet.yaml"
    file.write_text("name: quiet\ntargets: [tatoeba]\n")
    ended = cli("robustness", file)
    assert ended.code == 2
    assert 'add some, as in "perturbations: [keyboard@0.1]"' in ended.err

"""Pretraining files: what is read, and what is refused with which words."""

from __future__ import annotations

from pathlib import Path

import pytest

from xstilts import pretraining
from xstilts.errors import UserError


def test_a_file_is_read_and_the_rest_has_defaults(tmp_path):
    path = tmp_path / "mini.yaml"
    path.write_text("name: mini\nmodel: {hidden_size: 384, hidden_act: relu}\nsteps: 5\n")
    config = pretraining.load(path)
    assert (config.name, config.steps, config.alpha) == ("mini", 5, 0.5)
    assert config.model.model_dump()["hidden_act"] == "relu"  # the architecture's own keys pass


def test_spans_alone_is_said_in_one_word(tmp_path):
    path = tmp_path / "t5.yaml"
    path.write_text("name: t5\nmodel: {model_type: t5}\nobjectives: {spans: 1}\n")
    objectives = pretraining.load(path).objectives
    assert (objectives.mlm, objectives.spans) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: a\nstep: 5\n", ', line 2, step: unknown key; did you mean "steps"?'),
        (
            "name: a\ntokenizer: {vocab: 9}\n",
            ', line 2, tokenizer.vocab: unknown key; did you mean "vocabulary"?',
        ),
        ("name: a\nsteps: 0\n", ", line 2, steps: found 0, expected 1 or more"),
        ("name: a\nobjectives: {mlm: 0.5}\n", ", line 2, objectives: shares sum to 0.5, not to 1"),
        ("name: a\nobjectives: {spans: 0.5, mlm: 0.5}\n", "spans is the only objective of"),
        ("name: a\nobjectives: {spans: 1}\n", "xlm-roberta: spans is for an encoder-decoder"),
        ("name: a\nmodel: {model_type: mt5}\n", "and other objectives are for encoders"),
        ("name: a\nsteps: 1\nsteps: 2\n", ", line 3, steps: stands twice, first in line 2"),
        ("steps: 1\n", ": found no name; it needs one"),
        ("- a\n", ": found - a, expected keys and values"),
        ("name: [\n", ", line 2: not YAML: "),
        ("name: 2001-99-99\n", ": not YAML: month must be in 1..12"),  # what YAML takes for a date
        ("[" * 2000, ": not YAML: "),
    ],
)
def test_what_is_wrong_is_said_in_one_line(tmp_path, text, message):
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    with pytest.raises(UserError) as caught:
        pretraining.load(path)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_files_of_this_project_are_sound():
    files = (Path(__file__).parents[1] / "studies" / "pretraining").glob("*.yaml")
    names = {pretraining.load(one).name for one in files if one.stem != "sanity"}  # a study
    assert {"t5-nano", "t5-micro", "t5-tiny", "t5-mini"} <= names


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"none\.yaml"):
        pretraining.load(tmp_path / "none.yaml")

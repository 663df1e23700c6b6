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
        ("name: a\nstep: 5\n", 'unknown key step; did you mean "steps"?'),
        (
            "name: a\ntokenizer: {vocab: 9}\n",
            "unknown key tokenizer.vocab; did you mean",
        ),
        ("name: a\nsteps: 0\n", "steps: found 0: "),
        ("name: a\nobjectives: {mlm: 0.5}\n", "shares sum to 0.5, not to 1"),
        ("name: a\nobjectives: {spans: 0.5, mlm: 0.5}\n", "spans is the only objective of"),
        ("name: a\nobjectives: {spans: 1}\n", "xlm-roberta: spans is for an encoder-decoder"),
        ("name: a\nmodel: {model_type: mt5}\n", "and other objectives are for encoders"),
        ("steps: 1\n", "name: found"),
        ("- a\n", 'not a mapping of keys such as "name: mini"'),
        ("name: [\n", "cannot read"),
        ("name: 2001-99-99\n", "cannot read"),  # what YAML takes for a date
        ("[" * 2000, "cannot read"),
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

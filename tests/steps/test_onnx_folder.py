"""Exported folders answer as torch does, in every format, by onnxruntime alone."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

import small_tasks
from steps.runs import trained
from xstilts import formats
from xstilts.errors import UserError
from xstilts.formats import Limits
from xstilts.steps import onnx, onnx_folder
from xstilts.study import Options

pytest.importorskip("onnxscript")
pytest.importorskip("onnxruntime")
LIMITS = Limits(64, 8, 16)
HEADS = {
    "s_xnli": "s_nli",
    "s_choice": "s_choice",
    "s_tags": "s_tags",
    "s_xquad": "s_squad",
    "s_tatoeba": None,
}


@pytest.fixture(scope="module")
def stage(small, calm, tmp_path_factory):
    """A stage with a head for every format."""
    path = "s_nli + s_choice + s_tags + s_squad | s_xnli"
    inputs = small_tasks.train_inputs(small, calm, path, options=Options(max_steps=20))
    return trained(small, calm, tmp_path_factory.mktemp("stage") / "out", inputs)[1]


def rows_of(small, name):
    desk = small_tasks.desk(small)
    task = desk.catalogue.get(name)
    data = desk.catalogue.data(name, "files")
    codes = task.languages[:2]
    return task, desk, {c: desk.sources.examples(task, data, "evaluate", c)[:5] for c in codes}


@pytest.mark.slow
@pytest.mark.parametrize("name", HEADS)
def test_a_folder_answers_as_torch_does(name, small, stage, tmp_path, monkeypatch, capsys):
    task, desk, rows = rows_of(small, name)
    checked = onnx_folder.export(stage, HEADS[name], task, rows, LIMITS, tmp_path, desk)
    assert checked.largest_difference < 1e-4
    assert checked.agreement == pytest.approx(1.0, abs=1e-5)
    about = json.loads((tmp_path / "serving.json").read_text())
    assert about["labels"] == list(task.labels)
    assert {"model.onnx", "tokenizer.json", "README.md"} <= {p.name for p in tmp_path.iterdir()}
    # The guide's own lines, on one of the rows, with nothing of ours.
    (code,) = re.findall(r"```python\n(.*?)```", (tmp_path / "README.md").read_text(), re.DOTALL)
    assert "xstilts" not in code
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "README.md", "exec"), {})
    assert capsys.readouterr().out.strip()
    if name == "s_xnli":
        row = rows["en"][0]
        text = code.replace('"A man eats.", "Somebody eats."', f"{row.text_a!r}, {row.text_b!r}")
        exec(compile(text, "README.md", "exec"), {})
        usual = onnx_folder.server(
            (loaded := onnx_folder.checkpoint.load(stage)),
            onnx_folder.checkpoint.load_head(stage, "s_nli", loaded[0])[0].eval(),
            task.format,
            onnx_folder.Serving(),
            desk,
        )
        encoded = formats.encode(task, [row], loaded[1].backend, LIMITS)
        best = task.labels[int(usual.outputs(encoded)[0].argmax())]
        assert capsys.readouterr().out.strip() == str([best])


@pytest.mark.slow
def test_int8_is_smaller_and_nearly_the_same(small, stage, tmp_path):
    task, desk, rows = rows_of(small, "s_xnli")
    sizes = {}
    for int8 in (False, True):
        out = tmp_path / str(int8)
        out.mkdir()
        checked = onnx_folder.export(stage, "s_nli", task, rows, LIMITS, out, desk, int8=int8)
        sizes[int8] = (out / "model.onnx").stat().st_size
    assert sizes[True] < 0.8 * sizes[False]  # the graph itself is no smaller
    assert 0 < checked.largest_difference < 0.2
    assert json.loads((out / "serving.json").read_text())["precision"] == "int8"


def test_rows_are_padded_with_what_the_mask_leaves_out():
    ids, mask, types = onnx.padded_arrays(
        [np.array([5, 6, 7], np.int32), np.array([8], np.int32)],
        [np.array([0, 0, 1], np.int8), np.array([0], np.int8)],
        pad_id=1,
    )
    assert ids.tolist() == [[5, 6, 7], [8, 1, 1]]
    assert mask.tolist() == [[1, 1, 1], [1, 0, 0]]
    assert types.tolist() == [[0, 0, 1], [0, 0, 0]]


def test_an_export_that_differs_from_torch_is_refused(small, stage, tmp_path, monkeypatch):
    """As one whose weights are not the stage's."""
    task, desk, rows = rows_of(small, "s_xnli")

    class Wrong:
        inputs = ("input_ids", "attention_mask")

        def __init__(self, *_):
            pass

        def __call__(self, ids, mask, types=None):
            return np.ones((len(ids), 3), np.float32)

    monkeypatch.setattr(onnx, "write", lambda *_, **__: None)
    monkeypatch.setattr(onnx, "Session", Wrong)
    with pytest.raises(
        UserError, match=r"differs from torch by \S+ on real rows, more than 0\.0001"
    ):
        onnx_folder.export(stage, "s_nli", task, rows, LIMITS, tmp_path, desk)

"""A rehearsal does each kind of a plan's work once, and leaves nothing but encoded rows."""

from __future__ import annotations

import pytest

import small_tasks
import tiny_encoder
from xstilts import forecast, rehearsal
from xstilts.engines.groups import remaining
from xstilts.errors import UserError
from xstilts.plan.graph import Step
from xstilts.study import Options


class Silent:
    def __getattr__(self, name):
        return lambda *_: None


@pytest.fixture
def several(small, tiny, tmp_path):
    """Two seeds of three paths: two kinds of stages, whatever was trained before them."""
    plan = small_tasks.plan(
        *(small, tiny, "s_nli > s_xnli", "s_squad > s_xnli", "s_nli | s_tatoeba"),
        seeds=(1, 2),
        options=Options(max_steps=7),
    )
    bench = small_tasks.bench(small, tmp_path / "store")
    steps = remaining(plan, bench.store)
    return plan, steps, bench, lambda _: 7


def test_each_kind_is_done_once(several):
    plan, steps, *_ = several
    stages = {rehearsal.stage_kind(plan, one) for one in steps if one.kind == "train"}
    assert len(stages) == 2  # the third stage is the first one after another parent
    found = rehearsal.rehearse(*several, Silent())
    assert found.stages.keys() == stages
    kinds = {rehearsal.prediction_kind(plan, one) for one in steps if one.kind == "predict"}
    assert found.predictions.keys() == kinds
    assert len(kinds) == 2  # XNLI's and Tatoeba's
    for pace in found.stages.values():
        assert 0 < pace.token_s < 1
        assert pace.select_s == 0
        assert pace.beside_s > 0
        assert pace.weight_bytes > 1000
    assert all(one.token_s > 0 and one.row_s == 0 for one in found.predictions.values())
    assert found.write_s > 0
    assert found.peak_bytes > 50 * 2**20


def test_what_only_predictions_are_left_of_is_rehearsed_as_shortly(several, monkeypatch):
    """A stage that is finished stands for its head by a few steps, too."""
    plan, steps, bench, _ = several
    left = [one for one in steps if one.kind != "train"]
    took = []
    made = rehearsal._stage_pace
    monkeypatch.setattr(rehearsal, "_stage_pace", lambda *a: took.append(len(a[2])) or made(*a))
    found = rehearsal.rehearse(plan, left, bench, lambda _: 7, Silent())
    assert took == [rehearsal.STEPS]
    assert len(found.predictions) == 2


def test_attacks_are_rehearsed_on_few_rows(small, tiny, tmp_path, monkeypatch):
    """Both models are attacked alike, so once is enough; what was found on one is only read."""
    plan = small_tasks.plan(
        *(small, tiny, "s_xnli", "s_nli > s_xnli"),
        attacks=("greedy",),
        options=Options(max_steps=3, attack_rows=12),
    )
    bench = small_tasks.bench(small, tmp_path / "store")
    steps = remaining(plan, bench.store)
    of = {"attack": [], "found_on": [], "plain": []}
    for one in steps:
        if one.kind == "predict":
            found_on = "found_on" in one.inputs
            of["found_on" if found_on else "attack" if "attack" in one.inputs else "plain"] += [one]
    assert all(of.values())
    kinds = {name: {rehearsal.prediction_kind(plan, one) for one in of[name]} for name in of}
    asked = []
    add = rehearsal.Plan.add
    monkeypatch.setattr(
        rehearsal.Plan, "add", lambda self, step: asked.append(step.inputs) or add(self, step)
    )
    found = rehearsal.rehearse(plan, steps, bench, lambda _: 3, Silent())
    assert {one["attack"]["rows"] for one in asked if "attack" in one} == {rehearsal.ATTACKED}
    assert not [one for one in asked if "found_on" in one]
    attacked = kinds["attack"] - kinds["found_on"]
    assert len(attacked) == 1
    assert found.predictions.keys() == attacked | kinds["plain"]
    pace = found.predictions[attacked.pop()]
    assert pace.token_s + pace.row_s > 0
    assert forecast.forecast(plan, steps, bench, Silent()).seconds > 0


def test_nothing_of_it_stays(several):
    _, _, bench, _ = several
    rehearsal.rehearse(*several, Silent())
    assert [one.name for one in bench.store.root.iterdir() if one.name != "tmp"] == ["encoded"]
    assert not [*bench.store.ls()]
    assert len(list((bench.store.root / "encoded").iterdir())) == 2  # the run finds them


def test_what_would_fail_is_said(several, monkeypatch):
    from xstilts.steps import train

    def fail(*_):
        raise UserError("loss is nan")

    monkeypatch.setattr(train, "train", fail)
    with pytest.raises(UserError, match=r"train s_nli \(seed 1\) cannot be rehearsed: loss is nan"):
        rehearsal.rehearse(*several, Silent())


def test_what_is_written_as_text_has_its_pace(small, tmp_path):
    folder = tmp_path / "mt5"
    folder.mkdir()
    mt5 = tiny_encoder.make(folder, small_tasks.texts(), vocabulary=250, architecture="mt5")
    recipe = small_tasks.recipe(text2text=True)
    plan = small_tasks.plan(
        *(small, mt5, "s_nli > s_xnli"), recipe=recipe, options=Options(max_steps=3)
    )
    bench = small_tasks.bench(small, tmp_path / "store")
    steps = remaining(plan, bench.store)
    cost = forecast.forecast(plan, steps, bench, Silent())
    assert cost.optimiser_steps == 6
    assert cost.seconds > 0


def test_the_pace_of_a_stage_is_that_of_its_steps(several, tmp_path):
    """Steps of 10 tokens take 1 s, the first one 5 s more; a look takes 7 s, all else 4 s."""
    _, steps, bench, _ = several
    train = next(one for one in steps if one.kind == "train")
    moments = [(106.0, 10), (107.0, 20), (108.0, 30), (116.0, 40)]
    selecting = Step.of(
        "train",
        {**train.inputs, "selection": ["rows"]},
        "",
        train.label,
    )
    pace = rehearsal._stage_pace(selecting, 4 + 6 + 1 + 1 + 8, moments, bench.store)
    assert pace.token_s == pytest.approx(0.1)
    assert pace.select_s == pytest.approx(7.0)
    assert pace.beside_s == pytest.approx(4 + 5)

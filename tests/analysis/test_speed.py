"""What measurements say: comparisons, wall times, the frontier, and how they are shown."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import small_tasks
from analysis import measured
from xstilts.analysis import frontier, speed
from xstilts.engines.local import LocalEngine
from xstilts.report.sections import speed as section
from xstilts.scenario import Measure
from xstilts.steps import measure
from xstilts.study import Options
from xstilts.tasks import Catalogue

MEASURE = Measure(
    scenarios=("singlestream", "server"),
    frontier=("s_xnli",),
    variants=("drop=1", "vocabulary", "max_length=8"),
)


class Told:
    """Nobody watches."""

    def __getattr__(self, name):
        return lambda *_: None


@pytest.fixture(scope="module")
def study(small, calm_model, tmp_path_factory):
    """A plan whose training, predictions and scores are real, and whose times are made up."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measure, "_isolated", measured.isolated_process)
        plan = small_tasks.plan(
            small,
            calm_model,
            intermediate=("none", "s_tags"),
            targets=("s_xnli",),
            options=Options(max_steps=2),
            measure=MEASURE,
        )
        bench = small_tasks.bench(small, tmp_path_factory.mktemp("speed"))
        assert not LocalEngine().run(plan, bench, Told()).failures
    return plan, bench.store, Catalogue(small_tasks.tasks(small))


@pytest.fixture(scope="module")
def calm_model(tiny):
    return tiny


def test_baseline_and_intermediate_are_measured_in_one_step(study):
    plan, store, _ = study
    stream, server = speed.measurements(plan, store)
    assert (stream.measured.path, stream.measured.against) == ("s_xnli", "s_tags > s_xnli")
    assert stream.verdict.startswith("as fast, within 2.0 %: ")
    assert stream.same.pairs == stream.other.pairs == measured.ROUNDS
    assert server.queries_per_s == {"A": 10.0, "B": 10.0}
    assert server.verdict == ""
    assert stream.memory_bytes == {"A": 200, "B": 200}
    step = plan.steps[stream.measured.step]
    assert step.needs == tuple(side["weights"] for side in step.inputs["sides"])


def test_every_language_has_its_own_times(study):
    plan, store, _ = study
    timings = speed.measurements(plan, store)[0].timings
    both = {(one.side, one.language): one for one in timings}
    assert set(both) == {(s, c) for s in "AB" for c in ("", *small_tasks.LANGUAGES)}
    one = both["B", "de"]
    assert one.queries == measured.ROUNDS // 3
    assert one.ms_per_example == pytest.approx(1000, rel=0.01)
    assert one.ms_per_token == pytest.approx(100, rel=0.01)
    assert (one.tokens_per_example, one.characters_per_token) == (10, 4)
    assert one.forward_ms == pytest.approx(8 * one.tokenise_ms) == pytest.approx(8 * one.post_ms)
    assert one.characters_per_s == pytest.approx(40 * one.examples_per_s)
    assert both["A", ""].queries == 2 * measured.ROUNDS  # it answered twice


def test_the_measurement_of_another_machine_is_found_too(study):
    plan, store, _ = study
    elsewhere = replace(plan, steps=dict(plan.steps), measured=plan.measured[:1])
    step = plan.steps[plan.measured[0].step]
    other = replace(step, id="0" * 20, inputs={**step.inputs, "hardware": "another"})
    elsewhere.steps[other.id] = other
    elsewhere.measured = [replace(plan.measured[0], step=other.id)]
    (found,) = speed.measurements(elsewhere, store)
    assert found.hardware == step.inputs["hardware"]


def test_the_evaluation_is_timed_by_what_predict_steps_recorded(study):
    plan, store, _ = study
    found = speed.suite(plan, store)
    assert [one.path for one in found] == ["s_xnli", "s_tags > s_xnli"]
    for one in found:
        assert one.examples == small_tasks.TEST_ROWS * 3
        assert one.tokens > one.examples
        assert one.seconds == pytest.approx(sum(one.by_language.values()))
        assert one.row()["examples_per_s"] == pytest.approx(one.examples / one.seconds)


def test_the_frontier_has_every_way_with_quality_time_and_memory(study):
    plan, store, catalogue = study
    points = {one.variant.serve: one for one in frontier.frontier(plan, store, catalogue)}
    assert list(points) == ["torch", *MEASURE.variants]
    base, dropped = points["torch"], points["drop=1"]
    assert base.relative_time == 1.0
    assert base.loss is None
    assert dropped.relative_time == pytest.approx(0.8, abs=0.01)
    assert dropped.time.answer == "faster"
    assert dropped.memory == 0.5
    assert set(dropped.by_language) == set(small_tasks.LANGUAGES)
    assert dropped.loss.value == pytest.approx(np.mean(list(dropped.by_language.values())))
    # Small tasks are in these scripts: nothing that is read was left out.
    assert points["vocabulary"].score == pytest.approx(base.score)
    assert dropped.efficient  # the only one that is faster
    assert all(one.quiet for one in points.values())


def point(time, score):
    variant = type("V", (), {"serve": f"{time}", "base": "1.0"})()
    ratio = None if time == 1.0 else type("R", (), {"value": time})()
    return frontier.Point(variant, score, None, {}, ratio, None, None)


def test_what_another_way_beats_is_not_on_the_frontier():
    points = [point(*p) for p in ((1.0, 0.8), (0.5, 0.7), (0.6, 0.6), (0.5, 0.65), (1.2, 0.8))]
    assert [frontier._efficient(one, points) for one in points] == [True, True, False, False, False]


def test_tables_and_chart_show_it(study):
    alt = pytest.importorskip("altair")
    plan, store, catalogue = study
    found = speed.measurements(plan, store)
    sheet = section.comparisons(found)
    assert len(sheet.rows) == 2
    assert all(len(row) == len(sheet.header) for row in sheet.rows)
    points = frontier.frontier(plan, store, catalogue)
    for made in (
        section.ways(points),
        section.losses(points),
        section.walls(speed.suite(plan, store)),
        section.languages(found),
    ):
        assert made.rows
        assert all(len(row) == len(made.header) for row in made.rows)
    drawn = section._draw(tuple(points), alt).to_dict()
    assert "drop=1" in str(drawn)


def test_too_few_rounds_compare_nothing():
    columns = {
        "side": np.array(["A", "A again"]),
        "round": np.array([0, 0]),
        **{name: np.ones(2) for name in ("tokenise_s", "forward_s", "post_s")},
    }
    assert speed.compare(columns, "A", "A again") is None
    assert speed.compare({}, "A", "B") is None


def test_how_much_is_written_and_how_fast_are_told_apart():
    """B writes twice as many tokens in twice the time: a token costs the same."""
    rounds = np.arange(40)
    lengths = 3 + rounds % 5
    sides = {"A": (1, 1.0), "A again": (1, 1.0), "B": (2, 2.0)}
    columns = {
        "round": np.tile(rounds, 3),
        "side": np.repeat(list(sides), 40),
        "examples": np.ones(120, int),
        "output_tokens": np.concatenate([more * lengths for more, _ in sides.values()]),
        "forward_s": np.concatenate([0.01 * longer * lengths for _, longer in sides.values()]),
    }
    found = speed._writing(columns)
    assert found.tokens == pytest.approx({"A": 5.0, "B": 10.0})
    assert found.ms_per_token == pytest.approx({"A": 10.0, "B": 10.0})
    assert found.length.value == pytest.approx(2.0)
    assert found.pace.value == pytest.approx(1.0)
    assert str(found).endswith(
        "outputs of B are +100.0 % [+100.0 %, +100.0 %] longer, "
        "a token of them takes +0.0 % [+0.0 %, +0.0 %] more"
    )

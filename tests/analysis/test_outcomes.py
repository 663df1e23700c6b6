"""From the store to arrays and tables: nothing is lost or mixed up on the way."""

from __future__ import annotations

import subprocess
import sys
from collections import defaultdict
from statistics import mean

import numpy as np
import pytest
from pyarrow import parquet

from analysis import simulator
from xstilts import metrics
from xstilts.analysis import power
from xstilts.analysis.gains import Gains
from xstilts.analysis.outcomes import _aligned, load
from xstilts.errors import UserError
from xstilts.report.rows import score_rows
from xstilts.store import Store


def outcome(results, path):
    (found,) = [one for one in results.outcomes() if one.path == path]
    return found


def test_observed_values_are_the_scores(results):
    rows = score_rows(results.plan, results.store)
    by_place = defaultdict(list)
    for row in rows:
        name = row["metric"]
        if row["main"] and name in results.catalogue.get(row["target"]).main_metrics:
            by_place[row["path"], row["seed"], row["language"]].append(row["value"])
    found = {
        (one.path, seed, code): one.values[number, place, 0]
        for one in results.outcomes()
        for number, seed in enumerate(one.seeds or (None,))
        for place, code in enumerate(one.languages)
    }
    assert found == {place: pytest.approx(mean(values)) for place, values in by_place.items()}


def test_an_outcome_says_what_it_is(results):
    xnli, constant = outcome(results, "s_squad > s_xnli"), outcome(results, "s_tatoeba")
    assert (xnli.seeds, xnli.languages, xnli.trained_on) == ((1, 2), ("en", "de", "ru"), "s_nli")
    assert xnli.values.shape == (2, 3, 1000)
    assert xnli.groups == 6  # twelve rows, two a group, the same in every language
    assert (constant.seeds, constant.trained_on, constant.chance) == (None, None, None)
    assert all(0 <= score <= 1 for score in xnli.selected)
    assert constant.selected is None
    assert results.outcomes().max_steps == 2
    assert results.outcomes().unfinished == 0


def test_resamples_are_the_same_draws_for_every_condition(results):
    """Where two conditions predict alike, they do so in every resample."""
    one, two = outcome(results, "s_xnli"), outcome(results, "s_squad > s_xnli")
    same = np.flatnonzero(
        [(a == b).all() for a, b in zip(one.values[0], two.values[0], strict=True)]
    )
    equal = np.flatnonzero(one.values[0, :, 0] == two.values[0, :, 0])
    assert set(same) <= set(equal)
    again = load(results.plan, results.store, results.catalogue)
    np.testing.assert_array_equal(again.all[0].values, results.outcomes().all[0].values)


def test_counts_beside_a_score_sum_to_it(results):
    for cell in results.plan.cells:
        step = results.store.open(cell.score)
        counts = parquet.read_table(step.path("counts.parquet")).to_pylist()
        for score in step.record["result"]:
            mine = [row for row in counts if row["metric"] == score["metric"]]
            if score["main"]:
                assert sum(row["units"] for row in mine) == score["n"]
                sums = np.sum([row["counts"] for row in mine], axis=0).tolist()
                value = metrics.get(score["metric"]).value(sums)
                assert value == pytest.approx(score["value"])


def test_gains_of_a_study_that_ran(results):
    gains = Gains(results.outcomes())
    assert gains.intermediates == ("s_squad", "s_nli")
    found = {(g.intermediate, g.name): g for g in gains.all() if g.over == "target"}
    assert set(found) == {("s_squad", "s_xnli"), ("s_squad", "s_tags"), ("s_nli", "s_tatoeba")}
    two = [outcome(results, path).values[:, :, 0].mean() for path in ("s_squad > s_tags", "s_tags")]
    assert found["s_squad", "s_tags"].estimate.value == pytest.approx(two[0] - two[1])


def test_an_unfinished_run_is_left_out_and_counted(results, tmp_path):
    store = Store(tmp_path / "store")
    with pytest.raises(UserError, match="nothing of it is finished"):
        load(results.plan, store, results.catalogue)
    missing = next(cell for cell in results.plan.cells if cell.target == "s_xnli")

    class Half:
        root = store.root

        def has(self, step_id):
            return step_id != missing.score and results.store.has(step_id)

        def __getattr__(self, name):
            return getattr(results.store, name)

    found = load(results.plan, Half(), results.catalogue)
    assert found.unfinished == 3
    assert next(one for one in found if one.path == missing.path).seeds == (2,)


def test_seeds_needed_come_from_the_pilot_with_their_cost(results):
    found = power.detect(1.0, results.plan, results.store, results.catalogue)
    assert "2 finished intermediates with 2 seeds" in found.basis
    seconds = power.seconds_per_seed(results.plan, results.store)
    assert seconds > 0
    if found.seeds:
        assert found.device_hours == pytest.approx(found.seeds * seconds / 3600)


def test_seeds_needed_fall_with_the_difference():
    few, many = (power.needed(points, power.ASSUMED) for points in (4.0, 1.2))
    assert few.seeds < many.seeds
    assert few.points <= 4.0
    assert "assumed" in few.basis
    # 0.4 points over items alone: 2.8 standard errors are more than half a point at any seeds.
    assert power.needed(0.5, power.ASSUMED).seeds is None


def test_a_run_that_did_not_learn_is_no_measure_of_the_seeds():
    gains = {"csqa": 1.0, "qqp": 0.5, "hellaswag": 0.0}
    calm = power.pilot(Gains(simulator.study(gains)))
    fell = simulator.study(gains, collapsed=[("csqa", "xnli", 2)])
    assert power.pilot(Gains(fell)).run < 4 * calm.run


def test_a_difference_to_detect_is_above_zero(results):
    with pytest.raises(UserError, match="--detect 0: a difference in points above 0"):
        power.detect(0, results.plan, results.store, results.catalogue)


def test_tables_for_python(results):
    pandas = pytest.importorskip("pandas")
    scores = results.scores()
    assert isinstance(scores, pandas.DataFrame)
    assert len(scores) == len(score_rows(results.plan, results.store))
    assert {"s_squad", "s_nli"} == set(results.gains()["intermediate"])
    predictions = results.predictions()
    assert {"model", "path", "seed", "target", "language", "id", "group", "gold"} <= set(
        predictions
    )
    xnli = predictions.query("path == 's_xnli' and seed == 1 and language == 'de'")
    share = (xnli["gold"] == xnli["prediction"]).mean()
    score = scores.query("path == 's_xnli' and seed == 1 and language == 'de'")["value"].item()
    assert share == pytest.approx(score)
    assert set(results.claims()["direction"]) <= {
        "not run",
        "not testable",
        "supported",
        "inconclusive",
    }


def test_importing_xstilts_and_naming_run_loads_nothing_heavy():
    code = (
        "import sys, xstilts; xstilts.run; print('torch' in sys.modules, 'pandas' in sys.modules)"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.split() == ["False", "False"]


def test_pairs_that_one_run_alone_mined_count_nothing_in_the_others():
    """Sentences with a right or a mined partner are all there is of a run's mining."""
    mined = metrics.get("bitext_f1")
    units = [
        {"a": (["x"], ["x"]), "b": (["y"], [])},  # one right, one missed
        {"a": (["x"], ["x"]), "b": (["y"], ["y"]), "c": ([], ["z"])},  # and one too many
    ]
    runs = [
        (
            np.arange(len(one)),
            np.array([mined.counts({"gold": g, "prediction": p}, "de") for g, p in one.values()]),
        )
        for one in units
    ]
    found = _aligned(runs, "bucc2018", "de", sparse=mined.sparse)
    assert found.groups.tolist() == [0, 1, 2]
    values = mined.value(tuple(found.sums.sum(0).T))
    np.testing.assert_allclose(values, [2 / 3, 4 / 5])
    with pytest.raises(UserError, match=r"different rows \(2 and 3 groups\)"):
        _aligned(runs, "xnli", "de", sparse=metrics.get("accuracy").sparse)
    assert [m.name for m in metrics.METRICS.values() if m.sparse] == ["bitext_f1"]

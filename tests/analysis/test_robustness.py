"""Interactions and attacks, computed a second time by hand from scores and predictions."""

from __future__ import annotations

import json
import math
import shutil
from collections import defaultdict
from dataclasses import replace
from functools import partial
from statistics import mean

import numpy as np
import pytest
from pyarrow import parquet

import small_tasks
from small_tasks import NLI_LABELS, TAGS
from xstilts.analysis import outcomes
from xstilts.analysis.attacked import attacked
from xstilts.analysis.draws import Draws, logit
from xstilts.analysis.estimate import estimate
from xstilts.analysis.robustness import Robustness, _headroom, _line
from xstilts.engines import Silent
from xstilts.engines.local import LocalEngine
from xstilts.formats.examples import Pair, Tagged
from xstilts.identity import stream_seed
from xstilts.report.rows import score_rows
from xstilts.session import Results
from xstilts.steps import PREDICTIONS, predict
from xstilts.store import Store
from xstilts.tasks import Catalogue

NOISE, OTHER, DOUBTFUL = "keyboard@0.3", "case@1", "word_drop@0.3"


ABOUT = {"versions": {}, "device": "cpu", "threads": 1, "seconds": 1.0}
# How often a run is right: after the intermediate task noise costs 20 points more.
SHARES = {("base", ""): 0.8, ("base", NOISE): 0.7, ("own", ""): 0.8, ("own", NOISE): 0.5}


class Ran:
    """A study whose predictions were made up, with known shares of right answers."""

    def __init__(self, folder, model, root):
        small_tasks.write(folder, test_rows=90)
        self.plan = small_tasks.plan(
            *(folder, model, "s_xnli", "s_choice > s_xnli", "s_tags", "s_choice > s_tags"),
            *("s_tatoeba", "s_choice > s_tatoeba"),
            seeds=(1, 2, 3),
            perturbations=(NOISE, OTHER, DOUBTFUL),
            attacks=("greedy",),
            options={"attack_rows": 30},
        )
        self.store, self.catalogue = Store(root), Catalogue(small_tasks.tasks(folder))
        self.bench = small_tasks.bench(folder, root)
        for cell in [*self.plan.cells, *self.plan.perturbed]:
            side = "own" if ">" in cell.path else "base"
            share = SHARES.get((side, cell.perturbation), 0.6)
            step = self.plan.steps[self.plan.steps[cell.score].parent]
            self.keep(step, [*self.predictions(step, f"{cell.path} {cell.seed}", share)])
        for one in self.plan.attacks:
            self.keep(self.plan.steps[one.step], [*self.worst_cases(one)])
        ended = LocalEngine().run(self.plan, self.bench, Silent())
        assert not ended.failures
        assert {self.plan.steps[one].kind for one in ended.done} == {"score"}
        self.outcomes = outcomes.load(self.plan, self.store, self.catalogue, perturbed=True)
        self.found = Robustness(self.outcomes, self.plan, self.store, self.catalogue)
        self.lines = self.found.all()

    def examples(self, inputs):
        task = self.catalogue.get(inputs["task"])
        data = self.catalogue.data(task.name, "files")
        return self.bench.sources.examples(task, data, "evaluate", inputs["language"])

    def predictions(self, step, run, share):
        noisy = {"subwords": 10, "changed": 3} if "perturbation" in step.inputs else {}
        for one in self.examples(step.inputs):
            about = {"id": one.id, "group": one.group, **noisy}
            luck = partial(_luck, run, step.inputs["language"], one.id)
            match one:
                case Pair():
                    prediction = one.label if luck() < share else _other(one.label, NLI_LABELS)
                    yield {**about, "gold": one.label, "prediction": prediction}
                case Tagged():
                    tags = [
                        tag if luck(n) < share else _other(tag, TAGS)
                        for n, tag in enumerate(one.tags)
                    ]
                    yield {**about, "gold": list(one.tags), "prediction": tags}
                case _:
                    ids = [one.id, "x"] if luck() < share else ["x", one.id]
                    for layer in range(3):
                        yield {**about, "layer": layer, "gold": one.id, "prediction": ids}

    def worst_cases(self, one):
        step = self.plan.steps[one.step]
        names = self.examples(step.inputs)[: step.inputs["attack"]["rows"]]
        for example in names:
            wrong = _other(example.label, NLI_LABELS)
            clean = _luck("clean", one.path, one.seed, one.language, example.id) < 0.8
            falls = _luck("worst", one.path, one.found_on, one.seed, example.id) < 0.5
            yield {
                "id": example.id,
                "group": example.group,
                "gold": example.label,
                "queries": 9,
                "clean_prediction": example.label if clean else wrong,
                "prediction": example.label if clean and not falls else wrong,
            }

    def keep(self, step, rows):
        if self.store.has(step.id):
            return  # a constant, of every path alike
        with self.store.writing(step.id) as folder:
            made = {"inputs": dict(step.inputs), "result": predict.write(rows, folder)}
            record = {"kind": step.kind, "provenance": ABOUT, "evictable": [PREDICTIONS], **made}
            self.store.finish(step.id, folder, record)

    def rows(self, step):
        return parquet.read_table(self.store.open(step).path(PREDICTIONS)).to_pylist()


def _luck(*place):
    """A number from 0 to 1 for a run and an item; the same for clean and noisy rows."""
    return stream_seed(*map(str, place)) / 2**63


def _other(label, labels):
    return labels[(labels.index(label) + 1) % len(labels)]


@pytest.fixture(scope="module")
def ran(tiny, tmp_path_factory):
    return Ran(tmp_path_factory.mktemp("files"), tiny, tmp_path_factory.mktemp("noisy"))


def line(ran, over, name, noise=""):
    (found,) = [x for x in ran.lines if (x.over, x.name, x.perturbation) == (over, name, noise)]
    return found


def scores(ran):
    """(path, seed, target, language, noise) -> the score that counts."""
    found = defaultdict(list)
    for cells, noise in ((ran.plan.cells, False), (ran.plan.perturbed, True)):
        for row in score_rows(ran.plan, ran.store, cells):
            main = ran.catalogue.get(row["target"]).main_metrics
            if row["main"] and row["metric"] in main:
                place = (row["path"], row["seed"], row["target"], row["language"])
                found[(*place, row["perturbation"] if noise else "")].append(row["value"])
    return {place: mean(values) for place, values in found.items()}


def test_nothing_perturbed_is_among_the_clean(ran):
    assert {cell.perturbation for cell in ran.plan.cells} == {""}
    assert {cell.perturbation for cell in ran.plan.perturbed} == {NOISE, OTHER, DOUBTFUL}
    assert not any(one.perturbation for one in ran.outcomes)
    plain = outcomes.load(ran.plan, ran.store, ran.catalogue)
    assert plain.perturbed == []
    for one, other in zip(plain, ran.outcomes, strict=True):
        assert np.array_equal(one.values, other.values)
    for row in score_rows(ran.plan, ran.store):
        assert "perturbation" not in row
    for row in score_rows(ran.plan, ran.store, ran.plan.perturbed):
        assert row["labels"] == (
            "possibly changing" if row["perturbation"] == DOUBTFUL else "preserving"
        )
        assert 0 <= row["changed_subwords"] <= 1


def test_what_would_change_labels_is_refused(ran):
    """By the table: dropping a word changes inference, and leaves no word to tag."""
    noisy = {cell.target for cell in ran.plan.perturbed if cell.perturbation == DOUBTFUL}
    assert noisy == {"s_tatoeba"}
    assert ran.plan.refused == {
        "s_xnli ~word_drop in en de ru": 'invalid: dropping "not" changes the label',
        "s_tags ~word_drop in en de ru": (
            "invalid: the words that are scored would no longer be the same"
        ),
        "s_tags attacks in en de ru": "attacks are on classification and multiple choice",
    }


@pytest.mark.parametrize("noise", [NOISE, OTHER])
def test_the_interaction_of_a_perturbation(ran, noise):
    """Unweighted over targets, each over its languages with headroom; the mean over seeds."""
    known, by_target = scores(ran), defaultdict(list)
    for cell in ran.found.cells:
        if cell.perturbation == noise and cell.headroom:
            own, base = f"s_choice > {cell.target}", cell.target
            for seed in (1, 2, 3):
                drops = [
                    known[path, s, cell.target, cell.language, ""]
                    - known[path, s, cell.target, cell.language, noise]
                    for path, s in ((own, seed), (base, None if base == "s_tatoeba" else seed))
                ]
                by_target[cell.target].append(drops[0] - drops[1])
    found = line(ran, "perturbation", noise.partition("@")[0], noise)
    assert found.points.value == pytest.approx(mean(map(mean, by_target.values())))
    assert found.points.low < found.points.value < found.points.high
    assert found.points.value == pytest.approx(found.own.value - found.baseline.value)
    assert found.points.seeds == 3


def test_a_planted_interaction_is_found(ran):
    """Noise costs 20 points more after the intermediate task, on every target."""
    found = line(ran, "perturbation", "keyboard", NOISE)
    assert found.points.low > 0
    assert found.points.value == pytest.approx(0.2, abs=0.03)
    assert (found.baseline.value, found.own.value) == (
        pytest.approx(0.1, abs=0.03),
        pytest.approx(0.3, abs=0.03),
    )
    # Of items that are right clean, whatever both get right is as right as the share says.
    assert found.both_right.value == pytest.approx(0.7 / 0.8 - 0.5 / 0.8, abs=0.05)
    by_hand = _logits(0.8, 0.5) - _logits(0.8, 0.7)
    assert found.logit.value == pytest.approx(by_hand, abs=0.2)
    assert found.changed_subwords == pytest.approx(0.3)
    none = line(ran, "perturbation", "case", OTHER)
    assert none.points.low < 0 < none.points.high


def _logits(one, other):
    return math.log(one / (1 - one)) - math.log(other / (1 - other))


def test_possibly_changing_is_in_no_mean(ran):
    headline = line(ran, "mean", "")
    each = [line(ran, "target", target) for target in ("s_xnli", "s_tags", "s_tatoeba")]
    assert {cell.perturbation for cell in ran.found.cells} == {NOISE, OTHER, DOUBTFUL}
    able = [one for one in each if one.points is not None]
    assert headline.points.value == pytest.approx(mean(one.points.value for one in able))
    sure = [c for c in ran.found.cells if c.labels == "preserving"]
    assert headline.cells + headline.without_headroom == len(sure) < len(ran.found.cells)
    assert line(ran, "perturbation", "word_drop", DOUBTFUL).labels == "possibly changing"


def test_on_items_that_both_get_right(ran):
    """Of one cell, from the predictions: what of them each gets wrong under noise."""
    wanted = [c for c in ran.found.cells if c.both_right is not None and c.target == "s_xnli"]
    by_place = {
        (c.path, c.seed, c.language, c.perturbation): ran.plan.steps[c.score].parent
        for c in [*ran.plan.cells, *ran.plan.perturbed]
        if c.target == "s_xnli"
    }
    for cell in wanted:
        for number, seed in enumerate((1, 2, 3)):
            right = {
                (path, noise): [
                    row["prediction"] == row["gold"]
                    for row in ran.rows(by_place[path, seed, cell.language, noise])
                ]
                for path in ("s_xnli", "s_choice > s_xnli")
                for noise in ("", cell.perturbation)
            }
            both = [
                a and b
                for a, b in zip(right["s_xnli", ""], right["s_choice > s_xnli", ""], strict=True)
            ]
            left = {
                path: sum(
                    b and r for b, r in zip(both, right[path, cell.perturbation], strict=True)
                )
                for path in ("s_xnli", "s_choice > s_xnli")
            }
            expected = (left["s_xnli"] - left["s_choice > s_xnli"]) / sum(both)
            assert cell.both_right.values[number, 0] == pytest.approx(expected)


def test_the_logit_scale():
    draws = Draws(np.array([[0.5, 0.75, 1.2, -0.1]]), (1,), 9)
    edge = math.log(0.05 / 0.95)
    assert logit(draws).values[0] == pytest.approx([0, math.log(3), -edge, edge])


def test_within_chance_there_is_no_headroom(ran):
    """Twelve rows, chance 0 in the small tasks: only what is never right has none."""
    for cell in ran.found.cells:
        pair = [
            one
            for one in ran.outcomes
            if one.target == cell.target and one.path in (cell.target, f"s_choice > {cell.target}")
        ]
        assert cell.headroom == all(_headroom(one, cell.language) for one in pair)
    one = replace(ran.outcomes.all[0], chance=0.99)
    assert not _headroom(one, one.languages[0])
    lost = [replace(cell, headroom=False) for cell in ran.found.cells[:2]]
    line = _line("m", "s_choice", lambda _: (), "mean", "", lost)
    assert (line.verdict, line.points, line.cells, line.without_headroom) == (
        "no headroom",
        None,
        0,
        2,
    )


def test_only_means_are_tested(ran):
    tested = [x for x in ran.lines if x.p is not None]
    assert [x.over for x in tested] == ["mean"]
    assert tested[0].verdict in ("not told apart", "more fragile", "more robust")
    assert json.loads(json.dumps([x.row() for x in ran.lines]))


# --- attacks -----------------------------------------------------------------------------------


def test_attacks_and_transfers_are_planned_both_ways(ran):
    found = {(a.path, a.found_on) for a in ran.plan.attacks}
    one, other = "s_xnli", "s_choice > s_xnli"
    assert found == {(one, one), (other, other), (one, other), (other, one)}
    assert len(ran.plan.attacks) == 4 * 3 * 3  # seeds, languages


def test_success_among_items_that_both_get_right(ran):
    (found,) = attacked(ran.plan, ran.store, ran.catalogue)
    steps = {(a.path, a.found_on, a.seed, a.language): a.step for a in ran.plan.attacks}
    one, other = "s_xnli", "s_choice > s_xnli"
    shares, sizes = defaultdict(list), []
    for seed in (1, 2, 3):
        for code in ("en", "de", "ru"):
            rows = {
                pair: ran.rows(steps[(*pair, seed, code)])
                for pair in ((one, one), (other, other), (other, one), (one, other))
            }
            assert len({tuple(r["id"] for r in mine) for mine in rows.values()}) == 1
            both = [
                a["clean_prediction"] == b["clean_prediction"] == a["gold"]
                for a, b in zip(rows[one, one], rows[other, other], strict=True)
            ]
            sizes.append(sum(both))
            for pair, mine in rows.items():
                fell = sum(
                    b and r["prediction"] != r["gold"] for b, r in zip(both, mine, strict=True)
                )
                shares[pair].append(fell / sum(both))
    assert found.items == pytest.approx(mean(sizes))
    assert found.baseline.value == pytest.approx(mean(shares[one, one]))
    assert found.own.value == pytest.approx(mean(shares[other, other]))
    assert found.from_baseline.value == pytest.approx(mean(shares[other, one]))
    assert found.from_own.value == pytest.approx(mean(shares[one, other]))
    assert found.interaction.value == pytest.approx(found.own.value - found.baseline.value)
    assert (found.languages, found.interaction.seeds) == (3, 3)


def test_a_second_run_does_nothing(ran):
    ended = LocalEngine().run(ran.plan, ran.bench, Silent())
    assert not ended.done


def test_drops_are_over_cells_that_count_for_every_intermediate(ran):
    drops = ran.found.drops()
    able = [c for c in ran.found.cells if c.labels == "preserving" and c.headroom and not c.flag]
    assert set(drops) == {(c.model, c.intermediate) for c in able}
    (place, found) = next(iter(drops.items()))
    mine = [c for c in able if (c.model, c.intermediate) == place]
    by_target = {}
    for cell in mine:
        noises = by_target.setdefault(cell.target, {})
        noises.setdefault(cell.perturbation, []).append(cell.own.values[:, 0].mean())
    whole = np.mean([np.mean([np.mean(v) for v in one.values()]) for one in by_target.values()])
    assert found.values[:, 0].mean() == pytest.approx(whole)


def test_worst_cases_as_a_table(ran):
    pytest.importorskip("pandas")
    frame = Results(ran.plan, ran.store, ran.catalogue).worst_cases()
    assert len(frame) == len(ran.plan.attacks) * 30
    assert {"path", "found_on", "search", "clean_prediction", "prediction"} <= {*frame.columns}
    assert len(Results(ran.plan, ran.store, ran.catalogue).predictions()) == sum(
        len(ran.rows(ran.plan.steps[cell.score].parent)) for cell in ran.plan.cells
    )


def copied(ran, folder):
    """The same study in a store of its own."""
    shutil.copytree(ran.store.root, folder)
    return Store(folder)


def asked(ran, store):
    found = outcomes.load(ran.plan, store, ran.catalogue, perturbed=True)
    return Robustness(found, ran.plan, store, ran.catalogue).all()


def test_noise_that_is_still_to_come_under_a_seed_leaves_that_seed_out(ran, tmp_path):
    store = copied(ran, tmp_path / "store")
    for cell in ran.plan.perturbed:
        if cell.seed == 3:
            predict_id = ran.plan.steps[cell.score].parent
            shutil.rmtree(store.folder(cell.score))
            shutil.rmtree(store.folder(predict_id), ignore_errors=True)
    lines = [one for one in asked(ran, store) if one.points is not None]
    trained = [one for one in lines if one.name in ("s_xnli", "s_tags")]
    assert trained
    assert all(one.points.seeds == 2 for one in trained)
    assert all(one.both_right.seeds == 2 for one in trained if one.both_right)


def test_scores_without_predictions_answer_all_but_what_items_are_needed_for(ran, tmp_path):
    store = copied(ran, tmp_path / "store")
    for step in ran.plan.steps.values():
        if step.kind == "predict":
            store.evict(step.id)
    lines = asked(ran, store)
    assert all(one.both_right is None for one in lines)
    assert [one.points for one in lines] == [one.points for one in ran.lines]
    assert attacked(ran.plan, store, ran.catalogue) == []


def test_the_verdict_is_of_the_runs_that_learnt(ran):
    """Two seeds say more fragile, and a third, which did not learn, says the opposite."""
    draws = Draws(np.array([[0.05] * 9, [0.06] * 9, [-0.6] * 9]), (1, 2, 3), 50)
    line = replace(ran.lines[0], over="mean", points=estimate(draws, (3,)), p=0.01)
    assert line.points.value < 0 < line.points.tested.value
    assert line.verdict == "more fragile"

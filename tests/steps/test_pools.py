"""Dual encoders and bitext mining, from rows of the microworld to prediction rows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from transformers import AutoModel, AutoTokenizer

import small_tasks
from steps.runs import Points
from xstilts import models
from xstilts import plan as planning
from xstilts.metrics import bitext
from xstilts.recipes import MINI
from xstilts.sources import Sources
from xstilts.steps import predict, train, variants
from xstilts.steps.desk import Desk
from xstilts.steps.mining import mine
from xstilts.study import Options, Study
from xstilts.tasks import TASKS, Catalogue

ROWS = 12
RECIPE = replace(
    MINI, batch=dict.fromkeys(MINI.batch, 4), max_length=dict.fromkeys(MINI.max_length, 48)
)


def fewer(task, codes):
    """The task with a few rows in some languages."""
    data = task.sources["microworld"]
    places = {
        name: replace(place, count=ROWS)
        for name in ("train", "select", "evaluate", "pool", "tune", "tune_pool")
        if (place := getattr(data, name)) is not None
    }
    pool = codes if data.pool_languages else ()
    changed = replace(data, **places, languages=codes, pool_languages=pool)
    return replace(task, sources={"microworld": changed})


@pytest.fixture(scope="module")
def catalogue():
    found = Catalogue()
    found._tasks["lareqa"] = fewer(TASKS["lareqa"], ("en", "de"))
    found._tasks["bucc2018"] = fewer(TASKS["bucc2018"], ("de", "ru"))
    return found


def plan(catalogue, model, path, recipe=RECIPE, **options):
    study = Study(name="a", paths=(path,), source="microworld", options=Options(**options))
    return planning.build(study, recipe, [models.find(str(model))], catalogue, Sources())


def jobs(found):
    return [step.inputs for step in found.steps.values() if step.kind == "predict"]


def predicted(found, folder, catalogue, **desk):
    given = jobs(found)
    at = Desk(catalogue=catalogue, sources=Sources(), **desk)
    made = predict.predict(given, (folder, None), at)
    return {given[number]["language"]: rows for number, rows in made}


def dual_encoder(found, model, out, catalogue, **desk):
    """The trained stage of a plan."""
    inputs = dict(next(s.inputs for s in found.steps.values() if s.kind == "train"))
    out.mkdir()
    at = Desk(catalogue=catalogue, sources=Sources(), checkpoint_seconds=1e9, **desk)
    return train.train(inputs, (model, None), out, Points(), at)


@pytest.fixture(scope="module")
def dual(catalogue, calm, tmp_path_factory):
    """A plan, and the folder of its trained stage."""
    found = plan(catalogue, calm, "lareqa", replace(RECIPE, select_every=2), max_steps=4)
    out = tmp_path_factory.mktemp("dual") / "out"
    result = dual_encoder(found, calm, out, catalogue)
    assert result["selected"]["score"] >= 0
    return found, out


def test_answers_are_ranked_as_by_brute_force(dual, catalogue):
    found, out = dual
    rows = predicted(found, out, catalogue)["de"]
    task = catalogue.get("lareqa")
    data = task.sources["microworld"]
    sources = Sources()
    pool = {
        f"{code}_{one.id}": one
        for code in ("en", "de")
        for one in sources.examples(task, data, "pool", code)
    }
    queries = sources.examples(task, data, "evaluate", "de")
    network, tok = AutoModel.from_pretrained(out).eval(), AutoTokenizer.from_pretrained(out)

    def embed(*texts):
        given = tok(*texts, return_tensors="pt", truncation=True, max_length=48)
        with torch.no_grad():
            first = network(**given).last_hidden_state[0, 0].numpy()
        return first / np.linalg.norm(first)

    index = np.stack([embed(*one.texts) for one in pool.values()])
    assert len(rows) == len(queries) == ROWS // 2
    for row, one in zip(rows, queries, strict=True):
        cosines = index @ embed(one.text)
        best = cosines[[list(pool).index(name) for name in row["prediction"]]]
        assert best == pytest.approx(np.sort(cosines)[::-1][: len(best)], abs=1e-5)
        # The sentence of the answer, in both languages.
        assert sorted(row["gold"]) == sorted(n for n, c in pool.items() if one.id in c.answers)
        assert [name[:3] for name in row["gold"]] == ["en_", "de_"]


def test_training_and_ranking_do_not_depend_on_the_token_budget(dual, catalogue, calm, tmp_path):
    """The softmax is over all answers of a step, however small the micro-batches may be."""
    found, out = dual
    dual_encoder(found, calm, tmp_path / "out", catalogue, token_budget=1)
    one, other = (
        predicted(found, folder, catalogue, token_budget=budget)
        for folder, budget in ((out, 4096), (tmp_path / "out", 1))
    )
    assert one == other


def test_pairs_are_mined_at_the_layers_that_are_scored(catalogue, calm):
    """On the tuning set at all three layers; then at the paper's and the best of them."""
    found = plan(catalogue, calm, "| bucc2018:de")
    rows = predicted(found, calm, catalogue)["de"]
    layers = {part: sorted({r["layer"] for r in rows if r["part"] == part}) for part in PARTS}
    assert layers["tune"] == [0, 1, 2]
    task = catalogue.get("bucc2018")
    data, sources = task.sources["microworld"], Sources()
    sides = {}
    for part, splits in (("tune", ("tune", "tune_pool")), ("evaluate", ("evaluate", "pool"))):
        sides[part] = [sources.examples(task, data, split, "de") for split in splits]
        assert [len(side) for side in sides[part]] == [ROWS * 2 // 3] * 2
    network, tok = AutoModel.from_pretrained(calm).eval(), AutoTokenizer.from_pretrained(calm)

    def means(texts):
        given = tok(texts, return_tensors="pt", padding=True, truncation=True, max_length=48)
        real = given["attention_mask"][..., None]
        with torch.no_grad():
            states = network(**given, output_hidden_states=True).hidden_states
        return [((layer * real).sum(1) / real.sum(1)).numpy() for layer in states]

    best = {}
    for part, (queries, pool) in sides.items():
        first, second = means([q.text for q in queries]), means([c.texts[0] for c in pool])
        for layer in layers[part]:
            expected = mine(
                *(first[layer], second[layer]),
                *({q.id: q.text for q in queries}, {c.id: c.texts[0] for c in pool}),
            )
            mined = {r["id"]: r for r in rows if (r["part"], r["layer"]) == (part, layer)}
            assert {c.source: c.target for c in expected} == {
                name: row["prediction"][0] for name, row in mined.items() if row["prediction"]
            }
            assert [mined[c.source]["margin"] for c in expected] == pytest.approx(
                [c.score for c in expected], abs=1e-4
            )
            gold = [(q.id, right) for q in queries for right in q.right]
            if part == "tune":
                threshold = bitext.best_threshold(expected, gold)
                extracted = set(bitext.extract(expected, threshold))
                right = len(extracted & set(gold))
                best[layer] = 2 * right / (len(extracted) + len(gold))
    chosen = min(best, key=lambda layer: (-best[layer], layer))
    assert layers["evaluate"] == sorted({1, chosen})
    bitext_f1 = variants.metrics.get("bitext_f1")
    flags = {v.layer: v.selected for v in variants.of(rows, bitext_f1, "de") if v.part == "tune"}
    assert [layer for layer, selected in flags.items() if selected] == [chosen]


PARTS = ("tune", "evaluate")


def test_a_cap_on_rows_is_one_on_queries(catalogue, calm):
    found = plan(catalogue, calm, "| bucc2018:de", max_eval_rows=3)
    rows = predicted(found, calm, catalogue)["de"]
    assert {row["id"] for row in rows if row["part"] == "evaluate"} <= {"0", "2", "3"}


def test_plans_name_the_pool_and_what_is_tuned_on(catalogue, calm):
    given = jobs(plan(catalogue, calm, "| bucc2018"))
    assert all(len(job["pool"]) == 1 and len(job["tune"]) == 2 for job in given)
    given = jobs(plan(catalogue, calm, "lareqa"))
    assert all(len(job["pool"]) == 2 and "tune" not in job for job in given)
    assert len({str(job["pool"]) for job in given}) == 1  # one pool for all languages


# --- rows to choose on beside translations and questions ----------------------------------------


def test_layers_are_chosen_on_translations_of_other_languages(small, calm, monkeypatch):
    from xstilts.steps import tuning

    monkeypatch.setattr(tuning, "LAYER_PAIRS", 5)
    tasks = {task.name: task for task in small_tasks.tasks(small)}
    task = tasks["s_tatoeba"]
    data = task.sources["files"]
    changed = replace(data, languages=("de",), tune=data.evaluate, tune_languages=("ru",))
    there = Catalogue([replace(task, sources={"files": changed})])
    study = Study(name="a", paths=("| s_tatoeba",), source="files")
    found = planning.build(study, small_tasks.RECIPE, [models.find(str(calm))], there, Sources())
    rows = predicted(found, calm, there)["de"]
    plain = small_tasks.plan(small, calm, "| s_tatoeba:de")
    alone = predicted(plain, calm, Catalogue(small_tasks.tasks(small)))["de"]
    assert [{**row, "part": "evaluate"} for row in alone] == rows[: len(alone)]
    assert all("part" not in row for row in alone)
    tuned = rows[len(alone) :]
    assert [row["id"] for row in tuned] == [f"ru:{n}" for n in range(5)] * 3  # of every layer
    assert {row["part"] for row in tuned} == {"tune"}


def test_where_tuning_rows_are_absent_nothing_is_chosen(small, calm):
    task = {task.name: task for task in small_tasks.tasks(small)}["s_tatoeba"]
    data = task.sources["files"]
    gone = replace(data.evaluate, path=f"{small}/nowhere-{{lang}}.txt")
    there = Catalogue([replace(task, sources={"files": replace(data, tune=gone)})])
    study = Study(name="a", paths=("| s_tatoeba:de",), source="files")
    found = planning.build(study, small_tasks.RECIPE, [models.find(str(calm))], there, Sources())
    assert [job["tune"] for job in jobs(found)] == [None]
    rows = predicted(found, calm, there)["de"]
    assert {row["part"] for row in rows} == {"evaluate"}

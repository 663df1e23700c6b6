"""Checkpoints that answer every format, and a measurement in a process of its own."""

from __future__ import annotations

import json

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

import small_tasks
import tiny_encoder
from steps.runs import trained
from steps.test_loadgen import Clock, Side
from xstilts import formats
from xstilts.analysis import frontier, speed
from xstilts.engines.local import LocalEngine
from xstilts.errors import UserError
from xstilts.formats import Limits, text2text
from xstilts.model.packing import Batch
from xstilts.scenario import Measure, serving
from xstilts.steps import checkpoint, isolated, measure
from xstilts.steps.loadgen import Answered
from xstilts.study import Options
from xstilts.tasks import Catalogue

QUICK = Measure(queries=6, seconds=0.001, batch=4)


@pytest.fixture(scope="module")
def stage(small, calm, tmp_path_factory):
    """A stage with a head for every format."""
    path = "s_nli + s_choice + s_tags + s_squad | s_xnli"
    inputs = small_tasks.train_inputs(small, calm, path, options=Options(max_steps=2))
    return trained(small, calm, tmp_path_factory.mktemp("stage") / "out", inputs)[1]


@pytest.fixture(scope="module")
def mt5(tmp_path_factory):
    """A tiny encoder-decoder."""
    folder = tmp_path_factory.mktemp("mt5")
    return tiny_encoder.make(folder, small_tasks.texts(), vocabulary=250, architecture="mt5")


class Told:
    """Nobody watches."""

    def __getattr__(self, name):
        return lambda *_: None


def job(small, task, folder, head, serve="torch", **scenario):
    """A job as the measure step writes it."""
    desk = small_tasks.desk(small)
    found = desk.catalogue.get(task)
    data = desk.catalogue.data(task, "files")
    code = found.languages[-1]
    rows = desk.sources.examples(found, data, "evaluate", code)
    about = {
        "task": isolated.task_to_json(found),
        "trained": None,
        "rows": {code: isolated.rows_to_json(rows)},
        "codes": list(found.languages),
        "limits": {"max_length": 64, "max_query_length": 8, "doc_stride": 16},
        "scenario": {"name": "singlestream", "queries": 6, "seconds": 0, "batch": 4, **scenario},
        "device": "cpu",
        "token_budget": 4096,
        "sides": {"A": {"folder": str(folder), "revision": None, "head": head, "serve": serve}},
    }
    return json.loads(json.dumps(about)), rows


FORMATS = {
    "s_xnli": "s_nli",
    "s_choice": "s_choice",
    "s_tags": "s_tags",
    "s_xquad": "s_squad",
    "s_tatoeba": None,
}


@pytest.mark.parametrize("task", FORMATS)
def test_every_format_answers_and_is_timed_in_its_parts(small, stage, task):
    given, rows = job(small, task, stage, FORMATS[task])
    ticks = iter(range(1000))
    loaded = isolated.Checkpoint(given["sides"]["A"], given, lambda: next(ticks))
    library = isolated.rows_from_json(given["rows"][next(iter(given["rows"]))])
    assert library == rows  # they travel as JSON
    one, all_ = loaded.answer(library[:1]), loaded.answer(library)
    assert (one.tokenise_s, one.forward_s, one.post_s) == (1, 1, 1)
    assert one.seconds == 3
    assert all_.tokens > one.tokens > 0
    assert all_.characters == sum(map(isolated.characters, rows))


def test_what_writes_text_is_timed_with_what_it_writes(small, mt5):
    given, rows = job(small, "s_xnli", mt5, "s_nli")
    nli = small_tasks.desk(small).catalogue.get("s_nli")
    given["trained"] = json.loads(json.dumps(isolated.task_to_json(nli)))
    ticks = iter(range(1000))
    loaded = isolated.Checkpoint(given["sides"]["A"], given, lambda: next(ticks))
    found = loaded.answer(rows)
    assert (found.tokenise_s, found.forward_s, found.post_s) == (1, 1, 1)
    model, tokenizer = checkpoint.load_whole(mt5)
    shown = text2text.of(small_tasks.desk(small).catalogue.get("s_xnli"), nli)
    encoded = formats.encode(shown, rows, tokenizer.backend, Limits(64, 8, 16))
    asked = [encoded.sequence(2 * unit) for unit in range(len(rows))]
    assert found.tokens == sum(map(len, asked))
    most = text2text.most_tokens(nli, tokenizer.backend)
    wrote = 0
    for one in asked:  # row by row, until the end or as far as it may
        ids = torch.from_numpy(one.astype(np.int64))
        (answer,) = model.eval().generate(
            Batch(ids, ids * 0, (len(ids),)), most, tokenizer.hugging_face.eos_token_id
        )
        wrote += min(len(answer) + 1, most)
    assert found.output_tokens == wrote > len(rows)


def test_a_study_of_what_writes_text_is_measured(small, mt5, tmp_path):
    recipe = small_tasks.recipe(text2text=True)
    asked = QUICK.model_copy(update={"scenarios": ("singlestream",)})
    plan = small_tasks.plan(
        *(small, mt5),
        recipe=recipe,
        intermediate=("none", "s_squad"),
        targets=("s_xnli",),
        options=Options(max_steps=1),
        measure=asked.model_copy(update={"frontier": ("s_xnli",), "variants": ("bf16",)}),
    )
    bench = small_tasks.bench(small, tmp_path / "store")
    assert not LocalEngine().run(plan, bench, Told()).failures
    (one,) = speed.measurements(plan, bench.store)
    assert set(one.writing.tokens) == {"A", "B"}
    assert all(tokens >= 1 for tokens in one.writing.tokens.values())
    assert one.writing.length.pairs == one.writing.pace.pairs == 6
    assert "a token of them takes" in one.verdict
    usual, bf16 = frontier.frontier(plan, bench.store, Catalogue(small_tasks.tasks(small)))
    assert (usual.variant.serve, bf16.variant.serve) == ("torch", "bf16")
    assert bf16.relative_time > 0
    with pytest.raises(UserError, match='"drop=1": a model that writes its answers is measured'):
        small_tasks.plan(
            *(small, mt5, "s_nli > s_xnli"),
            recipe=recipe,
            measure=QUICK.model_copy(update={"serve": "drop=1"}),
        )


def test_characters_are_those_of_all_texts(small):
    desk = small_tasks.desk(small)
    task = desk.catalogue.get("s_choice")
    row = desk.sources.examples(task, desk.catalogue.data("s_choice", "files"), "evaluate", "en")[0]
    assert isolated.characters(row) == len(row.prompt) + sum(map(len, row.choices))


def test_a_scenario_runs_over_what_is_loaded(small, stage):
    given, _ = job(small, "s_xnli", stage, "s_nli")
    clock, said = Clock(), []
    sides = {"A": Side(clock, 0.1), "B": Side(clock, 0.1)}
    found, result = isolated.run(given, sides, said.append, clock, clock.sleep)
    assert len(found) == 12
    assert result == {}
    assert said[-1] == {"progress": [6, 6, 36]}
    given["scenario"]["name"] = "offline"
    found, _ = isolated.run(given, sides, said.append, clock, clock.sleep)
    assert sum(query.examples for query in found) == 24  # one pass over twelve rows, twice


def test_the_server_scenario_finds_what_a_queue_can_take(small, stage):
    """At 10 ms each a checkpoint answers at most 100 a second, and fewer within 50 ms."""
    given, _ = job(small, "s_xnli", stage, "s_nli")
    given["scenario"] |= {"name": "server", "queries": 400, "bound_ms": 50.0, "batch": 1}
    clock = Clock()
    found, result = isolated.run(
        given, {"A": Side(clock, 0.01)}, lambda _: None, clock, clock.sleep
    )
    assert found == []
    assert 30 < result["queries_per_s"]["A"] < 100


def test_what_was_measured_is_written(tmp_path):
    answered = Answered(0.1, 0.2, 0.3, 5, 9)
    isolated.write([isolated.Query(0, "A", "de", 2, answered)], tmp_path)
    (row,) = pq.read_table(tmp_path / "queries.parquet").to_pylist()
    assert row == {
        "round": 0,
        "side": "A",
        "language": "de",
        "examples": 2,
        **answered._asdict(),
    }


def test_fewer_layers_fewer_embeddings_shorter_rows_give_other_outputs_or_the_same(small, stage):
    given, _rows = job(small, "s_tags", stage, "s_tags")

    def server(serve):
        side = {**given["sides"]["A"], "serve": serve}
        return isolated.Checkpoint(side, given, lambda: 0.0)

    usual, short = server("torch"), server("torch+max_length=8")
    assert short.limits.max_length == 8
    trimmed = server("vocabulary").server.inner
    assert trimmed.encoder.config.vocab_size <= usual.server.encoder.config.vocab_size
    assert not trimmed.encoder.has_masked_lm
    assert len(server("drop=1").server.encoder.backbone.encoder.layer) == 1
    with pytest.raises(UserError, match="drop=2: the encoder has 2 layers, and one must be left"):
        server("drop=2")


def test_pieces_of_other_scripts_are_unknown_and_all_others_as_before(small, stage):
    """English and German keep Latin; Russian text is unknown to what is left."""
    from xstilts import formats
    from xstilts.steps import checkpoint
    from xstilts.steps import serving as servings

    desk = small_tasks.desk(small)
    task = desk.catalogue.get("s_xnli")
    data = desk.catalogue.data("s_xnli", "files")

    def outputs(code, how, codes):
        loaded = checkpoint.load(stage)
        head = checkpoint.load_head(stage, "s_nli", loaded[0])[0].eval()
        server = servings.server(loaded, head, task.format, serving(how), desk, codes)
        rows = desk.sources.examples(task, data, "evaluate", code)
        return server.outputs(formats.encode(task, rows, loaded[1].backend, formats.Limits()))

    for code in ("en", "de"):
        assert (outputs(code, "vocabulary", ["de"]) == outputs(code, "torch", [])).all()
    russian = outputs("ru", "torch", [])
    assert (outputs("ru", "vocabulary", ["ru"]) == russian).all()
    assert np.abs(outputs("ru", "vocabulary", ["de"]) - russian).max() > 1e-3


@pytest.mark.slow
def test_a_study_measures_two_checkpoints_in_processes_of_their_own(small, tiny, tmp_path):
    plan = small_tasks.plan(
        small,
        tiny,
        "s_xnli",
        "s_tags > s_xnli",
        recipe=small_tasks.recipe(epochs=1),
        measure=QUICK.model_copy(update={"scenarios": ("singlestream",)}),
    )
    (one,) = plan.measured
    bench = small_tasks.bench(small, tmp_path / "store")
    assert not LocalEngine().run(plan, bench, Told()).failures
    step = bench.store.open(one.step)
    assert set(step.record["files"]) == {"queries.parquet"}
    rows = pq.read_table(step.path("queries.parquet")).to_pylist()
    assert {row["side"] for row in rows} == {"A", "A again", "B"}
    assert {row["language"] for row in rows} == set(small_tasks.LANGUAGES)
    memory = step.record["result"]["memory"]
    assert all(m["peak_bytes"] > m["before_bytes"] > 0 for m in memory.values())
    assert bench.store.record(plan.steps[plan.cells[0].score].parent)["provenance"]["tokens"] > 0


def test_what_a_checkpoint_cannot_do_is_said_in_one_line(small, stage, tmp_path, monkeypatch):
    """The process that measures ends; what it said last is the reason."""
    inputs = {
        "sides": [{"weights": "x", "head": "s_nli", "serve": "drop=9"}],
        "task": "s_xnli",
        "source": "files",
        "languages": ["en"],
        "limits": {"max_length": 64, "max_query_length": 8, "doc_stride": 16},
        "max_rows": 2,
        "scenario": {"name": "singlestream", "threads": 1, "queries": 1, "seconds": 0},
    }
    out = tmp_path / "out"
    out.mkdir()
    lines = '{"progress": [1, 2, 3]}\nnot for us\n{"error": "drop=9: too many"}\n'
    program = f"import sys; sys.stdout.write({lines!r}); sys.exit(2)"
    popen = measure.subprocess.Popen

    def fake(command, **options):
        assert options["env"]["OMP_NUM_THREADS"] == "1"
        return popen([command[0], "-c", program], **options)

    monkeypatch.setattr(measure.subprocess, "Popen", fake)
    told = []
    desk = small_tasks.desk(small, progress=lambda *said: told.append(said))
    with pytest.raises(UserError, match="drop=9: too many"):
        measure.measure(inputs, [(stage, None)], out, desk)
    assert told == [(1, 2, 3)] * 2
    program = "import sys; sys.exit('killed')"
    with pytest.raises(UserError, match="ended before it was done: killed"):
        measure.measure(inputs, [(stage, None)], out, desk)

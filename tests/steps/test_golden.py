"""A step's output cannot change unless its code version does.

``golden.json`` holds what each kind of step gave for a tiny input, and the version it had then.
These are regression fingerprints of our own code: they say that nothing changed, not that it is
right; the other tests say that. Weights come from numbers that are the same on every machine, and
comparisons leave room for another order of summation, so other processors give the same.

After a change of output that is meant: raise the version in ``xstilts/steps/__init__.py`` (for a
metric, its own), then write the file anew with ``cd tests && python -m steps.test_golden``.
"""

from __future__ import annotations

import itertools
import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import (
    PreTrainedTokenizerFast,
    T5Config,
    T5ForConditionalGeneration,
    XLMRobertaConfig,
    XLMRobertaForMaskedLM,
)

import small_tasks
from steps.runs import Points, trained
from xstilts import metrics, similarity
from xstilts.corpus import shards
from xstilts.model import heads, tokenizer
from xstilts.pretraining import Pretraining
from xstilts.steps import (
    CODE_VERSIONS,
    checkpoint,
    isolated,
    predict,
    pretrain,
    probe,
    score,
)
from xstilts.study import Options

GOLDEN = Path(__file__).with_name("golden.json")
TARGETS = {"s_xnli": "s_nli", "s_choice": "s_choice", "s_tags": "s_tags", "s_xquad": "s_squad"}
TOLERANCE = {
    "probe": 5e-3,
    "train": 2e-3,
    "predict": 5e-4,
    "score": 1e-6,
    "measure": 0.0,
    "shards": 1e-6,
    "pretrain": 2e-3,
}
DECIMALS = {
    "probe": 3,
    "train": 3,
    "predict": 4,
    "score": 6,
    "measure": 1,
    "shards": 6,
    "pretrain": 3,
}
METRIC_ROWS = {
    ("accuracy",): [("yes", "yes"), ("no", "yes"), ("no", "no")],
    ("tag_accuracy", "seqeval_f1", "pos_f1"): [
        (["B-PER", "I-PER", "O"], ["B-PER", "O", "O"]),
        (["O", "B-LOC"], ["O", "B-LOC"]),
    ],
    ("squad_f1", "squad_exact_match", "mlqa_f1", "mlqa_exact_match"): [
        (["the old bridge"], "an old stone bridge"),
        (["two", "two children"], "Two children."),
    ],
    ("squad_v2_f1", "squad_v2_exact_match"): [([], ""), ([], "a"), (["the a b"], "b c")],
    ("retrieval_accuracy", "reciprocal_rank_at_20"): [("a", ["b", "a"]), ("c", ["c"])],
    # One found, two claimed, two there: F1 1/2, twice.
    ("positive_f1",): [("1", "1"), ("1", "0"), ("0", "1")],
    ("bitext_f1",): [(["a"], ["a", "b"]), (["c"], [])],
    ("average_precision_at_20",): [(["a", "b"], ["b", "c", "a"])],
    ("masked_lm_likelihood",): [(3, 6.0), (1, 2.5)],  # how many were hidden, their summed loss
}


def fill(module, stream, scale):
    """Weights from a stream of uniform numbers, which is the same on every machine."""
    for name, parameter in sorted(module.named_parameters()):
        drawn = torch.from_numpy(stream.random(tuple(parameter.shape)) - 0.5)
        with torch.no_grad():
            if "LayerNorm.weight" in name or "layer_norm.weight" in name:
                parameter.fill_(1.0)
            else:
                parameter.copy_(drawn * scale)


def model(folder):
    """An encoder and a tokenizer into which no machine has a say: pieces are single letters."""
    letters = sorted({letter for text in small_tasks.texts() for letter in text if letter != " "})
    pieces = ["<s>", "<pad>", "</s>", "<unk>", "<mask>", "?"]
    pieces += letters + [f"##{letter}" for letter in letters] + ["the", "old", "##ing", "der"]
    backend = Tokenizer(models.WordPiece({p: i for i, p in enumerate(pieces)}, unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    backend.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>",
        pair="<s> $A </s> </s> $B </s>",
        special_tokens=[("<s>", 0), ("</s>", 2)],
    )
    named = dict(zip(("bos", "pad", "eos", "unk", "mask"), pieces, strict=False))
    special = {f"{name}_token": piece for name, piece in named.items()}
    PreTrainedTokenizerFast(tokenizer_object=backend, **special).save_pretrained(folder)
    network = XLMRobertaForMaskedLM(
        XLMRobertaConfig(
            vocab_size=len(pieces),
            hidden_size=16,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=32,
            max_position_embeddings=130,
            type_vocab_size=1,
            pad_token_id=1,
            initializer_range=0.3,  # of heads: losses far from those of guessing
        )
    )
    fill(network, np.random.default_rng(1), 0.8)
    network.save_pretrained(folder)
    return folder


def whole_t5(folder, encoder):
    """An encoder-decoder with the same pieces, and no dropout: its attention would draw it."""
    pieces = tokenizer.with_sentinels(tokenizer.load(encoder))
    config = T5Config(
        vocab_size=len(pieces.special),
        d_model=16,
        d_ff=32,
        d_kv=8,
        num_layers=2,
        num_heads=2,
        dropout_rate=0.0,
        pad_token_id=1,
        eos_token_id=2,
        decoder_start_token_id=1,
    )
    network = T5ForConditionalGeneration(config)
    fill(network, np.random.default_rng(3), 0.8)
    network.save_pretrained(folder)
    pieces.save(folder)
    return folder


RECIPE = replace(
    small_tasks.recipe(max_length=100), epsilon=1e-4, select_every=3, learning_rate=5e-3, cap=16
)


AS_TEXT = replace(
    small_tasks.recipe(max_length=100, text2text=True), optimizer="adafactor", schedule="constant"
)


def train_output(small, encoder, tmp):
    """Twelve steps of a mixture of all formats, dropout and selection on."""
    path = "s_nli + s_choice + s_tags + s_squad + s_text@0.2 | s_tatoeba"
    inputs = small_tasks.train_inputs(small, encoder, path, RECIPE, options=Options(max_steps=12))
    result, out = trained(small, encoder, tmp / "train", inputs)
    curve = pq.read_table(out / "curve.parquet").to_pydict()
    found = {"task": curve["task"], "loss": curve["loss"], "tokens": result["tokens"]}
    whole, path = (
        whole_t5(tmp / "t5", encoder),
        "s_nli + s_choice + s_squad + s_text@0.2 | s_tatoeba",
    )
    inputs = small_tasks.train_inputs(small, whole, path, AS_TEXT, options=Options(max_steps=8))
    result, out = trained(small, whole, tmp / "as_text", inputs)
    losses = pq.read_table(out / "curve.parquet")["loss"].to_pylist()
    return found | {"as_text": {"loss": losses, "tokens": result["tokens"]}}


def predict_output(small, encoder, tmp):
    """Three rows a language of every evaluated format, by heads with given weights."""
    loaded, pieces = checkpoint.load(encoder)
    desk = small_tasks.desk(small)
    made, labels = {}, {}
    for name in TARGETS.values():
        task = desk.catalogue.get(name)
        made[name] = heads.build(task.format, len(task.labels), loaded)
        fill(made[name], np.random.default_rng(2), 1.0)
        labels[name] = (task.format, task.labels)
    folder = tmp / "stage"
    folder.mkdir()
    checkpoint.save(folder, loaded, pieces, made, labels)
    found = {}
    for target, head in [*TARGETS.items(), ("s_tatoeba", None)]:
        path = f"{head} | {target}" if head else target
        plan = small_tasks.plan(
            small, encoder, path, recipe=RECIPE, options=Options(max_eval_rows=3)
        )
        jobs = [step.inputs for step in plan.steps.values() if step.kind == "predict"]
        for number, rows in predict.predict(jobs, (folder, None), desk):
            found[f"{target} {jobs[number]['language']}"] = [
                {k: v for k, v in row.items() if k not in ("id", "group", "gold")} for row in rows
            ]
    whole = whole_t5(tmp / "whole", encoder)
    plan = small_tasks.plan(
        small, whole, "s_nli | s_xnli", recipe=AS_TEXT, options=Options(max_eval_rows=2)
    )
    jobs = [step.inputs for step in plan.steps.values() if step.kind == "predict"]
    found["as text"] = [
        [row["text"] for row in rows] for _, rows in predict.predict(jobs, (whole, None), desk)
    ]
    return found


def score_output(tmp):
    """Every metric's version and value on a few written predictions."""
    found = {}
    written = {
        names: [{"gold": gold, "prediction": prediction} for gold, prediction in pairs]
        for names, pairs in METRIC_ROWS.items()
    }
    outputs = [(True, False), (False, True), (False, False), (True, False)]
    shares = ("illegal_output", "accidental_translation")
    written[shares] = [{"legal": one, "translated": other} for one, other in outputs]
    for names, rows in written.items():
        pq.write_table(pa.Table.from_pylist(rows), tmp / "predictions.parquet")
        versions = {name: metrics.get(name).version for name in names}
        inputs = {"language": "de" if names == shares else "en", "metrics": versions}
        for row in score.score(inputs, tmp / "predictions.parquet", tmp):
            found[row["metric"]] = [row["metric_version"], row["value"], row["n"]]
    return found


def shards_output(encoder, out):
    """The arrays of a corpus of two languages: sizes, and sums that any change of them changes."""
    (out / "text").mkdir(parents=True)
    sentences = {
        code: [small_tasks.sentence(code, n, 6) for n in range(20)] for code in ("de", "en")
    }
    for code, lines in sentences.items():
        (out / "text" / f"{code}.txt").write_text("\n".join(lines), encoding="utf-8")
    rows = [dict(zip(sentences, row, strict=True)) for row in zip(*sentences.values(), strict=True)]
    (out / "parallel.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    told = shards.build(out, tokenizer.load(encoder).backend, out)
    arrays = {path.stem: np.load(path).astype(np.int64) for path in sorted(out.glob("*.npy"))}
    sums = {name: [len(a), int((a * np.arange(1, len(a) + 1)).sum())] for name, a in arrays.items()}
    return {"told": told, "arrays": sums}


def pretrain_output(encoder, folder, out):
    """Eight steps of all three objectives."""
    config = Pretraining(
        name="small",
        model={"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2},
        start="random",
        objectives={"mlm": 0.4, "tlm": 0.3, "ranking": 0.3},
        sequences=(16,),
        batch_tokens=128,
        ranking_pairs=6,
        learning_rate=0.01,
        dropout=0.1,
        steps=8,
        warmup=2,
    )
    out.mkdir()
    desk = small_tasks.desk(folder)
    opened = shards.Shards.open(folder)
    result = pretrain.pretrain(config, opened, encoder, None, out, Points(), desk)
    return {**json.loads((out / "curve.json").read_text()), "tokens": result["tokens"]}


def probe_output(small, encoder):
    """Every feature of two tasks: how long its arrays are, and how alike the tasks are by it."""
    shared = {"source": "files", "rows": 6, "seed": 1}
    limits = {"max_length": 64, "max_query_length": 8, "doc_stride": 16}
    found = {}
    for feature, one in similarity.FEATURES.items():
        jobs = [
            {"feature": feature, "task": task, "limits": limits, **shared}
            for task in ("s_nli", "s_tags")
        ]
        made = probe.probe(jobs, (encoder, None), small_tasks.desk(small))
        arrays = [tuple(arrays.values()) for _, arrays, _ in made]
        norms = [math.log10(float(np.linalg.norm(own[0]))) for own in arrays]
        if feature == "logme":
            compared = [similarity.logme.logme(*own) for own in arrays]
        else:
            compared = [one.compare(arrays[0][0], arrays[1][0])]
        found[feature] = [*norms, *map(float, compared)]
    return found


def measure_output(small, encoder):
    """Which queries two checkpoints answer, in which order; a clock ticks when it is read."""
    desk = small_tasks.desk(small)
    task = desk.catalogue.get("s_tatoeba")
    data = desk.catalogue.data(task.name, "files")
    side = {"folder": str(encoder), "revision": None, "head": None, "serve": "torch"}
    job = {
        "task": {"name": task.name, "format": task.format, "metrics": task.metrics},
        "rows": {
            code: isolated.rows_to_json(desk.sources.examples(task, data, "evaluate", code))
            for code in task.languages
        },
        "codes": task.languages,
        "limits": {"max_length": 100},
        "device": "cpu",
        "token_budget": 4096,
        "trained": None,
    }
    found, ticks = {}, itertools.count()
    sides = {
        name: isolated.Checkpoint(side, job, lambda: float(next(ticks))) for name in ("A", "B")
    }
    for name in ("singlestream", "offline"):
        job["scenario"] = {"name": name, "queries": 6, "seconds": 0, "batch": 5}
        queries, _ = isolated.run(job, sides, lambda _: None, lambda: 0.0, lambda _: None)
        found[name] = [[q.round, q.side, q.language, q.examples, *q.answered] for q in queries]
    return found


def outputs(tmp):
    small = small_tasks.write(tmp / "small")
    encoder = model(tmp / "model")
    return {
        "shards": shards_output(encoder, tmp / "shards"),
        "pretrain": pretrain_output(encoder, tmp / "shards", tmp / "pretrained"),
        "train": train_output(small, encoder, tmp),
        "predict": predict_output(small, encoder, tmp),
        "score": score_output(tmp),
        "probe": probe_output(small, encoder),
        "measure": measure_output(small, encoder),
    }


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    return outputs(tmp_path_factory.mktemp("golden"))


def close(one, other, tolerance):
    """Equal but for numbers with a fraction, which may differ by the tolerance."""
    if isinstance(one, float) and isinstance(other, float | int):
        return math.isclose(one, other, rel_tol=0, abs_tol=tolerance)
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(close(one[k], other[k], tolerance) for k in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(
            close(a, b, tolerance) for a, b in zip(one, other, strict=True)
        )
    return one == other


@pytest.mark.parametrize("kind", CODE_VERSIONS)
def test_output_changes_only_with_the_version(found, kind):
    golden = json.loads(GOLDEN.read_text(encoding="utf-8"))
    rewrite = "then write golden.json anew (see the top of this file)"
    assert kind in golden, f"{kind} steps have no golden output: add one here, {rewrite}"
    assert golden[kind]["version"] == CODE_VERSIONS[kind], f"the version was raised: {rewrite}"
    if not close(found[kind], golden[kind]["output"], TOLERANCE[kind]):
        also = " (or the metric's version)" if kind == "score" else ""
        pytest.fail(
            f'the {kind} step gives other output for the same input: raise CODE_VERSIONS["{kind}"]'
            f"{also}, so that finished work is not taken for the new, {rewrite}"
        )


def test_every_metric_is_watched(found):
    assert set(found["score"]) == set(metrics.METRICS)


def test_nothing_watched_is_gone():
    assert set(json.loads(GOLDEN.read_text(encoding="utf-8"))) == set(CODE_VERSIONS)


def test_the_comparison_tells_what_changed_from_what_rounds():
    assert close({"a": [1.0, "x", 3]}, {"a": [1.0004, "x", 3]}, 5e-4)
    for other in ([1.001, "x", 3], [1.0, "y", 3], [1.0, "x", 4], [1.0, "x"], None):
        assert not close({"a": [1.0, "x", 3]}, {"a": other}, 5e-4)


def rounded(value, decimals):
    if isinstance(value, float):
        return round(value, decimals)
    if isinstance(value, list):
        return [rounded(one, decimals) for one in value]
    if isinstance(value, dict):
        return {key: rounded(one, decimals) for key, one in value.items()}
    return value


if __name__ == "__main__":
    import tempfile

    with tempfile.TemporaryDirectory() as scratch:
        document = {
            kind: {"version": CODE_VERSIONS[kind], "output": rounded(output, DECIMALS[kind])}
            for kind, output in outputs(Path(scratch)).items()
        }
    GOLDEN.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")

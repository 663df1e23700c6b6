"""Pretraining: what a step sees, what it learns, and that a killed run ends the same."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from xstilts.corpus import shards, vocabulary
from xstilts.corpus.sampler import Sampler
from xstilts.errors import UserError
from xstilts.model import tokenizer as tokenizers
from xstilts.model.tokenizer import wrap
from xstilts.pretraining import Pretraining
from xstilts.steps import pretrain
from xstilts.steps.desk import Desk

WORDS = {
    "en": ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"],
    "de": ["eins", "zwei", "drei", "vier", "fünf", "sechs", "sieben", "acht", "neun", "zehn"],
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Shards and a tokenizer of a corpus in which every sentence is a count of three words."""
    root = tmp_path_factory.mktemp("shards")
    stream = np.random.default_rng(0)
    (root / "text").mkdir()
    rows = []
    for _ in range(60):
        places = stream.integers(10, size=3)
        rows.append({code: " ".join(words[i] for i in places) for code, words in WORDS.items()})
    for code in WORDS:
        (root / "text" / f"{code}.txt").write_text("".join(row[code] + "\n" for row in rows))
    (root / "parallel.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    entries = (dict(zip(WORDS, pair, strict=True)) for pair in zip(*WORDS.values(), strict=True))
    (root / "dictionary.jsonl").write_text("".join(json.dumps(row) + "\n" for row in entries))
    tokenizer = vocabulary.train_tokenizer((t for row in rows for t in row.values()), 100)
    wrap(tokenizer).save(root)
    shards.build(root, tokenizer, root)
    return root


class Points:
    """Resume points in memory; stops the run after a number of them."""

    def __init__(self, stop_after=0):
        self.kept, self.stop_after = [], stop_after

    def save(self, step, tensors, state):
        self.kept.append(({n: t.clone() for n, t in tensors.items()}, dict(state), step))
        if len(self.kept) == self.stop_after:
            raise InterruptedError

    def load(self):
        return self.kept[-1] if self.kept else None


def config(**changes):
    values = {
        "name": "toy",
        "model": {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2},
        "start": "random",
        "objectives": {"mlm": 0.4, "tlm": 0.2, "ranking": 0.2, "dictionary": 0.2},
        "sequences": [16],
        "batch_tokens": 128,
        "ranking_pairs": 8,
        "dictionary_pairs": 5,
        "dropout": 0.1,
        "learning_rate": 0.01,
        "steps": 12,
        "warmup": 2,
    }
    return Pretraining(**(values | changes))


def run(folder, out, points, **changes):
    out.mkdir(exist_ok=True)
    desk = Desk(catalogue=None, sources=None, checkpoint_seconds=0.0)
    opened = shards.Shards.open(folder)
    return pretrain.pretrain(config(**changes), opened, folder, None, out, points, desk)


CLOZE = {"objectives": {"mlm": 0.4, "cloze": 0.6}, "sequences": [40]}


@pytest.mark.parametrize("more", [{}, {"objectives": {"mlm": 0.4, "matching": 0.6}}, CLOZE])
def test_a_run_that_was_killed_ends_bit_for_bit_the_same(folder, tmp_path, more):
    from safetensors.torch import load_file

    run(folder, tmp_path / "whole", Points(), **more)
    points = Points(stop_after=5)
    with pytest.raises(InterruptedError):
        run(folder, tmp_path / "first", points, **more)
    points.stop_after = 0
    run(folder, tmp_path / "second", points, **more)
    assert [step for *_, step in points.kept][:6] == [1, 2, 3, 4, 5, 6]  # it went on from the fifth
    whole, second = (load_file(tmp_path / n / "model.safetensors") for n in ("whole", "second"))
    assert whole.keys() == second.keys()
    assert all(torch.equal(whole[name], second[name]) for name in whole)
    curves = [(tmp_path / n / "curve.json").read_text() for n in ("whole", "second")]
    assert curves[0] == curves[1]


def test_the_saved_folder_is_a_plain_hugging_face_masked_lm(folder, tmp_path):
    from transformers import AutoModelForMaskedLM, AutoTokenizer

    heads = {"mlm": 0.5, "matching": 0.25, "cloze": 0.25}
    run(folder, tmp_path, Points(), steps=2, objectives=heads)
    model, report = AutoModelForMaskedLM.from_pretrained(tmp_path, output_loading_info=True)
    assert not report["missing_keys"]
    assert not report["unexpected_keys"]
    ids = AutoTokenizer.from_pretrained(tmp_path)("one zwei", return_tensors="pt")["input_ids"]
    assert model(input_ids=ids).logits.shape[:2] == ids.shape


@pytest.mark.parametrize("architecture", ["bert", "modernbert", "deberta-v2", "electra"])
def test_any_architecture_with_a_masked_lm_head_can_be_pretrained(folder, tmp_path, architecture):
    shape = config().model.model_copy(update={"model_type": architecture})
    result = run(folder, tmp_path, Points(), model=shape.model_dump(), steps=6)
    assert set(result["loss"]) <= {"mlm", "tlm", "ranking", "dictionary"}
    assert json.loads((tmp_path / "config.json").read_text())["model_type"] == architecture


def test_ranking_learns_translations(folder, tmp_path):
    """Chance is log 8 = 2.08; a bag of aligned words solves it."""
    only = {"mlm": 0.0, "tlm": 0.0, "ranking": 1.0}
    result = run(folder, tmp_path, Points(), objectives=only, steps=80, dropout=0.0)
    assert result["loss"]["ranking"] < 1.0


def test_ranking_learns_words_from_a_dictionary(folder, tmp_path):
    """Ten entries, of which a step draws half, so that chance is log 5 = 1.61."""
    only = {"mlm": 0.0, "dictionary": 1.0}
    result = run(folder, tmp_path, Points(), objectives=only, steps=80, dropout=0.0)
    assert result["loss"]["dictionary"] < 0.8


def losses(folder, out, objective, steps, rate):
    """The losses of a run with one objective only."""
    only = dict.fromkeys(("mlm", "tlm", "ranking"), 0.0) | {objective: 1.0}
    run(folder, out, Points(), objectives=only, steps=steps, learning_rate=rate, dropout=0.0)
    return json.loads((out / "curve.json").read_text())["loss"]


def test_masked_lm_starts_at_the_entropy_of_the_tokens(folder, tmp_path):
    counts = shards.Shards.open(folder).frequencies(100)
    shares = counts[counts > 0] / counts.sum()
    # About 18 hidden tokens a step: 30 steps without learning leave a standard error of 0.03.
    found = np.mean(losses(folder, tmp_path, "mlm", steps=30, rate=1e-9))
    assert found == pytest.approx(-(shares * np.log(shares)).sum(), abs=0.1)


def test_translation_lm_learns_from_the_other_language(folder, tmp_path):
    """Alone, a word is one of ten that are equally likely; its translation says which."""
    found = losses(folder, tmp_path, "tlm", steps=100, rate=0.01)
    assert np.mean(found[-10:]) < np.mean(found[:10]) - 0.4


def test_matching_learns_no_less_than_that_pieces_are_drawn_evenly(folder, tmp_path):
    """A guess costs log V for what is hidden and 10 log 2 for what is shared.

    More takes some hundred steps of a larger encoder (docs/lab-book.md).
    """
    pieces = int((~tokenizers.load(folder).special).sum())
    only = {"mlm": 0.0, "matching": 1.0}
    more = {"batch_tokens": 1024, "dropout": 0.0, "steps": 60}
    result = run(folder, tmp_path, Points(), objectives=only, **more)
    guess = np.log(pieces) + 10 * np.log(2)
    assert guess - 2 < result["loss"]["matching"] < guess


def test_cloze_learns_where_answers_may_stand(folder, tmp_path):
    """A guess among all places of a row costs log 40; one among those of the text, log 22 or less.

    Which of them it is takes some thousand steps of a larger encoder (docs/lab-book.md).
    """
    only = {"objectives": {"mlm": 0.0, "cloze": 1.0}, "sequences": [40], "batch_tokens": 800}
    result = run(folder, tmp_path, Points(), **only, dropout=0.0, steps=120)
    assert 1.0 < result["loss"]["cloze"] < np.log(22)
    curve = json.loads((tmp_path / "curve.json").read_text())
    assert curve["loss"][0] == pytest.approx(np.log(32), abs=0.6)


def test_the_rate_warms_up_stays_and_falls():
    """10 steps, 2 of warm-up, the last 4 falling: 1/2, 1, 1, 1, 1, 1, then 4/4, 3/4, 2/4, 1/4."""
    declared = config(steps=10, warmup=2, decay=0.4)
    found = [pretrain.plateau(step, declared) for step in range(10)]
    assert found == pytest.approx([0.5, 1, 1, 1, 1, 1, 1, 0.75, 0.5, 0.25])


def test_pairs_are_two_languages_of_one_row_and_no_row_comes_twice(folder):
    opened = shards.Shards.open(folder)
    sampler = Sampler(opened, alpha=0.5)
    rows = {tuple(map(tuple, row)) for row in opened.parallel}
    pairs = sampler.parallel.draw(np.random.default_rng(1), 30)
    assert len({tuple(sorted((tuple(a), tuple(b)))) for a, b in pairs}) >= 25  # sentences repeat
    for first, second in pairs:
        assert (tuple(first), tuple(second)) in rows or (tuple(second), tuple(first)) in rows


def test_more_pairs_than_there_are_rows_are_not_waited_for(folder):
    sampler = Sampler(shards.Shards.open(folder), alpha=0.5)
    assert len(sampler.parallel.draw(np.random.default_rng(1), 1000)) == 30  # half of 60 rows


def test_alpha_sets_how_often_a_language_is_drawn(folder):
    """Equal sizes: whatever alpha, half of the stretches are German."""
    opened = shards.Shards.open(folder)
    german = {int(i) for row in opened.parallel for i in row[0]}
    english = {int(i) for row in opened.parallel for i in row[1]}
    sampler = Sampler(opened, alpha=0.3)
    texts = sampler.texts(np.random.default_rng(2), 400, 6)
    count = sum(set(map(int, text)) <= german - english | german for text in texts)
    # Binomial(400, 1/2): standard deviation 10; both alphabets share pieces, so count the clear.
    assert 150 <= count <= 260


# --- span corruption ---------------------------------------------------------------------------


def spans(folder, out, points, architecture="t5", **changes):
    """A run of span corruption."""
    shape = {"model_type": architecture, "hidden_size": 16, "num_hidden_layers": 2}
    shape["num_attention_heads"] = 2
    return run(folder, out, points, model=shape, objectives={"spans": 1.0}, **changes)


@pytest.mark.parametrize("architecture", ["t5", "mt5", "umt5"])
def test_span_corruption_makes_a_whole_t5_with_sentinels(folder, tmp_path, architecture):
    from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

    result = spans(folder, tmp_path, Points(), architecture, steps=3)
    pieces = len(AutoTokenizer.from_pretrained(folder))
    # Logits are about 1 at the start, which adds a half to the logarithm of the vocabulary.
    assert (
        abs(
            json.loads((tmp_path / "curve.json").read_text())["loss"][0]
            - np.log(pieces + 100)
            - 0.5
        )
        < 0.5
    )
    assert set(result["loss"]) == {"spans"}
    assert sum(one["tokens_seen"] for one in result["languages"].values()) == 3 * 8 * 14
    model, report = AutoModelForSeq2SeqLM.from_pretrained(tmp_path, output_loading_info=True)
    assert not report["missing_keys"]
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    assert len(tokenizer) == model.config.vocab_size == pieces + 100
    assert tokenizer.convert_tokens_to_ids("<extra_id_0>") == pieces
    assert not (folder / "tokenizer.json").read_text().count("extra_id")  # shards stay as they are
    asked = tokenizer("one <extra_id_0> three", return_tensors="pt")
    assert model.generate(**asked, max_new_tokens=3).shape[1] <= 4


def test_a_killed_run_of_span_corruption_ends_bit_for_bit_the_same(folder, tmp_path):
    spans(folder, tmp_path / "whole", Points(), steps=6)
    points = Points(stop_after=3)
    with pytest.raises(InterruptedError):
        spans(folder, tmp_path / "first", points, steps=6)
    points.stop_after = 0
    spans(folder, tmp_path / "second", points, steps=6)
    assert [step for *_, step in points.kept][:4] == [1, 2, 3, 4]  # it went on from the third
    one, two = (tmp_path / name / "model.safetensors" for name in ("whole", "second"))
    assert one.read_bytes() == two.read_bytes()


def test_span_corruption_learns(folder, tmp_path):
    """Sentences are counts of words of one language: whatever is left out is one of few pieces."""
    spans(folder, tmp_path, Points(), steps=60, dropout=0.0)
    found = json.loads((tmp_path / "curve.json").read_text())["loss"]
    assert np.mean(found[-10:]) < np.mean(found[:5]) - 1.0


def test_a_t5_goes_on_from_a_t5(folder, tmp_path):
    from xstilts.model import text_to_text

    spans(folder, tmp_path / "one", Points(), steps=2)
    start = text_to_text.load(tmp_path / "one")
    (tmp_path / "two").mkdir()
    desk = Desk(catalogue=None, sources=None, checkpoint_seconds=0.0)
    declared = config(start="there", objectives={"spans": 1.0}, steps=2)
    given = shards.Shards.open(folder), tmp_path / "one", start, tmp_path / "two", Points(), desk
    result = pretrain.pretrain(declared, *given)
    assert result["steps"] == 2


def test_a_loss_that_is_no_number_stops_the_run(folder, tmp_path, monkeypatch):
    whole = pretrain._Run._loss
    monkeypatch.setattr(pretrain._Run, "_loss", lambda run: whole(run) * float("nan"))
    with pytest.raises(UserError, match=r"loss is nan .* at step 1 of 12, .*: lower learning_rate"):
        run(folder, tmp_path, Points())

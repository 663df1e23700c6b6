"""The pretraining engine: what is kept, what a longer run continues, what is done once."""

from __future__ import annotations

import json

import pytest

from store.steps import flip
from xstilts.engines import Bench, pretrain
from xstilts.errors import UserError
from xstilts.pretraining import Pretraining
from xstilts.report.watch import Lines
from xstilts.sources import Sources
from xstilts.store import Store, merging, packing
from xstilts.tasks import Catalogue

WORDS = {
    "en": ["one", "two", "three", "four", "five", "six"],
    "de": ["eins", "zwei", "drei", "vier", "fünf", "sechs"],
}


class Told(Lines):
    def __init__(self):
        super().__init__()
        self.lines, self.steps = [], []

    def say(self, text):
        self.lines.append(text)

    def progress(self, done, total, tokens):
        self.steps.append(done)


@pytest.fixture
def corpus(tmp_path):
    folder = tmp_path / "corpus"
    (folder / "text").mkdir(parents=True)
    rows = [
        {code: " ".join(words[(i * k) % 6] for k in (1, 2, 5)) for code, words in WORDS.items()}
        for i in range(40)
    ]
    for code in WORDS:
        (folder / "text" / f"{code}.txt").write_text("".join(row[code] + "\n" for row in rows))
    (folder / "parallel.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


@pytest.fixture
def run(tmp_path, corpus):
    def go(given=corpus, store=None, **changes):
        values = {
            "name": "toy",
            "tokenizer": {"vocabulary": 100, "sample_lines": 100},
            "model": {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2},
            "objectives": {"mlm": 0.5, "ranking": 0.5},
            "sequences": [16],
            "batch_tokens": 64,
            "ranking_pairs": 4,
            "steps": 8,
            "warmup": 1,
            "decay": 0.5,
        }
        told = Told()
        bench = Bench(
            store=store or Store(tmp_path / "store"),
            catalogue=Catalogue(),
            sources=Sources(mirror=None),
            checkpoint_seconds=0.0,
        )
        return pretrain.pretrain(Pretraining(**(values | changes)), given, bench, told), told

    return go


def test_a_finished_run_is_found_and_a_longer_one_goes_on_from_its_plateau(run):
    first, told = run()
    assert told.steps == [1, 2, 3, 4, 5, 6, 7, 8]
    again, told = run()
    assert (again.id, told.steps) == (first.id, [])
    longer, told = run(steps=12)  # the first one's plateau ended after 4 steps
    assert told.steps == [5, 6, 7, 8, 9, 10, 11, 12]
    assert any("resumed at step 4 of 12" in line for line in told.lines)
    assert longer.record["result"]["tokens"] > first.record["result"]["tokens"]


def test_a_shorter_run_starts_anew_and_leaves_the_longer_plateau_alone(run):
    run()  # its plateau ended after 4 steps
    _, told = run(steps=6)
    assert told.steps == [1, 2, 3, 4, 5, 6]
    assert any("starts anew" in line and "step 4" in line for line in told.lines)
    _, told = run(steps=12)
    assert told.steps == [5, 6, 7, 8, 9, 10, 11, 12]


def test_the_summary_says_what_each_language_saw(run):
    result = run()[0].record["result"]
    assert set(result["languages"]) == {"de", "en"}
    seen = sum(one["tokens_seen"] for one in result["languages"].values())
    assert 0 < seen < result["tokens"]  # special tokens are not of any language
    assert 0 < result["share_of_peak"] < 1


def test_an_encoder_can_be_continued_with_its_own_tokenizer(run, tmp_path):
    first, _ = run()
    longer, _ = run(name="more", start=str(first.folder), steps=2)
    same = [(one.folder / "tokenizer.json").read_bytes() for one in (first, longer)]
    assert same[0] == same[1]
    assert longer.record["inputs"]["start"]
    third, _ = run(name="third", start=str(longer.folder), steps=2)
    shards = [one.record["inputs"]["shards"] for one in (longer, third)]
    assert shards[0] == shards[1]  # other weights, the same pieces
    with pytest.raises(UserError, match="nowhere"):
        run(start=str(tmp_path / "nowhere"))


def test_a_run_that_would_read_the_same_text_again_is_told(run):
    first, _ = run()
    start, again = str(first.folder), "reads the same text again"
    _, told = run(name="more", start=start, steps=2)
    assert [line for line in told.lines if again in line and "seed 1" in line]
    _, told = run(name="more", start=start, steps=2, seed=2)
    assert not [line for line in told.lines if again in line]
    _, told = run(name="more", start="micro", steps=2)  # which tells nothing of its run
    assert not [line for line in told.lines if again in line]


def test_a_sibling_takes_the_tokenizer_of_an_encoder(run):
    first, _ = run()
    shape = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2}
    of = str(first.folder)
    sibling, _ = run(name="small", tokenizer={"of": of}, model=shape, start="random")
    same = [(one.folder / "tokenizer.json").read_bytes() for one in (first, sibling)]
    assert same[0] == same[1]
    with pytest.raises(UserError, match=r"tokenizer\.of: found micro, but .* its own tokenizer"):
        run(name="both", tokenizer={"of": "micro"}, start=of)


def test_a_folder_without_text_is_refused(run, corpus):
    for path in (*corpus.glob("text/*"), corpus / "parallel.jsonl"):
        path.unlink()
    with pytest.raises(UserError, match="build a corpus first"):
        run()


def test_shards_that_came_from_elsewhere_need_no_corpus(run, tmp_path):
    first, _ = run()
    shards = first.record["inputs"]["shards"]
    again, told = run(given=shards)
    assert (again.id, told.steps) == (first.id, [])
    here, carried = Store(tmp_path / "store"), tmp_path / "shards.tar.zst"
    packing.pack(here, carried, [shards], lambda *_: None)
    there = Store(tmp_path / "elsewhere")
    assert merging.merge(there, carried, lambda *_: None).added == [shards]
    other, told = run(given=shards, store=there)
    assert (other.id, len(told.steps)) == (first.id, 8)
    weights = [one.path("model.safetensors").read_bytes() for one in (first, other)]
    assert weights[0] == weights[1]
    with pytest.raises(UserError, match="is a train step: --shards takes the id of shards"):
        run(given=first.id)


def test_runs_on_one_plateau_do_not_run_at_once(run, tmp_path, monkeypatch):
    """A run that begins while another of the same plateau is under way is sent away in one line."""
    said = []

    def meanwhile(self, done, total, tokens):
        if done == 1 and not said:
            said.append("")
            with pytest.raises(UserError, match="a run on the plateau of toy is under way in proc"):
                run(steps=12)
            said[0] = "sent away"

    monkeypatch.setattr(Told, "progress", meanwhile)
    run()
    assert said == ["sent away"]
    monkeypatch.undo()
    assert run(steps=12)[1].steps[-1] == 12


@pytest.mark.parametrize("name", ["mono_ids.npy", "tokenizer.json"])
def test_damaged_shards_are_made_again(run, name):
    first, _ = run()
    store, shards = Store(first.folder.parents[2]), first.record["inputs"]["shards"]
    flip(store.open(shards).path(name), 0)
    longer, told = run(steps=12)
    assert any(f'file "{name}" of step' in one and "is redone" in one for one in told.lines)
    assert told.steps[-1] == 12
    assert longer.record["inputs"]["shards"] == shards
    flip(store.open(shards).path(name), 0)
    with pytest.raises(UserError, match="has other bytes"):
        run(given=shards, steps=13)
    assert store.has(shards)  # nothing here could make them again


@pytest.mark.parametrize(
    ("objective", "file"),
    [("tlm", "parallel"), ("ranking", "parallel"), ("dictionary", "dictionary")],
)
def test_an_objective_without_rows_is_refused(run, corpus, objective, file):
    (corpus / "parallel.jsonl").write_text("")
    with pytest.raises(UserError) as caught:
        run(objectives={"mlm": 0.5, objective: 0.5}, start="random")
    assert f"objectives.{objective}: {file}.jsonl of the corpus has no rows" in str(caught.value)


@pytest.mark.parametrize("dropout", [0.0, 0.1])
def test_an_encoder_goes_on_with_the_dropout_that_is_declared(run, dropout):
    first, _ = run(dropout=0.2)
    more, _ = run(name="more", start=str(first.folder), steps=2, dropout=dropout)
    told = json.loads((more.folder / "config.json").read_text())
    assert {told["hidden_dropout_prob"], told["attention_probs_dropout_prob"]} == {dropout}

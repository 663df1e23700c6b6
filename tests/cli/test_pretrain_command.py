"""``xstilts pretrain`` and ``xstilts corpus`` from the command line."""

from __future__ import annotations

import json

import pytest

CONFIG = """\
name: toy
tokenizer: {vocabulary: 100, sample_lines: 100}
model: {hidden_size: 16, num_hidden_layers: 1, num_attention_heads: 2}
objectives: {mlm: 0.5, ranking: 0.5}
sequences: [16]
batch_tokens: 64
ranking_pairs: 4
steps: 3
warmup: 1
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "text").mkdir()
    rows = [{"en": f"one two {i}", "de": f"eins zwei {i}"} for i in range(12)]
    (tmp_path / "text" / "en.txt").write_text("one two three\n" * 30)
    (tmp_path / "parallel.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "toy.yaml").write_text(CONFIG)
    return tmp_path


def test_a_corpus_becomes_an_encoder_that_transformers_loads(folder, cli):
    from transformers import AutoModel, AutoTokenizer

    done = cli("pretrain", folder / "toy.yaml", "--corpus", folder, "--store", folder / "store")
    assert (done.code, done.err.splitlines()[-1][:8]) == (0, "3 steps,")
    encoder = done.out.strip()
    assert AutoModel.from_pretrained(encoder).config.hidden_size == 16
    assert AutoTokenizer.from_pretrained(encoder)("one two")["input_ids"][0] == 0
    again = cli("pretrain", folder / "toy.yaml", "--corpus", folder, "--store", folder / "store")
    assert again.out == done.out


def test_a_language_without_text_is_said_before_anything_is_trained(folder, cli):
    text = (folder / "toy.yaml").read_text()
    (folder / "other.yaml").write_text(text + "languages: [en, dee]\n")
    done = cli("pretrain", folder / "other.yaml", "--corpus", folder, "--store", folder / "other")
    assert done.code == 2
    assert "languages: the corpus has nothing in dee" in done.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["pretrain", "toy.yaml"], "give --corpus FOLDER (from `xstilts corpus`), or --shards"),
        (["pretrain", "none.yaml", "--corpus", "."], "none.yaml: no such file; check the path"),
        (["pretrain", "toy.yaml", "--corpus", "text"], "build a corpus first"),
        (["pretrain", "toy.yaml", "--shards", "0" * 20], "0" * 20),
        (["corpus", "text", "out"], "set XSTILTS_MIRROR"),
    ],
)
def test_what_is_missing_is_said_in_one_line(folder, cli, monkeypatch, arguments, message):
    monkeypatch.chdir(folder)
    monkeypatch.delenv("XSTILTS_MIRROR", raising=False)
    store = ["--store", "store"] if arguments[0] == "pretrain" else []
    done = cli(*arguments, *store)
    assert done.code == 2
    assert message in done.err
    assert done.err.count("\n") == 1

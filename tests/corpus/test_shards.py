"""Token shards hold what the corpus holds, in the order the description gives."""

from __future__ import annotations

import json

import numpy as np
import pytest
from tokenizers import Tokenizer, models, pre_tokenizers

from xstilts.corpus import shards
from xstilts.corpus.cleaned import parallel_rows, text_files


@pytest.fixture
def corpus(tmp_path):
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "de.txt").write_text("ein hund\nzwei katzen hier\n")
    (tmp_path / "text" / "sw.txt").write_text("mbwa\n")
    rows = [
        {"en": "a dog", "de": "ein hund", "source": "x"},
        {"en": "two cats", "sw": "paka wawili", "de": "zwei katzen"},
    ]
    lines = [json.dumps(row) for row in rows]
    (tmp_path / "parallel.jsonl").write_text("\n".join(lines) + "\n")
    return tmp_path


@pytest.fixture
def words():
    """One token a word, numbered in this order."""
    names = [
        "a",
        "dog",
        "two",
        "cats",
        "ein",
        "hund",
        "zwei",
        "katzen",
        "hier",
        "mbwa",
        "paka",
        "wawili",
    ]
    tokenizer = Tokenizer(models.WordLevel({name: i for i, name in enumerate(names)}))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return tokenizer


def test_every_sentence_is_there_in_order(corpus, words, tmp_path):
    report = shards.build(corpus, words, tmp_path)
    found = shards.Shards.open(tmp_path)
    assert found.languages == ("de", "en", "sw")
    assert found.mono_ids.dtype == np.uint16
    # de: ein=4 hund=5 | zwei=6 katzen=7 hier=8; sw: mbwa=9
    assert found.mono_ids.tolist() == [4, 5, 6, 7, 8, 9]
    assert found.mono_offsets.tolist() == [0, 2, 5, 6]
    assert found.mono_language.tolist() == [0, 0, 2]
    # Sides of a row stand in the order of their codes: row 1 is de, en; row 2 is de, en, sw.
    assert [[side.tolist() for side in row] for row in found.parallel] == [
        [[4, 5], [0, 1]],
        [[6, 7], [2, 3], [10, 11]],
    ]
    assert found.parallel.language.tolist() == [0, 1, 0, 1, 2]
    assert report["de"]["mono_tokens"] == 5
    assert report["en"] == {
        "mono_tokens": 0,
        "parallel_tokens": 4,
        "characters_per_token": (len("a dog") + len("two cats")) / 4,
    }


def test_only_the_languages_asked_for_are_taken(tmp_path):
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "de.txt").write_text("hund\n")
    (tmp_path / "text" / "sw.txt").write_text("mbwa\n")
    rows = [{"de": "hund", "en": "dog", "sw": "mbwa"}, {"de": "katze", "sw": "paka"}]
    (tmp_path / "parallel.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert [path.stem for path in text_files(tmp_path, ["de"])] == ["de"]
    # A row of which one language is left is no row.
    assert list(parallel_rows(tmp_path, ["de", "en"])) == [{"de": "hund", "en": "dog"}]
    assert list(parallel_rows(tmp_path)) == rows


def test_long_text_is_cut_to_stretches_from_all_over_the_file(tmp_path, words):
    """1,000 lines of one token make ten stretches of 100; 350 tokens are three of them."""
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "de.txt").write_text("ein\n" * 500 + "hund\n" * 500)
    report = shards.build(tmp_path, words, tmp_path, most_tokens=350, seed=1)
    assert report["de"]["mono_tokens"] == 300
    found = shards.Shards.open(tmp_path)
    assert len(set(found.mono_ids.tolist())) == 2  # of both halves
    assert np.all(np.diff(found.mono_ids.astype(int)) >= 0)  # "ein" is 4, "hund" 5: in order
    whole = shards.build(tmp_path, words, tmp_path)
    assert whole["de"]["mono_tokens"] == 1000


def test_dictionary_entries_are_rows_of_their_own(corpus, words, tmp_path):
    entries = [{"en": "dog", "de": "hund", "xx": "x"}, {"xx": "a", "en": "a"}]
    (corpus / "dictionary.jsonl").write_text("".join(json.dumps(e) + "\n" for e in entries))
    report = shards.build(corpus, words, tmp_path)
    found = shards.Shards.open(tmp_path)
    assert len(found.parallel) == 2
    # "xx" has no text of its own, so that its sides, and the second entry with them, drop out.
    assert [[side.tolist() for side in row] for row in found.dictionary] == [[[5], [1]]]
    assert report["en"]["parallel_tokens"] == 4


def test_without_dictionaries_there_are_no_entries(corpus, words, tmp_path):
    shards.build(corpus, words, tmp_path)
    assert list(shards.Shards.open(tmp_path).dictionary) == []

"""Token shards hold what the corpus holds, in the order the description gives."""

from __future__ import annotations

import json
from collections import Counter

import numpy as np
import pytest
from tokenizers import Tokenizer, models, pre_tokenizers

from xstilts.corpus import shards, vocabulary


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
    assert [[side.tolist() for side in row] for row in found.rows()] == [
        [[4, 5], [0, 1]],
        [[6, 7], [2, 3], [10, 11]],
    ]
    assert found.parallel_language.tolist() == [0, 1, 0, 1, 2]
    assert report["de"]["mono_tokens"] == 5
    assert report["en"] == {
        "mono_tokens": 0,
        "parallel_tokens": 4,
        "characters_per_token": (len("a dog") + len("two cats")) / 4,
    }


def test_a_sample_is_the_same_every_time_and_alpha_levels_languages(tmp_path):
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "de.txt").write_text("".join(f"satz {i}\n" for i in range(1000)))
    (tmp_path / "text" / "sw.txt").write_text("".join(f"neno {i}\n" for i in range(100)))

    def drawn(alpha):
        return list(vocabulary.sample_lines(tmp_path, (), 100, alpha, seed=3))

    assert drawn(1.0) == drawn(1.0)
    counts = {alpha: Counter(line[:4] for line in drawn(alpha)) for alpha in (0.0, 1.0)}
    assert counts[0.0] == {"satz": 50, "neno": 50}  # alike whatever their sizes
    # 7,890 of 8,680 characters are German (890 of "satz 0" to "satz 9" and so on): 91 of 100.
    assert counts[1.0]["satz"] in (90, 91, 92)


def test_the_tokenizer_has_the_pair_format_of_xlm_r():
    lines = ["der hund schläft", "die katze schläft nicht", "hund und katze"] * 5
    tokenizer = vocabulary.train_tokenizer(lines, 40)
    pair = tokenizer.encode("hund", "katze").tokens
    assert pair[0] == "<s>"
    assert pair[-1] == "</s>"
    middle = pair.index("</s>")
    assert pair[middle : middle + 2] == ["</s>", "</s>"]
    assert [tokenizer.token_to_id(name) for name in vocabulary.SPECIALS] == [0, 1, 2, 3, 4]

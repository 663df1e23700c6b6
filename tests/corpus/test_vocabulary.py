"""The tokenizer: running text and text split into words give the same tokens."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from xstilts.corpus import vocabulary

LINES = [
    *("the hound stops.", "the hounds stop, then go.", "stop! the cat stopped (again)."),
    *("我喜欢猫。", "他喜欢狗,我也喜欢。", "猫喜欢我。"),
    *("ผมชอบแมว", "แมวชอบผม"),
] * 4


@pytest.fixture(scope="module")
def tokenizer():
    return vocabulary.train_tokenizer(LINES, 90)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "the hounds stop, (then) go.",
            ["the", "hounds", "stop", ",", "(", "then", ")", "go", "."],
        ),
        ("我喜欢猫。", ["我", "喜欢", "猫", "。"]),
        ("ผมชอบแมว", ["ผม", "ชอบ", "แมว"]),
    ],
)
def test_running_text_and_words_give_the_same_characters_with_marks_alike(tokenizer, text, words):
    """Pieces may be cut elsewhere in unspaced text; where ``▁`` stands must not differ."""
    running = "".join(tokenizer.encode(text, add_special_tokens=False).tokens)
    split = "".join(tokenizer.encode(words, is_pretokenized=True, add_special_tokens=False).tokens)
    assert running == split


def test_no_mark_stands_before_punctuation_and_unspaced_scripts(tokenizer):
    tokens = tokenizer.encode("stop, 我喜欢. ผม (the)", add_special_tokens=False).tokens
    assert "".join(tokens) == "▁stop,我喜欢.ผม(▁the)"


def test_a_mark_of_punctuation_is_a_token_of_its_own(tokenizer):
    pieces = [piece for piece, _ in json.loads(tokenizer.to_str())["model"]["vocab"][5:]]
    assert not [p for p in pieces if len(p) > 1 and any(c in "!,.()。" for c in p)]
    assert "▁stop" in pieces  # seen before a letter, a comma, an exclamation mark
    assert tokenizer.get_vocab_size() <= 90


def test_offsets_lead_back_to_the_text(tokenizer):
    text = "the hound, 我喜欢"
    found = tokenizer.encode(text, add_special_tokens=False)
    assert "".join(text[a:b] for a, b in found.offsets) == text.replace(" ", "")


def test_tokens_lead_back_to_words(tokenizer):
    assert tokenizer.decode(tokenizer.encode("the hound stops").ids) == "the hound stops"


def test_the_tokenizer_has_the_pair_format_of_xlm_r(tokenizer):
    pair = tokenizer.encode("hound", "cat").tokens
    assert pair[0] == "<s>"
    assert pair[-1] == "</s>"
    middle = pair.index("</s>")
    assert pair[middle : middle + 2] == ["</s>", "</s>"]
    assert [tokenizer.token_to_id(name) for name in vocabulary.SPECIALS] == [0, 1, 2, 3, 4]


def test_a_sample_is_the_same_every_time_and_alpha_levels_languages(tmp_path):
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "de.txt").write_text("".join(f"satz {i}\n" for i in range(1000)))
    (tmp_path / "text" / "sw.txt").write_text("".join(f"neno {i}\n" for i in range(100)))

    def drawn(alpha, languages=()):
        return list(vocabulary.sample_lines(tmp_path, languages, 100, alpha, seed=3))

    assert drawn(1.0) == drawn(1.0)
    counts = {alpha: Counter(line[:4] for line in drawn(alpha)) for alpha in (0.0, 1.0)}
    assert counts[0.0] == {"satz": 50, "neno": 50}  # alike whatever their sizes
    # 7,890 of 8,680 bytes are German (890 of "satz 0" to "satz 9" and so on): 91 of 100.
    assert counts[1.0]["satz"] in (90, 91, 92)
    assert {line[:4] for line in drawn(1.0, ["sw"])} == {"neno"}


def test_characters_a_language_hardly_uses_are_left_out(tmp_path):
    """10,001 characters: 0.05 % of them are 5, so a character seen once is beyond the coverage."""
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "en.txt").write_text("ab" * 5000 + "ß\n")
    assert list(vocabulary.sample_lines(tmp_path, (), 1, 1.0, seed=1)) == ["ab" * 5000 + " "]

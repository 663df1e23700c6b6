"""Tagging by hand: 10 is the id of "10", "10-11" is two tokens, "-" none (toy_tokenizers)."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import toy_tokenizers
from xstilts import formats
from xstilts.formats import Limits
from xstilts.formats.examples import Tagged
from xstilts.formats.tagging import IGNORE, _words
from xstilts.tasks import Task

TASK = Task(
    name="toy",
    about="",
    format="tagging",
    metrics=("tag_accuracy",),
    sources={},
    labels=("A", "B", "C"),
)
NUMBERS = toy_tokenizers.numbers()
UNKNOWN = 3
ENDS = (IGNORE, IGNORE)  # the end of a piece and the beginning of the next


def sentence(words: str, tags: str, name: str = "s") -> Tagged:
    return Tagged(name, name, tuple(words.split()), tuple(tags))


def encode(*examples, max_length=6, tokenizer=NUMBERS):
    return formats.encode(TASK, examples, tokenizer, Limits(max_length=max_length))


def perfect(encoded) -> np.ndarray:
    """The right tag at every first sub-token, nonsense elsewhere."""
    tags = encoded.targets["tags"]
    return np.where(tags == IGNORE, 2, tags)


def test_tags_stand_at_first_sub_tokens():
    encoded = encode(sentence("10 11-12 13", "ABC"))
    assert encoded.ids.tolist() == [0, 10, 11, 12, 13, 2]
    assert encoded.targets["tags"].tolist() == [IGNORE, 0, 1, IGNORE, 2, IGNORE]


def test_long_sentences_are_split_between_words():
    # six tokens, two of them special: "14-15-16" does not fit into what "13" left
    encoded = encode(sentence("10 11-12 13 14-15-16 17 18", "ABCABC"), sentence("19", "B"))
    pieces = [[0, 10, 11, 12, 13, 2], [0, 14, 15, 16, 17, 2], [0, 18, 2], [0, 19, 2]]
    tags = [0, 1, IGNORE, 2, *ENDS, 0, IGNORE, IGNORE, 1, *ENDS, 2, *ENDS, 1]
    assert toy_tokenizers.sequences(encoded) == pieces
    assert encoded.targets["tags"].tolist() == [IGNORE, *tags, IGNORE]
    assert encoded.owner.tolist() == [0, 0, 0, 1]
    assert encoded.units.tolist() == [0, 1, 2, 3, 4]


def test_words_that_are_nothing_to_the_tokenizer_are_unknown():
    encoded = encode(sentence("10 - 11", "ABC"))
    assert encoded.ids.tolist() == [0, 10, UNKNOWN, 11, 2]
    assert encoded.targets["tags"].tolist() == [IGNORE, 0, 1, 2, IGNORE]


def test_words_longer_than_a_whole_piece_are_unknown():
    encoded = encode(sentence("10 11-12-13-14-15 16", "ABC"))
    assert encoded.ids.tolist() == [0, 10, UNKNOWN, 16, 2]
    assert encode(sentence("11-12-13-14", "A")).ids.tolist() == [0, 11, 12, 13, 14, 2]


def test_unknown_words_of_bert():
    encoded = encode(sentence("10 - 11", "ABC"), tokenizer=toy_tokenizers.bert_numbers())
    assert encoded.ids.tolist() == [2, 10, 1, 11, 3]


def test_every_word_has_its_own_leading_space(tiny_tokenizer):
    """A word has the same tokens at the start, in the middle and at the end of a sentence."""
    example = Tagged("s", "s", ("river", "river", "river"), ("A", "B", "C"))
    encoded = formats.encode(TASK, [example], tiny_tokenizer, Limits())
    alone = tiny_tokenizer.encode("river", add_special_tokens=False).ids
    assert encoded.ids.tolist() == [0, *alone * 3, 2]


def test_decode_rejoins_the_pieces():
    examples = [sentence("10 11-12 13 14-15-16 17 18", "ABCABC", "x"), sentence("19", "B", "y")]
    encoded = encode(*examples)
    outputs = perfect(encoded)
    outputs[1] = 2  # the first word of the first sentence is taken for a C
    first, second = formats.decode(TASK, examples, encoded, outputs)
    assert first == {
        "id": "x",
        "group": "x",
        "gold": ["A", "B", "C", "A", "B", "C"],
        "prediction": ["C", "B", "C", "A", "B", "C"],
    }
    assert second["prediction"] == ["B"]


WORDS = st.one_of(
    st.lists(st.integers(10, 99), max_size=6).map(lambda parts: "-".join(map(str, parts))),
    st.sampled_from(["-", "--", "x", "กขค", "10-"]),
)
SENTENCES = st.lists(st.lists(st.tuples(WORDS, st.sampled_from("ABC")), max_size=20), max_size=4)


@given(SENTENCES, st.integers(3, 12))
def test_decoding_what_was_encoded_gives_the_tags_back(sentences, max_length):
    examples = [
        Tagged(str(n), str(n), tuple(word for word, _ in one), tuple(tag for _, tag in one))
        for n, one in enumerate(sentences)
    ]
    encoded = encode(*examples, max_length=max_length)
    rows = list(formats.decode(TASK, examples, encoded, perfect(encoded)))
    assert [row["prediction"] for row in rows] == [list(one.tags) for one in examples]
    assert [row["id"] for row in rows] == [one.id for one in examples]
    assert all(length <= max_length for length in encoded.lengths)
    assert all(encoded.ids[start] == 0 for start in encoded.offsets[:-1])


@given(SENTENCES, st.integers(3, 12))
def test_splitting_loses_no_token(sentences, max_length):
    """A sentence's pieces, end to end, are its words' tokens, unknown where they do not fit."""
    examples = [
        Tagged(str(n), str(n), tuple(word for word, _ in one), tuple(tag for _, tag in one))
        for n, one in enumerate(sentences)
    ]
    encoded = encode(*examples, max_length=max_length)
    found: list[list[int]] = [[] for _ in examples]
    for owner, piece in zip(encoded.owner, toy_tokenizers.sequences(encoded), strict=True):
        found[owner] += piece[1:-1]
    for example, tokens in zip(examples, found, strict=True):
        expected = []
        for word in example.words:
            ids = NUMBERS.encode(word, add_special_tokens=False).ids
            expected += ids if 0 < len(ids) <= max_length - 2 else [UNKNOWN]
        assert tokens == expected


@pytest.mark.parametrize("kind", ["byte level", "metaspace"])
def test_words_are_tokenised_as_in_running_text(kind):
    """Where words that are given apart would lose the space that leads them (ModernBERT, Gemma)."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    if kind == "byte level":
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    else:
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
    text = ["we live in New York", "we live", "York in New"] * 20
    specials = ["<unk>", "<s>", "</s>", "<pad>"]
    trainer = trainers.BpeTrainer(vocab_size=300, special_tokens=specials, show_progress=False)
    tokenizer.train_from_iterator(text, trainer)
    words = text[0].split()
    one = Tagged("i", "g", tuple(words), ("O",) * len(words))
    (ids,) = _words([one], tokenizer)
    together = tokenizer.encode(text[0], add_special_tokens=False).ids
    assert [one for word in ids for one in word] == together

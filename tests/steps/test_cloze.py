"""Questions made of running text: what fills the gap stands where it is said to stand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xstilts.formats.encoded import Template
from xstilts.model import tokenizer as tokenizers
from xstilts.steps import cloze

TEMPLATE = Template(prefix=(0,), single_suffix=(2,), middle=(2, 2), pair_suffix=(2,), second_type=0)
GAP = 4
WORDS = np.zeros(400, bool)
WORDS[100:200] = True  # these begin a word, 200 to 299 go on with it


def texts(stream, count, least):
    """Words of one to three pieces, all of a text different from each other."""
    for _ in range(count):
        found = []
        for word in stream.permutation(np.arange(100, 200)):
            found += [word, *stream.choice(np.arange(200, 300), stream.integers(0, 3))]
        yield np.array(found[: stream.integers(least, 60)], np.int32)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_the_answer_fills_the_gap_of_a_stretch_of_the_text(seed):
    stream = np.random.default_rng(seed)
    given_ = [*texts(stream, 6, cloze.MOST)]
    rows, spans = cloze.questions(stream, given_, WORDS, TEMPLATE, GAP)
    for text, row, (first, last) in zip(given_, rows, spans, strict=True):
        second = len(row) - len(text) - 1
        assert row[second:-1].tolist() == text.tolist()
        question = row[1 : second - 2].tolist()
        assert question.count(GAP) == 1
        assert second <= first <= last < len(row) - 1
        answer = row[first : last + 1]
        assert WORDS[answer[0]]  # whole words, one to three of them
        assert WORDS[row[last + 1]]
        assert 1 <= WORDS[answer].sum() <= cloze.WORDS
        # What is left of the question are pieces around the answer, in their order.
        others = [piece for piece in question if piece != GAP]
        around = [*row[max(first - cloze.MOST, second) : first], *row[last + 1 : last + cloze.MOST]]
        rest = iter(around)
        assert all(piece in rest for piece in others)
        gap = question.index(GAP)
        assert gap == 0 or question[gap - 1] in row[second:first]
        assert len(question) <= cloze.MOST


def test_where_words_are_not_marked_any_piece_may_begin_an_answer():
    stream = np.random.default_rng(0)
    given_ = [stream.permutation(np.arange(200, 300)).astype(np.int32) for _ in range(50)]
    rows, spans = cloze.questions(stream, given_, WORDS, TEMPLATE, GAP)
    lengths = spans[:, 1] - spans[:, 0] + 1
    assert set(lengths.tolist()) == {1, 2, 3}
    assert len(rows) == 50


def test_about_half_of_the_gaps_stand_in_front_and_a_quarter_of_the_pieces_are_gone():
    stream = np.random.default_rng(1)
    given_ = [*texts(stream, 2000, 50)]
    rows, spans = cloze.questions(stream, given_, WORDS, TEMPLATE, GAP)
    front = np.mean([row[1] == GAP for row in rows])
    assert front == pytest.approx(0.5, abs=0.2)  # and a few where nothing stood before
    # A stretch has 11 pieces in the mean, and its answer about 4 of them.
    asked = np.mean(
        [len(r) - len(t) - TEMPLATE.pair_specials for r, t in zip(rows, given_, strict=True)]
    )
    answers = np.mean(spans[:, 1] - spans[:, 0] + 1)
    assert asked == pytest.approx(1 + 0.75 * (11 - answers), rel=0.08)


def test_words_begin_where_the_tokenizer_marks_them(tiny):
    loaded = tokenizers.load(tiny)
    starts = cloze.word_starts(loaded.backend)
    ids = loaded.backend.encode("unforgettable lanterns", add_special_tokens=False).ids
    text = [loaded.backend.id_to_token(number) for number in ids]
    assert [bool(starts[number]) for number in ids] == [piece[0] == "▁" for piece in text]
    assert starts[ids].sum() == 2

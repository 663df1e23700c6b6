"""Extractive QA by hand: 10 is the id of "10", <s> is 0 and </s> is 2 (toy_tokenizers)."""

from __future__ import annotations

import unicodedata

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from tokenizers import normalizers

import toy_tokenizers
from xstilts import formats
from xstilts.formats import Limits
from xstilts.formats.examples import Question
from xstilts.tasks import Task

TASK = Task(name="toy", about="", format="span", metrics=("squad_f1",), sources={})
MAY_BE_SILENT = Task(
    name="toy2", about="", format="span", metrics=("squad_v2_f1",), sources={}, unanswerable=True
)
NUMBERS, CHARACTERS = toy_tokenizers.numbers(), toy_tokenizers.characters()
NOWHERE = -1


def question(context: str, answer: str = "", name: str = "q") -> Question:
    """A question of two tokens in ``NUMBERS``; the answer is where it first occurs."""
    found = ((answer,), (context.index(answer),)) if answer else ((), ())
    return Question(name, name, context, "20 21", *found)


def numbered(tokens: int) -> str:
    """A context of that many words; word i is i + 100 and covers characters 4i to 4i + 3."""
    return " ".join(str(100 + i) for i in range(tokens))


def encode(*examples, room=4, stride=128, tokenizer=NUMBERS):
    """``room``: context tokens in a window, beside the two of the question and four specials."""
    limits = Limits(max_length=room + 6, max_query_length=2, doc_stride=stride)
    return formats.encode(TASK, examples, tokenizer, limits)


def perfect(encoded) -> np.ndarray:
    """The right start and end in every window, no answer where the window has none."""
    outputs = np.zeros((len(encoded.ids), 2), np.float32)
    for window, (first, last) in enumerate(encoded.targets["span"]):
        outputs[encoded.offsets[window] + first, 0] = 9
        outputs[encoded.offsets[window] + last, 1] = 9
    return outputs


def decode(examples, encoded, outputs, task=TASK) -> list[dict]:
    return list(formats.decode(task, examples, encoded, outputs))


def windows_of(encoded) -> list[tuple[int, int]]:
    """The context tokens in each window, read off the words' numbers."""
    found = []
    for sequence in toy_tokenizers.sequences(encoded):
        words = [token - 100 for token in sequence if token >= 100]
        found.append((words[0], words[-1] + 1) if words else (0, 0))
    return found


# windows


def test_windows_begin_a_stride_apart_and_repeat_the_question():
    encoded = encode(question(numbered(10)), stride=2)
    assert toy_tokenizers.sequences(encoded) == [
        [0, 20, 21, 2, 2, 100, 101, 102, 103, 2],
        [0, 20, 21, 2, 2, 102, 103, 104, 105, 2],
        [0, 20, 21, 2, 2, 104, 105, 106, 107, 2],
        [0, 20, 21, 2, 2, 106, 107, 108, 109, 2],
    ]
    assert encoded.owner.tolist() == [0, 0, 0, 0]
    assert encoded.units.tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("tokens", "stride", "expected"),
    [
        (10, 3, [(0, 4), (3, 7), (6, 10)]),
        (11, 3, [(0, 4), (3, 7), (6, 10), (9, 11)]),
        (10, 9, [(0, 4), (4, 8), (8, 10)]),  # a stride wider than the window leaves no gap
        (4, 1, [(0, 4)]),
        (5, 1, [(0, 4), (1, 5)]),
    ],
)
def test_stride_is_the_step_not_the_overlap(tokens, stride, expected):
    assert windows_of(encode(question(numbered(tokens)), stride=stride)) == expected


def test_long_questions_are_cut_at_their_own_limit():
    asked = Question("q", "q", "30 31", "10 11 12 13", ("30",), (0,))
    limits = Limits(max_length=9, max_query_length=3)
    encoded = formats.encode(TASK, [asked], NUMBERS, limits)
    assert encoded.ids.tolist() == [0, 10, 11, 12, 2, 2, 30, 31, 2]


def test_context_is_of_segment_one_in_bert():
    limits = Limits(max_length=20)
    bert = toy_tokenizers.bert_numbers()
    encoded = formats.encode(TASK, [question("30 31", "31")], bert, limits)
    assert encoded.ids.tolist() == [2, 20, 21, 3, 30, 31, 3]
    assert encoded.types.tolist() == [0, 0, 0, 0, 1, 1, 1]
    assert encoded.targets["span"].tolist() == [[5, 5]]


def test_a_question_that_leaves_no_room_is_a_programmers_error():
    with pytest.raises(AssertionError):
        encode(question(numbered(3)), room=0)


def test_most_context():
    # windows (0,4) (2,6) (4,8) (6,10). Token 2 has min(2, 1) = 1 beside it in the first and
    # min(0, 3) = 0 in the second; token 3 has 0 and min(1, 2) = 1; and so on, two by two
    encoded = encode(question(numbered(10)), stride=2)
    best = encoded.targets["best_window"].reshape(4, 10)[:, 5:9]
    assert best.tolist() == [
        [True, True, True, False],
        [False, True, True, False],
        [False, True, True, False],
        [False, True, True, True],
    ]
    assert encoded.targets["best_window"].sum() == 10  # none of the question's or the specials


def test_a_longer_window_counts_a_hundredth_a_token():
    # windows (0,200) and (128,210). Token 164 has 35 to its right in the first and 36 to its
    # left in the second; 35 + 2.00 is more than 36 + 0.82. Token 165: 34 + 2.00 < 37 + 0.82
    encoded = encode(question(numbered(210)), room=200)
    assert windows_of(encoded) == [(0, 200), (128, 210)]
    head, second = 5, int(encoded.offsets[1]) + 5 - 128
    best = encoded.targets["best_window"]
    assert [bool(best[head + token]) for token in (163, 164, 165)] == [True, True, False]
    assert [bool(best[second + token]) for token in (163, 164, 165)] == [False, False, True]


def run_squad_windows(tokens: int, room: int, stride: int) -> list[tuple[int, int]]:
    """run_squad's rule, told anew: begin at 0, take what fits, step on until the end is seen."""
    found = [(0, min(room, tokens))]
    while found[-1][1] < tokens:
        start = found[-1][0] + min(stride, found[-1][1] - found[-1][0])
        found.append((start, min(start + room, tokens)))
    return found


def run_squad_best(token: int, windows: list[tuple[int, int]]) -> int:
    """The window that shows the token best; of equally good ones the first."""
    best, best_score = NOWHERE, 0.0
    for number, (start, end) in enumerate(windows):
        if start <= token < end:
            score = min(token - start, end - 1 - token) + 0.01 * (end - start)
            if best == NOWHERE or score > best_score:
                best, best_score = number, score
    return best


@given(st.integers(1, 300), st.integers(1, 250), st.integers(1, 250))
@example(210, 200, 128)
def test_windows_are_those_of_run_squad(tokens, room, stride):
    assume(tokens / min(room, stride) < 40)
    encoded = encode(question(numbered(tokens)), room=room, stride=stride)
    windows = run_squad_windows(tokens, room, stride)
    assert windows_of(encoded) == windows
    for number, (start, end) in enumerate(windows):
        offset = int(encoded.offsets[number]) + 5
        flags = encoded.targets["best_window"][offset : offset + end - start]
        expected = [run_squad_best(token, windows) == number for token in range(start, end)]
        assert flags.tolist() == expected
    assert encoded.targets["best_window"].sum() == tokens  # every token in one window


# targets


def test_answers_are_found_by_their_characters():
    # the answer is words 3 and 4; windows (0,4) (2,6) (4,8) (6,10), where words stand from 5 on
    encoded = encode(question(numbered(10), "103 104"), stride=2)
    assert encoded.targets["span"].tolist() == [[0, 0], [6, 7], [0, 0], [0, 0]]
    first = encoded.targets["chars"][:10]
    assert first.tolist() == [[-1, -1]] * 5 + [[0, 3], [4, 7], [8, 11], [12, 15]] + [[-1, -1]]


def test_an_answer_inside_a_token_is_the_whole_token():
    encoded = encode(question("110 111 112", "10 1"))  # of "110" and of "111"
    assert encoded.targets["span"].tolist() == [[5, 6]]


def test_questions_without_answer_point_at_the_first_token():
    assert encode(question(numbered(3))).targets["span"].tolist() == [[0, 0]]


def test_of_several_answers_the_first_is_learnt_and_all_are_gold():
    asked = Question("q", "g", numbered(4), "20 21", ("102", "100"), (8, 0))
    encoded = encode(asked)
    assert encoded.targets["span"].tolist() == [[7, 7]]
    (row,) = decode([asked], encoded, perfect(encoded))
    assert row == {
        "id": "q",
        "group": "g",
        "gold": ["102", "100"],
        "prediction": "102",
        "null_odds": -18.0,  # nothing at the first token, 9 + 9 at the answer
    }


@pytest.mark.parametrize(
    ("context", "answer"),
    [
        ("กรุงเทพมหานครเป็นเมืองหลวงของประเทศไทย", "เมืองหลวง"),
        ("长江是亚洲最长的河流,流入东海。", "东海"),
        ("東京タワーは1958年に完成した。", "1958年"),
        ("वह दिल्ली में रहती है", "दिल्ली"),
        ("le re\u0301sume\u0301 est court", "re\u0301sume\u0301"),
        ("he said 🙂👩‍👩‍👧 and left", "👩‍👩‍👧"),
        ("الكتاب على الطاولة", "على"),
    ],
)
@pytest.mark.parametrize("normalizer", [None, normalizers.NFC(), normalizers.NFKC()])
def test_answers_come_back_character_by_character(context, answer, normalizer):
    tokenizer = toy_tokenizers.characters()
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    asked = question(context, answer)
    encoded = encode(asked, room=60, tokenizer=tokenizer)
    (row,) = decode([asked], encoded, perfect(encoded))
    assert row["prediction"] == answer


def test_composed_characters_cover_their_marks():
    """NFC makes one token of a letter and its marks; the answer keeps all of them."""
    tokenizer = toy_tokenizers.characters()
    tokenizer.normalizer = normalizers.NFC()
    context = "a\u0323\u0302b e\u0301"
    assert len(unicodedata.normalize("NFC", context)) == 4
    encoded = encode(question(context, "e\u0301"), tokenizer=tokenizer)
    inside = encoded.targets["chars"][encoded.targets["chars"][:, 0] >= 0]
    assert inside.tolist() == [[0, 3], [3, 4], [4, 5], [5, 7]]


@pytest.mark.parametrize("answer", ["서울", "ﾄﾞ", "é"])
def test_letters_in_parts_are_not_cut(answer):
    """Hangul in its letters, narrow kana with its voicing, a letter with its mark (by Unicode)."""
    tokenizer = toy_tokenizers.characters()
    tokenizer.normalizer = normalizers.NFKC()
    whole = unicodedata.normalize("NFD", answer)
    assert len(whole) > len(unicodedata.normalize("NFKC", whole))
    asked = question(f"b{whole}b {whole}", whole)
    encoded = encode(asked, room=60, tokenizer=tokenizer)
    (row,) = decode([asked], encoded, perfect(encoded))
    assert row["prediction"] == whole


def test_white_space_around_a_prediction_goes():
    asked = question("ab  cd", "ab")
    encoded = encode(asked, room=6, tokenizer=CHARACTERS)
    outputs = np.zeros((len(encoded.ids), 2), np.float32)
    outputs[5, 0] = outputs[8, 1] = 9  # "ab  "
    assert decode([asked], encoded, outputs)[0]["prediction"] == "ab"


# the search for the best span


def searched(starts: dict[int, float], ends: dict[int, float], tokens=100) -> str:
    """The prediction over one window where these tokens have these logits and others -50."""
    asked = question(numbered(tokens))
    encoded = encode(asked, room=tokens)
    outputs = np.full((len(encoded.ids), 2), -50, np.float32)
    for token, logit in starts.items():
        outputs[5 + token, 0] = logit
    for token, logit in ends.items():
        outputs[5 + token, 1] = logit
    return decode([asked], encoded, outputs)[0]["prediction"]


def test_an_answer_has_at_most_30_tokens():
    assert len(searched({0: 9}, {29: 9}).split()) == 30
    assert searched({0: 9, 1: 5}, {30: 9}) == searched({1: 5}, {30: 9})  # 31 tokens are too many


def test_an_end_does_not_come_before_its_start():
    assert searched({5: 9, 2: 1}, {4: 9}) == "102 103 104"
    assert searched({5: 9}, {5: 9}) == "105"


def test_only_the_20_best_starts_and_ends_are_paired():
    later = dict.fromkeys(range(50, 69), 5.0)  # 19 starts, all behind the one good end
    assert searched(later | {3: 4.0}, {4: 9}) == "103 104"  # the 20th start
    # with one more it is the 21st, and not looked at. The 20 best ends are 4 and, as all others
    # are equal, 0 to 19: none of them is behind one of the 20 best starts
    assert searched(later | {69: 5.0, 3: 4.0}, {4: 9}) == ""


def test_question_and_special_tokens_are_never_the_answer():
    asked = question(numbered(3))
    encoded = encode(asked)
    outputs = np.zeros((len(encoded.ids), 2), np.float32)
    outputs[[0, 1, 2, 3, 4, 8]] = 9  # all but the context
    outputs[6] = 1
    assert decode([asked], encoded, outputs)[0]["prediction"] == "101"


def test_a_start_counts_in_the_window_with_most_context_only():
    # token 3 is best shown in the second of the windows (0,4) (2,6)
    asked = question(numbered(6))
    encoded = encode(asked, stride=2)
    outputs = np.zeros((len(encoded.ids), 2), np.float32)
    outputs[5 + 3] = 9  # in the first window: no start there, but an end
    assert decode([asked], encoded, outputs)[0]["prediction"] == "100 101 102 103"
    outputs[10 + 5 + 1] = 5  # in the second window
    assert decode([asked], encoded, outputs)[0]["prediction"] == "103"


def test_the_best_window_wins():
    asked, other = question(numbered(8), name="a"), question(numbered(2), name="b")
    encoded = encode(asked, other)
    assert windows_of(encoded) == [(0, 4), (4, 8), (0, 2)]
    outputs = np.zeros((len(encoded.ids), 2), np.float32)
    outputs[5 + 1] = 3
    outputs[10 + 5 + 2] = 4
    outputs[20 + 5] = 1
    rows = decode([asked, other], encoded, outputs)
    assert [(row["id"], row["prediction"]) for row in rows] == [("a", "106"), ("b", "100")]


def test_an_empty_context_has_an_empty_answer():
    asked = question("")
    encoded = encode(asked)
    (row,) = decode([asked], encoded, np.zeros((len(encoded.ids), 2), np.float32))
    assert (row["prediction"], row["null_odds"]) == ("", np.inf)


@pytest.mark.parametrize(
    ("answer_score", "odds", "silent"),
    [
        (4.0, -1.5, False),
        (2.5, 0.0, False),  # no answer must be better, not as good
        (1.0, 1.5, True),
    ],
)
def test_unanswerable_questions(answer_score, odds, silent):
    """No answer scores 3, 2.5 and 4 in the three windows: the least counts."""
    asked = question(numbered(12))
    encoded = encode(asked)
    outputs = np.full((len(encoded.ids), 2), -9, np.float32)
    outputs[0], outputs[10], outputs[20] = (1.0, 2.0), (2.0, 0.5), (4.0, 0.0)
    outputs[10 + 5 + 2] = answer_score / 2
    (row,) = decode([asked], encoded, outputs, MAY_BE_SILENT)
    assert row["null_odds"] == odds
    assert row["prediction"] == ("" if silent else "106")
    (spoken,) = decode([asked], encoded, outputs, TASK)  # SQuAD v1.1 always answers
    assert (spoken["prediction"], spoken["null_odds"]) == ("106", odds)


def searched_by_loops(encoded, outputs, context: str) -> str:
    """The documented search, pair by pair."""
    best_score, best_text = -np.inf, ""
    for window in range(len(encoded)):
        places = range(int(encoded.offsets[window]), int(encoded.offsets[window + 1]))
        chars = encoded.targets["chars"]
        inside = [p for p in places if chars[p][0] >= 0]
        starts = [p for p in inside if encoded.targets["best_window"][p]]
        for start in sorted(starts, key=lambda p: -outputs[p, 0])[:20]:
            for end in sorted(inside, key=lambda p: -outputs[p, 1])[:20]:
                score = outputs[start, 0] + outputs[end, 1]
                if start <= end < start + 30 and score > best_score:
                    best_score = score
                    best_text = context[chars[start][0] : chars[end][1]]
    return best_text


@given(
    st.integers(1, 90),
    st.integers(10, 80),
    st.integers(5, 80),
    st.integers(0, 2**32 - 1),
)
def test_search_is_the_one_told_in_loops(tokens, room, stride, seed):
    asked = question(numbered(tokens))
    encoded = encode(asked, room=room, stride=stride)
    outputs = np.random.default_rng(seed).normal(size=(len(encoded.ids), 2)).astype(np.float32)
    (row,) = decode([asked], encoded, outputs)
    assert row["prediction"] == searched_by_loops(encoded, outputs, asked.context)


# there and back

CONTEXTS = st.text(
    st.one_of(st.characters(codec="utf-8"), st.sampled_from("ab กขิ中文é\u0301ाि 👩\u200d")),
    min_size=1,
    max_size=90,
)


@given(st.data(), CONTEXTS)
def test_perfect_outputs_give_the_answer_back(data, context):
    """Every character is a token, so that every answer is one of whole tokens.

    An answer of n tokens is whole in the window that shows its start best if windows overlap by
    at least 2n - 1: in the middle of the overlap there are n - 1 tokens on either side.
    """
    start = data.draw(st.integers(0, len(context) - 1), label="start")
    end = data.draw(st.integers(start + 1, min(len(context), start + 30)), label="end")
    overlap = data.draw(st.integers(2 * (end - start) - 1, 70), label="overlap")
    stride = data.draw(st.integers(1, 20), label="stride")
    asked = Question("q", "q", context, "zz", (context[start:end],), (start,))
    encoded = encode(asked, room=overlap + stride, stride=stride, tokenizer=CHARACTERS)
    (row,) = decode([asked], encoded, perfect(encoded))
    assert row["prediction"] == context[start:end].strip()


@given(st.data(), st.lists(st.integers(100, 999), min_size=1, max_size=60))
def test_perfect_outputs_give_whole_words_back(data, numbers):
    words = [str(number) for number in numbers]
    first = data.draw(st.integers(0, len(words) - 1), label="first word")
    last = data.draw(st.integers(first, min(len(words) - 1, first + 14)), label="last word")
    answer, start = " ".join(words[first : last + 1]), 4 * first
    asked = Question("q", "q", " ".join(words), "20 21", (answer,), (start,))
    encoded = encode(asked, room=60, stride=20)
    (row,) = decode([asked], encoded, perfect(encoded))
    assert row["prediction"] == answer

"""A misleading sentence at the end of a context."""

from __future__ import annotations

from dataclasses import replace

from xstilts.formats.examples import Question
from xstilts.path import Noise
from xstilts.perturb.distractor import _SENTENCE
from xstilts.perturb.examples import perturbed
from xstilts.tasks import TASKS

ASKED = Question(
    "1", "a", "The river of Rome is the Tiber.", "Which river is in Rome?", ("Tiber",), (25,)
)
OTHERS = [
    Question(
        "2",
        "b",
        "The river in Lyon is the Saône. Cats sleep most of the day.",
        "?",
        ("Lyon",),
        (13,),
    ),
    Question("3", "c", "The river in Rome is the tiber, they say.", "?", ("Rome",), (13,)),
    Question("4", "a", "Which river is in Rome is often asked.", "?", ("Rome",), (18,)),
]


def distracted(questions, severity):
    return perturbed(TASKS["xquad"], questions, Noise("distractor", severity), "en", 1)


def test_the_closest_sentence_without_an_answer():
    """Not the one that holds the answer, nor one of the same article."""
    new = distracted([ASKED, *OTHERS], 1)[0]
    assert new == replace(ASKED, context=f"{ASKED.context} The river in Lyon is the Saône.")


def test_a_share_of_the_questions():
    many = [replace(ASKED, id=str(i), question=f"Which river {i}?") for i in range(200)]
    counts = [
        sum(new != old for old, new in zip(many, distracted([*many, *OTHERS], s), strict=False))
        for s in (0, 0.3, 1)
    ]
    assert counts[0] == 0
    assert 35 < counts[1] < 85  # four standard deviations round 60
    assert counts[2] == 200


def test_nothing_to_add():
    assert distracted([ASKED], 1) == [ASKED]


def test_a_distractor_is_a_whole_sentence():
    """Not from the middle of a long one, nor from behind a decimal point."""
    long = "word " * 80 + "at its end."
    chinese = "他们住在北京的一个小房子里面很多年了。又一个足够长的句子在这里结束了吧。"
    text = f"It costs 3.5 million euros in all. {long} {chinese}"
    assert [match[0] for match in _SENTENCE.finditer(text)] == [
        "It costs 3.5 million euros in all.",
        "他们住在北京的一个小房子里面很多年了。",
        "又一个足够长的句子在这里结束了吧。",
    ]

"""Files of the leaderboards, each format with a small one of our own; scores by hand."""

from __future__ import annotations

import json
from typing import Any

import pytest

from xstilts.errors import AbsentError, UserError
from xstilts.metrics.leaderboard import score_file
from xstilts.metrics.submission import suffix
from xstilts.tasks import TASKS


@pytest.fixture
def score(tmp_path):
    """Write a file of predictions and one of labels, and score them."""

    def run(task: str, predictions: Any, gold: Any, language: str = "en"):
        for name, content in (("predictions", predictions), ("gold", gold)):
            text = content if isinstance(content, str) else json.dumps(content)
            (tmp_path / name).write_bytes(text.encode())
        return score_file(TASKS[task], tmp_path / "predictions", tmp_path / "gold", language)

    return run


def squad(*questions: tuple[str, list[str]]) -> dict:
    asked = [
        {"id": name, "question": "?", "answers": [{"text": t, "answer_start": 0} for t in answers]}
        for name, answers in questions
    ]
    return {"version": "1.1", "data": [{"paragraphs": [{"context": "", "qas": asked}]}]}


def test_labels(score):
    found = score("xnli", "neutral\nentailment\nneutral\n", "neutral\nneutral\nneutral")
    assert (found.n, found.values) == (3, {"accuracy": pytest.approx(2 / 3)})
    assert found.notes == ()
    assert score("pawsx", "1\r\n0\r\n", "1\n0\n").score == 1  # of Windows
    assert score("pawsx", "\ufeff1\n0\n", "0\n0\n", "ko").score == 0.5  # with a byte order mark
    assert score("qqp", "1\n1\n0\n", "1\n0\n0\n").score == pytest.approx((2 / 3 + 2 / 3) / 2)


def test_choices_are_json_lines_and_so_are_the_datasets_own(score):
    """run_xcopa.py writes the predictions; evaluate.py reads labels out of the dataset's rows."""
    gold = '{"premise": "P", "choice1": "a", "label": 0, "idx": 0}\n{"label": 1, "idx": 1}\n'
    assert score("xcopa", '{"label": 0}\n{"label": 0}\n', gold, "qu").score == 0.5
    assert score("xcopa", "0\n1\n", gold, "qu").score == 1  # the bare numbers will do
    assert score("copa", '{"label": 0}\n', '{"label": 1}\n').score == 0


def test_blanked_labels_are_noticed(score):
    """XTREME's download says "neutral" for all of XNLI's test set, and 0 for XCOPA's."""
    found = score("xnli", "neutral\n" * 20, "neutral\n" * 20)
    (note,) = found.notes
    assert note.startswith('every right label is "neutral": ')
    assert score("xnli", "neutral\n" * 19, "neutral\n" * 19).notes == ()
    assert score("xcopa", "0\n" * 20, "0\n" * 19 + "1\n", "et").notes == ()


def test_a_label_of_other_words_counts_as_wrong_and_is_mentioned(score):
    """MNLI's translated files say "contradictory"; evaluate.py compares text with text."""
    found = score("xnli", "contradictory\nneutral\n", "contradiction\nneutral\n")
    assert found.score == 0.5
    assert found.notes == ('1 predictions are no label of the task, such as "contradictory"',)
    assert score("xcopa", "2\n0\n", "0\n0\n", "et").notes[0].endswith('such as "2"')


@pytest.mark.parametrize(
    ("task", "predictions", "gold", "message"),
    [
        (
            *("xnli", "neutral\n", "neutral\nneutral\n"),
            "predictions has 1 lines, {}gold has 2: both need one for every row of the test set",
        ),
        ("xnli", "\n", "\n", "gold is empty: there is nothing to score"),
        (
            *("xnli", "neutral\n", "0\n"),
            'gold: "0" is no label of the task; allowed: contradiction, entailment, neutral',
        ),
        (
            *("panx", "O\nO\n\nO\n", "O\n\nO\n"),
            "predictions, sentence 1: 2 tags, {}gold has 1: every word needs one",
        ),
        ("panx", "O\n", "O\n\nO\n", "predictions has 1 sentences, {}gold has 2: both need"),
        ("bucc2018", "de-1 en-1\n", "de-1\ten-1\n", "predictions, line 1: expected two ids with"),
        ("xcopa", '{"answer": 1}', "1\n", "predictions, line 1: expected a label, or {{"),
        ("xcopa", '{"label": 1', "1\n", "predictions, line 1: expected a label, or {{"),
        ("xquad", '{"a": 1}', squad(("a", ["x"])), "predictions: every question id needs one"),
        ("xquad", "[]", squad(("a", ["x"])), "predictions: expected one JSON object"),
        ("xquad", '{"a":', squad(("a", ["x"])), "predictions, line 1: not JSON"),
        ("xquad", "{}", '{"data": [{}]}', "gold: not SQuAD's JSON (KeyError('paragraphs'))"),
        ("xquad", "{}", squad(("a", [""])), "gold has no answers: XTREME's download takes them"),
        ("mewslix", '{"m": "Q1"}', '{"m": ["Q1"]}', "predictions: every query id needs a list"),
    ],
)
def test_what_does_not_fit_is_refused(score, tmp_path, task, predictions, gold, message):
    with pytest.raises(UserError) as refused:
        score(task, predictions, gold)
    assert message.format(f"{tmp_path}/") in str(refused.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(AbsentError, match=f"no file {tmp_path}/g"):
        score_file(TASKS["xnli"], tmp_path / "p", tmp_path / "g", "en")


def test_entities(score):
    """Gold: one PER of two tokens, one LOC. Predicted: the PER and a LOC one token too short."""
    gold = "B-PER\nI-PER\nO\n\nB-LOC\nI-LOC\n"
    predicted = "B-PER\nI-PER\nO\n\nB-LOC\nO\n\n"  # an empty line more at the end
    found = score("panx", predicted, gold)
    assert found.values == {"seqeval_f1": 0.5, "tag_accuracy": pytest.approx(4 / 5)}
    assert found.score == 0.5
    assert found.n == 2


def test_no_entity_on_either_side(score):
    """seqeval's F1 is then 0, not 1; the tags are all right."""
    assert score("panx", "O\nO\n", "O\nO\n").values == {"seqeval_f1": 0, "tag_accuracy": 1}


def test_parts_of_speech_are_chunks(score):
    """NOUN NOUN VERB against NOUN VERB VERB: 2 of 3 tags, and no chunk in common."""
    found = score("udpos", "NOUN\nVERB\nVERB\n", "NOUN\nNOUN\nVERB\n")
    assert found.values == {"pos_f1": 0, "tag_accuracy": pytest.approx(2 / 3)}


def test_a_file_of_words_and_tags_is_read_too(score):
    assert score("udpos", "NOUN\nVERB\n", "boat\tNOUN\nruns\tVERB\n").score == 1


def test_answers(score):
    """Empty, missing and superfluous predictions; a question that stands twice counts twice."""
    gold = squad(("a", ["red boat", "boat"]), ("b", ["nine"]), ("c", ["ten"]), ("a", ["sea"]))
    found = score("xquad", {"a": "the boat", "b": "", "z": "nine"}, gold)
    assert found.values == {"squad_f1": 1 / 4, "squad_exact_match": 1 / 4}
    assert found.n == 4
    assert found.notes == (
        "1 of 3 questions have no prediction and score 0",
        "1 predictions are for questions that are not asked",
    )


def test_no_prediction_is_not_an_empty_one(score):
    """Nothing is left of the answer "A", nor of "": equal in the scripts; a missing id is not."""
    gold = squad(("q", ["A"]), ("p", ["nine"]))
    for task, language in (("xquad", "en"), ("mlqa", "en")):
        names = TASKS[task].metrics
        empty = score(task, {"q": "", "p": "nine"}, gold, language)
        assert [empty.values[name] for name in names] == [0.5, 1]
        missing = score(task, {"p": "nine"}, gold, language)
        assert [missing.values[name] for name in names] == [0.5, 0.5]
    silent = score("squad_v2", {}, squad(("q", []), ("p", ["nine"])))
    assert silent.values == {"squad_v2_f1": 0, "squad_v2_exact_match": 0}


def test_of_an_id_that_stands_twice_in_the_predictions_the_last_counts(score):
    assert score("xquad", '{"a": "boat", "a": "sea"}', squad(("a", ["sea"]))).score == 1


@pytest.mark.parametrize(
    ("task", "language", "gold", "prediction", "f1", "exact"),
    [
        # Thai has no spaces: one word, right or wrong as a whole.
        ("xquad", "th", "แม่น้ำเจ้าพระยา", "แม่น้ำ", 0, 0),
        # SQuAD's rules see one word in a Chinese answer, MLQA's seven: 2*2 / (4 + 2).
        ("xquad", "zh", "北京大学", "北京", 0, 0),
        ("mlqa", "zh", "北京大学", "北京", 2 / 3, 0),
        ("mlqa", "zh", "《史记》", "史记", 1, 1),
        # Arabic "ال" goes in MLQA, in the middle of a word too, and leaves a space.
        ("mlqa", "ar", "القاهرة", "قاهرة", 1, 1),
        ("tydiqa", "ar", "القاهرة", "قاهرة", 0, 0),
        # A zero-width joiner is part of a word in both.
        ("xquad", "hi", "क्\u200dष", "क्ष", 0, 0),
        ("mlqa", "hi", "क्\u200dष", "क्ष", 0, 0),
        # Full-width and ASCII digits are different characters; English articles go everywhere.
        ("xquad", "zh", "１９９０", "1990", 0, 0),
        ("xquad", "vi", "a", "the", 0, 1),  # both empty: equal, without overlap
        ("tydiqa", "fi", "The Oulu", "oulu.", 1, 1),
    ],
)
def test_answers_in_other_scripts(score, task, language, gold, prediction, f1, exact):
    found = score(
        task,
        {"q": prediction},
        squad(
            ("q", [gold]),
        ),
        language,
    )
    values = [found.values[name] for name in TASKS[task].metrics]
    assert values == [pytest.approx(f1), exact]


def test_mlqa_needs_a_language(score):
    with pytest.raises(UserError, match="mlqa needs --language, as its rules differ: en, ar, de"):
        score("mlqa", {"q": "x"}, squad(("q", ["x"])), "")


def test_squad_v2_rewards_silence(score):
    found = score("squad_v2", {"a": "", "b": ""}, squad(("a", []), ("b", ["nine"])))
    assert found.values == {"squad_v2_f1": 0.5, "squad_v2_exact_match": 0.5}


def test_tatoeba_is_numbers_of_sentences(score):
    assert score("tatoeba", "3\n0\n1\n", "3\n1\n1\n", "de").score == pytest.approx(2 / 3)


def test_bucc_is_a_set_of_pairs(score):
    """Two of three predicted pairs are right, of four gold ones: 2*2 / (3 + 4)."""
    gold = "de-1\ten-1\nde-2\ten-2\nde-3\ten-3\nde-4\ten-4\n"
    predicted = "de-1\ten-1\nde-2\ten-2\nde-2\ten-2\nde-3\ten-9\n"
    found = score("bucc2018", predicted, gold, "de")
    assert found.values == {"bitext_f1": pytest.approx(4 / 7)}
    assert score("bucc2018", "", gold, "de").score == 0


def test_mewslix_is_the_rank_of_one_entity(score):
    """First, third, not among twenty, and a mention without predictions."""
    gold = {"a": ["Q1"], "b": [" Q2 "], "c": ["Q3"], "d": ["Q4"]}
    ranked = {
        "a": ["Q1"],
        "b": ["Q9", "Q8", "Q2"],
        "c": [f"Q{n}" for n in range(100, 120)] + ["Q3"],
    }
    found = score("mewslix", ranked, gold, "uk")
    assert found.values == {"reciprocal_rank_at_20": pytest.approx((1 + 1 / 3) / 4)}
    assert found.notes == ("1 of 4 queries have no prediction and score 0",)


def test_lareqa_is_average_precision(score):
    """Two right answers, found first and third: (1/1 + 2/3) / 2; repetitions are nothing."""
    gold = {"q_en": ["en_1_0", "de_1_0"]}
    ranked = {"q_en": ["en_1_0", "en_1_0", "de_1_0"]}
    assert score("lareqa", ranked, gold).score == pytest.approx((1 + 2 / 3) / 2)


def test_endings():
    lines = {name for name, task in TASKS.items() if task.metrics and suffix(task) == "jsonl"}
    assert lines == {*("csqa", "hellaswag", "codah", "cosmos_qa", "social_iqa", "copa", "xcopa")}
    json_ = {name for name, task in TASKS.items() if task.metrics and suffix(task) == "json"}
    assert json_ == {
        *(
            "squad_dev",
            "squad_v1",
            "squad_whole",
            "squad_v2",
            "xquad",
            "mlqa",
            "tydiqa",
            "lareqa",
            "mewslix",
        )
    }


def test_text_has_no_score(score):
    with pytest.raises(UserError, match='task "mlm" is a text; there is nothing to score'):
        score("mlm", "", "")

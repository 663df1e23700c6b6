"""What holds for every metric, and the room's doors: get, counts, score."""

from __future__ import annotations

import doctest
import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xstilts import metrics
from xstilts.errors import UserError
from xstilts.metrics import METRICS, counts, get, score
from xstilts.metrics.mlqa import NORMALISERS

LANGUAGES = sorted(NORMALISERS)
NAMES = sorted(METRICS)
FAULTS = {"illegal_output", "accidental_translation"}  # shares of what should not be

# Words that each rule treats differently: articles, punctuation, Han, joiners, nothing.
WORDS = [
    *("the", "der", "la", "của", "ال", "北京", "2008", "क्या।", "กรุงเทพ", "É", "$5", "《》", "."),
    *("un\u0303a", "\u200d", "kolo"),
]
labels = st.sampled_from(["yes", "no", "maybe"])
texts = st.lists(st.sampled_from(WORDS), max_size=5).map(" ".join)
ids = st.sampled_from("abcdefghijklmnopqrstuvwxyz")
rankings = st.lists(ids, max_size=26)


def unit(gold, prediction):
    return st.fixed_dictionaries({"gold": gold, "prediction": prediction})


@st.composite
def tagged(draw, tags):
    sentence = st.lists(st.tuples(st.sampled_from(tags), st.sampled_from(tags)), min_size=1)
    gold, prediction = zip(*draw(sentence), strict=True)
    return {"gold": list(gold), "prediction": list(prediction)}


IOB = tagged(["O", "B-PER", "I-PER", "B-LOC", "I-LOC"])
UPOS = tagged(["NOUN", "VERB", "CCONJ", "SCONJ", "SYM", "INTJ", "X"])
answerable = unit(st.lists(texts, min_size=1, max_size=3), texts)
UNITS = {
    "accuracy": unit(labels, labels),
    "positive_f1": unit(st.sampled_from("01"), st.sampled_from("01")),
    "tag_accuracy": IOB,
    "seqeval_f1": IOB,
    "pos_f1": UPOS,
    "squad_v2_f1": unit(st.lists(texts, max_size=3), texts),
    "squad_v2_exact_match": unit(st.lists(texts, max_size=3), texts),
    "bitext_f1": unit(st.lists(ids, max_size=3), st.lists(ids, max_size=3)),
    "retrieval_accuracy": unit(ids, rankings),
    "reciprocal_rank_at_20": unit(ids, rankings),
    "average_precision_at_20": unit(st.lists(ids, min_size=1), rankings),
    "squad_f1": answerable,
    "squad_exact_match": answerable,
    "mlqa_f1": answerable,
    "mlqa_exact_match": answerable,
    "masked_lm_likelihood": unit(st.integers(1, 9), st.floats(0, 99)),
} | dict.fromkeys(
    FAULTS, st.fixed_dictionaries({"legal": st.booleans(), "translated": st.booleans()})
)

# The best that can be predicted, given gold that can be matched at all.
PERFECT = {
    "accuracy": [("yes", "yes"), ("no", "no")],
    "positive_f1": [("1", "1"), ("0", "0")],
    "tag_accuracy": [(["O", "B-PER"], ["O", "B-PER"])],
    "seqeval_f1": [(["O", "B-PER", "I-PER", "I-LOC"],) * 2, (["O"], ["O"])],
    "pos_f1": [(["NOUN", "NOUN", "SCONJ", "SCONJ", "X"],) * 2],
    "squad_v2_f1": [(["Oslo", "Bergen"], "Bergen"), ([], "")],
    "squad_v2_exact_match": [(["Oslo", "Bergen"], "Bergen"), ([], "")],
    "bitext_f1": [(["a"], ["a"]), (["b", "c"], ["c", "b"]), ([], [])],
    "retrieval_accuracy": [("a", ["a", "b"]), ("b", ["b"])],
    "reciprocal_rank_at_20": [("a", ["a", "b"])],
    "average_precision_at_20": [(["a", "b"], ["b", "a", "c"]), (["c"], ["c"])],
    "squad_f1": [(["Oslo", "Bergen"], "Bergen"), (["北京 大学"], "北京 大学")],
    "masked_lm_likelihood": [(3, 0.0), (1, 0.0)],
}
for same in ("squad_exact_match", "mlqa_f1", "mlqa_exact_match"):
    PERFECT[same] = PERFECT["squad_f1"]


@pytest.mark.parametrize("name", NAMES)
@given(data=st.data())
def test_score_is_a_share_and_comes_from_counts_alone(name, data):
    metric, language = get(name), data.draw(st.sampled_from(LANGUAGES))
    some = data.draw(st.lists(UNITS[name], min_size=1, max_size=6))
    more = data.draw(st.lists(UNITS[name], min_size=1, max_size=6))

    value = score(metric, some + more, language)
    assert 0 <= value <= 1

    # Counts of parts add up to the counts of the whole, whatever stands beside them.
    sums = counts(metric, some, language).sum(axis=0) + counts(metric, more, language).sum(axis=0)
    assert metric.value(sums.tolist()) == pytest.approx(value, abs=1e-12)

    # Order does not matter.
    shuffled = random.Random(0).sample(some + more, len(some) + len(more))
    assert score(metric, shuffled, language) == pytest.approx(value, abs=1e-12)

    # The same units twice are the same score.
    assert score(metric, (some + more) * 2, language) == pytest.approx(value, abs=1e-12)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", sorted(PERFECT))
def test_perfect_predictions_score_one(name, language):
    units = [{"gold": gold, "prediction": prediction} for gold, prediction in PERFECT[name]]
    assert score(get(name), units, language) == 1


@pytest.mark.parametrize("name", NAMES)
def test_absent_language_has_no_score(name):
    with pytest.raises(ValueError, match=f"no units to score: metric {name}, language yo"):
        score(get(name), [], "yo")


def test_sentences_without_tokens_have_no_accuracy():
    with pytest.raises(ValueError, match="nothing to score"):
        score(get("tag_accuracy"), [{"gold": [], "prediction": []}], "en")


def test_counts_are_a_row_a_unit():
    sentences = [
        {"gold": ["B-PER", "O"], "prediction": ["B-PER", "B-LOC"]},
        {"gold": ["O"], "prediction": ["O"]},
    ]
    # First sentence: one of two predicted chunks is the one gold chunk. Second: none at all.
    array = counts(get("seqeval_f1"), sentences, "en")
    assert array.tolist() == [[1, 2, 1], [0, 0, 0]]
    assert array.dtype == "float64"


def test_unknown_metric_is_named_with_the_nearest():
    with pytest.raises(UserError) as error:
        get("sqaud_f1")
    assert str(error.value) == 'metric "sqaud_f1" is unknown; did you mean "squad_f1"?'


def test_metrics_are_listed_under_their_names():
    assert all(metric.name == name for name, metric in METRICS.items())
    assert set(UNITS) == set(PERFECT) | FAULTS == set(METRICS)


@pytest.mark.parametrize(
    ("name", "language", "gold", "prediction", "value"),
    [
        ("accuracy", "en", 2, 2, 1),
        # NOUN NOUN against NOUN VERB: one tag of two, no chunk at all.
        ("tag_accuracy", "en", ["NOUN", "NOUN"], ["NOUN", "VERB"], 1 / 2),
        ("pos_f1", "en", ["NOUN", "NOUN"], ["NOUN", "VERB"], 0),
        ("seqeval_f1", "en", ["B-PER", "B-PER"], ["B-PER", "O"], 2 / 3),  # 2*1 / (1 + 2)
        # Full-width brackets: SQuAD keeps them, MLQA does not. Chinese: words, characters.
        ("squad_f1", "zh", ["《史记》 卷"], "史记 卷", 1 / 2),
        ("squad_exact_match", "zh", ["《史记》 卷"], "史记 卷", 0),
        ("mlqa_f1", "zh", ["《史记》 卷"], "史记", 4 / 5),
        ("mlqa_exact_match", "zh", ["《史记》 卷"], "史记 卷", 1),
        ("mlqa_exact_match", "zh", ["史记"], "史", 0),
        # What only v2.0 forgives, and what only v1.1 does; see test_span.py.
        ("squad_f1", "en", ["The"], "", 0),
        ("squad_v2_f1", "en", ["The"], "", 1),
        ("squad_v2_f1", "en", ["one two"], "one", 2 / 3),
        ("squad_exact_match", "en", ["Paris", "The"], "", 1),
        ("squad_v2_exact_match", "en", ["Paris", "The"], "", 0),
        ("squad_v2_exact_match", "en", ["one two"], "one", 0),
        ("bitext_f1", "de", ["a", "b"], ["b", "c", "c"], 1 / 2),  # 2*1 / (2 + 2)
        ("retrieval_accuracy", "en", "b", ["a", "b"], 0),
        ("reciprocal_rank_at_20", "en", "b", ["a", "b"], 1 / 2),
        ("average_precision_at_20", "en", ["b", "c"], ["a", "b"], 1 / 4),
    ],
)
def test_each_name_stands_for_its_own_rules(name, language, gold, prediction, value):
    units = [{"gold": gold, "prediction": prediction}]
    assert score(get(name), units, language) == pytest.approx(value)


def test_only_mlqa_knows_languages():
    hindi = [{"gold": ["दिल्ली।"], "prediction": "दिल्ली"}]  # a danda: punctuation in MLQA only
    assert score(get("squad_f1"), hindi, "hi") == score(get("squad_f1"), hindi, "xx") == 0
    assert score(get("mlqa_f1"), hindi, "hi") == 1
    with pytest.raises(UserError, match='no rules for language "te"'):
        score(get("mlqa_f1"), hindi, "te")


def test_values_are_plain_floats():
    value = score(get("accuracy"), [{"gold": 1, "prediction": 1}], "en")
    assert type(value) is float
    assert math.isfinite(value)


def test_the_example_in_the_docstring():
    failed, tried = doctest.testmod(metrics)
    assert tried
    assert not failed

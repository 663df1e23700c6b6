"""benchmarks/microworld.py: what transfer is compared with, and that it survives masking."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from xstilts import models
from xstilts.formats.examples import Bitext, Choice, Pair, Question, Tagged
from xstilts.sources import Sources
from xstilts.store import Store
from xstilts.study import Study
from xstilts.tasks import TASKS

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "microworld.py"


@pytest.fixture(scope="module")
def script() -> dict:
    return runpy.run_path(str(SCRIPT))


def test_words_have_their_most_frequent_tag(script):
    rows = [
        Tagged("1", "1", ("Anna", "saw", "Anna"), ("NAME", "VERB", "NAME")),
        Tagged("2", "2", ("saw",), ("NOUN",)),
        Tagged("3", "3", ("saw",), ("VERB",)),
    ]
    test = [Tagged("4", "4", ("Anna", "saw", "nobody"), ("", "", ""))]
    # VERB and NAME are seen twice each; the first of equals counts.
    assert script["fitted"](rows)(test, "en") == [["NAME", "VERB", "NAME"]]


def test_words_of_pairs_and_choices_are_weighed(script):
    rows = [Pair(str(n), str(n), "a b", "not" if n % 2 else "b", "ny"[n % 2]) for n in range(8)]
    assert script["fitted"](rows)([rows[0], rows[1]], "en") == ["n", "y"]
    chosen = [Choice(str(n), str(n), "hungry", ("ate", "slept"), 0) for n in range(4)]
    swapped = Choice("5", "5", "hungry", ("slept", "ate"), 1)
    assert script["fitted"](chosen)([swapped], "en") == [1]


def test_the_sentence_most_like_a_question_and_the_nearest_sentence(script):
    one = Question("1", "1", "Anna saw Omar. Omar slept.", "Who slept?", (), ())
    assert script["sentences"]([one], "en") == ["Omar slept."]
    pairs = [Bitext("1", "1", "Anna in Sofia", "Omar in Rome"), Bitext("2", "2", "Omar", "Anna")]
    assert script["retrieved"](pairs, "de") == ["2", "1"]


def test_masked_rows_are_other_steps_and_training_rows_the_same(script):
    plain, masked = Sources(), script["Masked"]()
    task = TASKS["udpos"]
    data = task.sources["microworld"]
    for split, same in (("train", True), ("evaluate", False)):
        prints = [one.fingerprint(task, data, split, "en") for one in (plain, masked)]
        assert (prints[0] == prints[1]) is same
        rows = [one.examples(task, data, split, "en")[:50] for one in (plain, masked)]
        assert (rows[0] == rows[1]) is same
        assert [row.tags for row in rows[0]] == [row.tags for row in rows[1]]


@pytest.mark.slow
@pytest.mark.timeout(1800)  # half a minute on a free core
def test_transfer_is_more_than_words_and_survives_masking(script, tmp_path):
    """Three of the demo's targets, with more rows than there."""
    declared = Study(
        name="transfer",
        targets=("udpos[300]", "xcopa[400]", "tatoeba"),
        recipe="demo",
        options={"max_eval_rows": 60},
    )
    store = Store(tmp_path / "store")
    ours = script["scored"](declared, Sources(), store)
    masked = script["scored"](declared, script["Masked"](), store)
    random = script["randomised"](models.find("mini").location, tmp_path / "random")
    untrained = script["scored"](
        declared.model_copy(update={"models": (str(random),)}), Sources(), store
    )
    for text, name in zip(declared.targets, ("udpos", "xcopa", "tatoeba"), strict=True):
        words = script["by_words"](text, TASKS[name], 60)[name]["others"]
        assert ours[name]["others"] > max(untrained[name]["others"], words) + 0.05
    for name in ("udpos", "xcopa"):
        assert masked[name]["others"] > untrained[name]["others"] + 0.05
    assert masked["tatoeba"]["others"] > 3 / 60  # three times chance

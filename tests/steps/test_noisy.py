"""Perturbed rows in predict and train steps: only text differs, and it is the same every time."""

from __future__ import annotations

import numpy as np
import pyarrow.parquet as pq
import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

import small_tasks
from steps.runs import begun, trained
from xstilts.formats.examples import Bitext, Choice, Pair
from xstilts.model import tokenizer
from xstilts.steps import noisy, predict, stage
from xstilts.study import Options

NOISES = ("keyboard@0.3", "case@1")
TARGETS = {"s_xnli": "s_nli", "s_tags": "s_tags", "s_xquad": "s_squad", "s_choice": "s_choice"}


@pytest.fixture(scope="module")
def folder(small, calm, tmp_path_factory):
    path = "s_nli + s_choice + s_tags + s_squad | s_xnli"
    inputs = small_tasks.train_inputs(small, calm, path, options=Options(max_steps=20))
    return trained(small, calm, tmp_path_factory.mktemp("stage") / "out", inputs)[1]


def jobs(small, calm, target, *noises):
    head = TARGETS.get(target)
    path = f"{head} | {target}" if head else target
    plan = small_tasks.plan(small, calm, path, perturbations=noises)
    return [step.inputs for step in plan.steps.values() if step.kind == "predict"]


def predicted(small, folder, given):
    found = predict.predict(given, (folder, None), small_tasks.desk(small))
    return [rows for _, rows in sorted(found, key=lambda pair: pair[0])]


@pytest.mark.parametrize("target", [*TARGETS, "s_tatoeba"])
def test_ids_groups_and_labels_are_those_of_the_clean_rows(small, calm, folder, target):
    given = jobs(small, calm, target, *NOISES)
    every = predicted(small, folder, given)
    clean = {j["language"]: r for j, r in zip(given, every, strict=True) if "perturbation" not in j}
    assert len(every) == 3 * len(clean)
    changed = 0
    for job, rows in zip(given, every, strict=True):
        kept = ("id", "group") if target == "s_xquad" else ("id", "group", "gold")
        for name in kept:
            assert [r[name] for r in rows] == [r[name] for r in clean[job["language"]]]
        if "perturbation" in job:
            assert all(0 <= row["changed"] <= row["subwords"] for row in rows)
            changed += sum(row["changed"] for row in rows)
    assert changed


def test_perturbed_answers_are_pieces_of_their_contexts(small, calm, folder):
    """Gold answers move with their context: they are perturbed as it is."""
    given = jobs(small, calm, "s_xquad", "repeat@1")
    for job, rows in zip(given, predicted(small, folder, given), strict=True):
        if "perturbation" in job:
            doubled = [answer for row in rows for answer in row["gold"]]
            assert all(text[0] == text[1] for text in doubled)


def test_the_same_job_gives_the_same_rows_in_any_company(small, calm, folder):
    given = jobs(small, calm, "s_xnli", *NOISES)
    together, alone = predicted(small, folder, given), predicted(small, folder, given[-1:])
    for one, other in zip(together[-1], alone[0], strict=True):
        assert one["scores"] == pytest.approx(other["scores"], abs=1e-4)
        assert one["changed"] == other["changed"]


def test_severity_0_changes_nothing(small, calm, folder):
    given = [job for job in jobs(small, calm, "s_xnli", "keyboard@0") if job["language"] == "en"]
    clean, none = predicted(small, folder, given)
    assert [row["changed"] for row in none] == [0] * len(none)
    scores = [[row["scores"] for row in rows] for rows in (clean, none)]
    assert np.allclose(*scores, atol=1e-4)


def test_changed_subwords():
    """By hand, with a word for a piece: one replaced, one added, two lost, nothing."""
    words = {word: number for number, word in enumerate(["a", "b", "c", "d", "x"])}
    pieces = Tokenizer(WordLevel(words, unk_token="x"))
    pieces.pre_tokenizer = Whitespace()
    pairs = [("a b c d", "a x c d"), ("a b", "a b c"), ("a b c d", "a d"), ("a b", "a b")]
    before, after = (
        [Bitext(str(n), "g", pair[side], "a") for n, pair in enumerate(pairs)] for side in (0, 1)
    )
    assert list(noisy.changes(before, after, pieces)) == [
        {"subwords": 4, "changed": 1},
        {"subwords": 3, "changed": 1},
        {"subwords": 4, "changed": 2},
        {"subwords": 2, "changed": 0},
    ]
    choices = [Choice("1", "g", "a b", ("c", second), 0) for second in ("d", "x")]
    assert list(noisy.changes(choices[:1], choices[1:], pieces)) == [{"subwords": 4, "changed": 1}]


def test_the_share_is_kept_with_the_predictions(tmp_path):
    rows = [{"id": "1", "subwords": 8, "changed": 2}, {"id": "2", "subwords": 2, "changed": 0}]
    assert predict.write(rows, tmp_path) == {"rows": 2, "changed_subwords": 0.2}
    assert pq.read_table(tmp_path / predict.PREDICTIONS).to_pylist() == rows
    assert predict.write([{"id": "1"}], tmp_path) == {"rows": 1}


# --- training rows -----------------------------------------------------------------------------


def rows_of(small, inputs, seed):
    return stage.training_rows(inputs["items"][0], "files", small_tasks.desk(small), seed)


def test_training_rows_are_a_function_of_seed_and_row(small, tiny):
    clean = rows_of(small, small_tasks.train_inputs(small, tiny, "s_nli > s_tags"), 1)
    path = "s_nli ~keyboard@0.3 > s_tags"
    inputs = small_tasks.train_inputs(small, tiny, path)
    one, again, other = (rows_of(small, inputs, seed) for seed in (1, 1, 2))
    assert one == again != other
    assert one != clean
    for noised, plain in zip(one, clean, strict=True):
        assert isinstance(noised, Pair)
        assert (noised.id, noised.group, noised.label) == (plain.id, plain.group, plain.label)
    fewer = small_tasks.train_inputs(small, tiny, "s_nli[7] ~keyboard@0.3 > s_tags")
    assert rows_of(small, fewer, 1) == one[:7]  # not of the rows beside it
    nothing = small_tasks.train_inputs(small, tiny, "s_nli ~keyboard@0 > s_tags")
    assert rows_of(small, nothing, 1) == clean


def test_clean_and_noisy_stages_differ_in_text_alone(small, calm):
    """So differences between the arms are paired: order, heads and dropout are the same."""
    plain, noised = (
        begun(small, calm, small_tasks.train_inputs(small, calm, path))
        for path in ("s_nli > s_tags", "s_nli ~keyboard@0.3 > s_tags")
    )
    assert plain.seed == noised.seed
    assert (plain.schedule.task == noised.schedule.task).all()
    for one, other in zip(
        plain.model.heads.parameters(), noised.model.heads.parameters(), strict=True
    ):
        assert (one == other).all()
    ids = [run.tasks[0].encoded.ids for run in (plain, noised)]
    assert len(ids[0]) != len(ids[1]) or (ids[0] != ids[1]).any()
    assert isinstance(plain.tokenizer, tokenizer.LoadedTokenizer)

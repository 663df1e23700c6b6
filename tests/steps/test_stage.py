"""A stage's data and its schedule: rows, controls, shares, caps, temperature."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest

import small_tasks
from xstilts.formats.encoded import Encoded
from xstilts.model import tokenizer
from xstilts.sources import Sources
from xstilts.steps import stage
from xstilts.steps.stage import StageTask, schedule

OPTIONS = {"cap": 0, "temperature": 1.0}


def item(units, own_steps, share=None):
    """A task of so many units that would take so many steps alone."""
    bounds = np.arange(units + 1)
    empty = Encoded(
        np.zeros(units, np.int32), np.zeros(units, np.int8), bounds, bounds, bounds[:-1]
    )
    return StageTask(None, "classification", empty, {"share": share}, own_steps)


def close_to(count, total, chance):
    """Whether a count of independent draws is within five standard deviations of its mean."""
    return abs(count - total * chance) < 5 * math.sqrt(total * chance * (1 - chance))


# --- the schedule ------------------------------------------------------------------------------


def test_one_task_takes_every_step():
    found = schedule([item(100, 37)], OPTIONS, None, seed=1)
    assert len(found) == 37
    assert found.task.tolist() == [0] * 37
    assert found.local.tolist() == list(range(37))


def test_local_counts_each_tasks_own_steps():
    found = schedule([item(10, 20), item(10, 20), item(10, 20)], OPTIONS, None, seed=1)
    seen = Counter()
    for task, local in zip(found.task.tolist(), found.local.tolist(), strict=True):
        assert local == seen[task]
        seen[task] += 1
    assert len(seen) == 3


@pytest.mark.parametrize(
    ("options", "chances"),
    [
        ({}, (0.1, 0.9)),  # 1000 and 9000 units
        ({"temperature": 2.0}, (0.25, 0.75)),  # square roots: 1 to 3
        ({"cap": 1000}, (0.5, 0.5)),
        ({"cap": 4000}, (0.2, 0.8)),
        ({"cap": 4000, "temperature": 2.0}, (1 / 3, 2 / 3)),
    ],
)
def test_tasks_are_drawn_in_proportion_to_their_capped_units(options, chances):
    found = schedule([item(1000, 500), item(9000, 3500)], OPTIONS | options, None, seed=1)
    assert len(found) == 4000  # what they would take alone, together
    for task, chance in enumerate(chances):
        assert close_to((found.task == task).sum(), 4000, chance)


def test_an_item_with_a_share_comes_on_top():
    # 800 steps are 80 % of 1000; the two free ones divide 80 % as 3 to 1.
    tasks = [item(300, 600), item(100, 200), item(7, 99, share=0.2)]
    found = schedule(tasks, OPTIONS, None, seed=1)
    assert len(found) == 1000
    for task, chance in enumerate((0.6, 0.2, 0.2)):
        assert close_to((found.task == task).sum(), 1000, chance)


def test_shares_alone_divide_the_steps_the_items_would_take():
    found = schedule([item(5, 600, share=0.25), item(5, 400, share=0.75)], OPTIONS, None, seed=1)
    assert len(found) == 1000
    assert close_to((found.task == 0).sum(), 1000, 0.25)


def test_max_steps_only_ever_cuts():
    tasks = [item(10, 30), item(10, 30)]
    assert len(schedule(tasks, OPTIONS, 20, seed=1)) == 20
    assert len(schedule(tasks, OPTIONS, 500, seed=1)) == 60


def test_the_schedule_is_a_function_of_the_seed():
    tasks = [item(10, 30), item(10, 30)]
    drawn = [schedule(tasks, OPTIONS, None, seed).task.tolist() for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]


# --- rows --------------------------------------------------------------------------------------


def inputs(small, tiny, path, **more):
    return small_tasks.train_inputs(small, tiny, path, **more)


def rows_of(small, given):
    return stage.training_rows(given["items"][0], "files", small_tasks.desk(small))


def test_fewer_rows_are_the_first_ones(small, tiny):
    whole = rows_of(small, inputs(small, tiny, "s_nli > s_tags"))
    part = rows_of(small, inputs(small, tiny, "s_nli[7] > s_tags"))
    assert part == whole[:7]
    assert len(whole) < small_tasks.TRAIN_ROWS  # some are held out for selection


def test_languages_share_the_rows_the_first_one_more(small, tiny):
    found = rows_of(small, inputs(small, tiny, "s_nli:de/en[5] > s_tags"))
    each = [rows_of(small, inputs(small, tiny, f"s_nli:{code} > s_tags")) for code in ("de", "en")]
    assert found == each[0][:3] + each[1][:2]


def test_without_a_number_all_rows_of_all_languages(small, tiny):
    found = rows_of(small, inputs(small, tiny, "s_nli:en/de > s_tags"))
    each = [rows_of(small, inputs(small, tiny, f"s_nli:{code} > s_tags")) for code in ("en", "de")]
    assert found == each[0] + each[1]


# --- items -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def loaded(tiny):
    return tokenizer.load(tiny)


def prepared(small, loaded, given, seed=3):
    return stage.prepare(given, loaded, small_tasks.desk(small), seed)


def test_own_steps_are_epochs_of_whole_batches(small, tiny, loaded):
    given = inputs(small, tiny, "s_nli[17] > s_tags", recipe=small_tasks.recipe(epochs=3))
    (one,) = prepared(small, loaded, given)
    assert one.own_steps == 3 * 3  # 17 units are 3 batches of 8


@pytest.mark.parametrize(
    ("path", "steps"), [("s_nli + s_tags > s_xquad", 4), ("s_nli > s_tags", 6)]
)
def test_the_cap_counts_in_mixtures_only(small, tiny, loaded, path, steps):
    recipe = small_tasks.recipe(cap=10, epochs=2)
    first = prepared(
        small, loaded, inputs(small, tiny, path.replace("s_nli", "s_nli[20]"), recipe=recipe)
    )[0]
    assert first.own_steps == steps  # capped: 2 epochs of ceil(10/8); whole: 2 of ceil(20/8)


def test_shuffled_exchanges_labels_and_nothing_else(small, tiny, loaded):
    (plain,) = prepared(small, loaded, inputs(small, tiny, "s_nli > s_tags"))
    given = inputs(small, tiny, "shuffled(s_nli) > s_tags")
    (mixed,) = prepared(small, loaded, given)
    assert np.array_equal(plain.encoded.ids, mixed.encoded.ids)
    one, other = (t.encoded.targets["label"] for t in (plain, mixed))
    assert Counter(one.tolist()) == Counter(other.tolist())
    # Of 39 labels of three equally frequent kinds a permutation keeps about a third.
    assert 0 < (one == other).mean() < 0.6
    again, another = prepared(small, loaded, given)[0], prepared(small, loaded, given, seed=4)[0]
    assert np.array_equal(again.encoded.targets["label"], other)
    assert not np.array_equal(another.encoded.targets["label"], other)
    assert mixed.own_steps == plain.own_steps


def test_shuffled_tags_keep_their_distribution_over_words(small, tiny, loaded):
    (plain,) = prepared(small, loaded, inputs(small, tiny, "s_tags > s_xquad"))
    (mixed,) = prepared(small, loaded, inputs(small, tiny, "shuffled(s_tags) > s_xquad"))
    one, other = (t.encoded.targets["tags"] for t in (plain, mixed))
    assert np.array_equal(plain.encoded.ids, mixed.encoded.ids)
    assert np.array_equal(one == -100, other == -100)
    assert Counter(one.tolist()) == Counter(other.tolist())
    assert not np.array_equal(one, other)


def test_shuffled_choices_move_but_stay_in_range(small, tiny, loaded):
    (plain,) = prepared(small, loaded, inputs(small, tiny, "s_choice > s_tags"))
    (mixed,) = prepared(small, loaded, inputs(small, tiny, "shuffled(s_choice) > s_tags"))
    one, other = (t.encoded.targets["label"] for t in (plain, mixed))
    assert np.array_equal(plain.encoded.ids, mixed.encoded.ids)
    assert (other < np.diff(mixed.encoded.units)).all()
    assert not np.array_equal(one, other)


def test_shuffled_answers_lie_elsewhere_in_the_same_context(small, tiny, loaded):
    (plain,) = prepared(small, loaded, inputs(small, tiny, "s_squad > s_tags"))
    (mixed,) = prepared(small, loaded, inputs(small, tiny, "shuffled(s_squad) > s_tags"))
    assert np.array_equal(plain.encoded.ids, mixed.encoded.ids)
    assert not np.array_equal(plain.encoded.targets["span"], mixed.encoded.targets["span"])


def test_text_is_masked_language_modelling_on_the_tasks_rows(small, tiny, loaded):
    given = inputs(small, tiny, "text(s_nli) > s_tags")
    assert given["items"][0]["batch"] == small_tasks.RECIPE.batch["mlm"]
    (one,) = prepared(small, loaded, given)
    assert (one.task.name, one.format, one.encoded.targets) == ("s_nli", "mlm", {})
    rows = rows_of(small, given)
    texts = dict.fromkeys(text for row in rows for text in (row.text_a, row.text_b))
    assert len(one.encoded) == len(texts)  # each text once
    first = loaded.backend.encode(next(iter(texts))).ids
    assert one.encoded.ids[: len(first)].tolist() == first


def test_same_steps_trains_the_target_for_as_long_as_the_other(small, tiny, loaded):
    given = inputs(small, tiny, "same_steps(s_squad) > s_xnli")
    assert [one["task"] for one in given["items"]] == ["s_nli"]
    (one,) = prepared(small, loaded, given)
    (squad,) = prepared(small, loaded, inputs(small, tiny, "s_squad > s_xnli"))
    (nli,) = prepared(small, loaded, inputs(small, tiny, "s_nli > s_xnli"))
    assert np.array_equal(one.encoded.ids, nli.encoded.ids)
    assert np.array_equal(one.encoded.targets["label"], nli.encoded.targets["label"])
    assert one.own_steps == squad.own_steps != nli.own_steps


def test_few_rows_train_for_as_long_as_many_would(small, tiny, loaded):
    (one,) = prepared(small, loaded, inputs(small, tiny, "s_nli[4 as 12] > s_tags"))
    (few,) = prepared(small, loaded, inputs(small, tiny, "s_nli[4] > s_tags"))
    (many,) = prepared(small, loaded, inputs(small, tiny, "s_nli[12] > s_tags"))
    assert np.array_equal(one.encoded.ids, few.encoded.ids)
    assert one.own_steps == many.own_steps > few.own_steps


def test_raw_text_takes_all_languages(small, tiny, loaded):
    (one, _) = prepared(small, loaded, inputs(small, tiny, "s_text + s_nli > s_tags"))
    desk = small_tasks.desk(small)
    task, data = desk.catalogue.get("s_text"), desk.catalogue.data("s_text", "files")
    rows = [
        r for code in small_tasks.LANGUAGES for r in Sources().examples(task, data, "train", code)
    ]
    assert len(one.encoded) == len({row.text for row in rows})


def test_limits_are_the_items_and_the_recipes(small, tiny):
    given = inputs(small, tiny, "s_squad > s_tags", recipe=small_tasks.recipe(max_length=31))
    found = stage.limits(given["items"][0], given["options"])
    assert (found.max_length, found.max_query_length, found.doc_stride) == (31, 8, 16)

"""Items drawn again: groups, languages, and metrics computed anew."""

from __future__ import annotations

import numpy as np
import pytest

from xstilts import metrics
from xstilts.analysis.resample import Counts, Items
from xstilts.tasks import TASKS

HASHES = np.arange(100, dtype=np.int64) * 7


def counts(sums, groups=HASHES):
    return Counts(groups, np.asarray(sums, float)[:, None, :])


def test_the_first_value_is_the_metric_itself():
    right = np.arange(100) % 4 == 0
    items = Items("t", {"en": HASHES}, shared=True, resamples=19)
    values = items.values(metrics.get("accuracy"), "en", counts(np.stack([right, right | True], 1)))
    assert values.shape == (1, 20)
    assert values[0, 0] == 0.25


def test_the_spread_of_a_share_is_the_textbooks():
    # 100 groups of one item, a quarter right: variance of the mean p (1 - p) / (n - 1).
    right = np.arange(100) % 4 == 0
    items = Items("t", {"en": HASHES}, shared=False, resamples=4000)
    values = items.values(metrics.get("accuracy"), "en", counts(np.stack([right, right | True], 1)))
    assert np.var(values[0, 1:]) == pytest.approx(0.25 * 0.75 / 99, rel=0.08)


def test_whole_groups_are_drawn():
    # Two items a group, always both right or both wrong: as if there were half as many.
    right = 2.0 * (np.arange(100) % 4 == 0)
    sums = np.stack([right, np.full(100, 2.0)], 1)
    items = Items("t", {"en": HASHES}, shared=False, resamples=4000)
    values = items.values(metrics.get("accuracy"), "en", counts(sums))
    assert np.var(values[0, 1:]) == pytest.approx(0.25 * 0.75 / 99, rel=0.08)


def test_f1_is_computed_anew_from_its_counts():
    # All groups alike: F1 is the same in every resample, 2 * 1 / (2 + 3).
    sums = np.tile([1.0, 2.0, 3.0], (100, 1))
    items = Items("t", {"en": HASHES}, shared=False, resamples=9)
    values = items.values(metrics.get("seqeval_f1"), "en", counts(sums))
    np.testing.assert_allclose(values, 0.4)


def test_f1_without_any_chunk_is_zero_in_arrays_too():
    f1 = metrics.get("seqeval_f1").value
    assert f1([np.array([0.0, 1.0]), np.array([0.0, 1.0]), np.array([0.0, 1.0])]).tolist() == [0, 1]


@pytest.mark.parametrize(("shared", "together"), [(True, 1.0), (False, 0.0)])
def test_a_group_of_a_parallel_task_is_drawn_once_for_all_its_languages(shared, together):
    right = np.stack([np.arange(100) % 2, np.ones(100)], 1)
    items = Items("t", {"de": HASHES, "sw": HASHES}, shared=shared, resamples=999)
    accuracy = metrics.get("accuracy")
    de, sw = (items.values(accuracy, code, counts(right))[0, 1:] for code in ("de", "sw"))
    assert np.corrcoef(de, sw)[0, 1] == pytest.approx(together, abs=0.1)


def test_languages_with_some_of_the_groups_share_those():
    half = HASHES[::2]
    items = Items("t", {"de": HASHES, "sw": half}, shared=True, resamples=99)
    sums = np.stack([np.arange(50) % 2, np.ones(50)], 1)
    assert items.values(metrics.get("accuracy"), "sw", counts(sums, half)).shape == (1, 100)
    assert items.fewest == 100


def test_what_other_runs_mined_changes_no_draw():
    """BUCC's groups are what some run mined: with more of them, the old ones' draws stay."""
    bucc = TASKS["bucc2018"]
    f1 = metrics.get("bitext_f1")
    sums = np.stack([np.arange(100) % 2, np.ones(100), np.ones(100)], 1)
    alone = Items.of(bucc, {"de": HASHES}, 50).values(f1, "de", counts(sums))
    more = np.append(HASHES, [-3, 5])
    order = np.argsort(more)
    beside = np.vstack([sums, np.zeros((2, 3))])[order]
    together = Items.of(bucc, {"de": more[order]}, 50).values(f1, "de", counts(beside, more[order]))
    # But for the factor that makes up for few groups: G / (G - 1) of 100 and of 102.
    apart = [one[0, 1:] - one[0, 0] for one in (alone, together)]
    np.testing.assert_allclose(apart[0] / (100 / 99) ** 0.5, apart[1] / (102 / 101) ** 0.5)
    assert np.std(apart[0]) > 0.02


def test_a_tiny_language_of_which_nothing_was_drawn_keeps_its_value():
    items = Items("t", {"de": HASHES, "sw": HASHES[:1]}, shared=True, resamples=50)
    values = items.values(metrics.get("accuracy"), "sw", counts([[1, 1]], HASHES[:1]))
    assert values.tolist() == [[1.0] * 51]


@pytest.mark.parametrize(
    ("one", "other", "moved", "together"),
    [
        ("xquad", "lareqa", 0, 1.0),  # the same articles
        ("xquad", "lareqa", 1, 0.0),  # as many articles, but others
        ("xnli", "pawsx", 0, 0.0),
    ],
)
def test_targets_over_the_same_items_draw_the_same_ones(one, other, moved, together):
    right = np.stack([np.arange(100) % 2, np.ones(100)], 1)
    drawn = []
    for name, hashes in ((one, HASHES), (other, HASHES + moved)):
        items = Items.of(TASKS[name], {"de": hashes}, resamples=999)
        drawn.append(items.values(metrics.get("accuracy"), "de", counts(right, hashes))[0, 1:])
    assert np.corrcoef(drawn)[0, 1] == pytest.approx(together, abs=0.1)

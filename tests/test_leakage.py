"""Leaks of a plan: which pairs there are, what they share, and that each is compared once."""

from __future__ import annotations

import shutil

import pytest

import small_tasks
from xstilts import leakage, preflight
from xstilts.engines.groups import remaining
from xstilts.sources import Sources
from xstilts.store import Store
from xstilts.tasks import Catalogue


def asked(small, model, *paths, **changes):
    plan = small_tasks.plan(small, model, *paths, recipe=small_tasks.recipe(**changes))
    return plan, leakage.pairs(plan, Catalogue(small_tasks.tasks(small)))


def names(pairs):
    return sorted((p.seen.task, p.seen.split, p.evaluated.task) for p in pairs)


def test_all_stages_before_an_evaluation_and_their_selection_rows(small, tiny):
    _, pairs = asked(small, tiny, "s_nli > s_tags", "s_nli > s_xquad", "s_tatoeba", select_every=5)
    assert names(pairs) == [
        *(
            ("s_nli", split, target)
            for split in ("select", "train")
            for target in ("s_tags", "s_xquad")
        ),
        *(("s_squad", split, "s_xquad") for split in ("select", "train")),
        *(("s_tags", split, "s_tags") for split in ("select", "train")),
    ]
    assert {p.evaluated.languages for p in pairs} == {("en",)}


def test_without_selection_there_are_no_selection_rows(small, tiny):
    _, pairs = asked(small, tiny, "s_nli > s_tags")
    assert names(pairs) == [("s_nli", "train", "s_tags"), ("s_tags", "train", "s_tags")]


def test_other_languages_are_compared_with_their_own(small, tiny):
    _, pairs = asked(small, tiny, "s_nli:de > s_tags")
    by_task = {p.seen.task: p.evaluated.languages for p in pairs}
    assert by_task == {"s_nli": ("en", "de"), "s_tags": ("en",)}
    _, (pair,) = asked(small, tiny, "s_nli | s_tatoeba")  # which has no English rows of its own
    assert pair.evaluated.languages == ("de", "ru")


@pytest.fixture
def leaking(small, tmp_path):
    """The small tasks with a paragraph of the English test set among the training rows."""
    there = shutil.copytree(small, tmp_path / "there")
    shutil.copy(there / "qa.test.en.json", there / "qa.train.json")
    return there


class Canary(Sources):
    def __init__(self):
        super().__init__()
        self.read = []

    def examples(self, task, data, split, language):
        self.read.append((task.name, split, language))
        return super().examples(task, data, split, language)


def test_a_leak_is_told_before_a_run_and_found_once(leaking, tiny, tmp_path):
    plan, (pair,) = asked(leaking, tiny, "s_xquad")
    catalogue, store = Catalogue(small_tasks.tasks(leaking)), tmp_path / "store"
    assert leakage.known(plan, catalogue, store) == ({}, 1)
    bench = small_tasks.bench(leaking, store)
    steps = remaining(plan, Store(store))
    (line,) = preflight.check(plan, steps, bench)
    assert line.startswith("leak: training rows of s_squad hold ")
    assert line.endswith(" sentences of s_xquad (en)")
    found, unknown = leakage.known(plan, catalogue, store)
    assert unknown == 0
    # A share of the articles is held out of the training rows, the others are the test set's.
    assert 0 < found[pair].shared_paragraphs < found[pair].paragraphs == small_tasks.TEST_ROWS
    canary = Canary()
    assert leakage.compare([pair], store, canary.examples, catalogue) == found
    assert canary.read == []


def test_other_rows_are_another_pair(small, leaking, tiny):
    (_, (one,)), (_, (other,)) = (asked(folder, tiny, "s_xquad") for folder in (small, leaking))
    assert one.name != other.name


def test_what_is_kept_and_broken_is_found_again(leaking, tiny, tmp_path):
    _, pairs = asked(leaking, tiny, "s_xquad")
    catalogue = Catalogue(small_tasks.tasks(leaking))
    first = leakage.compare(pairs, tmp_path, Sources().examples, catalogue)
    (path,) = (tmp_path / "leaks").iterdir()
    path.write_text("{")
    assert leakage.compare(pairs, tmp_path, Sources().examples, catalogue) == first
    assert leakage.told(first) == [pairs[0].told(first[pairs[0]])]

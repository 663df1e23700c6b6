"""Perturbations and attacks in a plan: identities, what is refused, what does not change."""

from __future__ import annotations

import pytest

import small_tasks
from small_tasks import plan
from xstilts import perturb
from xstilts.adversity import pairs
from xstilts.errors import UserError


def predictions(found):
    return {s.id: s.inputs for s in found.steps.values() if s.kind == "predict"}


def test_clean_steps_stay_what_they_are(small, tiny):
    path = "s_nli > s_tags"
    clean = plan(small, tiny, path)
    noisy = plan(small, tiny, path, perturbations=["keyboard@0.1"], attacks=["greedy"])
    assert clean.cells == noisy.cells
    assert set(clean.steps) <= set(noisy.steps)


def test_a_perturbation_is_part_of_the_identity(small, tiny):
    found = plan(small, tiny, "s_xnli", perturbations=["keyboard@0.1", "keyboard@0.3", "case@0.1"])
    assert len(predictions(found)) == 3 * 4
    assert len({cell.score for cell in found.perturbed}) == 3 * 3
    for cell in found.perturbed:
        about = found.steps[found.steps[cell.score].parent].inputs["perturbation"]
        assert about == {"noise": cell.perturbation, "version": perturb.VERSION, "seed": 1}


def test_a_training_noise_is_part_of_the_identity(small, tiny):
    paths = ["s_nli > s_tags", "s_nli ~swap@0.1 > s_tags", "s_nli ~swap@0.2 > s_tags"]
    found = plan(small, tiny, *paths)
    first = [s.inputs for s in found.steps.values() if s.kind == "train" and not s.parent]
    assert [one["items"][0].get("noise") for one in first] == [
        None,
        {"en": {"noise": "swap@0.1", "version": perturb.VERSION}},
        {"en": {"noise": "swap@0.2", "version": perturb.VERSION}},
    ]
    assert [cell.path for cell in found.cells[::3]] == paths
    assert {cell.trained_on for cell in found.cells} == {"s_tags"}


def test_a_noise_of_the_target_is_of_its_training_rows(small, tiny):
    found = plan(small, tiny, "s_nli > s_xnli ~case@0.5")
    last = [s for s in found.steps.values() if s.kind == "train"][-1].inputs
    assert last["items"][0]["task"] == "s_nli"
    assert last["items"][0]["noise"]["en"]["noise"] == "case@0.5"
    assert not found.perturbed


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("s_nli ~word_drop@0.1 > s_tags", "word_drop.*invalid for s_nli in English"),
        ("s_nli ~bidi@0.1 > s_tags", "bidi.*not applicable for s_nli in English"),
        ("s_nli ~keybord@0.1 > s_tags", 'no perturbation is called "keybord": did you mean'),
    ],
)
def test_training_rows_whose_labels_would_change_are_refused(small, tiny, path, message):
    with pytest.raises(UserError, match=message):
        plan(small, tiny, path)


@pytest.mark.parametrize(
    ("noise", "message"),
    [
        ("keybord@0.1", 'no perturbation is called "keybord": did you mean "keyboard"'),
        ("kana@0.1", r'"kana@0.1" can be evaluated on nothing.*not applicable.*take it off'),
        ("word_drop@0.1", r"evaluated on nothing.*invalid: dropping"),
    ],
)
def test_what_can_be_evaluated_on_nothing_is_refused(small, tiny, noise, message):
    with pytest.raises(UserError, match=message):
        plan(small, tiny, "s_xnli", perturbations=["case@0.1", noise])


def test_a_package_that_is_missing_is_named_before_anything_runs(small, tiny, monkeypatch):
    from xstilts import perturb

    monkeypatch.setattr(perturb, "find_spec", lambda _name: None)
    with pytest.raises(UserError, match=r"needs the package confusable-homoglyphs"):
        plan(small, tiny, "s_xnli", perturbations=["homoglyphs@0.1"])


def test_nothing_to_attack_is_said(small, tiny):
    found = plan(small, tiny, "s_tags", "s_tatoeba", attacks=["greedy", "gradient"])
    assert not found.attacks
    why = "attacks are on classification and multiple choice"
    assert found.refused == {"s_tags attacks in en de ru": why}


def test_an_attack_has_its_budget_and_its_items_in_its_identity(small, tiny):
    options = {"attack_rows": 5}
    one = plan(small, tiny, "s_xnli", attacks=["greedy"], options=options)
    other = plan(small, tiny, "s_xnli", attacks=["greedy"])
    assert {a.step for a in one.attacks}.isdisjoint({a.step for a in other.attacks})
    inputs = one.steps[one.attacks[0].step].inputs
    assert inputs["attack"]["rows"] == 5
    assert inputs["moves"] == ["keyboard", "swap", "drop", "insert", "repeat"]


def test_parents_of_transfers_come_first(small, tiny):
    found = plan(small, tiny, "s_xnli", "s_squad > s_xnli", attacks=["greedy"])
    seen = set()
    carried = 0
    for step in found.steps.values():
        assert set(step.also) <= seen
        carried += bool(step.also)
        seen.add(step.id)
    assert carried == 2 * len(small_tasks.LANGUAGES)


def test_cases_are_carried_to_the_suites_own_baseline(small, tiny):
    """Where a target's baseline has stages of its own, its last stage alone is none."""
    paths = ("s_squad > s_xnli", "s_tags > s_squad > s_xnli", "s_tags > s_xnli")
    found = plan(small, tiny, *paths, attacks=["greedy"])
    english = [one for one in found.attacks if one.language == "en" and not one.transferred]
    assert [*pairs(english, {})] == []  # no run of the last stage by itself
    asked = {(a.path, b.path) for a, b in pairs(english, {"s_xnli": paths[0]})}
    assert asked == {(paths[1], paths[0]), (paths[0], paths[1])}

"""What remains of a plan, and what is done together."""

from __future__ import annotations

import pytest

import small_tasks
from xstilts.engines.groups import grouped, is_intermediate, purpose, remaining, title

PATHS = ("s_xnli", "s_squad > s_xnli", "s_squad > s_tags", "s_tatoeba")


class Store:
    """What a store says of steps: which are finished, and whose weights are evicted."""

    def __init__(self, finished=(), evicted=()):
        self.finished, self.evicted = set(finished), set(evicted)

    def sound(self, step_id):
        return step_id in self.finished

    def whole(self, step_id):
        assert step_id in self.finished
        return step_id not in self.evicted


@pytest.fixture(scope="module")
def plan(small, tiny):
    return small_tasks.plan(small, tiny, *PATHS)


def named(plan, label, number=0):
    return [step.id for step in plan.steps.values() if step.label == label][number]


def left(plan, store):
    return [step.id for step in remaining(plan, store)]


def test_at_first_everything_remains_parents_first(plan):
    assert left(plan, Store()) == list(plan.steps)


def test_when_all_predictions_and_scores_are_there_nothing_remains(plan):
    assert left(plan, Store(plan.steps)) == []
    records = {step.id for step in plan.steps.values() if step.kind != "train"}
    assert left(plan, Store(records)) == []  # whatever became of what they were made from


def test_lost_predictions_are_made_again_although_their_score_is_there(plan):
    """A score without its predictions cannot be explained, and no statistics be made of it."""
    score = named(plan, "score s_xnli de")
    predict = plan.steps[score].parent
    assert left(plan, Store(set(plan.steps) - {predict})) == [predict]


def test_evicted_weights_that_nothing_needs_stay_evicted(plan):
    trained = {step.id for step in plan.steps.values() if step.kind == "train"}
    assert left(plan, Store(plan.steps, evicted=trained)) == []


def test_a_missing_score_needs_its_predictions_only(plan):
    score = named(plan, "score s_xnli de")
    predict = plan.steps[score].parent
    assert left(plan, Store(set(plan.steps) - {score})) == [score]
    assert left(plan, Store(set(plan.steps) - {score, predict})) == [predict, score]


def test_evicted_weights_are_trained_again_where_something_needs_them(plan):
    squad, final = (
        named(plan, "train s_squad (seed 1)"),
        named(plan, "train s_squad > s_nli (seed 1)"),
    )
    score = named(plan, "score s_xnli de", 1)
    predict = plan.steps[score].parent
    gone = set(plan.steps) - {score, predict}
    assert left(plan, Store(gone)) == [predict, score]
    # The last stage is needed for the predictions; the stage before it is there and stays unused.
    assert left(plan, Store(gone, {final})) == [final, predict, score]
    # It is needed too where it was evicted: the last stage starts from it.
    assert left(plan, Store(gone, {squad, final})) == [squad, final, predict, score]
    # And not where the last stage is there.
    assert left(plan, Store(gone, {squad})) == [predict, score]


def test_a_weight_that_another_path_needs_is_kept_from_being_trained_again(plan):
    squad, tags = (
        named(plan, "train s_squad (seed 1)"),
        named(plan, "train s_squad > s_tags (seed 1)"),
    )
    family = {tags, *(child.id for child in plan.children(tags))}
    family |= {child.id for one in family for child in plan.children(one)}
    assert left(plan, Store(set(plan.steps) - family)) == [i for i in plan.steps if i in family]
    again = left(plan, Store(set(plan.steps) - family, {squad}))
    assert again == [i for i in plan.steps if i in family | {squad}]


# --- groups ------------------------------------------------------------------------------------


def shown(groups):
    return [(group[0].kind, len(group)) for group in groups]


def test_languages_of_a_target_are_one_group_and_stages_are_alone(plan):
    groups = grouped(list(plan.steps.values()))
    assert shown(groups) == [
        ("train", 1),  # s_nli for s_xnli
        *[("predict", 3), ("score", 3)],
        *[("train", 1), ("train", 1)],  # s_squad, then s_nli
        *[("predict", 3), ("score", 3)],
        ("train", 1),  # s_tags
        *[("predict", 3), ("score", 3)],
        *[("predict", 2), ("score", 2)],  # s_tatoeba
    ]
    for group in groups:
        assert len({step.parent for step in group if step.kind == "predict"}) <= 1


def test_every_step_is_in_one_group_after_its_parent(small, tiny):
    plan = small_tasks.plan(small, tiny, *PATHS, "s_squad | s_xquad, s_mlqa", seeds=(1, 2, 3))
    done = {""}
    for group in grouped(list(plan.steps.values())):
        for step in group:
            assert step.parent in done
        done |= {step.id for step in group}
    assert done == {"", *plan.steps}


@pytest.mark.parametrize("different", ["max_eval_rows", "seed"])
def test_other_options_or_weights_are_other_groups(small, tiny, different):
    from xstilts.study import Options

    change = (
        {"options": Options(max_eval_rows=5)} if different == "max_eval_rows" else {"seeds": (2,)}
    )
    plans = [
        small_tasks.plan(small, tiny, "s_xnli"),
        small_tasks.plan(small, tiny, "s_xnli", **change),
    ]
    steps = {
        step.id: step for plan in plans for step in plan.steps.values() if step.kind == "predict"
    }
    assert shown(grouped(list(steps.values()))) == [("predict", 3), ("predict", 3)]


def test_a_rest_of_a_group_is_a_group(plan):
    rest = [step for step in plan.steps.values() if step.label.endswith(("s_xnli de", "s_xnli ru"))]
    assert shown(grouped(rest)) == [("predict", 2), ("score", 2)] * 2


def test_what_a_stage_is_for(small, tiny):
    """s_squad is trained for both its targets, before another, and is evaluated as it is."""
    paths = ("s_xquad", "s_mlqa", "s_squad > s_xnli", "s_tags | s_tatoeba", "s_choice > s_tags")
    plan = small_tasks.plan(small, tiny, *paths)
    stages = [step for step in plan.steps.values() if step.kind == "train"]
    assert [(step.label, purpose(plan, step)) for step in stages] == [
        ("train s_squad (seed 1)", "intermediate and for s_xquad, s_mlqa"),
        ("train s_squad > s_nli (seed 1)", "for s_xnli"),
        ("train s_tags (seed 1)", "intermediate"),
        ("train s_choice (seed 1)", "intermediate"),
        ("train s_choice > s_tags (seed 1)", "for s_tags"),
    ]
    assert [is_intermediate(plan, step) for step in stages] == [True, False, True, True, False]
    titles = [title(plan, group) for group in grouped(list(plan.steps.values()))]
    assert titles[:3] == [
        "train s_squad (seed 1), intermediate and for s_xquad, s_mlqa",
        "predict s_xquad in 3 languages",
        "score s_xquad in 3 languages",
    ]
    assert title(plan, [step for step in plan.steps.values() if step.kind == "predict"][:1]) == (
        "predict s_xquad en"
    )

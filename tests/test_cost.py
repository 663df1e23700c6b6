"""What a plan takes: sums by hand on a small one, and the paper's grid without its data."""

from __future__ import annotations

import pytest

import small_tasks
from xstilts import cost as costs
from xstilts import footprint, models, sizes
from xstilts import plan as planning
from xstilts.cards import CARDS, MICRO_BATCH, SHARDS, Card, fits, training_hours
from xstilts.identity import fingerprint
from xstilts.sources import Sources
from xstilts.study import Study
from xstilts.tasks import Catalogue

LARGE = sizes.known("xlm-roberta-large")


@pytest.fixture
def cost(small, monkeypatch):
    """The cost of a path over the small tasks on XLM-R large; 48 rows each to train on."""

    def of(path, **study):
        rows = {(name, "train"): 48 for name in ("s_nli", "s_tags", "s_squad")}
        rows |= {(name, "evaluate"): 12 for name in ("s_xnli", "s_tags", "s_xquad")}
        monkeypatch.setattr(costs, "ROWS", rows)
        name = "FacebookAI/xlm-roberta-large"
        model = models.Model(name, name, None, fingerprint(name))
        catalogue = Catalogue(small_tasks.tasks(small))
        plan = planning.build(
            Study(name="s", paths=(path,), source="files", **study),
            small_tasks.RECIPE,
            [model],
            catalogue,
            Sources(),
        )
        (found,) = costs.cost(plan, catalogue)
        return found

    return of


def test_a_stage_by_hand(cost):
    """48 rows in steps of 8, twice: 12 steps of 8 pairs of 40 tokens; 3 languages of 12 pairs."""
    found = cost("s_xnli")
    assert (found.stages, found.optimiser_steps, found.widest) == (1, 12, 1)
    assert found.training_tokens == 12 * 8 * 40
    assert found.training_flops == pytest.approx(12 * 8 * 40 * LARGE.training_flops(40))
    assert found.prediction_tokens == 3 * 12 * 40
    assert found.prediction_flops == pytest.approx(3 * 12 * 40 * LARGE.forward_flops(40))
    assert found.longest == (found.training_flops, 12)
    assert found.unknown == []


def test_shared_stages_count_once_and_seeds_each(cost):
    one = cost("s_nli > s_tags", seeds=(1,))
    two = cost("s_nli > s_tags", seeds=(1, 2))
    assert (one.stages, two.stages) == (2, 4)
    assert two.training_flops == pytest.approx(2 * one.training_flops)
    assert (one.widest, two.widest) == (1, 2)
    assert two.longest == one.longest
    assert one.longest[0] == pytest.approx(one.training_flops)


def test_a_mixture_takes_its_items_steps(cost):
    found = cost("s_nli + s_squad > s_xquad")
    assert found.optimiser_steps == 24 + 12
    each = 24 / 2 * 8  # half of the steps each, as both have as many rows
    assert found.training_tokens == pytest.approx(each * 40 + each * 64 + 12 * 8 * 64)


def test_the_greatest_length_cuts(cost):
    assert small_tasks.RECIPE.max_length["span"] == 64 < costs.TOKENS["span"]
    assert cost("s_squad | s_xquad").training_tokens == 12 * 8 * 64


def test_rows_that_nobody_counted_are_named(cost):
    found = cost("s_choice")
    assert found.unknown == ["s_choice"]
    assert found.training_flops == 0


def test_disk_is_weights_and_what_is_under_way(cost):
    found = cost("s_nli > s_tags")
    weights = 4 * LARGE.encoder_parameters
    none = found.disk_bytes["none"]
    assert none == pytest.approx(7 * weights + 60 * 36)
    assert found.disk_bytes["intermediates"] == pytest.approx(none + weights)
    assert found.disk_bytes["all"] == pytest.approx(none + 2 * weights)


def test_settings_come_cheapest_first_and_say_what_fits(cost):
    found = cost("s_xnli").settings
    assert [one.hours for one in found] == sorted(one.hours for one in found)
    assert {one.card for one in found} == set(CARDS)
    assert all(one.cards == 1 and 64 <= one.micro_batch <= MICRO_BATCH for one in found)


def test_large_models_are_sharded_over_as_few_cards_as_hold_them():
    xxl = sizes.known("google/mt5-xxl")
    cards, tokens = fits(xxl, 256, "bf16", 80)
    assert cards == 2
    room = 0.9 * 80 * 2**30 - footprint.of(xxl, 0, 256, "bf16", cards=2).total
    assert tokens == int(room // footprint.activation_bytes(xxl, 256, "bf16"))
    assert fits(xxl, 256, "bf16", 1) == (0, 0)
    assert fits(xxl, 256, "bf16", 80, 16)[0] == 1  # adapters alone


def test_memory_and_the_smallest_set_ups(cost):
    found = cost("s_xnli")
    assert [(one.rank, one.cards) for one in found.memory] == [
        (rank, cards) for rank in (0, 16) for cards in SHARDS
    ]
    (alone,) = (one.gib["fp32"] for one in found.memory if (one.rank, one.cards) == (0, 1))
    assert alone == pytest.approx(footprint.of(LARGE, 64, 64).total / 2**30)
    for gib in costs.CARD_GIB:
        assert {(s.rank, s.precision) for s in found.setups if s.gib == gib} == {
            (rank, precision) for rank in (0, 16) for precision in ("fp32", "bf16")
        }
    assert found.length == 64
    assert found.whole_parameters == found.parameters == LARGE.encoder_parameters


def test_hours_by_hand():
    card = Card(80, 2.0, {"bf16": 100.0})
    shape = sizes.Architecture(vocabulary=10, hidden=4, layers=2, heads=2, feed_forward=8)
    # 4e13 FLOPs at 40 % of 1e14 a second, and 1e6 steps of 40 bytes a parameter at 2e12 a second.
    moved = 1e6 * 40 * shape.encoder_parameters / 2e12
    assert training_hours(4e13, 10**6, shape, card, "bf16") == pytest.approx((1 + moved) / 3600)
    # Frozen weights need no gradients; two layers of 2 x rank x (4 + 4) numbers are moved.
    moved = 1e6 * 40 * (2 * 2 * 3 * 8) / 2e12
    assert training_hours(4e13, 10**6, shape, card, "bf16", 3) == pytest.approx(
        (2 / 3 + moved) / 3600
    )

"""Cards: the data of their makers, how many hold a stage, and the hours that work takes on one."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from xstilts import footprint, sizes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from xstilts.sizes import Architecture

TRAINING_SHARE = 0.40  # of a card's peak that training is taken to reach
PREDICTION_SHARE = 0.50
FROZEN_SHARE = 2 / 3  # of training's products, where weights are frozen
# Moved for a parameter at a step: clipping reads and writes the gradient and its norm reads it;
# AdamW reads weight, gradient and moments and writes all but the gradient. fp32.
OPTIMISER_BYTES = 40
MEMORY_SHARE = 0.90  # of a card's memory that can be used
MOST_CARDS = 64
MICRO_BATCH = 16_384  # tokens, the most
SHARDS = (1, 2, 4, 8)  # cards that memory is shown for
GIB = 2**30


@dataclass(frozen=True)
class Card:
    """A device as its maker describes it, dense products.

    Attributes:
        gib: of memory.
        terabytes_per_s: from and to its memory.
        tflops: precision -> peak; a precision that it lacks is left out.
    """

    gib: int
    terabytes_per_s: float
    tflops: Mapping[str, float]


# The makers' data sheets. fp32 without TF32, as PyTorch has it unless it is told otherwise.
CARDS: Mapping[str, Card] = MappingProxyType(
    {
        "V100 32 GB": Card(32, 0.90, {"fp32": 15.7}),
        "RTX 4090 24 GB": Card(24, 1.01, {"fp32": 82.6, "bf16": 165.2}),
        "A100 40 GB": Card(40, 1.56, {"fp32": 19.5, "bf16": 312.0}),
        "A100 80 GB": Card(80, 2.04, {"fp32": 19.5, "bf16": 312.0}),
        "H100 80 GB": Card(80, 3.35, {"fp32": 66.9, "bf16": 989.0}),
    }
)


@dataclass(frozen=True)
class Memory:
    """Of one card, with a micro-batch of one sequence of the greatest length.

    Attributes:
        rank: of adapters; 0: everything is trained.
        cards: that share a stage (FSDP2), or one.
        gib: precision -> what it takes.
    """

    rank: int
    cards: int
    gib: Mapping[str, float]


@dataclass(frozen=True)
class Setup:
    """The fewest cards of so much memory that hold a stage.

    Attributes:
        gib: of a card.
        rank: of adapters; 0: everything is trained.
        precision: of the recipe.
        cards: 0 where `MOST_CARDS` do not.
    """

    gib: float
    rank: int
    precision: str
    cards: int


def training_hours(
    flops: float, steps: int, shape: Architecture, card: Card, precision: str, rank: int = 0
) -> float:
    """Hours of one card: products at a share of its peak, the optimiser at its memory's pace.

    With adapters (of some rank) frozen weights need no gradient: two thirds of the products.
    """
    share = FROZEN_SHARE if rank else 1.0
    products = share * flops / TRAINING_SHARE / (card.tflops[precision] * 1e12)
    trained = footprint.adapter_parameters(shape, rank) if rank else shape.encoder_parameters
    moved = steps * OPTIMISER_BYTES * trained / (card.terabytes_per_s * 1e12)
    return (products + moved) / 3600


def memory(shape: Architecture, length: int, rank: int) -> Iterator[Memory]:
    """What a card takes of the whole encoder's training, and of adapters', over several cards."""
    for trained in (0, rank):
        for cards in SHARDS:
            each = {
                precision: footprint.of(
                    shape, length, length, precision, cards=cards, rank=trained
                ).total
                for precision in sizes.PRECISIONS
            }
            yield Memory(trained, cards, {name: size / GIB for name, size in each.items()})


def fits(
    shape: Architecture, length: int, precision: str, gib: float, rank: int = 0
) -> tuple[int, int]:
    """The fewest cards that hold a stage, and the tokens of a micro-batch that then fit on each.

    With one card it is whole; with more, FSDP2 shards parameters, gradients and moments.

    Returns:
        ``(cards, tokens)``; ``(0, 0)`` where `MOST_CARDS` are too few.
    """
    there = MEMORY_SHARE * gib * GIB
    each = footprint.activation_bytes(shape, length, precision, rank)
    cards = 1
    while cards <= MOST_CARDS:
        without = footprint.of(shape, 0, length, precision, cards=cards, rank=rank).total
        tokens = int((there - without) // each)
        if tokens >= length:
            return cards, min(tokens, MICRO_BATCH)
        cards *= 2
    return 0, 0

"""Memory of a device that trains an encoder, from its shape alone.

State (weights, gradients, moments) is counted in bytes of a parameter; activations in how many
numbers a layer keeps of a token until backward. ``KEPT`` was counted on the modules themselves, and
a test counts it anew. What a stage may save beyond that (embeddings that no row has, kernels that
fuse attention) is not taken off, so this is rather too much than too little.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from xstilts.sizes import Architecture

STATE_BYTES = 16  # of a trained parameter: fp32 weight, gradient and AdamW's two moments
FROZEN_BYTES = 4  # of one that is not trained: fp32 weight
CAST_BYTES = 2  # of a weight's copy in bf16, which autocast keeps until backward
VALUE_BYTES: Mapping[str, int] = MappingProxyType({"fp32": 4, "bf16": 2})  # of an activation


class Kept(NamedTuple):
    """Numbers that a layer keeps of a token until backward.

    Attributes:
        feed_forward, hidden, inner: times those widths, in the precision.
        pairs: times heads and length (attention weights), in the precision.
        hidden_32, inner_32, pairs_32: more of them that stay fp32 in bf16, too.
    """

    feed_forward: int
    hidden: int
    inner: int = 0
    pairs: int = 0
    hidden_32: int = 0
    inner_32: int = 0
    pairs_32: int = 0


# (kind, precision, dropout, adapters alone are trained). Packed rows for ``bert``; ``t5`` is padded
# and has its own attention.
KEPT: Mapping[tuple[str, str, bool, bool], Kept] = MappingProxyType(
    {
        ("bert", "fp32", False, False): Kept(2, 9),
        ("bert", "fp32", True, False): Kept(2, 10, 0, 3),
        ("bert", "bf16", False, False): Kept(2, 8, 0, 1, 2),
        ("bert", "bf16", True, False): Kept(2, 10, 0, 3, 2),
        ("bert", "fp32", False, True): Kept(1, 7),
        ("bert", "fp32", True, True): Kept(1, 8, 0, 3),
        ("bert", "bf16", False, True): Kept(1, 5, 0, 1, 2),
        ("bert", "bf16", True, True): Kept(1, 7, 0, 3, 2),
        ("t5", "fp32", False, False): Kept(7, 6, 4, 1),
        ("t5", "fp32", True, False): Kept(8, 8, 4, 3),
        ("t5", "bf16", False, False): Kept(7, 5, 1, 0, 4, 3, 1),
        ("t5", "bf16", True, False): Kept(8, 7, 1, 0, 4, 3, 3),
        ("t5", "fp32", False, True): Kept(6, 3, 4),
        ("t5", "fp32", True, True): Kept(7, 5, 3, 3),
        ("t5", "bf16", False, True): Kept(6, 2, 4, 0, 2),
        ("t5", "bf16", True, True): Kept(7, 4, 0, 0, 2, 3, 3),
    }
)


@dataclass(frozen=True)
class Footprint:
    """Bytes of one device at the fullest moment of a step.

    Attributes:
        state: weights, gradients and moments, its share of them.
        gathered: what shards are put together from for a while: the embeddings and two layers.
        casts: copies of weights in bf16.
        activations: of a micro-batch.
    """

    state: float
    gathered: float
    casts: float
    activations: float

    @property
    def total(self) -> float:
        """All of it."""
        return self.state + self.gathered + self.casts + self.activations


def of(
    shape: Architecture,
    tokens: int,
    length: float,
    precision: str = "fp32",
    *,
    cards: int = 1,
    rank: int = 0,
    whole: bool = False,
) -> Footprint:
    """What training takes of one device.

    Args:
        shape: of the encoder.
        tokens: of a micro-batch, real ones or padding.
        length: of its sequences.
        precision: of products; weights and moments are fp32 in both.
        cards: over which weights, gradients and moments are sharded (FSDP2); 1: not at all.
        rank: of adapters, on queries and values; 0: everything is trained.
        whole: all of an encoder-decoder is trained. Its activations are still the encoder's alone:
            what a decoder keeps goes by the length of what it writes, which is short.
    """
    parameters = shape.whole_parameters if whole else shape.encoder_parameters
    frozen = parameters if rank else 0
    trained = adapter_parameters(shape, rank) if rank else parameters
    state = (STATE_BYTES * trained + FROZEN_BYTES * frozen) / cards
    gathered = 0.0
    if cards > 1:  # the embeddings from forward to backward, a layer and the next
        each = FROZEN_BYTES if rank else 2 * FROZEN_BYTES  # with its gradient
        gathered = each * (shape.embedding_parameters + 2 * shape.layer_products)
    # Cast where they are used, and so held whole by every card.
    casts = 0.0
    if precision == "bf16":
        casts = CAST_BYTES * shape.layers * shape.layer_products
    kept = tokens * activation_bytes(shape, length, precision, rank)
    return Footprint(state, gathered, casts, kept)


def activation_bytes(
    shape: Architecture, length: float, precision: str = "fp32", rank: int = 0
) -> float:
    """Memory that training keeps of one token of a sequence of that length until backward.

    One layer more than there are stands for what the layer under way works with.
    """
    kept = KEPT[shape.kind, precision, shape.dropout, bool(rank)]
    pairs = shape.heads * length
    cast = float(kept.feed_forward * shape.feed_forward + kept.hidden * shape.hidden)
    cast += kept.inner * shape.inner + kept.pairs * pairs
    whole = kept.hidden_32 * shape.hidden + kept.inner_32 * shape.inner + kept.pairs_32 * pairs
    return (shape.layers + 1) * (VALUE_BYTES[precision] * cast + VALUE_BYTES["fp32"] * whole)


def adapter_parameters(shape: Architecture, rank: int) -> int:
    """Parameters of adapters on every layer's queries and values."""
    return 2 * shape.layers * rank * (shape.hidden + shape.inner)

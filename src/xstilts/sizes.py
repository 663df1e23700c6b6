"""What an encoder's shape alone tells: parameters and FLOPs, without its weights.

``ARCHITECTURES`` holds the shapes of published models as facts; ``of_config`` reads those of any
other from its ``config.json``. Predictions of time and memory (``footprint``) start from here.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

WEIGHT_BYTES = 4  # of a parameter on the disk
PRECISIONS = ("fp32", "bf16")


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """The shape of a transformer whose encoder is used.

    Attributes:
        vocabulary: rows of the embeddings (V).
        hidden: width of a token's state (H).
        layers: of the encoder.
        heads: of attention.
        feed_forward: width inside a layer (F).
        positions: rows of the position embeddings; 0 in T5, whose positions are relative.
        segments: rows of the segment embeddings; 0 where there are none.
        kind: ``t5`` has gated feed-forward layers without biases, heads of 64 channels whatever
            the width, and a decoder of as many layers.
    """

    vocabulary: int
    hidden: int
    layers: int
    heads: int
    feed_forward: int
    positions: int = 0
    segments: int = 0
    kind: Literal["bert", "t5"] = "bert"
    dropout: bool = True

    @property
    def inner(self) -> int:
        """Channels of all attention heads together."""
        return 64 * self.heads if self.kind == "t5" else self.hidden

    @property
    def layer_products(self) -> int:
        """Parameters that take part in matrix products of one layer, for every token."""
        gates = 3 if self.kind == "t5" else 2
        return 4 * self.hidden * self.inner + gates * self.hidden * self.feed_forward

    @property
    def embedding_parameters(self) -> int:
        """Parameters of the input embeddings."""
        return (self.vocabulary + self.positions + self.segments) * self.hidden

    @property
    def encoder_parameters(self) -> int:
        """Parameters of the encoder with its embeddings, without pooler and heads."""
        if self.kind == "t5":
            return self.embedding_parameters + self._t5_stack(attentions=1)
        small = 4 * self.hidden + self.hidden + self.feed_forward + 4 * self.hidden  # biases, norms
        layer = self.layer_products + small
        return self.embedding_parameters + 2 * self.hidden + self.layers * layer

    @property
    def whole_parameters(self) -> int:
        """The same with T5's decoder and its own output matrix; others have none."""
        if self.kind == "bert":
            return self.encoder_parameters
        output = self.vocabulary * self.hidden
        return self.encoder_parameters + self._t5_stack(attentions=2) + output

    def _t5_stack(self, attentions: int) -> int:
        attention = 4 * self.hidden * self.inner + self.hidden  # and its norm
        layer = attentions * attention + 3 * self.hidden * self.feed_forward + self.hidden
        return self.layers * layer + 32 * self.heads + self.hidden  # distance buckets, last norm

    def forward_flops(self, length: float) -> float:
        """Floating-point operations of the encoder for one token of a sequence of that length.

        Two for each parameter of a product, and attention's two products over the sequence.
        """
        return self.layers * (2.0 * self.layer_products + 4.0 * length * self.inner)

    def training_flops(self, length: float) -> float:
        """The same forward and backward: three times forward."""
        return 3.0 * self.forward_flops(length)


def _roberta(hidden: int, layers: int, heads: int, vocabulary: int = 250_002) -> Architecture:
    return Architecture(
        vocabulary=vocabulary,
        hidden=hidden,
        layers=layers,
        heads=heads,
        feed_forward=4 * hidden,
        positions=514,
        segments=1,
    )


def _mt5(hidden: int, layers: int, heads: int, feed_forward: int) -> Architecture:
    return Architecture(
        vocabulary=250_112,
        hidden=hidden,
        layers=layers,
        heads=heads,
        feed_forward=feed_forward,
        kind="t5",
    )


# Conneau et al. 2020, Goyal et al. 2021, Devlin et al. 2019, Xue et al. 2021, and the config.json
# that each is published with.
ARCHITECTURES: Mapping[str, Architecture] = MappingProxyType(
    {
        "xlm-roberta-base": _roberta(768, 12, 12),
        "xlm-roberta-large": _roberta(1024, 24, 16),
        "xlm-roberta-xl": _roberta(2560, 36, 32, 250_880),
        "xlm-roberta-xxl": _roberta(4096, 48, 32, 250_880),
        "bert-base-multilingual-cased": Architecture(
            vocabulary=119_547,
            hidden=768,
            layers=12,
            heads=12,
            feed_forward=3072,
            positions=512,
            segments=2,
        ),
        "mt5-small": _mt5(512, 8, 6, 1024),
        "mt5-base": _mt5(768, 12, 12, 2048),
        "mt5-large": _mt5(1024, 24, 16, 2816),
        "mt5-xl": _mt5(2048, 24, 32, 5120),
        "mt5-xxl": _mt5(4096, 24, 64, 10240),
    }
)


# Parameters of whole models, as Xue et al. 2021 give them.
PUBLISHED: Mapping[str, str] = MappingProxyType(
    {
        "mt5-small": "300M",
        "mt5-base": "580M",
        "mt5-large": "1.2B",
        "mt5-xl": "3.7B",
        "mt5-xxl": "13B",
    }
)


def known(name: str) -> Architecture | None:
    """The shape of a published model by its name on the hub, with or without its owner."""
    return ARCHITECTURES.get(name.rpartition("/")[2])


def of_config(config: Mapping[str, Any]) -> Architecture | None:
    """The shape that a ``config.json`` declares; None where it is of another kind."""
    try:
        if str(config.get("model_type")) in ("t5", "mt5"):
            return Architecture(
                vocabulary=config["vocab_size"],
                hidden=config["d_model"],
                layers=config["num_layers"],
                heads=config["num_heads"],
                feed_forward=config["d_ff"],
                kind="t5",
                dropout=bool(config.get("dropout_rate", 0.0)),
            )
        return Architecture(
            vocabulary=config["vocab_size"],
            hidden=config["hidden_size"],
            layers=config["num_hidden_layers"],
            heads=config["num_attention_heads"],
            feed_forward=config["intermediate_size"],
            positions=config.get("max_position_embeddings", 0),
            segments=config.get("type_vocab_size", 0),
            dropout=bool(config.get("hidden_dropout_prob", 0.0)),
        )
    except KeyError:
        return None

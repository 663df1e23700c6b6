"""An encoder and its head as one module on padded rows: what is compiled and what is exported.

Legend: n sequences, L the length of the longest, H hidden.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional

from xstilts.model.heads import FirstAlone

if TYPE_CHECKING:
    from xstilts.model.encoder import Encoder
    from xstilts.tasks.base import Format

SEGMENTS = "token_type_ids"  # an input of encoders that tell two texts apart


class Padded(nn.Module):
    """Encoder and head on padded rows.

    Its outputs: classification ``[n, labels]``, multiple choice ``[n, 1]``, tagging
    ``[n, L, labels]``, span ``[n, L, 2]``, retrieval ``[n, H]``: a dual encoder's vectors or,
    without a head, the mean of all tokens at a layer, at unit length.

    Attributes:
        inputs: the names of its inputs, in order.
    """

    def __init__(
        self, encoder: Encoder, head: nn.Module | None, format_: Format, layer: int = -1
    ) -> None:
        super().__init__()
        # Only padded attention is asked for from here on: the encoder is no longer packed.
        encoder.network.set_attn_implementation("sdpa")  # type: ignore[operator]
        encoder.packed = False
        encoder.holder.keys = None
        self.encoder, self.head, self.layer = encoder, head, layer
        self.by_token = format_ in ("tagging", "span")
        segments = getattr(encoder.config, "type_vocab_size", 0) or 0
        self.has_segments = segments > 0
        self.inputs = ("input_ids", "attention_mask", *[SEGMENTS] * (segments > 1))

    def forward(
        self,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor,
        token_type_ids: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Outputs of int64 ``[n, L]`` ids, mask (1 where there is a token) and segments."""
        extra = {}
        if self.has_segments:
            extra[SEGMENTS] = (
                torch.zeros_like(input_ids) if token_type_ids is None else token_type_ids
            )
        output = self.encoder.backbone(
            input_ids=input_ids,
            attention_mask=attention_mask,
            output_hidden_states=self.head is None,
            **extra,
        )
        if self.head is None:
            means = _means(output.hidden_states[self.layer], attention_mask)
            return functional.normalize(means, dim=-1)
        states = output.last_hidden_state
        if not self.by_token:
            mean = self.encoder.pools_mean
            states = _means(states, attention_mask) if mean else states[:, 0]
        return self.head(self.encoder, states, FirstAlone())


def _means(states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """The mean of each sequence's states: ``[n, L, H]`` and a mask ``[n, L]`` -> ``[n, H]``."""
    weights = mask[:, :, None].to(torch.float32)
    return (states.float() * weights).sum(1) / weights.sum(1)

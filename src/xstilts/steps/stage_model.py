"""What a stage trains: an encoder and its heads as one module, which gives the loss of a batch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import nn

from xstilts.model import heads
from xstilts.model.text_to_text import TextToText

if TYPE_CHECKING:
    from collections.abc import Mapping

    import torch

    from xstilts.model.encoder import Encoder
    from xstilts.tasks.base import Format


class StageModel(nn.Module):
    """Encoder and heads as one module, so that gradients, devices and wrappers see one thing.

    From text to text an encoder-decoder stands in the encoder's place, and there are no heads.
    """

    def __init__(self, encoder: Encoder | TextToText, task_heads: Mapping[str, nn.Module]) -> None:
        super().__init__()
        self.encoder = encoder
        self.heads = nn.ModuleDict(task_heads)

    def forward(self, task: str, format_: Format, micro: Any) -> torch.Tensor:
        """The summed loss of a micro-batch of one task."""
        if isinstance(self.encoder, TextToText):
            return self.encoder.loss_sum(micro.batch, micro.targets)
        if format_ == "mlm":
            states = self.encoder(micro.batch, micro.targets["places"])
            logits = self.encoder.masked_lm_logits(states)
        else:
            head = self.heads[task]
            logits = head(
                self.encoder, heads.states_for(head, self.encoder, micro.batch), micro.batch
            )
        return heads.loss_sum(format_, logits, micro.batch, micro.targets)

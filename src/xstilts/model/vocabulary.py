"""Embeddings cut to the tokens that a stage can see, and made whole again.

English data holds some tens of thousands of XLM-R's 250,002 pieces. The embeddings of the others
have no gradient in a stage without masked LM: all that AdamW does to them is weight decay, which is
a factor known beforehand. So they need not be held, moved or averaged over at every step.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from xstilts.model.memory import give_back_freed_memory, page_out

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from xstilts.model.encoder import Encoder

CHUNK = 2**20  # ids looked at together: they may lie in a file larger than memory
ROWS = 2**14  # embeddings read back together


def seen(ids: Iterable[NDArray[np.int32]], size: int) -> NDArray[np.bool_]:
    """Which tokens occur, bool ``[V]``.

    Args:
        ids: arrays of token ids.
        size: V.
    """
    found = np.zeros(size, bool)
    for one in ids:
        for start in range(0, len(one), CHUNK):
            found[one[start : start + CHUNK]] = True
    return found


class Cut:
    """An encoder whose embeddings are those of some tokens, until ``mend``.

    The whole table stays where it was loaded from, a mapped file as a rule, and takes no memory
    meanwhile.

    Attributes:
        kept: int64 ``[K]``, the tokens.
    """

    def __init__(self, encoder: Encoder, keep: NDArray[np.bool_]) -> None:
        """Cut the embeddings.

        Args:
            encoder: takes packed rows; its masked-LM head must not be run until ``mend``.
            keep: bool ``[V]``.
        """
        assert encoder.packed, "padding would need the padding token's row"
        self._encoder = encoder
        self._table: nn.Embedding = encoder.backbone.get_input_embeddings()  # type: ignore[operator]
        self._padding = self._table.padding_idx
        self._whole = self._table.weight.detach()
        self.kept = torch.from_numpy(np.flatnonzero(keep))
        rows = torch.zeros(len(self._whole), dtype=torch.int64)
        rows[self.kept] = torch.arange(len(self.kept))
        encoder.rows = rows
        self._table.padding_idx = None
        self._replace(self._whole[self.kept])
        page_out(self._whole)

    @torch.no_grad()
    def mend(self, decay: float) -> None:
        """Make the embeddings whole.

        Args:
            decay: the factor that weight decay has put on parameters without a gradient.
        """
        trained = self._table.weight.detach().cpu()
        device = self._table.weight.device
        give_back_freed_memory()  # what is freed lies in pieces, none as large as the table
        whole = torch.empty_like(self._whole)
        for some, old in zip(whole.split(ROWS), self._whole.split(ROWS), strict=True):
            torch.mul(old, decay, out=some)
            page_out(old)
        del self._whole
        whole[self.kept] = trained
        self._encoder.rows = None
        self._table.padding_idx = self._padding
        self._replace(whole.to(device))

    def _replace(self, weight: torch.Tensor) -> None:
        """Put other embeddings in, also where they are tied to (the masked-LM head's output)."""
        old, new = self._table.weight, nn.Parameter(weight)
        for module in self._encoder.modules():
            for name, parameter in list(module.named_parameters(recurse=False)):
                if parameter is old:
                    setattr(module, name, new)

"""Smaller encoders out of a trained one, at inference: fewer layers, fewer embeddings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from xstilts.errors import UserError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from xstilts.model.encoder import Encoder


def without_masked_lm(encoder: Encoder) -> None:
    """Leave out the masked-LM head, which no task is answered with."""
    encoder.network = encoder.backbone
    encoder.has_masked_lm = False


def drop_layers(encoder: Encoder, count: int) -> None:
    """Leave out the topmost layers.

    Raises:
        UserError: if there are no more than that, or the architecture keeps them otherwise than as
            one list.
    """
    depth = int(encoder.config.num_hidden_layers)
    if count >= depth:
        raise UserError(f"drop={count}: the encoder has {depth} layers, and one must be left")
    for module in encoder.backbone.modules():
        for name, child in module.named_children():
            if isinstance(child, nn.ModuleList) and len(child) == depth:
                setattr(module, name, child[: depth - count])
                encoder.config.num_hidden_layers = depth - count
                encoder.cuts_last = encoder.packed and encoder.prove_cut()  # of the new last layer
                return
    raise UserError(f"drop={count}: no list of layers is found in {encoder.config.model_type}")


def trim_vocabulary(encoder: Encoder, keep: NDArray[np.bool_], unknown: int) -> NDArray[np.int32]:
    """Leave out the embeddings of pieces; what is left out is unknown from then on.

    Args:
        encoder: without its masked-LM head.
        keep: bool ``[V]``, which pieces stay; ``unknown`` and the padding must.
        unknown: the id of the unknown piece.

    Returns:
        int32 ``[V]``: the new id of every old one.
    """
    assert not encoder.has_masked_lm
    old = encoder.backbone.get_input_embeddings()  # type: ignore[operator]
    kept = np.flatnonzero(keep)
    new_ids = np.zeros(len(keep), np.int32)
    new_ids[kept] = np.arange(len(kept))
    new_ids[~keep] = new_ids[unknown]
    padding = encoder.config.pad_token_id
    with torch.no_grad():
        table = nn.Embedding.from_pretrained(old.weight[torch.from_numpy(kept)].clone())
    if padding is not None:
        table.padding_idx = int(new_ids[padding])
        encoder.config.pad_token_id = int(new_ids[padding])
    encoder.backbone.set_input_embeddings(table)  # type: ignore[operator]
    encoder.config.vocab_size = len(kept)
    return new_ids

"""A new encoder of a declared shape, before its first step."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from transformers import AutoConfig, AutoModelForMaskedLM

from xstilts.model.encoder import Encoder

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from xstilts.pretraining import Pretraining


def new_encoder(
    config: Pretraining,
    vocabulary: int,
    embeddings: NDArray[np.float32] | None,
    frequencies: NDArray[np.int64],
) -> Encoder:
    """A new encoder with random weights and, where given, embeddings to start from.

    The embeddings' rows are scaled to the length that random ones have; rows of zeros stay random.
    The masked-LM head's bias starts at the logarithms of the tokens' frequencies, so that training
    does not begin by learning how frequent each token is.

    Args:
        config: shape and dropout.
        vocabulary: V.
        embeddings: ``[V, H]``, or None.
        frequencies: ``[V]``, how often each token occurs in the corpus.
    """
    shape = config.model.model_dump()
    hidden = shape["hidden_size"]
    defaults = {
        "vocab_size": vocabulary,
        "intermediate_size": 4 * hidden,
        "max_position_embeddings": 514,
        "type_vocab_size": 1,
        "bos_token_id": 0,
        "pad_token_id": 1,
        "eos_token_id": 2,
        "hidden_dropout_prob": config.dropout,
        "attention_probs_dropout_prob": config.dropout,
    }
    built = AutoConfig.for_model(shape.pop("model_type"), **(defaults | shape))
    network = AutoModelForMaskedLM.from_config(built)
    with torch.no_grad():
        if embeddings is not None:
            table = network.get_input_embeddings().weight
            given = torch.from_numpy(embeddings)
            norms = given.norm(dim=1, keepdim=True)
            random_norm = built.initializer_range * hidden**0.5
            scaled = given / norms.clamp(min=1e-9) * random_norm
            table.copy_(torch.where(norms > 0, scaled, table))
        head = network.get_output_embeddings()
        if head is not None and head.bias is not None:
            counts = torch.from_numpy(frequencies).float() + 1
            head.bias.copy_((counts / counts.sum()).log())
    return Encoder(network)

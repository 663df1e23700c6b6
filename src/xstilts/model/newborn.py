"""A new encoder, or encoder-decoder, of a declared shape, before its first step."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from transformers import AutoConfig, AutoModelForMaskedLM, AutoModelForSeq2SeqLM

from xstilts.model.encoder import Encoder
from xstilts.model.text_to_text import TextToText

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
            _start_from(table, embeddings, built.initializer_range * hidden**0.5)
        head = network.get_output_embeddings()
        if head is not None and head.bias is not None:
            counts = torch.from_numpy(frequencies).float() + 1
            head.bias.copy_((counts / counts.sum()).log())
    return Encoder(network)


def new_encoder_decoder(
    config: Pretraining, vocabulary: int, embeddings: NDArray[np.float32] | None
) -> TextToText:
    """A new T5 with random weights and, where given, embeddings to start from.

    Embeddings, which are the output layer too, are drawn so that the first logits are about 1:
    where the architecture does not scale the decoder's states, it would begin far off.

    Args:
        config: shape and dropout.
        vocabulary: V, sentinels included.
        embeddings: ``[<= V, H]``, of the first tokens; or None.
    """
    shape = config.model.model_dump()
    hidden, layers = shape["hidden_size"], shape["num_hidden_layers"]
    defaults = {
        "vocab_size": vocabulary,
        "d_ff": 4 * hidden,
        "d_kv": hidden // shape["num_attention_heads"],
        "num_decoder_layers": layers,
        "feed_forward_proj": "gated-gelu",
        "bos_token_id": 0,
        "pad_token_id": 1,
        "eos_token_id": 2,
        "decoder_start_token_id": 1,
        "dropout_rate": config.dropout,
    }
    built = AutoConfig.for_model(shape.pop("model_type"), **(defaults | shape))
    made = TextToText(AutoModelForSeq2SeqLM.from_config(built))
    with torch.no_grad():
        table = made.network.get_input_embeddings().weight
        if made.scale == 1.0:
            table *= hidden**-0.5
        if embeddings is not None:
            norm = table.norm(dim=1).mean().item()
            _start_from(table[: len(embeddings)], embeddings, norm)
    return made


def _start_from(table: torch.Tensor, embeddings: NDArray[np.float32], norm: float) -> None:
    """Put embeddings into a table, each at that length; rows of zeros stay as they are."""
    given = torch.from_numpy(embeddings)
    norms = given.norm(dim=1, keepdim=True)
    scaled = given / norms.clamp(min=1e-9) * norm
    table.copy_(torch.where(norms > 0, scaled, table))

"""An encoder-decoder that takes text to text, loaded from and saved to plain folders.

Sequences are padded: T5's position bias would have as many entries as pairs of tokens in a packed
row. Logits are computed at real targets only, which is proven when a model is loaded. Legend: n
pairs of sequences, S and T tokens of all sources and all targets, V vocabulary.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.nn import functional
from transformers import AutoConfig, AutoModelForSeq2SeqLM

from xstilts.errors import UserError, first_line
from xstilts.model.dropout import KeyHolder, install
from xstilts.model.encoder import PARITY_TOLERANCE, SAFE, of_encoder_decoder
from xstilts.model.packing import Batch, padded, real_places

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


class TextToText(nn.Module):
    """A whole encoder-decoder.

    Attributes:
        network: the transformers model.
        pooler, packed: as an encoder has them: there is none, and rows are padded.
        scale: of the decoder's states before the output layer: 1, or H^-0.5 where the layer is the
            embeddings' (T5, not mT5).
    """

    pooler = None
    packed = False

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network
        self.holder = KeyHolder()
        install(network, self.holder)
        self.scale = self._proven_scale()

    @property
    def config(self) -> Any:
        """The transformers configuration."""
        return self.network.config

    @property
    def backbone(self) -> Any:
        """The network, whose input embeddings encoder and decoder share."""
        return self.network

    def forward(self, source: Batch, target: Batch) -> torch.Tensor:
        """Logits of every target token, given those before it: ``[T, V]``.

        Args:
            source: what is asked, ``n`` sequences.
            target: the answers, in the same order, each with its end.
        """
        there = real_places(source.lengths, source.ids.device)
        self.holder.keys = None if source.keys is None else padded(source.keys, there, 0)
        states = self.network.get_encoder()(
            input_ids=padded(source.ids, there, self._pad), attention_mask=there.long()
        ).last_hidden_state
        wanted = real_places(target.lengths, target.ids.device)
        self.holder.keys = None if target.keys is None else padded(target.keys, wanted, 0)
        answers = padded(target.ids, wanted, self._pad)
        before = torch.full_like(answers[:, :1], self.config.decoder_start_token_id)
        found = self.network.get_decoder()(
            input_ids=torch.cat([before, answers[:, :-1]], dim=1),
            encoder_hidden_states=states,
            encoder_attention_mask=there.long(),
            use_cache=False,
        ).last_hidden_state[wanted]
        return self.network.get_output_embeddings()(found * self.scale)

    def loss_sum(self, source: Batch, targets: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """The loss summed over all target tokens.

        Args:
            source: what is asked.
            targets: ``answer_ids`` and ``answer_keys`` ``[T]``, ``answer_lengths`` ``[n]``.
        """
        ids = targets["answer_ids"]
        lengths = tuple(targets["answer_lengths"].tolist())
        logits = self(source, Batch(ids, ids, lengths, targets.get("answer_keys")))
        return functional.cross_entropy(logits.float(), ids, reduction="sum")

    def generate(
        self, source: Batch, most: int, end: int, *, cached: bool = True
    ) -> list[list[int]]:
        """The likeliest token after the other, up to the end or to so many; one list a sequence.

        Args:
            source: what is asked.
            most: tokens of an answer, its end included.
            end: the token that ends an answer; it is not part of what is returned.
            cached: whether keys and values of earlier tokens are kept; changes time, not results.
        """
        there = real_places(source.lengths, source.ids.device)
        self.holder.keys = None
        found = self.network.generate(
            input_ids=padded(source.ids, there, self._pad),
            attention_mask=there.long(),
            max_new_tokens=most,
            do_sample=False,
            num_beams=1,
            eos_token_id=end,
            use_cache=cached,
        )[:, 1:].tolist()  # without the token that it starts from
        return [row[: row.index(end)] if end in row else row for row in found]

    @property
    def _pad(self) -> int:
        return int(self.config.pad_token_id or 0)

    @torch.no_grad()
    def _proven_scale(self) -> float:
        """The scale with which logits are the network's own.

        Raises:
            UserError: if there is none.
        """
        mode = self.training
        self.eval()
        ids = torch.arange(8) + min(9, int(self.config.vocab_size) - 8)
        source, target = Batch(ids[:5], ids[:5], (2, 3)), Batch(ids[3:], ids[3:], (3, 2))
        pairs = zip(*(one.ids.split(list(one.lengths)) for one in (source, target)), strict=True)
        own = [self.network(input_ids=a[None], labels=b[None]).logits[0] for a, b in pairs]
        for scale in (1.0, float(self.config.hidden_size**-0.5)):
            self.scale = scale
            if (self(source, target) - torch.cat(own)).abs().max() < PARITY_TOLERANCE:
                self.train(mode)
                return scale
        raise UserError(
            f"{self.config.model_type} is not an encoder-decoder like T5: text to text takes T5, "
            "mT5 and their like"
        )


def load(folder: Path | str, revision: str | None = None) -> TextToText:
    """Load a whole encoder-decoder from a Hugging Face folder, or by its name on the hub.

    Raises:
        UserError: if the checkpoint is missing, unreadable or incomplete, or no encoder-decoder.
    """
    try:
        config = AutoConfig.from_pretrained(folder, revision=revision, **SAFE)
        if not (of_encoder_decoder(config) and config.is_encoder_decoder):
            raise UserError(
                f"{folder} is no whole encoder-decoder ({config.model_type}): text to text takes a "
                "model such as google/mt5-small; an encoder takes a recipe with heads, such as mini"
            )
        network, report = AutoModelForSeq2SeqLM.from_pretrained(
            folder,
            revision=revision,
            output_loading_info=True,
            dtype=torch.float32,
            use_safetensors=True,  # and no pickle
            **SAFE,
        )
    except UserError:
        raise
    except Exception as error:  # transformers raises many kinds for a broken folder
        line = first_line(error)
        raise UserError(f"cannot load model {folder}: {line:.200}") from error
    if missing := sorted(report["missing_keys"]):
        raise UserError(
            f"checkpoint {folder} lacks {len(missing)} weights, {missing[0]} among them"
        )
    return TextToText(network)

"""A Hugging Face encoder that takes packed rows, loaded from and saved to plain folders.

Packing is switched on by proof: when an encoder is loaded, one tiny packed batch is compared with
the same sequences run alone. An architecture that fails (ALiBi, relative positions, its own
attention code) runs sorted and padded instead; results are the same, only slower. The masked-LM
head, which is run on masked positions only, is proven likewise, and so is the last layer, which
after its attention is run at the tokens whose states are asked for only.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from transformers import (
    MODEL_FOR_MASKED_LM_MAPPING,
    MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING,
    MODEL_FOR_TEXT_ENCODING_MAPPING,
    AutoConfig,
    AutoModel,
    AutoModelForMaskedLM,
    AutoModelForTextEncoding,
)

from xstilts.errors import UserError, first_line
from xstilts.failpoints import failpoint
from xstilts.model import packing
from xstilts.model.dropout import KeyHolder, install

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from xstilts.model.packing import Batch
    from xstilts.model.text_to_text import TextToText

PARITY_TOLERANCE = 1e-4
WEIGHTS = "model.safetensors"
SAFE = {"trust_remote_code": False}  # else transformers asks whether to run a checkpoint's code


class Encoder(nn.Module):
    """A pretrained encoder with, where the checkpoint has them, its masked-LM head and pooler.

    Attributes:
        network: the transformers model, a masked LM wherever the architecture has one.
        pooler: the checkpoint's pooler, ``[H] -> [H]`` before its tanh; None where it has none.
            It is part of the encoder, as in the authors' toolkit: later stages keep it.
        packed: whether packed rows passed the parity test.
        cuts_last: whether the last layer can be run at some tokens only.
        rows: int64 ``[V]``, the row of each token in embeddings that were cut; None where they are
            whole. Packed rows only.
        has_masked_lm: whether there is a masked-LM head that ``masked_lm_logits`` can run.
        pools_mean: whether a sequence is summed up by the mean of its states instead of its first:
            T5 puts no token before a text that could stand for it (Ni et al. 2022, "Sentence-T5",
            section 5, where the mean is better).
    """

    def __init__(
        self, network: nn.Module, pooler: nn.Linear | None = None, drawn: tuple[str, ...] = ()
    ) -> None:
        super().__init__()
        self.network = network
        self.pooler = pooler
        self.drawn = drawn
        self.pools_mean = of_encoder_decoder(network.config)
        self.holder = KeyHolder()
        install(network, self.holder)
        self.first_position = 0
        self.rows: torch.Tensor | None
        self.register_buffer("rows", None, persistent=False)
        self.has_masked_lm = not drawn and self._prove_masked_lm()
        self.packed = self._prove_packing()
        self.cuts_last = self.packed and self.prove_cut()

    @property
    def backbone(self) -> nn.Module:
        """The encoder without its masked-LM head."""
        return self.network.base_model  # type: ignore[return-value]

    @property
    def config(self) -> Any:
        """The transformers configuration."""
        return self.network.config

    def forward(self, batch: Batch, places: torch.Tensor | None = None) -> torch.Tensor:
        """The last layer's states of all tokens, ``[T, H]``, or of some.

        Args:
            batch: the sequences.
            places: int64 ``[P]``, the tokens whose states are wanted, which saves most of the last
                layer; None: all.

        Returns:
            ``[T, H]``, or ``[P, H]``.
        """
        if places is None or not self.cuts_last:
            states = self._run(batch, all_layers=False)[-1]
            return states if places is None else states[places]
        self.holder.places = places
        try:
            return self._run(batch, all_layers=False)[-1]
        finally:
            self.holder.places = None

    def layers(self, batch: Batch) -> tuple[torch.Tensor, ...]:
        """Every layer's states of all tokens, the embeddings first: layers + 1 of ``[T, H]``."""
        return self._run(batch, all_layers=True)

    def _run(self, batch: Batch, *, all_layers: bool) -> tuple[torch.Tensor, ...]:
        run = self._packed if self.packed else self._padded
        return run(batch, all_layers)

    def pooled(self, states: torch.Tensor) -> torch.Tensor:
        """First-token states ``[n, H]`` through the checkpoint's pooler, if it has one."""
        return states if self.pooler is None else torch.tanh(self.pooler(states))

    def masked_lm_logits(self, states: torch.Tensor) -> torch.Tensor:
        """Vocabulary logits ``[n, V]`` for states ``[n, H]`` of masked positions only.

        Raises:
            UserError: if the model has no masked-LM head, or one of an unknown shape.
        """
        if not self.has_masked_lm:
            raise UserError(
                f"{self.config.model_type} has no masked-LM head that can be trained here: "
                "take the mlm task off the path"
            )
        return self._masked_lm_head(states)

    def _masked_lm_head(self, states: torch.Tensor) -> torch.Tensor:
        """What the network's modules beside the backbone make of states, one after the other."""
        for module in self.network.children():
            if module is not self.backbone:
                states = module(states)
        return states

    @torch.no_grad()
    def _prove_masked_lm(self) -> bool:
        """Compare the head with the whole network's logits."""
        mode = self.training
        self.eval()
        ids = torch.arange(3)[None] + min(9, int(self.config.vocab_size) - 3)
        try:
            logits = self.network(input_ids=ids).logits
            ours = self._masked_lm_head(self.backbone(input_ids=ids).last_hidden_state)
            return bool((ours - logits).abs().max() < PARITY_TOLERANCE)
        except (TypeError, ValueError, RuntimeError, IndexError, AttributeError):
            return False  # no head, or one that is more than its modules in a row
        finally:
            self.train(mode)

    def _packed(self, batch: Batch, all_layers: bool) -> tuple[torch.Tensor, ...]:
        self.holder.keys = batch.keys
        output = self.backbone(
            input_ids=(batch.ids if self.rows is None else self.rows[batch.ids])[None],
            position_ids=batch.positions(self.first_position)[None],
            **self._types(batch.types[None]),
            lengths=batch.lengths,
            keys=batch.keys,
            output_hidden_states=all_layers,
        )
        layers = output.hidden_states if all_layers else (output.last_hidden_state,)
        return tuple(layer[0] for layer in layers)

    def _padded(self, batch: Batch, all_layers: bool) -> tuple[torch.Tensor, ...]:
        real = packing.real_places(batch.lengths, batch.ids.device)
        self.holder.keys = None if batch.keys is None else packing.padded(batch.keys, real, 0)
        output = self.backbone(
            input_ids=packing.padded(batch.ids, real, self.config.pad_token_id or 0),
            attention_mask=real.long(),
            **self._types(packing.padded(batch.types, real, 0)),
            output_hidden_states=all_layers,
        )
        layers = output.hidden_states if all_layers else (output.last_hidden_state,)
        return tuple(layer[real] for layer in layers)

    def _types(self, types: torch.Tensor) -> dict[str, torch.Tensor]:
        # XLM-R has one segment only: its table has a single row.
        segments = getattr(self.config, "type_vocab_size", 0)
        return {"token_type_ids": types.clamp(max=segments - 1)} if segments else {}

    @torch.no_grad()
    def _prove_packing(self) -> bool:
        """Compare a packed batch with padding; find where positions start on the way."""
        top = int(self.config.vocab_size)
        lengths = (3, 5, _longer_than_windows(self.config))
        ids = torch.arange(7, 7 + sum(lengths)) * 17 % max(top - 10, 1) + min(9, top - 1)
        batch = packing.Batch(ids.clamp(max=top - 1), torch.zeros_like(ids), lengths)
        mode, original = self.training, self.config._attn_implementation  # noqa: SLF001
        self.eval()
        alone = self._padded(batch, all_layers=False)[0].float()
        proven = False
        try:
            self.network.set_attn_implementation(packing.NAME)  # type: ignore[operator]
            for first in (0, (self.config.pad_token_id or 0) + 1):
                self.first_position = first
                difference = self._packed(batch, all_layers=False)[0].float() - alone
                if difference.abs().max().item() < PARITY_TOLERANCE:
                    proven = True
                    break
        except (TypeError, ValueError, RuntimeError, IndexError, AttributeError, KeyError):
            proven = False  # an architecture that cannot take these arguments is not packed
        if not proven:
            self.network.set_attn_implementation(original)  # type: ignore[operator]
        self.train(mode)
        return proven

    @torch.no_grad()
    def prove_cut(self) -> bool:
        """Hook into the last layer, and compare its states at some tokens with those of all."""
        output = _attention_output(self.backbone, int(self.config.num_hidden_layers))
        if output is None:
            return False
        # Not a method of its own, which would be a circle that outlives the encoder.
        hook = output.register_forward_pre_hook(partial(_only_asked, self.holder))
        ids = torch.arange(8) + min(9, int(self.config.vocab_size) - 8)
        batch = packing.Batch(ids, torch.zeros_like(ids), (3, 5))
        mode = self.training
        self.eval()
        self.cuts_last = True
        places = torch.tensor([0, 2, 3, 7])
        try:
            difference = self(batch, places).float() - self(batch)[places].float()
            proven = bool(difference.abs().max() < PARITY_TOLERANCE)
        except (TypeError, ValueError, RuntimeError, IndexError):
            proven = False
        if not proven:
            hook.remove()
        self.train(mode)
        return proven


def _only_asked(holder: KeyHolder, _module: nn.Module, inputs: Any) -> Any:
    """Before the last layer's output of attention: drop all tokens but those asked for."""
    places = holder.places
    if places is None:
        return None
    if holder.keys is not None:
        holder.keys = holder.keys[places]
    return tuple(states[:, places] for states in inputs)


def _attention_output(backbone: nn.Module, depth: int) -> nn.Module | None:
    """Where the last layer's attention is added to its input, in BERT's family; else None."""
    for module in backbone.modules():
        if isinstance(module, nn.ModuleList) and 0 < len(module) == depth:
            output = getattr(getattr(module[-1], "attention", None), "output", None)
            return output if isinstance(output, nn.Module) else None
    return None


def _longer_than_windows(config: Any) -> int:
    """A length at which local attention differs from full attention, if the model can take it."""
    names = ("sliding_window", "local_attention", "attention_window", "window_size")
    windows = [value for name in names if isinstance(value := getattr(config, name, None), int)]
    return min(max(windows, default=0) + 8, getattr(config, "max_position_embeddings", 512) - 4)


def of_encoder_decoder(config: Any) -> bool:
    """Whether the architecture has a decoder and transformers has its encoder by itself (T5)."""
    kind = type(config)
    return (
        kind in MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING and kind in MODEL_FOR_TEXT_ENCODING_MAPPING
    )


def load(folder: Path | str, revision: str | None = None) -> Encoder:
    """Load an encoder from a Hugging Face folder, or by its name on the hub; of T5 its encoder.

    Args:
        folder: a folder with config.json and weights, or a name.
        revision: a commit on the hub.

    Raises:
        UserError: if the checkpoint is missing, unreadable or incomplete.
    """
    try:
        config = AutoConfig.from_pretrained(folder, revision=revision, **SAFE)
        has_masked_lm = type(config) in MODEL_FOR_MASKED_LM_MAPPING
        kind = AutoModelForMaskedLM if has_masked_lm else AutoModel
        if of_encoder_decoder(config):
            kind = AutoModelForTextEncoding
        network, report = kind.from_pretrained(
            folder,
            revision=revision,
            output_loading_info=True,
            dtype=torch.float32,
            ignore_mismatched_sizes=True,  # reported below, by name
            use_safetensors=True,  # and no pickle
            **SAFE,
        )
        _check_complete(folder, network, report, has_masked_lm=has_masked_lm)
        prefix = str(network.base_model_prefix)
        pooler = _pooler(folder, config, f"{prefix}.pooler", report["unexpected_keys"], revision)
        drawn = tuple(key for key in report["missing_keys"] if has_masked_lm and prefix not in key)
        return Encoder(network, pooler, drawn)
    except UserError:
        raise
    except Exception as error:  # transformers raises many kinds for a broken folder
        line = first_line(error)
        raise UserError(f"cannot load model {folder}: {line:.200}") from error


def _check_complete(
    folder: Path | str, network: nn.Module, report: Mapping[str, Any], *, has_masked_lm: bool
) -> None:
    """Refuse a checkpoint that left weights of the encoder as they were drawn."""
    mismatched = sorted(str(entry[0]) for entry in report["mismatched_keys"])
    if mismatched:
        raise UserError(
            f"checkpoint {folder}: {mismatched[0]} has another size than config.json says: "
            "config and weights are not of the same model"
        )
    prefix = str(network.base_model_prefix)
    missing = [
        key
        for key in report["missing_keys"]
        if (prefix in key if has_masked_lm else "pooler" not in key)
    ]
    if missing:
        raise UserError(
            f"checkpoint {folder} lacks {len(missing)} of the encoder's weights, "
            f"{min(missing)} among them: it is not a pretrained encoder"
        )


def _pooler(
    folder: Path | str,
    config: Any,
    name: str,
    unexpected: set[str] | list[str],
    revision: str | None,
) -> nn.Linear | None:
    """The checkpoint's pooler, which a masked LM does not load."""
    if f"{name}.dense.weight" not in set(unexpected):  # DeBERTa has another, in its classifier
        return None
    model = AutoModel.from_pretrained(
        folder, revision=revision, dtype=torch.float32, use_safetensors=True, **SAFE
    )
    assert config.hidden_size == model.pooler.dense.in_features
    return model.pooler.dense


def save(encoder: Encoder | TextToText, folder: Path) -> None:
    """Write a plain Hugging Face folder (safetensors and config), pooler included."""
    from safetensors.torch import save_file

    state = {
        name: tensor.detach().cpu().contiguous()
        for name, tensor in encoder.network.state_dict().items()
    }
    tied = set(getattr(encoder.network, "all_tied_weights_keys", {}))
    drawn = set(getattr(encoder, "drawn", ()))  # a later load has to see that they are not there
    state = {name: tensor for name, tensor in state.items() if name not in tied | drawn}
    if encoder.pooler is not None:
        prefix = encoder.network.base_model_prefix
        for name, tensor in encoder.pooler.state_dict().items():
            state[f"{prefix}.pooler.dense.{name}"] = tensor.detach().cpu().contiguous()
    save_file(state, folder / WEIGHTS, metadata={"format": "pt"})
    failpoint("weights.saved")
    encoder.config.save_pretrained(folder)

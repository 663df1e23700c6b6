"""Low-rank adapters (LoRA, Hu et al. 2021, arXiv 2106.09685) in an encoder, through peft.

A stage trains the adapters and its heads; everything else stays as it was. At the stage's end they
are merged into the weights that they adapt, so that what it writes is an ordinary folder.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from xstilts.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from xstilts.model.encoder import Encoder
    from xstilts.model.text_to_text import TextToText

PREFIX = "lora_"  # in the names of peft's parameters


def check_installed() -> None:
    """Refuse where peft is not there.

    Raises:
        UserError: with the line that installs it.
    """
    if find_spec("peft") is None:
        raise UserError(
            "the recipe trains low-rank adapters (lora), which needs peft: "
            "pip install 'xstilts[peft]'"
        )


def adapted(encoder: Encoder | TextToText, targets: list[str]) -> list[str]:
    """The names of the linear modules that adapters would be put on.

    Args:
        encoder: as it was loaded.
        targets: names of modules, the last part or more of them.

    Raises:
        UserError: if there are none.
    """
    linear = [n for n, module in encoder.network.named_modules() if isinstance(module, nn.Linear)]
    found = [n for n in linear if any(n == t or n.endswith(f".{t}") for t in targets)]
    if not found:
        there = dict.fromkeys(name.rpartition(".")[2] for name in linear)
        raise UserError(
            f"lora: {encoder.config.model_type} has no linear module called "
            f"{' or '.join(targets)}; it has {', '.join(there)}: name some in lora.targets"
        )
    return found


def add(encoder: Encoder | TextToText, lora: Mapping[str, Any], seed: int) -> None:
    """Put adapters on an encoder, and freeze all else of it.

    Each adds ``scale * B A x`` to a linear module's output, A of ``[rank, in]`` drawn at random and
    B of ``[out, rank]`` zeros, so that nothing changes before the first step.

    Args:
        encoder: changed in place.
        lora: ``{"rank", "alpha", "targets"}`` of a recipe; the scale is alpha / rank.
        seed: A is a function of it.

    Raises:
        UserError: if the encoder has none of the targets.
    """
    from peft import LoraConfig, inject_adapter_in_model

    adapted(encoder, lora["targets"])
    config = LoraConfig(
        r=lora["rank"], lora_alpha=lora["alpha"], target_modules=lora["targets"], lora_dropout=0.0
    )
    torch.manual_seed(seed)
    inject_adapter_in_model(config, encoder.network)
    for name, parameter in encoder.named_parameters():
        parameter.requires_grad_(PREFIX in name)


@torch.no_grad()
def merge(encoder: Encoder | TextToText) -> None:
    """Add the adapters to the weights that they adapt, and take them out."""
    for parent, name, layer in list(_layers(encoder.network)):
        layer.merge()
        setattr(parent, name, layer.get_base_layer())
    for parameter in encoder.parameters():
        parameter.requires_grad_(True)


def _layers(network: nn.Module) -> Iterator[tuple[nn.Module, str, Any]]:
    """The modules that have adapters, each with what holds it and under which name."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    for parent in network.modules():
        for name, child in parent.named_children():
            if isinstance(child, BaseTunerLayer):
                yield parent, name, child

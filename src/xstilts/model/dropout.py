"""Dropout as a pure function of (seed, step, example, token, channel).

PyTorch's dropout depends on how examples were grouped into micro-batches and on the device. Here
a mask bit is a hash of a *row key* (one 32-bit number a token, made from seed, step, example and
position) and a *column constant* (site and channel). A run that is resumed, or grouped otherwise,
or moved to another device drops the same activations. The probability is exact to 1e-8, and the
hash takes six passes over int32, several times less than ``torch.nn.functional.dropout`` on a CPU.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

# Multipliers of a 32-bit finaliser with low bias; found by Chris Wellons' hash-prospector.
_M1 = 0x7FEB352D
_M2 = 0x846CA68B - 2**32
_GOLDEN = 0x9E3779B1
PROGRAMS = 64  # of one function: sizes, precisions, rows of one token, training and evaluation


def _mix(values: np.ndarray) -> np.ndarray:
    """A bijection of uint32 whose every output bit depends on every input bit."""
    mixed = values.astype(np.uint32)
    mixed ^= mixed >> np.uint32(16)
    mixed *= np.uint32(_M1)
    mixed ^= mixed >> np.uint32(15)
    mixed *= np.uint32(_M2 + 2**32)
    mixed ^= mixed >> np.uint32(16)
    return mixed


def row_keys(seeds: Sequence[int], lengths: Sequence[int]) -> torch.Tensor:
    """One key a token.

    Args:
        seeds: one number a sequence, made of seed, step and example; 63 bits are used.
        lengths: tokens of each sequence, with sum T.

    Returns:
        int32 ``[T]``.
    """
    low = np.array([seed & 0xFFFFFFFF for seed in seeds], np.uint32)
    high = np.array([seed >> 32 & 0xFFFFFFFF for seed in seeds], np.uint32)
    positions = np.concatenate([np.arange(length, dtype=np.uint32) for length in lengths])
    start, stretch = np.repeat(_mix(low), lengths), np.repeat(_mix(high), lengths)
    keys = _mix(_mix(positions * np.uint32(_GOLDEN) + start) + stretch)
    return torch.from_numpy(keys.view(np.int32))


def columns(site: int, width: int, device: torch.device) -> torch.Tensor:
    """The constants of a site's channels, int32 ``[width]``."""
    return _columns(site, max(512, 1 << (width - 1).bit_length()), device)[:width]


# Attention asks for as many as there are lengths: each would wait for a GPU if it were made anew.
@lru_cache(maxsize=4096)
def _columns(site: int, width: int, device: torch.device) -> torch.Tensor:
    numbers = np.arange(width, dtype=np.uint32) * np.uint32(_GOLDEN) + np.uint32(
        site * 2654435769 % 2**32
    )
    return torch.from_numpy(_mix(_mix(numbers)).view(np.int32)).to(device)


def apply_dropout(x: torch.Tensor, keys: torch.Tensor, site: int, p: float) -> torch.Tensor:
    """Drop entries of ``x`` with probability ``p`` and scale the rest by 1/(1-p).

    Args:
        x: any float tensor ``[..., C]``.
        keys: int32, of shape ``x.shape[:-1]``.
        site: the number of this dropout within the model.
        p: probability of dropping, in [0, 1).
    """
    run = _one_kernel() if x.is_cuda else drop
    return run(x, keys, columns(site, x.shape[-1], x.device), p)


def drop(x: torch.Tensor, keys: torch.Tensor, constants: torch.Tensor, p: float) -> torch.Tensor:
    """`apply_dropout` with the ``columns`` of its site."""
    mixed = keys.unsqueeze(-1) ^ constants
    mixed *= _M1
    mixed ^= mixed >> 15
    mixed *= _M2
    keep = mixed >= int(-(2**31) + p * 2**32)
    return x * (keep * (1.0 / (1.0 - p))).to(x.dtype)


@lru_cache(maxsize=1)
def _one_kernel() -> Callable[..., torch.Tensor]:
    """`drop` compiled: on a GPU each of its six passes would be a kernel."""
    torch._dynamo.config.recompile_limit = PROGRAMS  # noqa: SLF001
    return torch.compile(drop, dynamic=True)


class KeyHolder:
    """What is known of the batch under way where its states are computed.

    Attributes:
        keys: row keys of the dropouts.
        places: int64 ``[P]``, the tokens whose last states are asked for; None: all.
    """

    keys: torch.Tensor | None = None
    places: torch.Tensor | None = None


class KeyedDropout(nn.Dropout):
    """``nn.Dropout`` that takes its bits from row keys; like it, the identity in evaluation."""

    def __init__(self, p: float, site: int, holder: KeyHolder) -> None:
        super().__init__(p)
        self.site = site
        self.holder = holder
        self.columns: torch.Tensor | None = None  # known beforehand where this is compiled

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Drop with the holder's keys; their shape must be ``x.shape[:-1]``."""
        if not self.training or self.p == 0.0:
            return x
        keys = self.holder.keys
        assert keys is not None, "training without row keys"
        if x.shape[:-1].numel() != keys.numel():  # not one row a token: attention of odd models
            return nn.functional.dropout(x, self.p)
        keys = keys.view(x.shape[:-1])
        if self.columns is not None and len(self.columns) == x.shape[-1]:
            return drop(x, keys, self.columns, self.p)
        return apply_dropout(x, keys, self.site, self.p)


_RATES = ("hidden_dropout_prob", "attention_probs_dropout_prob", "dropout_rate")


def set_rate(model: nn.Module, p: float) -> None:
    """Drop with this probability everywhere in a transformers model, and say so in its config."""
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = p
        for name in ("dropout", "attention_dropout"):  # of attention, in some architectures
            if isinstance(getattr(module, name, None), float):
                setattr(module, name, p)
    config: Any = getattr(model, "config", None)
    for name in _RATES:
        if hasattr(config, name):
            setattr(config, name, p)


def install(model: nn.Module, holder: KeyHolder) -> None:
    """Number a model's modules in the order of the tree; make every ``nn.Dropout`` a keyed one.

    The number is the dropout site. All other modules keep theirs as ``dropout_site``: attention
    drops weights under it. A module that is called several times (ALBERT's layer) drops the same
    channels every time.
    """
    for site, (name, module) in enumerate(list(model.named_modules())):
        if type(module) is nn.Dropout:
            parent = model.get_submodule(name.rpartition(".")[0])
            setattr(parent, name.rpartition(".")[2], KeyedDropout(module.p, site, holder))
        else:
            module.dropout_site = site

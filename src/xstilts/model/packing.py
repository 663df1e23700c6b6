"""Packed rows: all sequences of a micro-batch one after the other, no padding.

Stock Hugging Face modules run on one flat row ``[1, T]`` with explicit positions; only attention
must know where a sequence ends, and it learns it through transformers' attention interface.
Legend: T tokens, n sequences, h heads, d channels a head, L length.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

import torch
from torch.nn import functional
from transformers import AttentionInterface
from transformers.masking_utils import AttentionMaskInterface

from xstilts.model.dropout import apply_dropout

if TYPE_CHECKING:
    from torch import nn

NAME = "xstilts_packed"


@dataclass(frozen=True)
class Batch:
    """A micro-batch, sequences in ascending order of length.

    Attributes:
        ids: int64 ``[T]``.
        types: int64 ``[T]``, segment ids.
        lengths: tokens of each sequence.
        keys: int32 ``[T]``, dropout row keys; None in evaluation.
    """

    ids: torch.Tensor
    types: torch.Tensor
    lengths: tuple[int, ...]
    keys: torch.Tensor | None = None

    @property
    def starts(self) -> torch.Tensor:
        """The position of each sequence's first token, int64 ``[n]``."""
        starts = torch.tensor((0, *self.lengths[:-1])).cumsum(0)
        return starts.to(self.ids.device, non_blocking=True)

    def positions(self, first: int) -> torch.Tensor:
        """Position ids ``[T]``, starting anew at ``first`` in every sequence."""
        ranges = [torch.arange(first, first + length) for length in self.lengths]
        return torch.cat(ranges).to(self.ids.device, non_blocking=True)

    def means(self, states: torch.Tensor) -> torch.Tensor:
        """The mean of each sequence's states: ``[..., T, H] -> [..., n, H]``."""
        counted = torch.tensor(self.lengths)
        owner = torch.repeat_interleave(counted).to(states.device, non_blocking=True)
        lengths = counted.to(states.device, non_blocking=True)
        sums = states.new_zeros(*states.shape[:-2], len(lengths), states.shape[-1])
        return sums.index_add(-2, owner, states) / lengths[:, None]

    def to(self, device: torch.device) -> Batch:
        """The same batch on another device."""
        keys = None if self.keys is None else self.keys.to(device, non_blocking=True)
        ids, types = (t.to(device, non_blocking=True) for t in (self.ids, self.types))
        return Batch(ids, types, self.lengths, keys)

    def pinned(self) -> Batch:
        """The same batch in page-locked memory."""
        keys = None if self.keys is None else self.keys.pin_memory()
        return Batch(self.ids.pin_memory(), self.types.pin_memory(), self.lengths, keys)


def real_places(lengths: tuple[int, ...], device: torch.device) -> torch.Tensor:
    """Where padded rows have tokens, bool ``[n, longest]``."""
    ends = torch.tensor(lengths)[:, None]
    return (torch.arange(max(lengths)) < ends).to(device, non_blocking=True)


def padded(flat: torch.Tensor, real: torch.Tensor, value: int) -> torch.Tensor:
    """Packed values ``[T]`` in padded rows ``[n, longest]``, ``value`` where there is no token."""
    return flat.new_full(real.shape, value).masked_scatter(real, flat)


def runs(lengths: tuple[int, ...]) -> list[tuple[int, int]]:
    """Runs of equal length, as (how many sequences, length)."""
    return [(len(list(run)), length) for length, run in groupby(lengths)]


def attention(
    module: nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    _attention_mask: torch.Tensor | None,
    *,
    lengths: tuple[int, ...],
    keys: torch.Tensor | None = None,
    scaling: float | None = None,
    dropout: float = 0.0,
    sliding_window: int | None = None,
    position_bias: torch.Tensor | None = None,
    **_: Any,
) -> tuple[torch.Tensor, None]:
    """Bidirectional attention within each sequence of a packed row, a run of equal lengths a time.

    Args:
        module: the attention layer; it has its ``dropout_site`` from ``dropout.install``.
        query: ``[1, h, T, d]``, and so ``key`` and ``value``.
        lengths: tokens of each sequence, in the order of the row.
        keys: int32 ``[T]``; needed where ``dropout`` > 0.
        scaling: factor on the scores; None: 1/sqrt(d).
        dropout: probability of dropping an attention weight.
        sliding_window: tokens see only tokens less than so many places away; None: all.
        position_bias: of architectures that add one to the scores (T5), which are not packed.

    Returns:
        ``[1, T, h, d]`` and None (no attention weights).

    Raises:
        TypeError: if there is a ``position_bias``: it would have as many entries as pairs of tokens
            in the whole row.
    """
    if position_bias is not None:
        raise TypeError("attention with a position bias is not packed")
    heads, width = query.shape[1], query.shape[3]
    flat = tuple(x[0].transpose(0, 1) for x in (query, key, value))  # [T, h, d]
    if dropout == 0.0 and _has_kernel(query):
        return _variable_length(flat, lengths, scaling, sliding_window)[None], None
    groups = runs(lengths)
    # One split a tensor: the gradient of a slice would be as large as the whole, and most of it 0.
    sizes = [count * length for count, length in groups]
    parts = zip(*(x.split(sizes) for x in flat), strict=True)
    keyed = [None] * len(sizes) if keys is None else keys.split(sizes)
    out = []
    for (count, length), part, row in zip(groups, parts, keyed, strict=True):
        q, k, v = (
            x.view(count, length, heads, width).transpose(1, 2) for x in part
        )  # [n, h, L, d]
        band = _band(length, sliding_window, query.device)
        # On CPUs that multiply bf16 fast, matrix products beat the fused kernel: backward at 8,192
        # tokens in rows of 128 takes 11 against 47 ms (4 heads of 64, 2 cores); in fp32 they lose.
        fused = dropout == 0.0 and not (q.device.type == "cpu" and q.dtype is torch.bfloat16)
        if fused:
            states = functional.scaled_dot_product_attention(q, k, v, band, scale=scaling)
        else:
            scale = width**-0.5 if scaling is None else scaling
            scores = q * scale @ k.transpose(-1, -2)  # [n, h, L, L]
            if band is not None:
                scores = scores.masked_fill(~band, float("-inf"))
            weights = scores.softmax(-1)
            if dropout > 0.0:
                assert row is not None, "training without row keys"
                rows = _head_keys(row.view(count, 1, length), heads)
                site = int(module.dropout_site)  # type: ignore[arg-type]
                weights = apply_dropout(weights, rows, site, dropout)
            states = weights @ v
        out.append(states.transpose(1, 2).reshape(count * length, heads, width))
    return torch.cat(out)[None], None


def _has_kernel(query: torch.Tensor) -> bool:
    """Whether FlashAttention's kernel for sequences of any lengths takes this.

    Half precision, and channels of a head that need no padding.
    """
    taken = query.dtype in (torch.bfloat16, torch.float16) and query.shape[-1] in range(8, 257, 8)
    return query.is_cuda and taken and torch.cuda.get_device_capability(query.device)[0] >= 8


def _variable_length(
    flat: tuple[torch.Tensor, ...],
    lengths: tuple[int, ...],
    scaling: float | None,
    window: int | None,
) -> torch.Tensor:
    """All sequences in one kernel: query, key and value ``[T, h, d]`` each; CUDA only."""
    from torch.nn.attention.varlen import varlen_attn

    ends = torch.tensor((0, *lengths), dtype=torch.int32).cumsum(0, dtype=torch.int32)
    ends = ends.to(flat[0].device, non_blocking=True)
    side = -1 if window is None else window - 1  # the kernel counts the farthest token too
    most = max(lengths)
    q, k, v = flat
    found = varlen_attn(q, k, v, ends, ends, most, most, scale=scaling, window_size=(side, side))
    assert isinstance(found, torch.Tensor)
    return found


def _band(length: int, window: int | None, device: torch.device) -> torch.Tensor | None:
    """Which tokens see each other, bool ``[L, L]``; None where all do."""
    if window is None or window >= length:
        return None
    places = torch.arange(length, device=device)
    return (places[:, None] - places).abs() < window


def _head_keys(keys: torch.Tensor, heads: int) -> torch.Tensor:
    """Keys ``[n, 1, L]`` -> ``[n, h, L]``, another one for every head."""
    numbers = torch.arange(1, heads + 1, dtype=torch.int32, device=keys.device)
    mixed = (keys ^ (numbers * 0x3C6EF372)[:, None]) * 0x7FEB352D
    return mixed ^ (mixed >> 15)


def _no_mask(*_: Any, **__: Any) -> None:
    """No mask is ever built: the attention function knows the sequences."""


AttentionInterface.register(NAME, attention)
AttentionMaskInterface.register(NAME, _no_mask)

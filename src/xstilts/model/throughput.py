"""How much of a machine a model uses: its arithmetic per step, and the machine's peak."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torch import nn

PEAK_SIZE = 4096  # of the square matrices that measure a GPU's peak; a quarter of it on a CPU


@dataclass(frozen=True)
class Work:
    """Floating-point operations of forward and backward, matrix products only.

    Source: Chowdhery et al. 2022, "PaLM", appendix B: 6 a parameter and token, embeddings left
    out, and 12 L H S a token for attention over S tokens. Recomputation does not count.

    Attributes:
        weights: parameters of the layers' matrices.
        layers: L.
        hidden: H.
        head: parameters of the output layer, V x H.
    """

    weights: int
    layers: int
    hidden: int
    head: int

    @classmethod
    def of(cls, network: nn.Module) -> Work:
        """Count a transformers model."""
        config = network.config
        table = network.get_input_embeddings().weight  # type: ignore[operator]
        weights = 0
        for name, parameter in network.base_model.named_parameters():  # type: ignore[union-attr]
            if parameter.dim() == 2 and "embeddings" not in name and parameter is not table:
                weights += parameter.numel()
        return cls(weights, config.num_hidden_layers, config.hidden_size, table.numel())  # type: ignore[union-attr,arg-type]

    def of_sequences(self, lengths: Iterable[int]) -> float:
        """Of the layers, for sequences of these lengths."""
        lengths = list(lengths)
        squares = sum(length * length for length in lengths)
        return 6.0 * self.weights * sum(lengths) + 12.0 * self.layers * self.hidden * squares

    def of_logits(self, count: int) -> float:
        """Of the output layer, at so many positions."""
        return 6.0 * self.head * count


def peak_flops_per_s(device: torch.device, dtype: torch.dtype) -> float:
    """The best rate of square matrix products, median of nine; takes a second at most."""
    size = PEAK_SIZE if device.type == "cuda" else PEAK_SIZE // 4
    matrix = torch.ones(size, size, dtype=dtype, device=device)
    seconds = []
    for _ in range(12):
        started = time.perf_counter()
        product = matrix @ matrix
        product[0, 0].item()  # waits for the device
        seconds.append(time.perf_counter() - started)
    return 2.0 * size**3 / statistics.median(seconds[3:])

"""Feed-forward blocks compiled for a GPU: fewer, larger kernels; what is computed is the same.

A layer's blocks without attention know nothing of sequences, so one program serves all layers and
any number of tokens. Attention stays as it is: its shapes are those of the batch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from xstilts.model.dropout import PROGRAMS, KeyedDropout, columns

if TYPE_CHECKING:
    from collections.abc import Iterable


def compile_blocks(layers: Iterable[nn.Module], device: torch.device) -> int:
    """Compile the blocks of a transformer's layers in place, which happens when they first run.

    Where the compiler fails (no C or Triton compiler at hand), PyTorch warns and runs them as they
    are. Blocks that drop between their matrices are left as they are.

    Args:
        layers: of the network.
        device: they run on.

    Returns:
        How many blocks.
    """
    torch._dynamo.config.suppress_errors = True  # noqa: SLF001
    torch._dynamo.config.recompile_limit = PROGRAMS  # noqa: SLF001
    found = 0
    for layer in layers:
        for name, block in layer.named_children():
            modules = list(block.modules())
            matrices = [n for n, one in enumerate(modules) if isinstance(one, nn.Linear)]
            drops = [n for n, one in enumerate(modules) if isinstance(one, KeyedDropout) and one.p]
            attention = "att" in name or isinstance(block, nn.ModuleList)  # T5 has both in a list
            if attention or not matrices or min(drops, default=len(modules)) < matrices[-1]:
                continue
            for place in drops:
                one = modules[place]  # its constants as a tensor: else every site has its program
                width = modules[matrices[-1]].out_features
                one.columns = columns(one.site, width, device)  # type: ignore[arg-type]
            block.compile(dynamic=True)
            found += 1
    return found

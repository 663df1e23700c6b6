"""Which layer's states are compared in retrieval: the paper's, and one chosen on tuning rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

# The layers whose states XTREME's scripts compare, by depth (run_tatoeba.sh): the 8th block of
# mBERT, the 14th of XLM-R Large. Other depths take two thirds, as mBERT does.
_OFFICIAL_LAYERS = {12: 8, 24: 14}


def retrieval_layer(depth: int) -> int:
    """The layer whose retrieval score counts: 0 is the embeddings, ``depth`` the last block."""
    return _OFFICIAL_LAYERS.get(depth, round(depth * 2 / 3))


def best_layer(scores: Mapping[int, float]) -> int:
    """The layer with the highest score; of equal ones the lowest."""
    return min(scores, key=lambda layer: (-scores[layer], layer))

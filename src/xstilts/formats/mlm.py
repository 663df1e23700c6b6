"""Masked language modelling: raw text in, the hidden tokens out.

Which tokens are hidden is drawn anew in every step (``mask``), as a function of the step's seed
and the example alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from xstilts.formats.encoded import Builder, Encoded, Template, token_ids

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray
    from tokenizers import Tokenizer

    from xstilts.formats import Limits
    from xstilts.formats.examples import Line
    from xstilts.tasks.base import Task

MASK_SHARE = 0.15


def encode(_task: Task, examples: Sequence[Line], tokenizer: Tokenizer, limits: Limits) -> Encoded:
    """One sequence a line, cut at the limit."""
    template, builder = Template.of(tokenizer), Builder()
    room = limits.max_length - template.single_specials
    for owner, ids in enumerate(token_ids(tokenizer, [one.text for one in examples])):
        if ids:  # a line may be nothing to the tokenizer
            builder.sequence(template.single(ids[:room]))
            builder.end_unit(owner)
    return builder.build(template.second_type)


def decode(
    _task: Task, examples: Sequence[Line], encoded: Encoded, outputs: NDArray[np.float64]
) -> Iterator[dict[str, Any]]:
    """Prediction rows from ``[U, 2]``: summed loss in nats, and how many tokens were hidden."""
    for owner, (loss, hidden) in zip(encoded.owner, outputs.tolist(), strict=True):
        one = examples[owner]
        yield {"id": one.id, "group": one.group, "gold": int(hidden), "prediction": loss}


def mask(
    ids: NDArray[np.int32],
    special: NDArray[np.bool_],
    mask_id: int,
    seed: int,
    share: float = MASK_SHARE,
) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
    """Hide a share of the tokens: 80 % become the mask token, 10 % a random one, 10 % stay.

    Source: Devlin et al. 2019, section 3.1; special tokens are never chosen.

    Args:
        ids: int32 ``[T]``, the tokens of one sequence.
        special: bool ``[V]``, which of the vocabulary's tokens are special.
        mask_id: the mask token.
        seed: of this sequence in this step.
        share: of the tokens to hide.

    Returns:
        The changed ids ``[T]`` and which positions were chosen, bool ``[T]``. At least one token
        is chosen wherever there is one to choose.
    """
    stream = np.random.default_rng(seed)
    draws = stream.random((3, len(ids)))
    candidates = ~special[ids]
    chosen = candidates & (draws[0] < share)
    if not chosen.any() and candidates.any():
        chosen[np.flatnonzero(candidates)[int(draws[0, 0] * candidates.sum())]] = True
    changed = ids.copy()
    changed[chosen & (draws[1] < 0.8)] = mask_id
    randomly = chosen & (draws[1] >= 0.9)
    ordinary = np.flatnonzero(~special)
    changed[randomly] = ordinary[(draws[2, randomly] * len(ordinary)).astype(np.int64)]
    return changed, chosen

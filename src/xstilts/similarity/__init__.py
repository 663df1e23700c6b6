"""How alike two tasks are, before anything is paid for: features, and what they are made of.

A feature is made of the labelled English training rows of a task and nothing else: `sample.Sample`
opens those and has no way to open other rows. What is costly (running the encoder) is done once a
task by a probe step; comparing two tasks is then a function of two small arrays.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from xstilts.errors import UserError, suggest
from xstilts.similarity import cka, fisher, logme, vectors, vocabulary

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from xstilts.tasks.base import Format

Needs = Literal["tokens", "states", "labels", "gradients", "training"]
LABELLED: tuple[Format, ...] = ("classification", "multiple_choice", "tagging", "span")


@dataclass(frozen=True)
class Feature:
    """One way to compare an intermediate task with a target.

    Attributes:
        name: as shown.
        about: what a large value means, for people.
        source: the publication that defines it.
        formats: of the tasks that it is defined for, both of them.
        needs: what of the tasks it is made of.
        rows: English training rows that are looked at.
        passes: what it costs, in forward passes over a row of each task; training counts three.
        short: whether the intermediate task's short run is what is compared.
        version: part of a probe's identity; raised whenever a value could change.
        compare: two tasks' arrays, the intermediate's first -> a number, larger is more alike. With
            ``short``, the target's rows under the intermediate's short run, then under the
            pretrained encoder.
    """

    name: str
    about: str
    source: str
    formats: tuple[Format, ...]
    needs: Needs
    rows: int
    passes: float
    short: bool
    version: int
    compare: Callable[[Any, Any], float]


_EVERY: tuple[Format, ...] = (*LABELLED, "mlm")
FEATURES: Mapping[str, Feature] = MappingProxyType(
    {
        one.name: one
        for one in (
            Feature(
                *("vocabulary", "they use the same words", vocabulary.SOURCE),
                *(_EVERY, "tokens", 2000, 0.0, False, 1, vocabulary.similarity),
            ),
            Feature(
                *("text_embedding", "the encoder sees the same kind of text", vectors.TEXT_SOURCE),
                *(_EVERY, "states", 200, 1.0, False, 1, vectors.cosine),
            ),
            Feature(
                *("task_embedding", "the same weights matter for both", fisher.SOURCE),
                *(LABELLED, "gradients", 100, 4.0, False, 1, fisher.similarity),
            ),
            Feature(
                *("gradient", "a step on one is a step on the other", vectors.GRADIENT_SOURCE),
                *(LABELLED, "gradients", 100, 4.0, False, 1, vectors.cosine),
            ),
            Feature(
                *("logme", "its short run's states tell the target's labels", logme.SOURCE),
                *(("classification", "tagging"), "labels", 200, 1.0, True, 1, logme.gain),
            ),
            Feature(
                *("cka", "its short run leaves the target's states as they were", cka.SOURCE),
                *(_EVERY, "states", 200, 1.0, True, 1, cka.linear),
            ),
        )
    }
)
SHORT_RUN = "short_run"  # the score of path and target, both paused: not a probe but a run
SHORT_SHARE = 0.05


def get(name: str) -> Feature:
    """The feature of that name.

    Raises:
        UserError: if there is none.
    """
    if name not in FEATURES:
        raise UserError(f'no feature is called "{name}":{suggest(name, FEATURES)}')
    return FEATURES[name]

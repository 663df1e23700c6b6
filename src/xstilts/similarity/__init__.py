"""How alike two tasks are, before anything is paid for: features, and what they are made of.

A feature is made of the labelled English training rows of a task and nothing else: `sample.Sample`
opens those and has no way to open other rows. What is costly (running the encoder) is done once a
task by a probe step; comparing two tasks is then a function of two small arrays.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from xstilts.errors import UserError, suggest
from xstilts.similarity import cka, fisher, logme, vectors, vocabulary

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from xstilts.tasks.base import Format

LABELLED: tuple[Format, ...] = ("classification", "multiple_choice", "tagging", "span")


@dataclass(frozen=True, kw_only=True)
class Feature:
    """One way to compare an intermediate task with a target.

    Attributes:
        name: as shown.
        about: what a large value means, for people.
        source: the publication that defines it.
        formats: of the tasks that it is defined for, both of them.
        rows: English training rows of a task that are looked at.
        passes: what it costs, in forward passes over a row; three with its gradient.
        compare: two tasks' arrays, the intermediate's first -> a number, larger is more alike, or
            None where these rows tell none. With ``short``, the target's rows under the
            intermediate's short run, then under the pretrained encoder.
        short: whether the intermediate task's short run is what is compared.
        version: part of a probe's identity; raised whenever a value could change.
    """

    name: str
    about: str
    source: str
    formats: tuple[Format, ...]
    rows: int
    passes: float
    compare: Callable[[Any, Any], float | None]
    short: bool = False
    version: int = 1


_EVERY: tuple[Format, ...] = (*LABELLED, "mlm")
_ALL = (
    Feature(
        name="vocabulary",
        about="they use the same words",
        source=vocabulary.SOURCE,
        formats=_EVERY,
        rows=2000,
        passes=0.0,
        compare=vocabulary.similarity,
    ),
    Feature(
        name="text_embedding",
        about="the encoder sees the same kind of text",
        source=vectors.TEXT_SOURCE,
        formats=_EVERY,
        rows=200,
        passes=1.0,
        compare=vectors.cosine,
    ),
    Feature(
        name="task_embedding",
        about="the same weights matter for both",
        source=fisher.SOURCE,
        formats=LABELLED,
        rows=100,
        passes=4.0,
        compare=fisher.similarity,
    ),
    Feature(
        name="gradient",
        about="a step on one is a step on the other",
        source=vectors.GRADIENT_SOURCE,
        formats=LABELLED,
        rows=100,
        passes=4.0,
        compare=vectors.cosine,
    ),
    Feature(
        name="logme",
        about="its short run's states tell the target's labels",
        source=logme.SOURCE,
        formats=("classification", "tagging"),
        rows=200,
        passes=1.0,
        short=True,
        compare=logme.gain,
    ),
    Feature(
        name="cka",
        about="its short run leaves the target's states as they were",
        source=cka.SOURCE,
        formats=_EVERY,
        rows=200,
        passes=1.0,
        short=True,
        compare=cka.linear,
    ),
)
FEATURES: Mapping[str, Feature] = MappingProxyType({one.name: one for one in _ALL})
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

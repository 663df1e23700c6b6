"""Groups: which examples are not independent of each other, in every language alike.

Hold-outs keep the examples of a group on one side, and statistics draw whole groups. A test set
that was translated has the same groups in all its languages, so that differences between languages
can be paired group by group.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from xstilts.formats.examples import Example


NO_SENTENCE = "NS"  # what stands in PAWS-X where a sentence was not translated: it ties nothing


def tied(examples: Sequence[Example], fields: Sequence[str]) -> list[Example]:
    """The examples in groups that share a text, directly or through others of the group.

    Args:
        examples: of one split in one language.
        fields: of the examples; equal texts in any two of these tie.

    Returns:
        The examples in their order, each with the id of its group's first one as its group.
    """
    first: dict[str, int] = {}  # text -> the first example that has it
    parent = list(range(len(examples)))

    def root(number: int) -> int:
        while parent[number] != number:
            parent[number] = number = parent[parent[number]]
        return number

    for number, one in enumerate(examples):
        for text in (getattr(one, field) for field in fields):
            if text != NO_SENTENCE:
                ends = root(first.setdefault(text, number)), root(number)
                parent[max(ends)] = min(ends)
    return [replace(one, group=examples[root(number)].id) for number, one in enumerate(examples)]


def named(examples: Iterable[Example], groups: Mapping[str, str]) -> list[Example]:
    """The examples with the groups that their ids have elsewhere; an id not there stands alone."""
    return [replace(one, group=groups.get(one.id, one.id)) for one in examples]

"""What a perturbation is: places in a text, and what may stand there instead."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from xstilts.perturb.clusters import Range


@dataclass(frozen=True)
class Perturbation:
    """One kind of noise.

    Attributes:
        name: as written in ``keyboard@0.1``.
        about: one line.
        sites: text, language -> the ranges that can be edited, in order, none overlapping another.
        options: text, one of the sites, language -> what may stand there instead, each different
            from what does; asked only where an edit is made.
        module: the optional package it needs, as imported; "" for none.
    """

    name: str
    about: str
    sites: Callable[[str, str], Sequence[Range]]
    options: Callable[[str, Range, str], Sequence[str]]
    module: str = ""


def by_letter(
    name: str, about: str, options: Callable[[str, str], Sequence[str]], module: str = ""
) -> Perturbation:
    """A perturbation of single letters.

    Args:
        name: of the perturbation.
        about: one line.
        options: cluster, language -> what may stand for it; empty where nothing can.
        module: the optional package it needs.
    """
    from xstilts.perturb.clusters import letters

    def sites(text: str, language: str) -> list[Range]:
        return [(a, b) for a, b in letters(text) if options(text[a:b], language)]

    def chosen(text: str, site: Range, language: str) -> Sequence[str]:
        return options(text[slice(*site)], language)

    return Perturbation(name, about, sites, chosen, module)

"""Perturbations of text: seeded, graded, script-aware; labels and ids stay as they are.

``keyboard@0.1`` is a perturbation and its severity, the share of the places it can act on that it
does act on. docs/robustness.md lists them by script, with the reasons.
"""

from __future__ import annotations

from importlib.util import find_spec
from types import MappingProxyType
from typing import TYPE_CHECKING

from xstilts.errors import UserError, suggest
from xstilts.path import parse_noise
from xstilts.perturb.letters import LETTERS
from xstilts.perturb.signs import SIGNS
from xstilts.perturb.words import WORDS, code_switch

if TYPE_CHECKING:
    from collections.abc import Mapping

    from xstilts.path import Noise
    from xstilts.perturb.base import Perturbation
    from xstilts.perturb.lexicons import Lexicon

_CODE_SWITCH = code_switch({})

PERTURBATIONS: Mapping[str, str] = MappingProxyType(  # name -> what it does
    {one.name: one.about for one in (*LETTERS, *SIGNS, *WORDS, _CODE_SWITCH)}
    | {"distractor": "a sentence of another text comes at the end of the context"}
)
_BY_NAME = {one.name: one for one in (*LETTERS, *SIGNS, *WORDS)}


# Raised by hand whenever a perturbation gives another text for the same seed: part of the identity
# of all that is made of perturbed rows. A golden test holds that.
VERSION = 2


def parse(text: str) -> Noise:
    """The noise that a text such as ``keyboard@0.1`` stands for.

    Raises:
        UserError: if there is no such perturbation, or the severity is not from 0 to 1.
    """
    noise = parse_noise(text)
    if noise.name not in PERTURBATIONS:
        hint = suggest(noise.name, PERTURBATIONS, "xstilts perturb TASK")
        raise UserError(f'no perturbation is called "{noise.name}":{hint}')
    return noise


def get(name: str, lexicon: Lexicon | None = None) -> Perturbation:
    """The perturbation of single texts with this name; ``distractor`` is none, it needs many.

    Raises:
        UserError: if it needs a lexicon and has none, or a package that is not installed.
    """
    if name == "code_switch":
        if lexicon is None:
            raise UserError("code_switch needs a lexicon: give one with --lexicon FILE")
        return code_switch(lexicon)
    found = _BY_NAME[name]
    if found.module and find_spec(found.module) is None:
        raise UserError(
            f'perturbation "{name}" needs the package {found.module.replace("_", "-")}, which is '
            'not installed: pip install "xstilts[perturb]"'
        )
    return found

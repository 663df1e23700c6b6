"""A noise as it stands in a step's inputs: what its rows depend on, and those rows."""

from __future__ import annotations

from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

from xstilts import perturb
from xstilts.identity import fingerprint
from xstilts.perturb import lexicons
from xstilts.perturb.examples import perturbed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from xstilts.formats.examples import Example
    from xstilts.path import Noise
    from xstilts.perturb.lexicons import Lexicon
    from xstilts.tasks import Task

# Of rows that are evaluated: a perturbed test set is one, the same for every model and run.
EVALUATION_SEED = 1


def declared(noise: Noise, language: str, mirror: Path | None) -> dict[str, Any]:
    """The noise as JSON: all that rows perturbed with it depend on but the rows and the seed.

    Args:
        noise: what is done.
        language: of the rows.
        mirror: the folder of the datasets' original files, for its lexicons.

    Raises:
        UserError: if there is no such perturbation, or it needs a package that is not installed.
        AbsentError: if it needs a lexicon that is not there.
    """
    noise = perturb.parse(str(noise))
    found: dict[str, Any] = {"noise": str(noise), "version": perturb.VERSION}
    if noise.name == "code_switch":
        found["lexicon"] = _lexicon_fingerprint(language, mirror)
    elif noise.name != "distractor":
        perturb.get(noise.name)
    return found


def applied(
    task: Task,
    examples: Sequence[Example],
    about: Mapping[str, Any],
    language: str,
    seed: int,
    mirror: Path | None,
) -> list[Example]:
    """The examples with the noise that ``declared`` put down, in their order.

    Raises:
        UserError: as `perturbed`.
    """
    noise = perturb.parse(about["noise"])
    lexicon = _lexicon(language, mirror) if noise.name == "code_switch" else None
    return perturbed(task, examples, noise, language, seed, lexicon)


@cache
def _lexicon_fingerprint(language: str, mirror: Path | None) -> str:
    lexicon = _lexicon(language, mirror)
    return fingerprint({word: list(others) for word, others in lexicon.items()})


@lru_cache(maxsize=2)
def _lexicon(language: str, mirror: Path | None) -> Lexicon:
    return lexicons.find(language, mirror)

"""Claims as data: what was said, where, under what conditions, and by what rule it is judged.

Those that the project began with stand in ``claims.yaml``; a user's own are read from a file of the
same form.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Annotated, Literal, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from xstilts.errors import UserError
from xstilts.yamlfile import YamlFile

if TYPE_CHECKING:
    from pathlib import Path


class _Claim(BaseModel):
    """What every claim says.

    Attributes:
        id: its name.
        text: what is claimed.
        source: who says so.
        status: how far the source itself was checked.
        model: the encoder it was said of; "" any.
        suite: the targets it was said of; "" any.
        split: what was scored; "" any.
        data: the source whose data it was said of, stand-ins being others; "" any.
        aggregation: how numbers were averaged.
        expected: the published number, in points; None where none is claimed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")]
    text: str
    source: str
    status: str = "as given by the source"
    model: str = ""
    suite: str = ""
    split: str = ""
    data: Literal["", "hub"] = ""
    aggregation: str = ""
    expected: float | None = None


class MeanGain(_Claim):
    """The mean gain of an intermediate over all targets is above 0 (below, if so expected).

    Attributes:
        intermediate: the first one that the study has is judged; those after the first stand in.
    """

    rule: Literal["mean_gain"]
    intermediate: Annotated[tuple[str, ...], Field(min_length=1)]


class BestPerTarget(_Claim):
    """The best intermediate for every target gains on average."""

    rule: Literal["best_per_target"]
    protocol: Literal["english_dev", "official_dev"]


class Largest(_Claim):
    """The smallest gain among the named targets is larger than that of any other target."""

    rule: Literal["largest"]
    targets: Annotated[tuple[str, ...], Field(min_length=1)]
    probability: Annotated[float, Field(gt=0.5, lt=1)] = 0.95


class Consistent(_Claim):
    """Intermediates gain on a target, one like another: at least that share of them."""

    rule: Literal["consistent"]
    target: str
    least_share: Annotated[float, Field(gt=0, le=1)] = 0.85


class Equivalent(_Claim):
    """The mean gain over the intermediates on a target is within ± margin points (TOST)."""

    rule: Literal["equivalent"]
    target: str
    margin: Annotated[float, Field(gt=0)]


class VariantWorse(_Claim):
    """A variant of intermediate training is worse on average than plain English training."""

    rule: Literal["variant_worse"]
    variant: Literal["mlm", "translated"]


class VariantNotMoreTargets(_Claim):
    """A variant is not better on more targets than chance would have it (sign test)."""

    rule: Literal["variant_not_more_targets"]
    variant: Literal["mlm", "translated"]


class InCatalogue(_Claim):
    """A fact of the set-up, checked against the catalogue of tasks.

    Attributes:
        suite_tasks: how many tasks the suite has.
        mixture, mixture_tasks: a mixture and how many tasks it has.
        never_trained: targets that have no training rows.
    """

    rule: Literal["catalogue"]
    suite_tasks: int | None = None
    mixture: str = ""
    mixture_tasks: int | None = None
    never_trained: tuple[str, ...] = ()


class NotTestable(_Claim):
    """What no run of one's own can tell."""

    rule: Literal["not_testable"]


Claim = Annotated[
    MeanGain
    | BestPerTarget
    | Largest
    | Consistent
    | Equivalent
    | VariantWorse
    | VariantNotMoreTargets
    | InCatalogue
    | NotTestable,
    Field(discriminator="rule"),
]
PAPER = "arXiv 2005.13013 (second version)"
_CLAIMS: TypeAdapter[tuple[Claim, ...]] = TypeAdapter(tuple[Claim, ...])
_RULES = {
    get_args(claim.model_fields["rule"].annotation)[0]: claim
    for claim in get_args(get_args(Claim)[0])
}


@cache
def built_in() -> tuple[Claim, ...]:
    """The claims it began with."""
    text = files("xstilts.analysis").joinpath("claims.yaml").read_text(encoding="utf-8")
    return _CLAIMS.validate_python(yaml.safe_load(text))


def load(path: Path) -> tuple[Claim, ...]:
    """A user's claims: a YAML list of the same form as ``claims.yaml``.

    Raises:
        UserError: if the file cannot be read, or a claim is not as it should be.
    """
    file = YamlFile.read(path, "check the path")
    found = file.checked(_CLAIMS.validate_python, _RULES)
    taken = [claim.id for claim in (*built_in(), *found)]
    for claim in found:
        if taken.count(claim.id) > 1:
            raise UserError(f'{path}: claim id "{claim.id}" is taken: choose another')
    return found

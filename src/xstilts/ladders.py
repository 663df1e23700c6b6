"""What a study of model sizes trains: every model at every learning rate, and its ladder."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from xstilts import models

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xstilts.models import Model
    from xstilts.recipes import Recipe
    from xstilts.study import Study

ALL = "all models"  # the ladder of a study that declares none
AT_THE_END = 2**31 - 1  # more steps than any stage has: the last one alone is looked at


@dataclass(frozen=True)
class Rung:
    """One model at one learning rate.

    Attributes:
        ladder: the one it stands on, by its first and last model.
        model: the pretrained model's name.
        name: what cells call it: with the learning rate, where the study declares several.
        parameters: of what is used, the encoder with its embeddings or, from text to text, the
            whole model; None where nothing tells.
        learning_rate: None: the recipe's.
    """

    ladder: str
    model: str
    name: str
    parameters: int | None
    learning_rate: float | None = None


def rungs(study: Study, model: Model, recipe: Recipe) -> Iterator[tuple[Rung, Recipe]]:
    """The rungs of a model, each with the recipe it is trained by.

    Where learning rates are chosen among, a recipe that selects no step scores the last one on the
    English selection rows, so that there is something to choose by.

    Args:
        study: what was declared.
        model: one of its models.
        recipe: the study's.
    """
    ladder = next((f"{o[0]} to {o[-1]}" for o in study.ladders if model.name in o), ALL)
    size = models.parameters(model, whole=recipe.text2text)
    if not study.learning_rates:
        yield Rung(ladder, model.name, model.name, size), recipe
    for rate in study.learning_rates:
        looks = recipe.select_every or AT_THE_END
        rung = Rung(ladder, model.name, f"{model.name}@{rate:g}", size, rate)
        yield rung, replace(recipe, learning_rate=rate, select_every=looks)

"""A study's perturbations and attacks: which evaluations they make, and which they cannot."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from xstilts import path, perturb
from xstilts.errors import AbsentError, UserError
from xstilts.path import parse_noise
from xstilts.perturb.declared import EVALUATION_SEED, declared
from xstilts.perturb.validity import validity
from xstilts.steps import attacks
from xstilts.steps.attacks.transformation import slips

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from xstilts.study import Study
    from xstilts.tasks.base import Task


@dataclass(frozen=True)
class Attack:
    """The worst cases of one model, target and language.

    Attributes:
        model, path, seed: of the run that is asked.
        target, language: what of.
        search: how they were found.
        found_on: the path of the run that they were found on: the same, or another (a transfer).
        step: where they are.
    """

    model: str
    path: str
    seed: int
    target: str
    language: str
    search: str
    found_on: str
    step: str

    @property
    def transferred(self) -> bool:
        """Whether they were found on another run."""
        return self.found_on != self.path


class Adversity:
    """What of a study's perturbations and attacks is made, and what is refused and why."""

    def __init__(self, study: Study, mirror: Path | None) -> None:
        self._noises, self._mirror = tuple(map(parse_noise, study.perturbations)), mirror
        self._searches, self._rows = study.attacks, study.options.attack_rows
        # (task, perturbation or attacks) -> why they are not made -> in which languages
        self._refused: dict[tuple[str, str], dict[str, dict[str, None]]] = {}

    def noises(self, task: Task, language: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """The noises that may be evaluated: what they do to labels, and what a step's inputs say.

        Raises:
            UserError: if there is no such perturbation, or a package is missing.
            AbsentError: if there is no lexicon.
        """
        for noise in self._noises:
            found = validity(perturb.parse(str(noise)).name, task, language)
            if found.verdict in ("invalid", "not applicable"):
                why = f"{found.verdict}: {found.reason}"
                self._refuse(task, f"~{noise.name}", why, language)
                continue
            try:
                about = declared(noise, language, self._mirror)
            except AbsentError:
                self._refuse(
                    task, f"~{noise.name}", "no lexicon of the language is there", language
                )
            else:
                yield found.verdict, {**about, "seed": EVALUATION_SEED}

    def attacks(self, task: Task, language: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """The attacks that may be made: the search, and what a step's inputs say."""
        for search in self._searches:
            moves = slips(task, language)
            if task.format not in attacks.FORMATS:
                why = f"attacks are on {' and '.join(attacks.FORMATS)}".replace("_", " ")
                self._refuse(task, "attacks", why, language)
            elif not moves:
                why = "no slip of a finger leaves its labels as they are"
                self._refuse(task, "attacks", why, language)
            else:
                about = {
                    "search": search,
                    "rows": self._rows,
                    "edits": attacks.EDITS,
                    "queries": attacks.QUERIES,
                    "seed": attacks.SEED,
                    "version": [attacks.VERSION, perturb.VERSION],
                }
                yield search, {"attack": about, "moves": list(moves)}

    def _refuse(self, task: Task, what: str, why: str, language: str) -> None:
        reasons = self._refused.setdefault((task.name, what), {})
        reasons.setdefault(why, {})[language] = None

    def refused(self, made: Iterable[str]) -> dict[str, str]:
        """What is not made -> why.

        Args:
            made: the noises that are evaluated somewhere.

        Raises:
            UserError: if there is nothing to evaluate with one of the perturbations.
        """
        lines = {
            f"{task} {what} in {' '.join(codes)}": why
            for (task, what), reasons in self._refused.items()
            for why, codes in reasons.items()
        }
        for noise in {*map(str, self._noises)} - {*made}:
            name = f" ~{parse_noise(noise).name} "
            mine = [f"{where}: {why}" for where, why in lines.items() if name in where]
            raise UserError(
                f'perturbations: "{noise}" can be evaluated on nothing in this study '
                f"({(mine or ['nothing of it is predicted here'])[0]}): take it off the list"
            )
        return lines


def pairs(found: Sequence[Attack], baselines: Mapping[str, str]) -> Iterator[tuple[Attack, Attack]]:
    """Who is asked, and on whom the cases were found: every run and its baseline, both ways.

    Args:
        found: the attacks of a study.
        baselines: target -> the path of the suite's own baseline, where it has stages of its own.
    """
    by_place = {(one.path, *_place(one)): one for one in found}
    for one in found:
        own = path.parse(one.path)
        base = str(path.Path(own.stages[-1:], own.evaluations))
        if suite := baselines.get(one.target):
            stages = path.parse(suite).stages
            base = suite if own.stages[-len(stages) :] == stages else base
        other = by_place.get((base, *_place(one)))
        if other is not None and base != one.path:
            yield one, other
            yield other, one


def _place(one: Attack) -> tuple[str, int, str, str, str]:
    return one.model, one.seed, one.target, one.language, one.search

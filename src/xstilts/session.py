"""Studies from Python: ``xstilts.run("mnli > xnli").scores()``."""

from __future__ import annotations

import os
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xstilts.analysis import claims, outcomes, power, scaling, verdicts
from xstilts.analysis.gains import Gains
from xstilts.disk.whole import whole
from xstilts.engines import Silent
from xstilts.errors import UserError
from xstilts.report.rows import score_rows
from xstilts.report.watch import watcher

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    import pandas as pd

    from xstilts.analysis.robustness import Robustness
    from xstilts.plan import Plan
    from xstilts.store import Store
    from xstilts.tasks import Catalogue


_NAMELESS = "run"  # the name of a study that is a few paths


class Results:
    """What a study has given so far: tidy tables, one row a number.

    Attributes:
        plan, store, catalogue, name: of the study.
    """

    def __init__(
        self, plan: Plan, store: Store, catalogue: Catalogue, name: str = _NAMELESS
    ) -> None:
        self.plan, self.store, self.catalogue, self.name = plan, store, catalogue, name
        self._outcomes: outcomes.Outcomes | None = None

    def __repr__(self) -> str:
        """What was asked, how much of it is finished, and where it lies."""
        about = f'study "{self.name}"'
        if self.name == _NAMELESS:
            first, *others = dict.fromkeys(cell.path for cell in self.plan.cells) or ("nothing",)
            about = f'"{first}"' + (f" and {len(others)} more" if others else "")
        steps = self.plan.steps.values()
        done = [step.kind for step in steps if self.store.has(step.id)]
        finished = f"{len(done)} of {len(steps)} steps finished, {done.count('score')} scores"
        return f"<Results of {about}: {finished}; store {self.store.root}>"

    def outcomes(self) -> outcomes.Outcomes:
        """The scores as arrays, by run, language and resample; read once."""
        if self._outcomes is None:
            self._outcomes = outcomes.load(self.plan, self.store, self.catalogue)
        return self._outcomes

    def scores(self) -> pd.DataFrame:
        """One row a score; the columns are those of `xstilts.report.rows.score_rows`."""
        return _frame(score_rows(self.plan, self.store))

    def gains(self, *, same_data: bool = False) -> pd.DataFrame:
        """One row a difference; the columns are those of `xstilts.analysis.gains.Gain.row`.

        Args:
            same_data: whether cells in which the intermediate trains on the target's own data
                count in means.
        """
        gains = Gains(self.outcomes(), same_data=same_data)
        return _frame([gain.row() for gain in gains.all()])

    def claims(self, file: Path | None = None) -> pd.DataFrame:
        """One row a claim and model: verdicts on direction and size, and the conditions.

        Args:
            file: a user's claims, judged beside the built-in ones.
        """
        mine = claims.load(file) if file else ()
        gains = Gains(self.outcomes(), same_data=True)
        judged = verdicts.judge([*claims.built_in(), *mine], gains, self.catalogue)
        return _frame([verdict.row() for verdict in judged])

    def robustness(self) -> pd.DataFrame:
        """One row an interaction: what noise costs with and without an intermediate task.

        The columns are those of `xstilts.analysis.robustness.Interaction.row`.
        """
        return _frame([line.row() for line in self._noisy().all()])

    def _noisy(self) -> Robustness:
        from xstilts.analysis.robustness import Robustness

        found = outcomes.load(self.plan, self.store, self.catalogue, perturbed=True)
        return Robustness(found, self.plan, self.store, self.catalogue)

    def attacks(self) -> pd.DataFrame:
        """One row an attack; the columns are those of `xstilts.analysis.attacked.Attacked.row`."""
        from xstilts.analysis.attacked import attacked

        return _frame([one.row() for one in attacked(self.plan, self.store, self.catalogue)])

    def scaling(self) -> list[scaling.Curve]:
        """Curves over the nested sizes of every intermediate task."""
        drops = self._noisy().drops() if self.plan.perturbed else {}
        return scaling.curves(Gains(self.outcomes()), drops)

    def needed(self, points: float) -> power.Needed:
        """How many seeds see a mean gain of so many points, and what they cost."""
        return power.detect(points, self.plan, self.store, self.catalogue)

    def report(self, file: str | Path) -> Path:
        """Write the HTML report; returns where it is.

        Raises:
            UserError: if altair is not installed.
        """
        from xstilts.report import findings
        from xstilts.report.page import page

        found = findings.collect(self.name, self.plan, self.store, self.catalogue)
        with whole(Path(file)) as part:
            part.write_text(page(found), encoding="utf-8")
        return Path(file)

    def predictions(self) -> pd.DataFrame:
        """One row an example and run: the step's own columns, and those that say which run."""
        cells = self.plan.cells
        return self._rows([(cell, self.plan.steps[cell.score].parent) for cell in cells])

    def worst_cases(self) -> pd.DataFrame:
        """One row an attacked example and run: texts before and after, scores, edits, queries.

        ``search`` says how, ``found_on`` on which path; another one than ``path`` is a transfer.
        """
        return self._rows([(one, one.step) for one in self.plan.attacks], "search", "found_on")

    def _rows(self, runs: Sequence[tuple[Any, str]], *more: str) -> pd.DataFrame:
        """The rows of finished predict steps, with the run that each belongs to."""
        from pyarrow import parquet

        from xstilts.steps import PREDICTIONS

        names = ("model", "path", "seed", "target", "language", *more)
        rows: list[dict[str, Any]] = []
        for one, step in runs:
            if self.store.has(step):
                about = {name: getattr(one, name) for name in names}
                file = self.store.open(step).path(PREDICTIONS)
                rows += [{**about, **row} for row in parquet.read_table(file).to_pylist()]
        return _frame(rows)


def _frame(rows: list[dict[str, Any]]) -> pd.DataFrame:
    try:
        import pandas as pd
    except ImportError:
        raise UserError("DataFrames need pandas: pip install pandas") from None
    return pd.DataFrame(rows)


def run(
    *paths: str,
    model: str | None = None,
    source: str | None = None,
    seeds: Sequence[int] | None = None,
    recipe: str | None = None,
    store: str | Path | None = None,
    device: str = "auto",
    **study: Any,
) -> Results:
    """Run paths, or a study file, as ``xstilts run`` does; what is finished is not redone.

    Args:
        paths: as in ``"mnli > xnli"``; or one YAML file or ready-made study. What is given beside a
            study stands in place of what it says.
        model: a Hugging Face folder or hub name; of paths, ``mini`` where none is given.
        source: ``hub`` (of paths, where none is given), ``mirror``, ``microworld`` or ``files``.
        seeds: each covers every path from its first stage on; of paths, 1 where none are given.
        recipe: ``mini`` (of paths, where none is given), ``authors``, ``mt5`` and others.
        store: where finished work lives; else ``XSTILTS_STORE`` says, else ``.xstilts``.
        device: ``cpu``, ``cuda``, ``cuda:1``; ``auto``: the GPU where there is one.
        **study: further fields of `xstilts.study.Study`, such as ``intermediate``, ``targets`` and
            ``options``.

    A terminal and a notebook see how far it is, on stderr.

    Raises:
        UserError: if something of it is wrong, or a step failed.
    """
    from xstilts import hardware, models, plan, recipes
    from xstilts import study as studies
    from xstilts.imported import Imports
    from xstilts.sources import Sources
    from xstilts.store import Store
    from xstilts.tasks import Catalogue

    file = studies.file_of(paths[0]) if len(paths) == 1 and isinstance(paths[0], str) else None
    each = tuple(seeds) if isinstance(seeds, range) else seeds
    models_ = None if model is None else (model,)
    named = {"models": models_, "source": source, "seeds": each, "recipe": recipe}
    given = {name: value for name, value in named.items() if value is not None} | study
    if file is None:
        usual = {"models": ("mini",), "source": "hub", "seeds": (1,), "recipe": "mini"}
        declared = studies.of({"name": _NAMELESS, "paths": paths, **usual, **given})
    else:
        declared = studies.load(file)
        if given:
            declared = studies.of({**declared.model_dump(exclude_unset=True), **given})
    folder = Path(store or os.environ.get("XSTILTS_STORE") or ".xstilts")
    catalogue, sources, kept = Catalogue(), Sources.from_environment(), Store(folder)
    found = plan.build(
        declared,
        recipes.of(declared),
        [models.find(name) for name in declared.models],
        catalogue,
        sources,
        allow_absent=bool(declared.targets),
        imports=Imports(kept),
        device=hardware.device(device) if declared.measure else "cpu",
    )
    _finish(found, kept, catalogue, sources, device)
    return Results(found, kept, catalogue, declared.name)


def _finish(plan: Plan, store: Store, catalogue: Catalogue, sources: Any, device: str) -> None:
    from xstilts.engines.groups import remaining

    if not (steps := remaining(plan, store)):
        return  # and nothing heavy is imported
    from xstilts import hardware, preflight
    from xstilts.engines import Bench, token_budget
    from xstilts.engines.local import LocalEngine

    found = hardware.device(device)
    bench = Bench(store, catalogue, sources, device=found, token_budget=token_budget(found))
    with _watching() as watch:
        for line in preflight.check(plan, steps, bench):
            watch.say(line)
        outcome = LocalEngine().run(plan, bench, watch)
    for reason in outcome.failures.values():
        raise UserError(f"{len(outcome.failures)} steps failed, the first because: {reason}")


def _watching() -> AbstractContextManager[Any]:
    """What a terminal or a notebook sees; where stderr goes elsewhere, nothing is said."""
    seen = sys.stderr.isatty() or hasattr(sys, "ps1")  # which notebooks have, too
    return watcher() if seen else nullcontext(Silent())

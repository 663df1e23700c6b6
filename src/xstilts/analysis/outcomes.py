"""The finished scores of a plan as arrays: by run, language and resample of the items."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from xstilts import metrics
from xstilts.analysis import rates
from xstilts.analysis.draws import RESAMPLES, Draws
from xstilts.analysis.resample import Counts, Items
from xstilts.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from xstilts.ladders import Rung
    from xstilts.plan import Cell, Plan
    from xstilts.store import Store
    from xstilts.tasks import Catalogue
    from xstilts.tasks.base import Task

_COLLAPSE = 0.25  # of the way from chance to the usual score
_SURE = 3.0  # standard deviations over items that no run is singled out within


@dataclass(frozen=True)
class Outcome:
    """One model, path and target.

    Attributes:
        model, path, target: which.
        trained_on: the task the target's head was trained on; None in retrieval.
        split: the published name of what was scored.
        seeds: in the order of the study; None where nothing was trained.
        languages: the codes, English first where it is one.
        values: float64 ``[seeds, languages, 1 + resamples]``, the mean of the main metrics.
        groups: as in `Draws`.
        chance: the score of guessing; None where a score cannot tell that a run did not learn.
        selected: what each run scored on the English selection rows; None where any run has none.
        source: where its data come from.
        tokens: what the stages before the target's own trained on, the mean over seeds; None where
            it is not known.
        perturbation: of the rows that were scored; "": they are clean.
        baseline: the path of the suite's own baseline, where it has stages of its own; or "".
        items: how many were scored in the language that has fewest; 0: as many as groups.
    """

    model: str
    path: str
    target: str
    trained_on: str | None
    split: str
    seeds: tuple[int, ...] | None
    languages: tuple[str, ...]
    values: NDArray[np.float64] = field(repr=False)
    groups: int
    chance: float | None = None
    selected: tuple[float, ...] | None = None
    source: str = "hub"
    tokens: float | None = None
    perturbation: str = ""
    baseline: str = ""
    items: int = 0

    def over(
        self,
        languages: Sequence[str] = (),
        how: Callable[..., NDArray[np.float64]] = np.mean,
    ) -> Draws:
        """One number a run.

        Args:
            languages: of these, all if empty.
            how: reduces axis 1 of ``[seeds, languages, 1 + resamples]``.
        """
        where = [self.languages.index(code) for code in languages or self.languages]
        return Draws(how(self.values[:, where], axis=1), self.seeds, self.groups, self.items)


@dataclass
class Outcomes:
    """All that is finished of a study.

    Attributes:
        all: on clean rows, in the order of the study.
        perturbed: on perturbed rows, where they were asked for.
        absent: path -> why it was not run.
        unfinished: how many scores are still to come.
        max_steps, max_eval_rows: the caps of a quick look, or of an arm of fixed steps.
        targets: what means are over; empty: all there are.
        analyses: what the study declared.
        margins: target, or "mean" -> points within which a gain counts as none, as declared.
        translated: tasks whose rows in other languages than English are translations.
        rungs: the models as they are called here, with their sizes and learning rates.
    """

    all: list[Outcome]
    perturbed: list[Outcome] = field(default_factory=list)
    absent: Mapping[str, str] = field(default_factory=dict)
    unfinished: int = 0
    max_steps: int | None = None
    max_eval_rows: int | None = None
    targets: tuple[str, ...] = ()
    analyses: tuple[str, ...] = ()
    margins: Mapping[str, float] = field(default_factory=dict)
    translated: frozenset[str] = frozenset()
    rungs: tuple[Rung, ...] = ()

    def __iter__(self) -> Iterator[Outcome]:
        return iter(self.all)

    @property
    def models(self) -> tuple[str, ...]:
        """The models, in the order of the study."""
        return tuple(dict.fromkeys(one.model for one in self.all))

    def collapsed(self, one: Outcome) -> tuple[int, ...]:
        """Seeds of runs that did not learn.

        Their first language, English where there is one, is less than a quarter of the way from
        chance to the median of all of the study's runs of that model and target, and further below
        the median than the choice of items could make it. Where the median itself may be chance,
        no run is singled out: nothing was learnt by any.
        """
        if one.seeds is None or one.chance is None:
            return ()
        alike = [o for o in self.all if (o.model, o.target) == (one.model, one.target)]
        usual = float(np.median(np.concatenate([other.values[:, 0, 0] for other in alike])))
        noise = float(np.median(np.concatenate([_spread(other) for other in alike])))
        if usual - one.chance <= _SURE * noise:
            return ()
        least = one.chance + _COLLAPSE * (usual - one.chance)
        below = one.values[:, 0, 0] < np.minimum(least, usual - _SURE * _spread(one))
        return tuple(seed for seed, is_low in zip(one.seeds, below, strict=True) if is_low)


def _spread(one: Outcome) -> NDArray[np.float64]:
    """The standard deviation over items of each run's first language, ``[seeds]``."""
    return np.std(one.values[:, 0, 1:], axis=1)


def load(
    plan: Plan,
    store: Store,
    catalogue: Catalogue,
    resamples: int = RESAMPLES,
    *,
    perturbed: bool = False,
    every_rate: bool = False,
) -> Outcomes:
    """What is finished of a plan. A run counts where all languages of its target are scored.

    Args:
        plan, store, catalogue: of the study.
        resamples: of the items.
        perturbed: whether to read the scores of perturbed rows too, which pair up with the clean.
        every_rate: all learning rates that models were tried at, not the chosen one alone.

    Raises:
        UserError: if nothing is finished, or the store is damaged.
    """
    runs: Runs = defaultdict(list)
    cells = [*plan.cells, *(plan.perturbed if perturbed else ())]
    for cell in cells:
        runs[cell.model, cell.path, cell.target, cell.perturbation, cell.seed].append(cell)
    whole = {key: mine for key, mine in runs.items() if all(store.has(c.score) for c in mine)}
    if not whole:
        absent = "" if store.root.is_dir() else " (there is no such folder)"
        raise UserError(
            f'nothing of it is finished in store "{store.root}"{absent}: "xstilts run" with the '
            'same study and options makes its scores, "xstilts store merge" brings them'
        )
    found: dict[tuple[str, ...], Outcome] = {}
    for target in dict.fromkeys(key[2] for key in whole):
        mine = {key: cells for key, cells in whole.items() if key[2] == target}
        found |= _target(catalogue.get(target), mine, plan, store, resamples)
    every = [found[key] for key in dict.fromkeys(key[:4] for key in whole) if key in found]
    loaded = Outcomes(
        [one for one in every if not one.perturbation],
        [one for one in every if one.perturbation],
        absent=plan.absent,
        unfinished=len(cells) - sum(map(len, whole.values())),
        max_steps=_cap(plan, "max_steps"),
        max_eval_rows=_cap(plan, "max_rows"),
        targets=plan.targets,
        analyses=plan.analyses,
        margins=plan.margins,
        translated=_translated(plan, catalogue),
        rungs=tuple(plan.rungs),
    )
    return loaded if every_rate else rates.counted(loaded)


def any_whole(cells: Iterable[Cell], store: Store) -> bool:
    """Whether any run is scored in all languages of its target."""
    runs: dict[tuple[Any, ...], list[bool]] = defaultdict(list)
    for cell in cells:
        run = (cell.model, cell.path, cell.target, cell.perturbation, cell.seed)
        runs[run].append(store.has(cell.score))
    return any(map(all, runs.values()))


def _translated(plan: Plan, catalogue: Catalogue) -> frozenset[str]:
    """Generated rows count, as all languages say the same."""
    sources = {cell.source for cell in plan.cells}
    every = ((task.name, s, data) for task in catalogue for s, data in task.sources.items())
    return frozenset(
        name
        for name, source, data in every
        if source in sources and (data.translated or source == "microworld")
    )


def _cap(plan: Plan, name: str) -> int | None:
    """The cap of a quick look; looks back at earlier tasks always have one of their own."""
    asked = (step.inputs for step in plan.steps.values() if "split" not in step.inputs)
    return next((cap for inputs in asked if (cap := inputs.get(name))), None)


# Model, path, target, perturbation, seed.
Runs = dict[tuple[str, str, str, str, "int | None"], "list[Cell]"]


def _target(
    task: Task, runs: Runs, plan: Plan, store: Store, resamples: int
) -> dict[tuple[str, ...], Outcome]:
    """The outcomes of one target: all of its runs, in one go for each language."""
    cells = {(key, cell.language): cell for key, mine in runs.items() for cell in mine}
    codes = tuple(dict.fromkeys(code for _, code in cells))
    tables = {place: _read(store, cell.score) for place, cell in cells.items()}
    counts = {
        (name, code): _aligned(
            [tables[key, code][name] for key in runs if (key, code) in tables],
            task.name,
            code,
            sparse=metrics.get(name).sparse,
        )
        for name in task.main_metrics
        for code in codes
    }
    groups = {code: counts[task.main_metrics[0], code].groups for code in codes}
    items = Items.of(task, groups, resamples)
    values: dict[Any, NDArray[np.float64]] = {}
    for code in codes:
        having = [key for key in runs if (key, code) in tables]
        by_metric = [
            items.values(metrics.get(name), code, counts[name, code]) for name in task.main_metrics
        ]
        values |= {(key, code): row for key, row in zip(having, np.mean(by_metric, 0), strict=True)}
    found: dict[tuple[str, ...], Outcome] = {}
    for place in dict.fromkeys(key[:4] for key in runs):
        keys = [key for key in runs if key[:4] == place]
        first = runs[keys[0]][0]
        # Predictions that were imported may be there in more languages under one seed.
        own = tuple(
            cell.language
            for cell in runs[keys[0]]
            if all((key, cell.language) in cells for key in keys)
        )
        if not own:
            continue
        found[place] = Outcome(
            model=first.model,
            path=first.path,
            target=first.target,
            trained_on=first.trained_on,
            split=first.split,
            seeds=None
            if keys[0][4] is None
            else tuple(key[4] for key in keys if key[4] is not None),
            languages=own,
            values=np.stack([[values[key, code] for code in own] for key in keys]),
            groups=items.fewest,
            chance=None if first.trained_on is None else task.chance or 0.0,
            selected=_selected([runs[key][0] for key in keys], plan, store),
            source=first.source,
            tokens=_tokens([runs[key][0] for key in keys], plan, store),
            perturbation=first.perturbation,
            baseline=plan.baselines.get(first.target, ""),
            items=min(_items(store, cell) for cell in runs[keys[0]] if cell.language in own),
        )
    return found


def _items(store: Store, cell: Cell) -> int:
    """How many items were scored."""
    return min(int(row["n"]) for row in store.record(cell.score)["result"] if row["main"])


def _selected(cells: Sequence[Cell], plan: Plan, store: Store) -> tuple[float, ...] | None:
    """What the last stage of each run scored on the English selection rows."""
    scores = []
    for cell in cells:
        weights = plan.steps[plan.steps[cell.score].parent].parent
        if not weights or cell.trained_on is None or not store.has(weights):
            return None  # of imported predictions there are no weights
        chosen = store.record(weights)["result"].get("selected")
        if chosen is None:
            return None
        scores.append(float(chosen["score"]))
    return tuple(scores)


def _tokens(cells: Sequence[Cell], plan: Plan, store: Store) -> float | None:
    """What all stages but the target's own trained on, the mean over runs."""
    found = []
    for cell in cells:
        predict = plan.steps[plan.steps[cell.score].parent]
        stages = [stage.id for stage in plan.lineage(predict.parent)]
        before = stages[:-1] if cell.trained_on is not None else stages
        if not all(map(store.has, before)):
            return None
        found.append(sum(float(store.record(one)["result"].get("tokens", 0)) for one in before))
    return float(np.mean(found))


def _read(store: Store, score: str) -> dict[str, tuple[NDArray[np.int64], NDArray[np.float64]]]:
    """A score step's counts by metric: groups, and sums ``[groups, counts]``."""
    from pyarrow import parquet

    from xstilts.steps.score import COUNTS

    table = parquet.read_table(store.open(score).path(COUNTS)).to_pydict()
    names, groups = np.array(table["metric"]), np.array(table["group"], np.int64)
    found = {}
    for name in dict.fromkeys(table["metric"]):
        rows = np.flatnonzero(names == name)
        found[name] = groups[rows], np.array([table["counts"][row] for row in rows])
    return found


def _aligned(
    runs: Sequence[tuple[NDArray[np.int64], NDArray[np.float64]]],
    target: str,
    code: str,
    *,
    sparse: bool,
) -> Counts:
    """The counts of several runs on the same groups; sparse ones on the groups of any run.

    Raises:
        UserError: if they were scored on different ones, so that a mean would be of unlike things.
    """
    if sparse:
        return _filled(runs)
    groups = runs[0][0]
    for other, _ in runs:
        if not np.array_equal(groups, other):
            raise UserError(
                f"{target} in {code}: runs were scored on different rows ({len(groups):,} and "
                f"{len(other):,} groups), as imported predictions beside ours under a cap are: "
                "they cannot be compared; run the study without max_eval_rows"
            )
    return Counts(groups, np.stack([sums for _, sums in runs], axis=1))


def _filled(runs: Sequence[tuple[NDArray[np.int64], NDArray[np.float64]]]) -> Counts:
    """The counts of several runs on all groups that any has, 0 where a run has none."""
    groups = np.unique(np.concatenate([mine for mine, _ in runs]))
    sums = np.zeros((len(groups), len(runs), runs[0][1].shape[1]))
    for number, (mine, counts) in enumerate(runs):
        sums[np.searchsorted(groups, mine), number] = counts
    return Counts(groups, sums)

"""Tables for the terminal: one a path and target, a row a language. Percent only here."""

from __future__ import annotations

from collections import defaultdict
from statistics import mean, stdev
from typing import TYPE_CHECKING, Any

from xstilts import languages
from xstilts.report import protocol
from xstilts.report.screen import grid
from xstilts.tasks import TASKS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.table import Table

    from xstilts.tasks import Catalogue
    from xstilts.tasks.base import Task


class _Scores:
    """The values of one model, path and target: language -> metric -> seed -> value."""

    def __init__(self, rows: Sequence[dict[str, Any]], task: Task) -> None:
        main = [row for row in rows if row["main"]]
        self.first = main[0]
        self.mixed = protocol.mixed(main)
        self.trained_in = protocol.trained_in(main)
        self.task = task
        self.metrics = list(dict.fromkeys(row["metric"] for row in rows))
        self.codes = list(dict.fromkeys(row["language"] for row in rows))
        self.others = [code for code in self.codes if code != "en"]
        self.seeds = sorted({row["seed"] for row in rows if row["seed"] is not None})
        self.n = {row["language"]: row["n"] for row in main}
        self.selected = sorted({row["layer"] for row in rows if row.get("selected")})
        self._values = {(r["language"], r["metric"], r["seed"]): r["value"] for r in rows}

    def over_seeds(self, codes: Sequence[str], metrics: Sequence[str]) -> list[float]:
        """The mean over languages and metrics, one a seed; seeds that lack a score are left out."""
        found = []
        for seed in self.seeds or [None]:
            values = [self._values.get((code, m, seed)) for code in codes for m in metrics]
            have = [value for value in values if value is not None]
            if have and len(have) == len(values):
                found.append(mean(have))
        return found

    @property
    def title(self) -> str:
        """The path, and the target where the path does not end in it."""
        path, target = self.first["path"], self.first["target"]
        ends_in_it = path.split()[-1].split(":")[0] == target
        return path if ends_in_it else f"{path}  ({target})"

    @property
    def protocol(self) -> str:
        """How the numbers came about, in one line."""
        first = self.first
        trained = f", trained on {first['trained_on']}" if first["trained_on"] else ""
        parts = [f"model {first['model']}", f"{self._data}{trained}"]
        parts.append(_seeds(self.seeds))
        if self.task.chance:
            parts.append(f"chance {100 * self.task.chance:.1f}")
        if first["layer"] is not None:
            parts.append(f"layer {first['layer']}")
        if self.selected:
            parts.append(f"selected on other rows: {', '.join(map(str, self.selected))}")
        if first["max_steps"]:
            parts.append(f"at most {first['max_steps']:,} steps a stage")
        if first["max_eval_rows"]:
            parts.append(f"at most {first['max_eval_rows']:,} rows a language")
        if self.trained_in:
            parts.append(f"not zero-shot, as trained in: {', '.join(self.trained_in)}")
        if self.mixed:
            parts.append(f"means are over different protocols: {'; '.join(self.mixed)}")
        return "; ".join(parts)

    @property
    def _data(self) -> str:
        """Where the rows that were scored are; a user's own are in no source but their files."""
        source = self.first["source"]
        rows = self.task.sources[source].evaluate
        if self.task.name in TASKS or rows is None:
            return f"{source}, {self.first['split']} split"
        return f"own data {rows.place}"


def tables(
    rows: Sequence[dict[str, Any]], catalogue: Catalogue
) -> Iterator[tuple[str, Table, str]]:
    """One table for every model, path and target.

    Args:
        rows: of ``score_rows``.
        catalogue: gives chance levels.

    Yields:
        A title, a table and the line that goes below it. The table has language, n, and every
        metric in percent: the mean over seeds, with the standard deviation where there are
        several; at the end the unweighted mean over languages, English in and out. Beside the
        scores that count stand those of the selected layer, of the rows that a threshold was tuned
        on, and of other thresholds.
    """
    for scores in _grouped(rows, catalogue):
        yield scores.title, _table(scores), scores.protocol


def summary(rows: Sequence[dict[str, Any]], catalogue: Catalogue) -> tuple[Table, str] | None:
    """What to compare: one row for every model, path and target; None where there is only one.

    Args:
        rows: of ``score_rows``.
        catalogue: gives each target's main metrics.

    Returns:
        A table of the mean of the target's main metrics, in English and over the other languages,
        as mean and standard deviation over seeds; and the line that goes below it.
    """
    every = list(_grouped(rows, catalogue))
    if len(every) < 2:
        return None
    several_models = len({scores.first["model"] for scores in every}) > 1
    headers = ["path", "target", "score", ">English", ">others", ">languages", ">seeds"]
    table = grid(*["model"] * several_models, *headers)
    for scores in every:
        first, main = scores.first, scores.task.main_metrics
        english = scores.over_seeds(["en"], main) if "en" in scores.codes else []
        table.add_row(
            *[first["model"]] * several_models,
            first["path"],
            first["target"],
            ", ".join(main),
            _percent(english),
            _percent(scores.over_seeds(scores.others, main)),
            f"{len(scores.codes)}",
            f"{len(scores.seeds)}" if scores.seeds else "",
        )
    note = "mean of the main metrics; others: unweighted mean over the languages but English"
    if any(len(scores.seeds) > 1 for scores in every):
        note += "; sd: standard deviation over seeds"
    for what, which in (
        ("not all zero-shot", [scores.title for scores in every if scores.trained_in]),
        ("means over different protocols", [scores.title for scores in every if scores.mixed]),
    ):
        if which:
            note += f"; {what}: {', '.join(dict.fromkeys(which))}"
    return table, note


def _grouped(rows: Sequence[dict[str, Any]], catalogue: Catalogue) -> Iterator[_Scores]:
    groups: dict[tuple[str, str, str], list[dict[str, Any]]] = defaultdict(list)
    counted = {_place(row): row["layer"] for row in rows if row["main"]}
    for row in rows:
        group = groups[row["model"], row["path"], row["target"]]
        if row["main"]:
            group.append(row)
        if beside := _beside(row, counted.get(_place(row))):
            group.append(row | {"metric": f"{row['metric']}, {beside}", "main": False})
    for (_, _, target), mine in groups.items():
        yield _Scores(mine, catalogue.get(target))


def _place(row: dict[str, Any]) -> tuple[Any, ...]:
    """What the ways to score one file of predictions have in common."""
    return tuple(row[name] for name in ("model", "path", "target", "seed", "language", "metric"))


def _beside(row: dict[str, Any], counted: int | None) -> str:
    """What to call a score that stands beside the one that counts; "" if it is not shown.

    Args:
        row: of ``score_rows``.
        counted: the layer that counts.
    """
    if row.get("part") == "tune":
        own = row["layer"] == counted and not row["main"]
        return "dev at its own threshold" if own else ""
    if row.get("selected"):
        return "selected layer"
    if row["main"] or row["layer"] is not None or row.get("threshold") is None:
        return ""
    return "best threshold" if row["tuned_on"] else "threshold 0"


def _table(scores: _Scores) -> Table:
    table = grid("language", "", ">n", *(f">{metric}" for metric in scores.metrics))
    for code in scores.codes:
        cells = [_percent(scores.over_seeds([code], [metric])) for metric in scores.metrics]
        table.add_row(languages.get(code).name, code, f"{scores.n[code]:,}", *cells)
    table.add_section()
    means = {"mean": scores.codes}
    if 0 < len(scores.others) < len(scores.codes):
        means["mean without English"] = scores.others
    for name, codes in means.items():
        if len(codes) > 1:
            cells = [_percent(scores.over_seeds(codes, [metric])) for metric in scores.metrics]
            table.add_row(name, "", "", *cells, style="bold")
    return table


def _seeds(seeds: list[int]) -> str:
    if not seeds:
        return "no training, a constant"
    if len(seeds) == 1:
        return f"seed {seeds[0]}: one run, no interval"
    return f"mean and standard deviation (sd) over seeds {', '.join(map(str, seeds))}"


def _percent(values: Sequence[float]) -> str:
    """Values in [0, 1], one a seed, as a cell."""
    if not values:
        return ""
    shown = f"{100 * mean(values):.1f}"
    return shown if len(values) == 1 else f"{shown} sd {100 * stdev(values):.1f}"

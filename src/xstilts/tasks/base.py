"""What a task is: one dataset, one format, one metric, and where each source keeps its rows.

A task says nothing about how rows are read or encoded; the data room does that from what is
declared here. Adding a task is adding one object to one file of this package.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

Format: TypeAlias = Literal[
    "classification", "multiple_choice", "tagging", "span", "retrieval", "mlm", "spans", "text2text"
]
Source: TypeAlias = Literal["hub", "mirror", "microworld", "files"]
Reader: TypeAlias = Literal[
    "csv",
    "tsv",
    "jsonl",
    "conll",
    "supertags",
    "squad",
    "parallel",
    "lines",
    "bucc",
    "xquad_r",
    "xquad_r_sentences",
]
Row: TypeAlias = "Mapping[str, Any]"

SOURCES: tuple[Source, ...] = ("hub", "mirror", "microworld", "files")


@dataclass(frozen=True, kw_only=True)
class Columns:
    """How raw rows become example fields; shared by every kind of location.

    Attributes:
        fields: example field -> raw column. A file without a header has columns "0", "1", ...
            A field that is not named here is taken from the raw column of the same name.
        labels: raw label, as text -> the task's label; None drops the row. Empty: as it stands.
        adapt: for odd datasets only: raw row -> row with the format's fields, or None to drop it.
        expand: for files that hold several rows in one: raw row -> raw rows, before ``adapt``.
    """

    fields: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str | None] = field(default_factory=dict)
    adapt: Callable[[Row], Row | None] | None = None
    expand: Callable[[Row], Iterable[Row]] | None = None


@dataclass(frozen=True, kw_only=True)
class Files(Columns):
    """One split in files.

    Attributes:
        path: below the folder. ``{lang}`` stands for the language code and ``{tatoeba}`` for the
            three-letter code of the Tatoeba files.
        reader: how the file is parsed.
        header: whether the first line of a csv or tsv file names the columns.
        folder: of a user's own files, as the user wrote it; None: the source's.
        language_column: where a file holds several languages, the column of the language code;
            rows in other languages than the one asked for are left out.
    """

    path: str
    reader: Reader
    header: bool = True
    folder: str | None = None
    language_column: str = ""

    @property
    def place(self) -> str:
        """Where the rows are, for people."""
        return str(Path(self.folder or "", self.path))


@dataclass(frozen=True, kw_only=True)
class Hub(Columns):
    """One split on the Hugging Face hub.

    Attributes:
        repo: ``org/name``.
        config: the configuration; ``{lang}`` and ``{name}`` (the language's English name, as the
            configurations of XTREME's UDPOS are called) are filled in.
        split: the split; ``{lang}`` is filled in.
        revision: a commit, so that the rows cannot change; empty: resolved to the current commit
            when a study is planned, and recorded.
        id_prefix: keep only rows whose id starts so; ``{name}`` is the language's name in lower
            case. For splits that hold several languages (TyDiQA).
    """

    repo: str
    split: str
    config: str = ""
    revision: str = ""
    id_prefix: str = ""

    @property
    def place(self) -> str:
        """Where the rows are, for people."""
        return f"{self.repo} ({self.split})"


@dataclass(frozen=True, kw_only=True)
class Generated(Columns):
    """One split of the microworld.

    Attributes:
        task: tasks of one family have rows of their own.
        family: what the rows are, a name in ``xstilts.microworld.rows.FAMILIES``.
        pool: the part of the world that the rows may speak of.
        count: how many rows.
    """

    task: str
    family: str
    pool: Literal["text", "train", "test", "select"]
    count: int

    @property
    def place(self) -> str:
        """Where the rows are, for people."""
        return f"the microworld ({self.family}, {self.pool})"


Rows: TypeAlias = Files | Hub | Generated


@dataclass(frozen=True)
class Joined:
    """One split that several datasets make together, each in proportion from the first row on.

    A stage draws from it as from one dataset, which is proportional sampling with one head.
    """

    parts: tuple[Rows, ...]

    @property
    def place(self) -> str:
        """Where the rows are, for people."""
        return " + ".join(part.place for part in self.parts)


@dataclass(frozen=True, kw_only=True)
class HoldOut:
    """Selection rows held out of the training rows, whole groups at a time, always the same ones.

    Attributes:
        share: the share of groups held out, by a hash of the group's name.
    """

    share: float


@dataclass(frozen=True, kw_only=True)
class Data:
    """One task in one source.

    Attributes:
        train: English training rows.
        select: English selection rows; ``HoldOut`` takes them out of the training rows.
        evaluate: rows to score, by language.
        split: the published name of the evaluation split, shown in every score.
        languages: the languages ``evaluate`` has here; empty: all of the task's.
        translated: training rows in other languages than English, where they are kept elsewhere
            than ``train``: machine translations of it.
        translated_by: how a translated row says which English row it is of, so that what is held
            out in English is held out in all: its ``group`` is that row's, or its ``id``; ``none``:
            it is of rows that are not among these, and nothing is held out of it.
        train_languages: the languages ``train`` has here, those of ``translated`` included; a path
            takes the first of them unless it names others (``mnli:de/ru``); raw text takes all.
        train_on: another task whose training (and selection) rows serve this one.
        pool: retrieval only, the candidates that queries are ranked against; None: the other side
            of the evaluation rows.
        pool_languages: candidates of these languages make one pool for all queries; empty: the
            pool is that of the language evaluated.
        tune: rows that a threshold or a layer is chosen on, none of them an evaluation row. Where
            the files are not there, nothing is chosen beforehand.
        tune_pool: the candidates of ``tune``.
        tune_languages: the languages of ``tune``; empty: the language evaluated.
        note: what differs from the official set-up, shown by ``xstilts tasks NAME``.
    """

    train: Rows | Joined | None = None
    select: Rows | Joined | HoldOut | None = None
    evaluate: Rows | Joined | None = None
    translated: Rows | None = None
    translated_by: Literal["group", "id", "none"] = "group"
    split: str = ""
    languages: tuple[str, ...] = ()
    train_languages: tuple[str, ...] = ("en",)
    train_on: str = ""
    pool: Rows | None = None
    pool_languages: tuple[str, ...] = ()
    tune: Rows | None = None
    tune_pool: Rows | None = None
    tune_languages: tuple[str, ...] = ()
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Task:
    """One dataset, one format, one metric.

    Attributes:
        name: as written in paths.
        about: one line.
        format: how examples become model inputs and outputs.
        metrics: all that is computed, by name in the metrics room.
        main: those whose mean is the task's score; empty: the first of ``metrics``.
        sources: source -> where its rows are.
        labels: the names of the classes or tags, in the order of the head's outputs.
        words: the labels as words, for text to text; empty: the labels are words.
        languages: every language it is published in, English first where it is one of them.
        chance: the main score of guessing; None where that is not defined.
        parallel: a test set that was translated: a row has the same id in every language, and the
            group of that id in the first language. All its questions need not be in all of them.
        grouped_by: what the rows of a group have in common, in words. A row that says no group is
            one by itself.
        by_article: rows come article by article, so that the first of them are about few.
        items: names test items that several tasks ask about; "": no other task has this one's.
        tied_by: fields of the examples; rows with an equal text in any two of them are one group,
            whatever their columns say.
        unanswerable: span only: some questions have no answer (SQuAD v2.0).
        lengths: retrieval by a trained encoder: the most tokens of a query and of a candidate.
        contains: tasks whose training rows stand among this one's.
        stands_for: the task that it takes the place of where that one's files cannot be had.
        protocol: how the benchmark that made the target runs it, in one line.
        license: of the data.
        source_url: where the data is described.
    """

    name: str
    about: str
    format: Format
    metrics: tuple[str, ...]
    sources: Mapping[Source, Data]
    main: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    languages: tuple[str, ...] = ("en",)
    chance: float | None = None
    parallel: bool = False
    grouped_by: str = "nothing: every row is a group"
    by_article: bool = False
    items: str = ""
    tied_by: tuple[str, ...] = ()
    unanswerable: bool = False
    lengths: tuple[int, int] | None = None
    contains: tuple[str, ...] = ()
    stands_for: str = ""
    protocol: str = ""
    license: str = ""
    source_url: str = ""

    @property
    def main_metrics(self) -> tuple[str, ...]:
        """The metrics whose mean is the task's score."""
        return self.main or self.metrics[:1]

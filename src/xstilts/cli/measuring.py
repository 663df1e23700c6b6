"""What the rows of a task are like, language by language, for ``xstilts tasks NAME``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xstilts.errors import AbsentError, UserError, suggest
from xstilts.report import screen

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tokenizers import Tokenizer

    from xstilts.sources import Sources, Split
    from xstilts.sources.survey import Survey
    from xstilts.tasks.base import Source, Task

MODEL = "mini"  # the encoder that comes with the package: its pieces are counted
SHOWN_LABELS = 4


def show(task: Task, asked: str) -> None:
    """Print a row a language of the first source whose rows can be read without a network.

    Raises:
        UserError: if a source is asked for that is none, or whose rows are not as they should be.
    """
    from tokenizers import Tokenizer

    from xstilts import models
    from xstilts.sources import Sources

    if asked and asked not in task.sources:
        raise UserError(f'--source "{asked}" has no {task.name}:{suggest(asked, task.sources)}')
    tokenizer = Tokenizer.from_file(str(models.find(MODEL).location) + "/tokenizer.json")
    sources = Sources.from_environment()
    at_hand = ("files", "mirror", "microworld") if sources.mirror else ("files", "microworld")
    for source in (asked,) if asked else at_hand:
        try:
            found = dict(_measured(task, source, sources, tokenizer))  # type: ignore[arg-type]
        except AbsentError:
            if asked:
                raise
            continue
        if found:
            _print(task, source, found)
            return


def _measured(
    task: Task, source: Source, sources: Sources, tokenizer: Tokenizer
) -> Iterator[tuple[str, Survey]]:
    from xstilts.sources.survey import survey

    data = task.sources.get(source)
    if data is None:
        return
    split: Split = "evaluate" if data.evaluate else "train"
    scored = data.languages or task.languages
    for code in scored if data.evaluate else data.train_languages if data.train else ():
        yield code, survey(sources.examples(task, data, split, code), code, tokenizer)


def _print(task: Task, source: str, found: dict[str, Survey]) -> None:
    data = next(data for name, data in task.sources.items() if name == source)
    table = screen.grid("language", ">rows", ">median", ">95 %", ">longest", ">pieces", "labels")
    for code, one in found.items():
        per = f"{one.pieces_per_word:.2f} a {'character' if one.unspaced else 'word'}"
        lengths = [f"{length:,}" for length in one.lengths]
        table.add_row(code, f"{one.rows:,}", *lengths, per, screen.cut(_labels(one)))
    split = f"{data.split} split" if data.evaluate else "training rows"
    screen.show(
        "", f"{source}, {split}; lengths and pieces by the tokenizer of {MODEL}, uncut:", table
    )


def _labels(one: Survey) -> str:
    shown = [f"{label} {count:,}" for label, count in list(one.labels.items())[:SHOWN_LABELS]]
    return ", ".join(shown + ["..."] * (len(one.labels) > SHOWN_LABELS))

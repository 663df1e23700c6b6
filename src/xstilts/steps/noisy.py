"""Rows as a predict step evaluates them: as they are or perturbed, and how much of them changed."""

from __future__ import annotations

from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Any

from xstilts.formats.encoded import token_ids
from xstilts.formats.examples import Bitext, Candidate, texts
from xstilts.perturb.declared import applied
from xstilts.sources.capped import capped

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tokenizers import Tokenizer

    from xstilts.formats.examples import Example
    from xstilts.steps.desk import Desk
    from xstilts.tasks.base import Data, Task


def rows(
    task: Task, examples: Sequence[Example], job: Mapping[str, Any], desk: Desk
) -> list[Example]:
    """The examples, with the job's perturbation where it has one. Ids, groups and labels stay."""
    about = job.get("perturbation")
    if about is None:
        return list(examples)
    mirror = desk.sources.mirror
    return applied(task, examples, about, job["language"], about["seed"], mirror)


def changes(
    before: Sequence[Example], after: Sequence[Example], tokenizer: Tokenizer
) -> Iterator[dict[str, int]]:
    """How much of each example changed for the model, by a diff of its sub-words (difflib's).

    Returns:
        For each, ``subwords``, how many there are before or after, whichever is more, and
        ``changed``, how many of them are not in the diff's chain of equal pieces.
    """
    for old, new in zip(before, after, strict=True):
        kept = total = 0
        sides = (token_ids(tokenizer, _perturbed(one)) for one in (old, new))
        for one, other in zip(*sides, strict=True):
            matcher = SequenceMatcher(None, one, other, autojunk=False)
            blocks = matcher.get_matching_blocks() if one != other else ()
            kept += len(one) if one == other else sum(block.size for block in blocks)
            total += max(len(one), len(other))
        yield {"subwords": total, "changed": total - kept}


def _perturbed(one: Example) -> tuple[str, ...]:
    return texts(one)[:1] if isinstance(one, Bitext) else texts(one)  # never the English side


def measured(
    found: list[dict[str, Any]],
    task: Task,
    data: Data,
    job: Mapping[str, Any],
    tokenizer: Tokenizer,
    desk: Desk,
) -> list[dict[str, Any]]:
    """Prediction rows; where the job perturbed them, with ``subwords`` and ``changed`` of each."""
    if "perturbation" not in job:
        return found
    clean = desk.sources.examples(task, data, "evaluate", job["language"])
    asked = [one for one in clean if not isinstance(one, Candidate)]
    before = capped(task, asked, job["max_rows"])
    changed = changes(before, rows(task, before, job, desk), tokenizer)
    by_id = dict(zip((one.id for one in before), changed, strict=True))
    return [{**row, **by_id.get(row["id"], {"subwords": 0, "changed": 0})} for row in found]

"""What kind of task a dataset is, as far as its columns tell; a question for what they do not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

ROLES = {
    "train": ("train",),
    "select": ("validation", "dev", "valid", "val"),
    "evaluate": ("test", "validation", "dev", "valid", "val"),
}
LABELS = ("label", "labels", "gold_label", "class", "category", "target", "answer")
PAIRS = (
    *(("premise", "hypothesis"), ("sentence1", "sentence2"), ("question1", "question2")),
    *(("text_a", "text_b"), ("text1", "text2"), ("question", "sentence")),
)
NOT_TEXT = ("id", "idx", "url", "lang", "language")  # as the end of a column's name
MOST_CLASSES = 200
UNLABELLED = -1  # the library's mark for a class that is not known


def splits(names: Iterable[str]) -> tuple[dict[str, str], list[str]]:
    """Which split serves as train, select and evaluate, and the questions that are left.

    None is asked about select: where no split serves, a share of the training rows does.
    """
    known = list(names)
    found = {
        role: next(name for name in wanted if name in known)
        for role, wanted in ROLES.items()
        if any(name in known for name in wanted)
    }
    if found.get("select") == found.get("evaluate"):  # nothing is selected on what is scored
        found.pop("select", None)
    open_roles = [role for role in ("train", "evaluate") if role not in found]
    return found, [_which(f"the {role} split", known) for role in open_roles]


def task(features: Mapping[str, Any], distinct: Callable[[str], list[Any]]) -> dict[str, Any]:
    """Guess the format, the columns and the labels.

    Args:
        features: column -> its type, as the package ``datasets`` describes it.
        distinct: the values that occur in a column.

    Returns:
        ``format``, "" if none fits; ``fields``: example field -> column; ``labels``: raw label as
        text -> the task's label, None for a row without one; ``unsure``: the questions left.
    """
    columns: dict[str, list[str]] = {}
    for column, feature in features.items():
        columns.setdefault(_kind(feature), []).append(column)
    classes = columns.get("class", [])
    label = next((c for c in (*classes, *LABELS) if c in features), "")
    texts = [c for c in columns.get("text", []) if not (c == label or c.lower().endswith(NOT_TEXT))]
    lists = columns.get("texts", [])

    if "answers" in columns:
        return _span(columns["answers"][0], texts)
    if lists and "classes" in columns:
        return _tagging(features, lists[0], columns["classes"])
    if lists and label:
        return _multiple_choice(lists[0], texts, label)
    if texts and label:
        return _classification(features[label], distinct(label), texts, label)
    question = f"which format is it, and which columns are its fields? {', '.join(features)}"
    return {"format": "", "fields": {}, "labels": {}, "unsure": [question]}


def _kind(feature: Any) -> str:
    """What a column holds: text, texts, class, classes, answers (SQuAD's), or something else."""
    inner = getattr(feature, "feature", None)  # what a list is a list of
    record = feature if isinstance(feature, dict) else inner
    if isinstance(record, dict):
        return "answers" if {"text", "answer_start"} <= record.keys() else "other"
    if inner is not None:
        return {"text": "texts", "class": "classes"}.get(_kind(inner), "other")
    if hasattr(feature, "names"):
        return "class"
    return "text" if getattr(feature, "dtype", "") in ("string", "large_string") else "other"


def _span(answers: str, texts: list[str]) -> dict[str, Any]:
    names = ("context", "question")
    return {
        "format": "span",
        "fields": {name: name for name in names if name in texts} | {"answers": answers},
        "labels": {},
        "unsure": [_which(name, texts) for name in names if name not in texts],
    }


def _tagging(features: Mapping[str, Any], words: str, tags: list[str]) -> dict[str, Any]:
    names = features[tags[0]].feature.names
    return {
        "format": "tagging",
        "fields": {"words": words, "tags": tags[0]},
        "labels": {str(index): name for index, name in enumerate(names)},
        "unsure": [_which("tags", tags)] if len(tags) > 1 else [],
    }


def _multiple_choice(choices: str, texts: list[str], label: str) -> dict[str, Any]:
    sure = len(texts) == 1
    fields = {"prompt": texts[0]} if sure else {}
    return {
        "format": "multiple_choice",
        "fields": fields | {"choices": choices, "label": label},
        "labels": {},
        "unsure": [] if sure else [_which("prompt", texts)],
    }


def _classification(
    feature: Any,
    values: list[Any],
    texts: list[str],
    label: str,
) -> dict[str, Any]:
    columns = next((pair for pair in PAIRS if set(pair) <= set(texts)), tuple(texts))
    unsure = [] if len(columns) <= 2 else [_which("text_a (and text_b)", texts)]
    fields = {} if unsure else dict(zip(("text_a", "text_b"), columns, strict=False))
    labels: dict[str, str | None] = {}
    if _kind(feature) == "class":
        labels = {str(index): name for index, name in enumerate(feature.names)}
        if UNLABELLED in values:
            labels[str(UNLABELLED)] = None
    elif len(values) <= MOST_CLASSES:
        labels = {str(value): str(value) for value in sorted(values, key=str)}
    else:
        unsure.append(f'is "{label}" the label? it has {len(values)} different values')
    return {
        "format": "classification",
        "fields": fields | {"label": label},
        "labels": labels,
        "unsure": unsure,
    }


def _which(what: str, columns: Iterable[str]) -> str:
    return f"which is {what}? {', '.join(columns) or 'there is none'}"

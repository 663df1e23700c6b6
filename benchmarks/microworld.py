"""What zero-shot scores on generated rows are worth, target by target.

    python benchmarks/microworld.py [STUDY] [STORE]

Takes the baselines of a study of generated rows (default: demo) in every language but English, and
prints them beside chance, beside words alone (trained on the same rows), beside an encoder of the
same shape and tokenizer with random weights, and on rows whose names, digits and Latin strings are
masked. What the store has is not done again.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
from collections import Counter, defaultdict
from pathlib import Path
from statistics import mean
from typing import Any, cast
from zlib import crc32

import numpy as np

from xstilts import languages, metrics, models, plan, recipes, study
from xstilts.engines import Bench
from xstilts.engines.local import LocalEngine
from xstilts.formats.examples import Bitext, Choice, Pair, Question, Tagged
from xstilts.identity import fingerprint
from xstilts.microworld.masking import masked
from xstilts.path import parse
from xstilts.report.rows import score_rows
from xstilts.sources import Sources
from xstilts.sources.capped import capped
from xstilts.steps.given_predictions import align
from xstilts.store import Store
from xstilts.suites import SUITES
from xstilts.tasks import Catalogue

WIDTH = 4096  # hashed features
SHOWN = ("evaluate", "pool")  # splits that are evaluated on
Mean = dict[str, float]  # target -> mean main metrics over the languages


class Masked(Sources):
    """The same rows, those to evaluate masked."""

    def examples(self, task: Any, data: Any, split: Any, language: str) -> Any:
        """As ``Sources.examples``."""
        found = super().examples(task, data, split, language)
        return [masked(one, language) for one in found] if split in SHOWN else found

    def fingerprint(self, task: Any, data: Any, split: Any, language: str) -> str:
        """As ``Sources.fingerprint``: other rows, other steps."""
        found = super().fingerprint(task, data, split, language)
        return fingerprint([found, "masked"]) if split in SHOWN else found


class Said:
    """Says what is under way on stderr."""

    def begin(self, label: str, number: int, total: int) -> None:
        """A line."""
        print(f"[{number}/{total}] {label}", file=sys.stderr, flush=True)

    def __getattr__(self, name: str) -> Any:
        return lambda *_: None


def main(name: str, folder: Path) -> None:
    """Print the table."""
    declared = study.load(study.file_of(name) or Path(name))
    declared = declared.model_copy(update={"intermediate": (study.BASELINE,), "controls": ()})
    store, catalogue = Store(folder), Catalogue()
    targets = SUITES[declared.targets] if isinstance(declared.targets, str) else declared.targets
    ours = scored(declared, Sources(), store)
    hidden = scored(declared, Masked(), store)
    with tempfile.TemporaryDirectory() as empty:
        random = randomised(models.find(declared.models[0]).location, Path(empty) / "random")
        blank = declared.model_copy(update={"models": (str(random),)})
        untrained = scored(blank, Sources(), store)
    print("| target | chance | words alone | random weights | `mini` | masked | in English |")
    print("|---|---|---|---|---|---|---|")
    for text in targets:
        task = catalogue.get(parse(text).stages[0].items[0].task)
        mined = catalogue.data(task.name, "microworld").pool is not None
        words = {} if mined else by_words(text, task, declared.options.max_eval_rows)
        chance = "" if task.chance is None else f"{100 * task.chance:.1f}"
        others = [m.get(task.name, {}).get("others") for m in (words, untrained, ours, hidden)]
        shown = ["" if value is None else f"{100 * value:.1f}" for value in others]
        english = ours[task.name].get("en")
        shown.append("" if english is None else f"{100 * english:.1f}")
        print(f"| {text} | {chance} | {' | '.join(shown)} |", flush=True)


def scored(declared: study.Study, sources: Sources, store: Store) -> dict[str, Mean]:
    """Target -> mean of the main metrics over seeds, in English and over the other languages."""
    catalogue = Catalogue()
    found = plan.build(
        declared,
        recipes.get(declared.recipe),
        [models.find(name) for name in declared.models],
        catalogue,
        sources,
    )
    LocalEngine().run(found, Bench(store, catalogue, sources), cast("Any", Said()))
    values: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in score_rows(found, store):
        main_metrics = catalogue.get(row["target"]).main_metrics
        if row["main"] and row["metric"] in main_metrics:
            place = "en" if row["language"] == "en" else "others"
            values[row["target"]][place].append(row["value"])
    return {name: {place: mean(v) for place, v in mine.items()} for name, mine in values.items()}


def randomised(location: Any, folder: Path) -> Path:
    """An encoder of the same shape, with the same tokenizer and random weights."""
    import torch
    from transformers import AutoConfig, AutoModelForMaskedLM, AutoTokenizer

    torch.manual_seed(0)
    AutoModelForMaskedLM.from_config(AutoConfig.from_pretrained(location)).save_pretrained(folder)
    AutoTokenizer.from_pretrained(location).save_pretrained(folder)
    return folder


def by_words(text: str, task: Any, most: int | None) -> dict[str, Mean]:
    """What words alone give in the languages but English, learnt from the target's own rows."""
    item, catalogue, sources = parse(text).stages[0].items[0], Catalogue(), Sources()
    data = catalogue.data(task.name, "microworld")
    rows: list[Any] = []
    if trained := data.train_on or (task.name if data.train else ""):
        where = catalogue.data(trained, "microworld")
        rows = sources.examples(catalogue.get(trained), where, "train", "en")[: item.rows]
    answer = fitted(rows)
    values = []
    for language in data.languages or task.languages:
        if language == "en":
            continue
        test = capped(task, sources.examples(task, data, "evaluate", language), most)
        answers = answer(test, language)
        lines = [
            {"id": one.id, "prediction": given} for one, given in zip(test, answers, strict=True)
        ]
        with tempfile.TemporaryDirectory() as place:
            file = Path(place) / "words.jsonl"
            file.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
            units = align(file, task, test)
        values += [metrics.score(metrics.get(m), units, language) for m in task.main_metrics]
    return {task.name: {"others": mean(values)}}


def fitted(rows: list[Any]) -> Any:
    """From training rows to a function of examples and their language."""
    if not rows:
        return retrieved
    match rows[0]:
        case Tagged():
            return tagger(rows)
        case Pair():
            return classifier(rows)
        case Choice():
            return chooser(rows)
        case Question():
            return sentences
    raise AssertionError(type(rows[0]))


def tagger(rows: list[Tagged]) -> Any:
    """A word's most frequent tag; of an unknown word, the most frequent tag."""
    seen: dict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        for word, tag in zip(row.words, row.tags, strict=True):
            seen[word][tag] += 1
    usual = sum(seen.values(), Counter[str]()).most_common(1)[0][0]
    tags = {word: counts.most_common(1)[0][0] for word, counts in seen.items()}
    return lambda test, _: [[tags.get(word, usual) for word in one.words] for one in test]


def classifier(rows: list[Pair]) -> Any:
    """Logistic regression on both bags of words, what they share, and their lengths."""
    labels = sorted({row.label for row in rows})
    x = np.stack([features(row.text_a, row.text_b or "", "en") for row in rows])
    weights = regression(x, np.array([labels.index(row.label) for row in rows]), len(labels))

    def answer(test: list[Pair], language: str) -> list[str]:
        found = [features(one.text_a, one.text_b or "", language) @ weights for one in test]
        return [labels[int(scores.argmax())] for scores in found]

    return answer


def chooser(rows: list[Choice]) -> Any:
    """The same, of the prompt and each choice; the likeliest one."""
    x = np.stack([features(row.prompt, one, "en") for row in rows for one in row.choices])
    right = [number == row.label for row in rows for number in range(len(row.choices))]
    weights = regression(x, np.array(right, dtype=int), 2)
    gain = weights[:, 1] - weights[:, 0]

    def answer(test: list[Choice], language: str) -> list[int]:
        found = [[features(one.prompt, c, language) @ gain for c in one.choices] for one in test]
        return [int(np.argmax(scores)) for scores in found]

    return answer


def sentences(test: list[Question], language: str) -> list[str]:
    """The sentence of the context that shares most words with the question."""
    found = []
    for one in test:
        asked = set(words(one.question, language))
        parts = re.split(r"(?<=[.。।؟])\s*", one.context)
        found.append(max(parts, key=lambda part: len(asked & set(words(part, language)))))
    return found


def retrieved(test: list[Bitext], language: str) -> list[str]:
    """The foreign sentence that shares most words with each English one."""
    bags = [set(words(one.text, language)) for one in test]
    found = []
    for one in test:
        asked = set(words(one.english, "en"))
        near = [len(asked & bag) / (len(asked | bag) or 1) for bag in bags]
        found.append(test[int(np.argmax(near))].id)
    return found


def words(text: str, language: str) -> list[str]:
    """Words; where none are written, characters."""
    found = re.findall(r"\w+", text.casefold())
    return found if languages.get(language).spaced else [c for word in found for c in word]


def features(one: str, other: str, language: str) -> Any:
    """Hashed bags, shared words, lengths: float64 ``[WIDTH]``."""
    a, b = set(words(one, language)), set(words(other, language))
    names = [*(f"a {w}" for w in a), *(f"b {w}" for w in b), *(f"both {w}" for w in a & b)]
    found = np.zeros(WIDTH)
    for name in names:
        found[crc32(name.encode()) % WIDTH] += 1
    found[:3] = len(a & b) / (len(b) or 1), len(a) / 10, len(b) / 10
    return found / 10


def regression(x: Any, y: Any, classes: int, steps: int = 300) -> Any:
    """Weights ``[WIDTH, classes]`` of multinomial logistic regression by gradient descent."""
    weights, targets = np.zeros((x.shape[1], classes)), np.eye(classes)[y]
    for _ in range(steps):
        odds = np.exp(x @ weights)
        weights -= 2.0 * x.T @ (odds / odds.sum(1, keepdims=True) - targets) / len(y)
    return weights


if __name__ == "__main__":
    name, folder = [*sys.argv[1:], *("demo", ".xstilts")[len(sys.argv) - 1 :]][:2]
    main(name, Path(folder))

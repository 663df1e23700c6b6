"""What words alone can solve: the crossed rows not at all, the plain ones well enough to learn.

Every baseline is trained on hundreds of training rows and tried on test rows, both in English:
logistic regression over bags of words and their overlap, or the rule that is written with it.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from zlib import crc32

import numpy as np
import pytest

from xstilts import microworld

WIDTH = 512


def rows(family: str, pool: str, count: int) -> list[dict]:
    return microworld.rows("surface", family, pool, count, "en")


def words(text: str) -> list[str]:
    return re.findall(r"\w+", text.casefold())


def hashed(features: list[str]) -> np.ndarray:
    found = np.zeros(WIDTH)
    for feature in features:
        found[crc32(feature.encode()) % WIDTH] += 1
    return found


def pair(one: str, other: str) -> np.ndarray:
    """Both bags, which words they share, every pair of words, both lengths."""
    a, b = words(one), words(other)
    shared = set(a) & set(b)
    crossed = [f"{x} {y}" for x in sorted(set(a)) for y in sorted(set(b))]
    bags = [*(f"a {word}" for word in a), *(f"b {word}" for word in b)]
    features = hashed([*bags, *(f"shared {word}" for word in shared), *crossed])
    features[:3] += len(shared) / len(set(b)), len(a) / 10, len(b) / 10
    return features / 10


def fitted(x: np.ndarray, y: np.ndarray, classes: int, steps: int = 200) -> np.ndarray:
    """Weights [WIDTH, classes] of multinomial logistic regression by gradient descent."""
    weights = np.zeros((x.shape[1], classes))
    targets = np.eye(classes)[y]
    for _ in range(steps):
        scores = x @ weights
        odds = np.exp(scores - scores.max(1, keepdims=True))
        weights -= 2.0 * x.T @ (odds / odds.sum(1, keepdims=True) - targets) / len(y)
    return weights


def accuracy(right: list[tuple[str, bool]], kind: str) -> float:
    found = [one for name, one in right if name.startswith(kind)]
    assert len(found) >= 100
    return sum(found) / len(found)


def share(found: list[dict], kind: str = "crossed") -> float:
    return sum(row["id"].startswith(kind) for row in found) / len(found)


def judged(family: str) -> list[tuple[str, bool]]:
    train, test = rows(family, "train", 600), rows(family, "test", 300)
    labels = sorted({row["label"] for row in train})
    x = np.stack([pair(row["text_a"], row["text_b"]) for row in train])
    weights = fitted(x, np.array([labels.index(row["label"]) for row in train]), len(labels))
    predicted = [
        labels[int((pair(row["text_a"], row["text_b"]) @ weights).argmax())] for row in test
    ]
    return [(row["id"], row["label"] == label) for row, label in zip(test, predicted, strict=True)]


def test_inference():
    """Half of the rows are crossed: a third right is what every bag of words gets there."""
    right = judged("inference")
    assert share(rows("inference", "test", 300)) == 0.5
    assert accuracy(right, "crossed") == pytest.approx(1 / 3, abs=0.02)
    assert accuracy(right, "plain") > 0.5


def test_paraphrase():
    """All rows are crossed: the two rows of a sentence have the same bags."""
    right = judged("paraphrase")
    assert share(rows("paraphrase", "test", 300)) == 1
    assert accuracy(right, "crossed") == pytest.approx(1 / 2, abs=0.02)


@pytest.mark.parametrize(
    ("family", "chance"),
    [("effect", 1 / 4), ("cause", 1 / 4), ("person", 1 / 5), ("belongings", 1 / 2)],
)
def test_choices(family, chance):
    """Half of the rows are crossed: every choice has its word in the prompt."""
    train, test = rows(family, "train", 240), rows(family, "test", 240)
    x = [[pair(row["prompt"], choice) for choice in row["choices"]] for row in train]
    chosen = [place == row["label"] for row in train for place in range(len(row["choices"]))]
    weights = fitted(np.concatenate(x), np.array(chosen, int), 2)
    gain = weights[:, 1] - weights[:, 0]
    right = [
        (row["id"], max(scored, key=scored.get) == row["label"])
        for row in test
        for scored in [{i: pair(row["prompt"], c) @ gain for i, c in enumerate(row["choices"])}]
    ]
    assert share(test) == 0.5
    # Within three standard deviations of guessing on 120 rows.
    assert abs(accuracy(right, "crossed") - chance) < 3 * (chance * (1 - chance) / 120) ** 0.5
    assert accuracy(right, "plain") > chance + 0.15


def test_answers():
    """Half of the rows are crossed: two sentences share as many words with the question."""
    found = rows("answers", "test", 600)
    plain = [(row["id"], row["answers"]["text"][0] in most_like(row)) for row in found]
    crossed = [(row["id"], guess(row)) for row in found if row["id"].startswith("crossed")]
    assert share(found) == 0.5
    assert accuracy(plain, "plain") > 0.9
    assert accuracy(crossed, "crossed") == pytest.approx(1 / 2, abs=0.09)


def most_like(row: dict) -> str:
    """The sentence of the context with most words of the question."""
    asked = set(words(row["question"]))
    sentences = re.split(r"(?<=\.) ", row["context"])
    return max(sentences, key=lambda one: len(asked & set(words(one))))


def guess(row: dict) -> bool:
    """Whether the one whom the question does not name, in the sentence most like it, is right."""
    people = re.findall(r"(?:[Tt]he )?\w+", re.split(r" (?:in|at) ", most_like(row))[0])
    asked = set(words(row["question"]))
    other = next(one for one in (people[0], people[-1]) if not set(words(one)) - {"the"} & asked)
    return other == row["answers"]["text"][0]


def test_answers_or_none():
    """Half of the rows are crossed: whether there is an answer cannot be told from words."""
    found = [
        [
            (row["id"], pair(row["context"], row["question"]), int(bool(row["answers"]["text"])))
            for row in rows("answers_or_none", pool, 400)
        ]
        for pool in ("train", "test")
    ]
    train, test = found
    weights = fitted(np.stack([x for _, x, _ in train]), np.array([y for *_, y in train]), 2)
    right = [(name, int((x @ weights).argmax()) == y) for name, x, y in test]
    assert abs(accuracy(right, "crossed") - 1 / 2) < 3 * (0.25 / 200) ** 0.5
    named = [
        (row["id"], bool(content(row["question"]) & content(row["context"])) == answered)
        for row in rows("answers_or_none", "test", 400)
        for answered in [bool(row["answers"]["text"])]
    ]
    assert accuracy(named, "plain") > 0.8  # by whether anything in the question is in the context


def content(text: str) -> set[str]:
    return set(words(text)) - {"the", "a", "an", "in", "at", "who", "what", "where", "when", "did"}


def test_entities():
    """A third of the rows is crossed: there a name is a person as often as a place."""
    tags: dict[str, Counter] = defaultdict(Counter)
    for row in rows("entities", "train", 1000):
        for word, tag in zip(row["words"], row["tags"], strict=True):
            tags[word][tag] += 1
    right = [
        (row["id"], tags[word].most_common(1)[0][0] == tag)
        for row in rows("entities", "test", 900)
        for word, tag in zip(row["words"], row["tags"], strict=True)
        if tag != "O" and word in tags
    ]
    assert share(rows("entities", "test", 900)) == pytest.approx(1 / 3, abs=0.01)
    assert accuracy(right, "crossed") == pytest.approx(1 / 2, abs=0.05)
    assert accuracy(right, "plain") > 0.9

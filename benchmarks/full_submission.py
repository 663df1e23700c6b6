"""How long a whole submission takes to score, and its tags beside seqeval.

    python benchmarks/full_submission.py [xtreme|xtreme-r]

Writes a synthetic submission of about the published sizes, four predictions in five right, scores
it with ``xstilts score`` (start-up and all) and prints the seconds. Tags are most of the work, so
those of PAN-X are also scored by seqeval 1.2.2, in turns: medians of three, and their ratio.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from seqeval.metrics import f1_score

from xstilts import metrics, suites
from xstilts.metrics import submission
from xstilts.tasks import TASKS, counts

RIGHT = 0.8
SIZES = {"udpos": 3_000, "panx": 10_000, "mlqa": 5_500, "bucc2018": 9_000, "mewslix": 1_330}
SMALL_PANX = ("af", "az", "bn", "gu", "hi", "jv", "kk", "ml", "mr", "ms", "my", "pa", "qu")
SMALL_PANX += ("sw", "ta", "te", "tl", "ur", "yo")
WORDS = ("the", "red", "boat", "of", "nine", "men", "1990", "北京", "กรุงเทพ")
POOL = 1_003_893  # Mewsli-X's entities
random.seed(1)


def rows(task: str, code: str) -> int:
    """How many a test set has: as published where that is known, else about as many."""
    if task == "panx":
        return 1_000 if code in SMALL_PANX else SIZES["panx"]
    for source in ("hub", "mirror"):
        if found := counts.rows(task, source, "evaluate").get(code):
            return found
    return SIZES[task]


def pick(gold: Any, other: Any) -> Any:
    """The right answer, four times in five."""
    return gold if random.random() < RIGHT else other()


def tags(task: str) -> list[str]:
    """A sentence of 18 tags; entities are well formed and rare."""
    if task == "udpos":
        return random.choices(TASKS[task].labels, k=18)
    found: list[str] = []
    while len(found) < 18:
        kind = random.choice(("PER", "ORG", "LOC"))
        found += random.choice((["O"] * 5, [f"B-{kind}", f"I-{kind}"], [f"B-{kind}"]))
    return found[:18]


def sides(task: str, code: str) -> tuple[str, str]:
    """The labels and the predictions of one file."""
    n, about = rows(task, code), TASKS[task]
    if about.format == "tagging":
        gold = [tags(task) for _ in range(n)]
        given = [[pick(tag, lambda: random.choice(about.labels)) for tag in one] for one in gold]
        return tuple(
            "\n".join("".join(f"{t}\n" for t in s) for s in side) for side in (gold, given)
        )
    if about.format == "span":
        words = [" ".join(random.choices(WORDS, k=3)) for _ in range(n)]
        asked = [{"id": f"q{i}", "answers": [{"text": words[i]}] * 2} for i in range(n)]
        answers = {f"q{i}": pick(words[i], lambda: "a boat") for i in range(n)}
        return json.dumps({"data": [{"paragraphs": [{"qas": asked}]}]}), json.dumps(answers)
    if about.metrics[0] == submission.PAIRS:
        pairs = [(f"{code}-{i:09}", f"en-{i:09}") for i in range(n)]
        given_pairs = [
            (one, pick(two, lambda: f"en-{random.randrange(n):09}")) for one, two in pairs
        ]
        return tuple("".join(f"{a}\t{b}\n" for a, b in side) for side in (pairs, given_pairs))
    if submission.suffix(about) == "json":
        many = 11 if task == "lareqa" else 1
        right = {f"q{i}": [f"c{random.randrange(POOL)}" for _ in range(many)] for i in range(n)}
        ranked = {
            q: [*ids, *(f"d{random.randrange(POOL)}" for _ in range(20))]
            for q, ids in right.items()
        }
        return json.dumps(right), json.dumps(ranked)
    labels = about.labels or (
        ("0", "1") if about.format == "multiple_choice" else tuple(map(str, range(n)))
    )
    gold_labels = random.choices(labels, k=n)
    given_labels = [pick(one, lambda: random.choice(labels)) for one in gold_labels]
    return "".join(f"{one}\n" for one in gold_labels), "".join(f"{one}\n" for one in given_labels)


def write(suite: str, folder: Path) -> int:
    """Both sides of every file; how many predictions there are."""
    total = 0
    for task, codes in suites.BENCHMARKS[suite].languages.items():
        for code in codes:
            total += rows(task, code)
            for side, text in zip(("gold", "predictions"), sides(task, code), strict=True):
                path = folder / side / task / f"test-{code}.{submission.suffix(TASKS[task])}"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
    return total


def beside_seqeval(suite: str, folder: Path) -> list[float]:
    """Seconds for all tags: ours, seqeval's; medians of three, in turns."""
    units = []
    for code in suites.BENCHMARKS[suite].languages["panx"]:
        paths = (folder / side / "panx" / f"test-{code}.tsv" for side in ("predictions", "gold"))
        units += submission.read(TASKS["panx"], *paths).units
    gold, given = ([unit[side] for unit in units] for side in ("gold", "prediction"))
    ours = metrics.get("seqeval_f1")
    seconds: tuple[list[float], list[float]] = ([], [])
    for _ in range(3):
        start = time.perf_counter()
        first = metrics.score(ours, units, "")
        middle = time.perf_counter()
        second = f1_score(gold, given)
        seconds[0].append(middle - start)
        seconds[1].append(time.perf_counter() - middle)
        assert abs(first - second) < 1e-12, (first, second)
    return [median(side) for side in seconds]


def main(suite: str) -> None:
    """Write, score, print."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        total = write(suite, folder)
        command = [sys.executable, "-m", "xstilts", "score", suite]
        command += ["--predictions", str(folder / "predictions"), "--gold", str(folder / "gold")]
        seconds = []
        for _ in range(3):
            start = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True)  # noqa: S603 (our own)
            seconds.append(time.perf_counter() - start)
        files = sum(map(len, suites.BENCHMARKS[suite].languages.values()))
        print(f"{suite}: {files} files, {total:,} predictions: {median(seconds):.1f} s")
        ours, theirs = beside_seqeval(suite, folder)
        print(f"panx: {ours:.2f} s, seqeval {theirs:.2f} s, ratio {theirs / ours:.1f}")


if __name__ == "__main__":
    main(*(sys.argv[1:] or ["xtreme"]))

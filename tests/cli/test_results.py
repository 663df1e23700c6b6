"""What docs/results.md says of studies whose scores are published, computed anew from them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "studies" / "results"
PACKED = sorted(path.name.removesuffix(".tar.zst") for path in RESULTS.glob("*.tar.zst"))
INTERVAL = re.compile(r"[+-]?\d+\.\d \[[+-]?\d+\.\d, [+-]?\d+\.\d\]")
SAID = re.compile(r"([+-]\d+\.\d) points, 95 % interval ([+-]\d+\.\d) to ([+-]\d+\.\d)")
ANSWERS = {
    "table2-part": ("gains", "claims"),
    "table2-mlm": ("gains", "claims"),
    "scaling-part": ("scaling", "gains"),
    "order-part": ("order", "gains"),
}


def intervals(document):
    """Every difference with its interval, as the page prints them."""
    if isinstance(document, str):
        for value, low, high in SAID.findall(document):
            yield f"{value} [{low}, {high}]"
    elif isinstance(document, list):
        for one in document:
            yield from intervals(one)
    elif isinstance(document, dict):
        for names, scale in (
            (("gain", "low", "high"), 100),
            (("value", "low", "high"), 100),
            (("value_points", "low_points", "high_points"), 1),
        ):
            if all(isinstance(document.get(name), float) for name in names):
                value, low, high = (scale * document[name] for name in names)
                yield f"{value:+.1f} [{low:+.1f}, {high:+.1f}]"
                yield f"{value:.1f} [{low:.1f}, {high:.1f}]"  # of scores
        for one in document.values():
            yield from intervals(one)


def sections():
    """Study -> the text of docs/results.md from the heading above its first command to the next."""
    text = (ROOT / "docs" / "results.md").read_text("utf-8")
    for part in re.split(r"^## ", text, flags=re.MULTILINE):
        for name in re.findall(r"studies/results/([a-z0-9-]+)\.yaml", part):
            yield name, part


@pytest.mark.slow
@pytest.mark.mirror
@pytest.mark.parametrize("name", PACKED)
def test_published_intervals_are_those_of_the_published_scores(name, cli, mirror, tmp_path):
    store, study = ("--store", tmp_path / "store"), RESULTS / f"{name}.yaml"
    merged = cli("store", "merge", RESULTS / f"{name}.tar.zst", *store)
    assert merged.code == 0, merged.err
    planned = cli("plan", study, *store)
    assert "to do: nothing" in planned.out + planned.err
    found = {
        one
        for answer in ANSWERS[name]
        for one in intervals(json.loads(cli(answer, study, "--json", *store).out))
    }
    (text,) = dict.fromkeys(part for study_name, part in sections() if study_name == name)
    said = INTERVAL.findall(text)
    assert said
    assert set(said) <= found

"""README and docs/: links lead somewhere, commands are ones that exist, the site builds."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from xstilts import orders
from xstilts.cli import _COMMANDS, _GROUPS, built
from xstilts.recipes import RECIPES

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)(#[^)\s]*)?\)")
SHOWN = re.compile(r"^(?:    )?(xstilts .+)$|`(xstilts [^`]+)`", re.MULTILINE)
DATED = ("lab-book.md",)  # says what was run on its day, and is not rewritten


def commands():
    """Every command that a page shows, in code or in a block of its own."""
    for page in PAGES:
        if page.name not in DATED:
            for match in SHOWN.finditer(page.read_text("utf-8")):
                text = (match[1] or match[2]).replace("\\|", "|")
                yield pytest.param(text, id=f"{page.stem}: {text[:60]}")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_lead_to_files(page):
    for target, _ in LINK.findall(page.read_text("utf-8")):
        assert not target or (page.parent / target).exists(), target


def test_every_page_has_its_place_in_the_contents():
    listed = re.findall(
        r"^([a-z-]+)$", (ROOT / "docs" / "index.md").read_text("utf-8"), re.MULTILINE
    )
    assert sorted(listed) == sorted(p.stem for p in PAGES[1:] if p.stem != "index")


@pytest.mark.parametrize("text", list(commands()))
def test_commands_exist_with_their_options_and_paths(text):
    """Parsed to the last word, and not run: capitals stand for any name."""
    words = shlex.split(re.sub(r"\s{3,}\S.*|\s#.*| \.\.\.", "", text))[1:]
    words = words[: words.index(">")] if ">" in words else words  # into a file
    command = typer.main.get_command(built())
    while hasattr(command, "commands") and words and not words[0].startswith("-"):
        name, *words = words
        assert name in command.commands, name
        command = command.commands[name]
    known = {option for one in command.params for option in (*one.opts, *one.secondary_opts)}
    for option in (word for word in words if word.startswith("--")):
        assert option in known, f"{option}: {sorted(known)}"
    for word in words:
        if " > " in word or " | " in word:
            orders.paths(word)


def test_every_command_is_listed():
    text = (ROOT / "docs" / "install.md").read_text("utf-8")
    assert {f"xstilts {name}" for name in (*_COMMANDS, *_GROUPS)} <= set(
        re.findall(r"`(xstilts [a-z]+)`", text)
    )


def test_recipes_have_the_numbers_that_stages_take():
    text = (ROOT / "docs" / "recipes.md").read_text("utf-8")
    rows = [
        [cell.strip() for cell in line.split("|")[1:-1]]
        for line in text.splitlines()
        if "|" in line
    ]
    names = [name.strip("`") for name in rows[0][1:]]
    assert names == list(RECIPES)
    shown = {row[0]: row[1:] for row in rows[2:] if "question answering" not in row[0]}
    of_spans = iter([row[1:] for row in rows[2:] if "question answering" in row[0]])
    found = [RECIPES[name] for name in names]
    for title, numbers in (
        ("learning rate", [one.learning_rate for one in found]),
        ("warm-up, share of the steps", [one.warmup for one in found]),
        ("weight decay", [one.weight_decay for one in found]),
        ("looks at selection rows, steps", [one.select_every for one in found]),
        ("batch: rows or windows a step", [one.batch["classification"] for one in found]),
        ("passes over the rows", [one.epochs["classification"] for one in found]),
        ("tokens of a sequence", [one.max_length["classification"] for one in found]),
    ):
        assert [float(text or 0) for text in shown[title]] == numbers, title
    for numbers in (
        [one.batch["span"] for one in found],
        [one.epochs["span"] for one in found],
        [one.max_length["span"] for one in found],
    ):
        assert [float(text) for text in next(of_spans)] == numbers
    assert shown["schedule"] == [one.schedule for one in found]
    assert shown["optimiser"] == [one.optimizer for one in found]
    last = {
        "2": {"xnli", "xquad", "mlqa", "tydiqa", "mewslix"},
        "5": {"pawsx"},
        "10": {"udpos", "panx"},
    }
    assert RECIPES["authors"].target_epochs == {
        name: int(passes) for passes, tasks in last.items() for name in tasks
    }


@pytest.mark.slow
def test_the_site_builds_without_warnings(tmp_path):
    build = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "docs", str(tmp_path)]
    made = subprocess.run(build, cwd=ROOT, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    assert "The first hour" in (tmp_path / "index.html").read_text("utf-8")

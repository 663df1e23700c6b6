"""docs/tutorial.md, every command of it, in its order, in one folder, at a tiny size."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from cli.conftest import cli  # noqa: F401 (a fixture)

TEXT = (Path(__file__).parents[1] / "docs" / "tutorial.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)
CAPPED = ("run", "plan", "gains", "order", "report")
LITTLE = ("--max-steps", "1", "--max-eval-rows", "2")


def test_every_block_is_commands_or_a_file():
    assert {kind for kind, name, _ in BLOCKS if not name} == {"sh"}
    assert all(name for kind, name, _ in BLOCKS if kind != "sh")


def little(words: list[str], model: Path) -> list[str]:
    """The command at a tiny size: caps, one seed, and a tiny encoder where it names none."""
    if words[0] not in CAPPED:
        return words
    mine = [*words, *LITTLE]
    mine += [] if "--seeds" in words else ["--seeds", "1"]
    return mine if "--model" in words else [*mine, "--model", str(model)]


@pytest.mark.slow
@pytest.mark.timeout(1800)  # a minute on free cores, ten on busy ones
def test_every_command_of_the_page_runs(cli, tiny, tmp_path, monkeypatch):  # noqa: F811
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("XSTILTS_MIRROR", raising=False)
    monkeypatch.delenv("XSTILTS_STORE", raising=False)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:/usr/bin:/bin")
    ran = {}
    for kind, name, text in BLOCKS:
        if kind != "sh":
            Path(name).write_text(text)
            continue
        for command in text.splitlines():
            program, *words = shlex.split(command)
            if program != "xstilts":
                subprocess.run(["bash", "-c", command], check=True)
                continue
            *words, into = [*words, ""] if ">" not in words else [*words[:-2], words[-1]]
            found = cli(*little(words, tiny))
            assert found.code == 0, (command, found.err)
            assert found.out, command
            if into:
                Path(into).write_text(found.out)
            ran[command] = found
    assert "name: demo\n" in Path("mine.yaml").read_text()
    # What the page says of single commands.
    shown = {command: found.out for command, found in ran.items()}
    assert "German" in shown[next(one for one in shown if "> intents" in one)]
    assert "imported(mine) > udpos[200]" in shown[next(one for one in shown if "(mine)" in one)]
    answers = shown[next(one for one in shown if "(llm)" in one)]
    row = next(line for line in answers.splitlines() if line.startswith("German"))
    assert row.split() == ["German", "de", "2", "50.0"]  # one of two answers is right
    again = cli(*little(["run", "demo"], tiny))
    counted = re.match(r"(\d+) steps, (\d+) finished before", again.err)
    assert counted
    assert counted[1] == counted[2]

"""Every command that README and docs/ show is run here, or it says here why it is not."""

from __future__ import annotations

import re
import shlex

import pytest

from test_docs import DATED, PAGES, SHOWN

# The first that fits counts.
WHY_NOT = {
    r"xstilts (?!tasks$|languages$|studies$|status$|store (ls|gc|verify)$)"
    r"(\w+( pack| merge)?( --[a-z-]+( 1\.0)?)?|--[a-z-]+)": "a name in a sentence, no command line",
    r".*(\b[A-Z]{2,}\b|\b(A B|T|F)\b| \.\.\.).*": "capitals stand for something of yours",
    r".*(--engine|--devices|--slurm|/shared/).*": "needs a cluster: tests/engines runs one",
    r".*(--source hub|--recipe authors|hf:|imported\(mine\) > xnli\" \"xnli\" --model xlm).*": (
        "downloads from the hub: tests/sources/test_hub.py has one"
    ),
    r"xstilts (run|bench|rank) (?!.*--source microworld|.*little).*": (
        "trains for minutes to days, or reads the hub; tests/cli runs each command at a small size"
    ),
    r"xstilts (gains|scaling|claims|ladder|order|robustness|speed|report|compare) .*": (
        "reads a study that has to be run first; tests/cli asks each of a small one"
    ),
    r"xstilts (corpus|pretrain|import|export|score|store merge) .*": (
        "reads files of yours; tests/cli gives each command small ones"
    ),
    r"xstilts tasks intents.yaml|xstilts plan little.yaml|xstilts run .*": (
        "a file of the page: tests/test_tutorial.py writes and runs it"
    ),
    r"xstilts perturb xnli --read-audit .*": "reads what somebody filled in by hand",
    r"xstilts plan demo --forecast": "rehearses for half a minute: tests/test_forecast.py",
    r"xstilts plan (ladder|.*mt5-xxl).*": "weighs a model of the hub: tests/test_cost.py",
    r"xstilts perturb xnli --with .*": "reads XNLI from the hub: tests/cli/test_perturb_command.py",
    r"xstilts leaks .*": "reads SQuAD from the hub: tests/cli/test_leaks.py",
}


def shown():
    """Every command of every page once, as it is typed."""
    found = {}
    for page in PAGES:
        if page.name not in DATED:
            for match in SHOWN.finditer(page.read_text("utf-8")):
                text = (match[1] or match[2]).replace("\\|", "|")
                found.setdefault(re.sub(r"\s{3,}\S.*|\s#.*", "", text).strip(), page.stem)
    return found


def why_not(command):
    return next((why for what, why in WHY_NOT.items() if re.fullmatch(what, command)), "")


RUN = sorted(command for command in shown() if not why_not(command))


def test_most_reasons_are_used_and_a_dozen_commands_are_run():
    used = {why_not(command) for command in shown()} - {""}
    assert used == set(WHY_NOT.values())
    assert len(RUN) >= 12, RUN


@pytest.mark.parametrize("command", RUN)
def test_a_shown_command_runs(command, cli, at_mirror, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".xstilts").mkdir()  # where somebody has run something
    words = shlex.split(command)[1:]
    ran = cli(*(words[: words.index(">")] if ">" in words else words))
    assert ran.code == 0, ran.err

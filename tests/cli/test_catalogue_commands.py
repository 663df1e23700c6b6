from __future__ import annotations

import json
import subprocess
import sys

import pytest

from xstilts import __version__
from xstilts.languages import table
from xstilts.tasks import TASKS


def cells(screen: str) -> list[list[str]]:
    """The rows of a table without its head."""
    return [line.split("  ") for line in screen.splitlines()[2:] if line.strip()]


def test_tasks_lists_every_task(cli):
    ran = cli("tasks")
    assert ran.code == 0
    assert [row[0] for row in cells(ran.out)] == list(TASKS)
    (xnli,) = [line for line in ran.out.splitlines() if line.startswith("xnli ")]
    assert xnli.split()[:6] == ["xnli", "classification", "hub", "15", "mirror", "15"]
    (mnli,) = [line for line in ran.out.splitlines() if line.startswith("mnli ")]
    assert mnli.split()[:3] == ["mnli", "classification", "392,702"]  # as many as are published
    assert xnli.endswith(TASKS["xnli"].about)  # nothing is cut where there is no terminal


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize(("command", "rows"), [("tasks", TASKS), ("languages", table())])
def test_a_row_is_a_line_on_a_terminal(cli, monkeypatch, command, rows, width):
    monkeypatch.setenv("COLUMNS", str(width))
    lines = cli(command).out.splitlines()
    assert max(map(len, lines)) <= width
    assert [line.split()[0] for line in lines[2:]] == list(rows)  # whole names


def test_a_task_in_full(cli):
    out = cli("tasks", "xnli").out
    assert out.splitlines()[0] == f"xnli: {TASKS['xnli'].about}"
    assert "  labels     contradiction, entailment, neutral\n" in out
    assert "  chance     33.3 %\n" in out
    assert "  hub        trains on mnli; evaluates test\n" in out
    assert "  mirror     trains on taxinli; evaluates test\n" in out
    assert "no German test set" in cli("tasks", "udpos").out  # the note


def test_tasks_as_json(cli):
    documents = json.loads(cli("tasks", "--json").out)
    assert [one["name"] for one in documents] == list(TASKS)
    (xnli,) = json.loads(cli("tasks", "xnli", "--json").out)
    assert xnli["sources"]["mirror"] == {
        "trains": False,
        "train_on": "taxinli",
        "evaluates": True,
        "split": "test",
        "languages": [],
        "rows": {"evaluate": dict.fromkeys(TASKS["xnli"].languages, 5010)},
        "note": "",
    }
    assert xnli["languages"][:2] == ["en", "ar"]


def test_an_own_task_is_listed(cli, tmp_path):
    (tmp_path / "rows.csv").write_text("text_a,label\nhello,yes\nbye,no\n")
    (tmp_path / "own.yaml").write_text("name: own\nformat: classification\ntrain: rows.csv\n")
    out = cli("tasks", "own", "--task", tmp_path / "own.yaml").out
    assert "  labels     no, yes\n" in out
    last = cells(cli("tasks", "--task", tmp_path / "own.yaml").out)[-1]
    assert [cell.strip() for cell in last if cell.strip()] == [
        *("own", "classification", "own data 1", "own data: own.yaml")
    ]


def test_an_own_task_in_full_says_once_where_its_rows_are(cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sub").mkdir()
    for name in ("train", "test-en", "test-de"):
        (tmp_path / "sub" / f"{name}.csv").write_text("text_a,label\nhello,yes\nbye,no\n")
    (tmp_path / "sub" / "own.yaml").write_text(
        "name: own\nformat: classification\ntrain: train.csv\nevaluate: test-{lang}.csv\n"
        "languages: [en, de]\n"
    )
    shown = cli("tasks", "sub/own.yaml")
    assert shown.code == 0
    assert shown.out.startswith(
        "own: own data: own.yaml\n"
        "  format     classification\n"
        "  metrics    accuracy\n"
        "  labels     no, yes\n"
        "  languages  en de\n"
        "  chance     50.0 %\n"
        "  licence    not said\n"
        "  own data   trains on sub/train.csv; evaluates sub/test-{lang}.csv\n"
    )
    assert cli("tasks", "own", "--task", "sub/own.yaml").out == shown.out


def measured(out: str) -> dict[str, list[str]]:
    """The table at the end: language -> cells."""
    lines = out.partition("language ")[2].splitlines()[2:]
    return {line.split()[0]: line.split() for line in lines}


def test_rows_are_measured(cli, at_mirror):
    """The little mirror's six questions: of each a question of 3 words, a context of 12."""
    ran = cli("tasks", "xquad")
    assert "mirror, test split; lengths and pieces by the tokenizer of mini, uncut:" in ran.out
    found = measured(ran.out)
    assert list(found) == list(TASKS["xquad"].languages)
    assert {row[1] for row in found.values()} == {"6"}
    median, longest = int(found["en"][2]), int(found["en"][4])
    assert 15 <= median <= longest
    assert found["en"][-2:] == ["answered", "6"]
    assert found["en"][6:8] == ["a", "word"]
    assert found["zh"][6:8] == ["a", "character"]


def test_labels_are_counted(cli, at_mirror):
    (english,) = [row for code, row in measured(cli("tasks", "xnli").out).items() if code == "en"]
    assert english[-6:] == ["contradiction", "2,", "entailment", "2,", "neutral", "2"]


def test_without_a_mirror_the_microworld_is_measured(cli, monkeypatch):
    monkeypatch.delenv("XSTILTS_MIRROR", raising=False)
    ran = cli("tasks", "copa")
    assert "microworld, generated split" in ran.out
    assert measured(ran.out)["en"][1] == "400"


def test_a_source_that_has_no_such_task(cli):
    ran = cli("tasks", "taxinli", "--source", "hub")
    assert (ran.code, ran.err.count("\n")) == (2, 1)
    assert '--source "hub" has no taxinli' in ran.err


def test_the_hub_is_asked(cli, monkeypatch):
    from xstilts.errors import UserError
    from xstilts.sources import hub

    said = {"train": 9741, "validation": 1220}
    monkeypatch.setattr(hub, "published_rows", lambda place, _: said[place.split])
    ran = cli("tasks", "csqa", "--check")
    assert ran.code == 2
    assert ran.out.splitlines() == [
        "csqa train en: tau/commonsense_qa: 9,741 rows",
        "csqa select en: tau/commonsense_qa: 1,220 rows, expected 1,221",
        "csqa evaluate en: tau/commonsense_qa: 1,220 rows, expected 1,221",
    ]
    said["validation"] = 1221
    assert cli("tasks", "csqa", "--check").code == 0
    said |= dict.fromkeys(said)  # the hub does not say
    assert cli("tasks", "csqa", "--check").out.splitlines()[0].endswith(": there")

    def gone(place, _):
        raise UserError(f"no dataset {place.repo}")

    monkeypatch.setattr(hub, "published_rows", gone)
    assert cli("tasks", "csqa", "--check").code == 2

    def away(place, _):
        raise hub.UnreachableError("the hub cannot be reached")

    monkeypatch.setattr(hub, "published_rows", away)
    ran = cli("tasks", "csqa", "--check")
    assert (ran.code, ran.out, ran.err) == (2, "", "xstilts: the hub cannot be reached\n")


def test_a_dataset_of_the_hub_is_shown_as_a_task_file(cli, monkeypatch):
    from xstilts.sources import own

    monkeypatch.setattr(own, "from_hub", lambda name: (None, f"hub: {name}\n# ? what is it?\n"))
    ran = cli("tasks", "hf:org/data")
    assert (ran.code, ran.out) == (0, "hub: org/data\n# ? what is it?\n")


def test_languages_lists_every_language(cli):
    ran = cli("languages")
    assert ran.code == 0
    assert [row[0].strip() for row in cells(ran.out)] == list(table())
    # Table 6 of the XLM-R paper: Swahili, 1.6 GiB.
    (swahili,) = cells(cli("languages", "sw").out)
    assert [cell.strip() for cell in swahili if cell.strip()] == [
        *("sw", "Swahili", "Latn", "SVO", "1.6", "XTREME", "Niger-Congo, Bantu"),
    ]
    (wolof,) = json.loads(cli("languages", "wo", "--json").out)
    assert (wolof["name"], wolof["xlmr_gib"], wolof["xtreme"], wolof["xtreme_r"]) == (
        *("Wolof", None, False, True),
    )


@pytest.mark.parametrize(
    "command",
    [
        (),
        ("run",),
        ("plan",),
        ("pretrain",),
        ("tasks",),
        ("languages",),
        ("store",),
        ("store", "ls"),
        ("store", "verify"),
        ("store", "gc"),
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help(cli, command, flag):
    ran = cli(*command, flag)
    assert (ran.code, ran.err) == (0, "")
    assert f"Usage: {' '.join(('xstilts', *command))}" in ran.out


def test_xstilts_alone_shows_the_commands_and_examples(cli):
    ran = cli()
    assert (ran.code, ran.err) == (2, "")
    for command in ("run", "plan", "tasks", "languages", "store"):
        assert f"│ {command} " in ran.out
    assert "xstilts run demo" in ran.out
    assert 'xstilts run "csqa > xnli" --model xlm-roberta-base --recipe authors' in ran.out


def test_store_alone_shows_its_commands(cli):
    ran = cli("store")
    assert (ran.code, ran.err) == (2, "")
    assert "│ verify " in ran.out


@pytest.mark.parametrize("command", ["run", "plan"])
def test_a_run_of_nothing_leads_on(cli, command):
    ran = cli(command)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == (
        f'xstilts: xstilts {command} needs a path in quotes, as in "taxinli > xnli", a study file, '
        f'or a ready-made study: "xstilts {command} demo" needs no data, and "xstilts studies" '
        "lists all\n"
    )


def test_the_examples_of_the_help_are_paths(cli):
    """Every quoted path in the help can be parsed."""
    from xstilts.cli import EXAMPLES
    from xstilts.path import parse

    quoted = [line.split('"')[1] for line in EXAMPLES.splitlines() if '"' in line]
    assert [str(parse(path)) for path in quoted] == quoted


def test_the_version(cli):
    assert cli("--version").out == f"xstilts {__version__}\n"


def test_help_is_instant_and_loads_nothing_heavy():
    code = (
        "import sys; from xstilts.cli import main\n"
        "try: main(['tasks'])\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'transformers', 'pyarrow', 'duckdb', 'scipy', 'accelerate'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines()[-1] == "[]"

"""Ready-made studies: what they are, and that their names work wherever a study file does."""

from __future__ import annotations

import json

import pytest
import yaml

from xstilts import recipes, study
from xstilts.path import parse
from xstilts.resolve import resolve
from xstilts.suites import SUITES
from xstilts.tasks import Catalogue

READY = study.ready_made()
CAPS = ("--max-steps", 1, "--max-eval-rows", 2, "--seeds", 1)


@pytest.mark.parametrize("name", READY)
def test_a_ready_made_study_is_whole(name):
    found = study.load(READY[name])
    assert found.name == name
    assert 0 < len(found.about) < 100
    assert recipes.get(found.recipe)
    targets = SUITES[found.targets] if isinstance(found.targets, str) else found.targets
    assert len(found.expand(targets)) > len(targets)


@pytest.mark.parametrize(
    "name", [name for name in READY if name == "demo" or name.endswith("-microworld")]
)
def test_what_needs_no_data_can_be_run_whole(name):
    found = study.load(READY[name])
    assert found.source == "microworld"
    targets = SUITES[found.targets] if isinstance(found.targets, str) else found.targets
    paths = [path for path in found.expand(targets) if "same_steps" not in str(path)]
    for path in paths:  # where a target trains on nothing, there are no steps to match
        assert resolve(path, found.source, Catalogue()).evaluations


def test_the_demo_is_small_and_has_every_part():
    """The baseline and three intermediates, four targets of as many formats, two seeds."""
    found = study.load(READY["demo"])
    assert found.models == ("mini",)
    assert found.intermediate[0] == study.BASELINE
    assert len(found.intermediate) >= 4
    assert len(found.seeds) == 2
    tasks = [Catalogue().get(parse(text).stages[0].items[0].task) for text in found.targets]
    assert len({task.format for task in tasks}) >= 4
    stages = [stage for path in found.expand(found.targets) for stage in path.stages]
    rows = [item.rows for stage in stages for item in stage.items if item.task != "tatoeba"]
    assert all(count and count <= 1000 for count in rows)
    assert recipes.get(found.recipe).epochs["classification"] == 1


def test_they_are_listed_with_what_they_ask(cli):
    ran = cli("studies")
    assert (ran.code, ran.err) == (0, "")
    for name, file in READY.items():
        line = next(line for line in ran.out.splitlines() if line.startswith(f"{name} "))
        assert line.endswith(study.load(file).about)
    documents = json.loads(cli("studies", "--json").out)
    assert [one["name"] for one in documents] == sorted(READY)
    # Table 2: nine targets; the baseline, twelve intermediates, two controls of each but one, which
    # has masked LM beside it; three seeds.
    (table2,) = json.loads(cli("studies", "table2", "--json").out)
    assert table2["size"] == {"paths": 9 * (1 + 12 + 2 * 11), "seeds": 3}
    assert table2["source"] == "hub"


def test_one_is_printed_as_a_file_to_change(cli, tmp_path):
    text = cli("studies", "demo").out
    mine = tmp_path / "mine.yaml"
    mine.write_text(text.replace("name: demo", "name: mine"))
    assert study.load(mine).name == "mine"
    assert yaml.safe_load(text)["name"] == "demo"
    ran = cli("studies", "table3")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == ('xstilts: no ready-made study is called "table3": did you mean "table2"?\n')


def test_a_name_is_planned_as_its_file_is(cli, tiny, tmp_path):
    command = ("--model", tiny, "--store", tmp_path, *CAPS)
    by_name = cli("plan", "demo", *command)
    assert (by_name.code, by_name.err) == (0, "")
    assert by_name.out == cli("plan", READY["demo"], *command).out
    assert json.loads(cli("plan", "demo", "--json", *command).out)["absent"] == {}


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (("run", "dem0"), 'no task and no ready-made study is called "dem0": did you mean "demo"?'),
        (("plan", "demo", "xnli"), "a study stands alone: leave the other paths out, or put them"),
        (("demo",), '"demo" is a study, not a command: xstilts run demo runs it'),
        (("run", "demo.yaml"), 'demo.yaml: no such file; "demo" without an ending is the ready-'),
        (("run", "nowhere.yaml"), 'no such file; "xstilts studies" lists the ready-made ones'),
    ],
)
def test_a_mistake_leads_to_them(cli, tmp_path, monkeypatch, command, message):
    monkeypatch.chdir(tmp_path)
    ran = cli(*command)
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert message in ran.err


def test_a_task_of_ones_own_goes_before_a_study_of_its_name(cli, tiny, tmp_path):
    (tmp_path / "rows.csv").write_text("text_a,label\na,yes\nb,no\n")
    file = tmp_path / "demo.yaml"
    file.write_text("name: demo\nformat: classification\ntrain: rows.csv\nevaluate: rows.csv\n")
    ran = cli("plan", "demo", "--task", file, "--model", tiny, "--store", tmp_path / "store")
    assert ran.code == 0, ran.err
    assert "train demo (seed 1)" in ran.out


def test_completion_knows_commands_and_studies(cli, monkeypatch, capsys):
    """What the shell asks with typer's own completion, and what it is told."""

    def completed(words: str, place: int) -> list[str]:
        monkeypatch.setenv("_XSTILTS_COMPLETE", "complete_bash")
        monkeypatch.setenv("COMP_WORDS", words)
        monkeypatch.setenv("COMP_CWORD", str(place))
        return cli().out.split()

    assert completed("xstilts stu", 1) == ["studies"]
    assert completed("xstilts run de", 2) == ["demo"]
    assert completed("xstilts run taxi", 2) == ["taxinli"]
    assert completed("xstilts tasks xn", 2) == ["xnli"]
    assert completed("xstilts run --recipe au", 3) == ["authors"]
    assert completed("xstilts run --source mir", 3) == ["mirror"]
    assert completed("xstilts run --model mini-", 3) == ["mini-mlm"]
    assert completed("xstilts import ch", 2) == ["checkpoint"]
    assert "--recipe" in completed("xstilts run demo --re", 3)
    assert completed("xstilts nonsense de", 2) == []


def test_a_path_is_no_study():
    assert study.file_of("taxinli > xnli") is None
    assert study.file_of(str(parse("mnli > xnli"))) is None
    assert study.file_of("demo") == READY["demo"]
    assert str(study.file_of("mine.yml")) == "mine.yml"

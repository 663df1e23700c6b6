"""``xstilts score``: files, folders and whole suites."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from xstilts.metrics.submission import suffix
from xstilts.suites import BENCHMARKS
from xstilts.tasks import TASKS

if TYPE_CHECKING:
    from pathlib import Path


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def line(screen: str, start: str) -> list[str]:
    (found,) = [one for one in screen.splitlines() if one.startswith(start)]
    return found.split()


def test_one_file(cli, tmp_path):
    write(tmp_path, {"p.tsv": "neutral\nneutral\n", "g.tsv": "neutral\nentailment\n"})
    ran = cli("score", "xnli", "--predictions", tmp_path / "p.tsv", "--gold", tmp_path / "g.tsv")
    assert ran.code == 0
    assert line(ran.out, "-") == ["-", "2", "50.00"]
    assert "score 50.00: the mean of accuracy" in ran.out


def test_as_json(cli, tmp_path):
    write(tmp_path, {"p.tsv": "B-PER\n", "g.tsv": "B-PER\n"})
    files = ("--predictions", tmp_path / "p.tsv", "--gold", tmp_path / "g.tsv")
    document = json.loads(cli("score", "panx", *files, "--language", "sw", "--json").out)
    assert document["languages"]["sw"]["values"] == {"seqeval_f1": 1, "tag_accuracy": 1}
    assert document["score"] == 1
    assert document["metrics"]["seqeval_f1"]["source"].startswith("seqeval 1.2.2")


def test_a_folder_of_languages(cli, tmp_path):
    gold = write(tmp_path / "gold", {f"test-{c}.tsv": "1\n1\n" for c in ("en", "de", "fr")})
    predictions = write(tmp_path / "p", {"test-en.tsv": "1\n1\n", "test-de.tsv": "1\n0\n"})
    files = ("--predictions", predictions, "--gold", gold)
    ran = cli("score", "pawsx", *files)
    assert line(ran.out, "en")[1:] == ["2", "100.00"]
    assert line(ran.out, "mean")[1:] == ["75.00"]
    assert line(ran.out, "without en")[2:] == ["50.00"]
    assert "not there: " in ran.out
    assert "test-fr.tsv" in ran.out
    (only,) = json.loads(cli("score", "pawsx", *files, "--language", "de", "--json").out)[
        "languages"
    ].items()
    assert (only[0], only[1]["score"]) == ("de", 0.5)


def submission(folder: Path, *, of: str = "xtreme", right: bool = True) -> Path:
    """One row a language in every task of a suite: the smallest folder that is whole."""
    rows = {
        "classification": "neutral\n",
        "tagging": "NOUN\n",
        "span": '{"q": "nine"}' if right else "{}",
    }
    special = {"pawsx": "1\n", "panx": "B-PER\n", "tatoeba": "0\n", "bucc2018": "a\tb\n"}
    files = {}
    for task, codes in BENCHMARKS[of].languages.items():
        text = special.get(task) or rows[TASKS[task].format]
        files |= {f"{task}/test-{code}.{suffix(TASKS[task])}": text for code in codes}
    return write(folder, files)


def labels(folder: Path) -> Path:
    answers = [{"text": "nine", "answer_start": 0}]
    asked = {"id": "q", "question": "?", "answers": answers}
    squad = json.dumps({"data": [{"paragraphs": [{"context": "nine", "qas": [asked]}]}]})
    submission(folder)
    return write(folder, {str(p.relative_to(folder)): squad for p in folder.rglob("*.json")})


def test_a_whole_suite(cli, tmp_path):
    """All right but question answering, where nothing is answered: 6 of 9 tasks, 3 of 4 groups;
    without retrieval 4 of 7 and 2 of 3."""
    gold, predictions = labels(tmp_path / "g"), submission(tmp_path / "p", right=False)
    files = ("--predictions", predictions, "--gold", gold)
    ran = cli("score", "xtreme", *files)
    assert ran.code == 0
    assert line(ran.out, "mean of tasks")[3:] == ["66.67", "66.67", "57.14", "57.14"]
    assert line(ran.out, "mean of groups")[3:] == ["75.00", "75.00", "66.67", "66.67"]
    assert line(ran.out, "panx")[1:3] == ["40", "100.00"]
    assert "xquad hi: 1 of 1 questions have no prediction and score 0" in ran.out
    document = json.loads(cli("score", "xtreme", *files, "--json").out)
    assert document["means"]["all"]["over_tasks"] == pytest.approx(6 / 9)
    assert document["missing"] == []


def test_an_incomplete_suite_has_no_mean(cli, tmp_path):
    gold, predictions = labels(tmp_path / "g"), submission(tmp_path / "p")
    (predictions / "udpos" / "test-yo.tsv").unlink()
    ran = cli("score", "xtreme", "--predictions", predictions, "--gold", gold)
    assert ran.code == 0
    assert line(ran.out, "udpos") == ["udpos", "32"]
    assert line(ran.out, "mean of tasks") == ["mean", "of", "tasks"]
    assert line(ran.out, "qa")[1:3] == ["100.00", "100.00"]
    assert "not there: " in ran.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("xnlj", "p", "g"), 'no task is called "xnlj": did you mean "xnli"?'),
        (("xnli", "nowhere", "g"), "no file or folder nowhere"),
        (("xnli", "p", "folder"), "p and folder: give two files or two folders"),
        (("xtreme", "p", "g"), "score xtreme: only xtreme, xtreme-r are scored whole"),
        (("mirror", "folder", "folder"), "score mirror: only xtreme, xtreme-r are scored whole"),
        (("xnli", "folder", "folder"), "nothing to score: no file folder/test-en.tsv"),
        (("xnli", "p", "g", "--language", "ja"), 'xnli has no language "ja"'),
        (("mlqa", "p", "g"), "mlqa needs --language"),
    ],
)
def test_mistakes(cli, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    write(tmp_path, {"p": "neutral\n", "g": "neutral\n", "folder/x": ""})
    name, predictions, gold, *more = arguments
    ran = cli("score", name, "--predictions", predictions, "--gold", gold, *more)
    assert ran.code == 2
    assert ran.out == ""
    assert message in ran.err
    assert len(ran.err.splitlines()) == 1


def test_scoring_loads_no_torch(tmp_path):
    write(tmp_path, {"p": "neutral\n", "g": "neutral\n"})
    program = (
        "import sys; from xstilts.cli import main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'transformers', 'pyarrow', 'datasets', 'scipy'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    files = ("--predictions", str(tmp_path / "p"), "--gold", str(tmp_path / "g"))
    done = subprocess.run(
        [sys.executable, "-c", program, "score", "xnli", *files],
        check=True,
        capture_output=True,
        text=True,
    )
    assert done.stdout.splitlines()[-1] == "[]"

"""Whatever a user gets wrong: one line on stderr, exit code 2, and no training has begun."""

from __future__ import annotations

import codecs
import errno
import json
import os
import re
import resource
import shlex
import shutil
import signal
import subprocess
import sys
from collections import namedtuple
from pathlib import Path
from types import SimpleNamespace

import pytest

from small_tasks import sentence
from xstilts import preflight
from xstilts.cli import asked, main
from xstilts.engines.local import LocalEngine
from xstilts.report.watch import Lines
from xstilts.sources import own
from xstilts.store import Store

FINISHED = "taxinli | xnli:de"  # what the store of these tests holds already
QUICK = ("--max-steps", 2, "--threads", 1)


@pytest.fixture(scope="module")
def kept(pristine, tiny, tmp_path_factory) -> Path:
    """A store in which a run is finished."""
    folder = tmp_path_factory.mktemp("kept")
    command = ("run", FINISHED, "--source", "mirror", "--model", tiny, "--store", folder, *QUICK)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XSTILTS_MIRROR", str(pristine))
        with pytest.raises(SystemExit, match=r"^0$"):
            main([str(one) for one in command])
    return folder


@pytest.fixture
def refused(cli, kept, monkeypatch):
    """Give a command line; get its one line on stderr, everything else asserted."""

    def check(*arguments: object) -> str:
        began = []
        monkeypatch.setattr(LocalEngine, "run", lambda *_: began.append(1))
        before = {step.id for step in Store(kept).ls()}
        ran = cli(*arguments)
        assert ran.code == 2
        assert ran.out == ""
        assert ran.err.endswith("\n")
        assert ran.err.count("\n") == 1, ran.err
        assert ran.err.startswith("xstilts: ")
        assert "Traceback" not in ran.err
        assert not began
        assert {step.id for step in Store(kept).ls()} == before
        assert Store(kept).verify() == []
        return ran.err.removeprefix("xstilts: ").rstrip("\n")

    return check


@pytest.fixture
def refused_run(refused, kept, tiny):
    """The same for ``run`` with a path and further options."""

    def check(*arguments: object, model: Path = tiny) -> str:
        return refused("run", "--model", model, *QUICK, "--store", kept, *arguments)

    return check


RUN = "xnli", "--source", "mirror"
LANGUAGES = "en, ar, bg, de, el, es, fr, hi, ru, sw, th, tr, ur, vi, zh"
ONCE = "each seed once, from 0 to 2147483647"


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (("taxinly > xnli",), ['"taxinly"', 'did you mean "taxinli"?']),
        (("taxinli > nlix",), ['"nlix"', 'did you mean "xnli"?']),
        (("taxinli | xnli:dee",), ['"dee"', '"xstilts languages" lists the 167 there are']),
        (("taxinli | xnli:ja",), ['"xnli:ja"', "not there in ja in source mirror", LANGUAGES]),
        (("taxinli:de > xnli",), ['"taxinli:de"', "no training rows in de", "it has: en"]),
        (("taxinli >",), ['"taxinli >", character 10', "expected a task name"]),
        (("taxinli > > xnli",), ['"taxinli > > xnli", character 11', "expected a task name"]),
        (("taxinli[zero] > xnli",), ['"taxinli[zero] > xnli", character 9', '"zero]'[:5]]),
        (("taxinli@2 + csqa > xnli",), ["taxinli@2", "share"]),
        (("taxinli",), ['"taxinli"', "nothing to evaluate", "in quotes", '"taxinli | xnli"']),
        (("qqp > xnli",), ['"qqp" is not in source "mirror"', "it is in: hub"]),
        (("squad_dev | xnli",), ['"xnli" after the bar', "it trained: squad_dev", '"> xnli"']),
        ((), ["needs a path in quotes", '"taxinli > xnli"', "xstilts run demo"]),
        (("nowhere.yaml",), ["nowhere.yaml", "no such file"]),
        (("a.yaml", "taxinli > xnli"), ["a study stands alone"]),
        (("xnli", "--recipe", "minni"), ['"minni"', 'did you mean "mini"?']),
        (("xnli", "--source", "mirorr"), ['--source "mirorr"', 'did you mean "mirror"?']),
        (("xnli", "--keep", "some"), ['--keep "some"', "all, intermediates, none"]),
        (("xnli", "--seeds", "1,x"), ['--seeds "1,x"', "as in 1,2,3"]),
        (("xnli", "--seeds", ""), ['--seeds ""', "as in 1,2,3"]),
        (("xnli", "--seeds", "1,,2"), ['--seeds "1,,2"', "as in 1,2,3"]),
        (("xnli", "--seeds", "-1"), ['--seeds "-1"', "as in 1,2,3"]),
        (("xnli", "--seeds", "²"), ['--seeds "²"', "as in 1,2,3"]),
        (("xnli", "--seeds", "1, 1"), ['--seeds "1, 1"', ONCE]),
        (("xnli", "--seeds", "99999999999"), ['--seeds "99999999999"', ONCE]),
        (("xnli", "--device", "gpu"), ["'--device'", '"gpu"', "auto, cpu, cuda, cuda:1"]),
        (("xnli", "--max-steps", "-1"), ["--max-steps", '"-1"', "whole number, 0 or more"]),
        (
            ("xnli", "--max-steps", "2147483648"),
            ["options.max_steps: found 2147483648, expected less"],
        ),
        (("xnli", "--max-eval-rows", "1.5"), ["--max-eval-rows", '"1.5"', "whole number"]),
        (("xnli", "--threads", "all"), ["--threads", '"all"', "whole number"]),
        (("xnli", "--threads", "²"), ["--threads", '"²"', "whole number"]),
        (("xnli", "--sedes", "1"), ["has no option --sedes", 'did you mean "--seeds"?']),
        (("xnli", "--task", "own.yaml"), ["own.yaml: no such file; check the path"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_command_line(refused_run, at_mirror, monkeypatch, tmp_path, arguments, parts):
    monkeypatch.chdir(tmp_path)
    line = refused_run("--source", "mirror", *arguments)
    for part in parts:
        assert part in line


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("rnu",), 'no command is called "xstilts rnu": did you mean "run"?'),
        (("store", "lss"), 'no command is called "xstilts store lss": did you mean "ls"?'),
        (
            ("taxinli > xnli",),
            '"taxinli > xnli" is a path, not a command: xstilts run "taxinli > xnli" runs it',
        ),
        (("tasks", "xnlii"), 'no task is called "xnlii": did you mean "xnli"?'),
        (
            ("speed", "demo"),
            (
                'the study measures nothing, and nothing of it is finished: add the key "measure", '
                'as "xstilts studies speed" has it, or measure by itself: xstilts bench "xnli" '
                '--against "csqa > xnli"'
            ),
        ),
        (
            ("rank", "--target", "xnli", "--budget", "5"),
            '--budget "5" is not a share of the grid above 0, as in 5% or 0.05',
        ),
        (("languages", "deu"), 'language "deu" is not a known code: did you mean "de" (German)?'),
        (
            ("run", "--model"),
            "Option '--model' requires an argument (xstilts --help says more)",
        ),
        (
            ("report", "demo", "--format", "pdf"),
            '--format "pdf" is not known: allowed: csv, html, latex, markdown, parquet',
        ),
        (
            ("gains", "demo", "--over", "languages"),
            '--over "languages" is not known: did you mean "language"?',
        ),
        (
            ("gains", "demo", "--over", "it's"),
            '--over "it\'s" is not known: allowed: family, language, script, target',
        ),
        (
            ("store", "ls", "--store", "nothing"),
            'store: no folder "nothing": give --store FOLDER, or run something first',
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_other_commands(refused, monkeypatch, tmp_path, arguments, line):
    monkeypatch.chdir(tmp_path)
    assert refused(*arguments) == line


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("name: a\ntargets: xtrme\n", ['"xtrme"', 'did you mean "xtreme"?']),
        ("name: a\nsedes: [1]\ntargets: [xnli]\n", ["line 2, sedes", 'did you mean "seeds"?']),
        ("name: a\ntargets: [xnlj]\n", ['"xnlj"', 'did you mean "xnli"?']),
        ("name: [a\n", ["line 2", "not YAML"]),
        ("name: a\ntargets: [panx]\n", ["nothing of it can be run", "panx", '"mirror"']),
    ],
)
def test_a_study(refused_run, at_mirror, tmp_path, text, parts):
    study = tmp_path / "s.yaml"
    study.write_text(text)
    for part in parts:
        assert part in refused_run(study, "--source", "mirror")


def test_a_dataset_of_the_hub_that_leaves_questions(refused_run, at_mirror, monkeypatch):
    text = "name: data\n# ? which column is the label?\n# ? which split is the test?\n"
    monkeypatch.setattr(own, "from_hub", lambda name: (None, text + f"# {name}\n"))
    assert refused_run("data", "--task", "hf:org/data") == (
        'hf:org/data: not everything could be inferred: "xstilts tasks hf:org/data" shows a task '
        "file to complete; ? which column is the label?; ? which split is the test?"
    )


# The mirror


def cut(path: Path, share: float = 0.5) -> None:
    """A download that ended too early."""
    text = path.read_bytes()
    path.write_bytes(text[: int(len(text) * share)])


def cut_line(path: Path) -> None:
    """It ended in the middle of the last line, before its last column."""
    path.write_text(path.read_text().rstrip().rpartition("\t")[0])


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def latin(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"river", b"r\xefver"))


@pytest.mark.parametrize(
    ("path", "file", "harm", "parts"),
    [
        ("taxinli > xnli", "xnli/test-sw.tsv", Path.unlink, ["no file {file}"]),
        ("taxinli > xnli", "taxinli_mnli10k", shutil.rmtree, ["no file {file}/taxinli10k.tsv"]),
        ("taxinli > xnli", "xnli/test-sw.tsv", cut_line, ["{file} line 6: 2 columns", "has 3"]),
        (
            "taxinli > xnli",
            "taxinli_mnli10k/taxinli10k.tsv",
            cut_line,
            ["{file} line 25: 3 columns", "has 4"],
        ),
        (
            "taxinli > xnli",
            "taxinli_mnli10k/taxinli10k.tsv",
            lambda path: change(path, "prem", "premise"),
            ['{file}, row 1: no column "prem"', "the columns are: pairID, premise, hyp, label"],
        ),
        (
            "taxinli > xnli",
            "xnli/test-sw.tsv",
            lambda path: change(path, "neutral", "nuetral"),
            ["{file}, row 3", '"nuetral"', "neutral"],
        ),
        ("taxinli > xnli", "xnli/test-en.tsv", latin, ["{file} line 1", "not UTF-8"]),
        (
            "taxinli > xnli",
            "xnli/test-sw.tsv",
            lambda path: path.write_text(""),
            ["xnli", "sw", "{file}"],
        ),
        ("squad_dev > xquad", "xquad/xquad.ro.json", cut, ["{file} line 1: not JSON", "truncated"]),
        (
            "squad_dev > xquad",
            "xquad/xquad.ro.json",
            lambda path: change(path, '"paragraphs"', '"paragraph"'),
            ["{file}: not SQuAD's JSON", "paragraphs"],
        ),
        (
            "squad_dev > xquad",
            "xquad/xquad.ro.json",
            lambda path: change(path, '"answer_start": ', '"answer_start": 99'),
            ["{file}, row 1: answer start 99", "outside the context"],
        ),
        (
            "csqa > xnli",
            "commonsenseqa/train_rand_split.from_olmo.jsonl",
            cut,
            ["{file} line 13: not JSON"],
        ),
        (
            "csqa > xnli",
            "commonsenseqa/train_rand_split.from_olmo.jsonl",
            lambda path: change(path, '"answerKey": "A"', '"answerKey": "F"'),
            ["{file}, row 1", "'F'"],
        ),
        (
            "csqa > udpos",
            "udpos/test-ta.tsv",
            lambda path: change(path, "NOUN", "NUON"),
            ["{file}, row 1", '"NUON"', "NOUN"],
        ),
        ("csqa > wikineural", "wikineural/it/test.conllu", cut_line, ["{file} line 29: 2 columns"]),
        (
            "taxinli | tatoeba",
            "tatoeba/tatoeba.swh-eng.swh",
            lambda path: path.write_text(path.read_text() + "one more\n"),
            ["{file} has 7 lines, tatoeba.swh-eng.eng has 6"],
        ),
        ("taxinli | tatoeba", "tatoeba/tatoeba.swh-eng.eng", Path.unlink, ["no file {file}"]),
    ],
)
def test_a_file_of_the_mirror(refused_run, world, path, file, harm, parts):
    harm(world / file)
    line = refused_run(path, "--source", "mirror")
    for part in parts:
        assert part.format(file=world / file) in line


def test_no_mirror(refused_run, monkeypatch):
    monkeypatch.delenv("XSTILTS_MIRROR", raising=False)
    line = refused_run("taxinli > xnli", "--source", "mirror")
    assert line.startswith("source mirror needs XSTILTS_MIRROR")
    assert line.endswith("use --source hub")


@pytest.mark.parametrize(
    ("mirror", "said"),
    [
        ("{}/nowhere", "which is no folder: set it to the folder of the datasets' original files"),
        ("{}/data/xnli/test-en.tsv", "which is no folder: set it to"),
        ("{}", "holds none of the datasets' folders (bucc2018, ccg, codah, "),
        ("{}", 'commonsenseqa, ...): did you mean "{}/data"?'),
        ("{}/data/xnli", 'did you mean "{}/data"?'),
        ("{}/other", "set it to the folder that these lie in"),
    ],
)
def test_a_mirror_that_is_none(refused_run, cli, pristine, tmp_path, monkeypatch, mirror, said):
    shutil.copytree(pristine, tmp_path / "data")
    (tmp_path / "other" / "papers").mkdir(parents=True)
    value = mirror.format(tmp_path)
    monkeypatch.setenv("XSTILTS_MIRROR", value)
    study = tmp_path / "study.yaml"  # in which what is absent would be listed, not refused
    study.write_text("name: a\ntargets: mirror\nsource: mirror\n")
    for asked_for in (("taxinli > xnli",), (study,)):
        line = refused_run(*asked_for, "--source", "mirror")
        assert line.startswith(f'XSTILTS_MIRROR is "{value}", which ')
        assert said.format(tmp_path) in line
    # Another source has no use for it.
    assert "XSTILTS_MIRROR" not in cli("plan", "taxinli > xnli", "--source", "files").err


def test_a_file_that_may_not_be_read(refused_run, at_mirror, monkeypatch):
    original = Path.open

    def opened(self, *rest, **more):
        if self.name == "test-sw.tsv":
            raise PermissionError(errno.EACCES, "Permission denied", str(self))
        return original(self, *rest, **more)

    monkeypatch.setattr(Path, "open", opened)
    line = refused_run("taxinli > xnli", "--source", "mirror")
    # Whoever opens it first says so: to read rows, or, once in a process, to take its hash.
    told = line.removeprefix("cannot read ")
    assert told.startswith(f"{at_mirror}/xnli/test-sw.tsv: Permission denied")


# The model


def settings(model: Path, **changes: object) -> None:
    config = json.loads((model / "config.json").read_text())
    (model / "config.json").write_text(json.dumps(config | changes))


def fewer_positions(model: Path) -> None:
    """60 places: two of them are unused in XLM-R, so 58 tokens."""
    from safetensors.torch import load_file, save_file

    tensors = load_file(model / "model.safetensors")
    (name,) = [name for name in tensors if name.endswith("position_embeddings.weight")]
    save_file(
        {**tensors, name: tensors[name][:60].clone()},
        model / "model.safetensors",
        metadata={"format": "pt"},
    )
    settings(model, max_position_embeddings=60)


def more_pieces(model: Path) -> None:
    tokenizer = json.loads((model / "tokenizer.json").read_text())
    tokenizer["model"]["vocab"] += [[f"piece{number}", -9.0] for number in range(1000)]
    (model / "tokenizer.json").write_text(json.dumps(tokenizer))


def no_mask(model: Path) -> None:
    config = json.loads((model / "tokenizer_config.json").read_text())
    del config["mask_token"]
    (model / "tokenizer_config.json").write_text(json.dumps(config))


BROKEN = "the files are incomplete or broken; fetch them again, or give --model another folder"


@pytest.mark.parametrize(
    ("harm", "parts"),
    [
        (shutil.rmtree, ['no model folder "{model}"', "config.json"]),
        (lambda model: (model / "config.json").unlink(), ['"{model}" has no config.json']),
        (
            lambda model: (model / "model.safetensors").unlink(),
            ['"{model}" has no weights (model.safetensors)', "incomplete"],
        ),
        (lambda model: cut(model / "model.safetensors"), ["{model}", "not fully covered", BROKEN]),
        (lambda model: cut(model / "model.safetensors", 0), ["{model}", "too small", BROKEN]),
        (lambda model: cut(model / "tokenizer.json"), ["the tokenizer of {model}", BROKEN]),
        (
            lambda model: (model / "tokenizer.json").unlink(),
            ["the tokenizer of {model}", BROKEN],
        ),
        (lambda model: cut(model / "config.json"), ["{model}/config.json", "JSON", BROKEN]),
        (lambda model: settings(model, hidden_size=64), ["{model}", BROKEN]),
        (lambda model: settings(model, vocab_size=64), ["{model}", BROKEN]),
        (lambda model: settings(model, num_hidden_layers=3), ["{model}", "lacks 16", "layer.2"]),
        (lambda model: settings(model, model_type="alien"), ["{model}", "`alien`", BROKEN]),
        (
            more_pieces,
            ["{model}: its tokenizer has 1,", "pieces, its embeddings ", "another model's"],
        ),
        (
            fewer_positions,
            ["{model} cannot take sequences of 128 tokens", "60 positions", "another recipe"],
        ),
        (no_mask, ["{model} has no masked-LM head or no mask token", "text(...)"]),
    ],
)
def test_a_model(refused_run, at_mirror, tiny, tmp_path, harm, parts):
    model = tmp_path / "model"
    shutil.copytree(tiny, model)
    harm(model)
    line = refused_run("text(taxinli) > xnli", "--source", "mirror", model=model)
    for part in parts:
        assert part.format(model=model) in line


@pytest.mark.parametrize(
    ("name", "start"),
    [
        ("", '"." has no config.json'),
        ("a/b/c", 'no model folder "a/b/c": give a folder with config.json, or a hub name'),
        ("org/model", 'no folder "org/model" here and it cannot be had from the hub (no network)'),
    ],
)
def test_the_name_of_a_model(refused_run, at_mirror, monkeypatch, tmp_path, name, start):
    from huggingface_hub import HfApi

    def offline(*_, **__):
        raise ConnectionError("no network\nand more")

    monkeypatch.setattr(HfApi, "model_info", offline)
    monkeypatch.chdir(tmp_path)
    assert refused_run(*RUN, model=name).startswith(start)


# The machine

Usage = namedtuple("Usage", "total used free")  # noqa: PYI024 (as shutil's)


def test_too_little_room_on_the_disk(refused_run, at_mirror, tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(0, 0, 1000))
    store = tmp_path / "not" / "yet"
    line = refused_run("taxinli > xnli", "--source", "mirror", "--store", store)
    assert line.startswith(f"the store {store} needs about ")
    assert line.endswith(
        "has 0.00 GiB free: free space, or give --store elsewhere, or --keep intermediates"
    )
    assert not store.parent.exists()


def test_disk_and_memory_by_hand(tmp_path, monkeypatch):
    """A million parameters of 4 bytes; 3 stages kept and 3 resume points of 3 such: 48 MB."""
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(0, 0, 48_000_000))
    preflight._check_disk(10**6, 3 * 10**6, "all", tmp_path)
    with pytest.raises(preflight.UserError, match=r"needs about 0\.04 GiB"):
        preflight._check_disk(10**6 + 1, 3 * 10**6, "all", tmp_path)
    alone = SimpleNamespace(device="cpu", devices=1, layout="auto")
    monkeypatch.setattr(preflight, "_free_memory", lambda _: 16_000_000)
    preflight._check_memory(10**6, alone)  # weight, gradient, two moments
    with pytest.raises(preflight.UserError, match=r"training needs 0\.01 GiB of memory on cpu"):
        preflight._check_memory(10**6 + 1, alone)
    two = SimpleNamespace(device="cpu", devices=2, layout="auto")  # each holds the whole model
    preflight._check_memory(10**6 // 2, two)
    with pytest.raises(preflight.UserError, match="training needs"):
        preflight._check_memory(10**6, two)
    parted = SimpleNamespace(device="cuda", devices=4, layout="auto")  # as fsdp2 can
    preflight._check_memory(4 * 10**6, parted)
    copied = SimpleNamespace(device="cuda", devices=4, layout="ddp")
    with pytest.raises(preflight.UserError, match="training needs"):
        preflight._check_memory(4 * 10**6, copied)
    monkeypatch.setattr(preflight, "_free_memory", lambda _: None)
    preflight._check_memory(10**12, alone)  # a system that does not say


def test_too_little_memory(refused_run, at_mirror, monkeypatch):
    monkeypatch.setattr(preflight, "_free_memory", lambda _: 1000)
    line = refused_run("taxinli > xnli", "--source", "mirror")
    assert line.startswith("training needs 0.00 GiB of memory on cpu and more for activations")
    assert line.endswith("take a smaller model or another machine")


def test_a_device_that_is_not_there(refused_run, at_mirror):
    line = refused_run("taxinli > xnli", "--source", "mirror", "--device", "cuda:99")
    assert line.startswith('device "cuda:99" cannot be used (')
    assert line.endswith(": use --device cpu")


def test_a_device_that_is_not_there_measures_nothing(refused):
    """Its name is part of a measurement's, so that it is asked for before anything else."""
    line = refused("bench", "xnli", "--source", "microworld", "--device", "cuda:99")
    assert line.startswith('device "cuda:99" cannot be used (')


def test_a_file_where_the_store_should_be(refused_run, at_mirror, tmp_path):
    (tmp_path / "file").write_text("")
    line = refused_run(*RUN, "--store", tmp_path / "file")
    assert line.startswith(f'store: "{tmp_path}/file" is a file')
    line = refused_run("taxinli > xnli", "--source", "mirror", "--store", tmp_path / "file" / "in")
    assert "a file stands where a folder is needed" in line


def test_a_store_that_may_not_be_written(refused_run, at_mirror, tmp_path, monkeypatch):
    original = os.mkdir

    def mkdir(path, *rest, **more):
        if Path(path).is_relative_to(tmp_path / "store"):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        original(path, *rest, **more)

    monkeypatch.setattr(os, "mkdir", mkdir)
    line = refused_run("taxinli > xnli", "--source", "mirror", "--store", tmp_path / "store")
    assert "Permission denied" in line
    assert f'"{tmp_path}/store' in line
    assert "make it writable or choose another folder for the store" in line


def test_a_model_of_a_study_or_an_option_that_is_not_there(refused, at_mirror, tmp_path):
    study = tmp_path / "study.yaml"
    study.write_text("name: a\ntargets: [xnli]\nsource: mirror\nmodels: [./none]\n")
    for where, command in (
        (f"{study}, models: ", ("run", study)),
        ("", ("run", *RUN, "--model", "./none")),
    ):
        assert refused(*command).startswith(f'{where}no model folder "./none": give')


def test_a_recipe_that_selects_and_a_task_that_has_nothing_to_select_on(
    refused_run, at_mirror, tmp_path
):
    (tmp_path / "rows.csv").write_text("text_a,label\nhello,yes\nbye,no\n")
    own_task = "name: own\nformat: classification\ntrain: rows.csv\nevaluate: rows.csv\n"
    (tmp_path / "own.yaml").write_text(own_task)
    assert refused_run("own", "--task", tmp_path / "own.yaml", "--recipe", "authors") == (
        'task "own" has no select rows in this source: add "select: 10%" to its task file, or '
        "take a recipe that keeps the last step, such as mini"
    )


def test_a_name_that_means_something_else(refused_run, at_mirror, tmp_path):
    (tmp_path / "rows.csv").write_text("text_a,label\nhello,yes\nbye,no\n")
    (tmp_path / "own.yaml").write_text("name: all9\nformat: classification\ntrain: rows.csv\n")
    line = refused_run("all9 > xnli", "--task", tmp_path / "own.yaml")
    assert line == 'task file declares "all9", the name of a mixture: choose another name'


@pytest.mark.parametrize(
    ("path", "trapped"), [("taxinli", True), ("taxinli > xnlj", False), ("taxinli | xnlj", False)]
)
def test_the_shell_trap_of_the_bar(at_mirror, tmp_path, path, trapped):
    """``xstilts run taxinli | tatoeba``: there is no such program, so nobody reads."""
    reading, writing = os.pipe()
    os.close(reading)
    ran = subprocess.run(
        [sys.executable, "-m", "xstilts", "run", path, "--source", "mirror", "--model", tmp_path],
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writing)
    assert ran.returncode == 2
    assert trapped is (
        ran.stderr == 'xstilts: nobody reads the output: if the shell took "|" as a pipe, put the '
        'path in quotes, as in "taxinli | tatoeba"\n'
    )


def test_the_shell_trap(at_mirror, tiny, tmp_path):
    """``xstilts run taxinli > xnli``: the shell has opened the file before we are started."""
    with (tmp_path / "xnli").open("w") as file:
        ran = subprocess.run(
            [sys.executable, "-m", "xstilts", "run", "taxinli", "--source", "mirror"],
            stdout=file,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert ran.returncode == 2
    assert ran.stderr == (
        'xstilts: the shell took ">" as a redirection and is writing a file called xnli: put the '
        'path in quotes, as in "taxinli > xnli", and remove that file\n'
    )


# While it runs


def numbers(out: str) -> list[tuple]:
    keys = ("path", "seed", "language", "metric", "value")
    return [tuple(row[key] for key in keys) for row in json.loads(out)["scores"]]


GOES_ON = "xstilts: interrupted: what was finished is kept; this goes on from there: xstilts "


@pytest.fixture
def command(at_mirror, tiny, tmp_path):
    """A run of two stages of twelve steps, each in a store of its own."""

    def made(store: str) -> tuple[object, ...]:
        given = ("run", "csqa > taxinli | xnli:de", "--source", "mirror", "--model", tiny)
        return (*given, "--store", tmp_path / store, "--threads", 1, "--max-steps", 12, "--json")

    return made


@pytest.fixture
def interruptible():
    """SIGINT as it is in a terminal: jobs in the background ignore it, and so do their children."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_run_goes_on(cli, command, tmp_path, monkeypatch, number, code):
    at = []

    def interrupted(_self, done, total, tokens):
        at.append((done, total))
        if len(at) == 5:  # in the second stage: the first has three steps (24 rows, 32 a batch)
            os.kill(os.getpid(), number)

    whole = cli(*command("whole"))
    with monkeypatch.context() as patch:
        patch.setattr(Lines, "progress", interrupted)
        ran = cli(*command("cut"))
    assert ran.code == code
    assert ran.out == ""
    assert ran.err.splitlines()[-1] == GOES_ON + shlex.join(map(str, command("cut")))
    assert at == [(1, 3), (2, 3), (3, 3), (1, 3), (2, 3)]
    assert [step.kind for step in Store(tmp_path / "cut").ls()] == ["train"]
    assert len(list((tmp_path / "cut" / "work").rglob("point.json"))) == 1
    again = cli(*command("cut"))
    assert again.err.startswith("4 steps, 1 finished before")
    stage = "[1/3] train csqa > taxinli (seed 1), for xnli"
    assert f"\n{stage}: resumed at step 2 of 3\n{stage}: done in " in again.err
    assert numbers(again.out) == numbers(whole.out)
    for step in Store(tmp_path / "whole").ls():
        files = Store(tmp_path / "whole").record(step.id)["files"]
        assert Store(tmp_path / "cut").record(step.id)["files"] == files


@pytest.mark.usefixtures("interruptible")
def test_ctrl_c_on_a_terminal(cli, tiny, tmp_path):
    """A process of its own whose stderr is a terminal: there the bar tells when it is training."""
    rows = [f"{sentence('en', row, 6)},{('a', 'b')[row % 2]}" for row in range(1600)]
    (tmp_path / "rows.csv").write_text("\n".join(["text_a,label", *rows]) + "\n")
    (tmp_path / "own.yaml").write_text(
        "name: own\nformat: classification\ntrain: rows.csv\nevaluate: rows.csv\n"
    )
    command = ["run", "own", "--task", tmp_path / "own.yaml", "--model", tiny, "--threads", 1]
    command = [str(one) for one in (*command, "--max-eval-rows", 20, "--json", "--store")]
    terminal, its_end = os.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "xstilts", *command, str(tmp_path / "cut")],
        stdout=subprocess.PIPE,
        stderr=its_end,
        env={**os.environ, "COLUMNS": "120", "TERM": "xterm"},
    ) as process:
        os.close(its_end)
        seen, decoder = "", codecs.getincrementaldecoder("utf-8")()  # a read may end in a letter
        while not re.search(r"\d+/150, [\d,]+ tokens/s, \d+ s left", seen):
            seen += decoder.decode(os.read(terminal, 4096))
        process.send_signal(signal.SIGINT)
        while text := _read(terminal):
            seen += decoder.decode(text)
        assert process.stdout.read() == b""
    os.close(terminal)
    assert process.returncode == 130
    assert "[1/3] train own (seed 1)" in seen
    assert seen.splitlines()[-1].endswith(GOES_ON + shlex.join([*command, str(tmp_path / "cut")]))
    again, whole = cli(*command, tmp_path / "cut"), cli(*command, tmp_path / "whole")
    assert again.code == whole.code == 0
    assert numbers(again.out) == numbers(whole.out)
    weights = [sorted((tmp_path / store).rglob("model.safetensors")) for store in ("cut", "whole")]
    assert weights[0][0].read_bytes() == weights[1][0].read_bytes()


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 4096)
    except OSError:  # the other end is closed
        return b""


def test_a_disk_that_fills_up(cli, command, tmp_path):
    """No file may grow beyond 60 kB: the weights do not fit, everything smaller does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, hard))
    try:
        ran = cli(*command("full"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert ran.code == 2
    assert json.loads(ran.out)["scores"] == []
    (failed,) = json.loads(ran.out)["failed"].values()
    assert "File too large" in failed
    assert "nothing finished was lost" in failed
    assert "`xstilts store gc`" in failed
    assert "Traceback" not in ran.err
    again = cli(*command("full"))
    assert again.code == 0
    assert Store(tmp_path / "full").verify() == []


@pytest.mark.parametrize("arguments", ["languages --json", "tasks xnli", "languages"])
def test_nobody_reads(arguments):
    """``xstilts ... | head -1``: the pipe is closed before all, more than its buffer or less."""
    command = [sys.executable, "-m", "xstilts", *arguments.split()]
    env = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, env=env) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 128 + signal.SIGPIPE


@pytest.mark.parametrize(
    ("error", "start"),
    [
        (MemoryError(), "out of memory (): what was finished is kept"),
        (
            RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"),
            "out of memory ([enforce fail] DefaultCPUAllocator",
        ),
        (RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"), "out of memory (CUDA out"),
        (OSError(errno.EIO, "Input/output error", "/data/x"), "/data/x: Input/output error; put"),
        (OSError("the connection was reset"), "the connection was reset; put it right"),
    ],
)
def test_what_a_machine_does_to_us_is_one_line(refused, monkeypatch, error, start):
    def fail(*_):
        raise error

    monkeypatch.setattr(asked, "plan", fail)
    assert refused("run", "xnli").startswith(start)


def test_a_mistake_of_ours_has_a_traceback(monkeypatch):
    def fail(*_):
        raise RuntimeError("shapes do not match")

    monkeypatch.setattr(asked, "plan", fail)
    with pytest.raises(RuntimeError, match="shapes"):
        main(["run", "xnli"])


def test_debug_shows_the_traceback():
    with pytest.raises(preflight.UserError, match="nlix"):
        main(["tasks", "nlix", "--debug"])

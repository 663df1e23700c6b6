"""From declared columns to examples, hold-outs, and the identity of rows."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xstilts.errors import AbsentError, UserError
from xstilts.formats.examples import Pair, Tagged
from xstilts.sources import Sources, hub, locate
from xstilts.tasks import Data, Files, HoldOut, Hub, Task

LABELS = ("no", "yes")
PAIRS = Files(path="{lang}.tsv", reader="tsv", fields={"text_a": "a", "text_b": "b"})


def task(format_: str = "classification", labels=LABELS) -> Task:
    return Task(name="toy", about="", format=format_, metrics=(), sources={}, labels=labels)


@pytest.fixture
def write(tmp_path):
    def write_file(name: str, text: str) -> None:
        (tmp_path / name).write_text(text, encoding="utf-8")

    return write_file


def examples(folder, rows: Files, *, of=None, language="en"):
    return Sources(folder).examples(of or task(), Data(train=rows), "train", language)


# columns


def test_columns_are_renamed_and_ids_are_row_numbers(tmp_path, write):
    write("de.tsv", "a\tb\tlabel\textra\nx\ty\tno\t7\nz\tw\tyes\t8\n")
    assert examples(tmp_path, PAIRS, language="de") == [
        Pair("0", "0", "x", "y", "no"),
        Pair("1", "1", "z", "w", "yes"),
    ]


def test_ids_and_groups_come_from_columns_of_these_names(tmp_path, write):
    write("en.tsv", "id\tgroup\ttext_a\tlabel\nk\tg\tx\tno\n")
    assert examples(tmp_path, replace(PAIRS, fields={})) == [Pair("k", "g", "x", None, "no")]
    renamed = {"id": "text_a", "group": "label"}
    assert examples(tmp_path, replace(PAIRS, fields=renamed)) == [Pair("x", "no", "x", None, "no")]


def test_repeated_ids_are_numbered(tmp_path, write):
    write("en.tsv", "id\ta\tb\tlabel\n" + "k\tx\ty\tno\n" * 3 + "l\tx\ty\tno\n")
    assert [one.id for one in examples(tmp_path, PAIRS)] == ["k", "k#2", "k#3", "l"]


def test_labels_are_renamed_and_rows_without_one_are_dropped(tmp_path, write):
    write("en.tsv", "a\tb\tlabel\nx\ty\t1\nx\ty\t-1\nx\ty\t0\n")
    rows = replace(PAIRS, labels={"0": "no", "1": "yes", "-1": None})
    # the dropped row keeps its number, so that ids stay parallel across languages
    assert [(one.id, one.label) for one in examples(tmp_path, rows)] == [("0", "yes"), ("2", "no")]


def test_tags_are_renamed_and_others_stay(tmp_path, write):
    write("en.conll", "w\tB-MISC\nv\tA\n")
    rows = Files(
        path="{lang}.conll",
        reader="conll",
        fields={"words": "0", "tags": "1"},
        labels={"B-MISC": "O"},
    )
    found = examples(tmp_path, rows, of=task("tagging", ("A", "O")))
    assert found == [Tagged("0", "0", ("w", "v"), ("O", "A"))]


def test_numbers_are_looked_up_as_text(tmp_path, write):
    write("en.jsonl", '{"text_a": "x", "label": 1}\n{"text_a": "y", "label": false}\n')
    rows = Files(path="en.jsonl", reader="jsonl", labels={"1": "yes", "False": "no"})
    assert [one.label for one in examples(tmp_path, rows)] == ["yes", "no"]


def _odd(row):
    return None if row["keep"] == "no" else {"text_a": row["x"], "label": "yes", "id": row["id"]}


def test_odd_rows_are_adapted_or_dropped(tmp_path, write):
    write("en.tsv", "id\tx\tkeep\n1\tone\tyes\n2\ttwo\tno\n")
    rows = Files(path="en.tsv", reader="tsv", adapt=_odd)
    assert examples(tmp_path, rows) == [Pair("1", "1", "one", None, "yes")]


def test_language_codes_fill_the_path(tmp_path, write):
    write("deu-de.tsv", "a\tb\tlabel\nx\ty\tno\n")
    rows = replace(PAIRS, path="{tatoeba}-{lang}.tsv")
    assert len(examples(tmp_path, rows, language="de")) == 1


def test_absolute_paths_need_no_mirror(tmp_path, write):
    write("en.tsv", "a\tb\tlabel\nx\ty\tno\n")
    rows = replace(PAIRS, path=str(tmp_path / "en.tsv"))
    assert len(examples(None, rows)) == 1


# refusals


def refusal(kind, *arguments, **named) -> str:
    with pytest.raises(kind) as refused:
        examples(*arguments, **named)
    assert refused.type is kind
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_no_mirror():
    assert refusal(UserError, None, PAIRS) == (
        "source mirror needs XSTILTS_MIRROR, the folder of the datasets' original files: "
        "set it, or use --source hub"
    )


def test_absent_files(tmp_path, write):
    expected = f"no file {tmp_path / 'en.tsv'}: check the source's folder"
    assert refusal(AbsentError, tmp_path, PAIRS) == expected


def test_absent_english_sides(tmp_path, write):
    write("x.deu", "eins\n")
    rows = Files(path="x.{tatoeba}", reader="parallel")
    expected = f"no file {tmp_path / 'x.eng'}: check the source's folder"
    bitext = task("retrieval", ())
    assert refusal(AbsentError, tmp_path, rows, of=bitext, language="de") == expected
    with pytest.raises(AbsentError, match=r"x\.eng"):
        Sources(tmp_path).fingerprint(bitext, Data(evaluate=rows), "evaluate", "de")


def test_empty_files(tmp_path, write):
    write("en.tsv", "a\tb\tlabel\n")
    assert refusal(UserError, tmp_path, PAIRS) == (
        f'task "toy" has no train rows in en: {tmp_path / "en.tsv"} holds none'
    )


def test_unknown_languages(tmp_path):
    assert refusal(UserError, tmp_path, PAIRS, language="deu") == (
        'language "deu" is not a known code: did you mean "de" (German)?'
    )


def test_bad_rows_are_named(tmp_path, write):
    write("en.tsv", "a\tb\tlabel\nx\ty\tno\nx\ty\tmaybe\n")
    expected = f'{tmp_path / "en.tsv"}, row 2: label "maybe" is not one of: no, yes'
    assert refusal(UserError, tmp_path, PAIRS) == expected


def test_missing_columns_are_named(tmp_path, write):
    write("en.tsv", "a\tc\tlabel\nx\ty\tno\n")
    expected = f'{tmp_path / "en.tsv"}, row 1: no column "b"; the columns are: a, c, label'
    assert refusal(UserError, tmp_path, PAIRS) == expected
    rows = Files(path="en.tsv", reader="tsv", adapt=_odd)
    expected = f"{tmp_path / 'en.tsv'}, row 1: unexpected columns, KeyError('keep'): a, c, label"
    assert refusal(UserError, tmp_path, rows) == expected


KEEPS_LAST = "take a recipe that keeps the last step, such as mini"


@pytest.mark.parametrize(
    ("name", "split", "hint"),
    [
        ("toy", "train", ""),
        ("toy", "evaluate", ""),
        ("toy", "select", f': add "select: 10%" to its task file, or {KEEPS_LAST}'),
        ("xnli", "select", f": {KEEPS_LAST}"),  # a built-in task has no task file
    ],
)
def test_absent_splits(tmp_path, name, split, hint):
    asked = replace(task(), name=name)
    with pytest.raises(AbsentError) as refused:
        Sources(tmp_path).examples(asked, Data(train_on="other"), split, "en")
    assert str(refused.value) == f'task "{name}" has no {split} rows in this source{hint}'


# hold-outs


def _grouped(groups: int, rows_each: int) -> str:
    rows = (f"g{g}\t{g}.{r}\ty\tno\n" for r in range(rows_each) for g in range(groups))
    return "group\ta\tb\tlabel\n" + "".join(rows)


def test_locate():
    hold_out = HoldOut(share=0.1)
    data = Data(train=PAIRS, select=hold_out, evaluate=replace(PAIRS, path="test.tsv"))
    assert locate(task(), data, "train") == (PAIRS, hold_out)
    assert locate(task(), data, "select") == (PAIRS, hold_out)
    assert locate(task(), data, "evaluate") == (data.evaluate, None)  # never a part of it
    apart = replace(data, select=data.evaluate)
    assert locate(task(), apart, "train") == (PAIRS, None)
    assert locate(task(), apart, "select") == (data.evaluate, None)


def test_hold_outs_part_the_groups(tmp_path, write):
    write("en.tsv", _grouped(groups=400, rows_each=3))
    data = Data(train=PAIRS, select=HoldOut(share=0.2))
    sources = Sources(tmp_path)
    train, select = (sources.examples(task(), data, split, "en") for split in ("train", "select"))
    everything = sources.examples(task(), replace(data, select=None), "train", "en")
    assert not {one.group for one in train} & {one.group for one in select}
    assert sorted(train + select, key=lambda one: int(one.id)) == everything
    # 80 of 400 groups, standard deviation 8
    assert 40 < len({one.group for one in select}) < 120
    assert len(select) == 3 * len({one.group for one in select})  # whole groups


def test_hold_outs_do_not_depend_on_the_other_rows(tmp_path, write):
    data = Data(train=PAIRS, select=HoldOut(share=0.2))
    write("en.tsv", _grouped(groups=100, rows_each=1))
    few = {one.group for one in Sources(tmp_path).examples(task(), data, "select", "en")}
    write("en.tsv", _grouped(groups=400, rows_each=2))
    many = {one.group for one in Sources(tmp_path).examples(task(), data, "select", "en")}
    assert few == {group for group in many if int(group[1:]) < 100}


def test_a_larger_share_holds_out_more_of_the_same(tmp_path, write):
    write("en.tsv", _grouped(groups=200, rows_each=1))
    found = [
        {
            one.group
            for one in Sources(tmp_path).examples(
                task(), Data(train=PAIRS, select=HoldOut(share=share)), "select", "en"
            )
        }
        for share in (0.1, 0.3, 0.6)
    ]
    assert found[0] < found[1] < found[2]


def test_hold_outs_are_drawn_anew_for_each_task(tmp_path, write):
    write("en.tsv", _grouped(groups=200, rows_each=1))
    data = Data(train=PAIRS, select=HoldOut(share=0.5))
    one, other = (
        [e.group for e in Sources(tmp_path).examples(which, data, "select", "en")]
        for which in (task(), replace(task(), name="other"))
    )
    assert set(one) != set(other)


@pytest.mark.parametrize(("share", "split"), [(0.0001, "select"), (0.9999, "train")])
def test_hold_outs_that_leave_nothing(tmp_path, write, share, split):
    write("en.tsv", _grouped(groups=3, rows_each=1))
    data = Data(train=PAIRS, select=HoldOut(share=share))
    with pytest.raises(UserError) as refused:
        Sources(tmp_path).examples(task(), data, split, "en")
    assert str(refused.value) == (
        f'task "toy" has no {split} rows in en: no group of {tmp_path / "en.tsv"} fell to it'
    )


def test_hold_outs_are_the_same_in_every_process(tmp_path, write):
    write("en.tsv", _grouped(groups=50, rows_each=1))
    program = (
        "import sys; sys.path.insert(0, sys.argv[2]); from pathlib import Path\n"
        "from sources.test_sources import PAIRS, task\n"
        "from xstilts.sources import Sources; from xstilts.tasks import Data, HoldOut\n"
        "data = Data(train=PAIRS, select=HoldOut(share=0.3))\n"
        "found = Sources(Path(sys.argv[1])).examples(task(), data, 'select', 'en')\n"
        "print(*(one.id for one in found), Sources(Path(sys.argv[1])).fingerprint("
        "task(), data, 'select', 'en'))"
    )
    tests = os.path.dirname(os.path.dirname(__file__))  # noqa: PTH120
    answers = {
        subprocess.run(
            [sys.executable, "-c", program, str(tmp_path), tests],
            check=True,
            capture_output=True,
            text=True,
            env=os.environ | {"PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2")
    }
    assert len(answers) == 1
    assert len(answers.pop().split()) > 5


@given(st.lists(st.text(min_size=1, max_size=5), max_size=30), st.floats(0.01, 0.99))
def test_every_group_falls_to_one_side(groups, share):
    from xstilts.sources.held_out import is_held_out

    for group in groups:
        held = is_held_out("toy", group, HoldOut(share=share))
        assert held is is_held_out("toy", group, HoldOut(share=share))
        assert held <= is_held_out("toy", group, HoldOut(share=min(1.0, share + 0.1)))


# identity


@pytest.fixture
def print_of(tmp_path, write):
    """The fingerprint of the training rows after a change."""
    write("en.tsv", "a\tb\tlabel\nx\ty\tno\n")

    def fingerprint(rows=PAIRS, of=None, split="train", select=None, folder=tmp_path) -> str:
        return Sources(folder).fingerprint(
            of or task(), Data(train=rows, select=select), split, "en"
        )

    return fingerprint


def test_rows_keep_their_identity_where_nothing_changes(print_of, tmp_path, write):
    before = print_of()
    assert print_of() == before
    (moved := tmp_path / "moved").mkdir()
    (tmp_path / "en.tsv").rename(moved / "en.tsv")
    assert print_of(folder=moved) == before  # where a file is does not matter


def test_rows_change_their_identity_with_content_and_reading(print_of, write):
    half = HoldOut(share=0.5)
    found = [
        print_of(),
        print_of(replace(PAIRS, fields={"text_a": "b", "text_b": "a"})),
        print_of(replace(PAIRS, labels={"no": "yes"})),
        print_of(replace(PAIRS, adapt=_odd)),
        print_of(of=task(labels=("no", "yes", "maybe"))),
        print_of(select=half),
        print_of(select=half, split="select"),
        print_of(select=HoldOut(share=0.4)),
    ]
    write("en.tsv", "a\tb\tlabel\nx\ty\tyes\n")
    found.append(print_of())
    assert len(set(found)) == len(found)


def test_a_file_that_changes_is_hashed_again(tmp_path, write):
    """Another size, or the same one at another time."""
    sources, data = Sources(tmp_path), Data(train=PAIRS)
    found = []
    for second, text in enumerate(("x", "xx", "yy")):
        write("en.tsv", f"a\tb\tlabel\n{text}\ty\tno\n")
        os.utime(tmp_path / "en.tsv", (second, second))
        found.append(sources.fingerprint(task(), data, "train", "en"))
    assert len(set(found)) == 3


def test_both_sides_of_a_bitext_count(tmp_path, write):
    rows = Data(evaluate=Files(path="x.{tatoeba}", reader="parallel"))
    write("x.deu", "eins\n")
    found = []
    for english in ("one\n", "three\n"):  # of another length: clocks of files may be coarse
        write("x.eng", english)
        found.append(Sources(tmp_path).fingerprint(task("retrieval", ()), rows, "evaluate", "de"))
    assert found[0] != found[1]


def test_a_commit_of_the_hub_is_identity_and_is_remembered(monkeypatch):
    """So it is told of every step, also where the task says none and the newest was asked for."""
    data, found = Data(train=Hub(repo="org/name", split="train")), []
    for commit in ("a" * 40, "b" * 40):
        monkeypatch.setattr(hub, "resolve", lambda *_, revision=commit: {"revision": revision})
        sources = Sources()
        found.append(sources.fingerprint(task(), data, "train", "en"))
        assert sources.commits == {"org/name": commit}
    assert found[0] != found[1]


def test_sources_from_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("XSTILTS_MIRROR", str(tmp_path))
    assert Sources.from_environment().mirror == tmp_path
    monkeypatch.delenv("XSTILTS_MIRROR")
    assert Sources.from_environment().mirror is None
    monkeypatch.setenv("XSTILTS_MIRROR", "")
    assert Sources.from_environment().mirror is None

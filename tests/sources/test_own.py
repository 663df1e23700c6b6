"""Task files of every format, read to their examples."""

import re
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest

from own_files import examples, jsonl, squad, write
from xstilts import metrics
from xstilts.errors import UserError
from xstilts.formats.examples import Bitext, Choice, Line, Pair, Question, Tagged
from xstilts.path import parse
from xstilts.resolve import resolve
from xstilts.sources import Sources, declared, own
from xstilts.tasks import TASKS, Catalogue
from xstilts.tasks.base import SOURCES, Format, HoldOut, Reader

GUIDE = Path(__file__).parents[2] / "docs" / "adding-a-task.md"

INTENTS = """\
name: intents
format: classification
train: train.csv
select: 10%            # or a file; held out of the training rows
evaluate: test-{lang}.csv
languages: [de, en, sw]
columns: {text_a: sentence, label: intent}
"""


@pytest.fixture
def load(tmp_path):
    """Writes files and loads the one called task.yaml."""

    def run(text, **files):
        names = {name.replace("__", "-").replace("_", "."): one for name, one in files.items()}
        write(tmp_path, {"task.yaml": text} | names)
        return own.load(tmp_path / "task.yaml")

    return run


def test_classification(load):
    rows = [(f"text {n}", "book" if n % 3 else "cancel") for n in range(60)]
    train = "sentence,intent\n" + "".join(f"{text},{label}\n" for text, label in rows)
    test = "intent,sentence\ncancel,Acha!\nbook,Weka meza.\n"
    task = load(INTENTS, train_csv=train, test__en_csv=test, test__de_csv=test, test__sw_csv=test)
    assert (task.name, task.format, task.metrics) == ("intents", "classification", ("accuracy",))
    assert task.labels == ("book", "cancel")
    assert task.languages == ("en", "de", "sw")
    assert task.chance == 1 / 2
    assert task.about == "own data: task.yaml"
    assert set(task.sources) == set(SOURCES)
    data = task.sources["hub"]
    assert all(one == data for one in task.sources.values())
    assert data.select == HoldOut(share=0.1)
    assert data.split == "test-{lang}.csv"
    assert examples(task, "evaluate", "sw") == [
        Pair("0", "0", "Acha!", None, "cancel"),
        Pair("1", "1", "Weka meza.", None, "book"),
    ]
    trained, selected = examples(task, "train"), examples(task, "select", source="mirror")
    together = sorted(trained + selected, key=lambda one: int(one.id))
    assert [(one.text_a, one.label) for one in together] == rows
    assert 0 < len(selected) < len(trained)


def test_it_mixes_with_the_tasks_of_any_source(load):
    files = {"train_csv": "text_a,label\na,x\nb,y\n"}
    task = load("name: mine\nformat: classification\ntrain: train.csv", **files)
    catalogue = Catalogue([task])
    for source, path in (("hub", "mine + mnli > xnli"), ("mirror", "mine > xnli")):
        stage = resolve(parse(path), source, catalogue).stages[0]
        assert stage.items[0].item.task == "mine"


def test_two_texts_by_number_and_renamed_labels(load):
    text = """\
name: pairs
about: entailed or not
format: classification
train: train.tsv
select: dev.tsv
evaluate: test.tsv
header: false
columns: {text_a: 1, text_b: 2, label: 0, group: 1, id: 3}
labels: {1.0: yes, 0: no, -1: null}
license: CC0
"""
    train, dev = '1.0\t"a"\tb\tx\n-1\tc\td\ty\n0\te\tf\tz\n', "0\tg\th\tx\n"
    task = load(text, train_tsv=train, dev_tsv=dev, test_tsv="0\ti\tj\tx\n0\tk\tl\tx\n")
    assert task.labels == ("no", "yes")
    assert (task.about, task.license) == ("entailed or not", "CC0")
    assert examples(task, "train") == [
        Pair("x", '"a"', '"a"', "b", "yes"),
        Pair("z", "e", "e", "f", "no"),
    ]
    assert examples(task, "select") == [Pair("x", "g", "g", "h", "no")]
    assert [one.id for one in examples(task, "evaluate")] == ["x", "x#2"]


def test_values_are_text_whatever_yaml_makes_of_them(load):
    text = """\
name: on
format: classification
evaluate: no.csv
reader: csv
languages: no
labels: [yes, no]
"""
    task = load(text, no_csv="text_a,label\nJa!,yes\n")
    assert task.name == "on"
    assert task.languages == ("no",)
    assert task.labels == ("no", "yes")
    assert examples(task, "evaluate", "no") == [Pair("0", "0", "Ja!", None, "yes")]


def test_multiple_choice_in_several_columns_and_letters(load):
    text = """\
name: quiz
format: multiple_choice
train: train.csv
evaluate: test.csv
columns: {prompt: q, choices: [a, b, c], label: gold}
labels: [A, B, C]
"""
    train, test = "q,a,b,c,gold\n1+1?,1,2,3,B\n2+2?,4,5,6,A\n", "q,a,b,c,gold\n0+0?,2,1,0,C\n"
    task = load(text, train_csv=train, test_csv=test)
    assert examples(task, "train") == [
        Choice("0", "0", "1+1?", ("1", "2", "3"), 1),
        Choice("1", "1", "2+2?", ("4", "5", "6"), 0),
    ]
    assert examples(task, "evaluate") == [Choice("0", "0", "0+0?", ("2", "1", "0"), 2)]
    assert (task.metrics, task.labels, task.chance) == (("accuracy",), (), 1 / 3)

    other = load(text.replace("[a, b, c]", "[c, b, a]"))
    assert examples(other, "train")[0].choices == ("3", "2", "1")
    marks = [Sources().fingerprint(t, t.sources["files"], "train", "en") for t in (task, other)]
    assert marks[0] != marks[1]  # the order of the columns is part of the data's identity


def test_multiple_choice_in_a_list_and_numbers_from_one(load):
    text = """\
name: quiz
format: multiple_choice
evaluate: test-{lang}.jsonl
languages: [sw]
labels: [1, 2, 3]
"""
    row = {"prompt": "Siku?", "choices": ["jua", "mwezi", "nyota"], "label": 3}
    task = load(text, test__sw_jsonl=jsonl(row))
    assert examples(task, "evaluate", "sw") == [
        Choice("0", "0", "Siku?", ("jua", "mwezi", "nyota"), 2)
    ]
    assert task.chance is None
    task = load(text.replace("labels: [1, 2, 3]", ""), test__sw_jsonl=jsonl(row | {"label": 0}))
    assert examples(task, "evaluate", "sw")[0].label == 0


ENTITIES = "# id = 1\nNairobi B-LOC\nis O\n\nKenya B-LOC\n\n"


def test_tagging_of_entities(load):
    text = """\
name: names
format: tagging
train: train.conll
evaluate: test-{lang}.txt
columns: {words: 0, tags: 1}
"""
    task = load(text, train_conll=ENTITIES, test__en_txt="Berlin\tB-LOC\n")
    assert task.metrics == ("seqeval_f1", "tag_accuracy")
    assert task.main_metrics == ("seqeval_f1",)
    assert task.labels == ("B-LOC", "O")
    assert task.chance is None
    assert examples(task, "train") == [
        Tagged("0", "0", ("Nairobi", "is"), ("B-LOC", "O")),
        Tagged("1", "1", ("Kenya",), ("B-LOC",)),
    ]
    assert examples(task, "evaluate") == [Tagged("0", "0", ("Berlin",), ("B-LOC",))]


def test_tagging_of_words_in_json_with_numbered_tags(load):
    text = """\
name: words
format: tagging
train: train.json
columns: {words: tokens, tags: pos}
labels: {0: NOUN, 1: VERB}
"""
    task = load(text, train_json=jsonl({"tokens": ["Hunde", "bellen"], "pos": [0, 1]}))
    assert task.metrics == ("pos_f1", "tag_accuracy")
    assert examples(task, "train") == [Tagged("0", "0", ("Hunde", "bellen"), ("NOUN", "VERB"))]


def test_span_of_squad_files(load):
    text = "name: where\nformat: span\ntrain: train.json\nevaluate: test.json\n"
    task = load(text, train_json=squad(a="Kenya"), test_json=squad(b="Nairobi"))
    assert task.metrics == task.main_metrics == ("squad_f1", "squad_exact_match")
    assert (task.unanswerable, task.chance) == (False, 0.0)
    assert examples(task, "train") == [
        Question("a", "Nairobi", "Nairobi is in Kenya.", "a?", ("Kenya",), (14,))
    ]
    assert examples(task, "evaluate")[0].starts == (0,)


def test_span_of_json_lines_with_unanswerable_questions(load):
    text = """\
name: where
format: span
train: train.jsonl
columns: {context: passage}
metrics: [squad_v2_f1, squad_v2_exact_match]
"""
    row = {"passage": "Ja.", "question": "Was?", "answers": {"text": [], "answer_start": []}}
    task = load(text, train_jsonl=jsonl(row))
    assert task.unanswerable
    assert task.main_metrics == ("squad_v2_f1", "squad_v2_exact_match")
    assert examples(task, "train") == [Question("0", "0", "Ja.", "Was?", (), ())]


def test_an_answer_that_does_not_stand_where_it_is_said_to(load):
    """Bytes counted for characters, which a text in Latin letters hardly shows."""
    context = "Ñandú is a bird of Peru."
    start = len(context[: context.index("bird")].encode())
    row = {
        "context": context,
        "question": "What is it?",
        "answers": {"text": ["bird"], "answer_start": [start]},
    }
    with pytest.raises(UserError, match=f'"bird" does not stand at character {start}'):
        load("name: where\nformat: span\ntrain: train.jsonl\n", train_jsonl=jsonl(row))


def test_retrieval_from_two_columns_and_from_parallel_files(load):
    text = "name: pairs\nformat: retrieval\nevaluate: {}\nlanguages: [de]\n{}"
    table = load(
        text.format("{lang}.tsv", "columns: {text: satz}").replace("{lang}", "x-{lang}"),
        x__de_tsv="satz\tenglish\nJa.\tYes.\n",
    )
    lines = load(
        text.format("x.{lang}", "reader: parallel").replace("x.{lang}", "'x.{lang}'"),
        x_de="Ja.\n",
        x_eng="Yes.\n",
    )
    for task in (table, lines):
        assert task.metrics == ("retrieval_accuracy",)
        assert examples(task, "evaluate", "de") == [Bitext("0", "0", "Ja.", "Yes.")]


def test_raw_text_in_several_languages(load):
    text = "name: raw\nformat: mlm\ntrain: raw-{lang}.txt\nlanguages: [sw, de]\n"
    task = load(text, raw__sw_txt="Habari.\n", raw__de_txt="Guten Tag.\n\nHallo.\n")
    assert task.metrics == ()
    assert task.sources["hub"].train_languages == ("sw", "de")
    assert examples(task, "train", "de") == [Line("0", "0", "Guten Tag."), Line("1", "1", "Hallo.")]


def test_training_rows_in_other_languages(load):
    text = """\
name: mine
format: classification
train: train-{lang}.csv
select: 50%
train_languages: [de, en]
"""
    rows = "text_a,label\n" + "".join(f"t{n},{'xy'[n % 2]}\n" for n in range(20))
    task = load(text, train__de_csv=rows, train__en_csv=rows.replace("\nt", "\ns"))
    assert task.sources["files"].train_languages == ("en", "de")
    assert {one.text_a[0] for one in examples(task, "train", "de")} == {"t"}
    assert {one.text_a[0] for one in examples(task, "select", "en")} == {"s"}


def test_a_test_set_for_a_built_in_task(load):
    text = "name: mine\nformat: classification\ntrain_on: mnli\nevaluate: test.csv\n"
    test = "text_a,text_b,label\na,b,neutral\n"
    task = load(text, test_csv=test)
    assert task.labels == TASKS["mnli"].labels  # so that its head fits
    assert task.sources["hub"].train_on == "mnli"
    found = resolve(parse("mine"), "hub", Catalogue([task]))
    assert (found.stages[0].items[0].item.task, found.evaluations[0].head) == ("mnli", "mnli")
    assert load(text.replace("mnli", "another_of_mine") + "labels: [neutral, x]\n").labels == (
        "neutral",
        "x",
    )


def test_a_folder_whose_name_has_braces(load, tmp_path):
    write(tmp_path / "{lang}", {"t.yaml": INTENTS.replace("[de, en, sw]", "en")})
    rows = "sentence,intent\n" + "a,x\nb,y\n" * 30
    write(tmp_path / "{lang}", {"train.csv": rows, "test-en.csv": rows})
    assert len(examples(own.load(tmp_path / "{lang}" / "t.yaml"), "evaluate")) == 60


def guide_files():
    """The files of every section of the guide: a fence's second word is a file's name."""
    for section in re.split(r"^## ", GUIDE.read_text(encoding="utf-8"), flags=re.MULTILINE):
        fences = re.findall(r"^```\w+ (\S+)\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
        if fences:
            yield pytest.param(dict(fences), id=section.partition("\n")[0])


@pytest.mark.parametrize("files", list(guide_files()))
def test_the_examples_of_the_guide(tmp_path, files):
    write(tmp_path, files)
    (path,) = tmp_path.glob("*.yaml")
    task = own.load(path)
    assert task.name == path.stem
    data = task.sources["files"]
    assert data.train or data.evaluate


def test_the_tables_agree_with_the_other_rooms():
    ways_to_write = {"text2text", "spans"}  # of a task that was declared in another format
    formats = set(get_args(Format)) - ways_to_write
    assert set(declared.FIELDS) == set(declared.READERS) == set(own.METRICS) == formats
    readers = {one for names in declared.READERS.values() for one in names}
    published = {"bucc", "xquad_r", "xquad_r_sentences"}  # one dataset's own formats
    assert readers == set(get_args(Reader)) - published
    assert {one for names in declared.ENDINGS.values() for one in names} <= readers
    for names in own.METRICS.values():
        for name in names:
            assert metrics.get(name).name == name


def test_how_a_file_is_read_and_whose_rows_are_held_out_is_part_of_the_data(load):
    """The same bytes as lines and as a table are other rows; a name decides what is held out."""
    place = {"corpus_txt": "a\tb\nc\td\n"}
    lines = load("name: mine\nformat: mlm\ntrain: corpus.txt\nreader: lines\n", **place)
    one = Sources().fingerprint(lines, lines.sources["files"], "train", "en")
    train = lines.sources["files"].train
    for changed in (replace(train, reader="conll"), replace(train, header=False)):
        other = replace(lines.sources["files"], train=changed)
        assert Sources().fingerprint(lines, other, "train", "en") != one
    held = "name: {}\nformat: tagging\ntrain: train.conll\nselect: 10%\n"
    held += "columns: {{words: 0, tags: 1}}\n"
    names = [
        load(held.format(name), train_conll="a\tB-X\nb\tO\n\n" * 40) for name in ("one", "two")
    ]
    prints = {Sources().fingerprint(task, task.sources["files"], "train", "en") for task in names}
    assert len(prints) == 2

"""Task files of every format, read to their examples; every mistake with its exact words."""

import json
import re
from pathlib import Path
from typing import get_args

import datasets
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from hub_server import HubServer, run_client
from xstilts import metrics
from xstilts.errors import UserError
from xstilts.formats.examples import Bitext, Choice, Line, Pair, Question, Tagged
from xstilts.path import parse
from xstilts.resolve import resolve
from xstilts.sources import Sources, declared, own
from xstilts.sources.taskfile import TaskFile
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


def write(folder, files):
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")


def jsonl(*rows):
    return "".join(json.dumps(row) + "\n" for row in rows)


def squad(**answers):
    """SQuAD's JSON with one question for each answer, in one paragraph; "" has no answer."""
    context = "Nairobi is in Kenya."
    questions = [
        {
            "id": name,
            "question": f"{name}?",
            "answers": [{"text": text, "answer_start": context.index(text)}] if text else [],
        }
        for name, text in answers.items()
    ]
    paragraphs = [{"context": context, "qas": questions}]
    return json.dumps({"data": [{"title": "Nairobi", "paragraphs": paragraphs}]})


@pytest.fixture
def load(tmp_path):
    """Writes files and loads the one called task.yaml."""

    def run(text, **files):
        names = {name.replace("__", "-").replace("_", "."): one for name, one in files.items()}
        write(tmp_path, {"task.yaml": text} | names)
        return own.load(tmp_path / "task.yaml")

    return run


def examples(task, split, language="en", source="files"):
    return Sources().examples(task, task.sources[source], split, language)


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


BASE = {
    "name": "intents",
    "format": "classification",
    "train": "train.csv",
    "evaluate": "test-{lang}.csv",
    "languages": "[en, de]",
    "columns": "{text_a: sentence, label: intent}",
}
FILES = {
    "train.csv": "sentence,intent\nBook a table.,book\nForget it.,cancel\n",
    "test-en.csv": "sentence,intent\nBook it.,book\n",
    "test-de.csv": "sentence,intent\nBuche!,book\n",
    "train.conll": "a B-X\nb O\n",
    "train.json": squad(q1="Kenya", q2=""),
    "train.txt": "a\n",
    "grouped.csv": "sentence,intent,group\na,x,1\nb,y,1\nc,x,2\nd,y,2\n",
    "one.csv": "sentence,intent\nBook a table.,book\nBook it.,book\n",
    "empty.csv": "",
    "header.csv": "sentence,intent\n",
    "hole.csv": "sentence,intent\nBook a table.,\n",
    "wide.csv": "q,a,b,gold\nx,y,z,2\n",
    "many.csv": "text_a,label\n" + "".join(f"{n},{n}\n" for n in range(201)),
    "train.xlsx": "",
    "bits.de": "a\n",
    "list.jsonl": jsonl({"words": ["a"], "tags": ["X"]}, {"words": "a", "tags": ["Y"]}),
    "tags.jsonl": jsonl({"words": ["a", "b"], "tags": ["X", "Y"]}, {"words": ["a"], "tags": []}),
    "span.jsonl": jsonl({"context": "a", "question": "b", "answers": "a"}),
    "null.jsonl": jsonl({"text_a": None, "label": "x"}, {"text_a": "a", "label": "y"}),
    "nolabel.jsonl": jsonl({"text_a": "a", "label": None}),
    "one.jsonl": jsonl({"text_a": "a", "label": "x"}, {"text_b": "b", "label": "y"}),
}
CHOICES = {"format": "multiple_choice", "train": "wide.csv", "evaluate": None}
TAGS = {"format": "tagging", "train": "train.conll", "evaluate": None, "languages": None}
TAGS |= {"columns": "{words: 0, tags: 1}"}
SPANS = {"format": "span", "train": "train.json", "evaluate": None, "columns": None}
PAIRS = {"format": "retrieval", "train": None, "evaluate": "bits.{lang}", "columns": None}
RAW = {"format": "mlm", "train": "train.txt", "evaluate": None, "columns": None, "languages": "en"}
CSV = {"evaluate": None, "columns": None}
FORMATS = "classification, mlm, multiple_choice, retrieval, span, tagging"

# Changes to BASE, and what is said after the name of the file.
BAD = [
    # keys and values
    ({"colums": "x"}, ', line 7, colums: unknown key; did you mean "columns"?'),
    ({"config": "x"}, ", line 7, config: goes with the key hub"),
    (
        {"name": "My-Intents"},
        (
            ', line 1, name: found My-Intents, expected lower-case letters, digits and "_", a '
            "letter first"
        ),
    ),
    (
        {"name": None},
        ', name: found nothing, expected lower-case letters, digits and "_", a letter first',
    ),
    ({"format": "tagger"}, ', line 2, format: found tagger; did you mean "tagging"?'),
    ({"format": None}, f", format: found nothing; allowed: {FORMATS}"),
    ({"format": "[span]"}, ', line 2, format: found ["span"], expected text'),
    ({"train": None, "evaluate": None}, ": found neither train nor evaluate, expected one or both"),
    (
        {"languages": "[en, deu]"},
        ', line 5, languages: language "deu" is not a known code: did you mean "de" (German)?',
    ),
    (
        {"languages": "[en, en]"},
        ', line 5, languages: found ["en", "en"], expected each entry once',
    ),
    (
        {"languages": "{en: de}"},
        ', line 5, languages: found {"en": "de"}, expected a list such as [a, b]',
    ),
    ({"reader": "xml"}, ", line 7, reader: found xml; allowed: csv, jsonl, tsv"),
    ({"reader": "json"}, ', line 7, reader: found json; did you mean "jsonl"?'),
    ({"header": "2"}, ", line 7, header: found 2, expected true or false"),
    ({**TAGS, "header": "true"}, ", line 5, header: conll files have no header; remove the key"),
    ({"metrics": "[f1]"}, ", line 7, metrics: f1 does not score classification; allowed: accuracy"),
    (
        {**TAGS, "metrics": "[tag_acuracy]"},
        ', line 5, metrics: tag_acuracy does not score tagging; did you mean "tag_accuracy"?',
    ),
    (
        {**TAGS, "metrics": "seqeval_f1", "labels": "[B-X, O, NOUN]"},
        (
            ", line 5, metrics: found seqeval_f1, expected pos_f1: the tag NOUN is not O or B-, "
            "I- and a type"
        ),
    ),
    (
        {**RAW, "metrics": "accuracy"},
        ", line 5, metrics: accuracy does not score mlm; nothing does",
    ),
    # files
    (
        {"train": "trian.csv"},
        (
            ", line 3, train: found trian.csv, expected a file; there is no FOLDER/trian.csv; "
            'did you mean "train.csv"?'
        ),
    ),
    (
        {"languages": "[en, de, sw]"},
        (
            ", line 4, evaluate: found test-{lang}.csv, expected a file; there is no "
            'FOLDER/test-sw.csv; did you mean "test-en.csv"?'
        ),
    ),
    (
        {"train": "train.xlsx"},
        (
            ", line 3, train: found train.xlsx, expected a name that ends in .csv, .tsv, .jsonl, "
            ".json, or a reader: csv, tsv, jsonl"
        ),
    ),
    (
        {"evaluate": "test-{language}.csv"},
        ", line 4, evaluate: found test-{language}.csv, expected no braces but {lang}",
    ),
    (
        {"evaluate": "test-en.csv"},
        ", line 4, evaluate: found test-en.csv, expected {lang} in it, for the languages en, de",
    ),
    (
        {"train_languages": "[en, de]"},
        ", line 3, train: found train.csv, expected {lang} in it, for the languages en, de",
    ),
    ({"train": "header.csv"}, ", line 3, train: FOLDER/header.csv has no rows"),
    ({"train": "empty.csv"}, ", line 3, train: FOLDER/empty.csv has no rows"),
    (
        {**PAIRS, "languages": "de", "reader": "parallel"},
        ", line 3, evaluate: found bits.{lang}, expected a file; there is no FOLDER/bits.eng",
    ),
    # select and train_on
    (
        {"select": "0.1"},
        (
            ", line 7, select: found 0.1, expected a share such as 10%, or a name that ends in "
            ".csv, .tsv, .jsonl, .json, or a reader: csv, tsv, jsonl"
        ),
    ),
    (
        {"select": "dev.csv"},
        (
            ", line 7, select: found dev.csv, expected a file, or a share of the training rows "
            "such as 10%; there is no FOLDER/dev.csv"
        ),
    ),
    (
        {"select": "100%"},
        ", line 7, select: found 100%, expected more than 0% and less than 100%, or a file",
    ),
    (
        {"select": "0.0001%"},
        # log(0.05) / log(1 - 0.000001), rounded up
        (
            ", line 7, select: found 0.0001%: of 2 rows none falls to select, which takes about "
            "2,995,731 rows; write a larger share, or name a file"
        ),
    ),
    (
        {"select": "99%"},
        # log(0.05) / log(0.99) = 298.07
        (
            ", line 7, select: found 99%: of 2 rows none falls to train, which takes about 299 "
            "rows; write a smaller share, or name a file"
        ),
    ),
    (
        {"train": "grouped.csv", "select": "10%"},
        # log(0.05) / log(0.9) = 28.4
        (
            ", line 7, select: found 10%: of 4 rows in 2 groups none falls to select, which takes "
            "about 29 groups; write a larger share, or name a file"
        ),
    ),
    (
        {"train": None, "select": "10%"},
        ", line 6, select: there is no train to select for; remove the key",
    ),
    ({"train_on": "mnli"}, ", line 7, train_on: train says that already; remove the key"),
    (
        {"train": None, "train_on": "squad_v1"},
        ", line 6, train_on: found squad_v1, expected a task of classification; this one is span",
    ),
    (
        {"train": None, "train_on": "mnli", "labels": "[book, cancel]"},
        (
            ', line 7, labels: found ["book", "cancel"], expected those of mnli: contradiction, '
            "entailment, neutral"
        ),
    ),
    ({**PAIRS, "train": "train.csv"}, ", line 3, train: retrieval has no training; remove the key"),
    ({**RAW, "evaluate": "train.txt"}, ", line 4, evaluate: mlm has no evaluation; remove the key"),
    (
        {**RAW, "train_languages": "en"},
        ", line 5, train_languages: languages says that in mlm; remove the key",
    ),
    ({"labels": "{a: ''}"}, ', line 7, labels: found {"a": ""}, expected a label for each key'),
    ({**RAW, "select": "10%"}, ", line 5, select: mlm has no selection; remove the key"),
    # columns
    (
        {"columns": "{text_a: sentence, label: intend}"},
        (
            ", line 6, columns.label: found intend, expected a column of FOLDER/train.csv, row "
            '1: sentence, intent; did you mean "intent"?'
        ),
    ),
    (
        {"columns": "{text_a: sentence}"},
        (
            ", line 6, columns.label: found nothing, expected a column of FOLDER/train.csv, row "
            "1: sentence, intent"
        ),
    ),
    (
        {"columns": None},
        (
            ", columns.text_a: found nothing, expected a column of FOLDER/train.csv, row 1: "
            "sentence, intent"
        ),
    ),
    (
        {"columns": "{text: sentence, label: intent}"},
        (
            ", line 6, columns.text: no field of classification; its fields are: text_a, label, "
            "text_b, id, group"
        ),
    ),
    (
        {"columns": "{text_a: [sentence], label: intent}"},
        ', line 6, columns.text_a: found ["sentence"], expected the name of a column',
    ),
    (
        {"columns": "sentence"},
        ", line 6, columns: found sentence, expected keys and values such as {a: b}",
    ),
    (
        {**CSV, "train": "one.jsonl"},
        (
            ", columns.text_a: found nothing, expected a column of FOLDER/one.jsonl, row 2: "
            "text_b, label"
        ),
    ),
    # rows
    (
        {"train": "hole.csv"},
        ", line 6, columns.label: FOLDER/hole.csv, row 1: found nothing, expected a label",
    ),
    (
        {"train": "one.csv"},
        (
            ", line 6, columns.label: labels in column intent: 1, expected 2 to 200; name "
            "another column, or list all of them under labels"
        ),
    ),
    (
        {**CSV, "train": "many.csv"},
        (
            ", columns.label: labels in column label: 201, expected 2 to 200; name another "
            "column, or list all of them under labels"
        ),
    ),
    (
        {"labels": "[book, canel]"},
        'FOLDER/train.csv, row 2: label "cancel" is not one of: book, canel',
    ),
    ({"labels": "book"}, ", line 7, labels: found book, expected two labels or more"),
    (
        {"labels": "{book: [x]}"},
        ', line 7, labels: found {"book": ["x"]}, expected a label for each key',
    ),
    (
        {"labels": "{book: null, cancel: x, c: y}"},
        ", line 4, evaluate: FOLDER/test-en.csv: no row has a label",
    ),
    ({**SPANS, "labels": "[a, b]"}, ", line 5, labels: span has no labels; remove the key"),
    (
        {**CSV, "train": "null.jsonl"},
        ", columns.text_a: FOLDER/null.jsonl, row 1: found nothing in column text_a, expected text",
    ),
    (
        {**CSV, "train": "nolabel.jsonl"},
        (
            ", columns.label: FOLDER/nolabel.jsonl, row 1: found nothing in column label, "
            "expected text or a number"
        ),
    ),
    (
        {**CHOICES, "columns": "{prompt: q, choices: [a, b], label: gold}"},
        "FOLDER/wide.csv, row 1: label 2 is out of range: there are 2 choices, from 0",
    ),
    (
        {**CHOICES, "columns": "{prompt: q, choices: [a, b], label: gold}", "labels": "[A, B]"},
        ", line 5, columns.label: FOLDER/wide.csv, row 1: found 2, expected one of: A, B",
    ),
    (
        {**CHOICES, "columns": "{prompt: q, choices: a, label: gold}"},
        (
            ", line 5, columns.choices: FOLDER/wide.csv, row 1: found y in column a, expected a "
            "list; several columns are written [a, b]"
        ),
    ),
    (
        {**CHOICES, "columns": "{prompt: q, choices: [a, x], label: gold}"},
        (
            ", line 5, columns.choices: found x, expected a column of FOLDER/wide.csv, row 1: q, "
            "a, b, gold"
        ),
    ),
    (
        {**TAGS, "train": "list.jsonl", "columns": None},
        (
            ", columns.words: FOLDER/list.jsonl, row 2: found a in column words, expected a list "
            "of words"
        ),
    ),
    (
        {**TAGS, "train": "tags.jsonl", "columns": None},
        "FOLDER/tags.jsonl, row 2: 1 words but 0 tags",
    ),
    (
        {**TAGS, "labels": "{B-X: null, O: O}"},
        ', line 5, labels: found {"B-X": null, "O": "O"}, expected a label for each key',
    ),
    (
        SPANS,
        (
            ', line 3, train: question "q2" has no answer in en; if that is right, write '
            "metrics: [squad_v2_f1, squad_v2_exact_match]"
        ),
    ),
    (
        {**SPANS, "train": "span.jsonl"},
        (
            ", columns.answers: FOLDER/span.jsonl, row 1: found a in column answers, expected "
            'such as {"text": ["a"], "answer_start": [0]}'
        ),
    ),
    # folders in the manner of the hub
    (
        {**CSV, "hub": "./nowhere"},
        ", line 3, train: no folder FOLDER/nowhere: check the path, or write org/name for the hub",
    ),
    ({"hub": "org/x", "reader": "csv"}, ", line 8, reader: goes without the key hub"),
]


def refusal(folder, text):
    write(folder, {"intents.yaml": text})
    with pytest.raises(UserError) as caught:
        own.load(folder / "intents.yaml")
    assert "\n" not in str(caught.value)
    return str(caught.value).removeprefix(f"{folder}/intents.yaml").replace(str(folder), "FOLDER")


@pytest.mark.parametrize(("changes", "said"), BAD)
def test_a_mistake_in_a_task_file(tmp_path, changes, said):
    write(tmp_path, FILES)
    assert refusal(tmp_path, task_file(changes)) == said


def task_file(changes):
    values = {key: value for key, value in (BASE | changes).items() if value is not None}
    return "".join(f"{key}: {value}\n" for key, value in values.items())


def test_paths_are_those_that_the_user_wrote(tmp_path, monkeypatch):
    """Beside the task file: as short, or as long, as the way to it."""
    write(tmp_path / "sub", FILES | {"intents.yaml": task_file({"train": "trian.csv"})})
    for folder, name, place in (
        (tmp_path / "sub", "intents.yaml", ""),
        (tmp_path, "sub/intents.yaml", "sub/"),
        (tmp_path, "./sub/../sub/intents.yaml", "sub/../sub/"),
        (tmp_path, f"{tmp_path}/sub/intents.yaml", f"{tmp_path}/sub/"),
    ):
        monkeypatch.chdir(folder)
        with pytest.raises(UserError, match="trian") as caught:
            own.load(Path(name))
        assert f"; there is no {place}trian.csv; did you mean" in str(caught.value)
    write(tmp_path, {"sub/intents.yaml": task_file({})})
    monkeypatch.chdir(tmp_path)
    task = own.load(Path("sub/intents.yaml"))
    assert task.sources["hub"].evaluate.place == "sub/test-{lang}.csv"
    (tmp_path / "sub" / "train.csv").write_text("sentence,intent\na\n")
    with pytest.raises(UserError, match=r"^sub/train\.csv line 2: 1 columns"):
        examples(task, "train")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", ': found nothing, expected keys and values such as "name: a"'),
        ("- a\n", ': found ["a"], expected keys and values such as "name: a"'),
        ("name: a\nname: b\n", ", line 2, name: stands twice, first in line 1"),
        (
            "name: a\ncolumns: {label: a,\n  label: b}\n",
            ", line 3, columns.label: stands twice, first in line 2",
        ),
        ("? [a]\n: b\n", ", line 1: found a list or mapping, expected a key"),
        (
            "evaluate: {lang}.csv\n",
            (
                ", line 1: not YAML: expected <block end>, but found '<scalar>'; put text that "
                'starts with "{", "[", "@" or "%", or holds ": ", in quotes'
            ),
        ),
        (
            "name: \x01\n",
            (
                ": not YAML: unacceptable character #x0001: special characters are not allowed in "
                '"<unicode string>", position 6'
            ),
        ),
        ("name: &a [*a]\n", ": not YAML: maximum recursion depth exceeded"),
    ],
)
def test_a_file_that_is_no_task_file(tmp_path, text, said):
    assert refusal(tmp_path, text) == said


TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]))
VALUES = st.none() | TEXTS | st.lists(TEXTS) | st.dictionaries(TEXTS, TEXTS | st.none())


@given(st.dictionaries(TEXTS, VALUES))
def test_whatever_is_written_as_text_is_read_as_it_was(values):
    text = yaml.safe_dump(values, allow_unicode=True, sort_keys=False)
    assert TaskFile.parse("a", Path(), text).values == values


def test_a_task_file_that_cannot_be_read(tmp_path):
    write(tmp_path, {"intents.yaml": "", "other.txt": "", "study.yaml": ""})
    for name, hint in (
        ("intent", '; did you mean "intents.yaml"?'),
        ("nofile", "; check the path"),
    ):
        with pytest.raises(UserError) as caught:
            own.load(tmp_path / f"{name}.yaml")
        assert str(caught.value) == f"{tmp_path}/{name}.yaml: no such file{hint}"
    with pytest.raises(UserError, match="Is a directory; expected a YAML file"):
        own.load(tmp_path)
    (tmp_path / "latin.yaml").write_bytes(b"name: caf\xe9\n")
    with pytest.raises(UserError, match=r"latin\.yaml: byte 10 is not UTF-8; save it so"):
        own.load(tmp_path / "latin.yaml")


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    """Keeps what the package datasets prepares out of the user's cache."""
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))


REVIEWS = {
    "train.jsonl": jsonl({"text": "Fine.", "label": "good"}, {"text": "No.", "label": "bad"}),
    "validation.jsonl": jsonl({"text": "Ja.", "label": "good"}),
    "test.jsonl": jsonl({"text": "Nein.", "label": "bad"}),
}


def test_a_dataset_that_tells_everything(tmp_path, own_cache, monkeypatch):
    write(tmp_path / "data" / "reviews", REVIEWS)
    monkeypatch.chdir(tmp_path)
    task, text = own.from_hub("hf:./data/reviews")
    assert (
        text
        == f"""\
name: reviews
hub: {tmp_path}/data/reviews
format: classification
train: train
select: validation
evaluate: test
languages: [en]
columns: {{text_a: text, label: label}}
labels: {{bad: bad, good: good}}
"""
    )
    assert task.labels == ("bad", "good")
    assert task.sources["mirror"].split == "test"
    assert examples(task, "train") == [
        Pair("0", "0", "Fine.", None, "good"),
        Pair("1", "1", "No.", None, "bad"),
    ]
    assert examples(task, "select") == [Pair("0", "0", "Ja.", None, "good")]
    assert examples(task, "evaluate") == [Pair("0", "0", "Nein.", None, "bad")]
    write(tmp_path, {"elsewhere/task.yaml": text})
    assert own.load(tmp_path / "elsewhere" / "task.yaml") == task


def test_open_questions_stand_in_the_task_file(tmp_path, own_cache):
    folder = tmp_path / "Org" / "2-Reviews"
    write(folder, {"train.jsonl": REVIEWS["train.jsonl"]})
    task, text = own.from_hub(str(folder))
    assert task is None
    assert (
        text
        == f"""\
name: org_2_reviews
hub: {folder}
format: classification
train: train
select: 10%
languages: [en]
columns: {{text_a: text, label: label}}
labels: {{bad: bad, good: good}}
# ? which is the evaluate split? train
"""
    )


def test_a_dataset_without_a_selection_split_is_complete_all_the_same(tmp_path, own_cache):
    """A share of the training rows serves, and nothing is asked about it."""
    rows = [{"text": f"t{n}", "label": "xy"[n % 2]} for n in range(60)]
    files = {"train.jsonl": jsonl(*rows), "test.jsonl": jsonl(*rows[:2])}
    write(tmp_path / "org" / "none", files)
    task, text = own.from_hub(f"{tmp_path}/org/none")
    assert text.startswith("name: org_none\n")  # the name none means something else
    assert "select: 10%\n" in text
    assert "#" not in text
    assert task.sources["hub"].select == HoldOut(share=0.1)


def test_a_test_split_without_labels_is_a_question(tmp_path, own_cache):
    folder = tmp_path / "org" / "xnli"
    write(folder, REVIEWS | {"test.jsonl": jsonl({"text": "Nein.", "label": "?"})})
    task, text = own.from_hub(f"hf:{folder}")
    assert task is None
    assert text.startswith("name: org_xnli\n")  # the name xnli is taken
    assert text.endswith(
        f"# ? what should be done about this? hf:{folder}, line 8, columns.label: "
        f"{folder} (test), row 1: found ?, expected one of: bad, good\n"
    )


def test_a_dataset_that_tells_nothing(tmp_path, own_cache):
    write(tmp_path / "numbers", {"train.jsonl": jsonl({"x": 1.5})})
    task, text = own.from_hub(f"{tmp_path}/numbers")
    assert task is None
    assert "format" not in text.replace("# ? which format is it", "")


CARD = """\
---
configs:
- config_name: English
  data_files: [{split: train, path: en.jsonl}, {split: test, path: en.jsonl}]
- config_name: German
  data_files: [{split: test, path: de.jsonl}]
---
"""
NLI_TASK = """\
name: mine
hub: ./org/nli
config: "{name}"
format: classification
train: train
select: 25%
evaluate: test
languages: [de]
columns: {text_a: premise, text_b: hypothesis, label: gold}
labels: {0: no, 1: yes, -1: null}
"""


@pytest.fixture
def nli(tmp_path, own_cache):
    """Writes a dataset of two configurations, and loads a task file that names it."""
    english = [{"premise": f"p{n}", "hypothesis": "h", "gold": n % 3 - 1} for n in range(60)]
    german = [{"premise": "Ja", "hypothesis": "Nein", "gold": 0}]
    files = {"README.md": CARD, "en.jsonl": jsonl(*english), "de.jsonl": jsonl(*german)}
    write(tmp_path / "org" / "nli", files)

    def run(text):
        write(tmp_path, {"task.yaml": text})
        return own.load(tmp_path / "task.yaml")

    return run


def test_a_task_file_for_a_dataset_of_several_languages(nli):
    task = nli(NLI_TASK)
    assert task.labels == ("no", "yes")
    assert examples(task, "evaluate", "de") == [Pair("0", "0", "Ja", "Nein", "no")]
    trained, selected = examples(task, "train"), examples(task, "select")
    assert len(trained) + len(selected) == 40  # a third has no label
    assert {one.label for one in trained + selected} == {"no", "yes"}
    assert 0 < len(selected) < len(trained)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("train: train", "train: trian", 'no split "trian": did you mean "train"?'),
        ("languages: [de]", "languages: [sw]", 'no configuration "Swahili": allowed: English'),
        ("label: gold", "label: golden", ", columns.label: found golden, expected a column of"),
        ('"{name}"', '"{names}"', "found {names}, expected no braces but {lang} and {name}"),
        ("1: yes, ", "", "labels: found {"),
        ("0: no, ", "2: no, ", "(train), row 2: found 0, expected one of: 2, 1, -1"),
    ],
)
def test_a_mistake_in_a_task_file_for_the_hub(nli, old, new, said):
    with pytest.raises(UserError) as caught:
        nli(NLI_TASK.replace(old, new))
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_dataset_of_the_hub_is_pinned_to_its_commit(tmp_path):
    write(tmp_path / "hub" / "datasets" / "org" / "reviews", REVIEWS)
    client = "from xstilts.sources import own; print(own.from_hub('hf:org/reviews')[1])"
    with HubServer(tmp_path / "hub") as server:
        done = run_client(client, endpoint=server.url, cache=tmp_path / "cache")
        head = server.head("datasets/org/reviews")
    assert done.stderr == ""
    assert done.stdout.startswith(
        f"name: reviews\nhub: org/reviews\nrevision: {head}\nformat: classification\n"
    )
    assert "# ?" not in done.stdout


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


def test_the_errors_in_the_guide_are_real(tmp_path, monkeypatch):
    section = GUIDE.read_text(encoding="utf-8").partition("## What the errors look like")[2]
    shown = re.search(r"```text\n(.*?)```", section, re.DOTALL)[1].splitlines()
    write(tmp_path, FILES)
    monkeypatch.chdir(tmp_path)
    met = set()
    for changes, _ in BAD:
        write(tmp_path, {"intents.yaml": task_file(changes)})
        with pytest.raises(UserError) as caught:
            own.load(Path("intents.yaml"))
        met.add(f"xstilts: {caught.value}")
    assert len(shown) >= 5
    assert set(shown) <= met


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

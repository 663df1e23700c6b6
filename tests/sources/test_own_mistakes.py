"""Every mistake in a task file, with its exact words."""

import re
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from own_files import examples, jsonl, squad, write
from xstilts.errors import UserError
from xstilts.sources import own
from xstilts.sources.taskfile import TaskFile
from xstilts.yamlfile import YamlFile

GUIDE = Path(__file__).parents[2] / "docs" / "adding-a-task.md"


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
    "blank.csv": "text_a,label\nGo home!,x\n\u00a0,y\n",
    "forms.csv": "text_a,label\nVas-y,re\u0301serve\u0301\nNon,annul\u00e9\n",
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
    (
        {"name": None, "format": None, "paths": "[xnli]"},
        " is a study, not a task file: give it in place of paths",
    ),
    # rows that look right
    (
        {**CSV, "train": "blank.csv"},
        ', columns.text_a: FOLDER/blank.csv, row 2: found "" in column text_a, expected text',
    ),
    (
        {**CSV, "train": "forms.csv", "labels": "[annul\u00e9, r\u00e9serv\u00e9]"},
        (
            'FOLDER/forms.csv, row 1: label "re\u0301serve\u0301" is not one of: annul\u00e9, '
            "r\u00e9serv\u00e9 (they look alike: 're\\u0301serve\\u0301' here, 'r\\xe9serv\\xe9' "
            "allowed)"
        ),
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
        ("- a\n", ': found - a, expected keys and values such as "name: a"'),
        ("name: a\nname: b\n", ", line 2, name: stands twice, first in line 1; keep one"),
        (
            "name: a\ncolumns: {label: a,\n  label: b}\n",
            ", line 3, columns.label: stands twice, first in line 2; keep one",
        ),
        ("? [a]\n: b\n", ", line 1: found [a], expected a key"),
        (
            "evaluate: {lang}.csv\n",
            (
                ", line 1: not YAML: expected <block end>, but found '<scalar>'; put text with "
                '"[", "{", "," or ": ", or with |, >, @ or % in front, in quotes'
            ),
        ),
        (
            "name: \x01\n",
            (
                ": not YAML: unacceptable character #x0001: special characters are not allowed in "
                '"<unicode string>", position 6'
            ),
        ),
        ("name: &a [*a]\n", ": found a value that holds itself"),
    ],
)
def test_a_file_that_is_no_task_file(tmp_path, text, said):
    assert refusal(tmp_path, text) == said


TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]))
VALUES = st.none() | TEXTS | st.lists(TEXTS) | st.dictionaries(TEXTS, TEXTS | st.none())


@given(st.dictionaries(TEXTS, VALUES))
def test_whatever_is_written_as_text_is_read_as_it_was(values):
    text = yaml.safe_dump(values, allow_unicode=True, sort_keys=False)
    assert TaskFile.of(YamlFile.parse("a", text), Path()).values == values


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
    with pytest.raises(UserError, match=r"latin\.yaml: byte 10 is not UTF-8; save it as UTF-8"):
        own.load(tmp_path / "latin.yaml")


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

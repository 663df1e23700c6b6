"""File formats: what each reader makes of a file, and one line for each broken file."""

from __future__ import annotations

import pytest

from xstilts.errors import UserError
from xstilts.sources.readers import read
from xstilts.tasks import Files


def rows(path, reader, content, *, header=True):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return list(read(Files(path=str(path), reader=reader, header=header), path))


def refusal(path, reader, content, *, header=True) -> str:
    with pytest.raises(UserError) as refused:
        rows(path, reader, content, header=header)
    message = str(refused.value)
    assert "\n" not in message
    return message


@pytest.fixture
def path(tmp_path):
    return tmp_path / "file.x"


@pytest.mark.parametrize(
    ("reader", "header", "content", "expected"),
    [
        ("tsv", True, 'a\tb\n1\t"x\n2\ty"\n', [{"a": "1", "b": '"x'}, {"a": "2", "b": 'y"'}]),
        ("tsv", False, "p\tq\nr\ts", [{"0": "p", "1": "q"}, {"0": "r", "1": "s"}]),
        ("tsv", True, "a\tb\r\n1\t\r\n", [{"a": "1", "b": ""}]),
        ("tsv", False, " p \u2028q\tr\n", [{"0": " p \u2028q", "1": "r"}]),
        ("tsv", True, "", []),
        ("tsv", True, "a\tb\n", []),
        ("csv", True, 'a,b\r\n"x, ""y""\nz",2\r\n', [{"a": 'x, "y"\nz', "b": "2"}]),
        ("csv", False, "p,q\n", [{"0": "p", "1": "q"}]),
        ("csv", True, "a\n1\n\n", [{"a": "1"}]),
        ("jsonl", True, '{"a": [1]}\n\n{"a": "\\u00e9"}', [{"a": [1]}, {"a": "é"}]),
        ("lines", True, "one\n\n  two \n", [{"text": "one"}, {"text": "two"}]),
    ],
)
def test_rows(path, reader, header, content, expected):
    assert rows(path, reader, content, header=header) == expected


def test_conll(path):
    content = (
        "# sent_id = 1\n"
        "Rain\tNOUN\n"
        "#\tSYM\n"  # a word, not a comment: it has a tag
        "\n\n"
        "# a comment alone\n"
        "\n"
        "New York\tPROPN\n"  # a space inside a word
        ".\tPUNCT"
    )
    assert rows(path, "conll", content) == [
        {"0": ["Rain", "#"], "1": ["NOUN", "SYM"]},
        {"0": ["New York", "."], "1": ["PROPN", "PUNCT"]},
    ]


def test_conllu_lines_that_are_no_words(path):
    """Spanish "al" is of two words; 4.1 is a word left out of the sentence (CoNLL-U format)."""
    lines = (("1", "Vamos"), ("2-3", "al"), ("2", "a"), ("3", "el"), ("4", "mar"), ("4.1", "va"))
    content = "# text = Vamos al mar\n"
    content += "".join("\t".join([*line, *"_" * 8]) + "\n" for line in lines)
    (found,) = rows(path, "conll", content)
    assert found["1"] == ["Vamos", "a", "el", "mar"]
    # Three columns of a range and a word are what they are.
    assert rows(path, "conll", "1-2\tx\tO\n")[0]["1"] == ["x"]


def test_conll_parted_by_spaces(path):
    content = "# 2 words\nitem NN O\n# NN O\n\nRome NNP B-LOC\n"  # the second "#" is a word
    assert rows(path, "conll", content) == [
        {"0": ["item", "#"], "1": ["NN", "NN"], "2": ["O", "O"]},
        {"0": ["Rome"], "1": ["NNP"], "2": ["B-LOC"]},
    ]


def test_squad(path):
    content = """{"version": "x", "data": [
        {"title": "T", "paragraphs": [{"context": "c d", "qas": [
            {"id": "1", "question": "q", "answers": [{"text": "c", "answer_start": 0},
                                                     {"text": "d", "answer_start": 2}]},
            {"id": "2", "question": "r"}]}]},
        {"paragraphs": [{"context": "e", "qas": [
            {"id": "3", "question": "s", "answers": []}]}]}]}"""
    nothing = {"text": [], "answer_start": []}
    assert rows(path, "squad", content) == [
        {
            "id": "1",
            "group": "T",
            "context": "c d",
            "question": "q",
            "answers": {"text": ["c", "d"], "answer_start": [0, 2]},
        },
        {"id": "2", "group": "T", "context": "c d", "question": "r", "answers": nothing},
        {"id": "3", "group": "e", "context": "e", "question": "s", "answers": nothing},
    ]


def test_parallel(path):
    # a line separator or a "next line" mark inside a sentence does not end the line
    path.with_suffix(".eng").write_text("one\ntwo\u2028\u0085\n\n", encoding="utf-8")
    assert rows(path, "parallel", "eins\r\nzwei\n\n") == [
        {"text": "eins", "english": "one"},
        {"text": "zwei", "english": "two\u2028\u0085"},
        {"text": "", "english": ""},
    ]


@pytest.mark.parametrize(
    ("reader", "content", "expected"),
    [
        ("tsv", "a\n1\n", {"a": "1"}),
        ("csv", "a\n1\n", {"a": "1"}),
        ("jsonl", '{"a": 1}', {"a": 1}),
        ("conll", "w\tX", {"0": ["w"], "1": ["X"]}),
        ("lines", "w", {"text": "w"}),
    ],
)
def test_byte_order_mark_is_not_text(path, reader, content, expected):
    assert rows(path, reader, b"\xef\xbb\xbf" + content.encode()) == [expected]


def test_byte_order_mark_of_squad(path):
    assert rows(path, "squad", b'\xef\xbb\xbf{"data": []}') == []


@pytest.mark.parametrize("reader", ["tsv", "csv", "jsonl", "conll", "squad", "lines"])
def test_files_that_are_not_utf_8(path, reader):
    far = b'{"a": "x"}\n' * 5000  # more than is decoded at a time
    expected = f"{path} line 5001 is not UTF-8: convert the file first"
    content = far + "caf\xe9".encode("latin-1")
    assert refusal(path, reader, content, header=False) == expected


def test_the_side_that_is_not_utf_8_is_named(path):
    english = path.with_suffix(".eng")
    english.write_bytes(b"one\n\xff\n")
    expected = f"{english} line 2 is not UTF-8: convert the file first"
    assert refusal(path, "parallel", "eins\nzwei\n") == expected


@pytest.mark.parametrize(
    ("reader", "header", "content", "message"),
    [
        (
            *("tsv", True, "a\tb\n1\t2\n3\n"),
            "line 3: 1 columns, the first line has 2: the file is truncated or not tsv",
        ),
        (
            *("csv", False, '1,"2\n2"\n3,4,5\n'),
            "line 3: 3 columns, the first line has 2: put text that holds a comma in quotes",
        ),
        (
            *("csv", False, "1,2\n3,4,5\n"),
            "line 2: 3 columns, the first line has 2: put text that holds a comma in quotes",
        ),
        ("csv", True, 'a,b\n"1,2\n', ": not a csv file (unexpected end of data)"),
        ("jsonl", True, '{"a": 1}\n{"a": \n', "line 2: not JSON (Expecting value)"),
        ("jsonl", True, "[" * 100_000, "line 1: not JSON (nested too deeply)"),
        ("jsonl", True, "[1]\n", "line 1: a row must be a JSON object"),
        (
            *("conll", True, "a\tX\nb\n"),
            "line 2: 1 columns, the sentence began with 2: the file is truncated or not CoNLL",
        ),
        (
            *("squad", True, '{"data": [\n{"title": '),
            "line 2: not JSON (Expecting value): the file is truncated or broken",
        ),
        ("squad", True, '{"rows": []}', ": not SQuAD's JSON, no 'data'"),
        ("squad", True, '{"data": [{"title": "x"}]}', ": not SQuAD's JSON, no 'paragraphs'"),
        (
            *("squad", True, '{"data": ["x"]}'),
            ": not SQuAD's JSON (string indices must be integers, not 'str')",
        ),
        (
            *("squad", True, '{"data": [{"paragraphs": [{"context": "c", "qas": ["x"]}]}]}'),
            ": not SQuAD's JSON ('str' object has no attribute 'get')",
        ),
    ],
)
def test_broken_files(path, reader, header, content, message):
    gap = "" if message.startswith(":") else " "
    assert refusal(path, reader, content, header=header) == f"{path}{gap}{message}"


def test_sides_of_unequal_length(path):
    path.with_suffix(".eng").write_text("one\n")
    assert refusal(path, "parallel", "eins\nzwei\n") == (
        f"{path} has 2 lines, file.eng has 1: line-parallel files must be equally long"
    )


def test_missing_files(path, tmp_path):
    location = Files(path=str(path), reader="tsv")
    with pytest.raises(UserError, match=f"^no file {path}: check the source's folder$"):
        list(read(location, path))
    path.write_text("eins\n")
    english = path.with_suffix(".eng")  # the one that is missing is named
    with pytest.raises(UserError, match=f"^no file {english}: check the source's folder$"):
        list(read(Files(path=str(path), reader="parallel"), path))
    with pytest.raises(UserError, match=f"^cannot read {tmp_path}: Is a directory$"):
        list(read(location, tmp_path))


def test_rows_are_read_as_they_are_asked_for(path):
    """A long file is not read to its end before the first row is there."""
    path.write_text("a\tb\n1\t2\nbroken\n")
    opened = read(Files(path=str(path), reader="tsv"), path)
    assert next(opened) == {"a": "1", "b": "2"}
    opened.close()

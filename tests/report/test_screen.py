"""Tables on narrow terminals: text folds, columns move below, and numbers are whole."""

from __future__ import annotations

import pytest

from xstilts.report import screen

LONG = "taxinli + squad_dev + squad_v2 + csqa + hellaswag + cosmos_qa"
NUMBERS = [f"{sign}{place}.5 [-{place}8.2, +{place}5.8]" for place in range(9) for sign in "+-"]


@pytest.fixture
def drawn(capsys, monkeypatch):
    def draw(table, width: int) -> list[str]:
        monkeypatch.setenv("COLUMNS", str(width))
        screen.show(table)
        return capsys.readouterr().out.splitlines()

    return draw


def wide():
    table = screen.grid("intermediate", *(f">target {place}" for place in range(len(NUMBERS))))
    table.add_row(LONG, *NUMBERS)
    table.add_row("ccg[400]", *NUMBERS[::-1])
    return table


@pytest.mark.parametrize("width", [40, 80, 100, 150, 1000])
def test_numbers_are_never_cut(drawn, width):
    lines = drawn(wide(), width)
    text = "\n".join(lines)
    assert "…" not in text
    assert [text.count(number) for number in NUMBERS] == [2] * len(NUMBERS)
    assert max(map(len, lines)) <= width
    blocks = "\n".join(lines).split("\n\n")
    assert all(block.startswith("intermediate") for block in blocks)
    assert all(word in block for block in blocks for word in LONG.split())
    assert (len(blocks) == 1) == (width == 1000)


def test_as_many_columns_stand_side_by_side_as_fit(drawn):
    table = screen.grid("what", "", *(f">{name}" for name in "abcd"))
    table.add_row("one", "x", *["123.4"] * 4)
    headers = [line for line in drawn(table, 24) if line.startswith("what")]
    assert [line.split()[1:] for line in headers] == [["a", "b"], ["c", "d"]]
    assert [line.split()[2:] for line in drawn(table, 24) if line.startswith("one")] == [
        ["123.4"] * 2
    ] * 2


def test_text_and_headers_fold_before_columns_move(drawn):
    table = screen.grid("path", ">drop of the baseline", "verdict")
    table.add_row("taxinli > xnli", "12.3", "less fragile after it")
    lines = drawn(table, 34)
    assert max(map(len, lines)) <= 34
    words = " ".join(lines).split()
    assert words.count("path") == 1
    assert {"12.3", "baseline", "fragile", "taxinli"} <= set(words)


def test_a_number_wider_than_the_terminal_is_whole(drawn):
    table = screen.grid("what", ">value")
    table.add_row("x", "-1234.5 [-2345.6, +3456.7]")
    assert any("-1234.5 [-2345.6, +3456.7]" in line for line in drawn(table, 12))

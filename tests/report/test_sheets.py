"""Tables as data, and as LaTeX, Markdown, CSV and Parquet."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest

from analysis import simulator
from report import synthetic
from xstilts.report import formats
from xstilts.report.blocks import Cell, Sheet
from xstilts.report.cells import gain_cell, shown
from xstilts.report.sections import sections


def by_name(found):
    return {sheet.name: sheet for section in sections(found) for sheet in section.sheets()}


@pytest.fixture(scope="module")
def table2():
    return synthetic.table2()


def test_the_matrix_has_intermediates_targets_and_links(table2):
    matrix = by_name(table2)["gains"]
    means = ("mean", "mean without retrieval", "mean with same data")
    assert matrix.header[:4] == ("intermediate", *means)
    assert set(matrix.header[4:]) == set(simulator.TARGETS)
    rows = {row[0].text: dict(zip(matrix.header, row, strict=True)) for row in matrix.rows}
    assert list(rows) == ["squad_v1", "mnli", "ccg", "qqp[1k]", "qqp[10k]", "qqp[100k]"]
    # squad_v1 is what xquad and mlqa are trained on: marked.
    assert rows["squad_v1"]["xquad"].mark == "s"
    cell = rows["ccg"]["panx"]
    assert cell.value == pytest.approx(-3, abs=1)
    assert cell.shade < 0
    linked = next(run for run in table2.runs.values() if run.anchor == cell.run)
    assert (linked.outcome.path, linked.outcome.target) == ("ccg > panx", "panx")
    assert "3 seeds" in cell.hover


def test_controls_stand_beside_the_baseline_with_holms_p(table2):
    controls = by_name(table2)["controls"]
    assert controls.header == ("intermediate", "baseline", "p", "same steps", "p")
    assert re.fullmatch(r"< 0\.001|0\.\d{3}", controls.rows[0][2].text)


def test_families_scripts_and_the_slope(table2):
    family = by_name(table2)["family"]
    assert family.header == (
        *(
            "intermediate",
            "Indo-European",
            "Niger-Congo",
            "Sino-Tibetan",
            "tenfold pretraining text",
        ),
    )
    assert by_name(table2)["script"].header == ("intermediate", "Latn", "Hans", "Deva")


def test_published_means_stand_beside_ours(table2):
    published = by_name(table2)["published"]
    assert published.rows[0][0].text == "xlm-roberta-large, no intermediate"
    ours, theirs = published.rows[0], next(r for r in published.rows if r[0].text == "XLM-R Large")
    xnli = published.header.index("xnli")
    assert ours[xnli].value == pytest.approx(48, abs=0.5)  # 50, 48 and 46 by language
    assert theirs[xnli].text == "79.2"


def test_a_gain_has_a_sign_a_shade_and_no_minus_zero():
    assert [shown(number) for number in (1.25, -0.04, 0.04, -3.0)] == ["+1.2", "0.0", "0.0", "-3.0"]
    found = synthetic.table2().means("xlm-roberta-large")[0].estimate
    cell = gain_cell(found)
    assert (cell.sure, 0 < cell.shade <= 1) == (True, True)


HOSTILE = '\\input{x} $a_b$ 50% <script>alert(1)</script> | *b* {#} ~^ & "q" `c` [d](e)'
SHEET = Sheet(
    "one",
    HOSTILE,
    ("a", "b"),
    ((Cell(HOSTILE), Cell("+1.0", half=0.25, value=1.0, sure=True)),),
    (HOSTILE,),
)


@pytest.mark.parametrize("words", [(0,), (0, 1)])
def test_latex_is_booktabs_and_obeys_no_text(words):
    text = formats._latex(replace(SHEET, words=words))
    assert r"\toprule" in text
    if words == (0,):
        assert r"\textbf{+1.0} {\tiny$\pm$0.2} \\" in text
    for mark in ("\\input", "<", "script>", "|"):
        assert mark not in text
    commands = set(re.findall(r"\\[a-z]+", text))
    assert commands <= {
        *(r"\begin", r"\end", r"\centering", r"\small", r"\caption", r"\label", r"\toprule"),
        *(r"\midrule", r"\bottomrule", r"\textbf", r"\tiny", r"\pm", r"\textbackslash"),
        *(r"\linewidth", r"\raggedright", r"\arraybackslash", r"\dimexpr", r"\tabcolsep"),
        *(r"\relax", r"\scriptsize", r"\setlength", r"\endhead", r"\endfirsthead"),
        *(r"\textasciitilde", r"\textasciicircum", r"\textless", r"\textgreater", r"\textbar"),
    }
    bare = re.sub(r"\\[%$#_{}&]", "", text)
    assert "%" not in bare
    assert bare.count("{") == bare.count("}")


def test_latex_of_a_study_has_as_many_cells_as_columns(table2):
    rows = r"(?:\\midrule|\\endhead)\n((?:.*\\\\\n)+)\\bottomrule"
    tables = re.findall(rows, formats.latex(table2))
    assert len(tables) == len(formats._all(table2))
    for table in tables:
        cells = {len(re.findall(r"(?<!\\)&", line)) for line in table.splitlines()}
        assert len(cells) == 1


def test_columns_of_words_share_the_line_by_their_text():
    cells = tuple(map(Cell, ("short", "1.0", "one two three four five six seven eight", "w" * 30)))
    sheet = Sheet("one", "title", ("a", "b", "c", "d"), (cells,), words=(0, 2, 3))
    shares = formats._shares(sheet)
    assert sum(shares.values()) * formats.LINE == pytest.approx(formats.LINE - 3 - formats.GAP)
    assert shares[3] * formats.LINE > 30  # its only word fits
    assert shares[2] > 2 * shares[0]
    crowded = replace(sheet, rows=(tuple(Cell("w" * 60) for _ in cells),))
    assert sum(formats._shares(crowded).values()) == pytest.approx(0.5)


def test_markdown_is_a_table_and_no_markup():
    text = formats._markdown(SHEET)
    line = next(line for line in text.splitlines() if "**" in line)
    assert line.endswith("| **+1.0** ±0.2 |")
    assert len(re.findall(r"(?<!\\)\|", line)) == 3
    assert "<script" not in text.replace("\\<", "")


def test_csv_and_parquet_have_a_row_a_number(table2, tmp_path):
    from pyarrow import csv, parquet

    written = formats.parquet(table2, tmp_path / "parquet")
    assert [path.name for path in written] == ["gains.parquet", "claims.parquet", "scores.parquet"]
    gains = parquet.read_table(written[0]).to_pylist()
    assert len(gains) == len(table2.all)
    assert json.loads(gains[0]["targets"]) == list(table2.all[0].targets)
    (first, *_) = formats.csv(table2, tmp_path / "csv")
    assert csv.read_csv(first).num_rows == len(table2.all)
    without = formats.csv(replace(table2, rows=()), tmp_path / "bare")
    assert [path.name for path in without] == ["gains.csv", "claims.csv"]


def test_rows_in_other_languages_are_a_table_of_the_scaling_section():
    gains = {"mnli[100]": 1.0, "mnli[1k]": 3.0, "mnli:de/sw[1k]": 2.0}
    found = by_name(synthetic.of(simulator.study(gains, seed_sd=0, item_sd=0)))["exchanges"]
    assert [row[1].text for row in found.rows] == ["zero-shot", "trained in"]
    assert {row[0].text for row in found.rows} == {"mnli in de, sw, by people"}
    assert found.rows[0][3].text.replace(",", "").isdigit()
    assert found.rows[0][4].text == "-1.0"
    assert found.rows[0][5].text == ""  # nobody said how many tokens there were

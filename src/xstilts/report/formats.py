"""A study's tables for papers and for other programs: LaTeX, Markdown, CSV, Parquet."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from xstilts.disk.whole import whole
from xstilts.mistakes import one_line
from xstilts.report.sections import sections
from xstilts.tasks.citations import bibtex

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from xstilts.report.blocks import Cell, Sheet
    from xstilts.report.findings import Findings


def latex(findings: Findings) -> str:
    r"""Every table, ready for ``\input``; packages booktabs, array, graphicx, longtable."""
    seen, texts = Counter[str](), []
    for sheet in _all(findings):
        seen[sheet.name] += 1
        number = f"-{seen[sheet.name]}" if seen[sheet.name] > 1 else ""
        texts.append(_latex(replace(sheet, name=sheet.name + number)))
    return "\n".join(texts)


def markdown(findings: Findings) -> str:
    """Every table under its title, and BibTeX of the data."""
    tables = "\n".join(map(_markdown, _all(findings)))
    citations = f"\n## Citations\n\n```bibtex\n{bibtex(findings.tasks)}```\n"
    return f"# {one_line(findings.name)}\n\n{tables}{citations}"


def csv(findings: Findings, folder: Path) -> list[Path]:
    """Write ``gains.csv``, ``claims.csv`` and ``scores.csv``: one row a number, UTF-8.

    Lists and mappings are JSON. Returns the files written.
    """
    from pyarrow import csv as writer

    return _write(findings, folder, "csv", writer.write_csv)


def parquet(findings: Findings, folder: Path) -> list[Path]:
    """The same as Parquet."""
    from pyarrow import parquet as writer

    return _write(findings, folder, "parquet", writer.write_table)


def _all(findings: Findings) -> list[Sheet]:
    return [sheet for section in sections(findings) for sheet in section.sheets()]


# --- one row a number ---------------------------------------------------------------------------


def _write(
    findings: Findings, folder: Path, suffix: str, write: Callable[[Any, str], object]
) -> list[Path]:
    import pyarrow as pa

    tables: dict[str, Sequence[dict[str, Any]]] = {
        "gains": [gain.row() for gain in findings.all],
        "claims": [verdict.row() for verdict in findings.verdicts],
        "scores": findings.rows,
    }
    written = []
    for name, rows in tables.items():
        if rows:
            path = folder / f"{name}.{suffix}"
            with whole(path) as part:
                write(pa.Table.from_pylist([_flat(row) for row in rows]), str(part))
            written.append(path)
    return written


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    """A row whose lists and mappings are JSON text."""
    return {
        name: json.dumps(value, ensure_ascii=False)
        if isinstance(value, list | tuple | dict)
        else value
        for name, value in row.items()
    }


# --- LaTeX --------------------------------------------------------------------------------------

_SPECIAL = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "±": r"$\pm$",
    **{mark: f"\\{mark}" for mark in "&%$#_{}"},
}


def _tex(text: str) -> str:
    """Text with nothing left in it that TeX would obey."""
    return "".join(_SPECIAL.get(char, char) for char in one_line(text))


MOST_COLUMNS = 5  # of numbers with intervals, in small type
LINE = 94  # characters of script size in a line of the article class
GAP = 2  # characters between two columns


def _latex(sheet: Sheet) -> str:
    notes = " ".join(f"{_tex(note)}." for note in sheet.notes if note)
    about = [rf"\caption{{{_tex(sheet.title)}. {notes}}}", rf"\label{{tab:{sheet.name}}}"]
    head = " & ".join(map(_tex, sheet.header)) + r" \\"
    rows = [
        " & ".join(_latex_cell(cell, n in sheet.words) for n, cell in enumerate(row)) + r" \\"
        for row in sheet.rows
    ]
    table = _prose if len(sheet.words) > 1 else _numbers
    return "\n".join(table(sheet, about, head, rows)) + "\n"


def _numbers(sheet: Sheet, about: list[str], head: str, rows: list[str]) -> list[str]:
    """A floating table, as narrow as the line."""
    columns = "".join("l" if n in sheet.words else "r" for n in range(len(sheet.header)))
    many = len(sheet.header) > MOST_COLUMNS
    return [
        r"\begin{table}",
        r"\centering\small",
        *about,
        *([r"\resizebox{\linewidth}{!}{%"] if many else []),
        rf"\begin{{tabular}}{{{columns}}}",
        r"\toprule",
        head,
        r"\midrule",
        *rows,
        r"\bottomrule",
        r"\end{tabular}",
        *(["}"] if many else []),
        r"\end{table}",
    ]


def _prose(sheet: Sheet, about: list[str], head: str, rows: list[str]) -> list[str]:
    """A table of long texts, which may go on over pages."""
    wide = r">{{\raggedright\arraybackslash}}p{{\dimexpr {:.3f}\linewidth-2\tabcolsep\relax}}"
    shares = _shares(sheet)
    columns = "".join(
        wide.format(shares[n]) if n in shares else "r" for n in range(len(sheet.header))
    )
    begin = (r"\toprule", head, r"\midrule")
    return [
        r"{\scriptsize\setlength{\tabcolsep}{3pt}",
        rf"\begin{{longtable}}{{{columns}}}",
        *about,
        r"\\",
        *begin,
        r"\endfirsthead",
        *begin,
        r"\endhead",
        *rows,
        r"\bottomrule",
        r"\end{longtable}}",
    ]


def _shares(sheet: Sheet) -> dict[int, float]:
    """Of the line, for each column of words: its longest word, and of what is left by its text."""
    columns = {
        n: [name, *(row[n].text for row in sheet.rows)] for n, name in enumerate(sheet.header)
    }
    taken = sum(
        max([len(sheet.header[n]), *(_width(row[n]) for row in sheet.rows)]) + GAP
        for n in columns
        if n not in sheet.words
    )
    least = {n: max(len(w) for c in columns[n] for w in c.split() or [""]) for n in sheet.words}
    texts = {n: sum(map(len, columns[n])) for n in sheet.words}
    needed, free = sum(one + GAP for one in least.values()), max(LINE - taken, LINE / 2)
    narrower, left = min(free / needed, 1.0), max(free - needed, 0)
    every = max(sum(texts.values()), 1)
    return {n: (narrower * (least[n] + GAP) + left * texts[n] / every) / LINE for n in sheet.words}


def _width(number: Cell) -> int:
    return len(number.text) + (0 if number.half is None else len(f"+{number.half:.1f}"))


def _latex_cell(cell: Cell, word: bool) -> str:
    text = _tex(cell.text)
    if word or cell.value is None:
        return text
    number = re.sub(r"^-", "$-$", text)
    number = rf"\textbf{{{number}}}" if cell.sure else number
    mark = rf"\textsuperscript{{{_tex(cell.mark)}}}" if cell.mark else ""
    return number + mark + ("" if cell.half is None else rf" {{\tiny$\pm${cell.half:.1f}}}")


# --- Markdown -----------------------------------------------------------------------------------


def _md(text: str) -> str:
    """Text that stays text in a cell of a table, wherever Markdown or HTML would read marks."""
    return re.sub(r"([\\`*_\[\]|<>&~])", r"\\\1", one_line(text))


def _markdown(sheet: Sheet) -> str:
    words = set(sheet.words)
    rule = ["---" if place in words else "---:" for place in range(len(sheet.header))]
    rows = [[_markdown_cell(cell) for cell in row] for row in sheet.rows]
    lines = [" | ".join(row) for row in ([*map(_md, sheet.header)], rule, *rows)]
    notes = "".join(f"\n{_md(note)}.\n" for note in sheet.notes if note)
    return f"## {_md(sheet.title)}\n\n" + "".join(f"| {line} |\n" for line in lines) + notes


def _markdown_cell(cell: Cell) -> str:
    text = _md(cell.text)
    text = f"**{text}**" if cell.sure else text
    mark = f" ({cell.mark})" if cell.mark else ""
    return text + ("" if cell.half is None else f" ±{cell.half:.1f}") + mark

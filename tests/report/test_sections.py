"""Sections: what is registered appears on the page and in the tables, in order, and once."""

from __future__ import annotations

from dataclasses import replace

import pytest

from analysis import simulator
from report import synthetic
from xstilts import forecast
from xstilts.report import formats, sections
from xstilts.report.blocks import Cell, Chart, Fold, Part, Section, Sheet, Text
from xstilts.report.findings import Cost
from xstilts.report.page import page, templates
from xstilts.report.sections import claims, outputs, transfer


def added(findings):
    """A section as a later question would add one."""
    rows = [{"x": number, "y": number} for number in range(3)]
    table = Sheet("added", "A table of mine", ("a", "b"), ((Cell("c"), Cell("4.0", value=4.0)),))

    def draw(alt):
        return alt.Chart(alt.InlineData(values=rows)).mark_line().encode(x="x:Q", y="y:Q")

    blocks = (Chart("added", draw), Fold("more", (table,)), Text(findings.name))
    return Section("added", "Added", "An added section", "What is to be seen.", blocks)


def test_a_section_is_added_by_one_line(monkeypatch):
    pytest.importorskip("altair")
    pytest.importorskip("vl_convert")
    monkeypatch.setattr(sections, "SECTIONS", (*sections.SECTIONS, added))
    found = synthetic.of(simulator.study({"csqa": 2.0}))
    made = page(found)
    for part in ('<a href="#added">Added</a>', 'data-chart="added"', "A table of mine"):
        assert made.count(part) == 1
    assert '"added":{"config"' in made  # its specification
    assert "## A table of mine" in formats.markdown(found)
    assert r"\label{tab:added}" in formats.latex(found)


def test_names_are_unique_and_every_part_has_its_macro():
    shown = sections.sections(synthetic.table2())
    blocks = [block for section in shown for block in section.each()]
    anchors = [section.name for section in shown]
    charts = [block.name for block in blocks if isinstance(block, Chart)]
    tables = [sheet.name for section in shown for sheet in section.sheets()]
    for names in (anchors, charts, tables):
        assert len(set(names)) == len(names)
    macros = vars(templates().get_template("blocks.html.j2").module)
    assert {block.macro for block in blocks if isinstance(block, Part)} <= macros.keys()


def test_a_section_with_nothing_in_it_is_left_out():
    names = [one.name for one in sections.sections(synthetic.of(simulator.study({})))]
    assert names == ["languages", "transfer", "claims", "protocol", "reuse"]


def test_claims_say_whose_they_are_and_what_unverified_means():
    shown = claims.section(synthetic.table2())
    (sheet,) = (sheet for sheet in shown.sheets() if sheet.name == "claims")
    for text in (shown.lead, sheet.notes[0]):
        assert "Phang et al. 2020 (arXiv 2005.13013, second version)" in text
        assert "could not be checked against the full text" in text
    sources = [row[-1].text for row in sheet.rows]
    assert (
        "Phang et al. 2020, arXiv 2005.13013 (second version), as handed down; unverified"
        in sources
    )
    assert not any("brief" in one for one in sources)
    assert "brief" not in formats.markdown(synthetic.table2())


def test_a_forecast_stands_beside_what_it_took():
    costs = (Cost("train", 4, 0, 110.0, 0.0), Cost("score", 3, 0, 10.0, 0.0))
    made = forecast.Forecast(24, 100.0, 2**20, 2**30)
    study = simulator.study({"csqa": 2.0})
    for found, said in (
        (synthetic.of(study, costs=costs), "No forecast of the whole was made"),
        (synthetic.of(study, costs=costs, forecast=made), "As timed: 2 min 00 s, +20 %."),
    ):
        (section,) = (one for one in sections.sections(found) if one.name == "cost")
        (text,) = (block.text for block in section.blocks if isinstance(block, Text))
        assert said in text


def test_illegal_outputs_have_a_section_where_there_are_some():
    """By hand, two seeds a language: 10 and 30 % in German are 20, the most; (20 + 5) / 2."""
    found = synthetic.of(simulator.study({"csqa": 2.0}))
    assert "outputs" not in [one.name for one in sections.sections(found)]
    shares = {"en": (0.0, 0.02), "de": (0.1, 0.3), "ru": (0.05, 0.05)}
    rows = [
        *(
            {"path": "mnli > xnli", "target": "xnli", "model": "m", "metric": "illegal_output"}
            | {"language": code, "value": value}
            for code, values in shares.items()
            for value in values
        ),
        {"path": "mnli > xnli", "target": "xnli", "model": "m", "metric": "accuracy"}
        | {"language": "en", "value": 0.5},
    ]
    shown = outputs.section(replace(found, rows=rows))
    (sheet,) = shown.sheets()
    cells = [cell.text for cell in sheet.rows[0]]
    assert len(sheet.rows) == 1
    assert cells == ["mnli > xnli", "xnli", "illegal output", "1.0 %", "12.5 %", "20.0 %", "de"]


def test_layers_that_some_languages_lack_are_no_curve():
    """BUCC is mined at layers that differ from language to language; Tatoeba at all.

    Another model, of other depth, is on no curve of the first one's.
    """
    shown = synthetic.table2()

    def row(target, metric, code, layer, value, model=shown.models[0]):
        about = {"target": target, "path": target, "metric": metric, "language": code}
        return {**about, "layer": layer, "value": value, "model": model}

    tatoeba = [
        row("tatoeba", "retrieval_accuracy", code, layer, value)
        for code, values in {"de": (0.1, 0.3), "sw": (0.2, 0.5)}.items()
        for layer, value in enumerate(values)
    ]
    bucc = [
        row("bucc2018", "bitext_f1", *one)
        for one in (("de", 4, 0.4), ("de", 2, 0.9), ("zh", 4, 0.2))
    ]
    deeper = [row("tatoeba", "retrieval_accuracy", "de", n, 0.9, "deeper") for n in range(3)]
    found = transfer._layers(replace(shown, rows=[*tatoeba, *bucc, *deeper]))
    assert [(one["target"], one["layer"], round(one["score"], 6)) for one in found] == [
        ("tatoeba", 0, 15.0),
        ("tatoeba", 1, 40.0),
    ]

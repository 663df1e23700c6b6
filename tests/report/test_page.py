"""The report's page as text: what is in it, that it asks for nothing, that no text gets out."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from analysis import simulator
from report import synthetic
from xstilts.report.findings import Cost
from xstilts.report.heat import heat
from xstilts.report.sections import languages

pytest.importorskip("altair")
pytest.importorskip("vl_convert")

HOSTILE = "</script><script>document.title='owned'</script><img src=x onerror=alert(1)>\"'&\u2028"


class Reader(HTMLParser):
    """Collects elements with their attributes, and the text of scripts."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.elements, self.scripts, self._inside = [], [], False
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self._inside = tag == "script"
        if self._inside:
            self.scripts.append("")

    def handle_endtag(self, tag):
        self._inside = self._inside and tag != "script"

    def handle_data(self, data):
        if self._inside:
            self.scripts[-1] += data

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="module")
def text():
    from xstilts.report.page import page

    costs = (Cost("train", 4, 2, 7200.0, 3600.0), Cost("score", 3, 0, 2.0, 0.0))
    setting = (("model", "xlm-roberta-large, fingerprint 0123"),)
    commands = ("xstilts run table2.yaml",)
    return page(synthetic.table2(costs=costs, setting=setting, commands=commands))


def hostile():
    """A study that speaks in every place where a name, a reason or a value is somebody else's."""
    study = simulator.study({"csqa": 2.0}, model=HOSTILE)
    study.all = [replace(one, split=HOSTILE, trained_on=HOSTILE) for one in study.all]
    study.absent = {HOSTILE: HOSTILE}
    found = synthetic.of(study, HOSTILE, notes={HOSTILE: HOSTILE}, setting=((HOSTILE, HOSTILE),))
    task = replace(found.tasks["xnli"], license=HOSTILE, source_url=f"javascript:{HOSTILE}")
    return replace(found, about=HOSTILE, tasks={**found.tasks, "xnli": task, HOSTILE: task})


def test_it_has_every_part(text):
    ids = {attributes.get("id") for _, attributes in Reader(text).elements}
    assert ids >= {
        *("gains", "languages", "transfer", "families", "scaling", "claims", "cost", "protocol"),
        *("reuse", "steps", "heat", "data"),
    }
    assert "Training on squad_v1 first lifts the mean" in text
    assert "@inproceedings{phang2020english" in text
    assert "CC BY-SA" in text
    assert "xstilts run table2.yaml" in text
    assert "2 h 00 min" in text  # 7200 s
    assert "supported" in text


def test_cells_link_to_steps(text):
    reader = Reader(text)
    ids = {attributes.get("id") for _, attributes in reader.elements}
    links = {a["href"][1:] for a in reader.all("a") if a.get("href", "").startswith("#run-")}
    assert links
    assert links <= ids


def test_it_is_small_and_asks_for_nothing(text):
    assert len(text.encode()) < 4_000_000
    reader = Reader(text)
    for tag, attributes in reader.elements:
        assert not attributes.keys() & {"src", "srcset", "background", "poster"}, tag
        assert tag not in ("iframe", "object", "embed", "base")
    assert [one["href"] for one in reader.all("link")] == ["data:,"]
    assert text.count("vegaEmbed=") == 1  # the library stands there once


def test_the_policy_allows_the_two_scripts_and_nothing_else(text):
    reader = Reader(text)
    (policy,) = (one["content"] for one in reader.all("meta") if "http-equiv" in one)
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    run = [
        script
        for script, attributes in zip(reader.scripts, reader.all("script"), strict=True)
        if attributes.get("type") != "application/json"
    ]
    digests = [base64.b64encode(hashlib.sha256(one.encode()).digest()).decode() for one in run]
    assert re.findall(r"'sha256-([^']+)'", policy) == digests


def test_text_of_others_stays_text():
    from xstilts.report.page import page

    made = page(replace(hostile(), commands=(HOSTILE,)))
    reader = Reader(made)
    assert len(reader.scripts) == 3  # data, library, program: none of theirs
    assert not reader.all("img")
    assert not any(name.startswith("on") for _, found in reader.elements for name in found)
    assert not any("javascript:" in a.get("href", "") for a in reader.all("a"))
    data = json.loads(reader.scripts[0])
    assert data["heat"]["conditions"][0]["model"] == HOSTILE
    assert "<" not in reader.scripts[0]


def test_the_data_hold_every_language_of_every_target(text):
    data = json.loads(Reader(text).scripts[0])["heat"]
    first = data["conditions"][data["first"]]
    assert (first["kind"], first["name"]) == ("gain", "squad_v1")
    column = first["cells"][data["targets"].index("tatoeba")]
    codes = [row[0] for row in data["languages"]]
    have = {code: cell for code, cell in zip(codes, column, strict=True) if cell}
    assert have.keys() == {"de", "hi", "sw"}
    value, low, high = have["de"]
    assert value == pytest.approx(9, abs=1)
    assert low < value < high
    run = data["runs"][first["runs"][data["targets"].index("tatoeba")]]
    assert run["path"] == "squad_v1 > tatoeba"
    assert len(run["scores"][0]) == len(run["values"][0]) == 3


def test_means_of_languages_are_those_of_the_gains():
    """Targets whose own data some intermediate task holds are marked, and in no mean."""
    found = synthetic.table2()
    mapped = heat(found, found.runs)
    places = {row[0]: place for place, row in enumerate(mapped["languages"])}
    gains = {(g.intermediate, g.name): g for g in found.all if g.over == "language"}
    for one in (one for one in mapped["conditions"] if one["kind"] == "gain"):
        marks = {t: mark for t, mark in zip(mapped["targets"], one["marks"], strict=True) if mark}
        assert marks == {"xnli": "s", "xquad": "s", "mlqa": "s"}
        for code, place in places.items():
            value, mark = one["means"][place]
            expected = 100 * gains[one["name"], code].estimate.value
            assert (value, mark) == (pytest.approx(expected, abs=0.01), "")


def test_a_mean_of_marked_targets_alone_has_their_mark():
    """By hand: de is 2 points below en, and the baseline 3.3 below."""
    xnli = {"xnli": simulator.TARGETS["xnli"]}
    study = simulator.study({"mnli": 3.3}, targets=xnli, seed_sd=0, item_sd=0)
    found = synthetic.of(study)
    gain, before, after = heat(found, found.runs)["conditions"]
    assert (gain["marks"], before["marks"], after["marks"]) == (["s"], [""], ["s"])
    assert gain["means"] == [(3.3, "s")] * 3
    assert sorted(before["means"]) == [(46.0, ""), (48.0, ""), (50.0, "")]
    assert "s: an intermediate task of the study holds rows" in languages.section(found).lead
    study.targets = ("pawsx",)
    found = synthetic.of(study)
    assert heat(found, found.runs)["conditions"][0]["marks"] == ["o"]
    assert languages.section(synthetic.of(simulator.study({"csqa": 2.0}))).lead == languages.LEAD


def test_without_gains_there_is_still_a_page():
    from xstilts.report.page import page

    made = page(synthetic.of(simulator.study({})))
    assert 'id="gains"' not in made
    assert 'id="languages"' in made


def test_without_altair_one_line_says_what_to_install(monkeypatch):
    import sys

    from xstilts.errors import UserError
    from xstilts.report.page import page

    monkeypatch.setitem(sys.modules, "altair", None)
    with pytest.raises(UserError, match=r"pip install 'xstilts\[report\]'"):
        page(synthetic.of(simulator.study({})))

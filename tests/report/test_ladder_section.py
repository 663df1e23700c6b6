"""The section of model sizes: there when a study asks, and in the numbers that it was given."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from analysis.test_ladder import study
from report import synthetic
from xstilts.analysis.gains import Gains
from xstilts.analysis.ladder import ladders
from xstilts.report import answer
from xstilts.report.sections import gains, ladder


@pytest.fixture(scope="module")
def found():
    outcomes = study(lambda doublings: 0.06 - 0.01 * doublings, run_sd=1e-4, item_sd=1e-4)
    outcomes.analyses = ("ladder",)
    return synthetic.of(outcomes, "sizes")


def test_a_study_that_does_not_ask_has_no_section(found):
    assert not ladder.section(synthetic.of(study(lambda _: 0.01))).blocks


def test_slopes_and_sizes_stand_in_tables(found):
    slopes, sizes = ladder.section(found).sheets()
    header = slopes.header
    rows = {row[1].text: dict(zip(header, row, strict=True)) for row in slopes.rows}
    assert list(rows) == ["mean of 2 targets", "udpos", "xnli", "English", "Niger-Congo"]
    mean = rows["mean of 2 targets"]
    assert mean["points a doubling"].value == pytest.approx(-1.0, abs=0.03)
    assert (mean["in points"].text, mean["smallest"].text) == ("diminishes", "+6.0")
    assert mean["% of the errors a doubling"].value == pytest.approx(-2.0, abs=0.06)
    assert "margin: 0.3 points a doubling" in " ".join(slopes.notes)
    assert "nothing is said of others" in slopes.notes[0]
    assert [row[0].text for row in sizes.rows] == ["a", "b", "c", "d"]
    assert [row[1].text for row in sizes.rows] == ["100 M", "200 M", "400 M", "800 M"]


def test_other_sections_show_each_size_at_its_chosen_rate_alone():
    """Of 1e-4 and 1e-3 the second has the better selection rows on `a`, the first on the others."""
    best = {"a": 1e-3}
    outcomes = study(
        lambda _: 0.02,
        rates=(1e-4, 1e-3),
        run_sd=1e-3,
        selected=lambda model, rate: 0.6 if rate == best.get(model, 1e-4) else 0.4,
    )
    outcomes.analyses = ("ladder",)
    found = synthetic.of(outcomes, "sizes")
    assert found.models == ("a@0.001", "b@0.0001", "c@0.0001", "d@0.0001")
    titles = [sheet.title for sheet in gains.section(found).sheets()]
    assert titles
    assert not [title for title in titles if not any(f"({name})" in title for name in found.models)]
    assert {verdict.model for verdict in found.verdicts} <= {*found.models}
    assert {one.model for one in found.best} <= {*found.models}


def test_a_ladder_is_answered_about_size_first(found):
    size, gain = answer.sentences(found)
    assert size == (
        "From 100 M to 800 M parameters the gain after csqa changes by -1.0 points a doubling "
        "[-1.0, -1.0]: diminishes."
    )
    assert gain.startswith("For a, training on csqa first")


def test_several_trends_are_counted_and_the_clearest_is_told():
    outcomes = study(lambda doublings: 0.06 - 0.01 * doublings, run_sd=1e-4, item_sd=1e-4)
    flat = study(lambda _: -0.01, run_sd=1e-4, item_sd=1e-4, number=1)
    outcomes.all += [
        replace(one, path=f"ccg > {one.target}") for one in flat if one.path != one.target
    ]
    outcomes.analyses = ("ladder",)
    size, _ = answer.sentences(synthetic.of(outcomes, "sizes"))
    assert "after csqa changes by -1.0 points a doubling" in size
    assert size.endswith("diminishes, the clearest of 2 trends (1 diminishes, 1 constant).")


def test_the_sentence_says_what_was_seen_and_which_scale_says_otherwise():
    left = lambda doublings: 0.4 * 0.8**doublings  # noqa: E731
    outcomes = study(lambda d: 0.5 * left(d), base=lambda d: 1 - left(d), run_sd=1e-4)
    (said,) = ladder.sentences(ladders(Gains(outcomes)))
    assert said.startswith("csqa: the gain goes from +20.0 to +10.2 points, -3.2 points a doubling")
    assert "diminishes in points (not on a line); constant in error reduction" in said
    assert said.endswith("(3.0 doublings); nothing is said of others.")
    few = study(lambda _: 0.02, seeds=(1, 2), run_sd=1e-4)
    (said,) = ladder.sentences(ladders(Gains(few)))
    assert "indicative, as there are fewer than three seeds" in said


def test_two_sizes_have_points_and_no_verdict():
    outcomes = study(lambda d: 0.01 * d, {"a": 100, "b": 200}, margin=None)
    outcomes.analyses = ("ladder",)
    slopes, _ = ladder.section(synthetic.of(outcomes)).sheets()
    assert slopes.rows[0][5].text == "too few sizes"
    assert "2 sizes: no verdict from fewer than 3" in slopes.notes
    assert any("declares no margin" in note for note in slopes.notes)


def test_every_scale_is_drawn(found):
    alt = pytest.importorskip("altair")
    chart = next(iter(ladder.section(found).blocks)).draw(alt).to_dict()
    assert [one["title"] for one in chart["concat"]] == [
        *("gain, points", "gain, % of the errors", "gain, logits"),
    ]
    rows = [row for rows in chart["datasets"].values() for row in rows if "model" in row]
    points = [row for row in rows if row["model"] == "b"]
    assert any(np.isclose(row["line"], 5.0, atol=0.05) for row in points)

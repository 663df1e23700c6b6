"""The curves of the robustness section."""

from __future__ import annotations

from types import SimpleNamespace

from xstilts.analysis.robustness import Interaction
from xstilts.report.sections import robustness


def line(intermediate, noise, cells, baseline, own, labels="preserving"):
    return Interaction(
        model="mini",
        intermediate=intermediate,
        over="script",
        name="Latn",
        perturbation=noise,
        labels=labels,
        baseline=SimpleNamespace(value=baseline),
        own=SimpleNamespace(value=own),
        points=None,
        logit=None,
        both_right=None,
        changed_subwords=0.3,
        cells=cells,
        without_headroom=0,
    )


def test_a_panel_is_of_one_kind_of_labels_and_has_one_baseline():
    doubtful = line("csqa", "marks@0.5", 2, 0.09, 0.05, "possibly changing")
    found = robustness._curves(
        [
            line("csqa", "marks@0.5", 4, 0.02, 0.01),
            line("ccg", "marks@0.5", 6, 0.03, 0.04),
            doubtful,
        ]
    )
    assert list(found) == ["marks, Latn", "marks, Latn (?)"]
    drawn = {
        (point["after"], point["severity"]): point["lost"]
        for point in found["marks, Latn"]
        if point["severity"]
    }
    # The baseline's drop on the six cells that it shares with ccg, not on the four with csqa.
    assert drawn == {("no intermediate", 0.5): 3.0, ("csqa", 0.5): 1.0, ("ccg", 0.5): 4.0}
    assert len(found["marks, Latn"]) == 6  # and 0 at severity 0, once each

from __future__ import annotations

from dataclasses import replace
from functools import partial
from statistics import mean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xstilts.report import screen
from xstilts.report.protocol import mixtures
from xstilts.report.tables import _percent, _Scores, summary, tables
from xstilts.tasks import SOURCES, TASKS, Catalogue, Data, Files, Hub

CATALOGUE = Catalogue()


def row(value: float, language: str = "en", **more: object) -> dict:
    return {
        "model": "tiny",
        "path": "taxinli > xnli",
        "seed": 1,
        "source": "mirror",
        "trained_on": "taxinli",
        "target": "xnli",
        "language": language,
        "split": "test",
        "metric": "accuracy",
        "value": value,
        "n": 5010,
        "layer": None,
        "main": True,
        "max_steps": None,
        "max_eval_rows": None,
        **more,
    }


def test_scores_stand_beside_the_one_that_counts():
    """The selected layer, the tuning rows at their own threshold; SQuAD v2.0's other thresholds."""
    place = {"path": "| bucc2018", "target": "bucc2018", "trained_on": None, "metric": "bitext_f1"}
    mined = partial(row, language="de", seed=None, **place)
    rows = [
        mined(0.6, layer=8, n=10, part="evaluate", threshold=1.1, tuned_on="tune"),
        mined(0.5, layer=8, n=5, main=False, part="tune", threshold=1.1, tuned_on="tune"),
        mined(0.9, layer=7, n=5, main=False, part="tune", threshold=1.0, tuned_on="tune")
        | {"selected": True},
        mined(0.7, layer=7, n=10, main=False, part="evaluate", threshold=1.0, tuned_on="tune")
        | {"selected": True},
        mined(0.1, layer=6, n=10, main=False, part="evaluate", threshold=1.0, tuned_on="tune"),
    ]
    ((_, table, below),) = tables(rows, Catalogue())
    assert [str(column.header) for column in table.columns] == [
        *("language", "", "n", "bitext_f1"),
        *("bitext_f1, dev at its own threshold", "bitext_f1, selected layer"),
    ]
    assert [next(iter(column.cells)) for column in table.columns][2:] == [
        "10",
        "60.0",
        "50.0",
        "70.0",
    ]
    assert "layer 8; selected on other rows: 7" in below

    place = {"path": "squad_v2", "target": "squad_v2", "metric": "squad_v2_f1"}
    asked = partial(row, n=7, part="evaluate", **place)
    rows = [
        asked(0.4, main=False, threshold=0.0, tuned_on=None),
        asked(0.5, threshold=0.3, tuned_on="tune"),
        asked(0.6, main=False, threshold=0.2, tuned_on="evaluate"),
    ]
    ((_, table, _),) = tables(rows, Catalogue())
    found = {str(c.header): next(iter(c.cells)) for c in table.columns}
    assert found["squad_v2_f1"] == "50.0"
    assert found["squad_v2_f1, threshold 0"] == "40.0"
    assert found["squad_v2_f1, best threshold"] == "60.0"


def span(f1: float, exact: float, language: str, seed: int = 1) -> list[dict]:
    place = {"path": "squad_dev > xquad", "target": "xquad", "trained_on": "squad_dev"}
    return [
        row(value, language, metric=metric, seed=seed, n=1190, **place)
        for metric, value in (("squad_f1", f1), ("squad_exact_match", exact))
    ]


@pytest.fixture
def shown(capsys):
    def draw(rows: list[dict]) -> str:
        for part in tables(rows, CATALOGUE):
            screen.show(*part)
        return capsys.readouterr().out

    return draw


# Means by hand: (80 + 70 + 60.6) / 3 = 70.2, without English (70 + 60.6) / 2 = 65.3.
ONE_SEED = """\
taxinli > xnli
language                      n  accuracy
─────────────────────────────────────────
English               en  5,010      80.0
German                de  5,010      70.0
Swahili               sw  5,010      60.6

mean                                 70.2
mean without English                 65.3
model tiny; mirror, test split, trained on taxinli; seed 1: one run, no interval; chance 33.3
"""


def test_one_seed(shown):
    assert shown([row(0.8), row(0.7, "de"), row(0.606, "sw")]) == ONE_SEED


def test_several_seeds_and_metrics(shown):
    """Two values a, b have mean (a+b)/2 and standard deviation |a-b|/sqrt(2).

    German F1 40 and 50: 45.0 sd 7.1. English 70 and 60: 65.0 sd 7.1. The mean over languages is 55
    for both seeds: 55.0 sd 0.0, which is not the mean of the deviations.
    """
    rows = [
        *span(0.7, 0.5, "en", seed=1),
        *span(0.4, 0.3, "de", seed=1),
        *span(0.6, 0.5, "en", seed=2),
        *span(0.5, 0.1, "de", seed=2),
    ]
    out = shown(rows)
    lines = [line.split() for line in out.splitlines()]
    assert lines[1] == ["language", "n", "squad_f1", "squad_exact_match"]
    assert lines[3:-1] == [
        ["English", "en", "1,190", "65.0", "sd", "7.1", "50.0", "sd", "0.0"],
        ["German", "de", "1,190", "45.0", "sd", "7.1", "20.0", "sd", "14.1"],
        [],
        ["mean", "55.0", "sd", "0.0", "35.0", "sd", "7.1"],
    ]
    assert "; mean and standard deviation (sd) over seeds 1, 2" in out


def test_a_seed_that_lacks_a_language_is_left_out_of_the_mean(shown):
    """Seed 2 has no German yet: its mean would be over other languages than that of seed 1."""
    rows = [row(0.8), row(0.6, "de"), row(0.4, seed=2)]
    lines = [line.split() for line in shown(rows).splitlines()]
    assert lines[3] == ["English", "en", "5,010", "60.0", "sd", "28.3"]  # 40 / sqrt(2)
    assert lines[4] == ["German", "de", "5,010", "60.0"]
    assert lines[6] == ["mean", "70.0"]


def test_the_line_below_tells_the_protocol(shown):
    quick = {"max_steps": 1000, "max_eval_rows": 50}
    retrieval = {"path": "taxinli | tatoeba:de", "target": "tatoeba", "layer": 8}
    last = shown([row(0.5, "de", trained_on=None, seed=None, **retrieval, **quick)]).splitlines()
    assert last[-1] == (
        "model tiny; mirror, test split; no training, a constant; chance 0.1; layer 8; at most "
        "1,000 steps a stage; at most 50 rows a language"
    )
    assert "mean" not in "".join(last[:-1])  # of one language


@pytest.mark.parametrize(
    ("rows", "place"),
    [
        (Files(path="test-{lang}.csv", reader="csv", folder="sub"), "sub/test-{lang}.csv"),
        (Hub(repo="org/data", split="test"), "org/data (test)"),
    ],
)
def test_own_data_is_in_no_source_but_where_it_is(rows, place):
    data = Data(train_on="mnli", evaluate=rows, split="test")
    own = replace(TASKS["xnli"], name="mine", sources=dict.fromkeys(SOURCES, data))
    scored = [row(0.5, target="mine", source="hub", trained_on="mnli", path="mine")]
    ((_, _, foot),) = tables(scored, Catalogue([own]))
    assert foot.startswith(f"model tiny; own data {place}, trained on mnli; seed 1")


def test_layers_that_do_not_count_are_not_shown(shown):
    rows = [row(0.1, main=False, layer=0), row(0.9, layer=1), row(0.2, main=False, layer=2)]
    assert [line.split()[-1] for line in shown(rows).splitlines()[3:4]] == ["90.0"]


@pytest.mark.parametrize(
    ("path", "target", "title"),
    [
        ("taxinli > xnli", "xnli", "taxinli > xnli"),
        ("| tatoeba", "tatoeba", "| tatoeba"),
        ("taxinli | xnli:de/sw", "xnli", "taxinli | xnli:de/sw"),
        ("squad_v1 | tatoeba, xquad", "tatoeba", "squad_v1 | tatoeba, xquad  (tatoeba)"),
        ("squad_v1 | tatoeba, xquad", "xquad", "squad_v1 | tatoeba, xquad"),
        ("mnli[10k] > xnli[5]", "xnli", "mnli[10k] > xnli[5]  (xnli)"),
    ],
)
def test_the_title_names_the_target_where_the_path_does_not_end_in_it(shown, path, target, title):
    assert shown([row(0.5, path=path, target=target)]).splitlines()[0] == title


@pytest.mark.parametrize("width", [80, 120])
def test_a_wide_table_fits_the_terminal(shown, monkeypatch, width):
    monkeypatch.setenv("COLUMNS", str(width))
    rows = [one for seed in (1, 2, 3) for one in span(0.123, 0.456, "de", seed=seed)]
    lines = shown(rows).splitlines()
    assert max(map(len, lines[:-1])) <= width  # the last is text, which the terminal wraps
    assert lines[3].split() == ["German", "de", "1,190", "12.3", "sd", "0.0", "45.6", "sd", "0.0"]


def test_tables_come_by_model_path_and_target(shown):
    rows = [
        row(0.5, model="a"),
        row(0.6, model="b"),
        row(0.7, model="a", path="xnli"),
        *span(0.1, 0.1, "en"),
    ]
    titles = [title for title, _, _ in tables(rows, CATALOGUE)]
    assert titles == ["taxinli > xnli", "taxinli > xnli", "xnli", "squad_dev > xquad"]


# xquad's score is the mean of F1 and EM: English (70 + 50) / 2, the others (40 + 20) / 2.
SUMMARY = """\
path               target   score                        English  others  languages  seeds
──────────────────────────────────────────────────────────────────────────────────────────
taxinli > xnli     xnli     accuracy                        90.0    55.0          3      1
squad_dev > xquad  xquad    squad_f1, squad_exact_match     60.0    30.0          2      1
| tatoeba          tatoeba  retrieval_accuracy                      20.0          1
csqa > csqa        csqa     accuracy                        30.0                  1      1
mean of the main metrics; others: unweighted mean over the languages but English
"""


def test_the_summary_compares_main_scores(capsys):
    rows = [
        *(row(0.9), row(0.5, "de"), row(0.6, "sw")),
        *(*span(0.7, 0.5, "en"), *span(0.4, 0.2, "de")),
        row(0.2, "de", target="tatoeba", metric="retrieval_accuracy", path="| tatoeba", seed=None),
        row(0.3, path="csqa > csqa", target="csqa"),
    ]
    screen.show(*summary(rows, CATALOGUE))
    assert capsys.readouterr().out == SUMMARY


def test_the_summary_over_seeds(capsys):
    """German 40 and 50, Swahili 60 and 60: 50 and 55, so 52.5 sd 3.5."""
    rows = [row(0.9), row(0.4, "de"), row(0.6, "sw")]
    rows += [
        row(0.9, seed=2),
        row(0.5, "de", seed=2),
        row(0.6, "sw", seed=2),
        row(0.1, path="xnli"),
    ]
    screen.show(*summary(rows, CATALOGUE))
    lines = capsys.readouterr().out.splitlines()
    assert lines[2].split()[-8:] == ["90.0", "sd", "0.0", "52.5", "sd", "3.5", "3", "2"]
    assert lines[-1].endswith("; sd: standard deviation over seeds")


def test_there_is_no_summary_of_one_table():
    assert summary([row(0.5), row(0.6, "de"), row(0.7, seed=2)], CATALOGUE) is None
    assert summary([], CATALOGUE) is None
    assert list(tables([], CATALOGUE)) == []


def test_models_are_named_where_there_are_several(capsys):
    screen.show(*summary([row(0.5, model="a"), row(0.6, model="b")], CATALOGUE))
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in (lines[0], *lines[2:4])] == ["model", "a", "b"]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=6))
def test_a_cell_is_between_the_least_and_the_greatest_value(values):
    shown = float(_percent(values).split()[0])
    assert 100 * min(values) - 0.05 <= shown <= 100 * max(values) + 0.05
    assert ("sd" in _percent(values)) == (len(values) > 1)


@given(st.permutations(["en", "de", "sw", "zh"]), st.permutations([1, 2, 3]))
def test_means_do_not_depend_on_the_order_of_the_rows(codes, seeds):
    value = {code: {seed: (ord(code[0]) + 7 * seed) / 200 for seed in seeds} for code in codes}
    rows = [row(value[code][seed], code, seed=seed) for code in codes for seed in seeds]
    scores = _Scores(rows, TASKS["xnli"])
    means = scores.over_seeds(codes, ["accuracy"])
    assert means == pytest.approx([mean(value[code][seed] for code in codes) for seed in (1, 2, 3)])


def test_text_is_never_markup_or_wrapped(capsys):
    """Paths hold square brackets and colons; a pipe gets lines as they are, nothing at the end."""
    table = screen.grid("path", ">n")
    table.add_row("mnli[red] > xnli:de:smile:", "1")
    screen.show("a [bold]line[/bold] " * 20, table)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == ("a [bold]line[/bold] " * 20).rstrip()
    assert lines[-1] == "mnli[red] > xnli:de:smile:  1"
    assert all(line == line.rstrip() for line in lines)


def test_what_gives_way_is_cut(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "30")
    table = screen.grid("task", "about")
    table.add_row("cosmos_qa", screen.cut("commonsense reading comprehension"))
    screen.show(table)
    assert capsys.readouterr().out.splitlines()[-1] == "cosmos_qa  commonsense readin…"


# --- protocols ----------------------------------------------------------------------------------


def test_means_over_different_protocols_say_so(shown):
    """A cap in one language, another precision in another: what differs is said, and where."""
    rows = [
        row(0.8, "en"),
        row(0.7, "de", max_eval_rows=100),
        row(0.6, "sw", precision="bf16"),
    ]
    differ = "precision none (en de), bf16 (sw); max eval rows none (en sw), 100 (de)"
    assert f"means are over different protocols: {differ}" in " ".join(shown(rows).split())
    assert "protocols" not in shown([row(0.8, "en"), row(0.7, "de")])
    other = row(0.5, path="xnli")
    _, note = summary([*rows, other], CATALOGUE)
    assert "; means over different protocols: taxinli > xnli" in note
    assert list(mixtures([*rows, other])) == [f"taxinli > xnli (xnli): {differ}"]


def test_metrics_have_versions_of_their_own(shown):
    rows = [*span(0.8, 0.7, "en"), *span(0.6, 0.5, "de")]
    for one in rows:
        one["metric_version"] = 2 if one["metric"] == "squad_f1" else 1
    assert "protocols" not in shown(rows)
    rows[0]["metric_version"] = 1
    assert "version of squad_f1 1 (en), 2 (de)" in " ".join(shown(rows).split())


def test_languages_that_were_trained_in_are_called_so(shown):
    rows = [row(0.8, "en", zero_shot=False), row(0.7, "de", zero_shot=False)]
    text = shown([*rows, row(0.6, "sw", zero_shot=True)])
    assert "not zero-shot, as trained in: de" in " ".join(text.split())
    _, note = summary([*rows, row(0.5, path="xnli")], CATALOGUE)
    assert "; not all zero-shot: taxinli > xnli" in note


def test_a_language_that_was_not_evaluated_is_absent(shown):
    """No row, no line, no zero in a mean: (80 + 60) / 2 = 70."""
    text = shown([row(0.8, "en"), row(0.6, "sw")])
    assert "German" not in text
    assert "0.0" not in text.replace("80.0", "").replace("60.0", "").replace("70.0", "")
    assert [line.split()[-1] for line in text.splitlines() if line.startswith("mean")] == ["70.0"]

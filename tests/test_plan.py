"""Plans: equal work has one name, other work another, and nothing runs twice or half."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace

import pytest

import small_tasks
from small_tasks import plan, recipe
from xstilts import metrics, models, recipes, suites
from xstilts import plan as planning
from xstilts.errors import AbsentError, UserError
from xstilts.scenario import Measure
from xstilts.sources import Sources
from xstilts.steps import CODE_VERSIONS
from xstilts.study import Options, Study
from xstilts.tasks import Catalogue, Data, Files, Task

PATH = "s_squad > s_nli > s_xnli"  # trains s_squad, s_nli and the target's s_nli; three languages


def ids(found, kind=None):
    return {step.id for step in found.steps.values() if kind in (None, step.kind)}


def trained(found):
    """What each training step trains, in the order of the plan."""
    steps = [step.inputs for step in found.steps.values() if step.kind == "train"]
    return ["+".join(item["task"] for item in inputs["items"]) for inputs in steps]


# --- the graph ---------------------------------------------------------------------------------


def test_a_path_is_its_stages_then_predictions_then_scores(small, tiny):
    found = plan(small, tiny, PATH)
    kinds = [(step.kind, step.label) for step in found.steps.values()]
    assert kinds == [
        ("train", "train s_squad (seed 1)"),
        ("train", "train s_squad > s_nli (seed 1)"),
        ("train", "train s_squad > s_nli > s_nli (seed 1)"),
        *[
            (kind, f"{kind} s_xnli {code}")
            for code in small_tasks.LANGUAGES
            for kind in ("predict", "score")
        ],
    ]
    steps = list(found.steps.values())
    assert [step.parent for step in steps[:3]] == ["", steps[0].id, steps[1].id]
    for predict, score in zip(steps[3::2], steps[4::2], strict=True):
        assert (predict.parent, score.parent) == (steps[2].id, predict.id)
        assert predict.inputs["weights"] == steps[2].id
        assert score.inputs["predictions"] == predict.id
        assert found.children(predict.id) == [score]
    assert found.children(steps[2].id) == steps[3::2]


def test_parents_come_before_children(small, tiny):
    found = plan(small, tiny, PATH, "s_nli > s_tags", "s_tatoeba", seeds=(1, 2))
    seen = {""}
    for step in found.steps.values():
        assert step.parent in seen
        seen.add(step.id)


def test_a_cell_is_one_number_with_its_protocol(small, tiny):
    found = plan(small, tiny, "s_nli > s_xnli", "s_tatoeba", seeds=(3, 4))
    cell = found.cells[0]
    assert (cell.path, cell.target, cell.language, cell.seed) == (
        "s_nli > s_xnli",
        "s_xnli",
        "en",
        3,
    )
    assert (cell.trained_on, cell.split, cell.source) == ("s_nli", "test", "files")
    assert (cell.model, found.steps[cell.score].kind) == (str(tiny), "score")
    keys = [(c.target, c.language, c.seed, c.trained_on) for c in found.cells[6:]]
    assert keys == [("s_tatoeba", "de", None, None), ("s_tatoeba", "ru", None, None)]  # a constant


# --- one name for equal work -------------------------------------------------------------------


def test_targets_share_an_intermediate_checkpoint(small, tiny):
    found = plan(small, tiny, "s_nli > s_tags", "s_nli > s_xquad", "s_nli > s_choice")
    assert trained(found) == ["s_nli", "s_tags", "s_squad", "s_choice"]


def test_sequences_share_their_prefixes_and_a_baseline_is_a_prefix(small, tiny):
    found = plan(small, tiny, "s_xnli", "s_nli > s_tags", "s_nli > s_squad > s_tags")
    # s_xnli trains s_nli, which is the other paths' first stage
    assert trained(found) == ["s_nli", "s_tags", "s_squad", "s_tags"]


def test_xquad_and_mlqa_share_a_squad_model(small, tiny):
    found = plan(small, tiny, "s_nli > s_xquad", "s_nli > s_mlqa")
    assert trained(found) == ["s_nli", "s_squad"]
    parents = {s.parent for s in found.steps.values() if s.kind == "predict"}
    assert len(parents) == 1
    assert len(ids(found, "predict")) == 6


def test_targets_with_epochs_of_their_own_do_not_share(small, tiny):
    own = recipe(target_epochs={"s_mlqa": 1})
    assert trained(plan(small, tiny, "s_xquad", "s_mlqa", recipe=own)) == ["s_squad", "s_squad"]


def test_seeds_share_nothing_that_is_trained_and_everything_that_is_not(small, tiny):
    one, two = (plan(small, tiny, PATH, "s_tatoeba", seeds=(seed,)) for seed in (1, 2))
    assert ids(one, "train").isdisjoint(ids(two, "train"))
    tatoeba = {s.id for s in one.steps.values() if s.label.endswith(("tatoeba de", "tatoeba ru"))}
    assert ids(one) & ids(two) == tatoeba
    assert len(tatoeba) == 4


def test_the_same_path_twice_is_one(small, tiny):
    found = plan(small, tiny, "s_nli>s_xnli")
    assert ids(found) == ids(plan(small, tiny, "s_nli > s_xnli"))


# --- what an identity depends on ---------------------------------------------------------------

EVERYTHING = {"train": 3, "predict": 3, "score": 3}
NOTHING = {"train": 0, "predict": 0, "score": 0}
EVALUATION = {"train": 0, "predict": 3, "score": 3}


def changed(one, other):
    """How many steps of each kind have another name."""
    return {kind: len(ids(other, kind) - ids(one, kind)) for kind in NOTHING}


def test_the_same_study_has_the_same_names_in_another_process(small, tiny, tmp_path):
    code = (
        "import sys, pathlib, small_tasks as s; "
        f"p = s.plan(pathlib.Path({str(small)!r}), pathlib.Path({str(tiny)!r}), {PATH!r}); "
        "assert 'torch' not in sys.modules, 'a plan needs no torch'; "
        "print(*p.steps)"
    )
    env = os.environ | {"PYTHONHASHSEED": "77", "PYTHONPATH": os.pathsep.join(sys.path)}
    run = [sys.executable, "-c", code]
    out = subprocess.run(run, env=env, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert out.stdout.split() == list(plan(small, tiny, PATH).steps)


@pytest.mark.parametrize(
    ("study", "numbers", "expected"),
    [
        ({"seeds": (2,)}, {}, EVERYTHING),
        ({"options": Options(max_steps=9)}, {}, EVERYTHING),
        ({"options": Options(max_eval_rows=9)}, {}, EVALUATION),
        ({"name": "other", "keep": "none", "analyses": ("gains",)}, {}, NOTHING),
        ({"margins": ("mean@1.0",)}, {}, NOTHING),
        ({}, {"name": "other"}, NOTHING),
        ({}, {"learning_rate": 1e-4}, EVERYTHING),
        ({}, {"weight_decay": 0.0}, EVERYTHING),
        ({}, {"warmup": 0.5}, EVERYTHING),
        ({}, {"clip": 0.5}, EVERYTHING),
        ({}, {"precision": "bf16"}, EVERYTHING),
        ({}, {"select_every": 5}, EVERYTHING),
        ({}, {"batch": 4}, EVERYTHING),
        ({}, {"epochs": 5}, EVERYTHING),
        ({}, {"max_length": 31}, EVERYTHING),
        # Only what trains on a format, and what comes after it, depends on the format's numbers.
        ({}, {"batch": {**small_tasks.RECIPE.batch, "tagging": 2}}, NOTHING),
        (
            {},
            {"batch": {**small_tasks.RECIPE.batch, "classification": 2}},
            EVERYTHING | {"train": 2},
        ),
        ({}, {"target_epochs": {"s_xnli": 7}}, EVERYTHING | {"train": 1}),
        ({}, {"target_epochs": {"s_xquad": 7}}, NOTHING),
    ],
)
def test_names_change_exactly_with_what_changes_the_result(small, tiny, study, numbers, expected):
    before = plan(small, tiny, PATH)
    after = plan(small, tiny, PATH, recipe=recipe(**numbers), **study)
    assert changed(before, after) == expected


@pytest.mark.parametrize(
    ("path", "trains"),
    [
        ("s_squad[9] > s_nli > s_xnli", 3),
        ("s_squad > s_nli[9] > s_xnli", 2),
        ("s_squad > s_nli > s_xnli[9]", 1),
        ("s_squad > s_nli:de > s_xnli", 2),
        ("s_squad > shuffled(s_nli) > s_xnli", 2),
        ("s_squad > text(s_nli) > s_xnli", 2),
        ("s_squad > s_nli@0.5 + s_tags@0.5 > s_xnli", 2),
        ("s_squad + s_nli > s_nli > s_xnli", 3),
    ],
)
def test_another_stage_changes_itself_and_what_follows(small, tiny, path, trains):
    before, after = plan(small, tiny, PATH), plan(small, tiny, path)
    assert changed(before, after) == {"train": trains, "predict": 3, "score": 3}


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("qa.train.json", EVERYTHING),
        ("nli.train.en.tsv", EVERYTHING | {"train": 2}),
        ("nli.test.de.tsv", {"train": 0, "predict": 1, "score": 1}),
        ("nli.train.de.tsv", NOTHING),
        ("tags.train.tsv", NOTHING),
    ],
)
def test_data_counts_by_its_content(small, tiny, tmp_path, file, expected):
    before = plan(small, tiny, PATH)
    there = shutil.copytree(small, tmp_path / "there")
    assert changed(before, plan(there, tiny, PATH)) == NOTHING  # the place is nothing to it
    text = (there / file).read_text(encoding="utf-8")
    (there / file).write_text(text.replace("river", "brook").replace("Fluss", "Bach"), "utf-8")
    assert changed(before, plan(there, tiny, PATH)) == expected


def test_selection_rows_count_where_something_is_selected(small, tiny, tmp_path):
    def with_selection(content, **numbers):
        (tmp_path / "select.tsv").write_text(content, encoding="utf-8")
        tasks = list(small_tasks.tasks(small))
        nli = next(task for task in tasks if task.name == "s_nli")
        data = nli.sources["files"]
        own = replace(data.train, path=str(tmp_path / "select.tsv"))
        tasks[0] = replace(nli, sources={"files": replace(data, select=own)})
        study = Study(name="s", paths=("s_nli > s_tags",), source="files")
        model = models.find(str(tiny))
        return planning.build(study, recipe(**numbers), [model], Catalogue(tasks), Sources())

    row = "id\tgroup\ta\tb\tlabel\n1\t1\tx\ty\tno\n"
    for every, different in ((0, False), (5, True)):
        one, other = (
            with_selection(t, select_every=every) for t in (row, row.replace("no", "yes"))
        )
        assert (ids(one) != ids(other)) is different


def test_how_columns_are_read_counts(small, tiny):
    def with_fields(fields):
        tasks = list(small_tasks.tasks(small))
        data = tasks[0].sources["files"]
        read = replace(data.train, fields=fields)
        tasks[0] = replace(tasks[0], sources={"files": replace(data, train=read)})
        study = Study(name="s", paths=("s_nli > s_xnli",), source="files")
        return planning.build(
            study, recipe(), [models.find(str(tiny))], Catalogue(tasks), Sources()
        )

    straight, swapped = with_fields({"text_a": "a", "text_b": "b"}), {"text_a": "b", "text_b": "a"}
    assert ids(straight, "train").isdisjoint(ids(with_fields(swapped), "train"))


def test_models_count_by_their_files(small, tiny, tmp_path):
    before = plan(small, tiny, PATH)
    there = shutil.copytree(tiny, tmp_path / "elsewhere")
    (there / "README.md").write_text("another word about it")
    assert changed(before, plan(small, there, PATH)) == NOTHING
    config = json.loads((there / "config.json").read_text())
    (there / "config.json").write_text(json.dumps(config | {"hidden_dropout_prob": 0.2}))
    assert changed(before, plan(small, there, PATH)) == EVERYTHING


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("train", EVERYTHING), ("predict", EVALUATION), ("score", NOTHING | {"score": 3})],
)
def test_a_code_version_changes_its_kind_and_what_follows(small, tiny, monkeypatch, kind, expected):
    before = plan(small, tiny, PATH)
    monkeypatch.setitem(CODE_VERSIONS, kind, CODE_VERSIONS[kind] + 1)
    assert changed(before, plan(small, tiny, PATH)) == expected


def test_a_metrics_version_changes_scores_only(small, tiny, monkeypatch):
    before = plan(small, tiny, PATH)
    accuracy = metrics.METRICS["accuracy"]
    newer = dict(metrics.METRICS) | {"accuracy": replace(accuracy, version=accuracy.version + 1)}
    monkeypatch.setattr(metrics, "METRICS", newer)
    assert changed(before, plan(small, tiny, PATH)) == NOTHING | {"score": 3}


def test_a_share_counts(small, tiny):
    one, other = (f"s_nli@{a} + s_tags@{1 - a:.1f} > s_xnli" for a in (0.5, 0.3))
    assert changed(plan(small, tiny, one), plan(small, tiny, other))["train"] == 2


def test_every_metric_of_a_task_is_scored(small, tiny):
    steps = plan(small, tiny, "s_xquad").steps.values()
    scored = {tuple(step.inputs["metrics"]) for step in steps if step.kind == "score"}
    assert scored == {("squad_f1", "squad_exact_match")}


def test_inputs_are_json_and_name_all_of_it(small, tiny):
    for step in plan(small, tiny, PATH, "same_steps(s_squad) > s_xnli", "s_tatoeba").steps.values():
        assert json.loads(json.dumps(dict(step.inputs))) == step.inputs


# --- what is absent ----------------------------------------------------------------------------


def study_of(small, tiny, *targets, allow_absent=True, tasks=None, **more):
    study = Study(name="s", targets=targets, source="files", keep="all", **more)
    catalogue = Catalogue(tasks or small_tasks.tasks(small))
    return planning.build(
        study,
        recipe(),
        [models.find(str(tiny))],
        catalogue,
        Sources(),
        allow_absent=allow_absent,
    )


def test_absent_data_is_listed_and_the_rest_is_planned(small, tiny, tmp_path):
    there = shutil.copytree(small, tmp_path / "there")
    (there / "nli.test.ru.tsv").unlink()
    (there / "qa.train.json").unlink()
    found = study_of(there, tiny, "s_tags", "s_xnli", "s_xquad", intermediate=("none", "s_choice"))
    assert {cell.path for cell in found.cells} == {"s_tags", "s_choice > s_tags"}
    assert list(found.absent) == ["s_xnli", "s_choice > s_xnli", "s_xquad", "s_choice > s_xquad"]
    assert "nli.test.ru.tsv" in found.absent["s_xnli"]
    assert "qa.train.json" in found.absent["s_choice > s_xquad"]


def test_of_an_absent_path_nothing_is_run(small, tiny, tmp_path):
    """Its training, and the languages that are there, are no use to anybody."""
    there = shutil.copytree(small, tmp_path / "there")
    (there / "nli.test.ru.tsv").unlink()
    found = study_of(there, tiny, "s_xnli")
    assert (found.steps, found.cells) == ({}, [])


def test_a_task_that_the_source_lacks_is_listed(small, tiny):
    found = study_of(small, tiny, "s_tags", "xnli")
    assert list(found.absent) == ["xnli"]
    assert 'task "xnli" is not in source "files"' in found.absent["xnli"]
    assert {cell.target for cell in found.cells} == {"s_tags"}


def test_for_a_single_path_absence_is_an_error(small, tiny, tmp_path):
    there = shutil.copytree(small, tmp_path / "there")
    (there / "nli.test.ru.tsv").unlink()
    with pytest.raises(AbsentError, match=r"nli\.test\.ru\.tsv"):
        study_of(there, tiny, "s_xnli", allow_absent=False)


def test_a_name_nobody_knows_is_an_error_in_any_case(small, tiny):
    with pytest.raises(UserError, match='no task is called "s_tagz": did you mean "s_tags"'):
        study_of(small, tiny, "s_tagz")


def test_a_language_a_path_asks_for_must_be_there(small, tiny):
    with pytest.raises(AbsentError, match="no training rows in ru in source files; it has: en, de"):
        plan_strict(small, tiny, "s_nli:ru > s_tags")


def plan_strict(small, tiny, path):
    study = Study(name="s", paths=(path,), source="files")
    catalogue = Catalogue(small_tasks.tasks(small))
    return planning.build(
        study, recipe(), [models.find(str(tiny))], catalogue, Sources(), allow_absent=False
    )


def test_a_control_under_a_study_is_planned_beside_the_baseline(small, tiny):
    found = study_of(
        small, tiny, "s_xnli", intermediate=("s_squad",), controls=("same_steps", "shuffled")
    )
    assert sorted({cell.path for cell in found.cells}) == [
        "s_squad > s_xnli",
        "s_xnli",
        "same_steps(s_squad) > s_xnli",
        "shuffled(s_squad) > s_xnli",
    ]


def test_a_suite_has_its_own_languages_and_baselines(small, tiny, monkeypatch):
    """Of three languages the suite has two, and one that is not there; a baseline of two stages."""
    own = suites.Suite(
        groups={"all": ("s_xnli", "s_tatoeba")},
        languages={"s_xnli": ("en", "ru", "sw")},
        baselines={"s_tatoeba": "s_squad | s_tatoeba"},
    )
    monkeypatch.setattr(suites, "BENCHMARKS", {"mine": own})
    monkeypatch.setattr(suites, "SUITES", {"mine": own.tasks})
    study = Study(name="s", targets="mine", intermediate=("none", "s_tags"), source="files")
    catalogue = Catalogue(small_tasks.tasks(small))
    found = planning.build(study, recipe(), [models.find(str(tiny))], catalogue, Sources())
    assert {(cell.path, cell.language) for cell in found.cells if cell.target == "s_xnli"} == {
        (path, code) for path in ("s_xnli", "s_tags > s_xnli") for code in ("en", "ru")
    }
    assert {cell.path for cell in found.cells if cell.target == "s_tatoeba"} == {
        *("s_squad | s_tatoeba", "s_tags > s_squad | s_tatoeba")
    }
    assert found.baselines == {"s_tatoeba": "s_squad | s_tatoeba"}
    assert found.absent == {"s_xnli:sw": "not there in source files, though the suite has them"}
    measured = study.model_copy(update={"measure": Measure(scenarios=("offline",))})
    built = planning.build(measured, recipe(), [models.find(str(tiny))], catalogue, Sources())
    assert {(one.path, one.against) for one in built.measured} == {
        ("s_xnli", "s_tags > s_xnli"),
        ("s_squad | s_tatoeba", "s_tags > s_squad | s_tatoeba"),
    }


def test_a_mixture_that_is_not_whole_is_run_as_what_is_there(small, tiny, monkeypatch):
    """One member's file is absent: it is listed, and the path names the others."""
    monkeypatch.setattr(suites, "MIXTURES", {"mine": ("s_nli", "s_gone", "s_tags")})
    gone = Task(
        name="s_gone",
        about="its files are not there",
        format="classification",
        metrics=("accuracy",),
        labels=small_tasks.NLI_LABELS,
        sources={"files": Data(train=Files(path="/nowhere/gone.tsv", reader="tsv"))},
    )
    catalogue = Catalogue([*small_tasks.tasks(small), gone])

    def build(**fields):
        study = Study(name="s", source="files", **fields)
        return planning.build(study, recipe(), [models.find(str(tiny))], catalogue, Sources())

    found = build(targets=("s_xnli",), intermediate=("none", "mine@0.5 + s_squad"))
    path = "s_nli@0.25 + s_tags@0.25 + s_squad > s_xnli"
    assert {cell.path for cell in found.cells} == {"s_xnli", path}
    (asked, why), *more = found.absent.items()
    assert (asked, more) == ("mine@0.5 + s_squad > s_xnli", [])
    assert why.startswith("it lacks s_gone (no file /nowhere/gone.tsv")
    assert why.endswith(f'; in its place stands "{path}"')
    assert found.notes[path].startswith('"mine@0.5 + s_squad > s_xnli" without s_gone; s_nli has ')
    monkeypatch.setattr(suites, "MIXTURES", {"mine": ("s_gone",)})
    nothing = build(paths=("mine > s_xnli", "s_xnli"))
    assert list(nothing.absent) == ["mine > s_xnli"]  # nothing of it is there


def test_several_models_are_planned_side_by_side(small, tiny, tmp_path):
    other = shutil.copytree(tiny, tmp_path / "other")
    (other / "config.json").write_text((tiny / "config.json").read_text() + " ")
    study = Study(name="s", paths=("s_nli > s_xnli",), source="files")
    both = [models.find(str(folder)) for folder in (tiny, other)]
    catalogue = Catalogue(small_tasks.tasks(small))
    found = planning.build(study, recipe(), both, catalogue, Sources())
    assert set(found.models) == {model.fingerprint for model in both}
    assert len(found.cells) == 6
    assert len(ids(found)) == 2 * len(ids(plan(small, tiny, "s_nli > s_xnli")))


def test_a_task_of_ones_own_is_as_good_as_any(small, tiny):
    mine = Task(
        name="mine",
        about="a user's task",
        format="classification",
        metrics=("accuracy",),
        labels=small_tasks.NLI_LABELS,
        sources={
            "files": Data(
                evaluate=Files(
                    path=f"{small}/nli.test.en.tsv",
                    reader="tsv",
                    fields={"text_a": "a", "text_b": "b"},
                )
            )
        },
    )
    tasks = (*small_tasks.tasks(small), mine)
    study = Study(name="s", paths=("s_nli | mine",), source="files")
    model = models.find(str(tiny))
    found = planning.build(study, recipe(), [model], Catalogue(tasks), Sources())
    assert [cell.trained_on for cell in found.cells] == ["s_nli"]


def test_a_margin_is_for_a_target_of_the_study(small, tiny):
    assert plan(small, tiny, PATH, margins=("s_xnli@0.5",)).margins == {"s_xnli": 0.5}
    with pytest.raises(UserError, match=r'margins: "s_xnil" is no target .* did you mean "s_xnli"'):
        plan(small, tiny, PATH, margins=("s_xnil@0.5",))


# --- zero-shot ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "trained_in"),
    [
        ("s_xnli", {"en"}),
        ("s_nli:de > s_xnli", {"en", "de"}),  # whatever the stage
        ("s_tags + s_nli:en/de | s_xnli", {"en", "de"}),
        ("shuffled(s_nli:de) > s_xnli", {"en", "de"}),
        ("s_nli + s_text@0.2 > s_xnli", {"en"}),  # raw text has no labels
        ("text(s_nli:de) > s_xnli", {"en"}),
        ("same_steps(s_nli:de) > s_xnli", {"en"}),  # its steps are counted, its rows not read
        ("s_xnli | s_tatoeba", set()),
    ],
)
def test_zero_shot_is_said_of_every_language(small, tiny, path, trained_in):
    path = path.replace("s_xnli | s", "s_nli | s")
    plan = small_tasks.plan(small, tiny, path)
    assert plan.cells
    assert {cell.language for cell in plan.cells if cell.zero_shot is False} == trained_in
    assert all(cell.zero_shot is not None for cell in plan.cells)
    assert not any("zero-shot" in note for note in plan.notes.values())


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("s_xnli", ""),
        ("s_tags > s_xnli", ""),
        ("s_nli > s_xnli", "s_nli has the rows of the last stage"),
        ("s_tags + s_nli > s_xnli", "s_nli has the rows of the last stage"),
        ("shuffled(s_nli) > s_xnli", ""),
        ("s_nli:de | s_xnli", ""),
        ("s_tags > s_xnli:de", 'only, write "s_tags > s_nli | s_xnli:de"'),
    ],
)
def test_what_a_path_does_that_one_would_not_expect_is_told(small, tiny, path, told):
    notes = small_tasks.plan(small, tiny, path).notes
    assert (told in notes[path]) if told else notes == {}


def test_a_recipe_for_small_encoders_is_told_of_a_large_one(small, tiny):
    large = models.Model("xlm-roberta-base", "xlm-roberta-base", None, "f")
    study = Study(name="z", paths=("s_xnli",), source="files")
    tasks = Catalogue(small_tasks.tasks(small))

    def notes(model, recipe):
        return planning.build(study, recipe, [model], tasks, Sources()).notes

    assert "--recipe authors" in notes(large, recipes.MINI)["xlm-roberta-base"]
    assert notes(large, recipes.AUTHORS) == notes(models.find(str(tiny)), recipes.MINI) == {}


def test_training_in_a_language_that_the_path_does_not_name_is_told(small, tiny):
    """A task of one's own whose only training rows are German."""
    german = next(task for task in small_tasks.tasks(small) if task.name == "s_tags")
    data = german.sources["files"]
    mine = replace(
        german, name="mine", sources={"files": replace(data, train_languages=("de", "ru"))}
    )
    plan = planning.build(
        Study(name="z", paths=("mine", "mine:de | mine", "mine:ru | mine:en"), source="files"),
        small_tasks.RECIPE,
        [models.find(str(tiny))],
        Catalogue((*small_tasks.tasks(small), mine)),
        Sources(),
    )
    by_path = {path: plan.notes.get(path, "") for path in dict.fromkeys(c.path for c in plan.cells)}
    assert "not zero-shot in de: it trains on rows in de without saying so" in by_path["mine"]
    assert [note for path, note in by_path.items() if path != "mine"] == ["", ""]
    (cell,) = (c for c in plan.cells if c.path == "mine" and c.language == "de")
    assert cell.zero_shot is False


def test_the_cap_on_mixtures_is_for_tasks_that_share_the_steps(small, tiny):
    """Masked LM takes a share of the steps: the task beside it keeps all of its own."""
    caps = {
        path: {
            s.inputs["options"]["cap"]
            for s in plan(small, tiny, path).steps.values()
            if s.kind == "train" and len(s.inputs["items"]) > 1
        }
        for path in ("s_nli + s_text@0.2 > s_xnli", "s_nli + s_squad > s_xnli")
    }
    assert caps == {
        "s_nli + s_text@0.2 > s_xnli": {None},
        "s_nli + s_squad > s_xnli": {recipe().cap},
    }

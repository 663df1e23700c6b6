from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from xstilts import recipes
from xstilts.errors import UserError
from xstilts.study import Options, Study, load

TABLE2 = """\
name: table2
models: [xlm-roberta-large]
intermediate: [none, anli_plus, mnli, qqp, squad_v1, squad_v2, hellaswag, ccg,
               cosmos_qa, csqa, all9]
targets: xtreme                 # a suite, or a list of tasks
seeds: [1, 2, 3]
controls: [same_steps, shuffled]
source: hub
recipe: authors
analyses: [gains, claims]
"""


def load_text(folder, text: str, encoding: str = "utf-8") -> Study:
    file = folder / "s.yaml"
    file.write_bytes(text.encode(encoding))
    return load(file)


def refusal(folder, text: str) -> str:
    """What ``load`` says of a bad study, less the folder's name."""
    with pytest.raises(UserError) as caught:
        load_text(folder, text)
    return str(caught.value).removeprefix(f"{folder}/")


def test_the_study_of_the_design(tmp_path):
    study = load_text(tmp_path, TABLE2)
    assert study.name == "table2"
    assert study.models == ("xlm-roberta-large",)
    assert study.intermediate[:3] == ("none", "anli_plus", "mnli")
    assert len(study.intermediate) == 11
    assert study.targets == "xtreme"
    assert study.seeds == (1, 2, 3)
    assert study.controls == ("same_steps", "shuffled")
    assert (study.source, study.recipe, study.keep) == ("hub", "authors", "all")
    assert study.analyses == ("gains", "claims")
    assert study.options == Options(max_eval_rows=None, max_steps=None)


def test_the_study_of_the_documentation(tmp_path):
    guide = Path(__file__).parent.parent / "docs" / "paths.md"
    lines = guide.read_text(encoding="utf-8").partition("## Study files")[2].splitlines()
    text = "".join(f"{line[4:]}\n" for line in lines if line.startswith("    "))
    study = load_text(tmp_path, text)
    assert study.intermediate == ("none", "mnli", "ccg > mnli", "mnli + mlm@0.2")
    assert study.paths == ("| tatoeba", "mnli[10k] > xnli", "squad_v1 | tatoeba, bucc2018")


def test_what_is_not_said_is_the_embedded_default(tmp_path):
    study = load_text(tmp_path, "name: a\ntargets: [xnli]\n")
    assert study == Study(
        name="a",
        models=("mini",),
        intermediate=("none",),
        targets=("xnli",),
        paths=(),
        seeds=(1,),
        controls=(),
        source="microworld",
        recipe="mini",
        analyses=(),
        keep="all",
        options=Options(),
    )


def test_options_and_a_byte_order_mark_are_read(tmp_path):
    text = "name: a\npaths: ['|tatoeba']\noptions: {max_eval_rows: 50, max_steps: 7}\nkeep: none\n"
    study = load_text(tmp_path, text, encoding="utf-8-sig")
    assert study.options == Options(max_eval_rows=50, max_steps=7)
    assert study.keep == "none"


def test_paths_are_kept_as_canonical_text(tmp_path):
    text = "name: a\ntargets: ['xnli:de/fr']\nintermediate: [mnli>ccg, ' none ']\npaths: ['|x']\n"
    study = load_text(tmp_path, text)
    assert study.intermediate == ("mnli > ccg", "none")
    assert study.targets == ("xnli:de/fr",)
    assert study.paths == ("| x",)


def test_a_study_does_not_change():
    study = Study(name="a", targets=("xnli",))
    with pytest.raises(ValidationError, match="frozen"):
        study.name = "b"
    assert hash(study) == hash(Study(name="a", targets=["xnli"]))


def expanded(targets=("xnli",), **fields) -> list[str]:
    study = Study(name="a", **({"targets": "suite"} | fields))
    return [str(path) for path in study.expand(targets)]


def test_expand_goes_target_by_target_then_through_the_literal_paths():
    paths = expanded(
        ("xnli", "tatoeba:de"),
        intermediate=["mnli[10k]", "none", "ccg > mnli", "mnli + mlm@0.2"],
        controls=["shuffled", "text", "same_steps"],
        paths=["squad_v1 | tatoeba, bucc2018"],
    )
    assert paths == [
        "xnli",
        "mnli[10k] > xnli",
        "ccg > mnli > xnli",
        "mnli + mlm@0.2 > xnli",
        "shuffled(mnli[10k]) > xnli",
        "text(mnli[10k]) > xnli",
        "same_steps(mnli[10k]) > xnli",
        "tatoeba:de",
        "mnli[10k] > tatoeba:de",
        "ccg > mnli > tatoeba:de",
        "mnli + mlm@0.2 > tatoeba:de",
        "shuffled(mnli[10k]) > tatoeba:de",
        "text(mnli[10k]) > tatoeba:de",
        "same_steps(mnli[10k]) > tatoeba:de",
        "squad_v1 | tatoeba, bucc2018",
    ]


def test_the_baseline_runs_where_it_is_declared_and_beside_controls():
    assert expanded(intermediate=["mnli"]) == ["mnli > xnli"]
    assert expanded(intermediate=["mnli", "none"]) == ["xnli", "mnli > xnli"]
    assert expanded(intermediate=["mnli"], controls=["text"]) == [
        "xnli",
        "mnli > xnli",
        "text(mnli) > xnli",
    ]


def test_a_control_that_is_an_intermediate_is_not_controlled_again():
    assert expanded(intermediate=["qqp", "text(mnli)"], controls=["shuffled"]) == [
        "xnli",
        "qqp > xnli",
        "text(mnli) > xnli",
        "shuffled(qqp) > xnli",
    ]


def test_no_path_stands_twice():
    assert expanded(("xnli", "xnli"), paths=["xnli", "mnli > xnli"]) == ["xnli", "mnli > xnli"]


def test_literal_paths_need_no_targets():
    study = Study(name="a", paths=["| tatoeba"])
    assert [str(path) for path in study.expand(())] == ["| tatoeba"]


HEAD = "name: a\ntargets: [xnli]\n"  # what follows it stands in line 3
KEYS = (
    "about, analyses, attacks, controls, intermediate, keep, ladders, learning_rates, lora, "
    "margins, measure, models, ..."
)
MARGIN = 'expected a target, "mean" or "doubling", and points above 0, as in xnli@1.0'
QUOTES = 'put text with "[", "{", "," or ": ", or with |, >, @ or % in front, in quotes'
NAME = 'expected at most 80 letters, digits, "_", "-" and ".", the first a letter or a digit'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        # Keys
        (HEAD + "sedes: [1]\n", ', line 3, sedes: unknown key; did you mean "seeds"?'),
        ("nmae: a\ntargets: [xnli]\n", ', line 1, nmae: unknown key; did you mean "name"?'),
        (HEAD + "1: a\n", f", line 3, 1: unknown key; allowed: {KEYS}"),
        (HEAD + "? [b]\n: a\n", ", line 3: found [b], expected a key"),
        (
            HEAD + "options:\n  max_steps: 5\n  max_step: 5\n",
            ', line 5, options.max_step: unknown key; did you mean "max_steps"?',
        ),
        (HEAD + "name: b\n", ", line 3, name: stands twice, first in line 1; keep one"),
        (HEAD + '"name": b\n', ", line 3, name: stands twice, first in line 1; keep one"),
        (
            HEAD + "options:\n  max_steps: 5\n  max_steps: 6\n",
            ", line 5, options.max_steps: stands twice, first in line 4; keep one",
        ),
        (
            HEAD + "analyses: [gain]\n",
            ', line 3, analyses[0]: found gain; did you mean "gains"?',
        ),
        (HEAD + "margins: [xnli@0.0]\n", f", line 3, margins[0]: found xnli@0.0, {MARGIN}"),
        (HEAD + "margins: [xnli]\n", f", line 3, margins[0]: found xnli, {MARGIN}"),
        (
            HEAD + "learning_rates: [1e-4, fast]\n",
            ", line 3, learning_rates[1]: found fast, expected a number",
        ),
        (
            HEAD + "learning_rates: [0.0]\n",
            ", line 3, learning_rates[0]: found 0.0, expected more than 0.0",
        ),
        (
            HEAD + "lora: {rnak: 8}\n",
            ', line 3, lora.rnak: unknown key; did you mean "rank"?',
        ),
        (HEAD + "lora: {rank: 0}\n", ", line 3, lora.rank: found 0, expected 1 or more"),
        (
            HEAD + "models: [a, b]\nladders:\n- [a, c]\n",
            ', line 5, ladders[0][1]: found c, expected one of "models"',
        ),
        (
            HEAD + "models: [a, b]\nladders: [[a, b], [b, a]]\n",
            ", line 4, ladders[1][0]: found b, expected each model on one ladder",
        ),
        (
            HEAD + "models: [a, b]\nladders: [[a]]\n",
            ", line 4, ladders[0]: found [a], expected two models or more",
        ),
        ("targets: [xnli]\n", ": found no name; it needs one"),
        # Values
        ("name:\n", ", line 1, name: found nothing, expected text (in quotes)"),
        ("name: 7\n", ", line 1, name: found 7, expected text (in quotes)"),
        ("name: my study!\n", f', line 1, name: found my study!, {NAME}; write "my-study"'),
        ("name: ../a\n", f', line 1, name: found ../a, {NAME}; write "a"'),
        ("name: é\n", f", line 1, name: found é, {NAME}"),
        (HEAD + "models: mini\n", ", line 3, models: found mini, expected a list such as [a, b]"),
        (HEAD + "models: []\n", ", line 3, models: found [], expected at least one entry"),
        (HEAD + "models: ['']\n", ", line 3, models[0]: found '', expected text"),
        (HEAD + "seeds: [1, two]\n", ", line 3, seeds[1]: found two, expected a whole number"),
        (HEAD + "seeds: [1.5]\n", ", line 3, seeds[0]: found 1.5, expected a whole number"),
        (HEAD + "seeds: [yes]\n", ", line 3, seeds[0]: found yes, expected a whole number"),
        (HEAD + "seeds:\n  - 1\n  - -1\n", ", line 5, seeds[1]: found -1, expected 0 or more"),
        (
            HEAD + "seeds: [2147483648]\n",
            ", line 3, seeds[0]: found 2147483648, expected less than 2147483648",
        ),
        (HEAD + "seeds: [1, 2, 1]\n", ", line 3, seeds[2]: found 1, expected each entry once"),
        (
            HEAD + "options: {max_steps: 0}\n",
            ", line 3, options.max_steps: found 0, expected 1 or more",
        ),
        (HEAD + "options: [5]\n", ", line 3, options: found [5], expected keys and values"),
        (HEAD + "source: hubb\n", ', line 3, source: found hubb; did you mean "hub"?'),
        (
            HEAD + "source: 7\n",
            ", line 3, source: found 7; allowed: files, hub, microworld, mirror",
        ),
        (HEAD + "keep: no\n", ", line 3, keep: found no; allowed: all, intermediates, none"),
        (
            HEAD + "intermediate: [mnli]\ncontrols:\n- text\n- shufled\n",
            ', line 6, controls[1]: found shufled; did you mean "shuffled"?',
        ),
        # Paths
        (
            HEAD + "paths: ['mnli >> xnli']\n",
            ', line 3, paths[0]: path "mnli >> xnli", character 7: found ">", expected a task name',
        ),
        (
            HEAD + "intermediate:\n  - none\n  - MNLI\n",
            (
                ', line 5, intermediate[1]: path "MNLI", character 1: found "MNLI", '
                'expected a task name; names are lower case, write "mnli"'
            ),
        ),
        (
            HEAD + "intermediate: [mnli | xnli]\n",
            (
                ", line 3, intermediate[0]: found mnli | xnli, expected training stages alone; "
                "evaluations belong in targets or paths"
            ),
        ),
        (
            HEAD + "intermediate: [mnli>ccg, mnli > ccg]\n",
            ", line 3, intermediate[1]: found mnli > ccg, expected each entry once",
        ),
        (
            "name: a\ntargets: [xnli, mnli > xnli]\n",
            (
                ", line 2, targets[1]: found mnli > xnli, expected one task; "
                'a whole path belongs in "paths"'
            ),
        ),
        (
            "name: a\ntargets: [text(xnli)]\n",
            (
                ", line 2, targets[0]: found text(xnli), expected one task; "
                'a whole path belongs in "paths"'
            ),
        ),
        (
            "name: a\ntargets: 7\n",
            ", line 2, targets: found 7, expected the name of a suite, or a list of tasks",
        ),
        ("name: a\ntargets: [7]\n", ", line 2, targets[0]: found 7, expected text (in quotes)"),
        # A study that runs nothing
        ("name: a\n", ': nothing to run; write "targets" (and "intermediate"), or "paths"'),
        (
            "name: a\npaths: [xnli]\nintermediate: [mnli]\n",
            ', line 3, intermediate: needs "targets", which is missing',
        ),
        (
            "name: a\npaths: [xnli]\ncontrols: [text]\n",
            ', line 3, controls: needs "targets", which is missing',
        ),
        (
            HEAD + "intermediate: []\n",
            ", line 3, intermediate: names no path; write [none] for the baseline alone",
        ),
        (
            HEAD + "intermediate: [ccg > mnli, ccg + qqp, none]\ncontrols: [text]\n",
            ', line 4, controls: needs an entry of one task in "intermediate", such as mnli',
        ),
        # Files that are no YAML, or not a mapping
        ("", ": found nothing, expected keys and values"),
        ("- a\n", ": found - a, expected keys and values"),
        (
            HEAD + "paths: [mnli[10k] > xnli]\n",
            ", line 3: not YAML: found character '>' that cannot start any token; " + QUOTES,
        ),
        (
            HEAD + "paths:\n  - | tatoeba\n",
            ", line 4: not YAML: expected a comment or a line break, but found 't'; " + QUOTES,
        ),
        (HEAD + "keep: 2024-02-30\n", ": not YAML: day is out of range for month"),
        (
            'name: "\\uD800"\n',
            f', line 1, name: found "\\uD800", {NAME}',
        ),
        ('name: a\ntargets: "\\uD800"\n', ', line 2, targets: found "\\uD800", expected text'),
        # An order is several paths by then
        (
            HEAD + 'paths: ["order(mnli, qqp) > xnli", "mnli >"]\n',
            ', line 3, paths: path "mnli >", character 7: found the end, expected a task name',
        ),
        # A long value is cut
        (
            HEAD + f"keep: {'x' * 70}\n",
            f", line 3, keep: found {'x' * 57}...; allowed: all, intermediates, none",
        ),
    ],
)
def test_a_bad_study_is_refused_in_one_line(tmp_path, text, message):
    assert refusal(tmp_path, text) == f"s.yaml{message}"


@pytest.mark.parametrize(
    "text", ["[" * 3000, "name: !!bool x", "name: !!timestamp x", 'name: "\\UFFFFFFFF"']
)
def test_what_makes_the_yaml_library_stumble_is_refused(tmp_path, text):
    message = refusal(tmp_path, text)  # the rest of it is Python's, and differs by version
    assert message.startswith("s.yaml: not YAML: ")
    assert len(message.splitlines()) == 1


def test_the_first_mistake_in_the_file_is_told_first(tmp_path):
    text = "targets: [xnli]\nkeep: never\nname: a\nseeds: [x]\nmodels: 3\n"
    assert refusal(tmp_path, text).startswith("s.yaml, line 2, keep:")


def test_a_missing_file_names_its_neighbour(tmp_path):
    (tmp_path / "table2.yaml").touch()
    with pytest.raises(UserError) as caught:
        load(tmp_path / "tabel2.yaml")
    assert str(caught.value) == f'{tmp_path}/tabel2.yaml: no such file; did you mean "table2.yaml"?'
    with pytest.raises(UserError) as caught:
        load(tmp_path / "nowhere" / "a.yaml")
    ready = '"xstilts studies" lists the ready-made ones'
    assert str(caught.value) == f"{tmp_path}/nowhere/a.yaml: no such file; {ready}"


def test_a_folder_and_a_file_of_other_bytes_are_refused(tmp_path):
    with pytest.raises(UserError) as caught:
        load(tmp_path)
    assert str(caught.value) == f"{tmp_path}: Is a directory; expected a YAML file"
    (tmp_path / "s.yaml").write_bytes(b"name: \xff")
    with pytest.raises(UserError) as caught:
        load(tmp_path / "s.yaml")
    assert str(caught.value) == f"{tmp_path}/s.yaml: byte 7 is not UTF-8; save it as UTF-8"


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 3),
    st.floats(),
    st.dates(),
    st.text(max_size=8),
    st.sampled_from(["a", "mnli", "none", "mnli > xnli", "text", "shuffled", "hub", "all", "| x"]),
)
VALUES = st.one_of(
    SCALARS,
    st.lists(SCALARS, max_size=3),
    st.lists(st.lists(SCALARS, max_size=2), max_size=2),
    st.dictionaries(st.sampled_from(["max_steps", "max_eval_rows", "x"]), SCALARS, max_size=2),
)
GOOD = {
    "name": "b",
    "models": ["mini", "other"],
    "intermediate": ["none", "mnli", "ccg > mnli"],
    "targets": ["xnli", "tatoeba:de"],
    "paths": ["squad_v1 | tatoeba, bucc2018"],
    "seeds": [0, 7],
    "controls": ["text", "same_steps"],
    "source": "mirror",
    "recipe": "authors",
    "analyses": ["gains"],
    "keep": "none",
    "options": {"max_steps": 3},
}
MAPPINGS = st.builds(
    lambda good, other: {"name": "a", "targets": ["xnli"]} | good | other,
    st.sets(st.sampled_from(list(GOOD))).map(lambda keys: {key: GOOD[key] for key in keys}),
    st.one_of(
        st.just({}),
        st.dictionaries(st.sampled_from(list(GOOD)), VALUES, max_size=1),
        st.dictionaries(SCALARS, SCALARS, max_size=1),
    ),
)
MARKS = list("[]{},:-?'\"#%@|>&*!~ \n\t\x07\x85\u2028")
PIECES = ["name: a\n", "targets: ", "seeds: ", "options: ", "- ", ": ", "  ", "xnli", "a", "*a"]
PIECES += [
    "<<: ",
    "!!bool ",
    "!!int ",
    "!!float ",
    "!!timestamp ",
    "!!binary ",
    "!!set ",
    "!!omap ",
]
PIECES += ["!!pairs ", "2024-02-30", '"\\UFFFFFFFF"', "0x", "1:99", "---\n", "null"]
SNIPPETS = st.lists(st.sampled_from(MARKS + PIECES), max_size=14).map("".join)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(text=st.one_of(MAPPINGS.map(yaml.safe_dump), SNIPPETS))
def test_any_file_is_a_study_or_is_refused_in_one_line(tmp_path, text):
    try:
        study = load_text(tmp_path, text)
    except UserError as error:
        assert len(str(error).splitlines()) == 1  # noqa: PT017 (both outcomes are right)
    else:
        assert study.expand(("xnli",))


def test_a_recipe_in_another_precision_is_the_same_but_for_that():
    plain, bf16 = recipes.get("mini"), recipes.get("mini:bf16")
    assert recipes.get("mini:even").options() == {**plain.options(), "batches": "even"}
    assert bf16 == replace(plain, name="mini:bf16", precision="bf16")
    for name, named in (("mine:bf16", "mine"), ("mini:bf61", "bf16")):
        with pytest.raises(UserError, match=named):
            recipes.get(name)


def test_a_task_file_is_told_from_a_study(tmp_path):
    file = tmp_path / "intents.yaml"
    file.write_text("name: intents\nformat: classification\ntrain: train.csv\n")
    with pytest.raises(UserError, match=f"is a task file, not a study: give --task {file}"):
        load(file)

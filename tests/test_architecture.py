"""Which way imports go, what a start of the program does not load, how long files are."""

from __future__ import annotations

import ast
import json
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

import xstilts

SOURCE = Path(xstilts.__file__).parent
FILES = sorted(SOURCE.rglob("*.py"))

# A room imports only from itself and from the rooms above it, wherever the import stands: at the
# top, inside a function, or for the type checker alone. docs/design.md says what each is for.
ROOMS = {
    "ground": ("errors identity failpoints jsontext plain durations sizes footprint disk _version"),
    "spec": "path orders mistakes yamlfile study recipes scenario pretraining",
    "catalogue": "tasks suites languages resolve",
    "data": "sources formats corpus microworld",
    "metrics": "metrics perturb",
    "model": "model",
    "similarity": "similarity",
    "steps": "steps",
    "plan": (
        "forecast models ladders plan cost cards measures hardware serving_folder adversity "
        "forgetting counting probing rehearsal store "
        "imported engines preflight datafiles leakage submitting"
    ),
    "report": "analysis report",
    "doors": "cli session __init__ __main__",
}
LEVEL = {
    module: level for level, modules in enumerate(ROOMS.values()) for module in modules.split()
}
TORCH_FREE = [
    module
    for room in ("ground", "spec", "catalogue", "data", "metrics")
    for module in ROOMS[room].split()
]
HEAVY = ("torch", "transformers", "pyarrow", "pandas", "duckdb", "scipy", "accelerate", "datasets")


def home(path: Path) -> str:
    """The module or package right below xstilts that a file is, or is in."""
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def imported(text: str) -> set[str]:
    """The modules and packages right below xstilts that a program imports anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(text)):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        for package, *below in (name.split(".") for name in names):
            if package == "xstilts":
                module = below[0] if below else "__init__"
                known = (SOURCE / module).is_dir() or (SOURCE / f"{module}.py").is_file()
                found.add(module if known else "__init__")
    return found


def test_imports_are_found_wherever_they_stand():
    program = """
import numpy, xstilts.plan as planning
from xstilts import errors, store
from xstilts import __version__
if TYPE_CHECKING:
    from xstilts.cli.run import run
def lazy():
    import xstilts.model.encoder
    from xstilts.steps import train
"""
    assert imported(program) == {"plan", "errors", "store", "__init__", "cli", "model", "steps"}
    assert imported("import xstilts") == {"__init__"}
    assert imported("import xstiltsx, torch\nfrom numpy import xstilts") == set()


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_a_room_imports_only_from_rooms_above_it(path):
    here = home(path)
    assert here in LEVEL, f"{here} has no room: give it one in ROOMS"
    below = {one for one in imported(path.read_text("utf-8")) if LEVEL[one] > LEVEL[here]}
    assert not below


def loaded(*arguments: str) -> set[str]:
    """The packages that a Python process has loaded at its end."""
    program = (
        "import atexit, json, sys\n"
        "atexit.register(lambda: print(json.dumps(sorted(sys.modules)), file=sys.stderr))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program + arguments[0], *arguments[1:]],
        check=True,
        capture_output=True,
        text=True,
    )
    return {name.partition(".")[0] for name in json.loads(done.stderr.splitlines()[-1])}


AS_A_PROGRAM = "import runpy; runpy.run_module('xstilts', run_name='__main__', alter_sys=True)"


@pytest.mark.parametrize(
    "arguments",
    [
        ("import xstilts",),
        (AS_A_PROGRAM, "--help"),
        (AS_A_PROGRAM, "run", "--help"),
        (AS_A_PROGRAM, "tasks", "xnli"),
    ],
    ids=lambda arguments: " ".join(arguments[1:]) or arguments[0],
)
def test_a_start_loads_nothing_heavy(arguments):
    found = loaded(*arguments)
    assert "xstilts" in found
    assert not found & set(HEAVY)


def test_rooms_before_the_model_need_no_torch():
    """So that data can be read, and predictions scored, where there is none."""
    modules = [
        ".".join(path.relative_to(SOURCE.parent).with_suffix("").parts)
        for path in FILES
        if home(path) in TORCH_FREE
    ]
    found = loaded("".join(f"import {module}\n" for module in modules))
    assert not found & {"torch", "transformers"}


def test_the_median_file_is_short():
    lengths = [len(path.read_text("utf-8").splitlines()) for path in FILES]
    assert statistics.median(lengths) < 250

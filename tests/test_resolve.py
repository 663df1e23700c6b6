"""What a path means in a source: a table of paths, and of refusals."""

from __future__ import annotations

from dataclasses import replace

import pytest

from xstilts.errors import AbsentError, UserError
from xstilts.path import parse
from xstilts.resolve import Resolved, resolve
from xstilts.suites import MIXTURES
from xstilts.tasks import TASKS, Catalogue

XNLI = "en/ar/bg/de/el/es/fr/hi/ru/sw/th/tr/ur/vi/zh"
XQUAD = "en/ar/de/el/es/hi/ro/ru/th/tr/vi/zh"
MLQA = "en/ar/de/es/hi/vi/zh"
TYDIQA = "en/ar/bn/fi/id/ko/ru/sw/te"
TATOEBA = "/".join(TASKS["tatoeba"].languages)
TEXT = "/".join(TASKS["mlm"].sources["mirror"].train_languages)
QUOTED = "name what to evaluate, in quotes so that the shell leaves the signs alone, as in"
NLI_HEAD = "one classification head for contradiction, entailment, neutral"


def meant(path: str, source: str, catalogue: Catalogue | None = None) -> list[str]:
    """A stage a line, as ``items -> target``, then an evaluation a line, as ``task = head``."""
    found = resolve(parse(path), source, catalogue or Catalogue())
    assert str(found.path) == path
    return _lines(found)


def _lines(found: Resolved) -> list[str]:
    lines = []
    for stage in found.stages:
        items = (
            f"{one.item} for {one.steps_of}" if one.steps_of else str(one.item)
            for one in stage.items
        )
        lines.append(" + ".join(items) + (f" -> {stage.target}" if stage.target else ""))
    for one in found.evaluations:
        lines.append(f"{one.task}:{'/'.join(one.languages)} = {one.head}")
    return lines


@pytest.mark.parametrize(
    ("source", "path", "expected"),
    [
        # the target alone: what it is trained on, the source says
        ("mirror", "xnli", ["taxinli:en -> xnli", f"xnli:{XNLI} = taxinli"]),
        ("hub", "xnli", ["mnli:en -> xnli", f"xnli:{XNLI} = mnli"]),
        ("mirror", "mlqa", ["squad_dev:en -> mlqa", f"mlqa:{MLQA} = squad_dev"]),
        ("hub", "xquad", ["squad_v1:en -> xquad", f"xquad:{XQUAD} = squad_v1"]),
        # a target with its own training rows
        ("mirror", "pawsx", ["pawsx:en -> pawsx", "pawsx:de/zh = pawsx"]),
        ("hub", "pawsx", ["pawsx:en -> pawsx", "pawsx:en/de/es/fr/ja/ko/zh = pawsx"]),
        ("mirror", "tydiqa", ["tydiqa:en -> tydiqa", "tydiqa:ko/sw = tydiqa"]),
        ("hub", "tydiqa", ["tydiqa:en -> tydiqa", f"tydiqa:{TYDIQA} = tydiqa"]),
        ("hub", "mnli", ["mnli:en -> mnli", "mnli:en = mnli"]),
        # a target without training is evaluated as it is
        ("mirror", "tatoeba", [f"tatoeba:{TATOEBA} = None"]),
        ("mirror", "| tatoeba:de", ["tatoeba:de = None"]),
        ("mirror", "squad_dev > tatoeba", ["squad_dev:en", f"tatoeba:{TATOEBA} = None"]),
        ("hub", "squad_v1 | tatoeba:de/fr", ["squad_v1:en", "tatoeba:de/fr = None"]),
        # intermediate stages are no target's, and get a new head
        (
            *("mirror", "hellaswag > xnli"),
            ["hellaswag:en", "taxinli:en -> xnli", f"xnli:{XNLI} = taxinli"],
        ),
        (
            *("mirror", "taxinli > xnli"),
            ["taxinli:en", "taxinli:en -> xnli", f"xnli:{XNLI} = taxinli"],
        ),
        (
            *("mirror", "codah[1k] > csqa > xnli[100]"),
            ["codah:en[1k]", "csqa:en", "taxinli:en[100] -> xnli", f"xnli:{XNLI} = taxinli"],
        ),
        (
            *("hub", "mnli + squad_v1@0.5 > xnli"),
            ["mnli:en + squad_v1:en@0.5", "mnli:en -> xnli", f"xnli:{XNLI} = mnli"],
        ),
        # raw text is in all its languages, unless it is told which
        (
            *("mirror", "taxinli + mlm@0.2 > xnli"),
            [f"taxinli:en + mlm:{TEXT}@0.2", "taxinli:en -> xnli", f"xnli:{XNLI} = taxinli"],
        ),
        (
            *("mirror", "mlm:de/tr[1k] > pawsx"),
            ["mlm:de/tr[1k]", "pawsx:en -> pawsx", "pawsx:de/zh = pawsx"],
        ),
        # controls
        (
            *("mirror", "shuffled(csqa) > xnli"),
            ["shuffled(csqa:en)", "taxinli:en -> xnli", f"xnli:{XNLI} = taxinli"],
        ),
        (
            *("mirror", "text(squad_dev[500]) > xnli"),
            ["text(squad_dev:en[500])", "taxinli:en -> xnli", f"xnli:{XNLI} = taxinli"],
        ),
        (  # the target's own rows, for as many steps as the other task would take
            *("mirror", "same_steps(squad_dev[500]) > xnli"),
            [
                "same_steps(taxinli:en) for squad_dev:en[500]",
                "taxinli:en -> xnli",
                f"xnli:{XNLI} = taxinli",
            ],
        ),
        (  # few rows, for as many steps as many would take
            *("mirror", "taxinli[1k as 5k] > pawsx"),
            ["taxinli:en[1k] for taxinli:en[5k]", "pawsx:en -> pawsx", "pawsx:de/zh = pawsx"],
        ),
        (  # and of the rows the target is cut to
            *("mirror", "same_steps(csqa)@0.5 + codah > pawsx[100]"),
            [
                "same_steps(pawsx:en[100])@0.5 for csqa:en + codah:en",
                "pawsx:en[100] -> pawsx",
                "pawsx:de/zh = pawsx",
            ],
        ),
        # after the bar: which head answers
        ("mirror", "taxinli | xnli:de/sw", ["taxinli:en", "xnli:de/sw = taxinli"]),
        ("mirror", "shuffled(taxinli) | xnli:de", ["shuffled(taxinli:en)", "xnli:de = taxinli"]),
        ("mirror", "squad_v2 | xquad:th", ["squad_v2:en", "xquad:th = squad_v2"]),
        (
            *("mirror", "squad_v2 + squad_dev | xquad:th, mlqa:zh"),
            ["squad_v2:en + squad_dev:en", "xquad:th = squad_dev", "mlqa:zh = squad_dev"],
        ),
        (
            *("mirror", "squad_dev + tydiqa | tydiqa:sw, xquad:ru"),
            ["squad_dev:en + tydiqa:en", "tydiqa:sw = tydiqa", "xquad:ru = squad_dev"],
        ),
        (
            *("mirror", "taxinli > squad_dev | xquad:el, tatoeba:el"),
            ["taxinli:en", "squad_dev:en", "xquad:el = squad_dev", "tatoeba:el = None"],
        ),
    ],
)
def test_meaning(source, path, expected):
    assert meant(path, source) == expected


@pytest.mark.parametrize(
    ("kind", "source", "path", "message"),
    [
        # names
        (UserError, "mirror", "xnlj", 'no task is called "xnlj": did you mean "xnli"?'),
        (UserError, "mirror", "tatoba", 'no task is called "tatoba": did you mean "tatoeba"?'),
        (
            *(UserError, "mirror", "taxinli:deu > xnli"),
            'language "deu" is not a known code: did you mean "de" (German)?',
        ),
        (
            *(UserError, "mirror", "| tatoeba:deu"),
            'language "deu" is not a known code: did you mean "de" (German)?',
        ),
        # data that is not there
        (
            *(AbsentError, "mirror", "qqp > xnli"),
            'task "qqp" is not in source "mirror"; it is in: hub, microworld',
        ),
        (
            *(AbsentError, "hub", "taxinli > xnli"),
            'task "taxinli" is not in source "hub"; it is in: microworld, mirror',
        ),
        (
            *(AbsentError, "mirror", "all9 > xnli"),
            'mixture "all9" is not whole in source mirror; it lacks: anli_plus, qqp',
        ),
        (
            *(AbsentError, "mirror", "taxinli:de/ru > xnli"),
            '"taxinli:de/ru": taxinli has no training rows in de in source mirror; it has: en',
        ),
        (
            *(AbsentError, "mirror", "same_steps(csqa:de) > xnli"),
            '"csqa:de": csqa has no training rows in de in source mirror; it has: en',
        ),
        (
            *(AbsentError, "mirror", "xnli > pawsx"),
            "xnli has no training rows of its own in source mirror; it is trained on taxinli",
        ),
        (
            *(AbsentError, "mirror", "tatoeba > xnli"),
            "tatoeba has no training rows of its own in source mirror",
        ),
        (AbsentError, "mirror", "| taxinli", "taxinli has nothing to evaluate in source mirror"),
        (
            *(AbsentError, "mirror", "squad_dev | tydiqa:ko/fi"),
            '"tydiqa:ko/fi": tydiqa is not there in fi in source mirror; it has: ko, sw',
        ),
        # paths that end in nothing to evaluate
        (
            *(UserError, "mirror", "xnli > taxinli"),
            (
                'path ends in "taxinli", which has nothing to evaluate in source mirror: '
                f'{QUOTED} "taxinli | xnli"'
            ),
        ),
        (
            *(UserError, "mirror", "taxinli + squad_dev"),
            (
                'path ends in "taxinli + squad_dev", which has nothing to evaluate in source '
                f'mirror: {QUOTED} "taxinli + squad_dev | xnli"'
            ),
        ),
        (
            *(UserError, "mirror", "text(csqa)"),
            (
                'path ends in "text(csqa)", which has nothing to evaluate in source mirror: '
                f'{QUOTED} "text(csqa) > xnli"'
            ),
        ),
        # targets without training rows
        (
            *(UserError, "mirror", "squad_dev > tatoeba[10]"),
            (
                '"tatoeba[10]": tatoeba has no training rows to choose from; languages to evaluate '
                'stand after the bar, as in "| tatoeba"'
            ),
        ),
        (
            *(UserError, "mirror", "squad_dev > tatoeba:de"),
            (
                '"tatoeba:de": tatoeba has no training rows to choose from; languages to evaluate '
                'stand after the bar, as in "| tatoeba:de"'
            ),
        ),
        (
            *(AbsentError, "mirror", "same_steps(csqa) > tatoeba"),
            (
                '"same_steps(csqa)" needs a target with training data after it, '
                'as in "same_steps(csqa) > xnli"'
            ),
        ),
        (
            *(AbsentError, "mirror", "same_steps(csqa) | csqa"),
            (
                '"same_steps(csqa)" needs a target with training data after it, '
                'as in "same_steps(csqa) > xnli"'
            ),
        ),
        # heads
        (
            *(UserError, "mirror", "| xnli"),
            (
                f'"xnli" after the bar needs {NLI_HEAD} from the last stage; it trained: nothing; '
                '"> xnli" trains one'
            ),
        ),
        (
            *(UserError, "mirror", "taxinli > squad_dev | xnli"),
            (
                f'"xnli" after the bar needs {NLI_HEAD} from the last stage; '
                'it trained: squad_dev; "> xnli" trains one'
            ),
        ),
        (
            *(UserError, "mirror", "text(squad_dev) | xquad"),
            (
                '"xquad" after the bar needs one span head from the last stage; '
                'it trained: nothing; "> xquad" trains one'
            ),
        ),
        (
            *(UserError, "mirror", "squad_v2 + tydiqa | xquad"),
            (
                '"xquad" after the bar needs one span head from the last stage; '
                'more than one fits: squad_v2, tydiqa; "> xquad" trains one'
            ),
        ),
        (
            *(UserError, "hub", "all9 + mnli > xquad"),
            ('"all9 + mnli": mnli stands in it twice, by itself and in a mixture: leave one out'),
        ),
        (  # two classes are not three
            *(UserError, "mirror", "pawsx | xnli"),
            (
                f'"xnli" after the bar needs {NLI_HEAD} from the last stage; it trained: pawsx; '
                '"> xnli" trains one'
            ),
        ),
    ],
)
def test_refusals(kind, source, path, message):
    with pytest.raises(UserError) as refused:
        resolve(parse(path), source, Catalogue())
    assert str(refused.value) == message
    assert refused.type is kind


@pytest.mark.parametrize(
    ("source", "path", "treatment", "because"),
    [
        ("mirror", "same_steps(taxinli) > xnli", "taxinli > xnli", "xnli is trained on taxinli"),
        ("hub", "same_steps(mnli) > xnli", "mnli > xnli", "xnli is trained on mnli"),
        ("mirror", "same_steps(csqa) > csqa", "csqa > csqa", "csqa is trained on csqa"),
        (
            *("mirror", "same_steps(taxinli[1k])@0.5 + csqa > xnli[1k]"),
            *("taxinli[1k]@0.5 + csqa > xnli[1k]", "xnli is trained on taxinli"),
        ),
    ],
)
def test_a_control_on_the_targets_own_data_is_the_treatment(source, path, treatment, because):
    """Twelve steps of A where A would take twelve steps: the same stages, so the same steps."""
    found = resolve(parse(path), source, Catalogue())
    same = resolve(parse(treatment), source, Catalogue())
    assert str(found.path) == path
    assert (found.stages, found.evaluations) == (same.stages, same.evaluations)
    assert found.note == f'the very same as "{treatment}": in source {source}, {because}'
    assert same.note == ""


@pytest.mark.parametrize(
    "path",
    [
        "same_steps(csqa) > xnli",
        "same_steps(taxinli[1k]) > xnli",  # all rows for as many steps as a thousand take
        "same_steps(taxinli) + same_steps(csqa) > xnli",
        "same_steps(taxinli) + taxinli > xnli",  # would be the same task twice
        "shuffled(taxinli) > xnli",
    ],
)
def test_a_control_that_is_one_stays(path):
    found = resolve(parse(path), "mirror", Catalogue())
    assert found.note == ""
    assert any(one.item.control for one in found.stages[0].items)


@pytest.fixture
def whole() -> Catalogue:
    """A catalogue in which all nine tasks of all9 are on the hub."""
    missing = set(MIXTURES["all9"]) - TASKS.keys()
    return Catalogue(replace(TASKS["mnli"], name=name) for name in sorted(missing))


def test_a_mixture_is_its_tasks(whole):
    stage, *_ = meant("all9 > xnli", "hub", whole)
    assert stage == " + ".join(f"{name}:en" for name in MIXTURES["all9"])


def test_a_mixtures_rows_control_and_share_are_its_tasks(whole):
    found = resolve(parse("shuffled(all9[10k])@0.45 + pawsx > xnli"), "hub", whole)
    *mixture, other = (one.item for one in found.stages[0].items)
    assert [item.task for item in mixture] == list(MIXTURES["all9"])
    assert {(item.rows, item.control) for item in mixture} == {(10_000, "shuffled")}
    assert [item.share for item in mixture] == [pytest.approx(0.05)] * 9
    assert (other.task, other.share) == ("pawsx", None)


@pytest.mark.parametrize("source", ["mirror", "hub"])
def test_every_task_that_can_be_evaluated_is_a_path(source):
    """Alone it means training on what it declares, and its own head or that of its data."""
    for task in TASKS.values():
        data = task.sources.get(source)
        if data is None or data.evaluate is None:
            continue
        found = resolve(parse(task.name), source, Catalogue())
        (evaluation,) = found.evaluations
        assert evaluation.languages == (data.languages or task.languages)
        trained = data.train_on or (task.name if data.train else None)
        assert evaluation.head == trained
        assert [s.target for s in found.stages] == ([task.name] if trained else [])

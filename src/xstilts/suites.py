"""Named lists of tasks: suites to evaluate on, and mixtures to train on together."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import mean
from types import MappingProxyType
from typing import TYPE_CHECKING

from xstilts.errors import UserError, suggest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


@dataclass(frozen=True)
class Suite:
    """A benchmark: which tasks, in which languages, and how its numbers are averaged.

    Attributes:
        groups: group -> its tasks, in the order of the paper's tables.
        languages: task -> its languages; a task not named here has all that it is published in.
        baselines: task -> the path of the benchmark's own baseline, where that is more than
            training on the task's own data (or, in retrieval without training, than nothing). In a
            study of the suite, intermediate stages come before those of this path.
    """

    groups: Mapping[str, tuple[str, ...]]
    languages: Mapping[str, tuple[str, ...]]
    baselines: Mapping[str, str] = field(default_factory=dict)

    @property
    def tasks(self) -> tuple[str, ...]:
        """All tasks, group after group."""
        return tuple(task for tasks in self.groups.values() for task in tasks)


@dataclass(frozen=True)
class Means:
    """What a suite's leaderboard prints: every mean unweighted, in the unit of the scores.

    Attributes:
        tasks: task -> mean over its languages; None where a language is missing.
        groups: group -> mean over its tasks; None where one is missing.
        over_tasks: the leaderboard's number, over all tasks; None where one is missing.
        over_groups: the mean over groups, which some papers print; None where one is missing.
        missing: what is not there, as ``task language``.
    """

    tasks: Mapping[str, float | None]
    groups: Mapping[str, float | None]
    over_tasks: float | None
    over_groups: float | None
    missing: tuple[str, ...]


def _codes(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_UDPOS = (
    "af ar bg de el en es et eu fa fi fr he hi hu id it ja kk ko mr nl pt ru ta te th tl tr ur vi "
    "yo zh"
)
_PANX = (
    "af ar bg bn de el en es et eu fa fi fr he hi hu id it ja jv ka kk ko ml mr ms my nl pt ru sw "
    "ta te th tl tr ur vi yo zh"
)
_TATOEBA = (
    "af ar bg bn de el es et eu fa fi fr he hi hu id it ja jv ka kk ko ml mr nl pt ru sw ta te th "
    "tl tr ur vi zh"
)
# Groups and languages: evaluate.py of google-research/xtreme.
XTREME = Suite(
    groups=MappingProxyType(
        {
            "classification": ("xnli", "pawsx"),
            "tagging": ("udpos", "panx"),
            "qa": ("xquad", "mlqa", "tydiqa"),
            "retrieval": ("bucc2018", "tatoeba"),
        }
    ),
    languages=MappingProxyType(
        {
            "xnli": _codes("ar bg de el en es fr hi ru sw th tr ur vi zh"),
            "pawsx": _codes("de en es fr ja ko zh"),
            "udpos": _codes(_UDPOS),
            "panx": _codes(_PANX),
            "xquad": _codes("en es de el ru tr ar vi th zh hi"),
            "mlqa": _codes("en es de ar hi vi zh"),
            "tydiqa": _codes("en ar bn fi id ko ru sw te"),
            "bucc2018": _codes("de fr ru zh"),
            "tatoeba": _codes(_TATOEBA),
        }
    ),
)
# LAReQA's list is empty in that script; its eleven languages are those of its files.
XTREME_R = Suite(
    groups=MappingProxyType(
        {
            "classification": ("xnli", "xcopa"),
            "tagging": ("udpos", "panx"),
            "qa": ("xquad", "mlqa", "tydiqa"),
            "retrieval": ("mewslix", "lareqa", "tatoeba"),
        }
    ),
    languages=MappingProxyType(
        {
            "xnli": XTREME.languages["xnli"],
            "xcopa": _codes("et ht id it qu sw ta th tr vi zh"),
            "udpos": _codes(f"{_UDPOS} lt pl uk wo ro"),
            "panx": _codes(f"{_PANX} az gu lt pa pl qu ro uk"),
            "xquad": (*XTREME.languages["xquad"], "ro"),
            "mlqa": XTREME.languages["mlqa"],
            "tydiqa": XTREME.languages["tydiqa"],
            "mewslix": _codes("ar de en es fa ja pl ro ta tr uk"),
            "lareqa": XTREME.languages["xquad"],
            "tatoeba": _codes(f"{_TATOEBA} az lt pl ro uk"),
        }
    ),
    # run_tatoeba.sh takes a model trained on SQuAD; train_xcopa.sh trains on SIQA, then on COPA.
    baselines=MappingProxyType(
        {"xcopa": "social_iqa > copa | xcopa", "tatoeba": "squad_v1 | tatoeba"}
    ),
)
# What stands on the mirror, stand-ins under their own names.
MIRROR = Suite(
    groups=MappingProxyType(
        {
            "classification": ("xnli", "pawsx"),
            "choice": ("xcopa",),
            "tagging": ("udpos", "wikineural"),
            "qa": ("xquad", "mlqa", "tydiqa"),
            "retrieval": ("lareqa", "tatoeba"),
        }
    ),
    languages=MappingProxyType({}),
)
# What the microworld has rows for.
MICROWORLD = Suite(
    groups=MappingProxyType(
        {
            "classification": ("xnli", "pawsx"),
            "choice": ("xcopa",),
            "tagging": ("udpos", "panx"),
            "qa": ("xquad", "mlqa", "tydiqa"),
            "retrieval": ("tatoeba",),
        }
    ),
    languages=MappingProxyType({}),
)
BENCHMARKS: Mapping[str, Suite] = MappingProxyType(
    {"xtreme": XTREME, "xtreme-r": XTREME_R, "mirror": MIRROR, "microworld": MICROWORLD}
)
SUITES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {name: suite.tasks for name, suite in BENCHMARKS.items()}
)

_NINE = (
    *("anli_plus", "mnli", "qqp", "squad_v1", "squad_v2", "hellaswag", "ccg"),
    *("cosmos_qa", "csqa"),
)
MIXTURES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        # The nine intermediate tasks of the paper, trained together. MNLI is a part of ANLI+ and a
        # task of its own, so that its rows are seen twice. Which of the two the paper did is not
        # known; without the second time, the mixture is all9_mnli_once. CCGbank needs a licence;
        # without it, conditions are others than the paper's, and the name says so.
        "all9": _NINE,
        "all9_mnli_once": tuple(name for name in _NINE if name != "mnli"),
        "all9_without_ccg": tuple(name for name in _NINE if name != "ccg"),
    }
)


def suite(name: str) -> tuple[str, ...]:
    """The tasks of a suite.

    Raises:
        UserError: if there is no such suite.
    """
    if name not in SUITES:
        raise UserError(f'no suite is called "{name}":{suggest(name, SUITES)}')
    return SUITES[name]


def means(
    name: str,
    scores: Mapping[str, Mapping[str, float]],
    *,
    english: bool = True,
    retrieval: bool = True,
) -> Means:
    """A suite's averages, by the rules of XTREME's evaluate.py.

    Args:
        name: of a suite whose languages are fixed: ``xtreme`` or ``xtreme-r``.
        scores: task -> language -> the task's score there: the mean of its main metrics (of F1 and
            exact match in question answering). Other tasks and languages are left out.
        english: whether English counts; the leaderboards count it.
        retrieval: whether the retrieval tasks count; the leaderboards count them.
    """
    benchmark = BENCHMARKS[name]
    groups = dict(benchmark.groups)
    if not retrieval:
        del groups["retrieval"]
    by_task: dict[str, float | None] = {}
    missing: list[str] = []
    for task in (task for tasks in groups.values() for task in tasks):
        have = scores.get(task, {})
        asked = [code for code in benchmark.languages[task] if english or code != "en"]
        absent = [code for code in asked if code not in have]
        missing += [f"{task} {code}" for code in absent]
        by_task[task] = None if absent else mean(have[code] for code in asked)
    by_group = {group: _mean(by_task[task] for task in tasks) for group, tasks in groups.items()}
    return Means(
        by_task, by_group, _mean(by_task.values()), _mean(by_group.values()), tuple(missing)
    )


def _mean(values: Iterable[float | None]) -> float | None:
    """The mean, if nothing is missing."""
    have = list(values)
    whole = [value for value in have if value is not None]
    return mean(whole) if len(whole) == len(have) else None

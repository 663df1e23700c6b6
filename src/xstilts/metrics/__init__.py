"""Metrics: predictions -> numbers, in [0, 1], equal to those of the official scripts.

A metric is a value of summed counts, and the counts of a unit (an example, a sentence, a
question, a query) depend on that unit alone. A bootstrap need only re-sum counts.

    >>> units = [{"gold": "neutral", "prediction": "neutral"},
    ...          {"gold": "neutral", "prediction": "entailment"}]
    >>> score(get("accuracy"), units, "sw")
    0.5

What a unit holds, by format:

| format | gold | prediction |
|---|---|---|
| classification, multiple_choice | a label, or a choice's number | the same |
| tagging | a tag for each token | a tag for each token |
| span | texts of the right answers; none: unanswerable | the answer's text; "": no answer |
| retrieval | the right id (average precision: all right ids) | ids, best first |
| mlm | how many tokens were hidden | their summed loss in nats |
| text to text | as the task's format has it, and whether it is legal | the same |
| mined pairs | ids of a sentence's right partners | ids of those extracted |

Mined pairs (``bitext``) and the silence of SQuAD v2.0 (``span.best_null_threshold``) first need a
threshold, which depends on all units together; what comes of it is then scored as above.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import e
from typing import TYPE_CHECKING, Any, TypeAlias

from xstilts.errors import UserError, suggest
from xstilts.metrics import accuracy, bitext, chunks, mlqa, ranking, span

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np

Unit: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True)
class Metric:
    """One way to score predictions.

    Attributes:
        name: what studies and score rows call it.
        version: part of a score's identity; raised whenever a value could change.
        counts: one unit and its language code -> that unit's counts.
        value: the counts summed over units -> the score, in [0, 1]. Given an array for each count
            (one sum a resample), it returns an array.
        source: the script or paper that it reproduces.
        sparse: whether a unit that would count 0 may be left out. Of mined pairs only sentences
            with a right or a mined partner are units, and which are mined differs from run to run.
    """

    name: str
    version: int
    counts: Callable[[Unit, str], tuple[float, ...]]
    value: Callable[[Sequence[Any]], Any]
    source: str
    sparse: bool = False


def get(name: str) -> Metric:
    """The metric of that name.

    Raises:
        UserError: if there is none.
    """
    if name not in METRICS:
        raise UserError(f'metric "{name}" is unknown;{suggest(name, METRICS)}')
    return METRICS[name]


def counts(metric: Metric, units: Iterable[Unit], language: str) -> np.ndarray:
    """The counts of every unit: [n_units, n_counts], float64.

    Raises:
        ValueError: if there are no units: an absent language has no score, not even zero.
    """
    import numpy as np

    rows = [metric.counts(unit, language) for unit in units]
    if not rows:
        raise ValueError(f"no units to score: metric {metric.name}, language {language}")
    return np.array(rows, dtype=np.float64)


def score(metric: Metric, units: Iterable[Unit], language: str) -> float:
    """The metric's value over the units, in [0, 1].

    Raises:
        ValueError: if there is nothing to score (no units; for tag accuracy, no tokens).
    """
    return metric.value(counts(metric, units, language).sum(axis=0).tolist())


def _share(sums: Sequence[Any]) -> Any:
    """Summed credit over the number of things that could have earned it."""
    credit, things = sums
    if isinstance(things, float) and not things:
        raise ValueError("nothing to score: every unit is empty")
    return credit / things


def _any_language(
    measure: Callable[[Any, Any], tuple[float, ...]],
) -> Callable[[Unit, str], tuple[float, ...]]:
    """Counts by a measure that is the same in all languages."""
    return lambda unit, _language: measure(unit["gold"], unit["prediction"])


def _by_language(
    measure: Callable[[Any, Any, str], tuple[float, ...]],
) -> Callable[[Unit, str], tuple[float, ...]]:
    """Counts by a measure that has rules for each language."""
    return lambda unit, language: measure(unit["gold"], unit["prediction"], language)


def _loss(unit: Unit, _language: str) -> tuple[float, float]:
    return float(unit["prediction"]), float(unit["gold"])


def _illegal(unit: Unit, _language: str) -> tuple[float, float]:
    return float(not unit["legal"]), 1.0


def _translated(unit: Unit, language: str) -> tuple[float, float]:
    """Of answers to questions about English contexts none is a translation into English."""
    return float(unit["translated"] and language != "en"), 1.0


def _likelihood(sums: Sequence[Any]) -> Any:
    """The geometric mean of the hidden tokens' probabilities: e to minus the mean loss."""
    return e ** -_share(sums)


_SQUAD = "evaluate-v1.1.py (Rajpurkar et al. 2016), as XTREME applies it to all languages"
_SQUAD_V2 = "evaluate-v2.0.py (Rajpurkar et al. 2018), without a no-answer threshold"
_MLQA = "mlqa_evaluation_v1.py (Lewis et al. 2020)"
_XTREME = "XTREME evaluate.py (Hu et al. 2020), accuracy"
_GLUE = "GLUE (Wang et al. 2018): F1 of the class 1 of QQP and MRPC"
_BUCC = "XTREME evaluate.py (Hu et al. 2020), bucc_f1: of sets of pairs"
_LAREQA = "XTREME-R utils_lareqa.py (Ruder et al. 2021), average_precision_at_k"
_MLM = "Devlin et al. 2019, section 3.1: e to minus the mean loss of a hidden token"
_MT5 = "Xue et al. 2021, section 5; the rule is that of formats/text2text.py"
_MEWSLI = "XTREME-R utils_mewslix.py (Ruder et al. 2021), mean_reciprocal_rank"

METRICS: Mapping[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("accuracy", 1, _any_language(accuracy.right_answers), _share, _XTREME),
        Metric("positive_f1", 1, _any_language(accuracy.positives), chunks.micro_f1, _GLUE),
        Metric(
            "tag_accuracy",
            1,
            _any_language(accuracy.right_tags),
            _share,
            "seqeval 1.2.2, accuracy_score: of all tokens together",
        ),
        Metric(
            "seqeval_f1",
            1,
            _any_language(chunks.iob_counts),
            chunks.micro_f1,
            "seqeval 1.2.2, f1_score, default mode, micro average",
        ),
        Metric(
            "pos_f1",
            1,
            _any_language(chunks.pos_counts),
            chunks.micro_f1,
            "seqeval 0.0.12, f1_score on bare tags, as in XTREME and the authors' toolkit",
        ),
        Metric("squad_f1", 1, _any_language(span.squad_f1), _share, _SQUAD),
        Metric("squad_exact_match", 1, _any_language(span.squad_exact_match), _share, _SQUAD),
        Metric("squad_v2_f1", 1, _any_language(span.squad_v2_f1), _share, _SQUAD_V2),
        Metric(
            "squad_v2_exact_match", 1, _any_language(span.squad_v2_exact_match), _share, _SQUAD_V2
        ),
        Metric("mlqa_f1", 1, _by_language(mlqa.mlqa_f1), _share, _MLQA),
        Metric("mlqa_exact_match", 1, _by_language(mlqa.mlqa_exact_match), _share, _MLQA),
        Metric(
            *("bitext_f1", 1, _any_language(bitext.pair_counts), chunks.micro_f1, _BUCC),
            sparse=True,
        ),
        Metric("retrieval_accuracy", 1, _any_language(ranking.first_is_right), _share, _XTREME),
        Metric("masked_lm_likelihood", 1, _loss, _likelihood, _MLM),
        Metric("illegal_output", 1, _illegal, _share, _MT5),
        Metric("accidental_translation", 1, _translated, _share, _MT5),
        Metric("reciprocal_rank_at_20", 1, _any_language(ranking.reciprocal_rank), _share, _MEWSLI),
        Metric(
            "average_precision_at_20", 1, _any_language(ranking.average_precision), _share, _LAREQA
        ),
    )
}

"""Retrieval: texts in, their embeddings compared.

Translations (Tatoeba): the first half of the sequences are the foreign sentences (the index), the
second half the English ones (the queries), as in XTREME's evaluation. A dual encoder is trained on
queries with a right candidate, a unit of two sequences each; it answers from a pool of candidates,
which are encoded by themselves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xstilts.formats.encoded import Builder, Encoded, Template, fit_pair, token_ids
from xstilts.formats.examples import Bitext, Query

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray
    from tokenizers import Tokenizer

    from xstilts.formats import Limits
    from xstilts.formats.examples import Candidate
    from xstilts.tasks.base import Task


def encode(
    task: Task,
    examples: Sequence[Bitext | Query | Candidate],
    tokenizer: Tokenizer,
    limits: Limits,
) -> Encoded:
    """Of ``n`` translations ``2n`` units; else a unit an example, of a sequence or two.

    Unit ``u < n`` is the foreign text of translation ``u``, unit ``n + u`` its English. The
    sequences of a query with an answer are the query and the answer; a candidate of two texts is
    one sequence.
    """
    queries, candidates = task.lengths or (limits.max_length, limits.max_length)
    most = [min(length, limits.max_length) for length in (queries, candidates)]
    texts: list[tuple[tuple[str, ...], int]] = []  # of each sequence, and how long it may be
    ends: list[int] = []  # the sequences after each unit
    translations = [one for one in examples if isinstance(one, Bitext)]
    for text in [one.text for one in translations] + [one.english for one in translations]:
        texts.append(((text,), most[0]))
        ends.append(len(texts))
    for one in examples:
        if isinstance(one, Query):
            texts += [((one.text,), most[0])] + [(one.answer, most[1])] * bool(one.answer)
            ends.append(len(texts))
        elif not isinstance(one, Bitext):
            texts.append((one.texts, most[1]))
            ends.append(len(texts))
    return _built(texts, ends, len(examples), tokenizer)


def _built(
    texts: Sequence[tuple[tuple[str, ...], int]],
    ends: Sequence[int],
    examples: int,
    tokenizer: Tokenizer,
) -> Encoded:
    template, builder = Template.of(tokenizer), Builder()
    firsts = token_ids(tokenizer, [one[0] for one, _ in texts])
    seconds = token_ids(tokenizer, [one[-1] if len(one) > 1 else "" for one, _ in texts])
    start = 0
    for unit, end in enumerate(ends):
        for place in range(start, end):
            (given, most), first = texts[place], firsts[place]
            if len(given) > 1:
                room = most - template.pair_specials
                builder.sequence(*template.pair(*fit_pair(first, seconds[place], room)))
            else:
                builder.sequence(template.single(first[: most - template.single_specials]))
        builder.end_unit(unit % examples)
        start = end
    return builder.build(template.second_type)


def decode(
    task: Task, examples: Sequence[Bitext | Query], _encoded: Encoded, outputs: NDArray
) -> Iterator[dict[str, Any]]:
    """Prediction rows, one a layer and query, from ranked example indices ``[layers, n, best]``.

    Queries with answers, as in selection, are ranked among all the examples' answers; whatever has
    the same answer is right, and where one answer alone may be right, it is the query's own.
    """
    single = "reciprocal_rank_at_20" in task.metrics
    answered: dict[tuple[str, ...], list[str]] = {}
    for one in examples:
        if isinstance(one, Query):
            answered.setdefault(one.answer, []).append(one.id)
    for layer, ranked in enumerate(outputs):
        for example, best in zip(examples, ranked, strict=True):
            right: str | list[str] = example.id
            if isinstance(example, Query) and not single:
                right = answered[example.answer]
            yield {
                "id": example.id,
                "group": example.group,
                "layer": layer,
                "gold": right,
                "prediction": [examples[i].id for i in best],
            }

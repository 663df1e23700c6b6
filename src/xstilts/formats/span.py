"""Extractive QA: a question and a context in, a piece of the context out.

A long context is cut into overlapping windows; ``doc_stride`` is the *step* between windows, as in
the SQuAD scripts, not an overlap. Answers are read from character offsets, so that no text is
re-aligned afterwards. Search, by run_squad's rules: the 20 best starts and ends, at most 30 tokens,
a start only in the window where it has most context around it. The 20 are counted among the tokens
that may be starts or ends; run_squad counts first and then drops the question's.
"""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, Any

import numpy as np

from xstilts.formats.encoded import Builder, Encoded, Template

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray
    from tokenizers import Tokenizer

    from xstilts.formats import Limits
    from xstilts.formats.examples import Question
    from xstilts.tasks.base import Task

BEST = 20
MAX_ANSWER_TOKENS = 30


def encode(
    _task: Task, examples: Sequence[Question], tokenizer: Tokenizer, limits: Limits
) -> Encoded:
    """One unit a window.

    Targets: ``span`` int64 ``[S, 2]``, the first answer's first and last token within the
    sequence, (0, 0) where the window does not hold it; ``chars`` int32 ``[T, 2]``, the characters
    a context token covers, (-1, -1) elsewhere; ``best_window`` bool ``[T]``, whether no other
    window shows this token with more context.
    """
    template, builder = Template.of(tokenizer), Builder()
    questions = tokenizer.encode_batch([e.question for e in examples], add_special_tokens=False)
    contexts = tokenizer.encode_batch([e.context for e in examples], add_special_tokens=False)
    spans: list[tuple[int, int]] = []
    chars: list[NDArray[np.int32]] = []
    best: list[NDArray[np.bool_]] = []
    for owner, (example, asked, context) in enumerate(
        zip(examples, questions, contexts, strict=True)
    ):
        question = asked.ids[: limits.max_query_length]
        room = limits.max_length - len(question) - template.pair_specials
        assert room > 0, "a question may not fill the whole sequence"
        offsets = _characters(context.offsets, example.context)
        answer = _answer_tokens(example, offsets)
        windows = list(_windows(len(context.ids), room, limits.doc_stride))
        for number, (start, end) in enumerate(windows):
            ids, head = template.pair(question, context.ids[start:end])
            builder.sequence(ids, head)
            builder.end_unit(owner)
            spans.append(_target(answer, start, end, head))
            inside = slice(head, head + end - start)
            window_chars = np.full((len(ids), 2), -1, np.int32)
            window_chars[inside] = offsets[start:end]
            chars.append(window_chars)
            window_best = np.zeros(len(ids), bool)
            window_best[inside] = _has_most_context(windows, number)
            best.append(window_best)
    return builder.build(
        template.second_type,
        span=np.array(spans, np.int64).reshape(-1, 2),
        chars=np.concatenate(chars),
        best_window=np.concatenate(best),
    )


def decode(
    task: Task, examples: Sequence[Question], encoded: Encoded, outputs: NDArray[np.float32]
) -> Iterator[dict[str, Any]]:
    """Prediction rows from start and end logits ``[T, 2]``.

    ``null_odds`` is the best no-answer score minus the best answer's; with ``task.unanswerable``
    the prediction is empty where it is above 0, and ``answer`` is the best answer all the same.
    """
    answers = [("", -np.inf)] * len(examples)
    nulls = np.full(len(examples), np.inf)
    for unit, owner in enumerate(encoded.owner):
        start, end = encoded.offsets[unit], encoded.offsets[unit + 1]
        logits = outputs[start:end]
        chars, best = encoded.targets["chars"][start:end], encoded.targets["best_window"][start:end]
        nulls[owner] = min(nulls[owner], float(logits[0].sum()))
        found = _best_span(logits, chars[:, 0] >= 0, best)
        if found is not None and found[2] > answers[owner][1]:
            text = examples[owner].context[chars[found[0], 0] : chars[found[1], 1]]
            answers[owner] = (text.strip(), found[2])
    for example, (text, score), null in zip(examples, answers, nulls, strict=True):
        odds = float(null - score)
        row = {
            "id": example.id,
            "group": example.group,
            "gold": list(example.answers),
            "prediction": text,
            "null_odds": odds,
        }
        if task.unanswerable:
            row |= {"prediction": "" if odds > 0 else text, "answer": text}
        yield row


def _windows(tokens: int, room: int, stride: int) -> Iterator[tuple[int, int]]:
    start = 0
    while True:
        end = min(start + room, tokens)
        yield start, end
        if end == tokens:
            return
        start += min(room, stride)


def _characters(offsets: list[tuple[int, int]], context: str) -> NDArray[np.int32]:
    """The characters each token covers, ``[tokens, 2]``.

    Where a tokenizer composes a letter and what follows it (marks, the later letters of a Hangul
    syllable, the voicing of narrow kana), it reports the letter alone: what follows and belongs to
    no token is the letter's, as far as it composes with it.
    """
    found = np.array(offsets, np.int32).reshape(-1, 2)
    following = np.append(found[1:, 0], np.int32(len(context)))
    for token in np.flatnonzero(found[:, 1] < following):
        end = int(found[token, 1])
        while end < following[token] and _joins(context, int(found[token, 0]), end):
            end += 1
        found[token, 1] = end
    return found


def _joins(context: str, start: int, place: int) -> bool:
    """Whether a character is a mark, or makes one letter with those before it, from ``start``."""
    if unicodedata.category(context[place]).startswith("M"):
        return True
    before, after = (
        len(unicodedata.normalize("NFKC", context[start:end])) for end in (place, place + 1)
    )
    return after <= before


def _answer_tokens(example: Question, offsets: NDArray[np.int32]) -> tuple[int, int] | None:
    """The first answer's first and last context token; None without answer."""
    if not example.answers or not len(offsets):
        return None
    first, last = example.starts[0], example.starts[0] + len(example.answers[0])
    covering = np.flatnonzero((offsets[:, 1] > first) & (offsets[:, 0] < last))
    return (int(covering[0]), int(covering[-1])) if len(covering) else None


def _target(answer: tuple[int, int] | None, start: int, end: int, head: int) -> tuple[int, int]:
    if answer is None or answer[0] < start or answer[1] >= end:
        return 0, 0
    return answer[0] - start + head, answer[1] - start + head


def _has_most_context(windows: list[tuple[int, int]], number: int) -> NDArray[np.bool_]:
    """For each token of a window: is this the window that shows it with most context?

    The score of run_squad: the smaller of the tokens to the left and to the right within the
    window, plus a hundredth of the window's length; the earlier window wins a tie.
    """

    def score(window: tuple[int, int], tokens: NDArray) -> NDArray:
        start, end = window
        least = np.minimum(tokens - start, end - 1 - tokens) + 0.01 * (end - start)
        return np.where((tokens >= start) & (tokens < end), least, -np.inf)

    tokens = np.arange(*windows[number])
    scores = np.stack([score(window, tokens) for window in windows])
    return scores.argmax(axis=0) == number


def _best_span(
    logits: NDArray[np.float32], context: NDArray[np.bool_], best: NDArray[np.bool_]
) -> tuple[int, int, float] | None:
    starts = _top(logits[:, 0], context & best)
    ends = _top(logits[:, 1], context)
    length = ends[None, :] - starts[:, None] + 1
    allowed = (length > 0) & (length <= MAX_ANSWER_TOKENS)
    if not allowed.any():
        return None
    scores = np.where(allowed, logits[starts, 0][:, None] + logits[ends, 1][None, :], -np.inf)
    row, column = np.unravel_index(int(scores.argmax()), scores.shape)
    return int(starts[row]), int(ends[column]), float(scores[row, column])


def _top(scores: NDArray[np.float32], allowed: NDArray[np.bool_]) -> NDArray[np.int64]:
    positions = np.flatnonzero(allowed)
    order = np.argsort(-scores[positions], kind="stable")[:BEST]
    return positions[order]

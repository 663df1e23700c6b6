"""Perturbed examples: text is edited, answers are found again, labels and ids stay.

Which fields are edited is part of the format: both sentences of a pair, the prompt and the choices,
the words, the context and the question, and in retrieval the sentence that is not English.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from xstilts import perturb
from xstilts.formats.examples import (
    Bitext,
    Candidate,
    Choice,
    Line,
    Pair,
    Query,
    Question,
    Tagged,
)
from xstilts.perturb import distractor, validity
from xstilts.perturb.edits import apply, draw, moved

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xstilts.formats.examples import Example
    from xstilts.path import Noise
    from xstilts.perturb.base import Perturbation
    from xstilts.perturb.clusters import Range
    from xstilts.perturb.lexicons import Lexicon
    from xstilts.tasks import Task


def perturbed(
    task: Task,
    examples: Sequence[Example],
    noise: Noise,
    language: str,
    seed: int,
    lexicon: Lexicon | None = None,
) -> list[Example]:
    """The examples with that noise, in their order. Equal texts are perturbed alike.

    What must not have changed is verified on every one of them.

    Args:
        task: whose examples they are.
        examples: all of one language.
        noise: what is done, and how much of it.
        language: the code of the language.
        seed: of every draw.
        lexicon: for ``code_switch``.

    Raises:
        UserError: if the noise is invalid for the task in the language, has nothing to do in the
            script, or needs a package or a lexicon that is not there.
        AssertionError: if an edit lost an id, a label, a tag or an answer: a mistake of ours.
    """
    validity.check(noise.name, task, language)
    if noise.name == "distractor":
        questions = [one for one in examples if isinstance(one, Question)]
        found: list[Example] = [*distractor.added(questions, noise.severity, seed, language)]
    else:
        editor = _Editor(perturb.get(noise.name, lexicon), noise.severity, language, seed)
        found = [editor.example(one) for one in examples]
    for one, new in zip(examples, found, strict=True):
        assert _kept(one, new), f"{noise} of {task.name} in {language} lost something of {one.id}"
    return found


def _kept(one: Example, new: Example) -> bool:
    """Whether all but the text is as it was: id, group, label; tags with their words; answers."""
    if (one.id, one.group) != (new.id, new.group):
        return False
    match one, new:
        case (Pair(), Pair()):
            return one.label == new.label
        case (Choice(), Choice()):
            same = one.label == new.label and len(one.choices) == len(new.choices)
            return same and len(set(new.choices)) == len(set(one.choices))
        case (Tagged(), Tagged()):
            pairs = zip(one.words, new.words, strict=False)
            blank = any(old.strip() and not word.strip() for old, word in pairs)
            return one.tags == new.tags and len(new.words) == len(one.words) and not blank
        case (Question(), Question()):
            return len(one.answers) == len(new.answers) and (_found(new) or not _found(one))
        case _:
            return True


def _found(one: Question) -> bool:
    """Whether every answer stands where it is said to."""
    pairs = zip(one.answers, one.starts, strict=True)
    return all(one.context[start : start + len(answer)] == answer for answer, start in pairs)


class _Editor:
    """One perturbation at one severity, in one language, from one seed."""

    def __init__(
        self, perturbation: Perturbation, severity: float, language: str, seed: int
    ) -> None:
        self._perturbation = perturbation
        self._severity, self._language, self._seed = severity, language, seed

    def example(self, one: Example) -> Example:
        match one:
            case Pair():
                second = None if one.text_b is None else self._text(one.text_b)
                return replace(one, text_a=self._text(one.text_a), text_b=second)
            case Choice():
                choices = tuple(map(self._text, one.choices))
                if len(set(choices)) < len(set(one.choices)):
                    choices = one.choices  # two would be the same, and the label mean nothing
                return replace(one, prompt=self._text(one.prompt), choices=choices)
            case Tagged():
                return replace(one, words=self._words(one.words))
            case Question():
                return self._question(one)
            case Bitext() | Query() | Line():
                return replace(one, text=self._text(one.text))
            case Candidate():
                return one  # what is asked is perturbed, not what is found

    def _text(self, text: str) -> str:
        return self._kept(text, ())[0]

    def _words(self, words: tuple[str, ...]) -> tuple[str, ...]:
        """The same number of words, so that every tag stays with its own."""
        places, at = [], 0
        for word in words:
            places.append((at, at + len(word)))
            at += len(word) + 1
        text, found = self._kept(" ".join(words), places)
        return tuple(text[a:b] for a, b in found)

    def _question(self, one: Question) -> Question:
        question = self._text(one.question)
        places = [
            (start, start + len(answer))
            for start, answer in zip(one.starts, one.answers, strict=True)
        ]
        if not _found(one):
            return replace(one, question=question)  # an answer is not where it should be
        context, found = self._kept(one.context, places)
        return replace(
            one,
            context=context,
            question=question,
            answers=tuple(context[a:b] for a, b in found),
            starts=tuple(a for a, _ in found),
        )

    def _kept(self, text: str, keep: Sequence[Range]) -> tuple[str, list[Range]]:
        """The perturbed text, and where its kept parts stand in it."""
        edits = draw(text, self._perturbation, self._severity, self._seed, self._language, keep)
        return apply(text, edits), [moved(part, edits) for part in keep]

"""Masked language modelling on raw text, one sentence a line."""

from __future__ import annotations

import regex

from xstilts.tasks.base import Data, Files, Row, Task
from xstilts.tasks.tagging import PANX, WIKIANN

# Of scripts written without spaces between words WikiANN's tokens are characters.
_UNSPACED = r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]"
_NO_GAP = regex.compile(rf"(?<={_UNSPACED}) (?={_UNSPACED})")


def wikiann_text(row: Row) -> Row:
    """The text of a row of WikiANN, without its labels."""
    return {"text": _NO_GAP.sub("", " ".join(row["tokens"]))}


_MIRROR_LANGUAGES = (
    *("en", "af", "ar", "az", "be", "bg", "bn", "da", "de", "el", "es", "et", "eu", "fa", "fi"),
    *("fo", "fr", "he", "hi", "hu", "id", "is", "it", "ja", "ka", "kk", "ko", "lt", "ml", "mr"),
    *("ms", "nl", "no", "pl", "pt", "ro", "ru", "ta", "te", "tl", "tr", "uk", "ur", "vi", "zh"),
)

MLM = Task(
    name="mlm",
    about="multilingual masked language modelling on raw sentences",
    format="mlm",
    metrics=(),
    languages=tuple(dict.fromkeys((*_MIRROR_LANGUAGES, *PANX.languages))),
    license="by treebank, and CC BY-SA (Wikipedia)",
    sources={
        "hub": Data(
            train=WIKIANN(split="train", adapt=wikiann_text),
            train_languages=PANX.languages,
            note="the text of WikiANN's training rows",
        ),
        "mirror": Data(
            train=Files(path="raw_text/ud_panx_train_detok/{lang}.txt", reader="lines"),
            train_languages=_MIRROR_LANGUAGES,
        ),
    },
)

TASKS = (MLM,)

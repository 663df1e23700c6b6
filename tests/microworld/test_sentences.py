"""The grammars say what people wrote by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from microworld.meanings import SENTENCES
from xstilts.microworld.words import text
from xstilts.tasks.microworld import LANGUAGES

FOLDER = Path(__file__).parent / "sentences"


@pytest.mark.parametrize("language", LANGUAGES)
def test_sentences_are_those_written_by_hand(language):
    written = (FOLDER / f"{language}.txt").read_text("utf-8").splitlines()
    assert [text(meaning(language), language) for meaning in SENTENCES] == written
    assert len(written) == 20

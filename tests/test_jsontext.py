from __future__ import annotations

import json

import pytest

from xstilts import jsontext


def test_a_document_is_read():
    assert jsontext.parse('{"a": ["ö", 1]}') == jsontext.parse(b'{"a": ["\xc3\xb6", 1]}')


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, '{"a": '])
def test_what_is_no_document_is_one_kind_of_error(text):
    with pytest.raises(json.JSONDecodeError):
        jsontext.parse(text)

"""Ways to answer as text, and what a study may measure."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from xstilts.errors import UserError
from xstilts.scenario import PRECISIONS, Measure, Serving, serving

WAYS = st.builds(
    lambda pair, *rest: Serving(*pair, *rest),
    st.sampled_from([(b, p) for b, precisions in PRECISIONS.items() for p in precisions]),
    st.integers(0, 30),
    st.booleans(),
    st.one_of(st.just(0), st.integers(8, 4096)),
)


@given(WAYS)
def test_a_way_prints_back_to_the_same(way):
    assert serving(str(way)) == way


def test_int8_is_onnxruntimes():
    assert serving("int8") == serving("onnxruntime + int8") == Serving("onnxruntime", "int8")
    assert str(serving("int8+drop=2")) == "onnxruntime+int8+drop=2"
    assert str(Serving()) == "torch"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("torhc", '"torhc": "torhc": did you mean "torch"?'),
        ("torch+int8", '"torch+int8": torch answers in fp32 or bf16, not int8'),
        ("bf16+onnxruntime", '"bf16+onnxruntime": onnxruntime answers in fp32 or int8, not bf16'),
        ("drop=1+drop=2", '"drop=1+drop=2" says drop twice; keep one'),
        ("torch+compiled", '"torch+compiled" says backend twice; keep one'),
        ("drop=x", '"drop=x": "drop=x" needs a whole number, 1 or more'),
        ("max_length=4", '"max_length=4": "max_length=4" needs a whole number, 8 or more'),
    ],
)
def test_what_is_no_way_is_refused_in_one_line(text, message):
    with pytest.raises(UserError) as error:
        serving(text)
    assert str(error.value) == message
    with pytest.raises(ValidationError):
        Measure(serve=text)

"""The report as one HTML file: opens from disk, asks for nothing, whatever text the data hold.

Text goes through Jinja's escaping, JSON through `_json`, and the page's own policy runs no script
but the two that this file put there, by their hashes.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from xstilts._version import __version__
from xstilts.errors import UserError
from xstilts.report import answer
from xstilts.report.blocks import Chart, Part
from xstilts.report.charts import drawn
from xstilts.report.sections import sections

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jinja2 import Environment

    from xstilts.report.blocks import Block
    from xstilts.report.findings import Findings


def page(findings: Findings) -> str:
    """The report as HTML.

    Raises:
        UserError: if altair, or what puts it into the page, is not installed.
    """
    here = files("xstilts.report")
    program = here.joinpath("page.js").read_text("utf-8")
    shown = sections(findings)
    blocks = [block for section in shown for block in section.each()]
    data = {one.macro: one.data for one in blocks if isinstance(one, Part) and one.data}
    charts = drawn(one for one in blocks if isinstance(one, Chart))
    return (
        templates()
        .get_template("page.html.j2")
        .render(
            name=findings.name,
            about=findings.about or "Intermediate-task training, zero-shot transfer",
            answer=answer.sentences(findings),
            cautions=list(answer.cautions(findings)),
            facts=list(_facts(findings)),
            sections=shown,
            data=_json({**data, "charts": charts}),
            policy=_policy(library(), program),
            css=here.joinpath("page.css").read_text("utf-8"),
            library=library(),
            program=program,
            version=__version__,
        )
    )


def templates() -> Environment:
    """The page and its macros; all that they are given is escaped."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    loader = PackageLoader("xstilts", "report")
    found = Environment(autoescape=True, undefined=StrictUndefined, loader=loader)
    found.filters |= {"minus": _minus, "verdict": _verdict_class, "kind": _kind}
    found.tests["weblink"] = lambda text: bool(re.match(r"https?://", text))
    return found


@cache
def library() -> str:
    """Vega, Vega-Lite and Vega-Embed as one script.

    Raises:
        UserError: if it is not installed.
    """
    try:
        import vl_convert
    except ImportError:
        raise UserError(
            "the HTML report needs vl-convert-python, which is not installed: "
            "pip install 'xstilts[report]' (--format markdown needs nothing more)"
        ) from None
    bundle = vl_convert.javascript_bundle()  # type: ignore[call-arg]  # its stub has no default
    text = str(bundle).replace("\r", "")
    assert not re.search("</script|<!--", text, re.IGNORECASE)
    return text


def _policy(*scripts: str) -> str:
    """Nothing is loaded, and no script runs but these. Vega makes functions of its expressions."""
    digests = (base64.b64encode(hashlib.sha256(one.encode()).digest()).decode() for one in scripts)
    allowed = " ".join(f"'sha256-{digest}'" for digest in digests)
    return (
        f"default-src 'none'; script-src {allowed} 'unsafe-eval'; style-src 'unsafe-inline'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


def _json(value: Any) -> str:
    """JSON that may stand in a script element: nothing in it can end the element."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    marks = "<>&\u2028\u2029"
    return text.translate({ord(mark): f"\\u{ord(mark):04x}" for mark in marks})


def _minus(text: str) -> str:
    """Hyphens before digits as minus signs."""
    return re.sub(r"(?<![\w.])-(?=\d)", "\N{MINUS SIGN}", text)


def _verdict_class(verdict: str) -> str:
    if verdict.startswith(("supported", "consistent")):
        return "yes"
    return "no" if verdict.startswith(("contradicted", "not consistent")) else "open"


def _kind(block: Block) -> str:
    """The macro that draws a block."""
    return block.macro if isinstance(block, Part) else type(block).__name__.lower()


def _facts(findings: Findings) -> Iterator[tuple[str, str]]:
    outcomes = findings.outcomes
    models = findings.models
    codes = {code for one in outcomes for code in one.languages}
    seeds = dict.fromkeys(seed for one in outcomes for seed in one.seeds or ())
    yield f"encoder{'s' * (len(models) > 1)}", ", ".join(models)
    yield "targets", str(len(findings.gains.targets))
    yield "languages", str(len(codes))
    yield "intermediates", str(len(findings.gains.intermediates))
    yield "seeds", ", ".join(map(str, seeds)) or "none"
    if sources := findings.sources:
        yield "data", ", ".join(sources)

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
from xstilts.report import answer, licences
from xstilts.report.charts import charts
from xstilts.report.heat import heat
from xstilts.report.runs import runs
from xstilts.report.sheets import FULL_SHADE_POINTS, gain_cell, sheets, shown
from xstilts.tasks.citations import bibtex

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from xstilts.analysis.best import Best
    from xstilts.analysis.scaling import Exchange
    from xstilts.analysis.verdicts import Verdict
    from xstilts.report.findings import Cost, Findings
    from xstilts.report.runs import Run


def page(findings: Findings, commands: Sequence[str] = ()) -> str:
    """The report as HTML.

    Args:
        findings: what it shows.
        commands: that make the study and its answers again.

    Raises:
        UserError: if altair, or what puts it into the page, is not installed.
    """
    from jinja2 import Environment, StrictUndefined

    here = files("xstilts.report")
    environment = Environment(autoescape=True, undefined=StrictUndefined)
    environment.filters |= {"minus": _minus, "verdict": _verdict_class}
    environment.tests["weblink"] = lambda text: bool(re.match(r"https?://", text))
    template = environment.from_string(here.joinpath("page.html.j2").read_text("utf-8"))
    program = here.joinpath("page.js").read_text("utf-8")
    return template.render(
        **_content(findings),
        commands=commands,
        policy=_policy(library(), program),
        css=here.joinpath("page.css").read_text("utf-8"),
        library=library(),
        program=program,
        version=__version__,
    )


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


def _content(findings: Findings) -> dict[str, Any]:
    found = runs(findings)
    tables = list(sheets(findings, found))
    drawn = charts(findings)
    mapped = heat(findings, found)
    by_name = {name: [one for one in tables if one.name in names] for name, names in _WHERE.items()}
    content = {
        "name": findings.name,
        "about": findings.about or "Intermediate-task training, zero-shot transfer",
        "answer": answer.sentences(findings),
        "cautions": list(answer.cautions(findings)),
        "facts": list(_facts(findings)),
        "gains": by_name["gains"],
        "kinds": by_name["kinds"],
        "published": next(iter(by_name["published"]), None),
        "charts": drawn,
        "best": [_best(one) for one in findings.best],
        "exchanges": [_exchange(one) for one in findings.exchanges],
        "claims": [_claim(one) for one in findings.verdicts if _judged(one)],
        "unjudged": [_claim(one) for one in findings.verdicts if not _judged(one)],
        "differences": list(dict.fromkeys(d for v in findings.verdicts for d in v.differences)),
        "costs": list(_costs(findings.costs)),
        "targets": list(_targets(findings)),
        "setting": findings.setting,
        "absent": findings.outcomes.absent,
        "notes": findings.notes,
        "runs": [_run(one) for one in found.values()],
        "licences": list(licences.licences(findings.tasks.values(), _sources(findings))),
        "bibtex": bibtex(findings.tasks),
        "data": _json({"heat": {**mapped, **_shown_first(findings, mapped)}, "charts": drawn}),
    }
    content["sections"] = [(name, label) for name, label, key in _SECTIONS if _there(content, key)]
    return content


_WHERE = {
    "gains": ("gains", "controls"),
    "kinds": ("family", "script"),
    "published": ("published",),
}
_SECTIONS = (
    ("gains", "Gains", "gains"),
    ("languages", "Languages", ""),
    ("transfer", "Transfer", "slopes layers"),
    ("families", "Families", "kinds"),
    ("scaling", "Scaling", "scaling"),
    ("claims", "Claims", ""),
    ("cost", "Cost", "costs"),
    ("protocol", "Protocol", ""),
    ("reuse", "Commands and citations", ""),
)


def _there(content: dict[str, Any], keys: str) -> bool:
    return not keys or any(content.get(key) or key in content["charts"] for key in keys.split())


def _shown_first(findings: Findings, mapped: dict[str, Any]) -> dict[str, Any]:
    """The heat map begins with the best intermediate; colours are full at so many points."""
    tops = [findings.means(model)[:1] for model in findings.outcomes.models]
    best = {(g.model, g.intermediate) for top in tops for g in top}
    first = next(
        (
            number
            for number, one in enumerate(mapped["conditions"])
            if one["kind"] == "gain" and (one["model"], one["name"]) in best
        ),
        0,
    )
    return {"first": first, "full": FULL_SHADE_POINTS}


def _facts(findings: Findings) -> Iterator[tuple[str, str]]:
    outcomes = findings.outcomes
    models = outcomes.models
    codes = {code for one in outcomes for code in one.languages}
    seeds = dict.fromkeys(seed for one in outcomes for seed in one.seeds or ())
    yield f"encoder{'s' * (len(models) > 1)}", ", ".join(models)
    yield "targets", str(len(findings.gains.targets))
    yield "languages", str(len(codes))
    yield "intermediate tasks", str(len(findings.gains.intermediates))
    yield "seeds", ", ".join(map(str, seeds)) or "none"
    if sources := _sources(findings):
        yield "data", ", ".join(sources)


def _sources(findings: Findings) -> list[str]:
    return list(dict.fromkeys(row["source"] for row in findings.rows))


def _best(one: Best) -> dict[str, str]:
    found = one.estimate
    low, high = shown(100 * found.low), shown(100 * found.high)
    return {
        "protocol": one.protocol,
        "interval": f"{shown(100 * found.value)} [{low}, {high}]",
        "warning": "" if one.zero_shot else "not strictly zero-shot: chosen on the split it scores",
        "choice": ", ".join(
            f"{target}: {before or 'none'}" for target, before in one.choice.items()
        ),
    }


def _exchange(one: Exchange) -> str:
    note = " (not zero-shot)" if one.scored == "trained in" else ""
    data = f"{one.rows:,} rows of {one.task} in {', '.join(one.languages)}"
    return f"{data} are worth {one.english.text} English rows in {one.scored} languages{note}"


def _judged(one: Verdict) -> bool:
    return one.direction not in ("not run", "not testable")


def _claim(one: Verdict) -> dict[str, str]:
    found, expected = one.finding.estimate, one.claim.expected
    cell = None if found is None else gain_cell(found)
    return {
        "text": one.claim.text,
        "about": "; ".join(part for part in (one.claim.source, one.claim.status) if part),
        "published": "" if expected is None else shown(expected),
        "here": "" if cell is None else cell.text,
        "half": "" if cell is None or cell.half is None else f"{cell.half:.1f}",
        "hover": "" if cell is None else cell.hover,
        "direction": one.direction,
        "size": one.size,
        "detail": one.finding.detail,
    }


def _costs(costs: Sequence[Cost]) -> Iterator[dict[str, Any]]:
    for one in costs:
        later = "not known" if one.seconds_left is None else _clock(one.seconds_left)
        yield {
            "kind": one.kind,
            "finished": one.finished,
            "left": one.left,
            "spent": _clock(one.seconds),
            "later": later if one.left else "–",
        }


def _clock(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _targets(findings: Findings) -> Iterator[dict[str, Any]]:
    for name in dict.fromkeys(one.target for one in findings.outcomes):
        mine = [one for one in findings.outcomes if one.target == name]
        task = findings.tasks.get(name)
        trained = dict.fromkeys(one.trained_on or "no training" for one in mine)
        yield {
            "name": name,
            "score": " and ".join(task.main_metrics).replace("_", " ") if task else "",
            "split": ", ".join(dict.fromkeys(one.split for one in mine)),
            "trained_on": ", ".join(trained),
            "languages": max(len(one.languages) for one in mine),
            "groups": task.grouped_by if task else "",
            "protocol": task.protocol if task else "",
        }


def _run(run: Run) -> dict[str, Any]:
    one = run.outcome
    return {
        "anchor": run.anchor,
        "path": one.path,
        "target": one.target,
        "model": one.model,
        "seeds": ", ".join(map(str, one.seeds or ())) or "none",
        "score": f"{100 * float(one.over().values[:, 0].mean()):.1f}",
        "weights": run.weights,
    }

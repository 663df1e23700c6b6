"""The sections of a report, in the order of the page.

A section is a module with one function, ``section(findings) -> Section``. Its tables appear in the
LaTeX and Markdown formats too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from xstilts.report.sections import (
    claims,
    cost,
    families,
    gains,
    ladder,
    languages,
    order,
    outputs,
    protocol,
    reuse,
    robustness,
    scaling,
    speed,
    transfer,
)

if TYPE_CHECKING:
    from xstilts.report.blocks import Section
    from xstilts.report.findings import Findings

SECTIONS = (
    gains.section,
    languages.section,
    transfer.section,
    families.section,
    scaling.section,
    ladder.section,
    order.section,
    robustness.section,
    outputs.section,
    claims.section,
    speed.section,
    cost.section,
    protocol.section,
    reuse.section,
)


def sections(findings: Findings) -> list[Section]:
    """Those that have something to show."""
    every = (section(findings) for section in SECTIONS)
    return [one for one in every if one.blocks]

"""The plan: a study as a graph of steps, each named by the identity of all it depends on.

Equal work has one name, so it is done once: targets share an intermediate checkpoint, XQuAD and
MLQA a SQuAD model, sequences their prefixes. ``graph`` is what a plan is, ``paths`` what can be run
of a study, ``inputs`` what each step depends on, and ``build`` puts them together.
"""

from __future__ import annotations

from xstilts.plan.build import build
from xstilts.plan.graph import Cell, Kind, Plan, Step
from xstilts.plan.inputs import scored

__all__ = ["Cell", "Kind", "Plan", "Step", "build", "scored"]

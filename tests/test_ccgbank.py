"""From CCGbank's own files to those of the task, with two derivations of our own."""

from __future__ import annotations

import runpy
from pathlib import Path

from xstilts.sources import Sources
from xstilts.tasks import TASKS

SCRIPT = Path(__file__).parents[1] / "scripts" / "ccgbank.py"
# Every node in one line: (<T category head children> ...), (<L category pos pos word arguments>).
AUTO = (
    "ID=wsj_0001.1 PARSER=GOLD NUMPARSE=1\n"
    "(<T S[dcl] 0 2> (<T S[dcl] 1 2> (<L NP PRP PRP It NP>) "
    "(<L S[dcl]\\NP VBD VBD rained S[dcl]\\NP_7>) ) (<L . . . . .>) )\n"
)


def test_ccgbank_becomes_the_task(tmp_path):
    for section in ("00", "02", "21", "23"):
        (tmp_path / "AUTO" / section).mkdir(parents=True)
        (tmp_path / "AUTO" / section / f"wsj_{section}01.auto").write_text(AUTO)
    extra = AUTO.replace("It", "Rain").replace("<L NP PRP PRP", "<L N NN NN")
    (tmp_path / "AUTO" / "21" / "wsj_2102.auto").write_text(extra)
    convert = runpy.run_path(str(SCRIPT))["convert"]
    assert convert(tmp_path / "AUTO", tmp_path / "ccg") == {
        "supertags": 4,  # . N NP S[dcl]\NP
        "ccg.train": 3,
        "ccg.dev": 1,
    }
    task = TASKS["ccg"]
    found = Sources(tmp_path).examples(task, task.sources["mirror"], "train", "en")
    assert [one.words for one in found] == [("It", "rained", ".")] * 2 + [("Rain", "rained", ".")]
    assert [one.tags for one in found] == [("2", "3", "0")] * 2 + [("1", "3", "0")]

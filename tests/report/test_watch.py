from __future__ import annotations

import codecs
import os
import re
import sys
import threading
import time
from types import SimpleNamespace

import pytest

from xstilts.durations import said
from xstilts.report import watch
from xstilts.report.watch import Lines, Live, _Told, rate, watcher


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "0 s"),
        (0.6, "1 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (61, "1 min 01 s"),
        (3599, "59 min 59 s"),
        (3600, "1 h 00 min"),
        (86_399, "23 h 59 min"),
        (100 * 3600 + 90, "100 h 01 min"),
    ],
)
def test_clock(seconds, shown):
    assert said(seconds) == shown


def test_rate_by_hand():
    """From 100 to 150 of 1,100 in 10 s: 50 in 10 s, 950 are left: 190 s. 20,000 tokens in 10 s."""
    first, last = _Told(100, 1100, 5000, 40.0), _Told(150, 1100, 25_000, 50.0)
    assert rate(first, last) == "150/1,100, 2,000 tokens/s, 3 min 10 s left"
    assert rate(last, last) == "150/1,100"  # nothing is known of the pace yet
    assert rate(first, _Told(1100, 1100, 9000, 60.0)) == "1,100/1,100, 200 tokens/s, 0 s left"


class Clock:
    """A clock that a test moves."""

    def __init__(self, monkeypatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr(watch.time, "monotonic", lambda: self.now)


@pytest.fixture
def moving(monkeypatch) -> Clock:
    return Clock(monkeypatch)


def test_a_line_a_minute(moving, capsys):
    lines = Lines()
    lines.begin("train mnli (seed 1)", 2, 5)
    for done in range(1, 151):  # a step a second, 100 tokens each, for two and a half minutes
        moving.now += 1
        lines.progress(done, 300, 100 * done)
    lines.end("train mnli (seed 1)", 150.0)
    out, err = capsys.readouterr()
    assert out == ""
    # The first minute is up at the 60th step; its pace is that of the 59 since the first.
    assert err.splitlines() == [
        "[2/5] train mnli (seed 1): 60/300, 100 tokens/s, 4 min 00 s left",
        "[2/5] train mnli (seed 1): 120/300, 100 tokens/s, 3 min 00 s left",
        "[2/5] train mnli (seed 1): done in 2 min 30 s",
    ]


def test_reading_data_and_earlier_work_do_not_count(moving, capsys):
    """Two minutes of encoding, then on from step 1,000 at 10 steps a second."""
    lines = Lines()
    lines.begin("train mnli (seed 1)", 1, 1)
    moving.now += 120
    for done in range(1000, 1011):
        lines.progress(done, 2000, 50 * done)
        moving.now += 0.1
    moving.now += 60
    lines.progress(1611, 2000, 50 * 1611)
    # The first line comes at once, with no pace; the next from 611 steps in 61.1 seconds.
    assert capsys.readouterr().err.splitlines() == [
        "[1/1] train mnli (seed 1): 1,000/2,000",
        "[1/1] train mnli (seed 1): 1,611/2,000, 500 tokens/s, 39 s left",
    ]


def test_every_portion_has_its_own_pace(moving, capsys):
    """Prediction tells of one portion after the other, each from 0."""
    lines = Lines()
    lines.begin("predict xnli in 15 languages", 1, 1)
    lines.progress(10, 100, 1000)
    moving.now += 50
    lines.progress(100, 100, 10_000)
    moving.now += 5
    lines.progress(10, 40, 300)
    moving.now += 10
    lines.progress(20, 40, 600)
    assert capsys.readouterr().err == (
        "[1/1] predict xnli in 15 languages: 20/40, 30 tokens/s, 20 s left\n"
    )


def test_every_number_that_is_counted_has_a_line(capsys):
    lines = Lines()
    lines.begin("score xnli in 15 languages", 1, 4)
    lines.end("score xnli in 15 languages", 0.4)
    lines.begin("train mnli (seed 1)", 2, 4)
    lines.failed(SimpleNamespace(label="train mnli (seed 1)", id="abc"), "loss is nan\n at step 3")
    lines.begin("predict mnli en", 3, 4)
    lines.note("not run, as it needs what failed")
    lines.begin("train csqa (seed 1)", 4, 4)
    lines.note("resumed at step 120 of 1,500")
    lines.end("train csqa (seed 1)", 61)
    assert capsys.readouterr().err.splitlines() == [
        "[1/4] score xnli in 15 languages: done in 0 s",
        "[2/4] failed: train mnli (seed 1) (abc): loss is nan at step 3",
        "[3/4] predict mnli en: not run, as it needs what failed",
        "[4/4] train csqa (seed 1): resumed at step 120 of 1,500",
        "[4/4] train csqa (seed 1): done in 1 min 01 s",
    ]


def test_a_pipe_gets_lines(capsys):
    with watcher() as watching:
        assert type(watching) is Lines
        watching.say("hello [bold]")
    assert capsys.readouterr().err == "hello [bold]\n"


@pytest.mark.parametrize("width", [80, 120])
def test_a_terminal_gets_a_bar(monkeypatch, capsys, width):
    ours, its_end = os.openpty()
    text: list[str] = []
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", str(width))
    with os.fdopen(its_end, "w", encoding="utf-8") as terminal:
        reader = threading.Thread(target=read_all, args=(ours, text))
        reader.start()
        monkeypatch.setattr(sys, "stderr", terminal)
        with watcher() as watching:
            assert type(watching) is Live
            watching.say("3 steps, 0 finished before (store [x])")
            watching.begin("predict wikineural in 33 languages", 1, 3)
            watching.progress(1000, 3000, 100_000)
            time.sleep(0.05)
            watching.progress(2000, 3000, 200_000)
            watching._bar.refresh()
            watching.end("predict wikineural in 33 languages", 61)
            watching.begin("train taxinli (seed 2)", 2, 3)
            watching.failed(SimpleNamespace(label="train taxinli (seed 2)", id="abc"), "nan")
        monkeypatch.undo()
    reader.join()
    os.close(ours)
    seen = "".join(text)
    assert "checking data and models" in seen
    assert "3 steps, 0 finished before (store [x])" in seen
    # 20 of bar, and the label is cut where it does not fit.
    bar = next(line for line in seen.splitlines() if "tokens/s" in line).rpartition("\r")[2]
    plain = re.sub(r"\x1b\[[\d;?]*[a-zA-Z]", "", bar)
    label = r"\[1/3\] predict wikineural in 33 languages" if width == 120 else r"\[1/3\] pr\S* ?.*…"
    assert re.search(rf"2,000/3,000, [\d,]+ tokens/s, \d s left  {label}", plain)
    assert len(plain.rstrip()) <= width
    assert "[1/3] predict wikineural in 33 languages: done in 1 min 01 s" in seen
    assert "[2/3] failed: train taxinli (seed 2) (abc): nan" in seen
    assert capsys.readouterr().out == ""


def read_all(descriptor: int, text: list[str]) -> None:
    decoder = codecs.getincrementaldecoder("utf-8")()  # a read may end in the middle of a letter
    while True:
        try:
            text.append(decoder.decode(os.read(descriptor, 4096)))
        except OSError:  # the other end is closed
            return

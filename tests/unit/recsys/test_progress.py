"""Progress: what a listener hears, what tables say, and what a log or a terminal shows."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator

import pytest

from recsys.errors import ConfigError
from recsys.progress import (
    Bars,
    Lines,
    ProgressStyle,
    StageEvent,
    Timings,
    advance,
    chosen_style,
    describe,
    make_listener,
    report_progress,
    stage,
)


@pytest.fixture
def heard() -> Iterator[list[StageEvent]]:
    events: list[StageEvent] = []
    with report_progress(events.append):
        yield events


def test_a_listener_hears_the_start_each_advance_and_the_end(heard: list[StageEvent]) -> None:
    with stage("images", 3, "image") as counting:
        counting.advance()
        counting.advance(2)
    assert [(e.name, e.done, e.total, e.unit, e.finished) for e in heard] == [
        ("images", 0, 3, "image", False),
        ("images", 1, 3, "image", False),
        ("images", 3, 3, "image", False),
        ("images", 3, 3, "image", True),
    ]


def test_stages_nest_and_the_innermost_counts(heard: list[StageEvent]) -> None:
    advance(5)  # outside of any stage
    with stage("outer", unit="row"):
        with stage("inner", unit="row"):
            advance(2)
        advance(1)
    assert [(e.name, e.depth, e.done) for e in heard if e.finished] == [("inner", 1, 2), ("outer", 0, 1)]


def test_a_stage_that_fails_is_finished(heard: list[StageEvent]) -> None:
    with pytest.raises(ZeroDivisionError), stage("division"):
        _ = 1 / 0
    assert heard[-1].finished


def test_the_table_has_the_stages_in_the_order_of_their_start() -> None:
    with report_progress(None) as timings:
        with stage("build"), stage("factors"):
            pass
        with stage("write"):
            pass
    assert [(e.name, e.depth, e.finished) for e in timings.events] == [
        ("build", 0, True),
        ("factors", 1, True),
        ("write", 0, True),
    ]
    slow = Timings(
        [StageEvent("build", 0, 0, None, "", 2.5, True), StageEvent("users", 1, 300, None, "user", 2.0, True)]
    )
    assert slow.table().splitlines() == [
        "     2.5 s  build",
        "     2.0 s    users: 300 users, 150/s",
        "     2.5 s  in all",
    ]


@pytest.mark.parametrize(
    ("done", "unit", "seconds", "says"),
    [(0, "", 1.0, "x"), (1, "trial", 1.0, "x: 1 trial"), (2_000, "row", 1.0, "x: 2,000 rows, 2,000/s")],
)
def test_a_stage_in_words(done: int, unit: str, seconds: float, says: str) -> None:
    assert describe(StageEvent("x", 0, done, None, unit, seconds, True)) == says


def test_lines_are_written_for_stages_that_took_time() -> None:
    stream = io.StringIO()
    lines = Lines(stream)
    for seconds, finished in ((0.0, False), (0.01, True), (3.0, True)):
        lines(StageEvent("factors", 1, 0, None, "", seconds, finished))
    assert stream.getvalue() == "  factors (3.0 s)\n"


def test_bars_show_name_count_and_total_and_leave_nothing_behind() -> None:
    stream = io.StringIO()
    with report_progress(Bars(stream)), stage("images", 4, "image") as counting, stage("inner"):
        counting.advance(4)
    assert "images" in stream.getvalue()
    assert "inner" in stream.getvalue()
    assert stream.getvalue().split("\r")[-1].strip() == ""


def test_without_a_terminal_nothing_is_shown_unless_the_variable_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RECSYS_PROGRESS", raising=False)
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    monkeypatch.delitem(sys.modules, "ipykernel", raising=False)
    assert chosen_style() is ProgressStyle.OFF
    assert make_listener(ProgressStyle.OFF) is None
    monkeypatch.setitem(sys.modules, "ipykernel", sys)
    assert chosen_style() is ProgressStyle.BARS
    monkeypatch.setenv("RECSYS_PROGRESS", "lines")
    assert chosen_style() is ProgressStyle.LINES
    monkeypatch.setenv("RECSYS_PROGRESS", "loud")
    with pytest.raises(ConfigError, match="use one of bars, lines, off"):
        chosen_style()

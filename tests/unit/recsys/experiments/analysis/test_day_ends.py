"""Days of the results end at midnight of the shop's time zone, also when the clock changes."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from pydantic import ValidationError

from recsys.experiments.analysis.effects.over_time import MOST_LOOKS, day_ends
from recsys.experiments.design.definition import Decision


@pytest.mark.parametrize(
    ("zone", "first", "hours"),
    [
        ("Europe/Berlin", "2026-03-28T12:00", [23, 24, 24]),
        ("Europe/Berlin", "2026-10-24T12:00", [25, 24, 24]),
        ("UTC", "2026-03-28T12:00", [24, 24, 24]),
        ("Asia/Kathmandu", "2026-03-28T12:00", [24, 24, 24]),
    ],
)
def test_a_day_lasts_from_midnight_to_midnight(zone: str, first: str, hours: list[int]) -> None:
    there = Decision(time_zone=zone).zone
    start = int(datetime.fromisoformat(first).replace(tzinfo=there).timestamp())
    until = start + 4 * 86_400
    ends = day_ends(start, until, there)
    assert ends[-1] == until
    assert [datetime.fromtimestamp(int(end) + 1, there).hour for end in ends[:-1]] == [0] * 4
    # The first day begins at noon.
    assert int(ends[0]) + 1 - start == 12 * 3600
    assert (np.diff(ends[:-1]) // 3600).tolist() == hours


def test_a_short_and_a_long_experiment_have_looks() -> None:
    zone = ZoneInfo("America/Sao_Paulo")
    assert day_ends(1_700_000_000, 1_700_000_060, zone).tolist() == [1_700_000_060]
    long = day_ends(1_700_000_000, 1_700_000_000 + 400 * 86_400, zone)
    assert 50 <= len(long) <= MOST_LOOKS
    assert (np.diff(long) > 0).all()


def test_an_unknown_zone_is_named() -> None:
    with pytest.raises(ValidationError, match="Europe/Berlin"):
        Decision(time_zone="Mars/Olympus")

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pyarrow as pa
import pytest

from recsys import clock
from recsys.dataset.importers.values import DateOrder, describe_time, parse_time, parse_times
from recsys.errors import DataError

EVENING = int(datetime(2024, 5, 31, 18, tzinfo=UTC).timestamp())
MIDNIGHT = int(datetime(2024, 5, 31, tzinfo=UTC).timestamp())
NOW = int(datetime(2026, 11, 29, tzinfo=UTC).timestamp())


@pytest.fixture(autouse=True)
def _now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "now", lambda: NOW)


@pytest.mark.parametrize(
    "text",
    [
        str(EVENING), f"{EVENING}.9", f"{EVENING}000", f"{EVENING}999", f"{EVENING}123456", f"{EVENING}123456789",
        "1.7171784E9", "1.717178400123456E15",
        "2024-05-31T18:00:00Z", "2024-05-31 18:00:00 UTC", "2024-05-31T20:00:00.750+02:00", "2024-05-31 14:00:00 -0400",
        "2024-05-31 18:00:00 +0000 UTC", "2024-05-31T20:00:00+02:00[Europe/Berlin]", "2024-05-31 20:00:00+02",
        "2024-05-31 18:00", "2024-5-31 18:00:00,123", "2024/05/31 18:00", "2024.05.31 18:00:00", "20240531T180000",
        "20240531T180000Z", "20240531180000", "202405311800", "20240531180000123",
        "31.05.2024 18:00", "31.5.2024, 18:00:00 Uhr", "31/05/2024 18:00", "05/31/2024 6:00 PM", "5/31/24 6:00:00 p.m.",
        "31 May 2024 18:00", "May 31, 2024 6:00 PM", "31-May-2024 18:00:00", "Fri, 31 May 2024 18:00:00 GMT",
        "Fri May 31 2024 20:00:00 GMT+0200 (Central European Summer Time)", "31/May/2024:18:00:00 +0000",
        "45443.75", "45443,75", "45443.7499999",
    ],
)  # fmt: skip
def test_forms_that_logs_have(text: str) -> None:
    values, bad, _ = parse_times(pa.array([text]))
    assert (values.tolist(), bad.tolist()) == ([EVENING], [False])
    assert values.dtype == np.int64


@pytest.mark.parametrize("text", ["2024-05-31", "20240531", "31.05.2024", "45443", "May 31, 2024"])
def test_a_day_is_its_midnight(text: str) -> None:
    assert parse_times(pa.array([text])).seconds.tolist() == [MIDNIGHT]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "empty time"),
        ("2024", "is a year"),
        ("202405", "is a month"),
        ("2024-05", "is a month"),
        ("yesterday", "is not a time"),
        ("nan", "is not a time"),
        ("2024-02-30", "is not a time"),
        ("31/13/2024", "is not a time"),
        ("24-05-31", "is not a time"),
        ("0", "before 1990; write"),
        ("-1", "before 1990"),
        ("1000", "before 1990"),
        ("0001-01-01T00:00:00Z", "before 1990; leave the row out"),
        ("1969-12-31", "before 1990"),
        ("1970-01-01 00:00:00", "before 1990"),
        ("9999-12-31", "more than a day ahead"),
        ("2262-04-12", "more than a day ahead"),
        ("2043-11-09", "more than a day ahead"),
        ("1e30", "more than a day ahead"),
        (str(NOW + 86_401), "more than a day ahead"),
    ],
)
def test_what_is_no_time_of_an_event_says_why(text: str, why: str) -> None:
    values, bad, _ = parse_times(pa.array([text, str(NOW + 86_400)]))
    assert (values.tolist(), bad.tolist()) == ([0, NOW + 86_400], [True, False])
    assert why in describe_time(text)


def test_the_order_of_day_and_month_is_decided_by_all_dates() -> None:
    values, _, notes = parse_times(pa.array(["05/06/2024", "31/05/2024"]))
    assert values.tolist() == [MIDNIGHT + 5 * 86_400, MIDNIGHT]
    assert notes == ("the column: day and month are told apart by all dates (05/06/2024 -> 2024-06-05 00:00:00)",)
    assert parse_times(pa.array(["05/06/2024", "05/31/2024"])).seconds.tolist() == [MIDNIGHT - 25 * 86_400, MIDNIGHT]
    # A date that is wrong in either order decides nothing, and is the one bad row.
    assert parse_times(pa.array(["31/05/2024", "31/31/2024"])).bad.tolist() == [False, True]


def test_dates_that_may_be_read_in_two_ways_are_refused_unless_an_option_decides() -> None:
    with pytest.raises(DataError, match=r"log, column 'day': '05/06/2024' may begin with the day.*`--dates dmy`"):
        parse_times(pa.array(["05/06/2024", "07/06/2024"]), where="log, column 'day'")
    with pytest.raises(DataError, match=r"day and month change places, as in '31/05/2024' and '05/31/2024'"):
        parse_times(pa.array(["31/05/2024", "05/31/2024"]))
    values, bad, _ = parse_times(pa.array(["05/31/2024", "31/05/2024"]), DateOrder.MONTH_FIRST)
    assert (values.tolist(), bad.tolist()) == ([MIDNIGHT, 0], [False, True])
    assert parse_times(pa.array(["05/05/2024"])).bad.tolist() == [False]


def test_serial_days_are_a_guess_that_is_named() -> None:
    (note,) = parse_times(pa.array(["45443.75", "45444.5", "45445", "45446"])).notes
    assert "Excel's serial days (45443.75 -> 2024-05-31 18:00:00, 45444.5 -> 2024-06-01 12:00:00, " in note
    assert "45446" not in note


def test_one_time() -> None:
    berlin = timezone(timedelta(hours=2))
    for value in (
        EVENING,
        EVENING * 1000,
        EVENING + 0.5,
        "2024-05-31T18:00Z",
        datetime(2024, 5, 31, 20, tzinfo=berlin),
    ):
        assert parse_time(value) == EVENING
    for wrong in (None, True, float("nan"), float("inf"), 5, "soon", "05/06/2024"):
        with pytest.raises(DataError):
            parse_time(wrong)


@pytest.mark.parametrize(
    "text",
    [
        "Wed Jan 31 10:15:00 2024", "Wed Jan 31 10:15:00 UTC 2024", "31 enero 2024 10:15", "31 gen 2024 10:15",
        "2024年1月31日 10:15",
    ],
)  # fmt: skip
def test_dates_of_unix_and_other_languages(text: str) -> None:
    assert parse_time(text) == 1_706_696_100


def test_months_of_other_languages() -> None:
    months = ["jan", "févr.", "März", "Avril", "Mai", "juin", "juil.", "août", "sept.", "Okt.", "nov", "Dez."]
    seconds, bad, _ = parse_times(pa.array([f"3. {month} 2024" for month in months]))
    assert not bad.any()
    assert [datetime.fromtimestamp(second, UTC).month for second in seconds.tolist()] == list(range(1, 13))


def test_letters_of_a_zone_ask_for_its_offset() -> None:
    with pytest.raises(DataError, match=r"names its zone by letters.*\+01:00"):
        parse_time("2024-01-31 10:15:00 EST")

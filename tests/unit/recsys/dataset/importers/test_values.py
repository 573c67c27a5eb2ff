from __future__ import annotations

import math
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest

from recsys.dataset.importers.values import parse_attribute, parse_availability, parse_numbers, parse_timestamps

NOON = int(datetime(2024, 5, 31, 12, tzinfo=UTC).timestamp())
MIDNIGHT = int(datetime(2024, 5, 31, tzinfo=UTC).timestamp())


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("881250949", 881250949),
        ("881250949.9", 881250949),
        ("8.8e8", 880000000),
        ("99999999999", 99999999999),
        ("100000000000", 100000000),
        (str(NOON * 1000 + 999), NOON),
        ("2024-05-31", MIDNIGHT),
        ("20240531", MIDNIGHT),
        ("2024-05-31 12:00", NOON),
        ("2024-05-31T12:00:00Z", NOON),
        ("2024-05-31T14:00:00.750+02:00", NOON),
        ("20241399", 20241399),
    ],
)
def test_times_that_are_read(text: str, seconds: int) -> None:
    values, bad = parse_timestamps(pa.array([text]))
    assert (values.tolist(), bad.tolist()) == ([seconds], [False])
    assert values.dtype == np.int64


@pytest.mark.parametrize("text", ["", "-1", "yesterday", "31/05/2024", "1969-12-31", "1e20", "nan", "inf"])
def test_times_that_are_not(text: str) -> None:
    values, bad = parse_timestamps(pa.array([text, "5"]))
    assert (values.tolist(), bad.tolist()) == ([0, 5], [True, False])


def test_numbers() -> None:
    good = {"1": 1.0, "-2.5": -2.5, ".5": 0.5, "5.": 5.0, "+1e3": 1000.0, "007": 7.0}
    values, bad = parse_numbers(pa.array(list(good)))
    assert dict(zip(good, values.tolist(), strict=True)) == good
    assert not bad.any()
    values, bad = parse_numbers(pa.array(["", "12,99", "$5", "nan", "inf", "1e31", "1e999", "1 2", "0x1"]))
    assert bad.all()
    assert all(map(math.isnan, values.tolist()))


def test_availability_words() -> None:
    values, bad = parse_availability(
        pa.array(["", "Yes", "TRUE", "1", "in stock", "no", "False", "0", "sold out", "perhaps"])
    )
    assert values.tolist() == [True] * 5 + [False] * 5
    assert bad.tolist() == [False] * 9 + [True]


@pytest.mark.parametrize(
    ("texts", "is_text", "expected"),
    [
        (["1995", "2001"], False, [1995, 2001]),
        (["1995", "2001"], True, ["1995", "2001"]),
        (["07101", "10001"], False, ["07101", "10001"]),
        (["12345678901234567890", "1"], False, ["12345678901234567890", "1"]),
        (["1.5", "2"], False, [1.5, 2.0]),
        (["S", "1"], False, ["S", "1"]),
        (["", ""], False, ["", ""]),
    ],
)
def test_attributes_are_numbers_only_where_all_plainly_are(
    texts: list[str], is_text: bool, expected: list[object]
) -> None:
    assert parse_attribute(pa.array(texts), is_text).tolist() == expected


def test_a_numeric_attribute_with_gaps() -> None:
    assert parse_attribute(pa.array(["3", ""]), False).isna().tolist() == [False, True]

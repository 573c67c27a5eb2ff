from __future__ import annotations

import pyarrow as pa
import pytest

from recsys.dataset.importers.values import parse_attribute


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

from __future__ import annotations

import pyarrow as pa
import pytest

from recsys.dataset.importers.values import join_lists, parse_availability, parse_ids, parse_list


def test_availability_words() -> None:
    yes = ["", "Yes", "TRUE", "1", "in stock", "In_Stock", "instock", "https://schema.org/InStock", "ja", "25", "1.0"]
    no = ["no", "False", "0", "sold out", "out_of_stock", "OutOfStock", "nein", "-3", "draft", "ausverkauft"]
    values, bad, notes = parse_availability(pa.array([*yes, *no, "perhaps"]))
    assert values.tolist() == [True] * len(yes) + [False] * (len(no) + 1)
    assert bad.tolist() == [False] * (len(yes) + len(no)) + [True]
    assert notes == ("numbers are pieces in stock; 0 and below is not available",)


def test_what_comes_later_is_available_and_named() -> None:
    values, bad, notes = parse_availability(pa.array(["preorder", "backorder", "onbackorder", "available for order"]))
    assert values.all()
    assert not bad.any()
    assert notes == ("available for order, backorder, onbackorder, preorder count as available",)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a|b", ["a", "b"]), ('["a", "b"]', ["a", "b"]), ("['a', 'b']", ["a", "b"]), ("('a',)", ["a"]),
        ("[1, 2]", ["1", "2"]),
        ("", []), ("[]", []), ("[a", ["[a"]), ("a", ["a"]), (" a | |b ", ["a", "b"]), ("[x.y(1)]", ["[x.y(1)]"]),
    ],
)  # fmt: skip
def test_lists_in_a_cell(text: str, expected: list[str]) -> None:
    assert parse_list(text) == expected


def test_ids_are_text_in_composed_form() -> None:
    assert parse_ids(pa.array(["cafe\u0301", "café", "007", "1e5"])).values.to_pylist() == [
        "café",
        "café",
        "007",
        "1e5",
    ]


def test_ids_that_lost_digits_are_bad() -> None:
    assert parse_ids(pa.array(["4.00638E+12", "4006381333931"])).bad.tolist() == [True, False]
    assert parse_ids(pa.array(["1e+20", "4006381333931", "1.5"]), from_floats=True).bad.tolist() == [True, False, True]


def test_ids_that_all_end_in_point_zero_were_whole_numbers() -> None:
    ids, bad, notes = parse_ids(pa.array(["101.0", "", "102.0"]), where="log, column 'user'")
    assert ids.to_pylist() == ["101", "", "102"]
    assert not bad.any()
    assert notes == (
        "log, column 'user': ids are whole numbers that were written as floats (101.0 -> 101, 102.0 -> 102)",
    )
    assert parse_ids(pa.array(["101.0", "v2"])).values.to_pylist() == ["101.0", "v2"]


def test_whole_numbers_with_and_without_point_zero_are_the_same_ids() -> None:
    assert parse_ids(pa.array(["7.0", "7", "8"])).values.to_pylist() == ["7", "7", "8"]


def test_invisible_signs_and_words_for_missing_ids_are_named() -> None:
    column = pa.array(["a\u200b", "\ufeffb", "nan", "NA", "👩\u200d💻"])
    ids, bad, notes = parse_ids(column, where="log, column 'user'")
    assert ids.to_pylist() == ["a", "b", "nan", "NA", "👩\u200d💻"]
    assert not bad.any()
    assert notes[0] == "log, column 'user': signs without a width are removed from 2 ids"
    assert "1 rows have the id 'nan', which programs write if an id is missing" in notes[1]


def test_lists_in_brackets_become_bars() -> None:
    assert join_lists(pa.array(['["x", "y"]', "['p']", "a > b", ""])).to_pylist() == ["x|y", "p", "a > b", ""]

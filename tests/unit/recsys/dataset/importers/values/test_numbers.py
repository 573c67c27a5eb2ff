from __future__ import annotations

import math

import pyarrow as pa
import pytest

from recsys.dataset.importers.values import describe_number, parse_number, parse_numbers
from recsys.errors import DataError


def numbers(*texts: str, **customs: str) -> list[float | None]:
    values = parse_numbers(pa.array(texts), **customs).values.tolist()
    return [None if math.isnan(value) else value for value in values]


def test_plain_numbers() -> None:
    good = {
        "1": 1.0,
        "-2.5": -2.5,
        ".5": 0.5,
        "5.": 5.0,
        "+1e3": 1000.0,
        "007": 7.0,
        "123456789012.34": 123456789012.34,
    }
    assert numbers(*good) == list(good.values())


@pytest.mark.parametrize(
    "text",
    ["", "nan", "inf", "1e31", "1e999", "1 2", "0x1", "12 pcs", "from 12.99", "5kg", "1.2.3", "1,2,3", "ask us", "-"],
)
def test_what_is_no_number(text: str) -> None:
    assert numbers(text, "7.25") == [None, 7.25]


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["12,99", "1.299,00", "1.299"], [12.99, 1299, 1299]),
        (["12.99", "1,299.00", "1,299"], [12.99, 1299, 1299]),
        (["1,29,900.00", "1,299", "12,34,56,789"], [129900, 1299, 123456789]),
        (["1 299,00", "1\u00a0299,00", "1\u202f299,5", "3,5"], [1299, 1299, 1299.5, 3.5]),
        (["1'299.00", "1’299.05", "1 299.000", "2.5"], [1299, 1299.05, 1299, 2.5]),
        (["1.299.000", "1.299"], [1299000, 1299]),
        (["1,299,000", "1,299"], [1299000, 1299]),
        (["0,125", "1,250"], [0.125, 1.25]),
        (["0.125", "1.250"], [0.125, 1.25]),
        (["1299,000", "1,000"], [1299, 1]),
        (["1,5E+3"], [1500]),
        (["€ 5,00", "1.299,00 €", "€2.000"], [5, 1299, 2000]),
        (["$19.99", "1,299.00 USD", "USD 5.00", "$ 1,000"], [19.99, 1299, 5, 1000]),
        (["R$ 3,50", "R$ 1.000"], [3.5, 1000]),
        (["12,- kr", "5,50 kr.", "kr 7"], [12, 5.5, 7]),
        (["19.99 eur", "12.- Fr."], [19.99, 12]),
        (["(12.99)", "12.99-", "−5.00", "-$5.00", "$-5", "- 3"], [-12.99, -12.99, -5, -5, -5, -3]),
    ],
)  # fmt: skip
def test_customs_are_decided_by_all_values_of_a_column(texts: list[str], expected: list[float]) -> None:
    assert numbers(*texts) == expected
    assert numbers(*reversed(texts)) == expected[::-1]


def test_a_number_that_may_be_two_is_refused_unless_something_decides() -> None:
    with pytest.raises(DataError, match=r"i.csv, column 'price': '1.299' may be .*`--decimal .` or `--decimal ,`"):
        parse_numbers(pa.array(["5", "1.299"]), where="i.csv, column 'price'")
    assert numbers("1.299", "1,299", decimal=".") == [1.299, 1299]
    assert numbers("1.299", "1,299", decimal=",") == [1299, 1.299]
    guessed = parse_numbers(pa.array(["1.299", "2.499"]), custom=",")
    assert guessed.values.tolist() == [1299, 2499]
    assert guessed.notes == (
        "the column: numbers are taken to have a decimal comma (1.299 -> 1299.0, 2.499 -> 2499.0); "
        "`--decimal` says otherwise",
    )


def test_a_column_with_both_customs_names_the_rarer_and_the_unclear() -> None:
    assert numbers("12.99", "1.99", "3,50", "1.299", "4") == [12.99, 1.99, None, None, 4]
    with pytest.raises(DataError, match=r"'12.99' and '12,99'"):
        numbers("12,99", "12.99")
    assert "use `--decimal`" in describe_number("3,50")
    assert describe_number("ask us") == "'ask us' is not a number; write 12.99"


def test_several_currencies_in_one_column_are_named() -> None:
    (note,) = parse_numbers(pa.array(["5.00 EUR", "$7.00", "6.50 EUR"])).notes
    assert note.endswith("amounts of several currencies are read as one: EUR, USD")


def test_one_number() -> None:
    assert [parse_number(value) for value in (3, 1.299, "12,99", "$5")] == [3, 1.299, 12.99, 5]
    assert parse_number("1.299", ",") == 1299
    for wrong in (None, True, "x", "1.299", float("nan")):
        with pytest.raises(DataError):
            parse_number(wrong)


@pytest.mark.parametrize(
    "texts", [("Rs. 5", "₹ 7"), ("12.99USD", "12.99 usd"), ("CHF 12.50", "Fr. 8.00"), ("¥5", "7円")]
)
def test_one_currency_written_in_two_ways_is_one(texts: tuple[str, ...]) -> None:
    values, bad, notes = parse_numbers(pa.array(texts))
    assert not bad.any()
    assert values.min() > 0
    assert not notes


def test_a_dash_instead_of_cents_is_no_minus() -> None:
    assert parse_numbers(pa.array(["5.-", "12.-", "7.–", "8-"])).values.tolist() == [5.0, 12.0, 7.0, -8.0]

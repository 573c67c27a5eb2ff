"""Numbers as people write them: decimal point or comma, thousands, currencies, negatives.

Whether a comma is the decimal sign is decided for a column from all of its values: `12,99` and `1.299,00` show it,
`1.299` alone does not. If no value shows it, the custom of the file decides, and the report says so.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from recsys.dataset.importers.values.arrow import as_bools, is_blank
from recsys.errors import DataError
from recsys.schema import BoolArray

POINT, COMMA = ".", ","
_PLAIN = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
_WHOLE = r"^[+-]?\d+$"
# Weights become float32, which ends near 3e38.
_LARGEST = 1e30
_EXAMPLES = 3

_CODES = (
    "AED|ALL|AMD|ARS|AUD|AZN|BAM|BDT|BGN|BHD|BND|BOB|BRL|BYN|CAD|CHF|CLP|CNY|COP|CRC|CZK|DKK|DOP|DZD|EGP|EUR|GBP|GEL|GHS"
    "|GTQ|HKD|HNL|HRK|HUF|IDR|ILS|INR|IQD|IRR|ISK|JMD|JOD|JPY|KES|KGS|KHR|KRW|KWD|KZT|LAK|LBP|LKR|MAD|MDL|MKD|MMK|MNT|MOP"
    "|MUR|MXN|MYR|NGN|NIO|NOK|NPR|NZD|OMR|PAB|PEN|PHP|PKR|PLN|PYG|QAR|RON|RSD|RUB|SAR|SEK|SGD|THB|TND|TRY|TTD|TWD|TZS|UAH"
    "|UGX|USD|UYU|UZS|VES|VND|XAF|XOF|YER|ZAR|ZMW"
)
_CURRENCY = (
    rf"(?:(?i:{_CODES}|euros?)|(?:US|AU|CA|NZ|HK|SG|NT|MX|[ACRS])?\p{{Sc}}|kr\.?|zł\.?|Kč|Ft|lei|лв\.?|руб\.?|р\.|грн\.?|Rs\.?|Rp\.?|RM|TL"
    r"|S?Fr\.?|din\.?|円|元|원)"
)
_NAMES = (
    "EUR € EURO EUROS", "GBP £", "USD $ US$", "INR ₹ RS", "CHF FR SFR", "JPY ¥ ￥ 円", "KRW ₩ ￦ 원", "CNY 元", "VND ₫",
    "PLN ZŁ", "CZK KČ", "HUF FT", "RON LEI", "BRL R$", "TRY ₺ TL", "RUB ₽ РУБ Р", "UAH ₴ ГРН", "KR SEK NOK DKK",
)  # fmt: skip
_SAME_CURRENCY = {name: names.split()[0] for names in _NAMES for name in names.split()}
"""One name for the signs and codes of a currency."""
_MINUS = r"[-−–]"
# Shapes after currencies and spaces are gone; a # says that spaces parted the thousands. Groups of two digits are the
# custom of India: 1,29,900.
_SHOWS_POINT = (
    r"^[+-]?(\d*\.\d+#|\d{1,3}(,\d{2,3})*,\d{3}\.\d*|\d{1,3}(,\d{2,3})+,\d{3}|\d*\.\d{0,2}|\d*\.\d{4,}"
    r"|0*\.\d{3}|\d{4,}\.\d{3}|\d*\.\d*[eE][+-]?\d+)$"
)
_SHOWS_COMMA = (
    r"^[+-]?(\d*,\d+#|\d{1,3}(\.\d{3})+,\d*|\d{1,3}(\.\d{3}){2,}|\d*,\d{0,2}|\d*,\d{4,}"
    r"|0*,\d{3}|\d{4,},\d{3}|\d*,\d*[eE][+-]?\d+)$"
)
_UNCLEAR = r"^[+-]?[1-9]\d{0,2}[.,]\d{3}$"
_BY_CUSTOM = {
    POINT: r"^[+-]?(\d+|\d{1,3}(,\d{2,3})*,\d{3})?(\.\d*)?([eE][+-]?\d+)?$",
    COMMA: r"^[+-]?(\d+|\d{1,3}(\.\d{3})+)?(,\d*)?([eE][+-]?\d+)?$",
}


class ParsedNumbers(NamedTuple):
    """Numbers of a column.

    Attributes:
        values: `(N,)` float64, NaN if unreadable.
        bad: `(N,)` mask of the unreadable or empty ones.
        notes: sentences about guesses, with examples.
    """

    values: NDArray[np.float64]
    bad: BoolArray
    notes: tuple[str, ...] = ()


def parse_numbers(
    column: pa.StringArray, decimal: str = "", custom: str = "", where: str = "the column"
) -> ParsedNumbers:
    """Parse a column of numbers up to 1e30.

    Args:
        column: text `(N,)`.
        decimal: decimal sign, if known for certain: "." or ",".
        custom: decimal sign that the file suggests, used if no value of the column shows one.
        where: name of the column, for error messages.

    Raises:
        DataError: the decimal sign cannot be decided; the message names the option.
    """
    column = pc.utf8_trim_whitespace(column)
    clear = as_bools(pc.match_substring_regex(column, _PLAIN if decimal == POINT else _WHOLE))
    notes: tuple[str, ...] = ()
    unclear = np.zeros(len(column), dtype=np.bool_)
    text = column
    if not (clear | is_blank(column)).all():
        text, currencies = _strip(column)
        if not decimal:
            decimal, unclear, notes = _decide(column, text, custom, where)
        if len(currencies) > 1:
            notes += (f"{where}: amounts of several currencies are read as one: {', '.join(sorted(currencies))}",)
        text = _to_point(text, decimal)
    readable = as_bools(pc.match_substring_regex(text, _PLAIN)) & ~unclear
    values = pc.if_else(pa.array(readable), text, None).cast(pa.float64()).to_numpy(zero_copy_only=False)
    values = values.astype(np.float64)
    values[np.abs(values) > _LARGEST] = np.nan
    return ParsedNumbers(values, np.isnan(values), notes)


def parse_number(value: object, decimal: str = "") -> float:
    """Parse one number, as a number or text. Raises DataError if it is none, or if `1.299` may be two numbers."""
    if isinstance(value, bool) or value is None:
        raise DataError(f"{value!r} is not a number; write 12.99")
    known = POINT if isinstance(value, int | float) else decimal
    parsed = parse_numbers(pa.array([str(value)]), known, where=repr(value))
    if parsed.bad[0]:
        raise DataError(f"{value!r} is not a number; write 12.99")
    return float(parsed.values[0])


def describe_number(value: str, cure: str = "write 12.99") -> str:
    """Return the message about a value that a column of numbers cannot have."""
    if pc.match_substring_regex(_strip(pa.array([value.strip()]))[0], r"^[+-]?\d[\d.,]*$")[0].as_py():
        return f"{value!r} is not a number in the custom of its column; write all alike, or use `--decimal`"
    return f"{value!r} is not a number; {cure}"


def _strip(column: pa.StringArray) -> tuple[pa.StringArray, set[str]]:
    """Remove currencies, spaces and apostrophes between thousands, and unusual signs; also return the currencies.

    A number whose thousands are parted by spaces or apostrophes gets a `#` behind, since its one other sign is the
    decimal sign.
    """
    currencies: set[str] = set()
    text = pc.replace_substring_regex(column, "[\u00a0\u2007\u2009\u202f]", " ")
    if as_bools(pc.match_substring_regex(text, r"[^\d.,eE+\-]")).any():
        text = pc.replace_substring_regex(text, "[−–]", "-")
        between = r"[^\p{L}\p{Sc}]*"
        pattern = rf"^{between}(?P<before>{_CURRENCY})?{between}(?P<after>{_CURRENCY})?{between}$"
        named = pc.extract_regex(text, pattern)
        for field in ("before", "after"):
            present = pc.drop_null(pc.unique(pc.struct_field(named, field)))
            upper = (name.upper().strip(".") for name in present.to_pylist() if name)
            currencies |= {_SAME_CURRENCY.get(name, name) for name in upper}
        text = pc.replace_substring_regex(text, rf"^([(+-]?)\s*{_CURRENCY}\s*([+-]?)\s*(.*\d)", r"\1\2\3")
        text = pc.replace_substring_regex(text, rf"(\d[.,]?-*)\s*{_CURRENCY}\s*([)-]?)$", r"\1\2")
        text = pc.replace_substring_regex(text, r"^([+-])\s+", r"\1")
        text = pc.replace_substring_regex(text, r"(\d)[.,]-+$", r"\1")  # "1 299,-" has no cents
        text = pc.replace_substring_regex(text, r"^\((.*)\)$", r"-\1")
        grouped = r"^([+-]?\d{1,3}(?:[ '’]\d{3})+)([.,]\d+)?$"
        parted = pc.match_substring_regex(text, grouped)
        joined = pc.binary_join_element_wise(pc.replace_substring_regex(text, "[ '’]", ""), "#", "")
        text = pc.if_else(parted, joined, text)
    text = pc.replace_substring_regex(text, r"(\d)[.,]-+$", r"\1")  # "12,-" has no cents
    return pc.replace_substring_regex(text, r"^(\d.*)-$", r"-\1"), currencies


def _decide(
    column: pa.StringArray, text: pa.StringArray, custom: str, where: str
) -> tuple[str, BoolArray, tuple[str, ...]]:
    """Return the decimal sign of a column, a mask of values that stay unclear, and notes. Raises DataError."""
    points = as_bools(pc.match_substring_regex(text, _SHOWS_POINT))
    commas = as_bools(pc.match_substring_regex(text, _SHOWS_COMMA))
    unclear = as_bools(pc.match_substring_regex(text, _UNCLEAR))
    nothing = np.zeros(len(column), dtype=np.bool_)
    cure = "say which sign is the decimal sign with `--decimal .` or `--decimal ,`"
    if points.any() and commas.any():
        if points.sum() == commas.sum():
            examples = " and ".join(repr(column[int(np.argmax(rows))].as_py()) for rows in (points, commas))
            raise DataError(f"{where}: some numbers have a decimal point and some a decimal comma: {examples}; {cure}")
        # The rarer custom is unreadable in the other, so that its rows are named; unclear ones would pass unnoticed.
        return (POINT if points.sum() > commas.sum() else COMMA), unclear, ()
    if points.any():
        return POINT, nothing, ()
    if commas.any():
        return COMMA, nothing, (f"{where}: numbers have a decimal comma ({_examples(column, text, COMMA, commas)})",)
    if not unclear.any():
        return custom or POINT, nothing, ()
    if not custom:
        example = column[int(np.argmax(unclear))].as_py()
        raise DataError(f"{where}: {example!r} may be a whole number or one with a fraction; {cure}")
    sign = "comma" if custom == COMMA else "point"
    note = f"{where}: numbers are taken to have a decimal {sign} ({_examples(column, text, custom, unclear)})"
    return custom, nothing, (f"{note}; `--decimal` says otherwise",)


def _to_point(text: pa.StringArray, decimal: str) -> pa.StringArray:
    """Rewrite numbers of one custom with a decimal point and without thousands; others become unreadable."""
    text = pc.replace_substring(text, "#", "")
    fits = pc.match_substring_regex(text, _BY_CUSTOM[decimal])
    thousands = COMMA if decimal == POINT else POINT
    rewritten = pc.replace_substring(pc.replace_substring(text, thousands, ""), decimal, POINT)
    return pc.if_else(fits, rewritten, "")


def _examples(column: pa.StringArray, text: pa.StringArray, decimal: str, rows: BoolArray) -> str:
    some = pa.array(np.flatnonzero(rows)[:_EXAMPLES])
    read = _to_point(text.take(some), decimal).cast(pa.float64()).to_pylist()
    return ", ".join(f"{value} -> {number}" for value, number in zip(column.take(some).to_pylist(), read, strict=True))

"""Times as logs write them, read as whole seconds since 1970 UTC.

Numbers are epoch seconds, milliseconds, microseconds or nanoseconds, told apart by size, or serial days of Excel.
Text is ISO 8601 with or without a zone, its compact form, or a date with names of months or with the year last. A time
without a zone is UTC. Fractions of a second are dropped. Events before 1990 or more than a day ahead are not plausible
and count as unreadable: they are placeholders, or numbers in another unit.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from enum import StrEnum
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from recsys import clock
from recsys.clock import SECONDS_PER_DAY
from recsys.dataset.importers.values.arrow import as_bools
from recsys.errors import DataError
from recsys.schema import BoolArray, IntArray

EARLIEST = 631_152_000
"""1990-01-01: no log of a shop is older."""

_INTEGER = r"^\+?(\d{1,18}|[1-8]\d{18})$"
_NUMBER = r"^[+-]?\d+([.,]\d+)?([eE]\+?\d+)?$"
# Digits that spell a date are one (ISO 8601 basic format), not an epoch of the year 1970.
_DAY = r"(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])"
_COMPACT = rf"^({_DAY})(?:(\d{{4}}(?:\d\d)?)\d{{0,3}})?$"
_ISO = r"^\d{4}[-/.]\d{1,2}[-/.]\d{1,2}([T ]|$)|^\d{8}T"
_YEAR_LAST = r"^(?P<a>\d{1,2})(?P<sep>[./-])(?P<b>\d{1,2})[./-](?P<year>\d{4}|\d\d)(?P<rest>[ T,:].*)?$"
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
# Months of other languages that do not begin as in English.
_OTHER_MONTHS = (
    ("märz|mär|mars|marzo|março|maart|mrt", "mar"), ("mai|mayo|maio|maggio|mag|mei", "may"),
    ("juin|giu(?:gno)?", "jun"),
    ("okt(?:ober)?|ott(?:obre)?|out(?:ubro)?", "oct"),
    ("dez(?:ember|embro)?|déc(?:embre)?|dic(?:iembre|embre)?", "dec"),
    ("févr?(?:ier)?|fev(?:ereiro)?", "feb"), ("avr(?:il)?|abr(?:il)?", "apr"), ("juil(?:let)?|lug(?:lio)?", "jul"),
    ("août|ago(?:sto)?", "aug"), ("ene(?:ro)?|gen(?:naio)?", "jan"), ("set(?:tembre|embro)?|sept(?:iembre)?", "sep"),
)  # fmt: skip
_MILLISECONDS_FROM, _MICROSECONDS_FROM, _NANOSECONDS_FROM = 10**11, 10**14, 10**17
# Excel counts days from 1899-12-30, so that 25569 is 1970-01-01; these bounds are the years 1990 and 2100.
_EXCEL_EPOCH, _FIRST_SERIAL, _LAST_SERIAL = 25_569, 32_874, 73_051
_EXAMPLES = 3


class DateOrder(StrEnum):
    """Order of day and month in dates that end with the year."""

    DAY_FIRST = "dmy"
    MONTH_FIRST = "mdy"


class ParsedTimes(NamedTuple):
    """Times of a column.

    Attributes:
        seconds: `(N,)` int64 since 1970 UTC, 0 if unreadable.
        bad: `(N,)` mask of the unreadable or empty ones; `describe_time` says why.
        notes: sentences about guesses, with examples.
    """

    seconds: IntArray
    bad: BoolArray
    notes: tuple[str, ...] = ()


def parse_times(column: pa.StringArray, order: DateOrder | None = None, where: str = "the column") -> ParsedTimes:
    """Parse a column of times; see the head of this file for what is read.

    Args:
        column: text `(N,)`.
        order: order of day and month in dates such as 05/06/2024; default: decided from all values.
        where: name of the column, for error messages.

    Raises:
        DataError: day and month cannot be told apart in the whole column; the message names the option.
    """
    seconds = np.full(len(column), -1, dtype=np.int64)
    notes = []
    column = pc.utf8_trim_whitespace(column)
    compact = as_bools(pc.match_substring_regex(column, _COMPACT))
    whole = as_bools(pc.match_substring_regex(column, _INTEGER)) & ~compact
    if whole.any():
        values = pc.filter(column, pa.array(whole)).cast(pa.int64()).to_numpy(zero_copy_only=False)
        seconds[whole] = _scale(values)
    number = as_bools(pc.match_substring_regex(column, _NUMBER)) & ~compact & ~whole
    if number.any():
        text = pc.replace_substring(pc.filter(column, pa.array(number)), ",", ".")
        seconds[number] = _scale(text.cast(pa.float64()).to_numpy(zero_copy_only=False))
    serial = (whole | number) & _is_serial(column, whole | number)
    if serial.any():
        notes.append(f"{where}: numbers are taken for Excel's serial days ({_examples(column, seconds, serial)})")
    dated = ~(whole | number)
    if dated.any():
        rows = np.flatnonzero(dated)
        text, guess = _normalize(column.take(pa.array(rows)), compact[rows], order, where)
        parsed = pd.to_datetime(text.to_pandas(), format="ISO8601", utc=True, errors="coerce")
        moments = parsed.dt.tz_localize(None).to_numpy().astype("datetime64[s]")
        seconds[rows] = np.where(np.isnat(moments), -1, moments.astype(np.int64))
        guessed = np.zeros(len(column), dtype=np.bool_)
        guessed[rows] = guess
        if guessed.any():
            notes.append(f"{where}: day and month are told apart by all dates ({_examples(column, seconds, guessed)})")
    bad = (seconds < EARLIEST) | (seconds > clock.now() + SECONDS_PER_DAY)
    return ParsedTimes(np.where(bad, 0, seconds), bad, tuple(notes))


def parse_time(value: object) -> int:
    """Parse one time, as a number, text or `datetime`: seconds since 1970 UTC.

    Raises DataError if it is not a plausible time; the message says why.
    """
    if isinstance(value, datetime):
        value = value.isoformat()
    elif isinstance(value, float) and value.is_integer():
        value = int(value)
    text = "" if value is None or isinstance(value, bool) else str(value)
    parsed = parse_times(pa.array([text]), where=repr(value))
    if parsed.bad[0]:
        raise DataError(describe_time(text))
    return int(parsed.seconds[0])


def describe_time(value: str) -> str:
    """Return why `value` is no plausible time, and the cure."""
    text = value.strip()
    cure = "write 2024-05-31T18:00:00Z or epoch seconds"
    if not text:
        return f"empty time; {cure}"
    if re.fullmatch(r"(19|20)\d\d([-/.]?(0[1-9]|1[0-2]))?", text):
        return f"{value!r} is a {'year' if len(text) == 4 else 'month'}, and not a time; {cure}"
    column = pa.array([text])
    scaled: int | None
    if as_bools(pc.match_substring_regex(column, _NUMBER))[0] and not _spells_date(column):
        scaled = int(_scale(np.array([float(text.replace(",", "."))]))[0])
    else:
        normal, _ = _normalize(column, as_bools(pc.match_substring_regex(column, _COMPACT)), DateOrder.DAY_FIRST, "")
        moment = pd.to_datetime(normal.to_pandas(), format="ISO8601", utc=True, errors="coerce")[0]
        scaled = None if pd.isna(moment) else int(moment.timestamp())
    if scaled is None and re.search(r"\d ?[A-Z]{3,4}$", text):
        return f"{value!r} names its zone by letters, which several zones share; write its offset, such as +01:00"
    if scaled is None:
        return f"{value!r} is not a time; {cure}"
    if scaled < EARLIEST:
        hint = "leave the row out or give its time" if _spells_date(column) or "-" in text else cure
        return f"{value!r} is not a time of an event: it would be before 1990; {hint}"
    return f"{value!r} is not a time of an event: it lies more than a day ahead of now; correct it or leave the row out"


def _scale(values: IntArray | NDArray[np.float64]) -> IntArray:
    """Return numbers (N,) as seconds, by the unit that their size tells."""
    divisor = np.select(
        [values >= _NANOSECONDS_FROM, values >= _MICROSECONDS_FROM, values >= _MILLISECONDS_FROM],
        [10**9, 10**6, 10**3],
        1,
    )
    scaled = np.floor_divide(np.minimum(values, 9 * 10**18), divisor)
    serial = (values >= _FIRST_SERIAL) & (values < _LAST_SERIAL)
    # Excel's fractions of a day are rounded: 18:00 may be stored as 17:59:59.9999.
    days = np.rint((np.where(serial, values, _EXCEL_EPOCH) - _EXCEL_EPOCH) * SECONDS_PER_DAY)
    seconds: IntArray = np.where(serial, days, scaled).astype(np.int64)
    return seconds


def _is_serial(column: pa.StringArray, number: BoolArray) -> BoolArray:
    """Return a mask (N,) of the numbers that are serial days: five digits before the decimal sign."""
    shaped = as_bools(pc.match_substring_regex(column, r"^(3[2-9]|[4-6]\d|7[0-3])\d{3}([.,]\d+)?$"))
    mask = number & shaped
    if mask.any():
        text = pc.replace_substring(pc.filter(column, pa.array(mask)), ",", ".")
        values = text.cast(pa.float64()).to_numpy(zero_copy_only=False)
        mask[mask] = (values >= _FIRST_SERIAL) & (values < _LAST_SERIAL)
    return mask


def _spells_date(column: pa.StringArray) -> bool:
    return bool(as_bools(pc.match_substring_regex(column, _COMPACT))[0])


def _normalize(
    column: pa.StringArray, compact: BoolArray, order: DateOrder | None, where: str
) -> tuple[pa.StringArray, BoolArray]:
    """Rewrite dates as ISO 8601; also return a mask of those whose day and month were told apart by other rows."""
    text = pc.replace_substring_regex(column, r"(?i)\s*\(?\b(utc|gmt)\)?$|\s*\[[a-z_/]+\]$| uhr$|\s+\([^)]*\)$", "")
    text = pc.replace_substring_regex(text, r"(:\d\d)[.,]\d+", r"\1")
    guessed = np.zeros(len(column), dtype=np.bool_)
    if compact.any():
        joined = pc.replace_substring_regex(text, _COMPACT, r"\1T\2")
        joined = pc.replace_substring_regex(joined, r"^(\d{8})T$", r"\1")
        text = pc.if_else(pa.array(compact), joined, text)
    iso = as_bools(pc.match_substring_regex(text, _ISO)) | compact
    if not iso.all():
        rows = np.flatnonzero(~iso)
        others, guess = _rewrite(text.take(pa.array(rows)), order, where)
        text = pc.replace_with_mask(text, pa.array(~iso), others)
        guessed[rows] = guess
    # yyyy.mm.dd is ISO 8601 but for its signs; a month without a day is no time.
    text = pc.replace_substring_regex(text, r"^(\d{4})[./](\d{1,2})[./](\d{1,2})", r"\1-\2-\3")
    whole = pc.match_substring_regex(text, r"^\d{4}-\d{1,2}-\d|^\d{8}")
    return pc.if_else(whole, text, ""), guessed


def _rewrite(column: pa.StringArray, order: DateOrder | None, where: str) -> tuple[pa.StringArray, BoolArray]:
    """Rewrite dates that do not begin with the year; see `_normalize`."""
    text = pc.replace_substring_regex(column, r"(?i)^(mon|tue|wed|thu|fri|sat|sun)[a-z]*,?\s+", "")
    text = pc.replace_substring_regex(text, r"(?i)\s*gmt([+-]\d)", r"\1")
    text = pc.replace_substring_regex(text, r"^(\d{4})年(\d{1,2})月(\d{1,2})日", r"\3.\2.\1 ")
    # "Jan 31 10:15:00 UTC 2024", as C and Unix write it: the year goes to the date.
    text = pc.replace_substring_regex(
        text, r"^([A-Za-z]{3} +\d{1,2}) ([\d:]{5,8})(?: UTC| GMT)? (\d{4})$", r"\1, \3 \2"
    )
    lettered = as_bools(pc.match_substring_regex(text, r"\pL{3}"))
    for word, month in _OTHER_MONTHS if lettered.any() else ():
        text = pc.replace_substring_regex(text, rf"(?i)\b({word})\b\.?", month)
    named = as_bools(pc.match_substring_regex(text, r"(?i)\b(" + "|".join(_MONTHS) + ")"))
    if named.any():
        for number, month in enumerate(_MONTHS, start=1):
            text = pc.replace_substring_regex(text, rf"(?i)\b{month}[a-z]*\b\.?", f"{number:02}m")
        # "31 05m 2024", "05m 31, 2024": the month is known, so they are ISO dates at once.
        text = pc.replace_substring_regex(text, r"^(\d{1,2})\.?[ \-/]+(\d\d)m[ \-/,]+(\d{4})[ :,T]*", r"\3-\2-\1 ")
        text = pc.replace_substring_regex(
            text, r"^(\d\d)m[ \-/]+(\d{1,2})(?:st|nd|rd|th)?[ \-/,]+(\d{4})[ :,T]*", r"\3-\1-\2 "
        )
    text = _rewrite_clock(text)
    parts = pc.extract_regex(text, _YEAR_LAST).to_pandas()
    found = parts.map(lambda part: part is not None)
    guessed = np.zeros(len(column), dtype=np.bool_)
    if not found.any():
        return pc.utf8_trim_whitespace(text), guessed
    fields = pd.DataFrame(parts[found].tolist(), index=parts.index[found])
    first, second = fields["a"].astype(int), fields["b"].astype(int)
    # 24-05-31 may begin with the year, too.
    short = (fields["year"].str.len() == 2) & (fields["sep"] == "-")
    dots = fields["sep"] == "."
    chosen = order or _decide_order(column, first, second, dots, where)
    day, month = ("a", "b") if chosen is DateOrder.DAY_FIRST else ("b", "a")
    years = fields["year"].map(lambda year: year if len(year) == 4 else f"{'20' if int(year) < 70 else '19'}{year}")
    rest = fields["rest"].fillna("").str.replace(r"^[ T,:]+", " ", regex=True)
    dates = years + "-" + fields[month].str.zfill(2) + "-" + fields[day].str.zfill(2) + rest
    result = text.to_pandas()
    result[fields.index] = dates.where(~short, "")
    if order is None:
        unclear = (first <= 12) & (second <= 12) & (first != second) & ~dots
        guessed[fields.index[unclear]] = True
    return pa.array(result.str.strip(), pa.string()), guessed


def _rewrite_clock(text: pa.StringArray) -> pa.StringArray:
    """Rewrite times of the 12-hour clock (6:05 PM) with 24 hours."""
    clocked = r"(?i)^(?P<date>.*?)(?P<hour>\d{1,2})(?P<rest>:\d\d(?::\d\d)?)\s*(?P<half>[ap])\.?m\.?$"
    halves = as_bools(pc.match_substring_regex(text, clocked))
    if not halves.any():
        return text
    parts = pd.DataFrame(pc.extract_regex(pc.filter(text, pa.array(halves)), clocked).to_pylist())
    hours = parts["hour"].astype(int) % 12 + np.where(parts["half"].str.lower() == "p", 12, 0)
    written = parts["date"] + hours.map("{:02}".format) + parts["rest"]
    return pc.replace_with_mask(text, pa.array(halves), pa.array(written, pa.string()))


def _decide_order(
    column: pa.StringArray, first: pd.Series[int], second: pd.Series[int], dots: pd.Series[bool], where: str
) -> DateOrder:
    """Return the order that all dates of a column share. Raises DataError if they show both, or none."""
    cure = "say which with `--dates dmy` or `--dates mdy`"
    # A date with two large numbers is wrong in either order and shows nothing.
    day_first, month_first = first[(first > 12) & (second <= 12)], second[(second > 12) & (first <= 12)]
    if len(day_first) and len(month_first):
        examples = " and ".join(repr(column[int(rows.index[0])].as_py()) for rows in (day_first, month_first))
        raise DataError(f"{where}: day and month change places, as in {examples}; {cure}")
    if len(month_first):
        return DateOrder.MONTH_FIRST
    unclear = first[(first != second) & (first <= 12) & (second <= 12) & ~dots]
    if len(unclear) and not len(day_first):
        example = column[int(unclear.index[0])].as_py()
        raise DataError(f"{where}: {example!r} may begin with the day or with the month, and no date decides; {cure}")
    return DateOrder.DAY_FIRST


def _examples(column: pa.StringArray, seconds: IntArray, rows: BoolArray) -> str:
    some = np.flatnonzero(rows)[:_EXAMPLES].tolist()
    times = (f"{datetime.fromtimestamp(int(seconds[row]), UTC):%Y-%m-%d %H:%M:%S}" for row in some)
    return ", ".join(f"{column[row].as_py()} -> {time}" for row, time in zip(some, times, strict=True))

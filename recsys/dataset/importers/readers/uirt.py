"""Ratings without a header: user, item, rating and perhaps time, as Surprise and Cornac (UIR, UIRT) read them.

Columns are separated by spaces, tabs, commas, semicolons or `::`. LightGCN's files look alike: `user item item ...` and
`user<tab>item<tab>weight`; `looks_like` says which of both a file is.
Source: surprise.readthedocs.io/en/stable/reader.html, cornac.readthedocs.io/en/stable/api_ref/data.html
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from recsys.dataset.importers.readers.lines import Rows, first_lines, numbered_lines
from recsys.dataset.importers.table import Customs, RawTable
from recsys.dataset.importers.values.numbers import POINT
from recsys.dataset.importers.values.times import EARLIEST
from recsys.errors import DataError
from recsys.schema import ITEM_ID, RATING, TIMESTAMP, USER_ID

_NAMES = (USER_ID, ITEM_ID, RATING, TIMESTAMP)
_SEPARATORS = ("::", "\t", ",", ";", " ")
_NUMBER = re.compile(r"-?\d+(\.\d+)?")
_LARGEST_RATING = 10.0
_SAMPLE_LINES = 1000


def read_uirt(path: Path) -> RawTable:
    """Read ratings; a line of another width than the first is a bad row. Raises DataError if unreadable."""
    first = next(iter(first_lines(path)), "")
    separator = _find_separator(first)
    width = len(_split(first, separator))
    if width not in (3, 4):
        raise DataError(f"{path}: {width} columns; ratings without a header have user, item, rating, and perhaps time")
    rows = Rows(path, _NAMES[:width])
    for number, line in numbered_lines(path):
        values = _split(line, separator)
        if len(values) == width:
            rows.add(number, values)
        else:
            message = f"{len(values)} columns, but the first line has {width}; write {' '.join(_NAMES[:width])}"
            rows.reject(number, None, message, line)
    table = rows.table((USER_ID, ITEM_ID))
    example = ", ".join(f"{name} {value}" for name, value in zip(_NAMES, _split(first, separator), strict=False))
    note = f"{path}: no header, taken for ratings: {example}; `--format lightgcn` reads lists of items"
    return replace(table, customs=Customs(POINT), notes=(note,))


def looks_like(path: Path) -> bool | None:
    """Return True for ratings without a header, False for anything else, None if it may be lists of items.

    Four columns are ratings if the last one holds times. Three are ratings if the third holds ratings: fractions, or
    numbers up to 10 of users who are on several lines. In lists of items each user has one line.
    """
    lines = first_lines(path, _SAMPLE_LINES + 1)[:_SAMPLE_LINES]
    if not lines:
        return False
    separator = _find_separator(lines[0])
    rows = [_split(line, separator) for line in lines]
    width = len(rows[0])
    if width not in (3, 4) or any(len(row) != width for row in rows):
        return False
    if not all(_NUMBER.fullmatch(value) for row in rows for value in row[2:]):
        return False
    if width == 4:
        timed = all(float(row[3]) >= EARLIEST for row in rows)
        if timed:
            return True
        return None if separator == " " else False
    ratings = [float(row[2]) for row in rows]
    if not all(0 <= rating <= _LARGEST_RATING for rating in ratings):
        # Counts of plays, or ids of items.
        return False
    fractions = any("." in row[2] for row in rows)
    ids = all(_NUMBER.fullmatch(value) for row in rows for value in row)
    repeated = len({row[0] for row in rows}) < len(rows)
    if fractions or not ids or repeated:
        return True
    return None if separator in " \t" else True


def _find_separator(line: str) -> str:
    return next((separator for separator in _SEPARATORS if separator in line.strip()), " ")


def _split(line: str, separator: str) -> list[str]:
    return line.split() if separator == " " else [value.strip().strip('"') for value in line.split(separator)]

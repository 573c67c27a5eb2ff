"""Interactions in the format of LightGCN, NGCF, UltraGCN and their followers: numbers without a header.

There are two layouts. `user<tab>item` or `user<tab>item<tab>weight`, one event per line (Last.fm in LightGCN's
repository); and `user item item item ...`, separated by spaces, all items of a user in one line (Gowalla, Yelp2018,
Amazon). Train and test are separate files. There is no catalog, and there are no times.
Source: github.com/gusye1234/LightGCN-PyTorch, folder `data`.
"""

from __future__ import annotations

import re
from pathlib import Path

from recsys.dataset.importers.readers.lines import Rows, first_lines, numbered_lines
from recsys.dataset.importers.table import RawTable
from recsys.schema import ITEM_ID, USER_ID, WEIGHT

_ID = re.compile(r"\d+")


def read_lightgcn(path: Path) -> RawTable:
    """Read either layout; a file whose first line holds a tab has one event per line. Raises DataError if unreadable.

    A line with anything but whole numbers for ids is a bad row as a whole. A user without items gives no row.
    """
    first = next(iter(first_lines(path)), "")
    return _read_events(path, len(first.split("\t"))) if "\t" in first else _read_lists(path)


def _read_events(path: Path, width: int) -> RawTable:
    names = (USER_ID, ITEM_ID, WEIGHT)[: max(width, 2)]
    rows = Rows(path, names)
    for number, line in numbered_lines(path):
        values = line.split("\t")
        if len(values) != len(names):
            message = f"{len(values)} fields, but the first line has {width}; write {' '.join(names)} separated by tabs"
            rows.reject(number, None, message, line)
        elif (wrong := _first_wrong(values[:2])) is not None:
            rows.reject(number, names[wrong], _message(values[wrong]), line)
        else:
            rows.add(number, values)
    return rows.table()


def _read_lists(path: Path) -> RawTable:
    rows = Rows(path, (USER_ID, ITEM_ID))
    for number, line in numbered_lines(path):
        user, *items = line.split()
        wrong = _first_wrong([user, *items])
        if wrong is not None:
            rows.reject(number, ITEM_ID if wrong else USER_ID, _message([user, *items][wrong]), line)
            continue
        for item in items:
            rows.add(number, (user, item))
    return rows.table()


def _first_wrong(values: list[str]) -> int | None:
    return next((index for index, value in enumerate(values) if not _ID.fullmatch(value.strip())), None)


def _message(value: str) -> str:
    return f"{value!r} is not an id; this format numbers users and items from 0"

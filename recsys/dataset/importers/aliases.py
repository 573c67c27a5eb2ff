"""Rows of aliases: ids of visitors, each with the user that it turned out to be."""

from __future__ import annotations

import pandas as pd

from recsys.dataset.importers.table import RowCheck
from recsys.dataset.importers.values import as_series, is_blank
from recsys.schema import OLD_ID, USER_ID


def parse_aliases(check: RowCheck) -> pd.DataFrame:
    """Parse all N rows into `old_id` and `user_id`; bad ones are flagged in `check`.

    Empty ids, an id that is its own alias, and an old id of two users are bad.
    """
    old, new = check.require(OLD_ID), check.require(USER_ID)
    for name, column in ((OLD_ID, old), (USER_ID, new)):
        check.flag(is_blank(column), name, lambda _: "empty id; name both ids, or remove the row")
    frame = pd.DataFrame({OLD_ID: as_series(old), USER_ID: as_series(new)})
    own = (frame[OLD_ID] == frame[USER_ID]).to_numpy() & ~is_blank(old)
    check.flag(own, OLD_ID, lambda value: f"{value!r} would be its own alias; remove the row")
    first = frame.groupby(OLD_ID, sort=False)[USER_ID].transform("first")
    two = (first != frame[USER_ID]).to_numpy() & ~is_blank(old)
    check.flag(two, OLD_ID, lambda value: f"{value!r} has another user on an earlier row; two users stay two")
    return frame


def finish_aliases(frame: pd.DataFrame) -> pd.DataFrame:
    """Return each old id once, sorted, with the user at the end of its chain; of two users, the later row's."""
    user_of = dict(zip(frame[OLD_ID], frame[USER_ID], strict=True))
    ends = {}
    for old in user_of:
        end, passed = user_of[old], {old}
        while end in user_of and end not in passed:
            passed.add(end)
            end = user_of[end]
        if end != old:
            ends[old] = end
    finished = pd.DataFrame({OLD_ID: list(ends), USER_ID: list(ends.values())}).astype("str")
    return finished.sort_values(OLD_ID, ignore_index=True)

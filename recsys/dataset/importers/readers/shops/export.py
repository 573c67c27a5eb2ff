"""One export of a shop system as a frame of text, and the tables that readers make of it."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa

from recsys.dataset.importers.columns import plain_name
from recsys.dataset.importers.table import RawTable
from recsys.dataset.importers.values.words import parse_availability
from recsys.errors import DataError
from recsys.schema import EVENT, ITEM_ID, QUANTITY, TIMESTAMP, USER_ID, EventKind

IMAGE_SUFFIX = re.compile(r"\.(jpe?g|png|webp|gif|avif|heic|bmp|tiff?)\b", re.IGNORECASE)
CATEGORY_MARK = "|"
PATH_MARK = " > "
_EXAMPLES = 3


class Export:
    """Table of an export with plain column names (lower case, words joined by `_`).

    Attributes:
        table: contents of the file.
        frame: text of N rows by plain names, "" if empty.
        notes: sentences for the report.
    """

    def __init__(self, table: RawTable, system: str, needed: Sequence[str]) -> None:
        """Take the contents of a file. Raises DataError if it lacks a column of `needed`."""
        self.table = table
        self.system = system
        names = {plain_name(name): column for name, column in table.columns.items()}
        missing = [name for name in needed if name not in names]
        if missing:
            what = f"this export of {system} has {', '.join(needed)}"
            raise DataError(f"{table.path}: no column {', '.join(missing)}; {what}")
        self.frame = pd.DataFrame({name: column.to_pandas() for name, column in names.items()})
        self.notes: list[str] = []

    def column(self, *names: str) -> pd.Series:
        """Return the text of the first of these columns that the file has, else empty text."""
        for name in names:
            if name in self.frame:
                column: pd.Series = self.frame[name]
                return column
        return pd.Series("", index=self.frame.index, dtype="str")

    def fill_down(self, key: pd.Series, *names: str) -> None:
        """Give each row of a group the group's first value in columns that only its first row fills."""
        for name in names:
            if name in self.frame:
                filled = self.frame[name].mask(self.frame[name] == "")
                self.frame[name] = filled.fillna(filled.groupby(key, sort=False).transform("first")).fillna("")

    def note_rows(self, rows: pd.Series, what: str, column: pd.Series) -> None:
        """Note how many rows something holds for, with examples, if there are any."""
        if rows.any():
            examples = ", ".join(dict.fromkeys(column[rows].head(100).tolist()))
            shown = ", ".join(examples.split(", ")[:_EXAMPLES])
            self.notes.append(f"{int(rows.sum()):,} rows {what} ({shown})")

    def to_table(self, columns: Mapping[str, pd.Series], rows: pd.Series, text: Iterable[str] = ()) -> RawTable:
        """Return the chosen rows of `columns` with their lines; columns without any value are left out."""
        chosen = {name: column[rows].str.strip() for name, column in columns.items()}
        arrays = {
            name: pa.array(column, pa.string())
            for name, column in chosen.items()
            if name == ITEM_ID or (column != "").any()
        }
        notes = tuple(f"{self.table.path}: {note}" for note in [f"read as an export of {self.system}", *self.notes])
        return replace(
            self.table,
            columns=arrays,
            lines=self.table.lines[rows.to_numpy(dtype=np.bool_)],
            text_columns=frozenset((ITEM_ID, USER_ID, *text)) & frozenset(arrays),
            notes=(*self.table.notes, *notes),
        )

    def to_orders(
        self,
        users: pd.Series,
        items: pd.Series,
        times: pd.Series,
        quantities: pd.Series,
        status: pd.Series,
        **details: pd.Series,
    ) -> RawTable:
        """Return purchases, one per line of an order; cancelled and refunded orders are left out with a note.

        `details` are columns of items (title, price), from which a catalog can be built.
        """
        words = status.str.lower().str.replace(r"[\s_-]+", " ", regex=True).str.replace(r"^wc ", "", regex=True)
        undone = words.str.contains(r"\b(?:cancel+ed|canceled|refunded|voided|failed|declined|trash)\b", regex=True)
        undone &= ~words.str.contains("partial")
        self.note_rows(undone, "of cancelled or refunded orders are left out", status)
        partly = words.str.contains("partial") & words.str.contains("refund")
        self.note_rows(
            partly, "of partly refunded orders count as bought: the export does not say what came back", status
        )
        nameless = (items == "") & ~undone
        self.note_rows(nameless, "without an item are left out", self.frame.iloc[:, 0])
        columns = {
            USER_ID: users,
            ITEM_ID: items,
            EVENT: pd.Series(EventKind.PURCHASE.value, index=items.index),
            TIMESTAMP: times,
            QUANTITY: quantities,
            **details,
        }
        return replace(self.to_table(columns, ~undone & ~nameless), names_titles=True)


def first_filled(*columns: pd.Series) -> pd.Series:
    """Return the first value of each row that is not empty."""
    result = columns[0]
    for column in columns[1:]:
        result = result.mask(result == "", column)
    return result


def describe_truth(*conditions: pd.Series) -> pd.Series:
    """Return `yes` for the rows in which all conditions hold, else `no`."""
    both = conditions[0]
    for condition in conditions[1:]:
        both = both & condition
    return both.map({True: "yes", False: "no"}).astype("str")


def is_no(words: pd.Series) -> pd.Series:
    """Return True for the rows with a word for no (0, FALSE, nein, ...)."""
    found = parse_availability(pa.array(words, pa.string()))
    return pd.Series(~found.values & ~found.bad, index=words.index)


def is_positive(amounts: pd.Series) -> pd.Series:
    """Return True for the rows with a number above 0, and for those without a number."""
    numbers = pd.to_numeric(amounts.str.replace(",", "."), errors="coerce")
    return numbers.isna() | (numbers > 0)


def strip_html(text: pd.Series) -> pd.Series:
    """Return descriptions without tags, entities and line ends."""
    plain = text.str.replace(r"<(?:br|/p|/li|/div|/h\d)[^>]*>", " ", regex=True).str.replace(r"<[^>]*>", "", regex=True)
    return plain.map(html.unescape).str.split().str.join(" ")


def join_addresses(*columns: pd.Series, separator: str = r",\s*(?=\S+:)|\s*\|\s*|\s+") -> pd.Series:
    """Return the addresses of images, each once, parted by spaces."""

    def join(*cells: str) -> str:
        parts = (part.strip(" ,") for cell in cells for part in re.split(separator, cell))
        return " ".join(dict.fromkeys(part for part in parts if part))

    return apply_rows(join, *columns)


def join_categories(text: pd.Series, split: str, path: str) -> pd.Series:
    """Return categories as paths with ` > `, parted by `|`.

    Args:
        text: categories as exported.
        split: pattern between categories.
        path: pattern between the parts of one category.
    """

    def join(cell: str) -> str:
        paths = (
            PATH_MARK.join(p for part in re.split(path, one) if (p := part.strip())) for one in re.split(split, cell)
        )
        return CATEGORY_MARK.join(dict.fromkeys(one for one in paths if one))

    return apply_rows(join, text)


def apply_rows(function: Callable[..., str], *columns: pd.Series) -> pd.Series:
    """Return `function` of the cells of each row."""
    rows = zip(*(column.tolist() for column in columns), strict=True)
    return pd.Series([function(*cells) for cells in rows], index=columns[0].index, dtype="str")

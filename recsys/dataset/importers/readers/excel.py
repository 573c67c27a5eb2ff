"""Excel workbooks (`.xlsx`): the first sheet, with its first filled row as header. Needs the extra `excel`."""

from __future__ import annotations

import io
import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from recsys.dataset.importers.readers.cells import make_table
from recsys.dataset.importers.readers.encodings import open_bytes
from recsys.dataset.importers.table import RawTable
from recsys.errors import DataError, MissingExtraError

_ZEROS = re.compile(r"0+")


def read_excel(path: Path) -> RawTable:
    """Read a workbook; values are as Excel shows them, with leading zeros if the format of a cell has them.

    Raises DataError if the file is defective, MissingExtraError without the extra.
    """
    try:
        import openpyxl
    except ModuleNotFoundError:
        raise MissingExtraError("openpyxl", "excel") from None
    try:
        with open_bytes(path) as file:
            content = io.BytesIO(file.read())
        workbook = openpyxl.load_workbook(content, read_only=True, data_only=True)
    except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise DataError(f"{path}: not a readable workbook: {error}; save it as .xlsx or CSV") from None
    sheets = [sheet for sheet in workbook.worksheets if sheet.sheet_state == "visible"]
    header: list[str] = []
    rows, lines = [], []
    for number, cells in enumerate(sheets[0].iter_rows(), start=1):
        values = [_show(cell) for cell in cells]
        if all(value is None for value in values):
            continue
        if not header:
            last = max(index for index, value in enumerate(values) if value is not None)
            header = [
                str(value or "").strip() or f"column_{index}" for index, value in enumerate(values[: last + 1], 1)
            ]
            continue
        rows.append((values + [None] * len(header))[: len(header)])
        lines.append(number)
    if not header:
        raise DataError(f"{path}: the first sheet is empty; it needs a header row and rows")
    repeated = sorted({name for name in header if header.count(name) > 1})
    if repeated:
        raise DataError(f"{path}: two columns are named {repeated[0]!r}: rename one of them in the header")
    table = make_table(path, header, rows, np.array(lines, dtype=np.int64), [])
    if len(sheets) == 1:
        return table
    note = f"{path}: only the first sheet is read: {sheets[0].title!r} of {', '.join(sheet.title for sheet in sheets)}"
    return table.with_notes(note)


def _show(cell: Any) -> object:
    """Return a cell's value; whole numbers that the cell's format fills with zeros (00042) as text."""
    value = cell.value
    if isinstance(value, str) and value.startswith("#") and value.rstrip("!?").isupper():
        return None  # an error such as #N/A
    if isinstance(value, int) and not isinstance(value, bool) and _ZEROS.fullmatch(cell.number_format or ""):
        return str(value).zfill(len(cell.number_format))
    return value

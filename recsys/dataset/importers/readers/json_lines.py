"""JSON: one object per line (`.jsonl`, `.ndjson`), or one array of objects (`.json`); keys are columns."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from recsys.dataset.importers.columns import plain_name
from recsys.dataset.importers.readers.cells import make_table
from recsys.dataset.importers.readers.encodings import open_text
from recsys.dataset.importers.readers.lines import first_lines, numbered_lines
from recsys.dataset.importers.table import RawTable, Reject
from recsys.errors import DataError, Problem
from recsys.progress import advance

_PROGRESS_STEP = 10_000
_ROW_WORDS = {"id", "sku", "title", "name", "user", "item", "product", "event"}


def read_json(path: Path) -> RawTable:
    """Read objects; a key is a column, lists are joined by `|`, and nested objects are left out with a note.

    Lines that are no object are bad rows. Raises DataError if the file is unreadable.
    """
    rejects: list[Reject] = []
    names: dict[str, int] = {}
    rows: list[dict[str, Any]] = []
    lines = []
    for number, value in json_objects(path, rejects):
        for name in value:
            names.setdefault(name, len(names))
        rows.append(value)
        lines.append(number)
        if len(rows) % _PROGRESS_STEP == 0:
            advance(_PROGRESS_STEP)
    cells = ([row.get(name) for name in names] for row in rows)
    return make_table(path, list(names), cells, np.array(lines, dtype=np.int64), rejects)


def json_objects(path: Path, rejects: list[Reject]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the objects of a file with their lines (in an array: their numbers), and reject what is none.

    Raises DataError if the file is unreadable.
    """
    values = _read_document(path)
    if values is not None:
        for number, value in enumerate(values, start=1):
            if isinstance(value, dict):
                yield number, value
            else:
                problem = Problem(path, number, None, "not a JSON object; each entry must be one, in braces")
                rejects.append(Reject(problem, json.dumps(value)))
        return
    for number, line in numbered_lines(path):
        try:
            value = json.loads(line)
        except (ValueError, RecursionError) as error:
            problem = Problem(path, number, None, f"not valid JSON ({error}); each line must be one object")
            rejects.append(Reject(problem, line))
            continue
        if isinstance(value, dict):
            yield number, value
        else:
            problem = Problem(path, number, None, "not a JSON object; each line must be one, in braces")
            rejects.append(Reject(problem, line))


def _read_document(path: Path) -> list[Any] | None:
    """Return the rows of a file that holds one array or object, None if it has an object per line. Raises DataError."""
    lines = first_lines(path, 2)
    first = lines[0].strip("\ufeff \t") if lines else ""
    is_array = first.startswith("[")
    try:
        row = json.loads(first)
        if not is_array and (len(lines) > 1 or _rows_of(row) == [row]):
            return None
    except (ValueError, RecursionError):
        # An object over several lines, or a very long one, begins with a part of it.
        if not is_array and (not first.startswith("{") or first.endswith("}")):
            return None
    with open_text(path) as (file, _):
        try:
            return _rows_of(json.load(file))
        except (ValueError, RecursionError) as error:
            if not is_array:
                return None
            raise DataError(f"{path}: not valid JSON: {error}") from None


def _rows_of(document: Any) -> list[Any]:
    """Return the rows of a document: an array, the one list of objects in an object, or the object itself."""
    if isinstance(document, list):
        return document
    if not isinstance(document, dict):
        return [document]
    # An object with a name of its own is a row that has a list, and not a list of rows.
    if any(_ROW_WORDS & set(plain_name(name).split("_")) for name in document):
        return [document]
    lists = [value for value in document.values() if isinstance(value, list) and value and isinstance(value[0], dict)]
    return lists[0] if len(lists) == 1 else [document]


def first_object(path: Path) -> dict[str, Any]:
    """Return the first object of a file, {} if its beginning is none."""
    text = "\n".join(first_lines(path, 2000)).lstrip("\ufeff \t\n[")
    try:
        value, _ = json.JSONDecoder().raw_decode(text)
    except (ValueError, RecursionError):
        return {}
    first = next(iter(_rows_of(value)))
    return first if isinstance(first, dict) else {}

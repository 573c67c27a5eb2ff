"""JSON: one object per line (`.jsonl`, `.ndjson`), or one array of objects (`.json`); keys are columns."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from recsys.dataset.importers.readers.cells import make_table
from recsys.dataset.importers.readers.encodings import open_text
from recsys.dataset.importers.readers.lines import first_lines, numbered_lines
from recsys.dataset.importers.table import RawTable, Reject
from recsys.errors import DataError, Problem
from recsys.progress import advance

_PROGRESS_STEP = 10_000


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
    if is_array(path):
        with open_text(path) as (file, _):
            try:
                values = json.load(file)
            except (ValueError, RecursionError) as error:
                raise DataError(f"{path}: not valid JSON: {error}") from None
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


def is_array(path: Path) -> bool:
    """Return True if a JSON file holds one array instead of lines."""
    return next(iter(first_lines(path)), "").lstrip("\ufeff \t").startswith("[")


def first_object(path: Path) -> dict[str, Any]:
    """Return the first object of a file, {} if its beginning is none."""
    text = "\n".join(first_lines(path, 2000)).lstrip("\ufeff \t\n[")
    try:
        value, _ = json.JSONDecoder().raw_decode(text)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}

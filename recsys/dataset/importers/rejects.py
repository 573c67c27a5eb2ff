"""Rejected rows of an import, as CSV files with the reason for each row."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from recsys.dataset.importers.table import Reject, csv_line
from recsys.errors import Problem
from recsys.storage.artifacts import write_text

_HEADER = "file,row,field,message,raw\n"


def write_rejects(folder: Path, rejects: Mapping[str, Sequence[Reject]]) -> tuple[Path, ...]:
    """Write one CSV file into `folder` for each table that has rejects, and return the paths.

    File names hold a hash of the content: the same import writes the same file again, and overwrites no other.
    """
    paths = []
    for table, rows in rejects.items():
        if not rows:
            continue
        text = _HEADER
        for reject in sorted(rows, key=lambda reject: problem_order(reject.problem)):
            problem = reject.problem
            cells = [str(problem.file), str(problem.row), problem.field or "", problem.message, reject.raw]
            text += csv_line(cells) + "\n"
        path = folder / f"{table}-{hashlib.sha256(text.encode()).hexdigest()[:12]}.csv"
        folder.mkdir(exist_ok=True)
        write_text(path, text)
        paths.append(path)
    return tuple(paths)


def problem_order(problem: Problem) -> tuple[str, int]:
    """Return a sort key that orders problems by file and row."""
    return str(problem.file), problem.row or 0

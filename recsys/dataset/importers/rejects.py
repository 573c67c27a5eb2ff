"""Rows that an import left out, as CSV files that say why."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from recsys.dataset.importers.table import Reject, csv_line
from recsys.errors import Problem
from recsys.storage.artifacts import write_text

_HEADER = "file,row,field,message,raw\n"


def write_rejects(folder: Path, rejects: Mapping[str, Sequence[Reject]]) -> tuple[Path, ...]:
    """Write one CSV for each table that has rejects, made into `folder`; returns their paths.

    Names hold a hash of the content: the same import again writes the same file, and no other is overwritten.
    """
    paths = []
    for table, rows in rejects.items():
        if not rows:
            continue
        text = _HEADER + "".join(map(_line, sorted(rows, key=lambda reject: place(reject.problem))))
        path = folder / f"{table}-{hashlib.sha256(text.encode()).hexdigest()[:12]}.csv"
        folder.mkdir(exist_ok=True)
        write_text(path, text)
        paths.append(path)
    return tuple(paths)


def place(problem: Problem) -> tuple[str, int]:
    """Sorts problems as a reader meets them."""
    return str(problem.file), problem.row or 0


def _line(reject: Reject) -> str:
    problem = reject.problem
    return csv_line([str(problem.file), str(problem.row), problem.field or "", problem.message, reject.raw]) + "\n"

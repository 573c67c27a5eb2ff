"""Report of an import, as text for the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd

from recsys.dataset.importers.columns import Aliases, match_columns
from recsys.dataset.importers.table import RawTable

PREVIEW_ROWS = 5


def describe_reading(raw: RawTable, known: Aliases, renames: Mapping[str, str]) -> str:
    """Return what a file was read as: its format, and the column of each field."""
    names = match_columns(raw.path, raw.columns, known, renames)
    fields = ", ".join(f"{name} <- {source!r}" if source != name else name for name, source in names.fields.items())
    others = f"; further columns: {', '.join(names.others)}" if names.others else ""
    return f"{raw.path} as {raw.format or 'a DataFrame'}: {len(raw):,} rows; {fields}{others}"


@dataclass(frozen=True, slots=True)
class ImportReport:
    """Counts after an import.

    Attributes:
        rows: rows that each imported table now has, by table name.
        rejected: bad rows that were left out, by table name.
        duplicates: repeated interactions that were dropped.
        events: rows of each event kind.
        period: first and last timestamp in seconds; None without interactions or without times.
        images: items with an image.
        rejects: files with the rows left out.
        notes: further remarks.
        readings: what each file was read as, one sentence each.
        preview: first rows of each table, if nothing was written.
    """

    rows: Mapping[str, int]
    rejected: Mapping[str, int]
    duplicates: int
    events: Mapping[str, int]
    period: tuple[int, int] | None
    images: int
    rejects: tuple[Path, ...]
    notes: tuple[str, ...]
    readings: tuple[str, ...] = ()
    preview: Mapping[str, pd.DataFrame] = field(default_factory=dict)

    def __str__(self) -> str:
        lines = [f"read          {reading}" for reading in self.readings] if self.preview else []
        lines += [self._table(name, count) for name, count in self.rows.items()]
        if self.events:
            lines.append("events        " + ", ".join(f"{kind} {count:,}" for kind, count in self.events.items()))
        if self.period is not None:
            first, last = (datetime.fromtimestamp(second, UTC).date() for second in self.period)
            lines.append(f"period        {first} to {last}")
        if self.duplicates:
            lines.append(f"duplicates    {self.duplicates:,} dropped")
        lines += [f"left out      {path}" for path in self.rejects]
        lines += [f"note          {note}" for note in self.notes]
        for name, frame in self.preview.items():
            lines += ["", f"first rows of {name}:", frame.to_string(index=False, max_colwidth=40, na_rep="")]
        return "\n".join(lines)

    def _table(self, name: str, count: int) -> str:
        line = f"{name:<13} {count:,}"
        if name == "items":
            line += f" ({self.images:,} with an image)"
        if self.rejected.get(name):
            line += f", {self.rejected[name]:,} wrong rows left out"
        return line

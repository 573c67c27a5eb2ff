"""Sources of an experiment's logs, read in chunks: the database of live data, Parquet and CSV files, or frames."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pandas as pd
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from recsys.errors import DataError
from recsys.experiments.analysis.log_schema import (
    EVENTS,
    EXPOSURES,
    FEEDBACK,
    Column,
    Columns,
    RowSource,
    match_columns,
    validate_columns,
)
from recsys.experiments.design.definition import UnitKind

if TYPE_CHECKING:
    from recsys.storage.database import Database

ROWS = 500_000
"""Rows per chunk of a file: about 100 MB with lists of ten items."""
_ID_OF = {UnitKind.USER: "user_id", UnitKind.SESSION: "session_id"}
_CSV_BLOCK = 16 * 2**20


@dataclass(frozen=True, slots=True, eq=False)
class Chunk:
    """Validated rows of a log. `columns`: the schema's columns that the log has."""

    columns: Columns
    source: RowSource

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))


class Source(Protocol):
    """Log that can be read any number of times."""

    def chunks(self) -> Iterator[Chunk]:
        """Yield the rows.

        Raises:
            DataError: if a file or column is missing or cannot be read.
            BadRowsError: if rows are wrong; names file, row and column.
        """


@dataclass(frozen=True, slots=True)
class Logs:
    """Logs that an analysis reads. `feedback` is None if no ratings were collected."""

    exposures: Source
    events: Source
    feedback: Source | None = None

    @classmethod
    def from_files(cls, exposures: Path, events: Path, feedback: Path | None = None) -> Logs:
        """Read `.parquet` and `.csv` files with the columns of `recsys.experiments.analysis.log_schema`."""
        return cls(
            FileLog(exposures, EXPOSURES),
            FileLog(events, EVENTS),
            None if feedback is None else FileLog(feedback, FEEDBACK),
        )

    @classmethod
    def from_frames(cls, exposures: pd.DataFrame, events: pd.DataFrame, feedback: pd.DataFrame | None = None) -> Logs:
        """Read frames with the same columns."""
        return cls(
            FrameLog("exposures", exposures, EXPOSURES),
            FrameLog("events", events, EVENTS),
            None if feedback is None else FrameLog("feedback", feedback, FEEDBACK),
        )

    @classmethod
    def from_database(cls, database: Database, unit: UnitKind = UnitKind.USER) -> Logs:
        """Read the service's database, for an experiment on units of this kind; rows without such a unit are skipped.

        Sessions have no ratings: ratings belong to users.
        """
        feedback = DatabaseFeedback(database) if unit is UnitKind.USER else None
        return cls(DatabaseExposures(database, unit), DatabaseEvents(database, unit), feedback)


@dataclass(frozen=True, slots=True)
class FileLog:
    """Parquet or CSV file. Rows count from 1 in Parquet, and from 2 in CSV, whose header is line 1."""

    path: Path
    schema: tuple[Column, ...]

    def chunks(self) -> Iterator[Chunk]:
        """Yield the rows, see `Source.chunks`."""
        suffix = self.path.suffix.lower()
        if suffix not in _READERS:
            raise DataError(f"{self.path}: unknown suffix {suffix!r}; give a .parquet or a .csv file")
        row = _READERS[suffix][1]
        try:
            for batch in _READERS[suffix][0](self.path, self.schema):
                yield _chunk(self.schema, batch, RowSource(self.path, row))
                row += len(batch)
        except (OSError, pa.ArrowException) as error:
            raise DataError(f"{self.path}: cannot be read as {suffix}: {error}") from None


def _parquet(path: Path, schema: Sequence[Column]) -> Iterator[pa.RecordBatch]:
    with pq.ParquetFile(path) as file:
        names = match_columns(schema, file.schema_arrow.names, path)
        yield from file.iter_batches(ROWS, columns=list(names.values()))


def _csv(path: Path, schema: Sequence[Column]) -> Iterator[pa.RecordBatch]:
    with path.open("rb") as file:
        header = file.readline().decode("utf-8-sig").strip()
    header_names = [name.strip().strip('"') for name in header.split(",")]
    names = list(match_columns(schema, header_names, path).values())
    options = pa_csv.ConvertOptions(
        include_columns=names,
        column_types=dict.fromkeys(names, pa.string()),
        null_values=[""],
        strings_can_be_null=True,
        quoted_strings_can_be_null=True,
    )
    parsing = pa_csv.ParseOptions(newlines_in_values=True)
    with pa_csv.open_csv(path, pa_csv.ReadOptions(block_size=_CSV_BLOCK), parsing, options) as reader:
        yield from reader


_READERS = {".parquet": (_parquet, 1), ".csv": (_csv, 2)}


@dataclass(frozen=True, slots=True, eq=False)
class FrameLog:
    """Frame in memory, called `name` in messages; rows count from 0."""

    name: str
    frame: pd.DataFrame
    schema: tuple[Column, ...]

    def chunks(self) -> Iterator[Chunk]:
        """Yield the rows, see `Source.chunks`."""
        names = match_columns(self.schema, [str(name) for name in self.frame.columns], Path(self.name))
        for start in range(0, len(self.frame), ROWS):
            part = self.frame[list(names.values())].iloc[start : start + ROWS]
            yield _chunk(self.schema, _batch(part), RowSource(Path(self.name), start))


@dataclass(frozen=True, slots=True)
class DatabaseExposures:
    """Table of exposures: one row for each list and experiment."""

    database: Database
    unit: UnitKind = UnitKind.USER

    def chunks(self) -> Iterator[Chunk]:
        """Yield the rows, see `Source.chunks`."""
        from recsys.storage.live.exposures import exposure_frames

        row = 1
        for frame in exposure_frames(self.database):
            long = frame[["request_id", "timestamp", "items", "platform", "category"]].copy()
            long["unit"] = frame[_ID_OF[self.unit]]
            # A list outside of experiments is one row, too.
            long["pairs"] = [sorted(arms.items()) or [(None, None)] for arms in frame["arms"]]
            long = long.explode("pairs", ignore_index=True)
            long["experiment"] = [pair[0] for pair in long["pairs"]]
            long["arm"] = [pair[1] for pair in long["pairs"]]
            batch = _batch(long.drop(columns="pairs"))
            yield _chunk(EXPOSURES, batch, RowSource(Path("exposures"), row))
            row += len(batch)


@dataclass(frozen=True, slots=True)
class DatabaseEvents:
    """Table of events."""

    database: Database
    unit: UnitKind = UnitKind.USER

    def chunks(self) -> Iterator[Chunk]:
        """Yield the rows, see `Source.chunks`."""
        from recsys.storage.live.events import EventStore

        row = 1
        for frame in EventStore(self.database).frames():
            frame["unit"] = frame[_ID_OF[self.unit]]
            frame = frame.drop(columns=list(_ID_OF.values())).dropna(subset="unit")
            if len(frame):
                batch = _batch(frame)
                yield _chunk(EVENTS, batch, RowSource(Path("events"), row))
                row += len(batch)


@dataclass(frozen=True, slots=True)
class DatabaseFeedback:
    """Table of ratings."""

    database: Database

    def chunks(self) -> Iterator[Chunk]:
        """Yield the rows, see `Source.chunks`."""
        from recsys.storage.live.feedback import FeedbackStore

        frame = FeedbackStore(self.database).frame()[["user_id", "satisfied", "timestamp"]]
        if len(frame):
            yield _chunk(FEEDBACK, _batch(frame), RowSource(Path("feedback"), 1))


def _batch(frame: pd.DataFrame) -> pa.RecordBatch:
    """Convert a frame with rows to one batch, even if pandas stores a column in pieces."""
    (batch,) = pa.Table.from_pandas(frame, preserve_index=False).combine_chunks().to_batches()
    return batch


def _chunk(schema: tuple[Column, ...], batch: pa.RecordBatch, source: RowSource) -> Chunk:
    names = match_columns(schema, batch.schema.names, source.file)
    raw = {name: batch.column(spelled) for name, spelled in names.items()}
    return Chunk(validate_columns(schema, raw, source), source)

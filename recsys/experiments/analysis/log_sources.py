"""Logs of an experiment, read in chunks: from the database of live data, or from Parquet and CSV files."""

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
from recsys.experiments.analysis.log_schema import EVENTS, EXPOSURES, FEEDBACK, Column, Columns, Place, checked, present
from recsys.experiments.design.definition import UnitKind

if TYPE_CHECKING:
    from recsys.storage.database import Database

ROWS = 500_000
"""Rows of a chunk of a file: some 100 MB with lists of ten items."""
_ID_OF = {UnitKind.USER: "user_id", UnitKind.SESSION: "session_id"}
_CSV_BLOCK = 16 * 2**20


@dataclass(frozen=True, slots=True, eq=False)
class Chunk:
    """Some rows of a log, checked. `columns`: those of the schema that the log has."""

    columns: Columns
    place: Place

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))


class Source(Protocol):
    """One log that can be read, any number of times."""

    def chunks(self) -> Iterator[Chunk]:
        """Its rows. Raises DataError for what is missing, BadRowsError that names file, row and column."""


@dataclass(frozen=True, slots=True)
class Logs:
    """All that an analysis reads. `feedback` is None where nobody was asked."""

    exposures: Source
    events: Source
    feedback: Source | None = None

    @classmethod
    def of_files(cls, exposures: Path, events: Path, feedback: Path | None = None) -> Logs:
        """Of `.parquet` and `.csv` files, with the columns of `recsys.experiments.analysis.log_schema`."""
        return cls(
            FileLog(exposures, EXPOSURES),
            FileLog(events, EVENTS),
            None if feedback is None else FileLog(feedback, FEEDBACK),
        )

    @classmethod
    def of_frames(cls, exposures: pd.DataFrame, events: pd.DataFrame, feedback: pd.DataFrame | None = None) -> Logs:
        """Of frames with the same columns."""
        return cls(
            FrameLog("exposures", exposures, EXPOSURES),
            FrameLog("events", events, EVENTS),
            None if feedback is None else FrameLog("feedback", feedback, FEEDBACK),
        )

    @classmethod
    def of_database(cls, database: Database, unit: UnitKind = UnitKind.USER) -> Logs:
        """Of what the service stores, for an experiment on such units; what is of no such unit is part of none.

        Sessions have no verdicts: these are people's.
        """
        feedback = DatabaseFeedback(database) if unit is UnitKind.USER else None
        return cls(DatabaseExposures(database, unit), DatabaseEvents(database, unit), feedback)


@dataclass(frozen=True, slots=True)
class FileLog:
    """A Parquet or CSV file. Rows count from 1 in Parquet, from 2 in CSV, where the header is line 1."""

    path: Path
    schema: tuple[Column, ...]

    def chunks(self) -> Iterator[Chunk]:
        """As `Source.chunks`."""
        suffix = self.path.suffix.lower()
        if suffix not in _READERS:
            raise DataError(f"{self.path}: unknown suffix {suffix!r}; give a .parquet or a .csv file")
        row = _READERS[suffix][1]
        try:
            for batch in _READERS[suffix][0](self.path, self.schema):
                yield _chunk(self.schema, batch, Place(self.path, row))
                row += len(batch)
        except (OSError, pa.ArrowException) as error:
            raise DataError(f"{self.path}: cannot be read as {suffix}: {error}") from None


def _parquet(path: Path, schema: Sequence[Column]) -> Iterator[pa.RecordBatch]:
    with pq.ParquetFile(path) as file:
        names = present(schema, file.schema_arrow.names, path)
        yield from file.iter_batches(ROWS, columns=list(names.values()))


def _csv(path: Path, schema: Sequence[Column]) -> Iterator[pa.RecordBatch]:
    with path.open("rb") as file:
        header = file.readline().decode("utf-8-sig").strip()
    header_names = [name.strip().strip('"') for name in header.split(",")]
    names = list(present(schema, header_names, path).values())
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
    """A frame in memory, called `name` in messages; rows count from 0, as the frame's places do."""

    name: str
    frame: pd.DataFrame
    schema: tuple[Column, ...]

    def chunks(self) -> Iterator[Chunk]:
        """As `Source.chunks`."""
        names = present(self.schema, [str(name) for name in self.frame.columns], Path(self.name))
        for start in range(0, len(self.frame), ROWS):
            part = self.frame[list(names.values())].iloc[start : start + ROWS]
            yield _chunk(self.schema, _batch(part), Place(Path(self.name), start))


@dataclass(frozen=True, slots=True)
class DatabaseExposures:
    """The table of exposures: one row for each answer and experiment."""

    database: Database
    unit: UnitKind = UnitKind.USER

    def chunks(self) -> Iterator[Chunk]:
        """As `Source.chunks`."""
        from recsys.storage.live.exposures import exposure_frames

        row = 1
        for frame in exposure_frames(self.database):
            long = frame[["request_id", "timestamp", "items", "platform", "category"]].copy()
            long["unit"] = frame[_ID_OF[self.unit]]
            # An answer outside of experiments is one row, too.
            long["pairs"] = [sorted(arms.items()) or [(None, None)] for arms in frame["arms"]]
            long = long.explode("pairs", ignore_index=True)
            long["experiment"] = [pair[0] for pair in long["pairs"]]
            long["arm"] = [pair[1] for pair in long["pairs"]]
            batch = _batch(long.drop(columns="pairs"))
            yield _chunk(EXPOSURES, batch, Place(Path("exposures"), row))
            row += len(batch)


@dataclass(frozen=True, slots=True)
class DatabaseEvents:
    """The table of events."""

    database: Database
    unit: UnitKind = UnitKind.USER

    def chunks(self) -> Iterator[Chunk]:
        """As `Source.chunks`."""
        from recsys.storage.live.events import EventStore

        row = 1
        for frame in EventStore(self.database).frames():
            frame["unit"] = frame[_ID_OF[self.unit]]
            frame = frame.drop(columns=list(_ID_OF.values())).dropna(subset="unit")
            if len(frame):
                batch = _batch(frame)
                yield _chunk(EVENTS, batch, Place(Path("events"), row))
                row += len(batch)


@dataclass(frozen=True, slots=True)
class DatabaseFeedback:
    """The table of verdicts."""

    database: Database

    def chunks(self) -> Iterator[Chunk]:
        """As `Source.chunks`."""
        from recsys.storage.live.feedback import FeedbackStore

        frame = FeedbackStore(self.database).frame()[["user_id", "satisfied", "timestamp"]]
        if len(frame):
            yield _chunk(FEEDBACK, _batch(frame), Place(Path("feedback"), 1))


def _batch(frame: pd.DataFrame) -> pa.RecordBatch:
    """A frame that has rows as one batch, also where pandas keeps a column in pieces."""
    (batch,) = pa.Table.from_pandas(frame, preserve_index=False).combine_chunks().to_batches()
    return batch


def _chunk(schema: tuple[Column, ...], batch: pa.RecordBatch, place: Place) -> Chunk:
    names = present(schema, batch.schema.names, place.file)
    raw = {name: batch.column(spelled) for name, spelled in names.items()}
    return Chunk(checked(schema, raw, place), place)

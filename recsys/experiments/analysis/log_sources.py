"""Sources of an experiment's logs, read in chunks: the database of live data, Parquet and CSV files, or frames."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pandas.util import hash_array

from recsys.dataset.importers.readers.formats import FileFormat, Table, read_table
from recsys.dataset.importers.table import Customs, RawTable
from recsys.errors import BadRowsError, DataError, Problem
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
_LONGEST_HEADER = 1 << 16
_PARQUET = (".parquet", ".pq")
_OWN_READERS = (".jsonl", ".ndjson", ".json", ".xlsx", ".xlsm")
_ODD = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True, slots=True, eq=False)
class Chunk:
    """Validated rows of a log.

    Attributes:
        columns: the schema's columns that the log has.
        source: source of the rows.
        rest: one key per row (n,) for all columns that are not in the schema, 0 without any: rows that differ in them
            are no repeats. Only for events and ratings.
    """

    columns: Columns
    source: RowSource
    rest: NDArray[np.uint64] | None = None

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
class Reading:
    """What is known about log files.

    Attributes:
        columns: renames, from a file's column to the schema's; a file may lack them.
        customs: ways of writing values; each column shows the others.
        encoding: character encoding of text files; None: recognized.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    customs: Customs = field(default_factory=Customs)
    encoding: str | None = None


@dataclass(frozen=True, slots=True)
class Logs:
    """Logs that an analysis reads. `feedback` is None if no ratings were collected."""

    exposures: Source
    events: Source
    feedback: Source | None = None

    @classmethod
    def from_files(
        cls,
        exposures: Path,
        events: Path,
        feedback: Path | None = None,
        reading: Reading | None = None,
    ) -> Logs:
        """Read Parquet files and text tables with the columns of `recsys.experiments.analysis.log_schema`."""

        def log(path: Path, schema: tuple[Column, ...]) -> FileLog:
            return FileLog(path, schema, reading or Reading())

        return cls(
            log(exposures, EXPOSURES), log(events, EVENTS), None if feedback is None else log(feedback, FEEDBACK)
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
    """Parquet file, or a table that `recsys import` reads: CSV with any delimiter, JSON Lines, also by gzip; Excel.

    Rows count from 1 in Parquet; in text they are lines.

    Attributes:
        path: the file.
        schema: columns of the log.
        reading: what is known about the file.
        notes: what was guessed in the last reading, each sentence once.
    """

    path: Path
    schema: tuple[Column, ...]
    reading: Reading = field(default_factory=Reading)
    notes: dict[str, None] = field(default_factory=dict, compare=False)

    def chunks(self) -> Iterator[Chunk]:
        """Yield the rows, see `Source.chunks`."""
        self.notes.clear()
        if not self.path.is_file():
            what = "a folder; name the file" if self.path.is_dir() else "no such file"
            raise DataError(f"{self.path}: {what}")
        parquet = self.path.suffix.lower() in _PARQUET
        row = 1 if parquet else 2
        try:
            for batch in self._parquet() if parquet else self._text():
                source = RowSource(self.path, row)
                yield _chunk(self.schema, batch, source, self.reading, self.notes)
                row += len(batch)
        except BadRowsError as error:
            raise (error if parquet else BadRowsError(self._with_lines(error.problems))) from None
        except (OSError, pa.ArrowException) as error:
            raise DataError(f"{self.path}: cannot be read: {error}") from None

    def _parquet(self) -> Iterator[pa.RecordBatch]:
        with pq.ParquetFile(self.path) as file:
            header = file.schema_arrow.names
            wanted = header
            if self.schema is EXPOSURES and not self.reading.columns:
                wanted = list(match_columns(self.schema, header, self.path).values())
            yield from file.iter_batches(ROWS, columns=wanted)

    def _text(self) -> Iterator[pa.RecordBatch]:
        done = 0
        if (header := self._plain_header()) is not None:
            try:
                for batch in _stream_csv(self.path, self.schema, header):
                    yield batch
                    done += len(batch)
                return
            except pa.ArrowInvalid:
                # Not as plain as its first line: the reader of imports copes, or names the line at fault.
                pass
        table = self._read_whole()
        if table.rejects:
            raise BadRowsError([reject.problem for reject in table.rejects])
        columns = {name: pc.if_else(pc.equal(cells, ""), None, cells) for name, cells in table.columns.items()}
        whole = pa.RecordBatch.from_pydict(columns)
        for start in range(done, len(whole), ROWS):
            yield whole.slice(start, ROWS)

    def _plain_header(self) -> list[str] | None:
        """Return the header of a plain CSV file with all needed columns, else None."""
        if self.reading.columns or self.reading.encoding is not None:
            return None
        with self.path.open("rb") as file:
            first = file.readline(_LONGEST_HEADER)
        try:
            header = [name.strip().strip('"') for name in first.decode("utf-8-sig").strip().split(",")]
            match_columns(self.schema, header, self.path)
        except (UnicodeDecodeError, DataError):
            return None
        return header

    def _with_lines(self, problems: tuple[Problem, ...]) -> list[Problem]:
        """Replace row numbers by lines, which differ after blank lines and line ends within quotes."""
        try:
            lines = self._read_whole().lines
        except DataError:
            return list(problems)
        return [
            replace(one, row=int(lines[one.row - 2])) if one.row is not None and 0 <= one.row - 2 < len(lines) else one
            for one in problems
        ]

    def _read_whole(self) -> RawTable:
        own_readers = self.path.name.lower().removesuffix(".gz").endswith(_OWN_READERS)
        # The columns are those of logs: a table is read as such, whatever export it may look like.
        kind = None if own_readers else FileFormat.CSV
        return read_table(self.path, Table.INTERACTIONS, kind, encoding=self.reading.encoding)


def _stream_csv(path: Path, schema: tuple[Column, ...], header: list[str]) -> Iterator[pa.RecordBatch]:
    names = list(match_columns(schema, header, path).values()) if schema is EXPOSURES else header
    options = pa_csv.ConvertOptions(
        include_columns=names,
        column_types=dict.fromkeys(names, pa.string()),
        null_values=[""],
        strings_can_be_null=True,
        quoted_strings_can_be_null=True,
    )
    parsing = pa_csv.ParseOptions(newlines_in_values=True)
    reading = pa_csv.ReadOptions(block_size=_CSV_BLOCK, column_names=header, skip_rows=1)
    with pa_csv.open_csv(path, reading, parsing, options) as reader:
        for batch in reader:
            trimmed = [pc.utf8_trim_whitespace(column) for column in batch.columns]
            yield pa.RecordBatch.from_arrays(
                [pc.if_else(pc.equal(column, ""), None, column) for column in trimmed], names=batch.schema.names
            )


@dataclass(frozen=True, slots=True, eq=False)
class FrameLog:
    """Frame in memory, called `name` in messages; rows count from 0."""

    name: str
    frame: pd.DataFrame
    schema: tuple[Column, ...]

    def chunks(self) -> Iterator[Chunk]:
        """Yield the rows, see `Source.chunks`."""
        names = match_columns(self.schema, [str(name) for name in self.frame.columns], Path(self.name))
        wanted = self.frame[list(names.values())] if self.schema is EXPOSURES else self.frame
        for start in range(0, len(wanted), ROWS):
            part = wanted.iloc[start : start + ROWS]
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
            batch = _stored(long.drop(columns="pairs"))
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
                batch = _stored(frame)
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
            yield _chunk(FEEDBACK, _stored(frame), RowSource(Path("feedback"), 1))


def _stored(frame: pd.DataFrame) -> pa.RecordBatch:
    """Convert a frame of the database, whose times are whole seconds of any date."""
    return _batch(frame.assign(timestamp=pd.to_datetime(frame["timestamp"], unit="s").astype("datetime64[s]")))


def _batch(frame: pd.DataFrame) -> pa.RecordBatch:
    """Convert a frame with rows to one batch, even if pandas stores a column in pieces."""
    (batch,) = pa.Table.from_pandas(frame, preserve_index=False).combine_chunks().to_batches()
    return batch


def _chunk(
    schema: tuple[Column, ...],
    batch: pa.RecordBatch,
    source: RowSource,
    reading: Reading | None = None,
    notes: dict[str, None] | None = None,
) -> Chunk:
    reading = reading or Reading()
    names = match_columns(schema, batch.schema.names, source.file, reading.columns)
    raw = {name: batch.column(spelled) for name, spelled in names.items()}
    columns, guesses = validate_columns(schema, raw, source, reading.customs)
    if notes is not None:
        renamed = ", ".join(f"{name} from {spelled!r}" for name, spelled in names.items() if name != spelled)
        notes.update(dict.fromkeys([*([f"{source.file}: {renamed}"] if renamed else []), *guesses]))
    if schema is EXPOSURES:
        return Chunk(columns, source)
    return Chunk(columns, source, _hash_rest(batch, names))


def _hash_rest(batch: pa.RecordBatch, names: Mapping[str, str]) -> NDArray[np.uint64]:
    """Return one key per row for the columns that are not in `names`, in any order of columns."""
    keys = np.zeros(len(batch), dtype=np.uint64)
    for name in batch.schema.names:
        if name in names.values() or pa.types.is_nested(batch.schema.field(name).type):
            continue
        texts = pc.fill_null(batch.column(name).cast(pa.string()), "")
        own = np.asarray(hash_array(texts.to_numpy(zero_copy_only=False), categorize=False), dtype=np.uint64)
        # Sums do not depend on the order of columns; the name parts equal values of different columns.
        keys += own * np.uint64(int(hash_array(np.array([name], dtype=object))[0])) * _ODD
    return keys

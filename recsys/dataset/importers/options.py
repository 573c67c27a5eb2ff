"""Sources and options of an import."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from recsys.dataset.importers.columns import ALIAS_FIELDS, INTERACTION_FIELDS, ITEM_FIELDS, REVIEW_FIELDS, USER_FIELDS
from recsys.dataset.importers.readers.formats import FileFormat, Source, Table, read_table
from recsys.dataset.importers.report import describe_reading
from recsys.dataset.importers.table import Customs, RawTable
from recsys.dataset.importers.values import DateOrder
from recsys.errors import DataError


class ImportMode(StrEnum):
    """Treatment of rows that the project already has in an imported table.

    REPLACE: they are removed. APPEND: they stay; of an item or user with the same id only the file's columns change.
    """

    REPLACE = "replace"
    APPEND = "append"


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """Options of an import.

    Attributes:
        mode: treatment of rows that the project already has.
        file_format: format of all files; default: each file's own, recognized by its suffix and first line.
        columns: renames, from the file's column to the project's column.
        images: folder that relative image paths start from; default: the folder of each items file. Formats whose
            images are named by the item's id are searched for there.
        check_images: decode every image that the items name.
        skip_bad: write bad rows to the project's `rejects` folder and import the rest, instead of raising an error.
        items_of_events: build the catalog from the ids in the events, for any format.
        decimal: decimal sign of numbers, "." or ","; default: each column shows it.
        dates: order of day and month in dates that end with the year; default: each column shows it.
        encoding: character encoding of text files; default: recognized for each.
        dry_run: read and check everything, and write nothing; the report then shows the first rows.
    """

    mode: ImportMode = ImportMode.REPLACE
    file_format: FileFormat | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    images: Path | None = None
    check_images: bool = True
    skip_bad: bool = False
    items_of_events: bool = False
    decimal: str = ""
    dates: DateOrder | None = None
    encoding: str | None = None
    dry_run: bool = False

    @property
    def appends(self) -> bool:
        """Return True if existing rows stay."""
        return self.mode is ImportMode.APPEND


@dataclass(frozen=True, slots=True)
class ImportSources:
    """Files or DataFrames of an import; None or empty for tables that stay as they are.

    Raises DataError if there are no files, or a test file without a train file.
    """

    items: tuple[Source, ...] = ()
    interactions: Source | None = None
    test_interactions: Source | None = None
    users: Source | None = None
    reviews: Source | None = None
    aliases: Source | None = None

    def __post_init__(self) -> None:
        """Check that the files can be imported together."""
        others = (self.interactions, self.users, self.reviews, self.aliases)
        if not self.items and all(source is None for source in others):
            raise DataError("nothing to import: give items, interactions, users, reviews or aliases")
        if self.test_interactions is not None and self.interactions is None:
            name = self.test_interactions if isinstance(self.test_interactions, Path) else "test interactions"
            raise DataError(f"{name}: a test file needs the train interactions beside it")

    @property
    def files(self) -> tuple[Path, ...]:
        """Return all sources that are files."""
        others = (self.interactions, self.test_interactions, self.users, self.reviews, self.aliases)
        return tuple(source for source in (*self.items, *others) if isinstance(source, Path))


@dataclass(frozen=True, slots=True)
class RawTables:
    """Contents of all source files; interactions hold one or two tables (train, test)."""

    items: tuple[RawTable, ...]
    interactions: tuple[RawTable, ...]
    users: RawTable | None
    reviews: RawTable | None
    aliases: RawTable | None = None

    @classmethod
    def read(cls, sources: ImportSources, options: ImportOptions) -> RawTables:
        """Read all files, and check that every renamed column exists. Raises DataError."""
        events = (sources.interactions, sources.test_interactions)

        def read(source: Source, table: Table) -> RawTable:
            customs = Customs(decimal=options.decimal, dates=options.dates)
            images = options.images if table is Table.ITEMS else None
            return read_table(source, table, options.file_format, images, customs, options.encoding, options.columns)

        tables = cls(
            tuple(read(source, Table.ITEMS) for source in sources.items),
            tuple(read(source, Table.INTERACTIONS) for source in events if source is not None),
            None if sources.users is None else read(sources.users, Table.USERS),
            None if sources.reviews is None else read(sources.reviews, Table.REVIEWS),
            None if sources.aliases is None else read(sources.aliases, Table.USERS),
        )
        everything = [*tables.items, *tables.interactions, tables.users, tables.reviews, tables.aliases]
        present = {name for table in everything if table is not None for name in (*table.columns, *table.source_names)}
        for name in options.columns:
            if name not in present:
                columns = ", ".join(sorted(present))
                raise DataError(f"cannot rename column {name!r}: no file has it; the files have {columns}")
        return tables

    def describe(self, options: ImportOptions) -> tuple[str, ...]:
        """Return what each file was read as, one sentence each."""
        tables = [(table, ITEM_FIELDS) for table in self.items]
        tables += [(table, INTERACTION_FIELDS) for table in self.interactions]
        tables += [(self.users, USER_FIELDS)] if self.users is not None else []
        tables += [(self.reviews, REVIEW_FIELDS)] if self.reviews is not None else []
        tables += [(self.aliases, ALIAS_FIELDS)] if self.aliases is not None else []
        return tuple(describe_reading(table, fields, options.columns) for table, fields in tables)

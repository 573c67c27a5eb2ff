"""Sources and options of an import."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from recsys.dataset.importers.readers.formats import FileFormat, Table, read_table
from recsys.dataset.importers.table import RawTable
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
    """

    mode: ImportMode = ImportMode.REPLACE
    file_format: FileFormat | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    images: Path | None = None
    check_images: bool = True
    skip_bad: bool = False
    items_of_events: bool = False

    @property
    def appends(self) -> bool:
        """Return True if existing rows stay."""
        return self.mode is ImportMode.APPEND


@dataclass(frozen=True, slots=True)
class ImportSources:
    """Files of an import; None or empty for tables that stay as they are.

    Raises DataError if there are no files, or a test file without a train file.
    """

    items: tuple[Path, ...] = ()
    interactions: Path | None = None
    test_interactions: Path | None = None
    users: Path | None = None
    reviews: Path | None = None

    def __post_init__(self) -> None:
        """Check that the files can be imported together."""
        if not self.items and self.interactions is None and self.users is None and self.reviews is None:
            raise DataError("nothing to import: give items, interactions, users or reviews")
        if self.test_interactions is not None and self.interactions is None:
            raise DataError(f"{self.test_interactions}: a test file needs the train interactions beside it")


@dataclass(frozen=True, slots=True)
class RawTables:
    """Contents of all source files; interactions hold one or two tables (train, test)."""

    items: tuple[RawTable, ...]
    interactions: tuple[RawTable, ...]
    users: RawTable | None
    reviews: RawTable | None

    @classmethod
    def read(cls, sources: ImportSources, options: ImportOptions) -> RawTables:
        """Read all files, and check that every renamed column exists. Raises DataError."""
        file_format = options.file_format
        events = (sources.interactions, sources.test_interactions)
        tables = cls(
            tuple(read_table(path, Table.ITEMS, file_format, options.images) for path in sources.items),
            tuple(read_table(path, Table.INTERACTIONS, file_format) for path in events if path is not None),
            read_table(sources.users, Table.USERS, file_format) if sources.users else None,
            read_table(sources.reviews, Table.REVIEWS, file_format) if sources.reviews else None,
        )
        everything = [*tables.items, *tables.interactions, tables.users, tables.reviews]
        present = {name for table in everything if table is not None for name in table.columns}
        for name in options.columns:
            if name not in present:
                columns = ", ".join(sorted(present))
                raise DataError(f"cannot rename column {name!r}: no file has it; the files have {columns}")
        return tables

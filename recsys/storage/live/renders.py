"""Which restyled pictures were given out on direct request: in whose name, toward what, under which license.

Pictures of lists are in the exposures; these are the others, which a caller asked for by name or sent as an own photo.
Of a picture itself only its SHA-256 is kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields

from sqlalchemy import insert, select

from recsys.storage.database import Database
from recsys.storage.tables import RENDERS


@dataclass(frozen=True, slots=True)
class Render:
    """One picture.

    `user_id`: whose taste it went toward, None for nobody's; `item_id`: None for the caller's own photo. `style_id` and
    `license`: of the style reference, "" where it went toward a taste, an item or words. `strength` in [0, 1]: the one
    used. `sha256`: of the file, hexadecimal. `timestamp`: seconds since 1970 UTC.
    """

    request_id: str
    timestamp: int
    user_id: str | None
    item_id: str | None
    style_id: str
    license: str
    engine: str
    strength: float
    sha256: str


_COLUMNS = tuple(RENDERS.c[field.name] for field in fields(Render))


class RenderLog:
    """The table RENDERS, to which rows are only ever added, but for erasure."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def append(self, render: Render) -> None:
        """Keep one. Raises StorageError."""
        with self._database.writing() as connection:
            connection.execute(insert(RENDERS), asdict(render))

    def all(self) -> Iterator[Render]:
        """All of them in their order."""
        with self._database.reading() as connection:
            for row in connection.execute(select(*_COLUMNS).order_by(RENDERS.c.seq)):
                yield Render(*row)

"""Log of restyled images that were requested directly: user, target and license.

Images of lists are in the exposures. This log has the others: images that a caller requested by item, or restyled from
an own photo. Of the image itself only the SHA-256 is stored.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields

from sqlalchemy import insert, select

from recsys.storage.database import Database
from recsys.storage.tables import RENDERS


@dataclass(frozen=True, slots=True)
class Render:
    """One image.

    Attributes:
        request_id: request.
        timestamp: seconds since 1970 UTC.
        user_id: user whose taste was the target; None if there was none.
        item_id: item of the photo; None for the caller's own photo.
        style_id: style reference; "" if the target was a taste, an item or words.
        license: license of the style reference; "" without one.
        engine: version of the engine.
        strength: strength used, in [0, 1].
        sha256: SHA-256 of the file, hexadecimal.
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
    """Store of the table RENDERS: rows are only added, except for erasure."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def append(self, render: Render) -> None:
        """Store one row. Raises StorageError."""
        with self._database.writing() as connection:
            connection.execute(insert(RENDERS), asdict(render))

    def all(self) -> Iterator[Render]:
        """Yield all rows in order."""
        with self._database.reading(whole_log=True) as connection:
            for row in connection.execute(select(*_COLUMNS).order_by(RENDERS.c.seq)):
                yield Render(*row)

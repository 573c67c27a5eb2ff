"""Audit of restyled images: those of lists, from the exposures, and those that were requested directly."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from heapq import nlargest
from itertools import chain

from rich.console import Console

from recsys.dataset.project import Project
from recsys.reports.terminal import add_row, plain_table
from recsys.restyling.satisfaction_model import ORIGINAL
from recsys.storage.database import Database
from recsys.storage.live.exposures import exposure_frames
from recsys.storage.live.renders import RenderLog


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One image.

    Attributes:
        timestamp: seconds since 1970 UTC.
        kind: `shown` in a list, as a link or inline, or `asked` for directly.
        user_id: user whose taste was the target; "" if there was none.
        item_id: item of the photo; "" for a caller's own photo.
        toward: style reference; "" for a taste, an item's style or words.
        license: license of the style reference.
        engine: version of the engine.
        strength: in [0, 1]; the largest that a list allowed, or the one used for a direct request.
        request_id: request.
        sha256: SHA-256 of the file; "" for lists, whose images are rendered when their links are followed.
    """

    timestamp: int
    kind: str
    user_id: str
    item_id: str
    toward: str
    license: str
    engine: str
    strength: float
    request_id: str
    sha256: str


def load_audit(project: Project, user_id: str | None, style_id: str | None, limit: int) -> list[AuditEntry]:
    """Load the last `limit` images, newest first, of a user or toward a style reference. Raises StorageError."""
    with closing(Database.open(project.database_url)) as database:
        matching = (
            entry
            for entry in chain(_list_entries(database), _direct_entries(database))
            if user_id in (None, entry.user_id) and style_id in (None, entry.toward)
        )
        return nlargest(limit, matching, key=lambda entry: (entry.timestamp, entry.request_id, entry.item_id))


def entry_json(entry: AuditEntry) -> str:
    """Format an entry as one line of JSON."""
    return json.dumps(asdict(entry), ensure_ascii=False)


def print_audit(entries: Sequence[AuditEntry]) -> None:
    """Print entries as a table."""
    table = plain_table()
    for name in ("when (UTC)", "how", "for", "item", "toward", "license", "engine", "strength"):
        table.add_column(name, overflow="fold", justify="right" if name == "strength" else "left")
    for entry in entries:
        when = datetime.fromtimestamp(entry.timestamp, UTC).strftime("%Y-%m-%d %H:%M:%S")
        toward = entry.toward or ("their taste" if entry.user_id else "")
        cells = (entry.kind, entry.user_id, entry.item_id, toward, entry.license, entry.engine)
        add_row(table, when, *cells, f"{entry.strength:.2f}")
    console = Console()
    console.print(table)
    if not entries:
        console.print("No restyled image was delivered, or none that matches.")


def _list_entries(database: Database) -> Iterator[AuditEntry]:
    for frame in exposure_frames(database):
        for row in frame.to_dict("records"):
            for item_id, image in zip(row["items"], row["pictures"], strict=True):
                if image is None or image["action"] == ORIGINAL:
                    continue
                yield AuditEntry(
                    timestamp=int(row["timestamp"]),
                    kind="shown",
                    user_id=row["user_id"] or "",
                    item_id=item_id,
                    toward=image.get("style", ""),
                    license=image.get("license", ""),
                    engine=image.get("engine", ""),
                    strength=image["strength"],
                    request_id=row["request_id"],
                    sha256="",
                )


def _direct_entries(database: Database) -> Iterator[AuditEntry]:
    for render in RenderLog(database).all():
        yield AuditEntry(
            timestamp=render.timestamp,
            kind="asked",
            user_id=render.user_id or "",
            item_id=render.item_id or "",
            toward=render.style_id,
            license=render.license,
            engine=render.engine,
            strength=render.strength,
            request_id=render.request_id,
            sha256=render.sha256,
        )

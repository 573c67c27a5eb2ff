"""Erasure of a person: their rows of live data at once, tables and bundles on disk as soon as nobody else writes there.

Until the files are clean a tombstone (the SHA-256 of the id) stands in the database: the service takes whom it names
for unknown (`ErasureStore.hashes`), and `purge`, called again, finishes the work, even where a build that ran meanwhile
brought the person back. What models learned of items from everybody's events, this person's among them, is in no row
of theirs, and stays until the next build. What the shop imports again is its own doing.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass

from recsys.clock import Clock, now
from recsys.dataset.project import Project
from recsys.errors import ProjectError
from recsys.serving.forgetting import forget_in_bundles, forget_in_rejects, forget_in_tables
from recsys.storage.artifacts import exclusive_lock
from recsys.storage.database import Database
from recsys.storage.live.erasures import ErasureStore


@dataclass(frozen=True, slots=True)
class ErasureReport:
    """What was removed: rows by table, and bundles written anew. `pending`: call `purge` again, later."""

    counts: Mapping[str, int]
    pending: bool


def erase_user(project: Project, database: Database, user_id: str, clock: Clock = now) -> ErasureReport:
    """Forget a person everywhere, whether or not anything is known of them; again: harmless.

    Rows that another part of the service has yet to write are not there to be removed: write them first. Raises
    DataError where an imported table is damaged; the person's live data are gone then, and `purge` is still to be done.
    """
    live = ErasureStore(database).erase(user_id, clock())
    on_disk = purge(project, database)
    return ErasureReport({**live, **on_disk.counts}, on_disk.pending)


def purge(project: Project, database: Database) -> ErasureReport:
    """Take everybody with a tombstone out of tables, rejects and bundles, then remove the tombstones.

    Pending where another process (an import, a build) has the project's lock, or reads a database whose log is to be
    emptied. Raises like `erase_user`.
    """
    erasures = ErasureStore(database)
    gone = erasures.hashes()
    if not gone:
        return ErasureReport({}, pending=False)
    with ExitStack() as stack:
        try:
            stack.enter_context(exclusive_lock(project.root))
        except ProjectError:
            return ErasureReport({}, pending=True)
        counts = forget_in_tables(project, gone)
        counts["rejects"] = forget_in_rejects(project, gone)
        counts["bundles"] = forget_in_bundles(project, gone)
    if not database.clear_log():
        return ErasureReport(counts, pending=True)
    erasures.clear(gone)
    return ErasureReport(counts, pending=False)

"""Erasure of a user: live data at once, tables, rejected rows and bundles on disk as soon as the project is unlocked.

Until the files are rewritten, a tombstone (the SHA-256 of the id) makes the service treat the user as unknown
(`ErasureStore.hashes`). `purge` finishes the work when it is called again, even if a build brought the user back
meanwhile. Parameters of items that were learned from all users change only at the next build. Importing data that
contains the user again restores the user.

Files are replaced and the old ones deleted. Blocks that the disk keeps of deleted files, snapshots and backups are not
reached. All functions can be called again after they were killed.
"""

from __future__ import annotations

import csv
import json
import re
import shutil
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from recsys.bundle.store import MANIFEST, current_version, load_bundle, save_bundle
from recsys.bundle.types import Bundle
from recsys.clock import Clock, now
from recsys.dataset.identifiers import UserIdentifiers
from recsys.dataset.importers.table import csv_line
from recsys.dataset.project import Project
from recsys.errors import BundleError, DataError, ProjectError
from recsys.schema import USER_ID, BoolArray
from recsys.storage.artifacts import (
    exclusive_lock,
    read_frame,
    read_json,
    recover_folder,
    replacing_folder,
    write_frame,
    write_text,
)
from recsys.storage.database import Database
from recsys.storage.live.erasures import ErasureStore, user_hash
from recsys.storage.live.merges import MergeStore

Hashes = Collection[bytes]
"""Hashes of user ids (`recsys.storage.live.erasures.user_hash`)."""

# Characters between ids in lines of other formats: MovieLens, LightGCN, JSON.
_SEPARATORS = re.compile(r'[\s,;|"]+|::')


@dataclass(frozen=True, slots=True)
class ErasureReport:
    """Numbers of deleted rows by table and of rewritten bundles. `pending`: call `purge` again later."""

    counts: Mapping[str, int]
    pending: bool


def erase_user(project: Project, database: Database, user_id: str, clock: Clock = now) -> ErasureReport:
    """Erase a user everywhere, known or not, with all ids that were merged. Erasing again is harmless.

    Write rows that wait in memory first, because they would be written after the erasure.

    Raises:
        DataError: An imported table is damaged. The live data are erased then, and `purge` is still to be called.
    """
    live = ErasureStore(database).erase(MergeStore(database).ids(user_id), clock())
    on_disk = purge(project, database)
    return ErasureReport({**live, **on_disk.counts}, on_disk.pending)


def purge(project: Project, database: Database) -> ErasureReport:
    """Delete all users with a tombstone from tables, rejected rows and bundles, then delete the tombstones.

    The result is pending if another process (an import, a build) has the project's lock, or reads a database whose log
    is to be emptied. Raises like `erase_user`.
    """
    erasures = ErasureStore(database)
    hashes = erasures.hashes()
    if not hashes:
        return ErasureReport({}, pending=False)
    with ExitStack() as stack:
        try:
            stack.enter_context(exclusive_lock(project.root))
        except ProjectError:
            return ErasureReport({}, pending=True)
        counts = erase_in_tables(project, hashes)
        counts["rejects"] = erase_in_rejects(project, hashes)
        counts["bundles"] = erase_in_bundles(project, hashes)
    if not database.clear_log():
        return ErasureReport(counts, pending=True)
    erasures.clear(hashes)
    return ErasureReport(counts, pending=False)


def erase_in_tables(project: Project, hashes: Hashes) -> dict[str, int]:
    """Delete users from all imported tables, which are swapped together; return numbers of rows by table."""
    recover_folder(project.data)
    if not project.data.is_dir():
        return {}
    changed: dict[str, pd.DataFrame] = {}
    counts = {}
    for file in sorted(project.data.glob("*.parquet")):
        frame = read_frame(file)
        erased = _is_erased(frame[USER_ID], hashes) if USER_ID in frame else np.zeros(len(frame), dtype=np.bool_)
        if erased.any():
            changed[file.name] = frame[~erased].reset_index(drop=True)
            counts[file.stem] = int(erased.sum())
    if changed:
        with replacing_folder(project.data) as staging:
            for file in project.data.iterdir():
                if file.name in changed:
                    write_frame(staging / file.name, changed[file.name])
                else:
                    shutil.copy2(file, staging)
    return counts


def erase_in_rejects(project: Project, hashes: Hashes) -> int:
    """Delete rejected rows that name users; return their number.

    Rows that could not be split into fields are deleted, too, because their users are unknown.
    """
    for leftover in project.rejects.glob(".*.tmp"):
        leftover.unlink()
    removed = 0
    for file in sorted(project.rejects.glob("*.csv")):
        header, *rows = csv.reader(file.read_text(encoding="utf-8").splitlines(keepends=True))
        kept = [row for row in rows if row[2] and not any(user_hash(text) in hashes for text in _possible_ids(row[4]))]
        if len(kept) < len(rows):
            removed += len(rows) - len(kept)
            write_text(file, "".join(csv_line(row) + "\n" for row in (header, *kept)))
    return removed


def erase_in_bundles(project: Project, hashes: Hashes) -> int:
    """Rewrite bundles that know users without them, under a new version; return the number of bundles.

    The current bundle stays current. A bundle that cannot be read is deleted.
    """
    # Files of a killed build; no build runs, because the caller has the lock.
    recover_folder(project.bundles / "next")
    shutil.rmtree(project.bundles / "next", ignore_errors=True)
    folders = [manifest.parent for manifest in sorted(project.bundles.glob(f"*/{MANIFEST}"))]
    return sum(_erase_in_bundle(project, folder, hashes) for folder in folders)


def without_users(bundle: Bundle, gone: BoolArray) -> Bundle:
    """Return the bundle without some users: without their ids, histories, factors and other data of single users.

    Parameters of items that were learned from all users stay until the next build.

    Args:
        bundle: Bundle of U users.
        gone: Mask (U,) of the users to remove.
    """
    neighbors = bundle.neighbors
    # Without any liked item, the neighbors were fitted on one empty row.
    has_users = neighbors.shape[0] == len(gone)
    return replace(
        bundle,
        user_ids=UserIdentifiers("user", bundle.user_ids.values[~gone].tolist()),
        factors=bundle.factors.without_users(gone),
        neighbors=neighbors.without_users(gone) if has_users else neighbors,
        recent=bundle.recent[~gone],
        interacted=bundle.interacted[~gone],
    )


def _erase_in_bundle(project: Project, folder: Path, hashes: Hashes) -> bool:
    try:
        erased = _is_erased(UserIdentifiers.load(folder / "users.parquet").values, hashes)
        if not erased.any():
            return False
        bundle = load_bundle(project.bundles, project.root, folder.name)
    except (BundleError, DataError):
        shutil.rmtree(folder)
        return True
    created = int(read_json(folder / MANIFEST)["created"])
    is_current = False
    with suppress(BundleError):
        is_current = current_version(project.bundles) == folder.name
    save_bundle(without_users(bundle, erased), project.bundles, created, current=is_current)
    shutil.rmtree(folder)
    return True


def _is_erased(ids: Iterable[str], hashes: Hashes) -> BoolArray:
    # Hashing is slow, so each distinct id is hashed once.
    codes, distinct = pd.factorize(np.asarray(ids, dtype=object))
    hit = np.array([user_hash(str(value)) in hashes for value in distinct], dtype=np.bool_)
    return np.asarray(hit[codes]) if len(hit) else np.zeros(len(codes), dtype=np.bool_)


def _possible_ids(raw: str) -> Iterator[str]:
    """Yield the parts of a rejected row that may be an id, in any format."""
    with suppress(csv.Error):
        for cells in csv.reader([raw]):
            yield from cells
    with suppress(ValueError, RecursionError):
        line = json.loads(raw)
        yield from map(str, line.values() if isinstance(line, dict) else ())
    yield from _SEPARATORS.split(raw)

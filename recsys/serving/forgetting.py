"""A project's files without certain people: tables, rows that imports left out, bundles.

People are named by the hashes of their ids (`recsys.storage.live.erasures.user_hash`). Callers hold the project's lock.
Everything can be called again after it was killed. Files are replaced and the old ones deleted; what the disk keeps of
deleted files, snapshots and backups are beyond it.
"""

from __future__ import annotations

import csv
import json
import re
import shutil
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from recsys.bundle.store import MANIFEST, current_version, load_bundle, save_bundle
from recsys.bundle.types import Bundle
from recsys.dataset.identifiers import UserIdentifiers
from recsys.dataset.importers.table import csv_line
from recsys.dataset.project import Project
from recsys.errors import BundleError, DataError
from recsys.schema import USER_ID, BoolArray
from recsys.storage.artifacts import (
    read_frame,
    read_json,
    recover_folder,
    replacing_folder,
    write_frame,
    write_text,
)
from recsys.storage.live.erasures import user_hash

Hashes = Collection[bytes]

# What ids stand between in lines of other formats: MovieLens, LightGCN, JSON.
_BETWEEN_IDS = re.compile(r'[\s,;|"]+|::')


def forget_in_tables(project: Project, gone: Hashes) -> dict[str, int]:
    """Take people out of all imported tables, swapped as one; returns rows by table, for those that had some."""
    recover_folder(project.data)
    if not project.data.is_dir():
        return {}
    changed: dict[str, pd.DataFrame] = {}
    counts = {}
    for file in sorted(project.data.glob("*.parquet")):
        frame = read_frame(file)
        theirs = _are_gone(frame[USER_ID], gone) if USER_ID in frame else np.zeros(len(frame), dtype=np.bool_)
        if theirs.any():
            changed[file.name] = frame[~theirs].reset_index(drop=True)
            counts[file.stem] = int(theirs.sum())
    if changed:
        with replacing_folder(project.data) as staging:
            for file in project.data.iterdir():
                if file.name in changed:
                    write_frame(staging / file.name, changed[file.name])
                else:
                    shutil.copy2(file, staging)
    return counts


def forget_in_rejects(project: Project, gone: Hashes) -> int:
    """Take out of the project's rejects the rows that name people; returns how many went.

    Rows that could not be split into fields go, too: nobody can say whose they are.
    """
    for leftover in project.rejects.glob(".*.tmp"):
        leftover.unlink()
    removed = 0
    for file in sorted(project.rejects.glob("*.csv")):
        header, *rows = csv.reader(file.read_text(encoding="utf-8").splitlines(keepends=True))
        kept = [row for row in rows if row[2] and not any(user_hash(text) in gone for text in _texts(row[4]))]
        if len(kept) < len(rows):
            removed += len(rows) - len(kept)
            write_text(file, "".join(csv_line(row) + "\n" for row in (header, *kept)))
    return removed


def forget_in_bundles(project: Project, gone: Hashes) -> int:
    """Write every bundle that knows these people anew without them, under a new version; returns how many.

    The current one stays current. A bundle that cannot be read cannot be cleared, and is deleted.
    """
    # What a killed build staged; no build is at work, as the caller has the lock.
    recover_folder(project.bundles / "next")
    shutil.rmtree(project.bundles / "next", ignore_errors=True)
    known = [manifest.parent for manifest in sorted(project.bundles.glob(f"*/{MANIFEST}"))]
    return sum(_forget_in_bundle(project, folder, gone) for folder in known)


def without_users(bundle: Bundle, gone: BoolArray) -> Bundle:
    """The bundle without some of its users, `gone` (U,): ids, histories, factors and what else is theirs alone.

    What was learned of items from everybody's events stays until the next build.
    """
    neighbors = bundle.neighbors
    # Where nobody liked anything, the neighbors were fitted on a row of nobody's.
    of_users = neighbors.shape[0] == len(gone)
    return replace(
        bundle,
        user_ids=UserIdentifiers("user", bundle.user_ids.values[~gone].tolist()),
        factors=bundle.factors.without_users(gone),
        neighbors=neighbors.without_users(gone) if of_users else neighbors,
        recent=bundle.recent[~gone],
        seen=bundle.seen[~gone],
    )


def _forget_in_bundle(project: Project, folder: Path, gone: Hashes) -> bool:
    try:
        theirs = _are_gone(UserIdentifiers.load(folder / "users.parquet").values, gone)
        if not theirs.any():
            return False
        bundle = load_bundle(project.bundles, project.root, folder.name)
    except (BundleError, DataError):
        shutil.rmtree(folder)
        return True
    created = int(read_json(folder / MANIFEST)["created"])
    save_bundle(without_users(bundle, theirs), project.bundles, created, current=_is_current(folder))
    shutil.rmtree(folder)
    return True


def _is_current(folder: Path) -> bool:
    with suppress(BundleError):
        return current_version(folder.parent) == folder.name
    return False


def _are_gone(ids: Iterable[str], gone: Hashes) -> BoolArray:
    codes, distinct = pd.factorize(np.asarray(ids, dtype=object))
    hit = np.array([user_hash(str(value)) in gone for value in distinct], dtype=np.bool_)
    return np.asarray(hit[codes]) if len(hit) else np.zeros(len(codes), dtype=np.bool_)


def _texts(raw: str) -> Iterator[str]:
    """Everything in a rejected row that may be an id, whatever format it is in."""
    with suppress(csv.Error):
        for cells in csv.reader([raw]):
            yield from cells
    with suppress(ValueError, RecursionError):
        line = json.loads(raw)
        yield from map(str, line.values() if isinstance(line, dict) else ())
    yield from _BETWEEN_IDS.split(raw)

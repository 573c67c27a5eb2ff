"""Versions of bundles on disk: list them, and delete old ones."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from recsys.bundle.store import MANIFEST, current_version, is_version
from recsys.errors import BundleError, DataError
from recsys.storage.artifacts import read_json

KEEP = 5
"""Versions that remain after a build, to go back to."""


@dataclass(frozen=True, slots=True)
class BundleVersion:
    """Unchecked facts from the manifest of a version.

    Attributes:
        version: Hash that names it.
        created: Seconds since 1970 UTC.
        counts: Numbers of `users`, `items` and `styles`.
        metrics: Metrics on later events.
        current: True for the version that services follow.
    """

    version: str
    created: int
    counts: Mapping[str, int]
    metrics: Mapping[str, float]
    current: bool


def versions(bundles: Path) -> tuple[BundleVersion, ...]:
    """Return the versions in a folder of bundles, newest first; those with an unreadable manifest come last, empty."""
    try:
        current = current_version(bundles)
    except BundleError:
        current = ""
    folders = [path for path in bundles.iterdir() if is_version(path.name)] if bundles.is_dir() else []
    found = []
    for folder in folders:
        try:
            manifest = read_json(folder / MANIFEST)
            created, counts, metrics = int(manifest["created"]), dict(manifest["counts"]), dict(manifest["metrics"])
        except (DataError, LookupError, TypeError, ValueError):
            created, counts, metrics = 0, {}, {}
        found.append(BundleVersion(folder.name, created, counts, metrics, folder.name == current))
    return tuple(sorted(found, key=lambda version: (-version.created, version.version)))


def delete_old_versions(bundles: Path, keep: int = KEEP) -> tuple[str, ...]:
    """Delete all but the `keep` newest versions and the current one, and return the deleted ones.

    A service that has loaded one of them continues: it holds bundles in memory.
    """
    old = [found.version for found in versions(bundles)[keep:] if not found.current]
    for version in old:
        shutil.rmtree(bundles / version)
    return tuple(old)

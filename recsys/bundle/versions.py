"""The versions of a bundle that lie on the disk: which there are, and which may go."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from recsys.bundle.store import MANIFEST, current_version, is_version
from recsys.errors import BundleError, DataError
from recsys.storage.artifacts import read_json

KEPT = 5
"""Versions that are left after a build, so that one can go back."""


@dataclass(frozen=True, slots=True)
class BundleVersion:
    """What a manifest says of a version, unchecked: `created` in seconds since 1970 UTC, how many `users`, `items` and
    `styles` it has, its `metrics` on later events; `current`: it is the one that services follow."""

    version: str
    created: int
    counts: Mapping[str, int]
    metrics: Mapping[str, float]
    current: bool


def versions(bundles: Path) -> tuple[BundleVersion, ...]:
    """The versions in a folder of bundles, newest first; those whose manifest cannot be read come last, with nothing
    in them."""
    try:
        current = current_version(bundles)
    except BundleError:
        current = ""
    folders = [path for path in bundles.iterdir() if is_version(path.name)] if bundles.is_dir() else []
    return tuple(
        sorted((_described(path, current) for path in folders), key=lambda found: (-found.created, found.version))
    )


def delete_old_versions(bundles: Path, kept: int = KEPT) -> tuple[str, ...]:
    """Delete all but the `kept` newest versions and the current one; returns what was deleted.

    A service that has loaded one of them serves on: it holds bundles in memory.
    """
    old = [found.version for found in versions(bundles)[kept:] if not found.current]
    for version in old:
        shutil.rmtree(bundles / version)
    return tuple(old)


def _described(folder: Path, current: str) -> BundleVersion:
    try:
        manifest = read_json(folder / MANIFEST)
        created, counts, metrics = int(manifest["created"]), dict(manifest["counts"]), dict(manifest["metrics"])
    except (DataError, LookupError, TypeError, ValueError):
        created, counts, metrics = 0, {}, {}
    return BundleVersion(folder.name, created, counts, metrics, folder.name == current)

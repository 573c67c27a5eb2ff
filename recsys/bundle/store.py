"""Storage of bundles: everything trained, with ids, versions, hashes and metrics, written, checked and swapped as one.

<bundles>/<version>/manifest.json   format, version, settings, counts, metrics, and the SHA-256 of all other files
<bundles>/<version>/...             items, users, style vectors, factors, neighbors, taste map, blend, histories
<bundles>/current.json              the version that serves; replaced atomically

The version is a hash of the content, settings included: the same data and settings give the same version, and different
answers come from different versions. Vector indexes are not stored; they are rebuilt from the vectors.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from recsys.bundle.checks import check_bundle
from recsys.bundle.files import read_files, write_files
from recsys.bundle.types import Bundle
from recsys.errors import BundleError, DataError
from recsys.storage.artifacts import read_json, replacing_folder, sha256_file, write_json

FORMAT = 5
MANIFEST = "manifest.json"
CURRENT = "current.json"
_VERSION = re.compile(r"[0-9a-f]{16}")
# Errors of reading files with unexpected content, those of pyarrow included.
_UNREADABLE = (
    BundleError,
    DataError,
    ValidationError,
    LookupError,
    TypeError,
    ValueError,
    AttributeError,
    ArithmeticError,
    OSError,
)


def save_bundle(bundle: Bundle, bundles: Path, created: int, *, current: bool = True) -> str:
    """Write a bundle, make it the current one, and return its version. A kill leaves the previous one current.

    Args:
        bundle: The bundle to write.
        bundles: Folder of all versions.
        created: Seconds since 1970 UTC.
        current: False to write it without making it current.
    """
    bundles.mkdir(parents=True, exist_ok=True)
    with replacing_folder(bundles / "next") as folder:
        write_files(bundle, folder)
        paths = sorted(path for path in folder.rglob("*") if path.is_file())
        manifest = {
            "format": FORMAT,
            "embedder": bundle.embedder,
            # Settings of the service and passwords of databases do not belong to the model.
            "settings": bundle.settings.model_dump(exclude={"service", "storage"}),
            "counts": {"users": len(bundle.user_ids), "items": len(bundle.catalog), "styles": len(bundle.styles)},
            "metrics": dict(bundle.metrics),
            "notes": list(bundle.notes),
            "files": {path.relative_to(folder).as_posix(): sha256_file(path) for path in paths},
        }
        version = manifest_version(manifest)
        write_json(folder / MANIFEST, {**manifest, "version": version, "created": created})
    try:
        _checked_manifest(bundles / version)
    except BundleError:
        is_whole = False
    else:
        is_whole = True
    if is_whole:
        # The same version may be serving, so its folder must not disappear even for a moment.
        shutil.rmtree(bundles / "next")
    else:
        shutil.rmtree(bundles / version, ignore_errors=True)
        (bundles / "next").rename(bundles / version)
    if current:
        make_current(bundles, version)
    return version


def make_current(bundles: Path, version: str) -> None:
    """Make `version` the one that serves, atomically."""
    write_json(bundles / CURRENT, {"version": version})


def current_version(bundles: Path) -> str:
    """Return the version that serves. Raises BundleError if nothing has been built."""
    if not (bundles / CURRENT).is_file():
        raise BundleError(f"{bundles}: no bundle yet; `recsys build` makes one")
    try:
        version = read_json(bundles / CURRENT)["version"]
    except (DataError, KeyError, TypeError) as error:
        raise BundleError(f"{bundles / CURRENT}: damaged ({error}); `recsys build` makes a new bundle") from None
    if not is_version(version):
        raise BundleError(f"{bundles / CURRENT}: {version!r} is no version; `recsys build` makes a new bundle")
    return str(version)


def is_version(name: object) -> bool:
    """Return True if `name` has the form of a bundle version, which is also the name of its folder."""
    return isinstance(name, str) and _VERSION.fullmatch(name) is not None


def load_bundle(bundles: Path, image_root: Path, version: str | None = None) -> Bundle:
    """Read a version, after the hashes of all files are checked, and check its content.

    Args:
        bundles: Folder of all versions.
        image_root: Folder where relative image paths start.
        version: The version to read; the default is the current one.

    Raises:
        BundleError: Names the file that is missing or changed, or the array with wrong content.
    """
    version = version or current_version(bundles)
    if not is_version(version):
        raise BundleError(f"{version!r} is no version of a bundle: versions are 16 hexadecimal digits")
    folder = bundles / version
    manifest = _checked_manifest(folder)
    try:
        bundle = read_files(folder, manifest, image_root)
    except _UNREADABLE as error:
        raise BundleError(f"{folder}: cannot be read ({error}); `recsys build` makes a new bundle") from None
    check_bundle(bundle)
    return bundle


def _checked_manifest(folder: Path) -> dict[str, Any]:
    if not (folder / MANIFEST).is_file():
        raise BundleError(f"{folder}: no such bundle, or its {MANIFEST} is missing; `recsys build` makes one")
    try:
        manifest: dict[str, Any] = read_json(folder / MANIFEST)
        found_format, hashes = manifest["format"], dict(manifest["files"])
    except (DataError, KeyError, TypeError, ValueError) as error:
        raise BundleError(f"{folder / MANIFEST}: damaged ({error}); `recsys build` makes a new bundle") from None
    if found_format != FORMAT:
        raise BundleError(f"{folder}: format {found_format}, this version reads {FORMAT}; run `recsys build` again")
    if not manifest_version(manifest) == manifest.get("version") == folder.name:
        raise BundleError(f"{folder / MANIFEST}: is not what was built (its hash differs); `recsys build` again")
    for name, expected in hashes.items():
        path = folder / name
        if not path.is_file():
            raise BundleError(f"{path}: is missing; `recsys build` makes a new bundle")
        if sha256_file(path) != expected:
            raise BundleError(f"{path}: its content is not what was built (SHA-256 differs); `recsys build` again")
    return manifest


def manifest_version(manifest: Mapping[str, Any]) -> str:
    """Return 16 hexadecimal digits of the SHA-256 of a manifest, without the time of creation."""
    content = {name: value for name, value in manifest.items() if name not in ("version", "created")}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]

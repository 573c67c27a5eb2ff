"""A bundle: all that is trained, with ids, versions, hashes and metrics; written, checked and swapped as one.

<bundles>/<version>/manifest.json   format, version, settings, counts, metrics, and the SHA-256 of every other file
<bundles>/<version>/...             items, users, style vectors, factors, neighbors, taste map, blend, histories
<bundles>/current.json              which version is served; replaced atomically

The version is a hash of the content, settings included: the same data and settings give the same version, and
whatever answers differently has another one. Vector indexes are not stored; they are rebuilt from the vectors.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError
from scipy.sparse import csr_matrix

from recsys.bundle.checks import check_bundle, check_items
from recsys.bundle.types import Bundle
from recsys.config import ProjectSettings
from recsys.dataset.catalog import Catalog
from recsys.dataset.identifiers import UserIdentifiers
from recsys.errors import BundleError, DataError
from recsys.models.als import AlsModel
from recsys.models.base import load_model, matrix_of
from recsys.models.blend import Blend
from recsys.models.curves import Curves
from recsys.models.ease import EaseModel
from recsys.models.item_knn import ItemKnnModel
from recsys.models.style_als import StyleAlsModel
from recsys.models.validation import Expected, check_array
from recsys.profiles.product_descriptors import ProductDescriptors
from recsys.profiles.style_library import StyleCard
from recsys.profiles.style_space import StyleSpace
from recsys.profiles.taste import TasteModel
from recsys.profiles.text_style import TextStyleMap
from recsys.schema import FEATURES
from recsys.storage.artifacts import (
    read_array,
    read_frame,
    read_json,
    replacing_folder,
    sha256_file,
    write_array,
    write_frame,
    write_json,
)
from style.descriptors.registry import DESCRIPTORS, descriptor
from style.vector import DIMENSIONS

FORMAT = 3
MANIFEST = "manifest.json"
CURRENT = "current.json"
_VERSION = re.compile(r"[0-9a-f]{16}")
# What reading says of files that hold something else than they should, pyarrow's own errors included.
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
    """Write a bundle and make it the current one; returns its version. A kill leaves the previous one current.

    `created`: seconds since 1970 UTC. `current` False: only write it.
    """
    bundles.mkdir(parents=True, exist_ok=True)
    with replacing_folder(bundles / "next") as folder:
        _write_files(bundle, folder)
        manifest = {
            "format": FORMAT,
            "embedder": bundle.embedder,
            # Neither the service nor a database's password is what was learned.
            "settings": bundle.settings.model_dump(exclude={"service", "storage"}),
            "counts": {"users": len(bundle.user_ids), "items": len(bundle.catalog), "styles": len(bundle.styles)},
            "metrics": dict(bundle.metrics),
            "files": {path.relative_to(folder).as_posix(): sha256_file(path) for path in _files(folder)},
        }
        version = _version_of(manifest)
        write_json(folder / MANIFEST, {**manifest, "version": version, "created": created})
    if _is_whole(bundles / version):
        # It may be the one that is served: there is no moment without it.
        shutil.rmtree(bundles / "next")
    else:
        shutil.rmtree(bundles / version, ignore_errors=True)
        (bundles / "next").rename(bundles / version)
    if current:
        make_current(bundles, version)
    return version


def make_current(bundles: Path, version: str) -> None:
    """Let `version` be the one that is served from now on, atomically."""
    write_json(bundles / CURRENT, {"version": version})


def current_version(bundles: Path) -> str:
    """The version that is served. Raises BundleError where nothing has been built."""
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
    """Whether it could be the version of a bundle, and hence the name of its folder."""
    return isinstance(name, str) and _VERSION.fullmatch(name) is not None


def load_bundle(bundles: Path, image_root: Path, version: str | None = None) -> Bundle:
    """Read a version (default: the current one) after every file's hash was checked, and check what it holds.

    Raises BundleError that names the file which is missing or changed, or the array that is not what it must be.
    """
    version = version or current_version(bundles)
    if not is_version(version):
        raise BundleError(f"{version!r} is no version of a bundle: versions are 16 hexadecimal digits")
    folder = bundles / version
    manifest = _checked_manifest(folder)
    try:
        bundle = _read_files(folder, manifest, image_root)
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
    if not _version_of(manifest) == manifest.get("version") == folder.name:
        raise BundleError(f"{folder / MANIFEST}: is not what was built (its hash differs); `recsys build` again")
    for name, expected in hashes.items():
        path = folder / name
        if not path.is_file():
            raise BundleError(f"{path}: is missing; `recsys build` makes a new bundle")
        if sha256_file(path) != expected:
            raise BundleError(f"{path}: its content is not what was built (SHA-256 differs); `recsys build` again")
    return manifest


def _version_of(manifest: Mapping[str, Any]) -> str:
    """Of all that a manifest says but when it was made: 16 hexadecimal digits of SHA-256."""
    content = {name: value for name, value in manifest.items() if name not in ("version", "created")}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def _is_whole(folder: Path) -> bool:
    try:
        _checked_manifest(folder)
    except BundleError:
        return False
    return True


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _write_files(bundle: Bundle, folder: Path) -> None:
    write_frame(folder / "items.parquet", bundle.items)
    bundle.user_ids.save(folder / "users.parquet")
    write_array(folder / "item_vectors.npy", bundle.space.vectors)
    write_array(folder / "style_vectors.npy", bundle.style_vectors)
    write_json(folder / "styles.json", [asdict(card) for card in bundle.styles])
    bundle.factors.save(folder / "factors")
    bundle.neighbors.save(folder / "neighbors")
    write_array(folder / "trend.npy", bundle.trend)
    write_array(folder / "fresh.npy", bundle.fresh)
    write_array(folder / "taste_weight.npy", bundle.taste.weight)
    write_array(folder / "taste_bias.npy", bundle.taste.bias)
    learned = {
        "taste_prior": bundle.taste.prior,
        "max_modes": bundle.taste.max_modes,
        "blend": _blend_settings(bundle.blend),
        "items_through": bundle.items_through,
        "events_through": bundle.events_through,
    }
    write_json(folder / "learned.json", learned)
    _write_text_style(folder, bundle.text_style)
    _write_descriptors(folder, bundle.descriptors)
    _write_matrix(folder / "recent", bundle.recent)
    _write_matrix(folder / "seen", bundle.seen)


def _read_files(folder: Path, manifest: dict[str, Any], image_root: Path) -> Bundle:
    items = read_frame(folder / "items.parquet")
    check_items(items)
    # Rows are in the order they were written: items that came since the build are at the end.
    catalog = Catalog.from_frame(items, sort=False)
    user_ids: UserIdentifiers = UserIdentifiers.load(folder / "users.parquet")
    shape = (len(user_ids), len(catalog))
    learned = read_json(folder / "learned.json")
    vectors = read_array(folder / "item_vectors.npy")
    check_array("item_vectors.npy", vectors, Expected((len(catalog), DIMENSIONS)))
    return Bundle(
        items=items,
        user_ids=user_ids,
        space=StyleSpace.of(vectors, catalog.category_codes),
        factors=load_model(folder / "factors", (StyleAlsModel, AlsModel)),
        neighbors=load_model(folder / "neighbors", (EaseModel, ItemKnnModel)),
        taste=TasteModel(
            read_array(folder / "taste_weight.npy"),
            read_array(folder / "taste_bias.npy"),
            float(learned["taste_prior"]),
            int(learned["max_modes"]),
        ),
        blend=_blend(learned["blend"]),
        recent=_read_matrix(folder / "recent", shape),
        seen=_read_matrix(folder / "seen", shape),
        trend=read_array(folder / "trend.npy"),
        fresh=read_array(folder / "fresh.npy"),
        styles=tuple(
            StyleCard(**{**card, "scenes": tuple(card["scenes"])}) for card in read_json(folder / "styles.json")
        ),
        style_vectors=read_array(folder / "style_vectors.npy"),
        settings=ProjectSettings.model_validate(manifest["settings"]),
        embedder=str(manifest["embedder"]),
        metrics=manifest["metrics"],
        image_root=image_root,
        catalog=catalog,
        version=str(manifest["version"]),
        items_through=int(learned["items_through"]),
        events_through=int(learned["events_through"]),
        text_style=_read_text_style(folder),
        descriptors=_read_descriptors(folder),
    )


def _write_text_style(folder: Path, text_style: TextStyleMap) -> None:
    write_json(folder / "words.json", {"terms": text_style.terms, "silent": text_style.silent})
    write_array(folder / "word_weights.npy", text_style.weights)


def _read_text_style(folder: Path) -> TextStyleMap:
    words = read_json(folder / "words.json")
    weights = read_array(folder / "word_weights.npy")
    if len(words["terms"]) != len(weights):
        raise DataError(f"{folder}: {len(words['terms'])} words have {len(weights)} weights")
    return TextStyleMap(tuple(words["terms"]), weights, tuple(words["silent"]))


def _write_descriptors(folder: Path, described: ProductDescriptors) -> None:
    if described.arrays:
        # In the order of the settings, which says what compares a family.
        made = {name: descriptor(name).version for name in described.arrays}
        write_json(folder / "descriptors.json", [{"name": name, "version": made[name]} for name in made])
        for name, array in described.arrays.items():
            write_array(folder / f"descriptor_{name}.npy", array)


def _read_descriptors(folder: Path) -> ProductDescriptors:
    if not (folder / "descriptors.json").is_file():
        return ProductDescriptors()
    arrays = {}
    for made in read_json(folder / "descriptors.json"):
        name = str(made["name"])
        if name not in DESCRIPTORS or descriptor(name).version != made["version"]:
            raise DataError(f"{folder}: descriptor {name} {made['version']} is none that this version computes")
        arrays[name] = read_array(folder / f"descriptor_{name}.npy")
    return ProductDescriptors(arrays)


def _blend_settings(blend: Blend) -> dict[str, Any]:
    curves = blend.curves
    return {
        "weights": dict(blend.weights),
        "new_weights": dict(blend.new_weights),
        "new_offset": blend.new_offset,
        "curves": None if curves is None else {"knots": curves.knots.tolist(), "values": curves.values.tolist()},
    }


def _blend(found: dict[str, Any]) -> Blend:
    weights, new = ({name: float(found[part][name]) for name in FEATURES} for part in ("weights", "new_weights"))
    curves = found["curves"]
    if curves is not None:
        curves = Curves(*(np.array(curves[part], dtype=np.float32) for part in ("knots", "values")))
    return Blend(weights, new, float(found["new_offset"]), curves)


def _write_matrix(stem: Path, matrix: csr_matrix) -> None:
    for part in ("data", "indices", "indptr"):
        write_array(stem.with_name(f"{stem.name}_{part}.npy"), np.asarray(getattr(matrix, part)))


def _read_matrix(stem: Path, shape: tuple[int, int]) -> csr_matrix:
    names = [f"{stem.name}_{part}" for part in ("data", "indices", "indptr")]
    return matrix_of({name: read_array(stem.with_name(f"{name}.npy")) for name in names}, stem.name, shape)

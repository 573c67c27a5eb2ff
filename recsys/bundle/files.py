"""Files of one bundle: items, users, vectors, models, blend and histories, without the manifest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix

from recsys.bundle.checks import check_items
from recsys.bundle.types import Bundle
from recsys.config import ProjectSettings
from recsys.dataset.catalog import Catalog
from recsys.dataset.identifiers import UserIdentifiers
from recsys.errors import DataError
from recsys.models.als import AlsModel
from recsys.models.base import load_model, matrix_arrays, matrix_of
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
from recsys.storage.artifacts import read_array, read_frame, read_json, write_array, write_frame, write_json
from style.descriptors.registry import DESCRIPTORS, descriptor
from style.vector import DIMENSIONS


def write_files(bundle: Bundle, folder: Path) -> None:
    """Write the files of a bundle into an existing folder."""
    write_frame(folder / "items.parquet", bundle.items)
    bundle.user_ids.save(folder / "users.parquet")
    write_array(folder / "item_vectors.npy", bundle.space.vectors)
    write_array(folder / "style_vectors.npy", bundle.style_vectors)
    write_json(folder / "styles.json", [asdict(card) for card in bundle.styles])
    bundle.factors.save(folder / "factors")
    bundle.neighbors.save(folder / "neighbors")
    write_array(folder / "trend.npy", bundle.trend)
    write_array(folder / "recency.npy", bundle.recency)
    write_array(folder / "taste_weight.npy", bundle.taste.weight)
    write_array(folder / "taste_bias.npy", bundle.taste.bias)
    blend, curves = bundle.blend, bundle.blend.curves
    learned = {
        "taste_prior": bundle.taste.prior,
        "max_components": bundle.taste.max_components,
        "blend": {
            "weights": dict(blend.weights),
            "new_weights": dict(blend.new_weights),
            "new_offset": blend.new_offset,
            "curves": None if curves is None else {"knots": curves.knots.tolist(), "values": curves.values.tolist()},
        },
        "items_through": bundle.items_through,
        "events_through": bundle.events_through,
    }
    write_json(folder / "learned.json", learned)
    write_json(folder / "words.json", {"terms": bundle.text_style.terms, "silent": bundle.text_style.silent})
    write_array(folder / "word_weights.npy", bundle.text_style.weights)
    if bundle.descriptors.arrays:
        # In the order of the settings: the first descriptor of a family is the one that compares it.
        names = [{"name": name, "version": descriptor(name).version} for name in bundle.descriptors.arrays]
        write_json(folder / "descriptors.json", names)
        for name, array in bundle.descriptors.arrays.items():
            write_array(folder / f"descriptor_{name}.npy", array)
    _write_matrix(folder / "recent", bundle.recent)
    _write_matrix(folder / "interacted", bundle.interacted)


def read_files(folder: Path, manifest: Mapping[str, Any], image_root: Path) -> Bundle:
    """Read the files of a bundle; hashes are not checked here.

    Args:
        folder: Folder of the version.
        manifest: Content of its manifest.
        image_root: Folder where relative image paths start.

    Raises:
        DataError: If a file does not hold what it should; other errors of reading pass through.
    """
    items = read_frame(folder / "items.parquet")
    check_items(items)
    # Rows stay in the order in which they were written: items added since the build are at the end.
    catalog = Catalog.from_frame(items, sort=False)
    user_ids: UserIdentifiers = UserIdentifiers.load(folder / "users.parquet")
    shape = (len(user_ids), len(catalog))
    learned = read_json(folder / "learned.json")
    vectors = read_array(folder / "item_vectors.npy")
    check_array("item_vectors.npy", vectors, Expected((len(catalog), DIMENSIONS)))
    words = read_json(folder / "words.json")
    word_weights = read_array(folder / "word_weights.npy")
    if len(words["terms"]) != len(word_weights):
        raise DataError(f"{folder}: {len(words['terms'])} words have {len(word_weights)} weights")
    return Bundle(
        items=items,
        user_ids=user_ids,
        space=StyleSpace.from_vectors(vectors, catalog.category_codes),
        factors=load_model(folder / "factors", (StyleAlsModel, AlsModel)),
        neighbors=load_model(folder / "neighbors", (EaseModel, ItemKnnModel)),
        taste=TasteModel(
            read_array(folder / "taste_weight.npy"),
            read_array(folder / "taste_bias.npy"),
            float(learned["taste_prior"]),
            int(learned["max_components"]),
        ),
        blend=_read_blend(learned["blend"]),
        recent=_read_matrix(folder / "recent", shape),
        interacted=_read_matrix(folder / "interacted", shape),
        trend=read_array(folder / "trend.npy"),
        recency=read_array(folder / "recency.npy"),
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
        text_style=TextStyleMap(tuple(words["terms"]), word_weights, tuple(words["silent"])),
        descriptors=_read_descriptors(folder),
        notes=tuple(map(str, manifest.get("notes", ()))),
    )


def _read_descriptors(folder: Path) -> ProductDescriptors:
    if not (folder / "descriptors.json").is_file():
        return ProductDescriptors()
    arrays = {}
    for entry in read_json(folder / "descriptors.json"):
        name = str(entry["name"])
        if name not in DESCRIPTORS or descriptor(name).version != entry["version"]:
            raise DataError(f"{folder}: descriptor {name} {entry['version']} is not computed by this version")
        arrays[name] = read_array(folder / f"descriptor_{name}.npy")
    return ProductDescriptors(arrays)


def _read_blend(found: dict[str, Any]) -> Blend:
    weights, new = ({name: float(found[part][name]) for name in FEATURES} for part in ("weights", "new_weights"))
    curves = found["curves"]
    if curves is not None:
        curves = Curves(*(np.array(curves[part], dtype=np.float32) for part in ("knots", "values")))
    return Blend(weights, new, float(found["new_offset"]), curves)


def _write_matrix(stem: Path, matrix: csr_matrix) -> None:
    for name, array in matrix_arrays(stem.name, matrix).items():
        write_array(stem.with_name(f"{name}.npy"), np.asarray(array))


def _read_matrix(stem: Path, shape: tuple[int, int]) -> csr_matrix:
    names = [f"{stem.name}_{part}" for part in ("data", "indices", "indptr")]
    return matrix_of({name: read_array(stem.with_name(f"{name}.npy")) for name in names}, stem.name, shape)

"""Refresh: a bundle takes in new items and what has changed of the others, in seconds and without training.

A new item gets factors from its picture (`Model.add_items`), is new in every sense (`recency` 1), and is retrieved,
ranked by the weights of new items, and explained like any other. What people did meanwhile waits for the next build.
"""

from __future__ import annotations

import copy
import hashlib
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from recsys.bundle.store import load_bundle, save_bundle
from recsys.bundle.types import Bundle
from recsys.bundle.versions import delete_old_versions
from recsys.clock import Clock, now
from recsys.dataset.catalog import Catalog
from recsys.dataset.project import Project
from recsys.errors import BundleError, DataError
from recsys.models.base import resize
from recsys.profiles.style_space import StyleSpace
from recsys.profiles.style_vectors import catalog_vectors, embedder_version
from recsys.schema import AVAILABLE, IMAGE, ITEM_COLUMNS, ITEM_ID, FloatArray
from recsys.storage.artifacts import exclusive_lock
from recsys.training.descriptors import catalog_descriptors


@dataclass(frozen=True, slots=True)
class Refreshed:
    """Result of a refresh: the bundle's new version, the number of added items, and of items no longer available."""

    version: str
    added: int
    gone: int


def refresh(project: Project, clock: Clock = now) -> Refreshed:
    """Bring the current bundle's catalog up to what the project has now, and publish it as a new version.

    Waits while another process writes to the project. Raises ProjectError before the first import, BundleError before
    the first build or where the bundle's style vectors are of another backbone.
    """
    with exclusive_lock(project.root, wait=True):
        bundle = load_bundle(project.bundles, project.root)
        settings = project.settings
        if bundle.embedder != embedder_version(settings.style.backbone, settings.preprocess.steps):
            raise BundleError(f"{project.bundles}: its style vectors are {bundle.embedder}'s; run `recsys build`")
        items, items_through = project.load_catalog()
        is_new = bundle.catalog.ids.find(items[ITEM_ID]) < 0
        added = items[is_new]
        new = Catalog.from_frame(added, sort=False)
        refreshed = add_items(with_facts(bundle, items[~is_new]), added, catalog_vectors(project, new))
        # Those that the bundle has: others come with a build.
        described = refreshed.descriptors.with_last(catalog_descriptors(project, new, tuple(bundle.descriptors.arrays)))
        refreshed = replace(refreshed, items_through=items_through, descriptors=described)
        gone = len(bundle.catalog) - int((~is_new).sum())
        version = save_bundle(refreshed, project.bundles, clock())
        delete_old_versions(project.bundles)
        return Refreshed(version, len(added), gone)


def with_facts(bundle: Bundle, items: pd.DataFrame) -> Bundle:
    """Return the bundle with the titles, prices and other columns of `items`; missing items become unavailable."""
    facts = items.set_index(ITEM_ID).reindex(columns=[c for c in bundle.items.columns if c != ITEM_ID])
    frame = bundle.items.set_index(ITEM_ID)
    frame[AVAILABLE] = frame.index.isin(facts.index)
    frame.loc[facts.index] = facts
    frame = frame.reset_index().astype(bundle.items.dtypes.to_dict())
    catalog = Catalog.from_frame(frame, sort=False)
    space = StyleSpace.from_vectors(bundle.space.vectors, catalog.category_codes)
    others = np.flatnonzero(frame[IMAGE].to_numpy() != bundle.items[IMAGE].to_numpy())
    return replace(bundle, items=frame, catalog=catalog, space=space, descriptors=bundle.descriptors.without(others))


def add_items(bundle: Bundle, items: pd.DataFrame, vectors: FloatArray) -> Bundle:
    """Return the bundle with further `items` (N rows of `recsys.schema.ITEM_COLUMNS`) and their style vectors (N, 128).

    Vectors are unit, zeros without a picture. The bundle given stays as it is, and goes on serving meanwhile. Style
    directions of the others stay, too; a bundle that is saved and read again has centers that the new ones moved.
    Raises DataError for an id that is there already, or vectors that are not one for each item.
    """
    if len(items) != len(vectors):
        raise DataError(f"{len(vectors)} style vectors cannot describe {len(items)} new items")
    known = bundle.catalog.ids.find(items[ITEM_ID]) >= 0
    if known.any():
        raise DataError(f"item {items[ITEM_ID].iloc[int(known.argmax())]!r} is in the bundle already")
    if not len(items):
        return bundle
    new = items.reindex(columns=bundle.items.columns)
    frame = pd.concat([bundle.items, new], ignore_index=True).astype(
        {column: bundle.items.dtypes[column] for column in ITEM_COLUMNS}
    )
    catalog = Catalog.from_frame(frame, sort=False)
    space = bundle.space.with_items(vectors, catalog.category_codes)
    grown = replace(with_room(bundle, vectors), items=frame, catalog=catalog, space=space)
    # A version for serving before the bundle is saved; saving replaces it by the hash of the content.
    ids = "\n".join(map(str, items[ITEM_ID]))
    return replace(grown, version=hashlib.sha256(f"{bundle.version}\n{ids}".encode()).hexdigest()[:16])


def with_room(bundle: Bundle, vectors: FloatArray) -> Bundle:
    """Return the bundle with everything learned enlarged for new items of these style vectors (N, 128)."""
    new = len(vectors)
    if not new:
        return bundle
    shape = (len(bundle.user_ids), bundle.interacted.shape[1] + new)
    return replace(
        bundle,
        factors=copy.copy(bundle.factors).add_items(vectors),
        neighbors=copy.copy(bundle.neighbors).add_items(vectors),
        recent=resize(bundle.recent, shape),
        interacted=resize(bundle.interacted, shape),
        trend=np.pad(bundle.trend, (0, new)),
        recency=np.pad(bundle.recency, (0, new), constant_values=1.0),
        descriptors=bundle.descriptors.with_room(new),
    )

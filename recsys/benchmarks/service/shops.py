"""The shops that are served: the sample, and one of 50,000 items; each with two versions of its model.

They are made once and kept in a folder. The large one has synthetic people, events and style vectors, one of the
sample's photos for each item, and the sample's style references, so that its answers have links and reasons. Its
neighbors are item-kNN's: EASE of 50,000 items takes minutes, and what serves is a matrix of the same kind.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from recsys.benchmarks.rank import ingredients
from recsys.bundle.store import CURRENT, load_bundle, save_bundle
from recsys.bundle.types import Bundle
from recsys.config import ProjectSettings
from recsys.dataset import sample
from recsys.dataset.interactions import KINDS
from recsys.dataset.project import Project
from recsys.models.item_knn import ItemKnnModel
from recsys.profiles.style_vectors import embedder_version, library_vectors
from recsys.schema import EVENT, IMAGE, INTERACTION_COLUMNS, ITEM_ID, TIMESTAMP, USER_ID, WEIGHT
from recsys.simulation.large_catalog import Shop, Size, style_vectors, synthetic_shop
from recsys.storage.artifacts import write_frame, write_json
from recsys.training.build import DEFAULT_BLEND, fit

SAMPLE, LARGE = "sample", "large"
LARGE_SIZE = Size(users=50_000, items=50_000, events=500_000)
PICTURES = 100
"""So many photos the items of the large shop share."""
VARIANT = 1e-3
"""How much the second version's blend differs from the first's."""


@dataclass(frozen=True, slots=True)
class Served:
    """A shop to serve: who and what is in it, its categories and styles, and its two versions, the first current."""

    name: str
    project: Project
    users: tuple[str, ...]
    items: tuple[str, ...]
    categories: tuple[str, ...]
    styles: tuple[str, ...]
    versions: tuple[str, str]

    def activate(self, version: str) -> None:
        """Let this version be the one to serve, as `recsys build` would."""
        write_json(self.project.bundles / CURRENT, {"version": version})


@dataclass(frozen=True, slots=True)
class Shops:
    """Both shops in a folder, made when first asked for. `make_sample` makes a built project of the sample there."""

    folder: Path
    make_sample: Callable[[Path], Project]
    size: Size = LARGE_SIZE
    seed: int = 0

    def all(self) -> tuple[Served, Served]:
        """The sample and the large shop."""
        return self.sample(), self.large()

    def sample(self) -> Served:
        """The packaged sample, built."""
        return self._served(SAMPLE, self.make_sample)

    def large(self) -> Served:
        """The synthetic shop of `size`."""
        return self._served(LARGE, self._make_large)

    def _served(self, name: str, make: Callable[[Path], Project]) -> Served:
        path = self.folder / name
        project = Project.open(path) if _is_built(path) else make(path)
        first = _with_variant(project)
        catalog = first.catalog
        return Served(
            f"{name}, {len(catalog):,} items",
            project,
            users=tuple(first.user_ids.ids(np.arange(len(first.user_ids)))),
            items=tuple(catalog.ids.ids(np.arange(len(catalog)))),
            categories=tuple(filter(None, catalog.category_names)),
            styles=tuple(card.style_id for card in first.styles),
            versions=(first.version, _variant_version(project, first.version)),
        )

    def _make_large(self, path: Path) -> Project:
        shutil.rmtree(path, ignore_errors=True)
        project = Project.init(path, f"synthetic shop of {self.size.items:,} items")
        shop = _with_photos(synthetic_shop(self.size, self.seed), project)
        project.data.mkdir()
        write_frame(project.items_file, shop.items)
        write_frame(project.interactions_file, _events(shop))
        save_bundle(_bundle(shop, project), project.bundles, created=0)
        return project


def _is_built(path: Path) -> bool:
    return (path / "bundles" / CURRENT).is_file()


def _bundle(shop: Shop, project: Project) -> Bundle:
    settings = ProjectSettings(name=project.settings.name, seed=project.settings.seed)
    cards, _ = library_vectors(project)
    given = replace(
        ingredients(shop, settings),
        styles=cards,
        # As synthetic as the items', and in the same space.
        style_vectors=style_vectors(np.arange(len(cards)), np.zeros(len(cards), dtype=np.int64), settings.seed),
        embedder=embedder_version(settings.style.backbone),
        image_root=project.root,
    )
    likes = shop.interactions.matrix()
    return fit(given, shop.interactions, DEFAULT_BLEND, {}, neighbors=ItemKnnModel().fit(likes))


def _with_photos(shop: Shop, project: Project) -> Shop:
    """Each item has a photo, and the project the sample's styles."""
    photos = sorted((sample.sample_folder() / "images").iterdir())[:PICTURES]
    folder = project.root / "images"
    folder.mkdir()
    for photo in photos:
        shutil.copy(photo, folder)
    shutil.copytree(sample.sample_folder() / "styles", project.styles / "styles")
    shutil.copy(sample.styles_file(), project.styles)
    names = [f"images/{photos[row % len(photos)].name}" for row in range(len(shop.items))]
    return replace(shop, items=shop.items.assign(**{IMAGE: names}))


def _events(shop: Shop) -> pd.DataFrame:
    """As an import would have kept them."""
    events = shop.interactions
    columns = {
        USER_ID: events.user_ids.ids(events.users),
        ITEM_ID: events.item_ids.ids(events.items),
        EVENT: np.array([kind.value for kind in KINDS], dtype=object)[events.kinds],
        WEIGHT: events.weights,
        TIMESTAMP: events.timestamps,
    }
    return pd.DataFrame(columns)[list(INTERACTION_COLUMNS)]


def _with_variant(project: Project) -> Bundle:
    """The bundle that is served, a second version of it lying beside."""
    versions = sorted(folder.name for folder in project.bundles.iterdir() if folder.is_dir())
    first = load_bundle(project.bundles, project.root)
    if len(versions) == 1:
        blend = replace(first.blend, new_offset=first.blend.new_offset + VARIANT)
        save_bundle(replace(first, blend=blend), project.bundles, created=1)
        write_json(project.bundles / CURRENT, {"version": first.version})
    return first


def _variant_version(project: Project, first: str) -> str:
    return next(folder.name for folder in project.bundles.iterdir() if folder.is_dir() and folder.name != first)

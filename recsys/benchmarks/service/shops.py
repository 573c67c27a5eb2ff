"""Shops of the benchmarks: the sample, and one of 50,000 items; each with two versions of its model.

They are built once and stored in a folder. The large one has synthetic users, events and style vectors, the sample's
photos, and the sample's style references, so that its answers have links and reasons. Its neighbors come from
item-kNN: EASE of 50,000 items takes minutes, and serving uses a matrix of the same form.
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
from recsys.config import ProjectSettings
from recsys.dataset import sample
from recsys.dataset.interactions import KINDS
from recsys.dataset.project import Project
from recsys.models.item_knn import ItemKnnModel
from recsys.profiles.style_vectors import embedder_version, library_vectors
from recsys.schema import EVENT, IMAGE, INTERACTION_COLUMNS, ITEM_ID, TIMESTAMP, USER_ID, WEIGHT
from recsys.simulation.large_catalog import Size, style_vectors, synthetic_shop
from recsys.storage.artifacts import write_frame, write_json
from recsys.training.build import DEFAULT_BLEND, fit

SAMPLE, LARGE = "sample", "large"
LARGE_SIZE = Size(users=50_000, items=50_000, events=500_000)
PHOTOS = 100
"""Number of photos that the items of the large shop share."""
VARIANT = 1e-3
"""Difference between the blends of the two versions."""


@dataclass(frozen=True, slots=True)
class Served:
    """Shop to serve: its users, items, categories and styles, and its two versions, of which the first is current."""

    name: str
    project: Project
    users: tuple[str, ...]
    items: tuple[str, ...]
    categories: tuple[str, ...]
    styles: tuple[str, ...]
    versions: tuple[str, str]

    def activate(self, version: str) -> None:
        """Make this version the current one, as `recsys build` does."""
        write_json(self.project.bundles / CURRENT, {"version": version})


@dataclass(frozen=True, slots=True)
class Shops:
    """Both shops in a folder, built when first used. `make_sample` builds a project of the sample in a folder."""

    folder: Path
    make_sample: Callable[[Path], Project]
    size: Size = LARGE_SIZE
    seed: int = 0

    def all(self) -> tuple[Served, Served]:
        """Return the sample and the large shop."""
        return self.sample(), self.large()

    def sample(self) -> Served:
        """Return the packaged sample, built."""
        return self._prepare(SAMPLE, self.make_sample)

    def large(self) -> Served:
        """Return the synthetic shop of `size`."""
        return self._prepare(LARGE, self._make_large)

    def _prepare(self, name: str, make: Callable[[Path], Project]) -> Served:
        path = self.folder / name
        project = Project.open(path) if (path / "bundles" / CURRENT).is_file() else make(path)
        # Swaps need a second version beside the served one.
        versions = sorted(folder.name for folder in project.bundles.iterdir() if folder.is_dir())
        first = load_bundle(project.bundles, project.root)
        if len(versions) == 1:
            blend = replace(first.blend, new_offset=first.blend.new_offset + VARIANT)
            save_bundle(replace(first, blend=blend), project.bundles, created=1)
            write_json(project.bundles / CURRENT, {"version": first.version})
        folders = (folder.name for folder in project.bundles.iterdir() if folder.is_dir())
        variant = next(version for version in folders if version != first.version)
        catalog = first.catalog
        return Served(
            f"{name}, {len(catalog):,} items",
            project,
            users=tuple(first.user_ids.ids(np.arange(len(first.user_ids)))),
            items=tuple(catalog.ids.ids(np.arange(len(catalog)))),
            categories=tuple(filter(None, catalog.category_names)),
            styles=tuple(card.style_id for card in first.styles),
            versions=(first.version, variant),
        )

    def _make_large(self, path: Path) -> Project:
        shutil.rmtree(path, ignore_errors=True)
        project = Project.init(path, f"synthetic shop of {self.size.items:,} items")
        # Give each item a photo, and the project the sample's styles.
        shop = synthetic_shop(self.size, self.seed)
        photos = sorted((sample.sample_folder() / "images").iterdir())[:PHOTOS]
        folder = project.root / "images"
        folder.mkdir()
        for photo in photos:
            shutil.copy(photo, folder)
        shutil.copytree(sample.sample_folder() / "styles", project.styles / "styles")
        shutil.copy(sample.styles_file(), project.styles)
        names = [f"images/{photos[row % len(photos)].name}" for row in range(len(shop.items))]
        shop = replace(shop, items=shop.items.assign(**{IMAGE: names}))
        project.data.mkdir()
        write_frame(project.items_file, shop.items)
        # The events in the form in which an import stores them.
        events = shop.interactions
        columns = {
            USER_ID: events.user_ids.ids(events.users),
            ITEM_ID: events.item_ids.ids(events.items),
            EVENT: np.array([kind.value for kind in KINDS], dtype=object)[events.kinds],
            WEIGHT: events.weights,
            TIMESTAMP: events.timestamps,
        }
        write_frame(project.interactions_file, pd.DataFrame(columns)[list(INTERACTION_COLUMNS)])
        settings = ProjectSettings(name=project.settings.name, seed=project.settings.seed)
        cards, _ = library_vectors(project)
        given = replace(
            ingredients(shop, settings),
            styles=cards,
            # Synthetic like those of the items, and in the same space.
            style_vectors=style_vectors(np.arange(len(cards)), np.zeros(len(cards), dtype=np.int64), settings.seed),
            embedder=embedder_version(settings.style.backbone),
            image_root=project.root,
        )
        likes = shop.interactions.matrix()
        bundle = fit(given, shop.interactions, DEFAULT_BLEND, {}, neighbors=ItemKnnModel().fit(likes))
        save_bundle(bundle, project.bundles, created=0)
        return project

"""Colors of a catalog: what they say, and that they are kept."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from recsys.dataset.catalog import Catalog
from recsys.dataset.importers import import_data
from recsys.dataset.project import Project
from recsys.profiles.style_vectors import catalog_colors


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Three red pictures, three blue ones, and an item without."""
    rng, names = np.random.default_rng(0), []
    for index in range(6):
        color = (200, 40, 40) if index < 3 else (40, 40, 200)
        pixels = np.clip(np.array(color) + rng.integers(-30, 30, (40, 40, 3)), 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{index}.png")
        names.append(f"p{index},{index}.png")
    (tmp_path / "items.csv").write_text("item_id,image\n" + "\n".join([*names, "q,"]) + "\n")
    project = Project.init(tmp_path / "shop", "colors")
    import_data(project, items=tmp_path / "items.csv")
    return project


def test_things_of_one_color_are_alike_and_things_without_a_photo_are_nowhere(project: Project) -> None:
    vectors = catalog_colors(project, Catalog.from_frame(project.load_items()))
    assert (vectors.shape, vectors.dtype) == ((7, 6), np.float32)
    assert not vectors[6].any()
    np.testing.assert_allclose(np.linalg.norm(vectors[:6], axis=1), 1.0, atol=1e-6)
    likeness = vectors[:6] @ vectors[:6].T
    assert likeness[:3, :3].min() > likeness[:3, 3:].max()


def test_they_are_kept_until_a_picture_changes(project: Project, tmp_path: Path) -> None:
    catalog = Catalog.from_frame(project.load_items())
    before = catalog_colors(project, catalog)
    kept = list((project.cache / "color_statistics").iterdir())
    assert len(kept) == 1
    np.testing.assert_array_equal(catalog_colors(project, catalog), before)
    Image.new("RGB", (50, 50), (0, 255, 0)).save(tmp_path / "0.png")
    assert (catalog_colors(project, catalog)[0] != before[0]).any()
    assert len(list((project.cache / "color_statistics").iterdir())) == 2


def test_a_catalog_without_photos_has_no_colors(tmp_path: Path) -> None:
    (tmp_path / "items.csv").write_text("item_id\na\nb\n")
    project = Project.init(tmp_path / "shop", "bare")
    import_data(project, items=tmp_path / "items.csv")
    assert not catalog_colors(project, Catalog.from_frame(project.load_items())).any()

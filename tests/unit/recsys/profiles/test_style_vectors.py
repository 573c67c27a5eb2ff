"""Colors of a catalog: what they say, and that they are kept."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from recsys.dataset.catalog import Catalog
from recsys.dataset.importers import import_data
from recsys.dataset.project import Project
from recsys.profiles.style_vectors import catalog_colors, catalog_vectors


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


def test_a_photo_that_cannot_be_read_costs_its_own_item(
    project: Project, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    catalog = Catalog.from_frame(project.load_items())
    whole = catalog_colors(project, catalog)
    kept = (tmp_path / "1.png").read_bytes()
    (tmp_path / "0.png").unlink()
    (tmp_path / "1.png").write_bytes(kept[:60])
    vectors = catalog_vectors(project, catalog)
    assert not vectors[[0, 1, 6]].any()
    np.testing.assert_allclose(np.linalg.norm(vectors[2:6], axis=1), 1.0, atol=1e-6)
    assert "2 of 6 photos cannot be read, and their items have no style" in caplog.text
    assert "0.png: no such file" in caplog.text
    colors = catalog_colors(project, catalog)
    assert not colors[[0, 1, 6]].any()
    assert colors[2:6].any(axis=1).all()
    # A photo that comes back is described without the others being computed again.
    (tmp_path / "1.png").write_bytes(kept)
    assert catalog_vectors(project, catalog)[1].any()
    assert whole[1].any()


def test_photos_may_all_be_unreadable(project: Project, tmp_path: Path) -> None:
    for path in tmp_path.glob("*.png"):
        path.unlink()
    catalog = Catalog.from_frame(project.load_items())
    assert catalog_vectors(project, catalog).shape == (7, 128)
    assert not catalog_vectors(project, catalog).any()
    assert not catalog_colors(project, catalog).any()

"""Descriptors and recipes of a project: computed once, kept, in the bundle, and never mixed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from recsys.bundle.store import load_bundle
from recsys.config import DescriptorSettings, PreprocessSettings, ProjectSettings, load_settings
from recsys.dataset.catalog import Catalog
from recsys.dataset.importers import ImportMode, ImportOptions, import_data
from recsys.dataset.project import Project
from recsys.errors import BundleError, ConfigError
from recsys.profiles.style_vectors import catalog_vectors, embedder_version, shared_embedder
from recsys.ranking.recommender import Recommender
from recsys.ranking.similar import SimilarBy
from recsys.schema import ItemId
from recsys.training.build import build, prepare
from recsys.training.descriptors import catalog_descriptors
from recsys.training.refresh import refresh
from style.images import read_image
from style.preprocess.recipe import Recipe

STEPS = ("gamma:0.7", "crop")


def photo(path: Path, color: tuple[int, int, int], width: int) -> None:
    """A box of a color on white."""
    pixels = np.full((72, 72, 3), 245, dtype=np.uint8)
    pixels[20:52, 36 - width : 36 + width] = color
    Image.fromarray(pixels).save(path)


def with_settings(project: Project, **changed: object) -> Project:
    return replace(project, settings=project.settings.model_copy(update=changed))


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Three red boxes, three blue ones, and an item without a photo; colors and shapes are asked for."""
    names = []
    for index in range(6):
        photo(tmp_path / f"{index}.png", (190, 30, 30) if index < 3 else (30, 40, 150), 8 + 6 * (index % 3))
        names.append(f"p{index},{index}.png")
    (tmp_path / "items.csv").write_text("item_id,image\n" + "\n".join([*names, "q,"]) + "\n")
    made = Project.init(tmp_path / "shop", "boxes")
    import_data(made, items=tmp_path / "items.csv")
    return with_settings(made, descriptors=DescriptorSettings(names=("color-histogram", "contour")))


def catalog_of(project: Project) -> Catalog:
    return Catalog.from_frame(project.load_items())


def test_they_are_computed_once_and_kept(project: Project, tmp_path: Path) -> None:
    found = catalog_descriptors(project, catalog_of(project)).arrays
    assert {name: array.shape for name, array in found.items()} == {
        "color-histogram": (7, 405),
        "contour": (7, 12),
        "dominant-color": (7, 4),
    }
    for array in found.values():
        assert array[:6].any(axis=1).all()
        assert not array[6].any()
    kept = sorted((project.cache / "descriptors").rglob("*.npy"))
    assert len(kept) == 3
    before = [path.stat().st_mtime_ns for path in kept]
    again = catalog_descriptors(project, catalog_of(project)).arrays
    np.testing.assert_array_equal(again["contour"], found["contour"])
    assert [path.stat().st_mtime_ns for path in kept] == before
    photo(tmp_path / "0.png", (20, 150, 40), 8)
    now = catalog_descriptors(project, catalog_of(project)).arrays["dominant-color"]
    assert (now[0] != found["dominant-color"][0]).any()


def test_a_photo_without_a_product_that_stands_out_has_no_shape(project: Project, tmp_path: Path) -> None:
    noise = np.random.default_rng((0, 1)).integers(0, 255, (64, 64, 3)).astype(np.uint8)
    Image.fromarray(noise).save(tmp_path / "0.png")
    found = catalog_descriptors(project, catalog_of(project)).arrays
    assert not found["contour"][0].any()
    assert found["color-histogram"][0].any()


def test_training_starts_with_what_the_settings_ask_for(project: Project) -> None:
    assert set(prepare(project).descriptors.arrays) == {"color-histogram", "contour", "dominant-color"}


@pytest.mark.slow
def test_a_build_has_them_and_a_refresh_by_the_same_recipe_adds_those_of_new_items(
    project: Project, tmp_path: Path
) -> None:
    build(project, clock=lambda: 1)
    shop = Recommender(load_bundle(project.bundles, project.root))
    assert [r.item_id for r in shop.similar.to_item(ItemId("p0"), by=SimilarBy.COLOR, limit=2).recommendations] == [
        "p1",
        "p2",
    ]
    assert shop.similar.to_item(ItemId("p0"), by=SimilarBy.SHAPE).recommendations[0].item_id == "p3"
    photo(tmp_path / "new.png", (190, 30, 30), 8)
    (tmp_path / "more.csv").write_text("item_id,image\nnew,new.png\n")
    import_data(project, items=tmp_path / "more.csv", options=ImportOptions(mode=ImportMode.APPEND))
    refresh(project, clock=lambda: 2)
    shop = Recommender(load_bundle(project.bundles, project.root))
    red = {found.item_id for found in shop.similar.to_item(ItemId("p0"), by=SimilarBy.COLOR, limit=3).recommendations}
    assert red == {"p1", "p2", "new"}
    prepared = with_settings(project, preprocess=PreprocessSettings(steps=STEPS))
    with pytest.raises(BundleError, match="run `recsys build`"):
        refresh(prepared, clock=lambda: 3)


def test_vectors_of_a_recipe_are_those_of_prepared_photos_and_lie_apart(project: Project) -> None:
    prepared = with_settings(project, preprocess=PreprocessSettings(steps=STEPS))
    plain, other = (catalog_vectors(each, catalog_of(project)) for each in (project, prepared))
    assert np.abs(plain - other)[:6].max() > 0.01
    image = project.resolve_image(str(catalog_of(project).images[0]))
    expected = shared_embedder("vgg-slim").embed(Recipe.from_texts(STEPS)(read_image(image, short_side=224)))
    np.testing.assert_allclose(other[0], expected.values, atol=1e-6)
    of_bytes = shared_embedder("vgg-slim", STEPS).embed_bytes(image.read_bytes())
    np.testing.assert_allclose(of_bytes.values, other[0], atol=1e-6)
    folders = {path.name for path in (project.cache / "style_vectors").iterdir()}
    assert folders == {embedder_version("vgg-slim"), embedder_version("vgg-slim", STEPS)}
    found = [catalog_descriptors(each, catalog_of(project)).arrays for each in (project, prepared)]
    assert (found[0]["dominant-color"] != found[1]["dominant-color"])[:6].any()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[preprocess]\nsteps = ["clahe", "sharpen"]', "preprocess.steps: .*'sharpen' is unknown; known ones: denoise"),
        ('[preprocess]\nsteps = ["clahe:clip=0"]', "preprocess.steps: .*clip must lie in 1 .. 40"),
        ('[descriptors]\nnames = ["sift"]', "descriptors.names: .*'sift' is unknown; known ones: color-histogram"),
        ('[descriptors]\nnames = ["hu", "hu"]', "descriptors.names: .*named twice"),
    ],
)
def test_settings_that_cannot_be_are_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "recsys.toml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=message):
        load_settings(tmp_path / "recsys.toml")


def test_by_default_nothing_is_done_and_nothing_is_described(tmp_path: Path) -> None:
    settings = ProjectSettings()
    assert settings.preprocess.steps == ()
    assert settings.descriptors.names == ()
    assert embedder_version("vgg-slim", ()) == embedder_version("vgg-slim")

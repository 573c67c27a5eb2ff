"""The sample shop: its tables fit together, its pictures are there, and the script draws the same ones again."""

from __future__ import annotations

import importlib
import io
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from recsys.dataset import sample
from recsys.schema import ITEM_COLUMNS

SCENES = {"everyday", "holiday", "sale", "spring", "summer", "autumn", "winter"}
DATA = Path(__file__).resolve().parents[4] / "data"
LIMIT_BYTES = 6 * 1024 * 1024


@pytest.fixture(scope="module")
def items() -> pd.DataFrame:
    return pd.read_csv(sample.items_file(), dtype={"item_id": str})


@pytest.fixture(scope="module")
def script() -> ModuleType:
    sys.path.insert(0, str(DATA))
    try:
        return importlib.import_module("make_sample")
    finally:
        sys.path.remove(str(DATA))


def jpeg(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "JPEG", quality=95)
    return out.getvalue()


def test_items_have_columns_ids_and_pictures(items: pd.DataFrame) -> None:
    assert tuple(items.columns[: len(ITEM_COLUMNS)]) == ITEM_COLUMNS
    assert list(items.columns[len(ITEM_COLUMNS) :]) == ["material", "pattern", "color", "finish"]
    assert items["item_id"].is_unique
    assert len(items) == 400
    assert items.notna().all(axis=None)
    assert (items["price"] > 0).all()
    assert (~items["available"]).sum() == 8
    for image in items["image"]:
        with Image.open(sample.sample_folder() / image) as picture:
            assert (picture.size, picture.mode) == ((256, 256), "RGB")


def test_every_style_is_in_every_category_and_no_column_tells_it(items: pd.DataFrame) -> None:
    truth = sample.load_truth().set_index("item_id")["surface_style"]
    assert set(truth.index) == set(items["item_id"])
    counts = pd.crosstab(items["category"], items["item_id"].map(truth))
    assert counts.shape == (12, 14)
    assert counts.min(axis=None) >= 2
    for column in items.columns:
        assert not items[column].astype(str).isin(set(truth)).any()


def test_interactions_point_at_items_and_users(items: pd.DataFrame) -> None:
    events = pd.read_csv(sample.interactions_file(), dtype=str)
    users = pd.read_csv(sample.users_file(), dtype=str)
    assert list(events.columns) == ["user_id", "item_id", "event", "timestamp"]
    assert set(events["item_id"]) <= set(items["item_id"])
    assert set(events["user_id"]) == set(users["user_id"])
    assert set(events["event"]) == {"view", "click", "cart", "purchase"}
    assert 12_000 <= len(events) <= 20_000
    assert len(users) == 600


def test_taste_shows_but_not_without_noise() -> None:
    events = pd.read_csv(sample.interactions_file(), dtype=str)
    style = events["item_id"].map(sample.load_truth().set_index("item_id")["surface_style"])
    truth = sample.load_user_truth().set_index("user_id")
    first, second = (events["user_id"].map(truth[column]) for column in ("style", "second_style"))
    assert 0.65 < ((style == first) | (style == second)).mean() < 0.80
    assert 0.3 < (truth["second_style"] != "").mean() < 0.5


def test_styles_name_their_license_and_their_scenes() -> None:
    styles = pd.read_csv(sample.styles_file(), dtype=str)
    assert list(styles.columns) == ["style_id", "title", "image", "scenes", "artist", "license", "source"]
    assert (styles["license"] == "CC0-1.0").all()
    scenes = styles["scenes"].str.split("|").explode()
    assert set(scenes) == SCENES
    assert scenes.value_counts()["holiday"] >= 3
    assert scenes.value_counts()["sale"] >= 3
    for image in styles["image"]:
        with Image.open(sample.sample_folder() / image) as picture:
            assert picture.size == (256, 256)


def test_the_sample_stays_small_and_has_no_stray_files(items: pd.DataFrame) -> None:
    folder = sample.sample_folder()
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    tables = {"items", "users", "interactions", "styles", "truth_items", "truth_users"}
    styles = pd.read_csv(sample.styles_file(), dtype=str)
    assert found == {f"{table}.csv" for table in tables} | set(items["image"]) | set(styles["image"])
    assert sum((folder / name).stat().st_size for name in found) < LIMIT_BYTES


@pytest.mark.parametrize("category", ["mug", "notebook"])
def test_drawing_twice_gives_the_same_bytes_and_the_shipped_picture(script: ModuleType, category: str) -> None:
    plan = next(plan for plan in script.plan_items() if plan.category == category)
    first = script.render(plan)
    assert jpeg(first) == jpeg(script.render(plan))
    with Image.open(sample.sample_folder() / "images" / f"{plan.item_id}.jpg") as shipped:
        apart = np.abs(np.asarray(first, dtype=float) - np.asarray(shipped.convert("RGB"), dtype=float))
    # The shipped picture went through JPEG, nothing else.
    assert apart.mean() < 4


def test_tables_are_what_the_script_writes(script: ModuleType, tmp_path: Path) -> None:
    script.write_tables(script.plan_items(), tmp_path)
    for table in tmp_path.iterdir():
        assert table.read_bytes() == (sample.sample_folder() / table.name).read_bytes(), table.name


def test_siblings_of_a_style_differ(script: ModuleType) -> None:
    one = next(plan for plan in script.plan_items() if plan.category == "plate")
    sibling = script.Plan("another", one.category, one.style, one.color)
    pixels = [np.asarray(script.render(plan), dtype=float) for plan in (one, sibling)]
    assert np.abs(pixels[0] - pixels[1]).mean() > 4

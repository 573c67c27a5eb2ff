"""A bundle that is not what was built, or that holds what cannot be right, is refused, and says what is wrong."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from recsys.bundle.store import FORMAT, MANIFEST, current_version, load_bundle, save_bundle
from recsys.errors import BundleError
from recsys.models.base import ARRAYS_FILE
from recsys.storage.artifacts import read_array, read_arrays, read_frame
from tests.small_bundles import lie, small_bundle

ARRAYS = [
    "item_vectors.npy",
    "style_vectors.npy",
    "trend.npy",
    "recency.npy",
    "taste_weight.npy",
    "taste_bias.npy",
    "word_weights.npy",
    "recent_data.npy",
    "recent_indices.npy",
    "recent_indptr.npy",
    "interacted_data.npy",
    "interacted_indices.npy",
    "interacted_indptr.npy",
]
MODELS = ["factors", "neighbors"]
FILES = [
    "items.parquet",
    "users.parquet",
    "styles.json",
    "learned.json",
    "words.json",
    *ARRAYS,
    *(f"{model}/{name}" for model in MODELS for name in (ARRAYS_FILE, "model.json")),
]
MEMBERS = {
    "factors": ["user_factors", "item_factors", "item_bias", "item_damping", "item_vectors", "map", "history_data"],
    "neighbors": ["bias", "largest", "dense", "diagonal", "history_data"],
}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundles")
    save_bundle(small_bundle(), folder, 0)
    return folder


@pytest.fixture
def bundles(built: Path, tmp_path: Path) -> Path:
    """A copy of a bundle, to be damaged."""
    return Path(shutil.copytree(built, tmp_path / "bundles"))


def flip_a_bit(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def declare_more(path: Path) -> None:
    """Let the header of a .npy file ask for some exabytes."""
    array = read_array(path)
    header = {"descr": array.dtype.str, "fortran_order": False, "shape": (10**15, *array.shape[1:])}
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        file.write(array.tobytes())


def with_array(name: str, change: Callable[[np.ndarray], np.ndarray]) -> Callable[[Path], None]:
    def changed(folder: Path) -> None:
        np.save(folder / name, change(read_array(folder / name)))

    return changed


def with_member(model: str, name: str, change: Callable[[np.ndarray], np.ndarray]) -> Callable[[Path], None]:
    def changed(folder: Path) -> None:
        arrays = read_arrays(folder / model / ARRAYS_FILE)
        np.savez(folder / model / ARRAYS_FILE, allow_pickle=False, **{**arrays, name: change(arrays[name])})

    return changed


def with_json(name: str, change: Callable[[dict], object]) -> Callable[[Path], None]:  # type: ignore[type-arg]
    def changed(folder: Path) -> None:
        value = json.loads((folder / name).read_text())
        change(value)
        (folder / name).write_text(json.dumps(value))

    return changed


def with_items(change: Callable[[pd.DataFrame], pd.DataFrame]) -> Callable[[Path], None]:
    return lambda folder: change(read_frame(folder / "items.parquet")).to_parquet(folder / "items.parquet", index=False)


def no_number(array: np.ndarray) -> np.ndarray:
    array = array.copy()
    array[(0,) * array.ndim] = np.nan
    return array


def refusal(bundles: Path) -> str:
    with pytest.raises(BundleError) as refused:
        load_bundle(bundles, bundles)
    assert "recsys build" in str(refused.value)
    return str(refused.value)


def test_these_are_all_files_and_arrays_of_a_bundle(bundles: Path) -> None:
    folder = bundles / current_version(bundles)
    written = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert written == {MANIFEST, *FILES}
    load_bundle(bundles, bundles)


@pytest.mark.parametrize("damage", [flip_a_bit, cut_short])
@pytest.mark.parametrize("name", [*FILES, MANIFEST])
def test_damage_is_found_and_named(bundles: Path, name: str, damage: Callable[[Path], None]) -> None:
    damage(bundles / current_version(bundles) / name)
    assert f"{name}: " in refusal(bundles)


@pytest.mark.parametrize("name", [*FILES, MANIFEST])
def test_a_missing_file_is_named(bundles: Path, name: str) -> None:
    (bundles / current_version(bundles) / name).unlink()
    assert "is missing" in refusal(bundles)


@pytest.mark.parametrize("name", FILES)
def test_a_file_cut_short_with_the_right_hash_is_refused(bundles: Path, name: str) -> None:
    lie(bundles, lambda folder: (folder / name).write_bytes((folder / name).read_bytes()[: -len(name)]))
    refusal(bundles)


@pytest.mark.parametrize("name", ARRAYS)
def test_a_header_that_asks_for_too_much_is_refused_before_memory_is_set_aside(bundles: Path, name: str) -> None:
    lie(bundles, lambda folder: declare_more(folder / name))
    assert f"{name}: not a plain .npy array: shape (1000000000000000" in refusal(bundles)


@pytest.mark.parametrize("name", [name for name in ARRAYS if not name.endswith(("indices.npy", "indptr.npy"))])
def test_no_array_may_hold_what_is_no_number(bundles: Path, name: str) -> None:
    lie(bundles, with_array(name, lambda array: no_number(array.astype(np.float32))))
    assert name.removesuffix(".npy") in refusal(bundles)


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays_of_another_size_or_type_are_refused(bundles: Path, name: str, tmp_path: Path) -> None:
    second = Path(shutil.copytree(bundles, tmp_path / "second"))
    lie(bundles, with_array(name, lambda array: array[:-1]))
    refusal(bundles)
    lie(second, with_array(name, lambda array: array.astype(np.float64)))
    refusal(second)


@pytest.mark.parametrize(("model", "member"), [(model, name) for model in MODELS for name in MEMBERS[model]])
def test_models_with_numbers_that_are_none_are_refused(bundles: Path, model: str, member: str) -> None:
    lie(bundles, with_member(model, member, no_number))
    assert f"{member}: holds NaN" in refusal(bundles)


@pytest.mark.parametrize(
    ("model", "member"),
    [(model, name) for model in MODELS for name in MEMBERS[model] if name not in ("largest", "history_data")],
)
def test_models_of_another_size_or_type_are_refused(bundles: Path, model: str, member: str, tmp_path: Path) -> None:
    second = Path(shutil.copytree(bundles, tmp_path / "second"))
    lie(bundles, with_member(model, member, lambda array: array[:-1]))
    assert model in refusal(bundles)
    lie(second, with_member(model, member, lambda array: array.astype(np.float64)))
    assert model in refusal(second)


@pytest.mark.parametrize("name", ["recent_indices.npy", "interacted_indices.npy"])
@pytest.mark.parametrize("column", [-1, 40, 10**9])
def test_matrices_must_not_point_outside_themselves(bundles: Path, name: str, column: int) -> None:
    def point(array: np.ndarray) -> np.ndarray:
        array = array.copy()
        array[3] = column
        return array

    lie(bundles, with_array(name, point))
    assert name.removesuffix(".npy") in refusal(bundles)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (with_items(lambda items: items.assign(item_id="same")), "item id 'same' occurs twice"),
        (with_items(lambda items: items.iloc[:-1]), "item_vectors.npy: has shape (40, 128), and (39, 128) is right"),
        (with_items(lambda items: items.assign(price=np.inf)), "'price' holds infinities"),
        (with_items(lambda items: items.assign(price="dear")), "'price' holds"),
        (with_items(lambda items: items.assign(available=1.0)), "'available' holds float64"),
        (with_items(lambda items: items.assign(title=5)), "'title' holds something else than text"),
        (with_items(lambda items: items.assign(item_id=range(40))), "'item_id' holds something else than text"),
        (with_items(lambda items: items.assign(category=None)), "'category' holds something else than text"),
        (with_items(lambda items: items.drop(columns="image")), "image"),
        (with_array("item_vectors.npy", lambda array: 2 * array), "item_vectors.npy: row 0 has length 2.0"),
        (with_array("trend.npy", lambda array: array + 2), "is outside 0.0 .. 1.0"),
        (
            with_json("learned.json", lambda value: value["blend"]["weights"].update(style=np.nan)),
            "weight of the blend",
        ),
        (with_json("learned.json", lambda value: value["blend"]["new_weights"].pop("style")), "style"),
        (with_json("learned.json", lambda value: value.update(taste_prior=-1)), "taste_prior -1"),
        (
            with_json(
                "learned.json",
                lambda value: value["blend"].update(curves={"knots": [[0, 1]] * 15, "values": [[0, 1]] * 15}),
            ),
            "knots: has shape (15, 2), and (16, 2) is right",
        ),
        (
            with_json(
                "learned.json",
                lambda value: value["blend"].update(curves={"knots": [[1, 0]] * 16, "values": [[0, 1]] * 16}),
            ),
            "do not ascend",
        ),
        (with_json("styles.json", lambda value: value.pop()), "style_vectors.npy: has shape (2, 128)"),
        (with_json("styles.json", lambda value: value[1].update(style_id="s0")), "a style id is there twice"),
        (with_json("factors/model.json", lambda value: value["settings"].update(penalty=np.nan)), "penalty: nan"),
        (with_json("factors/model.json", lambda value: value.update(model="popularity")), "'popularity'"),
        (with_json(MANIFEST, lambda value: value["metrics"].update(ndcg=np.inf)), "a metric is NaN"),
        (with_json(MANIFEST, lambda value: value["settings"]["rank"].update(diversity=7)), "diversity"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_is_refused_though_hashes_are_right(
    bundles: Path, change: Callable[[Path], None], named: str
) -> None:
    lie(bundles, change)
    assert named in refusal(bundles)


def test_an_archive_larger_than_its_file_is_refused(bundles: Path) -> None:
    def compress(folder: Path) -> None:
        np.savez_compressed(folder / "factors" / ARRAYS_FILE, bomb=np.zeros(10**7))

    lie(bundles, compress)
    assert "its arrays would be larger than the file" in refusal(bundles)


def test_a_manifest_of_another_format_is_refused(bundles: Path) -> None:
    file = bundles / current_version(bundles) / MANIFEST
    file.write_text(json.dumps({**json.loads(file.read_text()), "format": 99}))
    assert f"format 99, this version reads {FORMAT}" in refusal(bundles)


@pytest.mark.parametrize(
    "change",
    [
        lambda manifest: manifest["settings"]["rank"].update(diversity=0.99),
        lambda manifest: manifest["files"].pop("trend.npy"),
        lambda manifest: manifest.update(embedder="another"),
        lambda manifest: manifest.update(version="0" * 16),
    ],
)
def test_a_manifest_that_says_something_else_is_refused(bundles: Path, change: Callable[[object], None]) -> None:
    with_json(MANIFEST, change)(bundles / current_version(bundles))
    assert "is not what was built" in refusal(bundles)


@pytest.mark.parametrize("pointer", ["not json", "{}", '{"version": "../../etc"}', '{"version": 5}'])
def test_a_damaged_pointer_is_refused(bundles: Path, pointer: str) -> None:
    (bundles / "current.json").write_text(pointer)
    assert "current.json: " in refusal(bundles)


@pytest.mark.parametrize("version", ["..", "../secret", "/etc", "0" * 15, "0" * 15 + "\n"])
def test_a_version_is_no_path(bundles: Path, version: str) -> None:
    with pytest.raises(BundleError, match="is no version of a bundle"):
        load_bundle(bundles, bundles, version)


def test_nothing_built_says_so(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="no bundle yet; `recsys build` makes one"):
        load_bundle(tmp_path, tmp_path)

"""A bundle that is not what was built is refused, and says which file is wrong."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from recsys.bundle import MANIFEST, current_version, load_bundle
from recsys.dataset.project import Project
from recsys.errors import BundleError


@pytest.fixture
def bundles(sample_project: Project, tmp_path: Path) -> Path:
    """A copy of the sample's bundles, to be damaged."""
    return Path(shutil.copytree(sample_project.bundles, tmp_path / "bundles"))


def damage(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize(
    "name",
    [
        "items.parquet",
        "item_vectors.npy",
        "factors/arrays.npz",
        "neighbours/arrays.npz",
        "learned.json",
        "seen_indices.npy",
    ],
)
def test_one_flipped_bit_is_found_and_named(bundles: Path, name: str) -> None:
    damage(bundles / current_version(bundles) / name)
    with pytest.raises(BundleError, match=rf"{name}: its content is not what was built.*recsys build"):
        load_bundle(bundles, bundles)


def test_a_missing_file_is_named(bundles: Path) -> None:
    (bundles / current_version(bundles) / "taste_weight.npy").unlink()
    with pytest.raises(BundleError, match=r"taste_weight.npy: is missing"):
        load_bundle(bundles, bundles)


def test_a_manifest_of_another_format_is_refused(bundles: Path) -> None:
    file = bundles / current_version(bundles) / MANIFEST
    file.write_text(json.dumps({**json.loads(file.read_text()), "format": 99}))
    with pytest.raises(BundleError, match="format 99, this version reads 3"):
        load_bundle(bundles, bundles)


@pytest.mark.parametrize("pointer", ["not json", "{}", '{"version": "../../etc"}', '{"version": 5}'])
def test_a_damaged_pointer_is_refused(bundles: Path, pointer: str) -> None:
    (bundles / "current.json").write_text(pointer)
    with pytest.raises(BundleError, match=r"current.json: .*recsys build"):
        load_bundle(bundles, bundles)


def test_nothing_built_says_so(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="no bundle yet; `recsys build` makes one"):
        load_bundle(tmp_path, tmp_path)

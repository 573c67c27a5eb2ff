"""Versions on the disk: listed as they are, and deleted when they are old."""

from __future__ import annotations

from pathlib import Path

import pytest

from recsys.bundle.store import current_version, load_bundle, make_current, save_bundle
from recsys.bundle.versions import delete_old_versions, versions
from tests.small_bundles import small_bundle


@pytest.fixture
def bundles(tmp_path: Path) -> Path:
    for created in range(4):
        save_bundle(small_bundle(created / 10), tmp_path, created)
    return tmp_path


def test_all_are_listed_newest_first(bundles: Path) -> None:
    found = versions(bundles)
    assert [version.created for version in found] == [3, 2, 1, 0]
    assert [version.current for version in found] == [True, False, False, False]
    assert found[0].version == current_version(bundles)
    assert found[0].counts == {"users": 40, "items": 40, "styles": 2}
    assert found[0].metrics == {"ndcg": 0.5}


def test_other_files_are_no_versions_and_a_damaged_one_comes_last(bundles: Path) -> None:
    (bundles / "notes").mkdir()
    newest = versions(bundles)[0].version
    (bundles / newest / "manifest.json").write_text("[]")
    found = versions(bundles)
    assert len(found) == 4
    assert {version.version for version in found if not version.counts} == {newest}
    assert found[0].created == 2


def test_where_there_is_nothing(tmp_path: Path) -> None:
    assert versions(tmp_path) == versions(tmp_path / "absent") == ()
    assert delete_old_versions(tmp_path) == ()


def test_old_ones_are_deleted_but_never_the_current_one(bundles: Path) -> None:
    before = versions(bundles)
    make_current(bundles, before[3].version)
    assert delete_old_versions(bundles, keep=2) == (before[2].version,)
    assert [version.version for version in versions(bundles)] == [before[n].version for n in (0, 1, 3)]
    assert load_bundle(bundles, bundles).version == before[3].version


def test_other_settings_are_another_version_and_the_same_are_the_same(tmp_path: Path) -> None:
    first, again, other = (save_bundle(small_bundle(diversity), tmp_path, 7) for diversity in (0.1, 0.1, 0.2))
    assert first == again != other


def test_saving_again_repairs_what_was_damaged(tmp_path: Path) -> None:
    version = save_bundle(small_bundle(), tmp_path, 7)
    (tmp_path / version / "trend.npy").write_bytes(b"")
    assert save_bundle(small_bundle(), tmp_path, 8) == version
    assert load_bundle(tmp_path, tmp_path).version == version
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([version, "current.json"])

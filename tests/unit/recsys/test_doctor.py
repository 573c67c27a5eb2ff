"""The doctor: every fault it looks for is made, found, and given a cure."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from recsys.bundle import current_version
from recsys.dataset.project import Project
from recsys.doctor import Finding, Level, diagnose, disk, package


@pytest.fixture
def shop(sample_project: Project, tmp_path: Path) -> Path:
    """A copy of the built sample that a test may damage."""
    return Path(shutil.copytree(sample_project.root, tmp_path / "shop", ignore=shutil.ignore_patterns("cache")))


def _finding(path: Path, subject: str) -> Finding:
    return next(finding for finding in diagnose(path) if finding.subject == subject)


def test_a_sound_installation_and_project_has_no_failure(shop: Path) -> None:
    found = {finding.subject: finding for finding in diagnose(shop)}
    assert [finding for finding in found.values() if finding.level is Level.FAIL] == []
    assert found["bundle"].text.startswith(current_version(shop / "bundles"))
    assert found["items"].text == "400"
    assert {"python", "torch build", "style space vgg-slim", "engine film", "engine color", "disk"} <= set(found)


def test_without_a_project_only_the_installation_is_checked() -> None:
    assert {"project", "bundle"}.isdisjoint({finding.subject for finding in diagnose()})


def test_a_folder_that_is_no_project(tmp_path: Path) -> None:
    finding = _finding(tmp_path, "project")
    assert finding.level is Level.FAIL
    assert "recsys init" in finding.text


def test_settings_out_of_range_are_named(shop: Path) -> None:
    settings = shop / "recsys.toml"
    settings.write_text(re.sub(r"^strength = .*$", "strength = 7", settings.read_text(), flags=re.MULTILINE))
    finding = _finding(shop, "project")
    assert finding.level is Level.FAIL
    assert "restyle.strength" in finding.text


@pytest.mark.parametrize(
    ("subject", "key", "known"), [("restyle.engine", "engine", "color"), ("style.backbone", "backbone", "vgg-slim")]
)
def test_unknown_names_in_settings_list_the_known_ones(shop: Path, subject: str, key: str, known: str) -> None:
    settings = shop / "recsys.toml"
    lines = [f'{key} = "nope"' if line.startswith(f"{key} =") else line for line in settings.read_text().splitlines()]
    settings.write_text("\n".join(lines))
    finding = _finding(shop, subject)
    assert finding.level is Level.FAIL
    assert "nope" in finding.text
    assert known in finding.text


def test_a_changed_bundle_file_is_named(shop: Path) -> None:
    file = shop / "bundles" / current_version(shop / "bundles") / "learned.json"
    file.write_bytes(file.read_bytes() + b" ")
    finding = _finding(shop, "bundle")
    assert finding.level is Level.FAIL
    assert "learned.json" in finding.text


def test_a_project_without_data_says_what_to_run(tmp_path: Path) -> None:
    shop = Project.init(tmp_path / "shop", "empty").root
    for subject, cure in (("items", "--items"), ("interactions", "--interactions"), ("bundle", "recsys build")):
        finding = _finding(shop, subject)
        assert finding.level is Level.FAIL
        assert cure in finding.text


def test_pictures_that_went_away_are_counted(shop: Path) -> None:
    project = Project.open(shop)
    items = project.load_items()
    items.loc[:2, "image"] = "gone.jpg"
    items.to_parquet(project.items_file, index=False)
    finding = _finding(shop, "pictures")
    assert finding.level is Level.FAIL
    assert finding.text.startswith("3 of 400")
    assert "gone.jpg" in finding.text
    assert finding.cure


def test_packages_absent_or_too_old_say_how_to_get_them() -> None:
    assert package("numpy>=1.26").level is Level.OK
    absent = package("no-such-package-anywhere>=2")
    assert (absent.level, absent.cure) == (Level.FAIL, "pip install 'no-such-package-anywhere>=2'")
    old = package("numpy<1000,>=999")
    assert old.level is Level.FAIL
    assert "older than 999" in old.text


@pytest.mark.parametrize(("free", "level"), [(0.1, Level.FAIL), (1.0, Level.WARN), (50.0, Level.OK)])
def test_disk_room(free: float, level: Level) -> None:
    assert disk(free).level is level

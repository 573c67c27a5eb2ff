"""The doctor: every fault it looks for is made, found, and given a cure."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from recsys.bundle.store import current_version
from recsys.config import ProjectSettings, ServiceSettings, StorageSettings
from recsys.dataset.project import Project
from recsys.doctor import (
    Finding,
    Level,
    _check_project,
    _describe_engine,
    check_disk,
    check_keys,
    check_package,
    diagnose,
    mask_password,
    settings_in_effect,
)
from recsys.errors import ConfigError
from style.transfer.engine_names import ENGINE_NAMES


@pytest.fixture
def shop(sample_project: Project, tmp_path: Path) -> Path:
    """A copy of the built sample that a test may damage."""
    return Path(shutil.copytree(sample_project.root, tmp_path / "shop", ignore=shutil.ignore_patterns("cache")))


def _finding(path: Path, subject: str) -> Finding:
    # The installation is checked by the tests that call `diagnose`: that loads each engine.
    return next(finding for finding in _check_project(path) if finding.subject == subject)


def test_a_sound_installation_and_project_has_no_failure(shop: Path) -> None:
    found = {finding.subject: finding for finding in diagnose(shop)}
    assert [finding for finding in found.values() if finding.level is Level.FAIL] == []
    assert found["bundle"].text.startswith(current_version(shop / "bundles"))
    assert found["items"].text == "400"
    assert {"python", "torch build", "style space vgg-slim", "disk"} <= set(found)
    assert {f"engine {name}" for name in ENGINE_NAMES} <= set(found)


def test_without_a_project_only_the_installation_is_checked() -> None:
    assert {"project", "bundle"}.isdisjoint({finding.subject for finding in diagnose()})


def test_a_folder_that_is_no_project(tmp_path: Path) -> None:
    finding = _finding(tmp_path, "project")
    assert finding.level is Level.FAIL
    assert "recsys init" in finding.text


def test_an_engine_of_pictures_needs_some_in_the_project(shop: Path) -> None:
    settings = shop / "recsys.toml"
    settings.write_text(re.sub(r"^engine = .*$", 'engine = "patch"', settings.read_text(), flags=re.MULTILINE))
    project = Project.open(shop)
    assert _describe_engine(project) == "patch, from 16 style references"
    (project.styles / "styles.csv").unlink()
    with pytest.raises(ConfigError, match=r"'patch' paints from style references, .* has none: add a styles\.csv"):
        _describe_engine(project)


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
    finding = _finding(shop, "images")
    assert finding.level is Level.WARN
    assert finding.text.startswith("3 of 400")
    assert "gone.jpg" in finding.text
    assert finding.cure


def test_packages_absent_or_too_old_say_how_to_get_them() -> None:
    assert check_package("numpy>=1.26").level is Level.OK
    absent = check_package("no-such-package-anywhere>=2")
    assert (absent.level, absent.cure) == (Level.FAIL, "pip install 'no-such-package-anywhere>=2'")
    old = check_package("numpy<1000,>=999")
    assert old.level is Level.FAIL
    assert "older than 999" in old.text


@pytest.mark.parametrize(("free", "level"), [(0.1, Level.FAIL), (1.0, Level.WARN), (50.0, Level.OK)])
def test_disk_room(free: float, level: Level) -> None:
    assert check_disk(free).level is level


def test_settings_are_printed_with_their_origin_and_without_passwords() -> None:
    settings = ProjectSettings(
        name="gallery",
        service=ServiceSettings(workers=4),
        storage=StorageSettings(database="postgresql+psycopg://shop:very secret@db/live"),
    )
    environment = {"RECSYS__SERVICE__WORKERS": "4", "RECSYS__NAME": "gallery", "HOME": "/"}
    texts = {finding.subject: finding.text for finding in settings_in_effect(settings, environment)}
    assert texts["settings"] == "name*=gallery, seed=0"
    assert texts["settings service"].startswith("workers*=4, ranking_threads=1, ")
    assert texts["settings storage"] == "database=postgresql+psycopg://shop:***@db/live, redis="
    assert "RECSYS__" in texts["environment"]
    assert {f"settings {name}" for name in ("als", "rank", "restyle", "events")} <= texts.keys()
    assert "environment" not in {finding.subject for finding in settings_in_effect(settings, {})}


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://a:p@ss:w/d@h:1/x?sslmode=require", "postgresql://a:***@h:1/x?sslmode=require"),
        (
            "postgresql://h/x?user=a&password=b&sslpassword=c&y=1",
            "postgresql://h/x?user=a&password=***&sslpassword=***&y=1",
        ),
        ("redis://:secret@h:6379/0", "redis://:***@h:6379/0"),
        ("redis://h:6379/0", "redis://h:6379/0"),
        ("sqlite:////folder/live.db", "sqlite:////folder/live.db"),
        ("a shop: the best @ all", "a shop: the best @ all"),
    ],
)
def test_passwords_are_masked_wherever_they_stand(url: str, shown: str) -> None:
    assert mask_password(url) == shown


def test_stores_that_cannot_be_reached_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = Project.init(tmp_path / "shop", "empty").root
    monkeypatch.setenv("RECSYS__STORAGE__DATABASE", "postgresql+psycopg://a:secret@127.0.0.1:1/x")
    monkeypatch.setenv("RECSYS__STORAGE__REDIS", "redis://:secret@127.0.0.1:1/0")
    found = {finding.subject: finding for finding in diagnose(shop)}
    for subject in ("database", "redis"):
        assert found[subject].level is Level.FAIL
        assert "no usable answer at 127.0.0.1:1" in found[subject].text
    assert not any("secret" in finding.text for finding in found.values())


def test_a_database_that_is_not_there_yet_is_not_made(tmp_path: Path) -> None:
    project = Project.init(tmp_path / "shop", "empty")
    finding = _finding(project.root, "database")
    assert (finding.level, "which the service creates" in finding.text) == (Level.OK, True)
    assert not project.live.exists()


def test_keys_are_counted_and_never_shown() -> None:
    keys = {"RECSYS_API_KEYS": "a long secret key, another secret key,", "RECSYS_ADMIN_KEYS": "the admin's secret key"}
    first, second = check_keys(keys)
    assert (first.level, first.text) == (Level.OK, "2 in RECSYS_API_KEYS, 1 in RECSYS_ADMIN_KEYS")
    assert "stored in the project" in second.text
    (weak, _), (none, _) = check_keys({"RECSYS_API_KEYS": "short"}), check_keys({"RECSYS_LINK_KEY": "x" * 32})
    assert (weak.level, none.level) == (Level.FAIL, Level.WARN)
    assert "short" not in weak.text

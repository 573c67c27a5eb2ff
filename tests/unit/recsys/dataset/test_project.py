from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from recsys.config import ProjectSettings, load_settings
from recsys.dataset.project import Project, settings_template
from recsys.errors import ConfigError, DataError, ProjectError
from recsys.schema import INTERACTION_COLUMNS, ITEM_COLUMNS, USER_COLUMNS


def test_the_template_holds_every_default_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "recsys.toml"
    path.write_text(settings_template(ProjectSettings()))
    assert load_settings(path) == ProjectSettings()
    written = {line.split(" = ")[0] for line in path.read_text().splitlines() if " = " in line}
    assert {"name", "seed", "rating_threshold", "half_life_days", "deadline_ms"} <= written


@pytest.mark.parametrize("name", ["shop", 'Schöne "Mode" 👗', "back\\slash", "[events]"])
def test_init_makes_what_open_opens(tmp_path: Path, name: str) -> None:
    made = Project.init(tmp_path / "a" / "b", name)
    assert made.settings == ProjectSettings(name=name)
    assert Project.open(tmp_path / "a" / "b") == made


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "a\x7f"])
def test_init_refuses_names_that_cannot_be_shown(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="project name"):
        Project.init(tmp_path / "p", name)
    assert not (tmp_path / "p").exists()


def test_init_never_overwrites(project: Project) -> None:
    (project.root / "recsys.toml").write_text('name = "mine"\n')
    with pytest.raises(ProjectError, match="already"):
        Project.init(project.root, "other")
    assert Project.open(project.root).settings.name == "mine"


def test_init_where_a_file_is_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ProjectError, match="cannot create a project"):
        Project.init(tmp_path / "file", "shop")


def test_open_says_how_to_make_a_project(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match="recsys init"):
        Project.open(tmp_path)


def test_open_names_a_wrong_setting(project: Project) -> None:
    (project.root / "recsys.toml").write_text("[als]\nfactors = 0\n")
    with pytest.raises(ConfigError, match=r"als\.factors"):
        Project.open(project.root)


def test_loading_before_an_import_says_what_to_do(project: Project) -> None:
    for load, table in (
        (project.load_items, "items"),
        (project.load_interactions, "interactions"),
        (project.load_users, "users"),
    ):
        with pytest.raises(ProjectError, match=f"recsys import --{table}"):
            load()


def test_loading_checks_columns(project: Project) -> None:
    project.data.mkdir()
    for path, load, columns in (
        (project.items_file, project.load_items, ITEM_COLUMNS),
        (project.interactions_file, project.load_interactions, INTERACTION_COLUMNS),
        (project.users_file, project.load_users, USER_COLUMNS),
    ):
        pd.DataFrame({name: ["x"] for name in columns}).to_parquet(path)
        assert tuple(load().columns) == columns
        pd.DataFrame({name: ["x"] for name in (*columns[:-1], "other")}).to_parquet(path)
        with pytest.raises(DataError, match=columns[-1]):
            load()


def test_images_are_relative_to_the_project_only_inside_it(project: Project, tmp_path: Path) -> None:
    inside, outside = project.root / "images" / "1.png", tmp_path / "2.png"
    assert project.image_reference(inside) == "images/1.png"
    assert project.image_reference(outside) == str(outside)
    for path in (inside, outside):
        assert project.resolve_image(project.image_reference(path)) == path
    with pytest.raises(DataError, match="no image"):
        project.resolve_image("")

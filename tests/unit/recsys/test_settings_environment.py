"""The environment goes before the file."""

from __future__ import annotations

from pathlib import Path

import pytest

from recsys.config import load_settings
from recsys.errors import ConfigError


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "recsys.toml"
    path.write_text('name = "gallery"\n[service]\nworkers = 2\nrate = 5.0\n')
    return path


def test_variables_replace_single_keys(file: Path) -> None:
    settings = load_settings(
        file,
        {
            "RECSYS__SERVICE__WORKERS": "4",
            "RECSYS__STORAGE__DATABASE": "postgresql+psycopg://a:b@c/d",
            "RECSYS__FEEDBACK__STRENGTHS": "[0.2, 0.8]",
            "RECSYS__SEED": "7",
            "HOME": "/nowhere",
        },
    )
    assert (settings.service.workers, settings.service.rate, settings.name, settings.seed) == (4, 5.0, "gallery", 7)
    assert settings.storage.database == "postgresql+psycopg://a:b@c/d"
    assert settings.feedback.strengths == (0.2, 0.8)


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("RECSYS__SERVICE__WORKERS", "none", "service.workers (RECSYS__SERVICE__WORKERS): Input should be"),
        ("RECSYS__SERVICE__WORKER", "1", "service.worker (RECSYS__SERVICE__WORKER): unknown setting; remove it"),
        ("RECSYS__SERVIZE__WORKERS", "1", "servize: unknown setting; remove it"),
        ("RECSYS__NAMED", "x", "named (RECSYS__NAMED): unknown setting; remove it"),
    ],
)
def test_a_wrong_variable_is_named(file: Path, name: str, value: str, says: str) -> None:
    with pytest.raises(ConfigError) as error:
        load_settings(file, {name: value})
    assert says in str(error.value)


def test_a_setting_of_an_earlier_project_names_its_new_name(tmp_path: Path) -> None:
    file = tmp_path / "recsys.toml"
    file.write_text("[taste]\nmax_modes = 2\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"taste\.max_modes: is called max_components now; rename it"):
        load_settings(file)


def test_a_settings_file_of_a_windows_editor_is_read(tmp_path: Path) -> None:
    file = tmp_path / "recsys.toml"
    file.write_text('name = "shop"\r\n', encoding="utf-8-sig", newline="")
    assert load_settings(file, {}).name == "shop"
    file.write_text('name = "shop"\n', encoding="utf-16")
    with pytest.raises(ConfigError, match="not UTF-8; save the file as UTF-8"):
        load_settings(file, {})


def test_a_decimal_comma_in_settings_is_named(tmp_path: Path) -> None:
    file = tmp_path / "recsys.toml"
    file.write_text('name = "shop"\n[rank]\ndiversity = 0,5\n', encoding="utf-8")
    with pytest.raises(ConfigError, match=r"not valid TOML: .*; numbers have a point: 0\.5 for 0,5"):
        load_settings(file, {})

"""Settings of restyling: read from TOML, checked, and turned into limits."""

from __future__ import annotations

from pathlib import Path

import pytest

from recsys.config import ProjectSettings, RestyleSettings, load_settings
from recsys.dataset.project import settings_template
from recsys.errors import ConfigError
from style.fidelity import DEFAULT_LIMITS, FidelityLimits
from style.modes import PaintMode


def test_the_defaults_are_those_of_fidelity_and_survive_a_file(tmp_path: Path) -> None:
    assert RestyleSettings().limits == DEFAULT_LIMITS
    (tmp_path / "recsys.toml").write_text(settings_template(ProjectSettings()), encoding="utf-8")
    assert load_settings(tmp_path / "recsys.toml") == ProjectSettings()


def test_a_file_changes_mode_and_limits(tmp_path: Path) -> None:
    text = '[restyle]\nmode = "tone"\nmax_mean_difference = 9\nmin_structure = 0.8\nmin_edges = 0.9\n'
    (tmp_path / "recsys.toml").write_text(text, encoding="utf-8")
    settings = load_settings(tmp_path / "recsys.toml").restyle
    assert settings.mode is PaintMode.TONE
    assert settings.limits == FidelityLimits(9.0, DEFAULT_LIMITS.high_difference, 0.8, 0.9)


def test_fidelity_can_be_off() -> None:
    assert RestyleSettings(fidelity=False).limits is None


@pytest.mark.parametrize(
    "line",
    ['mode = "oil"', "max_mean_difference = -1", "max_high_difference = inf", "min_structure = 1.5", "min_edges = nan"],
)
def test_what_is_out_of_range_is_named(tmp_path: Path, line: str) -> None:
    (tmp_path / "recsys.toml").write_text(f"[restyle]\n{line}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=f"restyle.{line.split()[0]}"):
        load_settings(tmp_path / "recsys.toml")

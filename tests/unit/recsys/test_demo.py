"""Which project a notebook opens: the one given, else the one that the environment names."""

from __future__ import annotations

from pathlib import Path

import pytest

from recsys.dataset.project import Project
from recsys.demo import PROJECT_VARIABLE, project_or_sample
from recsys.errors import ProjectError


def test_a_path_comes_before_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given, named = (Project.init(tmp_path / name, name) for name in ("given", "named"))
    monkeypatch.setenv(PROJECT_VARIABLE, str(named.root))
    assert project_or_sample(given.root) == given
    assert project_or_sample() == named


def test_a_folder_that_is_no_project_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PROJECT_VARIABLE, str(tmp_path))
    with pytest.raises(ProjectError, match="not a project"):
        project_or_sample()

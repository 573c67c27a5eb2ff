"""Fixtures that many tests share: the packaged sample, imported and built once a session."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from recsys.bundle import load_bundle
from recsys.dataset import sample
from recsys.dataset.importers import import_data
from recsys.dataset.project import Project
from recsys.pipeline.recommender import Recommender
from recsys.training.build import build

REAL_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def sample_project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project with the whole sample, built."""
    project = Project.init(tmp_path_factory.mktemp("sample") / "shop", "sample")
    import_data(project, items=sample.items_file(), interactions=sample.interactions_file(), users=sample.users_file())
    project.styles.mkdir()
    shutil.copy(sample.styles_file(), project.styles)
    shutil.copytree(sample.sample_folder() / "styles", project.styles / "styles")
    build(project)
    return project


@pytest.fixture(scope="session")
def recommender(sample_project: Project) -> Recommender:
    """The recommender of the sample's bundle."""
    return Recommender(load_bundle(sample_project.bundles, sample_project.root))


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of the real data sets; tests that ask for it are marked `realdata`."""
    if not REAL_DATA.is_dir():
        pytest.skip("the real data sets are not beside this checkout")
    return REAL_DATA

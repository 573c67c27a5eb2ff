"""A project's own engines are found by name, paint, and say whose style they paint."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from recsys.dataset.project import Project
from recsys.reports.inline_images import load_renderer
from recsys.restyling.engines import engine_loader
from style.credit import StyleCredit
from style.errors import RightsError, UnknownEngineError, WeightsError
from style.vector import StyleVector
from tests.render_requests import request_for
from tests.trained_engines import write_feedforward, write_film

STYLE = StyleVector.from_values(np.eye(128)[0])


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = Project.init(tmp_path / "shop", "shop")
    write_feedforward(project.engines / "leaf", license="CC BY 4.0")
    return project


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    y, x = np.mgrid[0:64, 0:80]
    pixels = np.stack([x * 3, y * 3, (x + y) * 1.5], axis=2).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


def test_a_projects_engine_is_known_by_its_name(project: Project) -> None:
    assert project.engine_names[:2] == ("film", "color")
    assert project.engine_names[-1] == "leaf"
    assert engine_loader(project)("leaf").version.startswith("leaf-")
    with pytest.raises(UnknownEngineError, match=r"'laef'; known ones: film, color, .*leaf"):
        engine_loader(project)("laef")


def test_an_engine_of_a_style_that_may_not_be_sold_with_is_refused(project: Project) -> None:
    write_feedforward(project.engines / "study", license="research use only")
    with pytest.raises(RightsError, match=r"'study'.*does not allow commercial use"):
        engine_loader(project)("study")


def test_a_damaged_engine_is_no_unknown_one(project: Project) -> None:
    (project.engines / "leaf" / "engine.safetensors").write_bytes(b"")
    with pytest.raises(WeightsError, match="sha256 is"):
        engine_loader(project)("leaf")


def test_a_picture_credits_the_engines_own_style_and_not_the_one_asked_for(project: Project, photo: Path) -> None:
    asked = StyleCredit("tulips", "CC0-1.0")
    write_film(project.engines / "ours")
    told = {}
    for name in ("leaf", "ours"):
        with load_renderer(project, name, fidelity=False) as restyler:
            picture = restyler.render_or_raise(request_for(restyler, photo, STYLE, credit=asked))
        with Image.open(io.BytesIO(picture.data)) as opened:
            told[name] = opened.info["xmp"].decode()
        assert str(picture.engine).startswith(f"{name}-")
    assert "CC BY 4.0" in told["leaf"]
    assert "tulips" not in told["leaf"]
    assert "tulips" in told["ours"]

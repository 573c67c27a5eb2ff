"""The command `recsys train-style`; doctor and experiments know its engines by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from recsys.cli.main import app
from recsys.dataset.project import Project
from recsys.doctor import Level, diagnose
from recsys.experiments.design.definition import Status
from recsys.experiments.design.files import load_experiment
from tests.trained_engines import write_feedforward


def _run(*arguments: object) -> Any:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def _output(result: Any) -> str:
    return " ".join(result.output.replace("│", " ").split())


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project.init(tmp_path / "shop", "shop")


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    folder.mkdir()
    random = np.random.default_rng(0)
    for number in range(9):
        Image.fromarray(random.integers(0, 256, (40, 40, 3), dtype=np.uint8)).save(folder / f"{number}.png")
    return folder


def test_wrong_options_are_named(project: Project, images: Path, tmp_path: Path) -> None:
    basics = ("train-style", "--products", images, "--styles", images)
    for options, words, code in (
        (("--name", "leaf"), "either --project or --out", 2),
        (("--name", "leaf", "--project", project.root, "--out", tmp_path), "either --project or --out", 2),
        (("--name", "leaf", "--project", project.root, "--engine", "oil"), "use one of film, feedforward", 2),
        (("--name", "Leaf", "--project", project.root), "cannot be called 'Leaf'", 1),
        (("--name", "film", "--project", project.root), "is an engine that ships", 1),
        (("--name", "leaf", "--project", tmp_path), "not a project", 1),
    ):
        result = _run(*basics, *options)
        assert result.exit_code == code, result.output
        assert words in _output(result)
    assert not project.engines.exists()


@pytest.mark.slow
def test_from_folders_to_a_served_engine(project: Project, images: Path) -> None:
    options = ("--steps", 2, "--batch", 1, "--side", 32, "--license", "ours")
    result = _run(
        *("train-style", "--products", images, "--styles", images / "1.png", "--name", "leaf"),
        *("--project", project.root, *options),
    )
    assert result.exit_code == 0, result.output
    assert 'set engine = "leaf" under [restyle]' in _output(result)
    assert "License of the references:** ours" in result.output
    assert project.engine_names[-1] == "leaf"


@pytest.mark.slow
def test_the_doctor_tries_a_projects_engines(project: Project) -> None:
    write_feedforward(project.engines / "leaf")
    write_feedforward(project.engines / "torn")
    (project.engines / "torn" / "engine.safetensors").write_bytes(b"")
    settings = project.root / "recsys.toml"
    settings.write_text(settings.read_text().replace('engine = "film"', 'engine = "leaf"'))
    findings = {finding.subject: finding for finding in diagnose(project.root)}
    assert findings["restyle.engine"].level is Level.OK
    assert findings["engine leaf"].level is Level.OK
    assert "paints own styles" in findings["engine leaf"].text
    assert findings["engine torn"].level is Level.FAIL
    assert "sha256" in findings["engine torn"].text


def test_an_experiment_may_name_a_projects_engine_and_no_other(project: Project) -> None:
    write_feedforward(project.engines / "leaf")
    basics = ("--title", "Ours", "--hypothesis", "More clicks", "--arm", "now", "--arm", "brand")
    for key, engine in (("good", "leaf"), ("bad", "leef")):
        result = _run("experiment", "create", project.root, key, *basics, "--set", f"brand.engine={engine}")
        assert result.exit_code == 0, result.output
    rejected = _run("experiment", "start", project.root, "bad")
    assert rejected.exit_code == 1
    assert "bad: arms.brand.overrides.engine" in _output(rejected)
    assert "did you mean 'leaf'" in _output(rejected)
    (project.experiments / "bad.toml").unlink()
    assert _run("experiment", "start", project.root, "good").exit_code == 0
    assert load_experiment(project.experiments / "good.toml").status is Status.RUNNING

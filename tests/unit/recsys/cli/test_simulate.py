"""The command `recsys experiment simulate`, from a declared experiment to a page."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from recsys.cli.main import app
from recsys.dataset.project import Project

pytestmark = pytest.mark.slow


def test_simulated_and_analyzed(sample_project: Project, tmp_path: Path) -> None:
    shop, out = tmp_path / "shop", tmp_path / "out"
    shutil.copytree(sample_project.root, shop)
    run = CliRunner().invoke
    arms = ["--arm", "now", "--arm", "plain"]
    worse = [part for name in ("factors", "neighbors", "style") for part in ("--set", f"plain.blend.{name}=0")]
    told = ["--title", "Plain lists", "--hypothesis", "Taste is worth its cost"]
    assert run(app, ["experiment", "create", str(shop), "plain", *told, *arms, *worse]).exit_code == 0
    asked = ["experiment", "simulate", str(shop), "plain", "--days", "14", "--still", "--output", str(out)]
    found = run(app, asked)
    assert found.exit_code == 0, found.output
    assert "with their true tastes" in found.output
    assert "decision: stop" in found.output
    assert "click-through rate" in found.output
    assert not (shop / "live").exists()
    again = run(app, ["experiment", "analyze", str(out), "plain", "--out", str(tmp_path / "page.html")])
    assert again.exit_code == 0, again.output
    assert "stop" in again.output
    assert run(app, [*asked, "--plant", "plain"]).exit_code == 2
    repeated = run(app, asked)
    assert repeated.exit_code != 0

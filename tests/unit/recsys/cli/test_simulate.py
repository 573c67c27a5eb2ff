"""The command `recsys experiment simulate`, from a declared experiment to a page."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from recsys.bundle.store import save_bundle
from recsys.cli.main import app
from recsys.dataset.project import Project
from tests.small_bundles import small_bundle


def test_a_small_shop_is_simulated_to_its_declared_end(tmp_path: Path) -> None:
    shop, out = Project.init(tmp_path / "shop", "shop"), tmp_path / "out"
    save_bundle(small_bundle(), shop.bundles, 1)
    run = CliRunner().invoke
    told = ["--title", "Plain lists", "--hypothesis", "Taste is worth its cost", "--arm", "now", "--arm", "plain"]
    look = ["--looks", "fixed", "--end", "2099-01-01T00:00:00Z", "--set", "plain.diversity=0.9"]
    made = run(app, ["experiment", "create", str(shop.root), "plain", *told, *look])
    assert made.exit_code == 0, made.output
    asked = ["experiment", "simulate", str(shop.root), "plain", "--days", "3", "--users", "30", "--still"]
    found = run(app, [*asked, "--output", str(out)])
    assert found.exit_code == 0, found.output
    assert "users: drawn" in found.output
    assert "click-through rate" in found.output
    # The end of the simulation is the declared end, so that there is a decision.
    assert "decision: stop" in found.output
    assert "The declared end was" in found.output
    again = run(app, ["experiment", "analyze", str(out), "plain", "--json"])
    assert json.loads(again.output)["look"]["reached"], again.output
    assert run(app, [*asked, "--plant", "plain"]).exit_code == 2


@pytest.mark.slow
def test_simulated_and_analyzed(sample_project: Project, tmp_path: Path) -> None:
    shop, out = tmp_path / "shop", tmp_path / "out"
    shutil.copytree(sample_project.root, shop, ignore=shutil.ignore_patterns("live"))
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

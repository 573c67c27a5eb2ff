"""The ledger of styles as a shop sees it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from recsys.cli.main import app
from recsys.dataset.project import Project

ROWS = """style_id,title,image,scenes,artist,license,source,uses
waves,Waves,a.jpg,,A. Painter,CC-BY-SA-4.0,a museum,
dots,Dots,a.jpg,,B. Painter,CC BY-NC-ND 4.0,a museum,
stripes,Stripes,a.jpg,,C. Painter,All rights reserved,bought,show|adapt|trade
house,House,a.jpg,,,Contract 17,,
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = Project.init(tmp_path / "shop", "shop")
    made.styles.mkdir()
    Image.new("RGB", (8, 8)).save(made.styles / "a.jpg")
    (made.styles / "styles.csv").write_text(ROWS)
    return made


def test_the_ledger_says_what_is_allowed_and_whom_to_credit(project: Project) -> None:
    ran = CliRunner().invoke(app, ["rights", str(project.root), "--json"])
    assert ran.exit_code == 0, ran.output
    found = {row["style_id"]: row for row in json.loads(ran.output)["styles"]}
    assert found["waves"]["uses"] == ["show", "adapt", "train", "trade"]
    assert found["waves"]["share_alike"]
    assert found["waves"]["credit"] == "Waves, A. Painter, CC-BY-SA-4.0, a museum"
    assert found["dots"]["uses"] == ["show"]
    assert [bool(row["refusal"]) for row in found.values()] == [False, True, False, False]
    assert found["house"]["uses"] is None
    assert found["house"]["credit"] == ""


def test_the_table_ends_with_the_reasons(project: Project) -> None:
    ran = CliRunner().invoke(app, ["rights", str(project.root)], env={"COLUMNS": "200"})
    assert ran.exit_code == 0, ran.output
    assert "show, adapt, trade" in ran.output
    assert "style 'dots': the license 'CC BY-NC-ND 4.0' does not allow restyling" in ran.output


def test_a_wrong_use_is_named_with_its_row(project: Project) -> None:
    (project.styles / "styles.csv").write_text(ROWS.replace("show|adapt|trade", "show|print"))
    ran = CliRunner().invoke(app, ["rights", str(project.root)])
    assert ran.exit_code != 0
    assert "row 4, column 'uses': unknown use 'print'" in ran.output

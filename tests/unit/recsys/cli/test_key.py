"""`recsys key`: made, listed and revoked; shown once, and only where it was asked for."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from recsys.cli.main import app
from recsys.dataset.project import Project
from recsys.storage.database import Database
from recsys.storage.live.keys import KeyStore, key_hash


@pytest.fixture
def shop(tmp_path: Path) -> Project:
    return Project.init(tmp_path / "shop", "shop")


def run(*arguments: str | Path) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["key", *map(str, arguments)])
    return result.exit_code, result.stdout, result.stderr


def test_a_key_from_making_to_revoking(shop: Project) -> None:
    code, text, note = run("create", shop.root, "--name", "web", "--scope", "read", "--scope", "events")
    assert code == 0
    assert "cannot be shown" not in text
    assert "only its hash" in note
    database = Database.open(shop.database_url)
    assert [key.hash for key in KeyStore(database).active()] == [key_hash(text.strip())]
    code, listed, _ = run("list", shop.root)
    assert code == 0
    assert "web" in listed
    assert "events,read" in listed
    assert "active" in listed
    assert text.strip() not in listed
    assert run("revoke", shop.root, "--name", "web")[:2] == (0, "revoked web\n")
    assert KeyStore(database).active() == ()
    database.close()
    assert "revoked 2" in run("list", shop.root)[1]


def test_what_cannot_be_done_is_told(shop: Project, tmp_path: Path) -> None:
    assert "no keys yet" in run("list", shop.root)[1]
    code, _, said = run("create", shop.root, "--name", "web", "--scope", "write")
    assert code == 2
    assert "read, events, admin" in " ".join(said.split())
    assert run("revoke", shop.root, "--name", "web")[0] == 1
    assert run("list", tmp_path / "nowhere")[0] == 1

"""The service does what its OpenAPI description says, by all checks of Schemathesis, over real HTTP."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from recsys.api.auth.security import Security

CONFIGURATION = Path(__file__).with_name("schemathesis.toml")
KEY = "a key that may do all of it"
OpenShop = Callable[..., Any]


def contract(client: httpx.Client, folder: Path, key: str | None, *options: str) -> int:
    """Check the description of a running service; returns how many requests were sent."""
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(CONFIGURATION), "--no-color", "run"]
    headers = [] if key is None else ["--header", f"X-API-Key: {key}"]
    run = subprocess.run(
        [*command, f"{client.base_url}/openapi.json", *headers, "--continue-on-failure", *options],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
    )
    assert run.returncode == 0, run.stdout[-20_000:] + run.stderr
    return int(re.findall(r"([\d,]+) generated", run.stdout)[-1].replace(",", ""))


@pytest.fixture(params=["without keys", "with keys"])
def key(request: pytest.FixtureRequest) -> str | None:
    return KEY if request.param == "with keys" else None


def security(key: str | None) -> Security:
    return Security(admin_keys=[] if key is None else [key], link_key="a link key for tests only")


@pytest.mark.parametrize("seed", [1])
def test_drawn_requests(open_shop: OpenShop, key: str | None, tmp_path: Path, seed: int) -> None:
    client = open_shop(security(key)).client
    options = ("--phases", "fuzzing", "--max-examples", "4", "--seed", str(seed))
    assert contract(client, tmp_path, key, *options) >= 70


@pytest.mark.slow
def test_two_thousand_requests(open_shop: OpenShop, key: str | None, database_url: str, tmp_path: Path) -> None:
    """Examples, every boundary of the description, drawn requests, and chains of requests."""
    client = open_shop(security(key), database=database_url).client
    assert contract(client, tmp_path, key, "--max-examples", "8", "--seed", "7") >= 2_000

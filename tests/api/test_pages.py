"""The pages under `docs/`: they say what the code says."""

from __future__ import annotations

import re
import runpy
import shlex
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest

from recsys.dataset import sample
from recsys.dataset.importers import ImportOptions, import_data
from recsys.dataset.project import Project

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
COMMAND = re.compile(r"^curl .*?(?=^curl |^```)", re.MULTILINE | re.DOTALL)


def test_configuration_is_up_to_date() -> None:
    page = (DOCS / "configuration.md").read_text()
    written = runpy.run_path(str(DOCS / "configuration.py"))["page"](page)
    assert page == written, "python docs/configuration.py"


def asked(command: str) -> tuple[str, str, set[str]]:
    """Method, path and names of the query of a curl command."""
    words = shlex.split(command)
    url = next(word for word in words if word.startswith("localhost:8000"))
    parts = urlsplit(f"http://{url}")
    method = words[words.index("-X") + 1] if "-X" in words else "POST" if "-d" in words else "GET"
    return method, parts.path, {name for name, _ in parse_qsl(parts.query)}


def test_each_route_has_an_example_and_each_example_a_route(shop: httpx.Client) -> None:
    described = shop.get("/openapi.json").json()["paths"]
    operations = {
        (method.upper(), path): {one["name"] for one in operation.get("parameters", []) if one["in"] == "query"}
        for path, methods in described.items()
        for method, operation in methods.items()
    }
    # The longest pattern first, as the path of an item takes any id.
    order = sorted(operations, key=lambda one: len(one[1]), reverse=True)
    shown = set()
    for command in COMMAND.findall((DOCS / "api.md").read_text()):
        method, path, names = asked(command)
        found = [one for one in order if one[0] == method and re.fullmatch(re.sub(r"\{.*?\}", "[^/]+", one[1]), path)]
        assert found, command
        shown.add(found[0])
        assert names <= operations[found[0]] | {"limt"}, command
    assert set(operations) == shown


@pytest.mark.parametrize("page", [ROOT / "README.md", *sorted(DOCS.glob("*.md"))], ids=lambda page: page.name)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
        assert (page.parent / target).exists(), target


def test_the_example_can_be_imported(tmp_path: Path) -> None:
    project = Project.init(tmp_path / "shop", "shop")
    example = DOCS / "example"
    report = import_data(
        project,
        items=example / "items.csv",
        interactions=example / "events.csv",
        options=ImportOptions(images=sample.sample_folder()),
    )
    assert report.rows == {"items": 20, "interactions": 70}
    assert report.images == 20

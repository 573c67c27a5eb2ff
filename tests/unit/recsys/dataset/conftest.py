"""A fresh project, and files to import into it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from recsys.dataset.project import Project

Write = Callable[[str, str | bytes], Path]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project.init(tmp_path / "shop", "shop")


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def to_file(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return to_file

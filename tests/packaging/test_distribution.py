"""The wheel and the source distribution are complete, of a bounded size, and work where the checkout is absent."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
from collections.abc import Sequence
from email import message_from_bytes
from pathlib import Path, PurePosixPath
from zipfile import ZipFile

import pytest

import recsys

ROOT = Path(__file__).resolve().parents[2]
LARGEST = 12_000_000
"""Bytes of each file; about 8 MB are the sample's photos and the weights."""
SAMPLE_PHOTOS = 400
SAMPLE_TABLES = ("items.csv", "users.csv", "interactions.csv", "styles.csv", "truth_items.csv", "truth_users.csv")

IMPORT_ALL = """
import importlib, pkgutil, sys
from pathlib import Path
import recsys, style
for package in (recsys, style):
    assert Path(package.__file__).is_relative_to(sys.prefix), package.__file__
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        # Programs: the one of the migrations runs only inside Alembic.
        if not module.name.endswith(("__main__", "migrations.env")):
            importlib.import_module(module.name)
"""

LOAD = f"""
from recsys.dataset import sample
from style.backbone import load_backbone
from style.embedding import StyleEmbedder
from style.images import read_image
photos = sorted((sample.sample_folder() / "images").iterdir())
assert len(photos) == len(sample.load_truth()) == {SAMPLE_PHOTOS}
StyleEmbedder.load().embed(read_image(photos[0]))
load_backbone("vgg-slim")
"""

DOCTOR = """
import sys
from recsys.cli.main import main
sys.argv = ["recsys", "doctor"]
main()
"""


def python(folder: Path) -> Path:
    """Return the interpreter of the virtual environment in `folder`."""
    return folder / ("Scripts" if os.name == "nt" else "bin") / "python"


def run(command: Sequence[str | Path], cwd: Path) -> str:
    """Run a command without a way to the checkout, and return what it prints."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    ran = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def build(source: Path, target: str, out: Path) -> Path:
    """Build a distribution of the project in `source`, without a network."""
    run([sys.executable, "-m", "hatchling", "build", "-t", target, "-d", out], cwd=source)
    (built,) = out.glob("*.whl" if target == "wheel" else "*.tar.gz")
    return built


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the source distribution."""
    return build(ROOT, "sdist", tmp_path_factory.mktemp("sdist"))


@pytest.fixture(scope="module")
def wheel(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel from the unpacked source distribution, as a packager does."""
    source = tmp_path_factory.mktemp("source")
    with tarfile.open(sdist) as archive:
        archive.extractall(source, filter="data")
    (unpacked,) = source.iterdir()
    return build(unpacked, "wheel", tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheel into an empty environment, and return its folder; dependencies are those of these tests."""
    folder = tmp_path_factory.mktemp("environment")
    run([sys.executable, "-m", "venv", "--without-pip", folder], cwd=folder)
    pip = [sys.executable, "-m", "pip", "--python", python(folder), "install", "--quiet"]
    run([*pip, "--no-deps", "--no-index", "--disable-pip-version-check", wheel], cwd=folder)
    (packages,) = folder.glob("[Ll]ib/**/site-packages")
    # Python does not read .pth files in a folder that it knows from a .pth file: an editable checkout stays out.
    (packages / "dependencies.pth").write_text(f"{sysconfig.get_path('purelib')}\n{sysconfig.get_path('platlib')}\n")
    return folder


def test_the_wheel_holds_the_packages_the_sample_and_the_weights_and_nothing_else(wheel: Path) -> None:
    with ZipFile(wheel) as archive:
        names = set(archive.namelist())
        metadata = message_from_bytes(archive.read(f"style_recsys-{recsys.__version__}.dist-info/METADATA"))
    info = f"style_recsys-{recsys.__version__}.dist-info"
    assert {PurePosixPath(name).parts[0] for name in names} == {"recsys", "style", info}
    sources = {
        path.relative_to(ROOT).as_posix()
        for package in ("recsys", "style")
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert {name for name in names if not name.startswith(info)} == sources
    sample = "recsys/dataset/sample/files"
    assert {f"{sample}/{table}" for table in SAMPLE_TABLES} <= names
    assert sum(name.startswith(f"{sample}/images/") for name in names) == SAMPLE_PHOTOS
    assert any(name.startswith("style/weights/") and name.endswith(".safetensors") for name in names)
    assert {"recsys/py.typed", "style/py.typed", f"{info}/licenses/LICENSE", f"{info}/licenses/data/LICENSE"} <= names
    assert (metadata["Name"], metadata["Version"]) == ("style-recsys", recsys.__version__)
    assert wheel.stat().st_size < LARGEST


def test_the_source_distribution_holds_what_the_wheel_needs_and_no_tests(sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        names = [PurePosixPath(name).parts[1:] for name in archive.getnames()]
    assert {parts[0] for parts in names} == {
        *("recsys", "style", "data", "pyproject.toml", "PKG-INFO"),
        *("README.md", "CHANGELOG.md", "LICENSE", ".gitignore"),
    }
    assert [parts for parts in names if parts[0] == "data"] == [("data", "LICENSE")]
    assert sdist.stat().st_size < LARGEST


def test_the_command_of_the_installed_wheel_says_its_version(installed: Path, tmp_path: Path) -> None:
    command = python(installed).with_name("recsys")
    assert run([command, "--version"], cwd=tmp_path).split()[-1] == recsys.__version__


def test_the_installed_wheel_imports_loads_and_finds_nothing_wrong_with_itself(installed: Path, tmp_path: Path) -> None:
    # One process for all three: most of the time is the import of large libraries.
    said = run([python(installed), "-c", IMPORT_ALL + LOAD + DOCTOR], cwd=tmp_path)
    assert "python" in said
    assert "fail" not in said.lower()


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_wheel_and_its_dependencies_make_the_demo(wheel: Path, tmp_path: Path) -> None:
    folder = tmp_path / "environment"
    run([sys.executable, "-m", "venv", folder], cwd=tmp_path)
    run([python(folder), "-m", "pip", "install", "-q", "-c", ROOT / "requirements.lock", wheel], cwd=tmp_path)
    command = python(folder).with_name("recsys")
    run([command, "doctor"], cwd=tmp_path)
    run([command, "demo", "--out", tmp_path / "demo", "--quiet"], cwd=tmp_path)
    shutil.rmtree(folder)

"""Architecture: packages import lower packages only, and each heavy library is imported in one place."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterable, Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

ORDER = {
    "style": [
        "errors",
        "torchvision_ops",
        "vector",
        "rights",
        "images",
        "color_space",
        "mask",
        "modes",
        "credit",
        "ciede2000",
        "vision",
        "gram",
        "runtime",
        "backbone",
        "library",
        "metrics",
        "preprocess",
        "embedding",
        "descriptors",
        "provenance",
        "transfer",
        "training",
        "fidelity",
        "export",
        "restyle",
        "sequences",
        "benchmarks",
    ],
    "recsys": [
        "errors",
        "schema",
        "clock",
        "rng",
        "ranked",
        "progress",
        "config",
        "storage",
        "dataset",
        "models",
        "index",
        "profiles",
        "bundle",
        "ranking",
        "restyling",
        "training",
        "evaluation",
        "tuning",
        "experiments",
        "alarms",
        "serving",
        "simulation",
        "reports",
        "plots",
        "api",
        "benchmarks",
        "demo",
        "doctor",
        "cli",
        "__main__",
    ],
    "recsys.api": [
        "limits",
        "model_source",
        "route_table",
        "context",
        "logs",
        "metrics",
        "problems",
        "auth",
        "overload",
        "schemas",
        "answer_cache",
        "cursors",
        "analysis_cache",
        "maintenance",
        "services",
        "uploads",
        "images",
        "lists",
        "middleware",
        "routes",
        "openapi",
        "app",
        "worker",
        "server",
    ],
    "recsys.experiments": ["stats", "design", "analysis", "off_policy"],
}
"""Packages from low to high: a module imports its own package and lower ones only, so packages cannot form a cycle."""

DOORS = {
    "torch": ("style/",),
    "torchvision": ("style/torchvision_ops.py",),
    "faiss": ("recsys/index/faiss_index.py",),
    "implicit": ("recsys/models/als.py",),
    "fastapi": ("recsys/api/",),
    "starlette": ("recsys/api/",),
    "openvino": ("style/runtime.py", "style/export/"),
    "onnx": ("style/export/",),
    "onnxruntime": ("style/export/",),
    "nncf": ("style/export/",),
    "executorch": ("style/export/",),
    "cv2": ("style/vision.py",),
    "skimage": ("style/vision.py",),
    "pywt": ("style/vision.py",),
    "c2pa": ("style/provenance/content_credentials.py",),
    "optuna": ("recsys/tuning/tune.py",),
    "matplotlib": ("recsys/plots/", "recsys/reports/drawing.py", "recsys/reports/experiment_charts.py"),
    "sqlite3": ("recsys/storage/",),
    "sqlalchemy": ("recsys/storage/",),
    "alembic": ("recsys/storage/",),
    "psycopg": ("recsys/storage/",),
    "redis": ("recsys/storage/",),
    "prometheus_client": ("recsys/api/",),
    "opentelemetry": ("recsys/api/",),
}

FORBIDDEN = ("pickle", "joblib", "shelve", "marshal")


def sources() -> list[Path]:
    return sorted(path for package in ("recsys", "style") for path in (ROOT / package).rglob("*.py"))


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide the floor"
            yield str(node.module)


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def module_of(path: Path) -> str:
    return name_of(path).removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def floor_of(module: str, top: str) -> int | None:
    """Position of a module's package among the packages of `top`; None for a module outside of `top`."""
    if not module.startswith(f"{top}."):
        return None
    return ORDER[top].index(module.removeprefix(f"{top}.").split(".")[0])


def test_there_is_something_to_check() -> None:
    assert len(sources()) > 60


@pytest.mark.parametrize("path", sources(), ids=name_of)
def test_imports_stay_in_lower_packages(path: Path) -> None:
    here = module_of(path)
    for module in imported(path):
        if here.startswith("style"):
            assert module.split(".")[0] != "recsys", "style/ knows no users"
        for top in ORDER:
            own, other = floor_of(here, top), floor_of(module, top)
            if own is not None and other is not None:
                assert other <= own, f"{here} imports {module}, which is above it in ORDER"


def modules_imported(path: Path, modules: Iterable[str]) -> set[str]:
    """The modules that a file imports, `from package import module` included."""
    found = {*imported(path)}
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            submodules = {f"{node.module}.{alias.name}" for alias in node.names} & set(modules)
            if len(submodules) == len(node.names):
                found.discard(str(node.module))
            found |= submodules
    return found & set(modules)


def test_files_do_not_import_each_other_in_a_circle() -> None:
    modules = {module_of(path): path for path in sources()}
    TopologicalSorter({here: modules_imported(path, modules) for here, path in modules.items()}).prepare()


@pytest.mark.parametrize("path", sources(), ids=name_of)
def test_heavy_libraries_stay_behind_their_doors(path: Path) -> None:
    for module in imported(path):
        library = module.split(".")[0]
        doors = DOORS.get(library)
        assert doors is None or name_of(path).startswith(doors), f"{library} belongs behind {doors}"
        assert library not in FORBIDDEN, "nothing is ever unpickled"


def test_experiments_do_not_import_ranking() -> None:
    for path in (ROOT / "recsys" / "experiments").rglob("*.py"):
        assert not any(module.startswith("recsys.ranking") for module in imported(path))


@pytest.mark.parametrize(
    "module",
    ["recsys.ranking.recommender", "recsys.restyling.renderer", "recsys.api.app", "recsys.experiments.design.registry"],
)
def test_ranking_and_serving_load_no_torch(module: str) -> None:
    code = f"import sys, {module}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0

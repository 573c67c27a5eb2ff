"""The house holds: modules import lower floors or siblings only, and heavy libraries stay behind their doors."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

FLOORS = {
    "errors": 0,
    "schema": 0,
    "config": 0,
    "rng": 0,
    "clock": 0,
    "ranked": 0,
    "dataset": 1,
    "storage": 1,
    "models": 2,
    "index": 2,
    "profiles": 2,
    "pipeline": 3,
    "bundle": 3,
    "bundle_checks": 3,
    "bundle_versions": 3,
    "training": 4,
    "evaluation": 4,
    "benchmarks": 4,
    "experiments": 4,
    "serving": 4,
    "distributed": 4,
    "api": 5,
    "page": 5,
    "simulation": 5,
    "doctor": 5,
    "demo": 5,
    "cli": 6,
    "cli_key": 6,
    "cli_experiment": 6,
    "cli_train": 6,
    "cli_simulate": 6,
    "cli_export": 6,
    "cli_preprocess": 6,
}

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
    "c2pa": ("style/content_credentials.py",),
    "optuna": ("recsys/training/tune.py",),
    "matplotlib": ("recsys/page/figures/",),
    "sqlite3": ("recsys/storage/",),
    "sqlalchemy": ("recsys/storage/",),
    "alembic": ("recsys/storage/",),
    "psycopg": ("recsys/storage/",),
    "redis": ("recsys/storage/",),
    "prometheus_client": ("recsys/api/",),
    "opentelemetry": ("recsys/api/",),
    "pyspark": ("recsys/distributed/",),
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


def floor_of(module: str) -> int | None:
    parts = module.split(".")
    if parts[0] != "recsys" or len(parts) == 1 or parts[1] == "__init__":
        return None
    return FLOORS[parts[1]]


def test_there_is_something_to_check() -> None:
    assert len(sources()) > 60


@pytest.mark.parametrize("path", sources(), ids=name_of)
def test_imports_stay_on_lower_floors(path: Path) -> None:
    here = floor_of(name_of(path).removesuffix(".py").replace("/", "."))
    for module in imported(path):
        if name_of(path).startswith("style/"):
            assert module.split(".")[0] != "recsys", "style/ knows no users"
        there = floor_of(module)
        if here is not None and there is not None:
            assert there <= here, f"{name_of(path)} (floor {here}) imports {module} (floor {there})"


@pytest.mark.parametrize("path", sources(), ids=name_of)
def test_heavy_libraries_stay_behind_their_doors(path: Path) -> None:
    for module in imported(path):
        library = module.split(".")[0]
        doors = DOORS.get(library)
        assert doors is None or name_of(path).startswith(doors), f"{library} belongs behind {doors}"
        assert library not in FORBIDDEN, "nothing is ever unpickled"


def test_experiments_do_not_import_the_pipeline() -> None:
    for path in (ROOT / "recsys" / "experiments").rglob("*.py"):
        assert not any(module.startswith("recsys.pipeline") for module in imported(path))


@pytest.mark.parametrize(
    "module",
    ["recsys.pipeline.recommender", "recsys.pipeline.restyle", "recsys.api.app", "recsys.experiments.registry"],
)
def test_ranking_and_serving_load_no_torch(module: str) -> None:
    code = f"import sys, {module}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0

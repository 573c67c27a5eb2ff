"""The notebooks run from first cell to last without a warning, and what is committed is what they write."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path
from runpy import run_path
from typing import Any

import pytest

from recsys.dataset.project import Project
from recsys.demo import PROJECT_VARIABLE

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
LARGEST = 600_000
SEEDED = ("03_experiment_analysis", "04_off_policy")
"""Notebooks on simulated logs only: their decisions do not depend on a trained model."""


def cells(path: Path) -> list[dict[str, Any]]:
    """The code cells."""
    found: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return [cell for cell in found if cell["cell_type"] == "code"]


def kinds(path: Path) -> list[list[str]]:
    """What each code cell shows, as media types or names of streams."""
    return [
        [kind for output in cell["outputs"] for kind in output.get("data", {output.get("name", ""): ""})]
        for cell in cells(path)
    ]


def sentences(path: Path) -> list[str]:
    """Return the computed text of each code cell, with # for numbers, which may differ between processors."""
    texts = (
        "".join(output.get("data", {}).get("text/markdown", "")) for cell in cells(path) for output in cell["outputs"]
    )
    return [re.sub(r"[+−-]?\d[\d,.]*(e-?\d+)?", "#", text) for text in texts]


def test_all_are_there() -> None:
    names = ["01_offline_evaluation", "02_style_space", "03_experiment_analysis", "04_off_policy"]
    assert [path.stem for path in NOTEBOOKS] == names


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_committed_outputs_are_whole_and_of_these_sources(path: Path) -> None:
    code = cells(path)
    sources = "\0".join("".join(cell["source"]) for cell in code)
    made_from = json.loads(path.read_text(encoding="utf-8"))["metadata"]["sources_sha256"]
    assert made_from == hashlib.sha256(sources.encode()).hexdigest(), "run `make notebooks`"
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    outputs = [output for cell in code for output in cell["outputs"]]
    assert not [output for output in outputs if output["output_type"] == "error" or output.get("name") == "stderr"]
    assert len([output for output in outputs if {"image/png", "image/jpeg"} & set(output.get("data", ()))]) >= 4
    assert path.stat().st_size < LARGEST


def test_the_runner_names_the_project_as_the_library_does() -> None:
    assert run_path(str(ROOT / "notebooks" / "run.py"))["PROJECT_VARIABLE"] == PROJECT_VARIABLE


@pytest.mark.timeout(900)
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_runs_and_shows_what_is_committed(path: Path, sample_project: Project, tmp_path: Path) -> None:
    command = [sys.executable, ROOT / "notebooks" / "run.py", "--project", sample_project.root, "--out", tmp_path, path]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    again = tmp_path / path.name
    assert [cell["source"] for cell in cells(again)] == [cell["source"] for cell in cells(path)]
    assert kinds(again) == kinds(path)
    if path.stem in SEEDED:
        assert sentences(again) == sentences(path), "run `make notebooks`"


def test_a_failing_or_warning_cell_stops_the_run(sample_project: Project, tmp_path: Path) -> None:
    for source, said in (("1 / 0", "ZeroDivisionError"), ("import warnings; warnings.warn('worn')", "worn")):
        cell = {
            "cell_type": "code",
            "id": "a",
            "metadata": {},
            "execution_count": None,
            "outputs": [],
            "source": source,
        }
        faulty = tmp_path / "faulty.ipynb"
        faulty.write_text(json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
        out = tmp_path / "out"
        out.mkdir(exist_ok=True)
        command = [
            sys.executable,
            ROOT / "notebooks" / "run.py",
            "--project",
            sample_project.root,
            "--out",
            out,
            faulty,
        ]
        ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert ran.returncode != 0
        assert said in ran.stderr
        assert not list(out.iterdir())

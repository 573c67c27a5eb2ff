"""`recsys tune`: what it prints, what it writes, and how it says no."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from recsys.cli.main import app
from recsys.dataset.importers import import_data
from recsys.dataset.project import Project


def _run(*arguments: object) -> Any:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def shop(tmp_path: Path) -> Project:
    """25 people with 8 of 20 items each, at times of their own."""
    random = np.random.default_rng(3)
    items = np.concatenate([random.choice(20, 8, replace=False) for _ in range(25)])
    frame = pd.DataFrame({"user_id": np.repeat(np.arange(25), 8), "item_id": items})
    frame["timestamp"] = 1_600_000_000 + random.permutation(len(frame)) * 1000
    frame.to_csv(tmp_path / "events.csv", index=False)
    pd.DataFrame({"item_id": np.arange(20)}).to_csv(tmp_path / "items.csv", index=False)
    project = Project.init(tmp_path / "shop", "shop")
    import_data(project, items=tmp_path / "items.csv", interactions=tmp_path / "events.csv")
    return project


def test_it_prints_both_settings_the_gain_and_the_lines_to_paste(shop: Project) -> None:
    before = (shop.root / "recsys.toml").read_bytes()
    result = _run("tune", shop.root, "--trials", 2, "--k", 5)
    assert result.exit_code == 0, result.output
    assert "als: 2 trials; validation by time in 3 rounds" in result.stdout
    for word in ("defaults", "best", "ndcg@5", "Gain +0.", "[als]\nfactors = "):
        assert word in result.stdout
    assert (shop.root / "recsys.toml").read_bytes() == before


def test_write_puts_the_best_into_the_settings(shop: Project) -> None:
    result = _run("tune", shop.root, "--trials", 5, "--k", 5, "--metric", "recall", "--split", "random", "--write")
    assert result.exit_code == 0, result.output
    assert f"next: recsys build {shop.root}" in result.stdout
    als = Project.open(shop.root).settings.als
    for line in (f"factors {als.factors}", f"alpha {als.alpha}", f"iterations {als.iterations}"):
        name, value = line.split()
        assert any(row.split()[:1] == [name] and row.split()[-1] == value for row in result.stdout.splitlines())


def test_other_models_are_not_written(shop: Project) -> None:
    result = _run("tune", shop.root, "--model", "ease", "--trials", 1, "--k", 5)
    assert result.exit_code == 0, result.output
    assert "[als]" not in result.stdout
    refused = _run("tune", shop.root, "--model", "ease", "--write")
    assert refused.exit_code == 2
    assert "recsys.toml has only settings of als" in " ".join(refused.stderr.replace("│", " ").split())


@pytest.mark.parametrize(
    ("options", "code", "word"),
    [
        (("--model", "svd"), 2, "use one of als, item_knn"),
        (("--split", "weekly"), 2, "use one of time"),
        (("--split", "strong"), 1, "use one of time, random"),
        (("--metric", "auc"), 1, "use one of recall, ndcg"),
        (("--trials", "0"), 2, "--trials"),
        (("--timeout", "-1"), 1, "timeout"),
    ],
)
def test_wrong_names_and_numbers_are_refused(shop: Project, options: tuple[str, str], code: int, word: str) -> None:
    result = _run("tune", shop.root, *options)
    assert result.exit_code == code
    assert word in " ".join(result.stderr.replace("│", " ").split())
    assert not (shop.root / "tuning").exists()

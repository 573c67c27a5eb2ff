"""The page that compares engines: figures, pictures, and what people did in an experiment that compared them."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from recsys.cli.main import app
from recsys.dataset.project import Project
from recsys.dataset.sample import sample_folder
from recsys.errors import ConfigError, ExperimentError
from recsys.experiments.analysis.analyze import analyze
from recsys.experiments.design.definition import Experiment
from recsys.experiments.design.files import create_experiment
from recsys.experiments.design.lifecycle import start
from recsys.reports.engine_behavior import UNCHANGED, Behavior, behavior_of
from recsys.reports.engine_page import MISSING, render_engines, table_rows, write_engine_page
from recsys.simulation.synthetic_logs import Planted, Population, simulate_logs
from style.benchmarks.engines import Comparison, EngineResult

START = 1_790_000_000
NOW = START + 15 * 86_400
HOSTILE = "<script>alert('x')</script>"
ARMS = {"now": {}, "palette": {"overrides": {"engine": "reinhard"}}, "plain": {"overrides": {"restyle": False}}}


def experiment(arms: dict[str, dict[str, object]]) -> Experiment:
    draft = {
        "key": "engines",
        "title": f"Engines {HOSTILE}",
        "hypothesis": "Colors alone are clicked more",
        "control": "now",
        "arms": arms,
        "metrics": [{"name": "ctr"}, {"name": "conversion"}, {"name": "satisfaction"}],
    }
    return start(Experiment.model_validate(draft), START)


@pytest.fixture(scope="module")
def behavior() -> Behavior:
    one = experiment(ARMS)
    planted = {"palette": Planted(ctr=0.4, satisfaction=0.3), "plain": Planted(ctr=-0.3)}
    return behavior_of(analyze(one, simulate_logs(one, planted, Population(users=3_000)).logs, NOW), "film")


def figures(name: str, **changed: object) -> EngineResult:
    one = EngineResult(name, f"{name}-1", 2, 20.0, 0.9, 0.2, 0.1, 0.8, 1.0, 0.05, 12.0, 0.5)
    return replace(one, **changed)  # type: ignore[arg-type]


@pytest.fixture
def compared() -> Comparison:
    pixels = np.full((16, 16, 3), 0.5, dtype=np.float32)
    rows = (figures("film"), figures("reinhard", psnr=25.0, memory_mb=None), figures(HOSTILE, pairs=1, style_gain=0.6))
    painted = {one.name: [pixels] * one.pairs for one in rows}
    return Comparison([(pixels, pixels)] * 2, rows, painted)


def test_planted_effects_are_in_the_columns_of_their_engines(behavior: Behavior) -> None:
    assert set(behavior.by_engine) == {"film", "reinhard", UNCHANGED}
    clicks, _, satisfaction = behavior.metrics
    assert behavior.by_engine["film"][clicks].change == ""
    assert behavior.by_engine["reinhard"][clicks].verdict == "better"
    assert behavior.by_engine["reinhard"][satisfaction].verdict == "better"
    assert behavior.by_engine[UNCHANGED][clicks].verdict == "worse"
    share = {name: float(deeds[clicks].value.split()[0]) for name, deeds in behavior.by_engine.items()}
    assert share[UNCHANGED] < share["film"] < share["reinhard"]


def test_an_experiment_that_compares_no_engines_is_refused() -> None:
    one = experiment({"now": {}, "mild": {"overrides": {"strength": 0.3}}})
    found = analyze(one, simulate_logs(one, {}, Population(users=300)).logs, NOW)
    with pytest.raises(ExperimentError, match="all its arms show film"):
        behavior_of(found, "film")
    one = experiment(ARMS | {"mild": {"overrides": {"strength": 0.3}}})
    found = analyze(one, simulate_logs(one, {}, Population(users=300)).logs, NOW)
    with pytest.raises(ExperimentError, match="arms now and mild both show film"):
        behavior_of(found, "film")


def test_unsound_logs_give_no_columns() -> None:
    one = experiment(ARMS)
    logs = simulate_logs(one, {}, Population(users=2_000))
    units = logs.exposures.loc[logs.exposures["arm"] == "palette", "unit"].unique()[::3]
    torn = replace(logs, exposures=logs.exposures[~logs.exposures["unit"].isin(units)])
    found = behavior_of(analyze(one, torn.logs, NOW), "film")
    assert (found.metrics, dict(found.by_engine)) == ((), {})
    assert "not sound" in found.words


def test_the_best_of_each_column_is_marked(compared: Comparison) -> None:
    film, reinhard, other = table_rows(compared.results)
    assert [row.best[0] for row in (film, reinhard, other)] == [False, True, False]
    assert [row.best[4] for row in (film, reinhard, other)] == [False, False, True]
    assert not any(row.best[1] for row in (film, reinhard, other))
    assert reinhard.cells[7] == MISSING


def test_the_page_is_self_contained_and_escapes_names(compared: Comparison, behavior: Behavior, tmp_path: Path) -> None:
    out = tmp_path / "page.html"
    write_engine_page(compared, out, judge="vgg19", behavior=behavior)
    page = out.read_text(encoding="utf-8")
    assert page.count("data:image/jpeg;base64,") == 2 * 2 + 2 + 2 + 1
    assert page.count("too slow for") == 1
    assert "<script" not in page
    assert not re.search(r'(src|href)="http', page)
    assert f"{UNCHANGED}<small>shown to users" in page
    assert "on 1 of 2" in page
    assert "better</span>" in page


def test_without_an_experiment_there_are_no_columns_of_people(compared: Comparison) -> None:
    assert "people" not in render_engines(compared, judge="vgg19").lower()


def test_another_format_is_refused(compared: Comparison, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="written as HTML"):
        write_engine_page(compared, tmp_path / "page.pdf", judge="vgg19")


def test_the_command_refuses_half_an_experiment() -> None:
    files = [str(sample_folder() / name) for name in ("images", "styles")]
    asked = ["bench", "engines", "--products", files[0], "--styles", files[1], "--experiment", "x"]
    found = CliRunner().invoke(app, asked)
    assert found.exit_code == 2
    assert "go together" in found.output


def test_the_command_asks_the_projects_own_logs_before_it_paints(tmp_path: Path) -> None:
    shop, files = Project.init(tmp_path / "shop", "shop"), sample_folder()
    create_experiment(shop.experiments, experiment(ARMS))
    asked = ["bench", "engines", "--products", str(files / "images"), "--styles", str(files / "styles")]
    found = CliRunner().invoke(app, [*asked, "--experiment", "engines", "--project", str(shop.root)])
    assert found.exit_code == 1
    assert "no live data to analyze" in found.output


@pytest.mark.slow
def test_the_command_writes_the_page_and_prints_the_table(tmp_path: Path) -> None:
    files, out = sample_folder(), tmp_path / "engines.html"
    asked = ["bench", "engines", "--products", str(files / "images"), "--styles", str(files / "styles")]
    found = CliRunner().invoke(app, [*asked, "--engine", "looks", "--pairs", "1", "--output", str(out)])
    assert found.exit_code == 0, found.output
    assert re.search(r"^looks .* 1$", found.output, re.MULTILINE)
    assert out.is_file()

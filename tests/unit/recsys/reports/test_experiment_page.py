"""The page of an experiment says what the analysis says, needs nothing else, and hides effects that are not sound."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from recsys.errors import ConfigError, DataError
from recsys.experiments.analysis.analyze import Analysis, analyze
from recsys.experiments.design.definition import Experiment
from recsys.experiments.design.lifecycle import start
from recsys.reports.drawing import Drawing
from recsys.reports.experiment_charts import effect_chart, health_chart, segment_chart, time_chart
from recsys.reports.experiment_page import analysis_json, decision_text, render_experiment, write_experiment_page
from recsys.simulation.synthetic_logs import Planted, Population, SimulatedLogs, simulate_logs

START = 1_790_000_000
NOW = START + 15 * 86_400
HOSTILE = "<script>alert('x')</script>"


def _experiment() -> Experiment:
    draft = {
        "key": "mild",
        "title": f"Milder {HOSTILE}",
        "hypothesis": "More clicks",
        "control": "now",
        "arms": {"now": {}, "mild": {"overrides": {"strength": 0.3}}},
        "metrics": [{"name": "ctr"}, {"name": "revenue_per_user"}],
        "guardrails": [{"metric": "dwell", "margin": 0.1}],
    }
    return start(Experiment.model_validate(draft), START)


@pytest.fixture(scope="module")
def simulated() -> SimulatedLogs:
    return simulate_logs(_experiment(), {"mild": Planted(ctr=0.3)}, Population(users=3_000))


@pytest.fixture(scope="module")
def found(simulated: SimulatedLogs) -> Analysis:
    return analyze(_experiment(), simulated.logs, NOW)


@pytest.fixture(scope="module")
def unsound(simulated: SimulatedLogs) -> Analysis:
    rows = simulated.exposures
    units = rows.loc[rows["arm"] == "mild", "unit"].unique()[::4]
    return analyze(_experiment(), replace(simulated, exposures=rows[~rows["unit"].isin(units)]).logs, NOW)


def test_html_is_self_contained(found: Analysis, tmp_path: Path) -> None:
    write_experiment_page(found, tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "Ship mild" in page
    assert page.count("data:image/png;base64,") == 5
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert not re.findall(r"(?:src|href)=\"(?!data:)", page)
    for heading in ("Decision", "Health", "Effects", "Over time", "Novelty", "Segments"):
        assert f">{heading}</h" in page


def test_markdown_and_json(found: Analysis, tmp_path: Path) -> None:
    write_experiment_page(found, tmp_path / "page.md")
    page = (tmp_path / "page.md").read_text(encoding="utf-8")
    assert "## Decision: Ship mild" in page
    assert "| click-through rate (decides) | mild |" in page
    assert "\n\n## Effects\n\n" in page
    assert "data:" not in render_experiment(found, ".md", plots=False)
    plain = json.loads(analysis_json(found))
    assert plain["decision"]["arm"] == "mild"
    assert plain["comparisons"][0]["effect"]["relative"]["value"] == found.comparisons[0].effect.relative.value
    assert plain["over_time"][0]["effects"]["mild"]["level"] == 0.95
    assert decision_text(found).startswith("**Ship mild**")


def test_what_is_not_sound_shows_no_effect(unsound: Analysis) -> None:
    page = render_experiment(unsound)
    assert "Fix the data first" in page
    assert "sample ratio mismatch" in page
    assert page.count("data:image/png;base64,") == 1
    for heading in ("Effects", "Over time", "Novelty", "Segments"):
        assert f">{heading}</h" not in page
    assert "Ship" not in page
    assert json.loads(analysis_json(unsound))["comparisons"] == []


def test_charts(found: Analysis, unsound: Analysis) -> None:
    for draw in (health_chart, effect_chart, time_chart, segment_chart):
        assert isinstance(draw(found), Drawing)
    bars = health_chart(unsound).figure.axes[0].patches
    assert [bar.get_width() for bar in bars] == list(unsound.units.values())
    for draw in (effect_chart, time_chart, segment_chart):
        with pytest.raises(DataError):
            draw(unsound)


def test_the_time_chart_ends_where_the_effect_is(found: Analysis) -> None:
    line = time_chart(found).figure.axes[0].get_lines()[0]
    assert line.get_ydata()[-1] == pytest.approx(100 * found.comparisons[0].effect.relative.value)


def test_an_unknown_suffix(found: Analysis, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"give .html, .md or .json"):
        write_experiment_page(found, tmp_path / "page.pdf")

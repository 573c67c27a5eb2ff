"""The command `recsys experiment`: from a draft to the end, and how it says no."""

from __future__ import annotations

import json
import sys
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from recsys.alarms.messages import digest_message
from recsys.cli.main import app
from recsys.clock import now
from recsys.dataset.project import Project
from recsys.experiments.design import lifecycle
from recsys.experiments.design.definition import Direction, Status
from recsys.experiments.design.files import change_experiment, load_experiment
from recsys.experiments.design.metric_names import MetricName
from recsys.experiments.design.overrides import Overrides
from recsys.schema import ItemId, UserId
from recsys.simulation.synthetic_logs import Planted, Population, simulate_logs
from recsys.storage.database import Database
from recsys.storage.live.exposures import Exposure, ExposureLog

BASICS = ("--title", "Milder", "--hypothesis", "More clicks")
ARMS = ("--arm", "now", "--arm", "mild=2", "--set", "mild.strength=0.3")


@pytest.fixture
def shop(tmp_path: Path) -> Project:
    return Project.init(tmp_path / "shop", "shop")


def _run(shop: Project, command: str, *arguments: object) -> Result:
    return CliRunner().invoke(app, ["experiment", command, str(shop.root), *map(str, arguments)])


def _done(result: Result) -> str:
    assert result.exit_code == 0, result.output
    return result.output


def _said_no(result: Result, *words: str, code: int = 1) -> None:
    assert result.exit_code == code, result.output
    told = " ".join(result.output.replace("│", " ").split())
    assert all(word in told for word in words), told


def test_a_life(shop: Project) -> None:
    assert "no experiments yet" in _done(_run(shop, "list"))
    options = ("--metric", "ctr", "--metric", "dwell:decrease", "--guardrail", "conversion=0.02", "--holdout", 0.05)
    place = ("--namespace", "lists", "--segments", "0-499", "--coverage", 0.2, "--minimum-days", 7)
    weights = ("--set", "mild.blend.style=2", "--set", "mild.scene=")
    _said_no(_run(shop, "create", "mild", *BASICS, *ARMS, *weights), "ARM.OPTION=VALUE", code=2)
    _done(_run(shop, "create", "mild", *BASICS, *ARMS, *weights[:2], *options, *place))
    one = load_experiment(shop.experiments / "mild.toml")
    assert one.arms["mild"].overrides == Overrides(strength=0.3, blend={"style": 2.0})
    assert [(metric.name, metric.direction) for metric in one.metrics] == [
        (MetricName.CTR, Direction.INCREASE),
        (MetricName.DWELL, Direction.DECREASE),
    ]
    assert one.guardrails[0].margin == 0.02
    assert (one.control, one.coverage, one.decision.minimum_days) == ("now", 0.2, 7)
    assert "not running" in _done(_run(shop, "assign", "--unit", "u1"))
    assert "running, coverage 20.0%, mild 67% / now 33%" in _done(_run(shop, "start", "mild"))
    assert "coverage 100.0%" in _done(_run(shop, "ramp", "mild", "--coverage", 1, "--segments", "0-999"))
    told = [_done(_run(shop, "assign", "--unit", f"u{n}")) for n in range(8)]
    assert any("mild (split, propensity 0.667)" in line for line in told)
    assert any("now (split, propensity 0.333)" in line for line in told)
    assert "no unit" in _done(_run(shop, "assign", "--session", "s1"))
    shown = _done(_run(shop, "show", "mild"))
    for words in (
        "arm now (33.3%, control): no overrides",
        "strength=0.3",
        "guardrail conversion: margin 0.02",
    ):
        assert words in shown
    assert "mild" in _done(_run(shop, "list"))
    assert "stopped" in _done(_run(shop, "stop", "mild"))
    assert load_experiment(shop.experiments / "mild.toml").status is Status.STOPPED
    assert "no experiment is a draft or running" in _done(_run(shop, "assign", "--unit", "u1"))


def test_arms_and_faults_are_named_once(shop: Project) -> None:
    twice = ("--arm", "now", "--arm", "mild=2", "--arm", "mild")
    _said_no(_run(shop, "create", "mild", *BASICS, *twice), "'mild': named twice", code=2)
    told = _run(shop, "create", "mild", *BASICS, *ARMS, "--metric", "sales").output
    assert "metrics.0.name" in told
    assert "at least 1 item" not in told


def test_a_digest_names_what_it_could_not_analyze() -> None:
    told = digest_message([], 1_790_000_000, ["mild: no live data"])
    assert told.text == "not analyzed: mild: no live data\n"
    assert told.content["problems"] == ["mild: no live data"]
    assert "No experiment is running" in digest_message([], 1_790_000_000).text


def test_a_plan(shop: Project, tmp_path: Path) -> None:
    invoke = CliRunner().invoke
    numbers = ["experiment", "plan", "--baseline", "0.05", "--effect", "0.2", "--units-per-day", "1000"]
    told = _done(invoke(app, [*numbers, "--looks", "fixed"]))
    assert "16,316    21  control 8,158, treatment 8,158" in told
    assert "smallest detectable effect" in told
    found = json.loads(_done(invoke(app, [*numbers, "--looks", "any", "--arm", "now=9", "--arm", "new", "--json"])))
    assert found["shares"] == {"now": 0.9, "new": 0.1}
    assert found["metrics"][0]["needs"]["units"] > 2.5 * 16_316
    for words, arguments in (
        ("--deviation", ["--baseline", "0.05", "--metric", "ctr"]),
        ("PROJECT", ["--effect", "0.1"]),
        ("--units-per-day need", [str(shop.root), "--units-per-day", "5"]),
    ):
        _said_no(invoke(app, ["experiment", "plan", *arguments]), words, code=2)
    _said_no(invoke(app, ["experiment", "plan", str(shop.root)]), "no live data")
    # From own logs, for a draft with its arms, metrics and guardrails.
    _done(_run(shop, "create", "mild", *BASICS, *ARMS, "--minimal-effect", 0.2, "--guardrail", "conversion=0.5"))
    draft = load_experiment(shop.experiments / "mild.toml")
    simulate_logs(lifecycle.start(draft, 1_790_000_000), {}, Population(users=1_500)).write(tmp_path)
    logs = ("--exposures", tmp_path / "exposures.parquet", "--events", tmp_path / "events.parquet")
    told = _done(_run(shop, "plan", "mild", *logs, "--out", tmp_path / "plan.html"))
    assert "days of logs with 1,500 users" in told
    page = (tmp_path / "plan.html").read_text(encoding="utf-8")
    assert "data:image/png;base64," in page
    assert "conversion" in page
    plan = json.loads(_done(_run(shop, "plan", "mild", *logs, "--json")))
    assert [one["metric"] for one in plan["metrics"]] == ["ctr", "conversion"]
    assert len({len(one["curve"]) for one in plan["metrics"]}) == 1
    assert [one["needs"]["effect"] for one in plan["metrics"]] == [0.2, 0.5]
    told = _done(_run(shop, "plan", *logs, "--metric", "conversion", "--metric", "dwell:decrease", "--effect", 0.02))
    assert "satisfaction" not in told
    assert plan["metrics"][0]["needs"]["units"] > 0


def test_watch_sends_each_alarm_once(shop: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "no alarm" not in _done(_run(shop, "watch"))
    _done(_run(shop, "create", "mild", *BASICS, *ARMS))
    draft = load_experiment(shop.experiments / "mild.toml")
    begin = now() - 15 * 86_400
    change_experiment(shop.experiments, "mild", lambda one: lifecycle.start(one, begin))
    started = lifecycle.start(draft, begin)
    simulate_logs(started, {"mild": Planted(ctr=-0.6)}, Population(users=1_500)).write(tmp_path)
    logs = ("mild", "--exposures", tmp_path / "exposures.parquet", "--events", tmp_path / "events.parquet")
    assert "nothing is sent: [alarms]" in _done(_run(shop, "watch", *logs))
    script = "import sys; open(sys.argv[1], 'a').write(sys.stdin.read())"
    command = json.dumps([sys.executable, "-c", script, str(tmp_path / "mail")])
    monkeypatch.setenv("RECSYS__ALARMS__COMMAND", command)
    told = _done(_run(shop, "watch", *logs))
    assert "Click-through rate of mild is worse" in told
    assert f"sent: Experiment mild: harm (mild/{begin}/harm/ctr/mild)" in told
    assert "sent:" not in _done(_run(shop, "watch", *logs))
    assert "sent: Experiments on" in _done(_run(shop, "watch", *logs, "--digest"))
    assert "sent:" not in _done(_run(shop, "watch", *logs, "--digest"))
    mail = (tmp_path / "mail").read_text(encoding="utf-8")
    assert mail.count("Subject: ") == 2
    assert "mild (15.0 days, mild " in mail
    _said_no(_run(shop, "watch"), "no live data", code=1)
    _said_no(_run(shop, "watch", "--exposures", tmp_path / "exposures.parquet"), "need KEY", code=2)


def test_a_look_is_declared(shop: Project) -> None:
    """The end has a time zone, lies ahead, and is not left out for a fixed look."""
    fixed = ("--looks", "fixed")
    _said_no(_run(shop, "create", "a", *BASICS, *ARMS, *fixed), "end_at", "planned_units", "looks = 'sequential'")
    _said_no(_run(shop, "create", "a", *BASICS, *ARMS, *fixed, "--end", "2020-01-01T00:00:00Z"), "is past", "later")
    _said_no(_run(shop, "create", "a", *BASICS, *ARMS, *fixed, "--end", "2099-01-01"), "no time zone", "00:00Z")
    _said_no(_run(shop, "create", "a", *BASICS, *ARMS, *fixed, "--planned-units", 0), "decision.planned_units")
    _said_no(_run(shop, "create", "a", *BASICS, *ARMS, "--looks", "weekly"), "decision.looks")
    assert not list(shop.experiments.glob("*.toml"))
    options = ("--end", "2099-01-01T01:00:00+01:00", "--planned-units", 5000, "--alpha", 0.1, "--power", 0.9)
    _done(_run(shop, "create", "a", *BASICS, *ARMS, *fixed, *options, "--minimal-effect", 0.05))
    decision = load_experiment(shop.experiments / "a.toml").decision
    assert decision.end_at == 4_070_908_800
    assert (decision.planned_units, decision.alpha, decision.power, decision.minimal_effect) == (5000, 0.1, 0.9, 0.05)
    assert "looks fixed, end 2099-01-01T00:00:00Z, 5,000 planned units" in _done(_run(shop, "show", "a"))


def test_wrong_input(shop: Project) -> None:
    two = (*BASICS, "--arm", "now", "--arm", "b")
    _said_no(_run(shop, "create", "e", *two, "--metric", "clicks"), "metrics.0.name", "'ctr'")
    _said_no(_run(shop, "create", "e", *BASICS, "--arm", "now=-1", "--arm", "b"), "arms.now.weight")
    _said_no(_run(shop, "create", "e", *BASICS, "--arm", "now=0", "--arm", "b=0"), "all weights are 0")
    _said_no(_run(shop, "create", "e", *BASICS, "--arm", "now"), "at least 2")
    _said_no(_run(shop, "create", "e", *two, "--set", "b.strenght=1"), "did you mean 'strength'")
    _said_no(_run(shop, "create", "A b", *two), "key")
    _said_no(_run(shop, "create", "e", *two, "--set", "c.strength=1"), "no arm 'c'", code=2)
    _said_no(_run(shop, "create", "e", *two, "--set", "strength"), "ARM.OPTION=VALUE", code=2)
    _said_no(_run(shop, "create", "e", *two, "--segments", "0-9"), "--namespace", code=2)
    _said_no(_run(shop, "create", "e", *two, "--namespace", "n", "--segments", "a-b"), "FIRST-LAST", code=2)
    _said_no(_run(shop, "create", "e", *BASICS, "--arm", "now=much", "--arm", "b"), "'much'", code=2)
    assert not shop.experiments.exists()
    _done(_run(shop, "create", "e", *two))
    _said_no(_run(shop, "create", "e", *two), "already")
    _said_no(_run(shop, "ramp", "e"), "--coverage", code=2)
    _said_no(_run(shop, "assign"), "--unit", code=2)
    _said_no(_run(shop, "start", "f"), "unknown experiment 'f'", "known ones: e")
    _said_no(_run(shop, "stop", "e"), "start it first")


def test_an_arm_that_cannot_be_served_does_not_start(shop: Project) -> None:
    two = (*BASICS, "--arm", "now", "--arm", "b")
    _done(_run(shop, "create", "version", *two, "--set", "b.model=1234567890123456"))
    _said_no(_run(shop, "start", "version"), "arms.b.overrides.model", "no bundle 1234567890123456")
    _done(_run(shop, "create", "scene", *two, "--set", "b.scene=holiday"))
    _said_no(_run(shop, "start", "scene"), "arms.b.overrides.scene", "'holiday'", "known: none")


def test_a_changed_split_is_refused_and_can_be_stopped(shop: Project) -> None:
    _done(_run(shop, "create", "e", *BASICS, *ARMS))
    _done(_run(shop, "start", "e"))
    path = shop.experiments / "e.toml"
    path.write_text(path.read_text(encoding="utf-8").replace("weight = 2.0", "weight = 3.0", 1), encoding="utf-8")
    _said_no(_run(shop, "ramp", "e", "--coverage", 1), "e.toml", "mild (weight 2)", "with a new key")
    _said_no(_run(shop, "assign", "--unit", "u1"), "with a new key")
    _said_no(_run(shop, "list"), "with a new key")
    assert "stopped" in _done(_run(shop, "stop", "e"))


def test_analyze(shop: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _said_no(_run(shop, "analyze", "mild"), "no experiment 'mild'")
    _done(_run(shop, "create", "mild", *BASICS, *ARMS, "--metric", "ctr", "--metric", "style_diversity"))
    _said_no(_run(shop, "analyze", "mild"), "no live data to analyze")
    began = 1_790_000_000
    monkeypatch.setattr("recsys.clock.now", lambda: began)
    _done(_run(shop, "start", "mild"))
    one = load_experiment(shop.experiments / "mild.toml")
    simulate_logs(one, {"mild": Planted(ctr=0.5)}, Population(users=2_000)).write(tmp_path)
    monkeypatch.setattr("recsys.clock.now", lambda: began + 15 * 86_400)
    _said_no(_run(shop, "analyze", "mild", "--exposures", tmp_path / "exposures.parquet"), "both --exposures", code=2)
    logs = [
        part for name in ("exposures", "events", "feedback") for part in (f"--{name}", tmp_path / f"{name}.parquet")
    ]
    told = _done(_run(shop, "analyze", "mild", *logs))
    assert "## Decision: Ship mild" in told
    assert json.loads(_done(_run(shop, "analyze", "mild", *logs, "--json")))["decision"]["advice"] == "ship"
    assert "mild: ship; wrote" in _done(_run(shop, "analyze", "mild", *logs, "--out", tmp_path / "page.html"))
    assert "Ship mild" in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_analyze_live_data_that_are_not_sound(shop: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    _done(_run(shop, "create", "mild", *BASICS, "--arm", "now", "--arm", "mild", "--set", "mild.strength=0.3"))
    began = 1_790_000_000
    monkeypatch.setattr("recsys.clock.now", lambda: began)
    _done(_run(shop, "start", "mild"))
    shop.live.mkdir(exist_ok=True)
    with closing(Database.open(shop.database_url)) as database:
        log = ExposureLog(database)
        for number in range(40):
            shown = (f"r{number}", UserId(f"u{number}"), began + number, "v", (ItemId("a"),), (1.0,), (None,))
            log.append(Exposure(*shown, {"mild": "now"}))
        log.close()
    monkeypatch.setattr("recsys.clock.now", lambda: began + 86_400)
    _said_no(_run(shop, "analyze", "mild"), "Fix the data first", "No unit in arm 'mild'")

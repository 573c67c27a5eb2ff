"""Files: what is written is read again as it was, comments stay, and each error names file, key and cure."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from recsys.errors import ConfigError, ExperimentError
from recsys.experiments.design.definition import Experiment, Status
from recsys.experiments.design.files import (
    change_experiment,
    create_experiment,
    experiment_files,
    find_file,
    load_experiment,
    stop_experiment,
)
from recsys.experiments.design.lifecycle import config_drift, ramp, start

Maker = Callable[..., Experiment]

BY_HAND = """\
# why we do this
title = "By hand"   # short
hypothesis = '''Many
lines'''
control = "now"
coverage = 0.1 # for a start

[arms.now]
[arms.mild.overrides]
strength = 0.3
blend = {style = 0.5}

[[metrics]]
name = "ctr"

[namespace]
name = "n"
segments = [[0, 99]]

[forced]
"anna@example.org" = "mild"
"""


def test_what_is_created_is_read_again(tmp_path: Path, experiment: Maker) -> None:
    one = experiment(
        hypothesis='quotes " and \\ and\nlines',
        arms={"now": {}, "b": {"weight": 0.5, "overrides": {"blend": {"style": 0.1}, "restyle": True, "mode": "tone"}}},
        targeting={"country": ["DE"], "known_user": False},
        forced={"ü 1": "b", "a.b": "now"},
        guardrails=[{"metric": "revenue_per_user", "margin": 0.5, "scale": "absolute"}],
        namespace={"name": "n", "segments": [[0, 9], [20, 29]]},
        holdout={"share": 0.05},
    )
    path = create_experiment(tmp_path / "experiments", one)
    assert load_experiment(path) == one
    assert experiment_files(tmp_path / "experiments") == [path]
    with pytest.raises(ExperimentError, match="already"):
        create_experiment(tmp_path / "experiments", one)


def test_states_are_changed_in_place(tmp_path: Path) -> None:
    path = tmp_path / "hand.toml"
    path.write_text(BY_HAND, encoding="utf-8")
    started = change_experiment(tmp_path, "hand", lambda one: start(one, 1_795_253_400))
    ramped = change_experiment(
        tmp_path, "hand", lambda one: ramp(one, 1_795_253_500, coverage=0.5, segments=((0, 199),))
    )
    assert load_experiment(path) == ramped
    assert ramped.history[0] == started.history[0]
    stopped = stop_experiment(tmp_path, "hand", 1_795_253_600)
    assert load_experiment(path) == stopped
    assert stopped.status is Status.STOPPED
    text = path.read_text(encoding="utf-8")
    assert text.startswith('# why we do this\ntitle = "By hand"   # short\n')
    assert "coverage = 0.5 # for a start\n" in text
    assert 'started_at = "2026-11-21T09:30:00Z"\n' in text
    assert text.count("[[history]]") == 3


def test_a_refused_change_leaves_the_file_alone(tmp_path: Path) -> None:
    path = tmp_path / "hand.toml"
    path.write_text(BY_HAND.replace("coverage = 0.1", '"coverage" = 0.1'), encoding="utf-8")
    change_experiment(tmp_path, "hand", lambda one: start(one, 10))
    before = path.read_bytes()
    with pytest.raises(ConfigError, match=r"(?s)hand.toml.*write by hand:\ncoverage = 0.5"):
        change_experiment(tmp_path, "hand", lambda one: ramp(one, 20, coverage=0.5))
    assert path.read_bytes() == before
    assert [found.name for found in tmp_path.iterdir()] == ["hand.toml"]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("strength = 0.3", "strength = 0.4", "arms.mild.overrides: changed"),
        ("[arms.now]", "[arms.now]\nweight = 9", r"now \(weight 9\)"),
        ("# why", "salt = 'x' #", "salt: changed"),
        ("coverage = 0.1", "coverage = 0.9", "recsys experiment ramp"),
    ],
)
def test_a_changed_split_in_mid_run_is_refused_and_can_be_stopped(
    tmp_path: Path, old: str, new: str, words: str
) -> None:
    path = tmp_path / "hand.toml"
    path.write_text(BY_HAND, encoding="utf-8")
    change_experiment(tmp_path, "hand", lambda one: start(one, 10))
    path.write_text(path.read_text(encoding="utf-8").replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ExperimentError, match=f"hand.toml: .*{words}"):
        load_experiment(path)
    stopped = stop_experiment(tmp_path, "hand", 20)
    assert load_experiment(path) == stopped
    assert "ramp" in words or config_drift(stopped) is not None


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.toml", b"title = ", "a.toml: not valid TOML"),
        ("a.toml", b"\xff", "a.toml: not UTF-8"),
        ("a.toml", b"key = 'b'", "the file's name is the key"),
        ("a b.toml", BY_HAND.encode(), "64 of a-z"),
        ("a.toml", BY_HAND.replace('"ctr"', '"clicks"').encode(), "a.toml: metrics.0.name: .*'ctr'"),
        ("a.toml", BY_HAND.replace('control = "now"', "").encode(), "a.toml: control: Field required"),
    ],
)
def test_wrong_files_are_named(tmp_path: Path, name: str, text: bytes, words: str) -> None:
    (tmp_path / name).write_bytes(text)
    with pytest.raises(ExperimentError, match=words):
        load_experiment(tmp_path / name)


def test_unknown_keys_are_named_with_those_known(tmp_path: Path, experiment: Maker) -> None:
    with pytest.raises(ExperimentError, match="no experiment 'mild'; create one with `recsys experiment create`"):
        find_file(tmp_path / "absent", "mild")
    create_experiment(tmp_path, experiment())
    with pytest.raises(ExperimentError, match="did you mean 'mild'"):
        find_file(tmp_path, "../mild")
    with pytest.raises(ExperimentError, match="cannot be read"):
        load_experiment(tmp_path / "gone.toml")

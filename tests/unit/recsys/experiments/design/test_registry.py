"""All experiments together: what fights is refused, and what runs goes on whatever file is broken."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from recsys.errors import ExperimentError
from recsys.experiments.design.assignment import Reason
from recsys.experiments.design.conflicts import find_conflict
from recsys.experiments.design.definition import Experiment, UnitKind
from recsys.experiments.design.files import change_experiment, create_experiment, stop_experiment
from recsys.experiments.design.lifecycle import ramp, start
from recsys.experiments.design.overrides import Overrides
from recsys.experiments.design.registry import (
    ExperimentSet,
    Identity,
    Registry,
    change_without_conflict,
    load_experiments,
)
from recsys.experiments.design.targeting import Context

Maker = Callable[..., Experiment]
UNITS = [f"u{n}" for n in range(300)]


def _arms(**overrides: Any) -> dict[str, Any]:
    return {"now": {}, "b": {"overrides": overrides}}


@pytest.mark.parametrize(
    ("one", "other", "words"),
    [
        ({"arms": _arms(diversity=0.1)}, {"arms": _arms(diversity=0.2)}, "override 'diversity': .*namespace"),
        ({"arms": _arms(blend={"style": 1})}, {"arms": _arms(blend={"style": 2})}, "override 'blend.style'"),
        ({"salt": "s"}, {"salt": "s", "arms": _arms(diversity=0.1)}, "salt 's': .*same way"),
        (
            {"namespace": {"name": "n", "segments": [[0, 499]]}},
            {"namespace": {"name": "n", "segments": [[400, 900]]}},
            "namespace 'n': 'one' and 'two' overlap in segments 400-499",
        ),
        (
            {"namespace": {"name": "n", "segments": [[0, 499]]}},
            {"namespace": {"name": "n", "segments": [[500, 900]]}, "unit": "session"},
            "cannot exclude each other",
        ),
        ({"holdout": {"share": 0.1}}, {"holdout": {"share": 0.2}, "arms": _arms(diversity=0.1)}, "holdout 'all'"),
    ],
)
def test_what_fights_is_named(
    tmp_path: Path, experiment: Maker, one: dict[str, Any], other: dict[str, Any], words: str
) -> None:
    create_experiment(tmp_path, experiment(key="one", **one))
    assert set(load_experiments(tmp_path).experiments) == {"one"}
    create_experiment(tmp_path, experiment(key="two", **other))
    with pytest.raises(ExperimentError, match=words):
        load_experiments(tmp_path)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"arms": _arms(diversity=0.1)}, {"arms": _arms(calibration=0.2)}),
        ({"arms": _arms(blend={"style": 1})}, {"arms": _arms(blend={"trend": 2})}),
        ({"targeting": {"country": ["DE"]}}, {"targeting": {"country": ["FR"]}}),
        ({"targeting": {"known_user": True}}, {"targeting": {"known_user": False}}),
        (
            {"namespace": {"name": "n", "segments": [[0, 499]]}, "salt": "s"},
            {"namespace": {"name": "n", "segments": [[500, 900]]}, "salt": "s"},
        ),
        ({"status": "stopped", "started_at": 1, "stopped_at": 2}, {}),
    ],
)
def test_what_does_not_fight_runs_together(experiment: Maker, one: dict[str, Any], other: dict[str, Any]) -> None:
    first, second = experiment(key="one", **one), experiment(key="two", **other)
    if first.status == "stopped":
        assert "one" not in ExperimentSet.from_experiments([first, second]).assign(Identity("u1"))
    else:
        assert find_conflict(first, second) is None is find_conflict(second, first)


def test_files_are_read_again_when_they_change(tmp_path: Path, experiment: Maker) -> None:
    folder = tmp_path / "experiments"
    registry = Registry(folder)
    assert registry.assign(Identity("u1")) == {}
    assert not registry.reload()
    create_experiment(folder, experiment())
    assert registry.reload()
    assert registry.assign(Identity("u1"))["mild"].reason is Reason.NOT_RUNNING
    assert not registry.reload()
    change_experiment(folder, "mild", lambda one: start(one, 10))
    assert registry.reload()
    assert registry.assign(Identity("u1"))["mild"].arm in ("now", "mild")
    stop_experiment(folder, "mild", 20)
    assert registry.reload()
    assert registry.assign(Identity("u1")) == {}
    assert set(registry.experiments) == {"mild"}
    (folder / "mild.toml").unlink()
    assert registry.reload()
    assert registry.experiments == {}


def test_what_runs_goes_on_as_it_was_while_its_file_is_wrong(tmp_path: Path, experiment: Maker) -> None:
    path = create_experiment(tmp_path, experiment(coverage=0.5))
    change_experiment(tmp_path, "mild", lambda one: start(one, 10))
    registry = Registry(tmp_path)
    before = [registry.assign(Identity(unit)) for unit in UNITS]
    text = path.read_text(encoding="utf-8")
    for wrong in (text.replace("weight = 1.0", "weight = 7.0", 1), text.replace("salt", "# salt", 1) + "[", "nonsense"):
        path.write_text(wrong, encoding="utf-8")
        assert registry.reload()
        assert [registry.assign(Identity(unit)) for unit in UNITS] == before
        assert "mild.toml" in registry.problems["mild"]
    (tmp_path / "draft.toml").write_text("title = 1", encoding="utf-8")
    assert registry.reload()
    assert set(registry.problems) == {"mild", "draft"}
    (tmp_path / "draft.toml").unlink()
    path.write_text(text, encoding="utf-8")
    assert registry.reload()
    assert registry.problems == {}
    change_experiment(tmp_path, "mild", lambda one: ramp(one, 20, coverage=1.0))
    registry.reload()
    after = [registry.assign(Identity(unit))["mild"].arm for unit in UNITS]
    assert all(old["mild"].arm in (None, new) for old, new in zip(before, after, strict=True))
    assert None not in after


def test_a_fresh_start_leaves_out_what_is_wrong_and_says_so(tmp_path: Path, experiment: Maker) -> None:
    create_experiment(tmp_path, experiment(key="one"))
    change_experiment(tmp_path, "one", lambda one: start(one, 10))
    create_experiment(tmp_path, experiment(key="a-draft"))
    registry = Registry(tmp_path)
    assert set(registry.experiments) == {"one"}
    assert "override 'strength'" in registry.problems["a-draft"]
    stop_experiment(tmp_path, "one", 20)
    registry.reload()
    assert set(registry.experiments) == {"one", "a-draft"}
    assert registry.problems == {}


def test_no_change_that_would_fight(tmp_path: Path, experiment: Maker) -> None:
    for key, segments in (("one", [[0, 99]]), ("two", [[100, 199]])):
        create_experiment(tmp_path, experiment(key=key, namespace={"name": "n", "segments": segments}))
        change_without_conflict(tmp_path, key, lambda one: start(one, 10))
    with pytest.raises(ExperimentError, match="overlap in segments 100-150"):
        change_without_conflict(tmp_path, "one", lambda one: ramp(one, 20, segments=((0, 150),)))
    assert load_experiments(tmp_path).experiments["one"].history[-1].segments == ((0, 99),)


def test_subjects_have_the_unit_that_an_experiment_assigns(running: Maker) -> None:
    loaded = ExperimentSet.from_experiments(
        [running(key="people"), running(key="visits", unit="session", arms=_arms(diversity=0.1))]
    )
    assert Identity("u1", "s1").unit(UnitKind.SESSION) == "s1"
    found = loaded.assign(Identity(user="u1"))
    assert found["people"].counts
    assert found["visits"].reason is Reason.NO_UNIT


def test_overrides_of_all_arms_together(running: Maker) -> None:
    loaded = ExperimentSet.from_experiments(
        [
            running(key="one", arms=_arms(blend={"style": 2.0}), forced={"qa": "b", "u": "now"}),
            running(key="two", arms=_arms(blend={"trend": 3.0}, diversity=0.4), forced={"qa": "b", "u": "now"}),
        ]
    )
    qa = loaded.assign(Identity("qa"), Context())
    assert loaded.overrides(qa) == Overrides(blend={"style": 2.0, "trend": 3.0}, diversity=0.4)
    assert loaded.overrides(loaded.assign(Identity("u"))) == Overrides()
    assert loaded.overrides(loaded.assign(Identity())) == Overrides()
